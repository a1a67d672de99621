"""How the columns of a user's file become those of a feed: the options of a file source, read and checked."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from msgspec import Meta

from tidings.errors import SettingsError, SourceError, WindowError, suggest
from tidings.feeds import Feed
from tidings.landing.manifest import DECLARED_DAYS, ROWS_OF
from tidings.options import Currency, OptionalText, Options, SomeTexts, Text, Texts, ZoneName
from tidings.settings import Settings
from tidings.window import Zone, add_days, parse_date

PULL: Final = "pull"
"""What `covers` says of files that are written anew whenever something happens: complete up to each pull."""


def _as_texts(given: Any) -> Any:
    """Constants as a file would have them; lists and tables stay, to be refused."""

    def text(value: Any) -> Any:
        if isinstance(value, dict | list):
            return value
        return str(value).lower() if isinstance(value, bool) else str(value)

    return {name: text(value) for name, value in given.items()} if isinstance(given, dict) else given


Covers = Annotated[
    Any,
    "the days that the files are all there is of",
    Meta(title="two days", examples=["['2026-01-01', '2026-12-31'], both days included, or 'pull' for up to the pull"]),
]
PageViews = Annotated[
    Texts,
    "names of events that count as page views beside `pageview`",
    Meta(title="a name or a list of names", examples=['["page_view", "screen_view"]']),
]


class MappedOptions(Options, frozen=True, kw_only=True):
    """How the columns of somebody else's rows become those of a feed."""

    columns: Annotated[
        dict[str, OptionalText],
        "which input column each column of the feed is read from",
        Meta(examples=["{ order_id = 'Invoice', ts = 'Date' }"]),
    ] = {}  # noqa: RUF012 - msgspec copies it
    defaults: Annotated[
        dict[str, OptionalText],
        "constant values for feed columns that the file lacks or leaves empty",
        Meta(examples=["{ type = 'charge' }"], extra={"prepare": _as_texts}),
    ] = {}  # noqa: RUF012 - msgspec copies it
    timezone: Annotated[ZoneName, "zone of times without an offset; UTC if not given"] = "UTC"
    time_format: Annotated[
        OptionalText,
        "how times are written if not as ISO 8601 or Unix time; or the unit of that: unix, unix_ms, unix_us, unix_ns",
        Meta(examples=["'%d.%m.%Y %H:%M'"]),
    ] = ""
    decimal: Annotated[Literal[".", ","], "the decimal mark; the other one may stand between thousands"] = "."
    currency: Annotated[Currency, "of amounts without one; the workbook's if not given"] = ""


class FileTable(MappedOptions, frozen=True):
    """The table of a source of files."""

    path: Annotated[SomeTexts, "file or files, relative to the workbook: a pattern such as 'exports/*.csv', or a list"]
    encoding: Annotated[Text, "encoding of text files; a byte order mark says more"] = "utf-8"
    covers: Covers = None


class EventFileTable(FileTable, frozen=True):
    """The table of files of events, which alone have page views."""

    pageview: PageViews = ()


@dataclass(frozen=True)
class FileOptions:
    """The options of one file source; `columns` maps feed or helper columns to input columns."""

    paths: tuple[str, ...]
    columns: Mapping[str, str]
    defaults: Mapping[str, str]
    zone: Zone
    time_format: str
    decimal: str
    currency: str
    encoding: str
    covers: str
    fingerprint: str
    pageview: tuple[str, ...] = ()

    def require_inputs(self, file: str, inputs: Iterable[str]) -> None:
        """Check the mapping against the columns that a file has.

        Raises:
            SourceError: a mapped input column is not there.
        """
        known = list(inputs)
        for column, given in self.columns.items():
            if given not in known:
                raise SourceError(
                    f"{file} has no column '{given}', which the mapping reads for {column}.", suggest(given, known)
                )


