"""Adding a file as a source: the proposed interpretation, and the settings table for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from tidings.connectors.files.source import FileSource
from tidings.connectors.files.trial import tried
from tidings.enrich.redaction import redact
from tidings.errors import SettingsError, SourceError, TidingsError, UsageError
from tidings.landing.manifest import replace_durably
from tidings.mapping.filling import parser
from tidings.mapping.guess import Guess, Seen, guess
from tidings.mapping.synonyms import COLUMNS
from tidings.parsing import files, reading
from tidings.parsing.files import File
from tidings.parsing.inference import encoding_of
from tidings.parsing.sampling import head_bytes
from tidings.settings import Settings
from tidings.sources.source import Pull, kinds, open_sources
from tidings.sources.trial import Trial

_ROWS = 10
_WIDE = 28
_NAMED = 12
_TRIED = 20
_REASONS = 3
# Not recognisable from a file, so what a person has written is kept.
_KEPT = ("timezone", "currency", "covers", "pageview")


@dataclass(frozen=True)
class Proposal:
    """A file and the proposed source; `trial` is null if no feed fits."""

    name: str
    table: Mapping[str, Any]
    guess: Guess
    trial: Trial | None
    file: File
    delimiter: str
    encoding_doubt: str = ""


def propose(settings: Settings, path: Path, name: str | None, kind: str | None, now: datetime) -> Proposal:
    """The proposed source for a file.

    Raises:
        UsageError: there is no such file, it is a source already, or the name is taken.
        SourceError: it cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"There is no file {path}.", "Name one file; a pattern goes into `path` later.")
    file = files.file_at(path.resolve(), settings.root.resolve())
    _require_new(settings, path)
    outside = file.name.startswith("../")
    table = {"path": str(path.resolve()) if outside else file.name}
    return _understood(settings, file, _free(settings, name, path), table, kind, now)


def propose_again(settings: Settings, name: str, now: datetime, but: Collection[str] = ()) -> Proposal | None:
    """A settings table for a source whose own does not work, by its first file other than `but`.

    Path, zone, currency and days are kept from its table, and so are plausible mappings and constants. Null if it is
    not a file source, or has no other file.

    Raises:
        SourceError: none of its files can be read.
    """
    table = dict(settings.sources[name])
    kind = table.get("kind")
    if kind in kinds() and kind not in COLUMNS:
        return None
    given = table.get("path", ())
    patterns = (given,) if isinstance(given, str) else tuple(map(str, given)) if isinstance(given, list) else ()
    try:
        found = [file for file in files.matching(settings.root, patterns, []) if file.name not in but]
    except SourceError:
        return None
    nearest: Proposal | None = None
    failed: SourceError | None = None
    for file in found[:_TRIED]:
        for kind_given in dict.fromkeys((kind if kind in COLUMNS else None, None)):
            try:
                proposal = _understood(settings, file, name, table, kind_given, now)
            except TidingsError as error:
                failed = failed or (error if isinstance(error, SourceError) else None)
                continue
            if proposal.trial and proposal.trial.used:
                return proposal
            nearest = nearest or proposal
    if nearest is None and failed:
        raise failed
    return nearest


def _understood(
    settings: Settings, file: File, name: str, table: Mapping[str, Any], kind: str | None, now: datetime
) -> Proposal:
    files.check_content(file)
    encoding, doubt = encoding_of(head_bytes(file)) if file.form != "parquet" else ("utf-8", "")
    if doubt and "encoding" in table:
        # Single-byte encodings can only be distinguished by letters: what a person has written is more certain.
        encoding, doubt = str(table["encoding"]), ""
    with parser() as connection:
        head = reading.head(connection, file, encoding, ())
    kept = {option: _texts(table.get(option)) for option in ("columns", "defaults")}
    found = guess(head, encoding, kind, pinned=kept["columns"], defaults=kept["defaults"])
    own = {option: table[option] for option in _KEPT if option in table}
    if found.kind != "events":
        own.pop("pageview", None)
    whole = {"kind": found.kind or "", "path": table["path"], **own, **found.options}
    trial = None
    if found.kind:
        (source,) = open_sources(replace(settings, sources={name: whole}), [name])
        if isinstance(source, FileSource):
            trial = tried(source, file, Pull(now))
    delimiter = head.delimiter if file.form == "csv" else ""
    return Proposal(name, whole, found, trial, file, delimiter, doubt)


def _texts(given: Any) -> dict[str, str]:
    """The texts of a table; other values are left out."""
    return {name: text for name, text in given.items() if isinstance(text, str)} if isinstance(given, dict) else {}


def suggested(proposal: Proposal, configured: object) -> str:
    """A proposal for an existing source, to replace its table."""
    found, trial = proposal.guess, proposal.trial
    if trial is None:
        names = ", ".join(f"'{seen.name}'" for seen in found.columns[:_NAMED])
        more = ", …" if len(found.columns) > _NAMED else ""
        return f"{proposal.file.name} fits no feed: {found.lacks}. Its columns: {names}{more}."
    lines = []
    if found.kind != configured:
        lines.append(f"It looks like {found.kind}.")
    lines.append("With this in place of its table: " + trial.summary())
    lines += [f"{reason}." for reason in trial.reasons[:_REASONS]]
    doubts = [*found.doubts, *([proposal.encoding_doubt] if proposal.encoding_doubt else [])]
    lines += [f"To look at: {doubt}." for doubt in doubts]
    return "\n".join([*lines, "", *table_text(proposal).splitlines(), ""])


