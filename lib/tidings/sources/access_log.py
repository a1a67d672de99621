"""Access logs of web servers: files in the common or combined format into the feed `access`."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tidings.errors import SettingsError, SourceError
from tidings.settings import Settings
from tidings.sources.access_rows import Translator, scrubbed
from tidings.sources.feeds import ACCESS
from tidings.sources.landing import Draft, Landing
from tidings.sources.log_lines import Lines, content_sha256, fields, first_instant, instants, read_lines
from tidings.sources.manifest import Input
from tidings.sources.mapping import OPTIONS, PULL, read_covers
from tidings.sources.places import Places
from tidings.sources.privacy import Pseudonyms, Salts
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind, kept_out
from tidings.window import Zone, end_of_local_day

_ENDPOINT: Final = Endpoint(name="access", feed=ACCESS, doc="Requests as the web server logged them.")
# What rotation adds to a log's name: access.log.1, access.log.2.gz, access.log-20261120.
_ROTATED: Final = re.compile(r"(?:[.-]\d+)?(?:\.gz|\.zst)?$", re.IGNORECASE)
_REFUSED: Final = "The line is in neither the common nor the combined log format."
_NO_DATE: Final = "The time of the line is not a date."


@dataclass(frozen=True)
class _Log:
    """A log file; `part` names it by its first instant, so that it stays itself when it is rotated."""

    path: Path
    name: str
    first: datetime | None

    @property
    def part(self) -> str:
        return f"{self.name}@{self.first.isoformat()}Z" if self.first else self.name


@dataclass(frozen=True)
class AccessLog:
    """The access logs that a path (with `*` and `?`) names; `site` is the host whose links are internal."""

    name: str
    path: str
    site: str
    root: Path
    zone: Zone
    geoip: Path | None
    covers: str
    kind: str = "access_log"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """One: the requests."""
        return (_ENDPOINT,)

    def warnings(self) -> list[str]:
        """None."""
        return []

    def check(self, pull: Pull) -> list[str]:
        """Files that are missing or not logs, a country file that cannot be used; one sentence each."""
        problems = []
        try:
            for path in self._paths():
                first_instant(path)
        except SourceError as error:
            problems.append(str(error))
        try:
            with self._places():
                pass
        except SourceError as error:
            problems.append(str(error))
        return problems

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land the logs that are new or have grown, oldest first. A log that was only rotated is the one it was.

        Raises:
            SourceError: no file, or one that is not a log; what was yielded before stays landed.
        """
        pseudonyms = Pseudonyms(Salts(self.root / "data" / "salts.json", pull.now), self.site or self.name)
        dropped = landing.dropped(self.name, _ENDPOINT.name)
        with self._places() as places:
            translator = Translator(self.site, pseudonyms, places)
            before: Path | None = None
            for log in self._logs():
                source_input = Input(log.name, content_sha256(log.path), self._mapping())
                if gone := dropped.get(source_input.sha256):
                    yield kept_out(self, _ENDPOINT, log.part, gone)
                    continue
                landed = landing.unchanged(self.name, _ENDPOINT.name, log.part, source_input)
                if landed and not pull.again:
                    if self.covers == PULL:
                        landing.confirm(self.name, _ENDPOINT.name, log.part, pull.now)
                    before = log.path
                    yield self._pulled(log, landed.rows, landed.rejected, skipped=True)
                    continue
                if before is not None:
                    # Whoever was on the site when the log before ended keeps the pseudonym of that session.
                    _follow(before, translator)
                    before = None
                with landing.draft(
                    self.name,
                    _ENDPOINT.name,
                    ACCESS,
                    now=pull.now,
                    part=log.part,
                    source_input=source_input,
                    is_file=True,
                ) as draft:
                    messages = self._land(log, draft, translator, pull)
                yield self._pulled(log, draft.rows, draft.rejected, messages=messages)

    def _land(self, log: _Log, draft: Draft, translator: Translator, pull: Pull) -> tuple[str, ...]:
        addresses: set[str] = set()
        sent, agents = 0, False
        for lines in read_lines(log.path):
            known, ts, line = _taken(lines, draft)
            if not len(known):
                continue
            rows = translator.rows(known, ts, line)
            draft.add(rows)
            addresses.update(known.field("address").unique().to_pylist())
            sent += pc.sum(rows["response_bytes"]).as_py()
            agents = agents or pc.any(pc.not_equal(known.field("tail"), "")).as_py()
            pull.progress(log.path.name, lines.read, lines.size)
        if draft.rejected and not draft.rows:
            raise SourceError(
                f"None of the {draft.rejected} lines of {log.path.name} is in the common or combined log format.",
                f"Name an access log in [tool.tidings.sources.{self.name}] path.",
            )
        draft.facts = {"addresses": len(addresses), "bytes": sent}
        if draft.newest is None:
            return (f"{log.path.name} is empty: nothing landed. If it stays so, correct path in the settings.",)
        end = end_of_local_day(draft.newest.replace(tzinfo=UTC), self.zone)
        draft.covers = "" if self.covers == PULL else self.covers
        draft.complete_until = pull.now if self.covers == PULL else min(end, pull.now)
        if not agents:
            return (f"{log.path.name} is in the common format, without user agents: bots cannot be told apart.",)
        return ()

    def _pulled(
        self, log: _Log, rows: int, rejected: int, *, skipped: bool = False, messages: tuple[str, ...] = ()
    ) -> Pulled:
        return Pulled(self.name, _ENDPOINT.name, ACCESS.name, rows, rejected, skipped, log.part, messages)

    def _mapping(self) -> str:
        # A newer edition of the country file is no reason to land old logs anew, with other pseudonyms.
        options = json.dumps([self.site, self.zone.name, self.geoip is not None])
        return hashlib.sha256(options.encode()).hexdigest()

    def _places(self) -> AbstractContextManager[Places | None]:
        return Places(self.geoip) if self.geoip else nullcontext()

    def _paths(self) -> list[Path]:
        found = sorted(glob.glob(str(self.root / self.path), recursive=True))  # noqa: PTH207 - the path may be absolute
        paths = [path for path in map(Path, found) if path.is_file()]
        if not paths:
            raise SourceError(
                f"The source {self.name} finds no file at {self.path}.",
                f"Correct path in [tool.tidings.sources.{self.name}]; it counts from the folder of pyproject.toml.",
            )
        return paths

    def _logs(self) -> list[_Log]:
        logs = [
            _Log(path, _ROTATED.sub("", Path(os.path.relpath(path, self.root)).as_posix()), first_instant(path))
            for path in self._paths()
        ]
        return sorted(logs, key=lambda log: (log.first or datetime.max, log.name))  # noqa: DTZ901 - naive UTC


