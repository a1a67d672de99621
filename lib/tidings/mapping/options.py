"""How the columns of a user's file become those of a feed: the options of a file source, read and checked."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidings.errors import SettingsError, SourceError, WindowError, suggest
from tidings.feeds import Feed
from tidings.landing.manifest import DECLARED_DAYS, ROWS_OF
from tidings.settings import Settings
from tidings.window import Zone, add_days, parse_date

OPTIONS: Mapping[str, str] = {
    "path": "file or files, relative to the workbook: a pattern such as 'exports/*.csv', or a list of patterns",
    "columns": "which input column each column of the feed is read from: { order_id = 'Invoice', ts = 'Date' }",
    "defaults": "constant values for feed columns that the file lacks or leaves empty: { type = 'charge' }",
    "timezone": "IANA zone of times without an offset; UTC if not given",
    "time_format": "how times are written if not as ISO 8601 or Unix time: '%d.%m.%Y %H:%M'; or the unit of Unix time: "
    "unix, unix_ms, unix_us, unix_ns",
    "decimal": "the decimal mark, '.' if not given; the other one may stand between thousands",
    "currency": "ISO code of amounts without one; the workbook's if not given",
    "encoding": "encoding of text files, utf-8 if not given; a byte order mark says more",
    "covers": "the days that the files are all there is of: ['2026-01-01', '2026-12-31'], or 'pull' for up to the pull",
}
PULL: Final = "pull"
"""What `covers` says of files that are written anew whenever something happens: complete up to each pull."""


PAGEVIEW: Mapping[str, str] = {
    "pageview": 'names of events that count as page views beside `pageview`: ["page_view", "screen_view"]',
}
"""What events alone can be told."""


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


def read_options(
    name: str,
    table: Mapping[str, Any],
    settings: Settings,
    feed: Feed,
    *,
    helpers: tuple[str, ...],
    derived: Mapping[str, tuple[str, ...]],
    is_file: bool = True,
) -> FileOptions:
    """The options of the source `name`; without `path` where it `is_file` no more. `helpers` may be mapped beside the
    feed's columns; `derived` names required columns that need no mapping, each with the columns of which one has to be
    mapped instead (none: always there).

    Raises:
        SettingsError: an option has the wrong type, a feed column is not known or a required one is left out.
    """
    where = f"[tool.tidings.sources.{name}]"
    path = table.get("path")
    paths = (path,) if isinstance(path, str) else tuple(path) if isinstance(path, list) else ()
    if is_file and (not paths or not all(isinstance(pattern, str) and pattern for pattern in paths)):
        raise SettingsError(f"{where} has no usable `path`.", "Write path = 'exports/*.csv', or a list of such texts.")
    columns = _texts(where, table, "columns")
    defaults = _texts(where, table, "defaults")
    _check_names(where, feed, columns, (*feed.columns, *helpers), "columns")
    _check_names(where, feed, defaults, tuple(feed.columns), "defaults")
    _check_required(where, feed, {*columns, *defaults}, derived)
    pageview = _names(where, table, "pageview")
    if pageview and "event" not in feed.columns:
        raise SettingsError(
            f"{where} names page views, of which the feed {feed.name} knows none.", "Leave out pageview."
        )
    decimal = _text(where, table, "decimal", ".")
    if decimal not in (".", ","):
        raise SettingsError(f"{where} decimal is '{decimal}'.", "Write '.' or ','.")
    currency = _text(where, table, "currency", settings.currency).upper()
    if len(currency) != 3 or not currency.isalpha():
        raise SettingsError(f"{where} currency '{currency}' is not an ISO code.", "Write three letters, as EUR.")
    encoding = _text(where, table, "encoding", "utf-8")
    try:
        encoding = codecs.lookup(encoding).name
    except LookupError as error:
        raise SettingsError(
            f"{where} encoding '{encoding}' is not known.", "Name one as utf-8, latin-1, cp1252 or utf-16."
        ) from error
    # All that decides how a row is read: if any of it changes, an unchanged file is landed anew.
    read_as = {
        **table,
        "currency": currency,
        "site": settings.site,
        "geoip": settings.geoip.name if settings.geoip else "",
        "path": "",
    }
    return FileOptions(
        paths=paths,
        columns=columns,
        defaults=defaults,
        zone=_zone(where, table),
        time_format=_text(where, table, "time_format", ""),
        decimal=decimal,
        currency=currency,
        encoding=encoding,
        covers=read_covers(where, table, _zone(where, table)),
        pageview=pageview,
        fingerprint=hashlib.sha256(json.dumps(read_as, sort_keys=True, default=str).encode()).hexdigest()[:16],
    )


def read_covers(where: str, table: Mapping[str, Any], zone: Zone) -> str:
    """What `covers` says: `PULL`, or a text for `Draft.covers`; by default the days of the rows (C14).

    Raises:
        SettingsError: it is neither two dates in order nor "pull".
    """
    given = table.get("covers")
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


def _zone(where: str, table: Mapping[str, Any]) -> Zone:
    try:
        return Zone(_text(where, table, "timezone", "UTC"))
    except WindowError as error:
        raise SettingsError(f"{where}: {error.failed}", error.remedy) from error


def _text(where: str, table: Mapping[str, Any], option: str, default: str) -> str:
    value = table.get(option, default)
    if not isinstance(value, str):
        raise SettingsError(f"{where} {option} must be text, not {value!r}.", "Put it in quotes.")
    return value


def _names(where: str, table: Mapping[str, Any], option: str) -> tuple[str, ...]:
    value = table.get(option, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise SettingsError(
            f"{where} {option} must be a name or a list of names, not {value!r}.",
            f'Write {option} = ["page_view", "screen_view"].',
        )
    return tuple(name.strip() for name in names)


def _texts(where: str, table: Mapping[str, Any], option: str) -> Mapping[str, str]:
    value = table.get(option, {})
    if not isinstance(value, dict):
        raise SettingsError(f"{where} {option} must be a table, not {value!r}.", f"Write {option} = {{ ts = '…' }}.")
    for column, given in value.items():
        if isinstance(given, dict | list) or (option == "columns" and not isinstance(given, str)):
            raise SettingsError(f"{where} {option}.{column} must be text, not {given!r}.", "Name one input column.")
    return {column: str(given).lower() if isinstance(given, bool) else str(given) for column, given in value.items()}