def described(proposal: Proposal) -> str:
    """A proposal as text: the kind of each column, the first rows as interpreted, doubts, and the table."""
    found, trial = proposal.guess, proposal.trial
    lines = [f"{proposal.file.name}: {_form(proposal)}", *map(_column, found.columns[:_NAMED])]
    if len(found.columns) > _NAMED:
        lines.append(f"  and {len(found.columns) - _NAMED} more columns")
    if trial is None:
        lines += ["", f"It fits no feed: {found.lacks}."]
        return "\n".join(lines)
    lines += ["", f"It is read as {found.kind}. {trial.summary()}", *(f"  {reason}." for reason in trial.reasons[:3])]
    lines += ["", *_shown(trial, tuple(found.options["columns"]))]
    doubts = [*found.doubts, *([proposal.encoding_doubt] if proposal.encoding_doubt else [])]
    lines += ["", *(f"  To look at: {doubt}." for doubt in doubts)] if doubts else []
    return "\n".join([*lines, "", table_text(proposal)])


def table_text(proposal: Proposal) -> str:
    """The settings table in TOML."""
    return tomlkit.dumps({"tool": {"tidings": {"sources": {proposal.name: _table(proposal.table)}}}}).strip()


def write(settings: Settings, proposal: Proposal) -> Path:
    """Add the table to pyproject.toml; everything else in the file stays as it is, comments too.

    Raises:
        SettingsError: the file cannot be read, or has a source of that name by now.
    """
    file = settings.root / "pyproject.toml"
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}.", "Correct it first.") from error
    sources: Any = document
    for key in ("tool", "tidings", "sources"):
        if key not in sources:
            sources[key] = tomlkit.table(is_super_table=key != "tidings")
        sources = sources[key]
    if proposal.name in sources:
        raise SettingsError(f"{file.name} has a source {proposal.name} already.", "Give another --name.")
    sources[proposal.name] = _table(proposal.table)
    text = tomlkit.dumps(document)
    replace_durably(file, text)
    return file


def _table(options: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for option, value in options.items():
        if isinstance(value, Mapping):
            inner = tomlkit.table()
            inner.update(value)
            table[option] = inner
        else:
            table[option] = value
    return table


def _require_new(settings: Settings, path: Path) -> None:
    for name, table in settings.sources.items():
        given = table.get("path", ())
        patterns = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else ()
        try:
            known = {file.path.resolve() for file in files.matching(settings.root, tuple(map(str, patterns)))}
        except SourceError:
            continue
        if path.resolve() in known:
            raise UsageError(
                f"{path} is read by the source {name} already.", f"Change its table, or: tidings pull {name}"
            )


def _free(settings: Settings, name: str | None, path: Path) -> str:
    """The given name, or one made of the file's that is not taken."""
    if name is not None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise UsageError(f"'{name}' cannot name a source.", "Use letters, digits, - and _, a letter first.")
        if name in settings.sources:
            raise UsageError(f"There is a source {name} already.", "Give another --name; nothing is overwritten.")
        return name
    stem = re.sub(r"[^a-z0-9]+", "_", path.name.partition(".")[0].lower()).strip("_")
    name = base = stem if stem[:1].isalpha() else f"file_{stem}".rstrip("_")
    number = 2
    while name in settings.sources or (settings.raw / name).exists():
        name, number = f"{base}_{number}", number + 1
    return name


def _form(proposal: Proposal) -> str:
    encoding = proposal.guess.options.get("encoding", "utf-8")
    if proposal.file.form != "csv":
        return {"json": f"JSON, {encoding}", "parquet": "Parquet"}[proposal.file.form]
    if len(proposal.guess.columns) == 1:
        return f"CSV, {encoding}, one column"
    names = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", ":": "colons"}
    return f"CSV, {encoding}, separated by {names.get(proposal.delimiter, repr(proposal.delimiter))}"


def _column(seen: Seen) -> str:
    what = {
        "time": "times",
        "number": "numbers",
        "text": "text",
        "address": "network addresses, not stored",
        "empty": "nothing in the first rows",
    }[seen.what]
    form = f", as {seen.times.form}" if seen.times and seen.times.form else ""
    example = f", such as '{_cell(seen.values[0])}'" if seen.values and seen.what != "address" else ""
    return f"  {seen.name}: {what}{form}{example}"


def _shown(trial: Trial, columns: Sequence[str]) -> list[str]:
    """The first rows as a table of the mapped columns."""
    names = [name for name in columns if name in trial.rows.column_names]
    rows = [[_cell(row[name]) for name in names] for row in trial.rows.slice(0, _ROWS).to_pylist()]
    widths = [max(len(cell) for cell in column) for column in zip(names, *rows, strict=True)]
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in [names, *rows]]


def _cell(value: Any) -> str:
    text = (
        "–" if value is None else " ".join(redact(f"{value:f}" if hasattr(value, "quantize") else str(value)).split())
    )
    if hasattr(value, "quantize") and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"