def _taken(lines: Lines, draft: Draft) -> tuple[pa.StructArray, pa.Array, pa.Array]:
    """The fields, instants and numbers of the lines that can be used; the others are rejected, blank ones passed."""
    number = pa.array(range(lines.first, lines.first + len(lines.text)), pa.int64())
    parsed = fields(lines.text)
    ts = instants(parsed.field("time"))
    formed, usable = parsed.is_valid(), pc.and_(parsed.is_valid(), ts.is_valid())
    refused = pc.and_not(pc.not_equal(pc.utf8_trim_whitespace(lines.text), ""), usable)
    records = [scrubbed(record) for record in lines.text.filter(refused).to_pylist()]
    if records:
        draft.reject(number.filter(refused), pc.if_else(formed.filter(refused), _NO_DATE, _REFUSED), records)
    return parsed.filter(usable), ts.filter(usable), number.filter(usable)


def _follow(path: Path, translator: Translator) -> None:
    """Read a log that is landed already for the sessions that are open at its end."""
    for lines in read_lines(path):
        parsed = fields(lines.text)
        ts = instants(parsed.field("time"))
        usable = pc.and_(parsed.is_valid(), ts.is_valid())
        translator.visitors(parsed.filter(usable), ts.filter(usable))


def _open(name: str, table: Mapping[str, Any], settings: Settings) -> AccessLog:
    where = f"[tool.tidings.sources.{name}]"
    if "path" not in table:
        raise SettingsError(f"{where} has no path.", 'Add path = "…", a log file or a pattern such as logs/access*.')
    zone = Zone(settings.timezone, settings.week_start)
    covers = read_covers(where, table, zone)
    for option, value in table.items():
        if option != "covers" and (not isinstance(value, str) or not value):
            raise SettingsError(f"{where} {option} must be text, not {value!r}.", "Put it in quotes.")
    return AccessLog(
        name=name,
        path=table["path"],
        site=table.get("site", settings.site).lower().removeprefix("www."),
        root=settings.root,
        zone=zone,
        geoip=settings.geoip,
        covers=covers,
    )


ACCESS_LOG: Final = SourceKind(
    name="access_log",
    summary="access logs of a web server, common or combined format, plain, .gz or .zst",
    options={
        "path": "a log or a pattern of logs, from the folder of pyproject.toml",
        "site": "host whose own links are internal; `site` of [tool.tidings] if not given",
        "covers": OPTIONS["covers"],
    },
    open=_open,
)
