"""Database URLs: the dialect of each, and the file that one names."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from tidings.connectors.database.dialects.relation import Named
from tidings.errors import SettingsError, SourceError

_WRITE: Final = "In user and password write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A, [ as %5B, ] as %5D."
_FORMS: Final = "Write it as postgresql://user:password@host/database, mysql://…, sqlite:///file or duckdb:///file."


def scheme_of(url: str, variable: str) -> str:
    """The scheme without the driver that other programs write there (`mysql+pymysql`).

    Raises:
        SettingsError: it is not a URL; none of it is shown, as all of it may be secret.
    """
    scheme, found, _ = url.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise SettingsError(f"{variable} is not an address of a database.", _FORMS)
    try:
        # Parse it as a driver would, whose error would quote it.
        _ = urlsplit(url).port
    except ValueError:
        raise SettingsError(f"{variable} is not an address.", _WRITE) from None
    return scheme.partition("+")[0].lower()


def not_an_address(variable: str, database: str) -> SettingsError:
    """A driver cannot parse the URL; its own message is left out, as it may quote the password."""
    return SettingsError(f"{variable} is not an address that {database} understands.", _WRITE)


def no_driver(database: str, package: str) -> SourceError:
    """A driver is missing; the remedy installs it into the environment that this program runs in."""
    return SourceError(
        f"The driver for {database} is not installed.",
        f"Run: {shlex.quote(sys.executable)} -m pip install '{package}'",
    )


def file_of(url: str, root: Path, named: Named) -> Path:
    """The file that `sqlite:///…` or `duckdb:///…` names, relative to the workbook's folder.

    Four slashes start an absolute path, three a relative one, as in most programs; as some treat three as absolute,
    that is tried as well if the workbook has no such file.

    Raises:
        SourceError: there is no such file, or it is a folder, or there are two candidates.
    """
    scheme, _, rest = url.partition("://")
    given = dict.fromkeys([rest, rest.partition("?")[0], unquote(rest.partition("?")[0])])
    paths = [path for text in given for path in _readings(text, root)]
    if not rest.strip("/") or rest.strip("/") == ":memory:":
        raise SourceError(f"{named.variable} names no file.", f"Write it as {scheme}:///folder/file.db.")
    found = list(dict.fromkeys(path for path in paths if os.path.exists(path)))  # noqa: PTH110 - never raises
    if not found:
        looked = list(dict.fromkeys(str(path) for path in paths))
        nor = f" (nor {', '.join(looked[1:])})" if len(looked) > 1 else ""
        raise SourceError(
            f"There is no file {looked[0]}{nor}, which {named.variable} names for {named.source}.",
            f"{scheme}:///folder/file is relative to the folder of pyproject.toml, {scheme}:////folder/file absolute.",
        )
    if len(found) > 1:
        raise SourceError(
            f"{named.variable} may mean {found[0]} or {found[1]}.",
            f"Write four slashes for the second: {scheme}:///{found[1]}",
        )
    if not found[0].is_file():
        what = "a folder" if found[0].is_dir() else "no file"
        raise SourceError(f"{found[0]}, which {named.variable} names for {named.source}, is {what}.", "Name the file.")
    return found[0]


def _readings(text: str, root: Path) -> list[Path]:
    if text.startswith("//"):
        return [Path("/" + text.lstrip("/"))]
    inside = text.removeprefix("/")
    if inside.startswith("~"):
        return [Path(inside).expanduser()]
    return [root / inside, *([Path(text)] if text.startswith("/") else [])]