def mapped_options(
    name: str,
    given: MappedOptions,
    settings: Settings,
    feed: Feed,
    *,
    helpers: tuple[str, ...],
    derived: Mapping[str, tuple[str, ...]],
) -> FileOptions:
    """The options of the source `name`. `helpers` may be mapped beside the feed's columns; `derived` names required
    columns that need no mapping, each with the columns of which one has to be mapped instead (none: always there).

    Raises:
        SettingsError: a feed column is not known or a required one is left out, an encoding or days cannot be used.
    """
    where = f"[tool.tidings.sources.{name}]"
    _check_names(where, feed, given.columns, (*feed.columns, *helpers), "columns")
    _check_names(where, feed, given.defaults, tuple(feed.columns), "defaults")
    _check_required(where, feed, {*given.columns, *given.defaults}, derived)
    pageview: tuple[str, ...] = getattr(given, "pageview", ())
    if pageview and "event" not in feed.columns:
        raise SettingsError(
            f"{where} names page views, of which the feed {feed.name} knows none.", "Leave out pageview."
        )
    zone, currency = Zone(given.timezone), given.currency or settings.currency
    files = given if isinstance(given, FileTable) else FileTable(path=())
    try:
        encoding = codecs.lookup(files.encoding).name
    except LookupError as error:
        raise SettingsError(
            f"{where} encoding '{files.encoding}' is not known.", "Name one as utf-8, latin-1, cp1252 or utf-16."
        ) from error
    # All that decides how a row is read, as it is written: if any of it changes, an unchanged file is landed anew.
    # Another look-back would read everything of a database anew.
    written = settings.sources.get(name, {}).items()
    words = {column: (each.values, each.synonyms) for column, each in feed.columns.items() if each.values}
    read_as = {
        **{key: value for key, value in written if key not in ("kind", "lookback")},
        "currency": currency,
        "site": settings.site,
        "geoip": settings.geoip.name if settings.geoip else "",
        "path": "",
        **({"words": words} if words else {}),
    }
    return FileOptions(
        paths=files.path,
        columns=given.columns,
        defaults=given.defaults,
        zone=zone,
        time_format=given.time_format,
        decimal=given.decimal,
        currency=currency,
        encoding=encoding,
        covers=read_covers(where, files.covers, zone),
        pageview=tuple(name.strip() for name in pageview),
        fingerprint=hashlib.sha256(json.dumps(read_as, sort_keys=True, default=str).encode()).hexdigest()[:16],
    )


def read_covers(where: str, given: Any, zone: Zone) -> str:
    """What `covers` says: `PULL`, or a text for `LoadWriter.covers`; by default the days of the rows (C14).

    Raises:
        SettingsError: it is neither two dates in order nor "pull".
    """
    if given is None:
        return f"{ROWS_OF}{zone.name}"
    if given == PULL:
        return PULL
    remedy = "Write covers = ['2026-01-01', '2026-12-31'], both days included, or 'pull'."
    if not isinstance(given, list) or len(given) != 2:
        raise SettingsError(f"{where} covers is {given!r}.", remedy)
    try:
        first, last = (parse_date(str(day)) for day in given)
    except WindowError as error:
        raise SettingsError(f"{where} covers: {error.failed}", remedy) from error
    if first > last:
        raise SettingsError(f"{where} covers ends on {last}, before it begins on {first}.", remedy)
    ends = (zone.first_instant(first), zone.first_instant(add_days(last, 1)))
    return DECLARED_DAYS + "/".join(end.isoformat() for end in ends)


def _check_names(where: str, feed: Feed, given: Iterable[str], known: tuple[str, ...], option: str) -> None:
    for column in given:
        if column not in known:
            raise SettingsError(
                f"{where} {option} names '{column}', which is no column of the feed {feed.name}.",
                suggest(column, known),
            )


def _check_required(where: str, feed: Feed, given: set[str], derived: Mapping[str, tuple[str, ...]]) -> None:
    for column in feed.required:
        instead = derived.get(column)
        if column in given or (instead is not None and (not instead or given & set(instead))):
            continue
        also = f" (or {', '.join(instead)})" if instead else ""
        raise SettingsError(
            f"{where} leaves out {column}{also}, which the feed {feed.name} requires: "
            f"{feed.columns[column].doc.rstrip('.')}.",
            f"Add it to `columns`: {column} = 'the input column'.",
        )
