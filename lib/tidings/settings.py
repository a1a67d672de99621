"""Settings of a workbook: `[tool.tidings]` of its pyproject.toml, and the only access to environment variables."""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from tidings import discovery
from tidings.enrich.hosts import site_host
from tidings.errors import SettingsError, remedy_of
from tidings.language import ENGLISH, Language, language_of
from tidings.options import Currency, OptionalText, Options, SomeTexts, Text, ZoneName, known, read_options
from tidings.secrets import Secret, is_secret_name

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_LARGEST_KEY = 1 << 16
WITHOUT_SECRETS = "TIDINGS_WITHOUT_SECRETS"
"""Set while sections run: they read landed data, and the file .env is not read for them."""
ROWS = "TIDINGS_ROWS"
"""Set while sections run for an audience: what every book of the process is bound to (`warehouse/rows.py`)."""
SHOW_ROWS = "TIDINGS_SHOW_ROWS"
"""Set while sections run whose pages hold the largest rows behind their figures (`book_rows.py`)."""
WeekStart = Literal["monday", "sunday"]
_File = Annotated[OptionalText, Meta(pattern=r"^[^\0]*\Z", title="the path of a file, without U+0000")]
_SOURCES = Meta(title="one table per source", examples=['{ shop = { kind = "…" } }'])
_LOCALE = Meta(examples=['"de"', '"de-AT"'])
_THRESHOLDS = Meta(examples=["{ error_rate = { good = 0.01, warn = 0.02 } }"])
_CHANNELS = Meta(title="one table per channel", examples=['{ mail = { kind = "mail", … } }'])
_ADDRESS = Meta(pattern=r"^(https?://[^\s?#]+)?\Z", title="an http address", examples=['"https://reports.example.com"'])
_OPERATOR = Meta(examples=['{ channels = ["mail"], to = ["ops@example.com"] }'])
_SEGMENTS = Meta(examples=['{ dach = "country=DE|AT|CH" }'])


class _Table(Options, frozen=True):
    """`[tool.tidings]` as it is written."""

    timezone: Annotated[ZoneName, "zone of the report's days"] = "UTC"
    currency: Annotated[Currency, "currency of the report's money"] = "EUR"
    locale: Annotated[Text, "language of pages and marks of their numbers", _LOCALE] = ENGLISH
    week_start: Annotated[WeekStart, "day on which weeks start"] = "monday"
    fiscal_year_start: Annotated[Text, "month with which the fiscal year begins", known(MONTHS)] = "january"
    business_days: Annotated[SomeTexts, "weekdays on which you work", known(WEEKDAYS)] = ()
    holidays: Annotated[OptionalText, "country whose public holidays count, as DE or DE-BY"] = ""
    site: Annotated[OptionalText, "host whose own links are internal"] = ""
    fx: Annotated[_File, "file of exchange rates"] = ""
    geoip: Annotated[_File, "file of countries by address"] = ""
    sources: Annotated[dict[str, dict[str, Any]], "where data come from", _SOURCES] = {}  # noqa: RUF012 - msgspec copies it
    segments: Annotated[dict[str, Text], "segments by name", _SEGMENTS] = {}  # noqa: RUF012 - msgspec copies it
    thresholds: Annotated[dict[str, dict[str, Any]], "own thresholds by metric", _THRESHOLDS] = {}  # noqa: RUF012 - as above
    channels: Annotated[dict[str, dict[str, Any]], "by which ways reports leave", _CHANNELS] = {}  # noqa: RUF012 - as above
    public_address: Annotated[OptionalText, "address under which reports/ is published", _ADDRESS] = ""
    operator: Annotated[dict[str, Any], "who is told of failures", _OPERATOR] = {}  # noqa: RUF012 - as above


class _Bounds(Options, frozen=True):
    """A table of `[tool.tidings.thresholds]` as it is written."""

    good: Annotated[float, "last value that is on target"]
    warn: Annotated[float, "last value that is only to be watched"]


@dataclass(frozen=True)
class Settings:
    """The settings of one workbook.

    `root` holds pyproject.toml; `timezone` (IANA) and `week_start` set the report's calendar, `currency` its
    money; `fiscal_year_start` is a month, `business_days` are weekdays (none where not said) and `holidays` says whose
    public ones (DE, DE-BY), all for `business_calendar.py`; `site` is the host whose own links are internal; `fx` and
    `geoip` are files, relative to `root`; `sources` maps a source's name to its table as written, `segments` a name to
    a segment, `thresholds` a metric to its last good and its last warning value. `channels` maps the name of a way by
    which reports leave to its table; `public_address` is where reports/ is published, without a slash at its end;
    `operator` says who is told of failures. `locale` is the language of pages.
    """

    root: Path
    timezone: str = "UTC"
    currency: str = "EUR"
    week_start: WeekStart = "monday"
    site: str = ""
    fx: Path | None = None
    geoip: Path | None = None
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    segments: Mapping[str, str] = field(default_factory=dict)
    fiscal_year_start: str = "january"
    business_days: tuple[str, ...] = ()
    holidays: str = ""
    thresholds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    public_address: str = ""
    operator: Mapping[str, Any] = field(default_factory=dict)
    locale: str = ENGLISH

    @property
    def raw(self) -> Path:
        """Where sources land."""
        return self.root / "data" / "raw"

    @property
    def warehouse(self) -> Path:
        """Where builds are kept."""
        return self.root / "data" / "warehouse"

    @property
    def ledger(self) -> Path:
        """The ledger: pulls, builds, runs."""
        return self.root / "data" / "ledger.sqlite"

    @property
    def closed_days(self) -> Path:
        """The workbook's own closed days, where there are any."""
        return self.root / "data" / "holidays.csv"

    @property
    def annotations(self) -> Path:
        """What happened on days that charts show, where somebody wrote it down."""
        return self.root / "data" / "annotations.csv"

    @property
    def targets(self) -> Path:
        """What metrics should reach, where somebody wrote it down."""
        return self.root / "data" / "targets.csv"

    @property
    def notebooks(self) -> Path:
        """The notebooks of the sections."""
        return self.root / "notebooks"

    @property
    def schedules(self) -> Path:
        """The reports, one file each."""
        return self.root / "schedules"

    @property
    def reports(self) -> Path:
        """The finished reports."""
        return self.root / "reports"

    def language(self, locale: str = "") -> Language:
        """The language of pages, or of another locale, with the workbook's own messages.

        Raises:
            SettingsError: there is no such locale, or a file of messages cannot be used.
        """
        return language_of(locale or self.locale, self.root / "languages")

    @property
    def rates_file(self) -> str:
        """The name of the exchange rates file for messages, empty if there is none."""
        if self.fx is None:
            return ""
        return self.fx.relative_to(self.root).as_posix() if self.fx.is_relative_to(self.root) else self.fx.name

    def secret(self, name: str) -> Secret:
        """A secret by the name of its environment variable.

        Raises:
            SettingsError: it is not set.
        """
        value = self.environment.get(name, "")
        if not value:
            raise SettingsError(
                f"The environment variable {name} is not set.",
                "Set it, or write it into .env beside pyproject.toml.",
            )
        return Secret(value)

    def key(self, name: str) -> Secret:
        """A secret of several lines by the name of its environment variable, which contains it, or the path of its
        file.

        Raises:
            SettingsError: it is not set, or there is no such file.
        """
        value = Secret(self.secret(name).strip())
        if "\n" in value or value.startswith(("{", "-----BEGIN")):
            # In one line of .env line breaks are written as \n; in JSON they belong to it.
            return Secret(value.replace("\\n", "\n") if value.startswith("-----BEGIN") else value)
        try:
            return Secret(_path(self.root, value).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RuntimeError):
            # The value may be the secret itself, so it is not shown.
            raise SettingsError(
                f"The environment variable {name} names no file that can be read.",
                "Give the path of the key file, from the folder of pyproject.toml.",
            ) from None

    def secret_value(self, name: str) -> Secret | None:
        """The secret of a credential's variable: its value, or the content of the key file that it names."""
        value = Secret(self.environment.get(name, "").strip())
        return Secret(self._small_file(value) or value) if value else None

    def possible_secret(self, name: str) -> Secret | None:
        """The secret of a variable that only has the name of one; a value that is a path counts only if it is a key
        file.
        """
        value = Secret(self.environment.get(name, "").strip())
        content = self._small_file(value)
        if content.lstrip().startswith(("{", "-----BEGIN")):
            return Secret(content)
        is_path = value.startswith(("/", "~", "./")) and os.path.exists(os.path.expanduser(value))  # noqa: PTH110, PTH111
        return None if not value or content or is_path else Secret(value)

    def variables_of(self, source: str) -> tuple[str, ...]:
        """All environment variables that are named after a source or a channel."""
        beginning = f"{source}_".upper().replace("-", "_")
        return tuple(name for name in self.environment if name.startswith(beginning))

    def withheld(self) -> frozenset[str]:
        """The variables that are withheld from sections: those named after sources and channels, and those that
        look like a secret.
        """
        named = {name for each in (*self.sources, *self.channels) for name in self.variables_of(each)}
        return frozenset(named | {name for name in self.environment if is_secret_name(name)})

    def _small_file(self, value: str) -> str:
        """The content of the file at that path; empty if there is none, or if it is too large for a key."""
        try:
            file = _path(self.root, value)
            # Not Path.is_file: given a long key, its error would quote it in full.
            if value and os.path.isfile(file) and file.stat().st_size <= _LARGEST_KEY:  # noqa: PTH113
                return Secret(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RuntimeError):
            return ""
        return ""

    def exposed(self, *names: str) -> list[str]:
        """Files with secrets that others on this machine may read: .env, and the key files that variables name."""
        files = {".env": self.root / ".env"}
        for name in names:
            value = Secret(self.environment.get(name, "").strip())
            try:
                file = _path(self.root, value)
            except (ValueError, RuntimeError):
                continue
            # Not Path.is_file: given a long key, its error would quote it in full.
            if value and os.path.isfile(file):  # noqa: PTH113
                files[str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)] = file
        return [
            f"{file.name} can be read by others on this machine. Run: chmod 600 {shlex.quote(shown)}"
            for shown, file in files.items()
            if os.path.isfile(file) and file.stat().st_mode & 0o077  # noqa: PTH113
        ]


def process_rows() -> str:
    """The rows to which this process is bound, as text; of the process alone, so that no setting can take them off."""
    return os.environ.get(ROWS, "")


def _path(root: Path, value: str) -> Path:
    """A path from a variable: relative to the workbook's folder, to home with ~, or absolute."""
    return root / Path(value).expanduser()


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` whose pyproject.toml has a `[tool.tidings]` table.

    Raises:
        SettingsError: there is none.
    """
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if os.path.isfile(file) and _workbook_table(file) is not None:  # noqa: PTH113 - says no where Path.is_file raises
            return folder
    raise SettingsError(
        f"No workbook at {start} or above it.",
        "Change into the folder whose pyproject.toml has a [tool.tidings] table, or set TIDINGS_ROOT to it.",
    )


def load_settings(root: Path | None = None) -> Settings:
    """Read the settings of the workbook at `root`, else `$TIDINGS_ROOT`, else around the current folder.

    From then on its own `lib/` takes part in discovery.

    Raises:
        SettingsError: no workbook, an unknown key, or a value of the wrong type, each named.
    """
    root = root or (Path(os.environ["TIDINGS_ROOT"]) if os.environ.get("TIDINGS_ROOT") else None)
    root = Path(os.path.realpath(root)) if root else find_root(_here())
    file = root / "pyproject.toml"
    if not os.path.lexists(file):
        there = "has no pyproject.toml" if os.path.isdir(root) else "is no folder"  # noqa: PTH112
        raise SettingsError(f"{root} {there}.", "Name the folder of a workbook.")
    table = read_options("[tool.tidings]", _workbook_table(file) or {}, _Table)
    for what, name in (*(("source", name) for name in table.sources), *(("channel", name) for name in table.channels)):
        if not name.replace("_", "").replace("-", "").isalnum() or not name[0].isalpha():
            raise SettingsError(
                f"The {what} name '{name}' cannot name a folder or a variable.",
                "Use letters, digits, - and _, a letter first.",
            )
    discovery.use(root)
    settings = Settings(
        root=root,
        timezone=table.timezone,
        currency=table.currency,
        week_start=table.week_start,
        fiscal_year_start=table.fiscal_year_start,
        business_days=table.business_days,
        holidays=table.holidays.strip(),
        site=site_host(table.site, "[tool.tidings]"),
        fx=root / table.fx if table.fx else None,
        geoip=root / table.geoip if table.geoip else None,
        sources=table.sources,
        segments=table.segments,
        thresholds={name: _bounds(name, given) for name, given in table.thresholds.items()},
        channels=table.channels,
        public_address=table.public_address.rstrip("/"),
        operator=table.operator,
        environment={**({} if os.environ.get(WITHOUT_SECRETS) else _dotenv(root / ".env")), **os.environ},
        locale=table.locale.strip(),
    )
    # A locale that nobody knows is refused before anything is done for it.
    settings.language()
    return settings


def _bounds(metric: str, given: Mapping[str, Any]) -> tuple[float, float]:
    held = read_options(f"[tool.tidings.thresholds] {metric}", given, _Bounds)
    return held.good, held.warn


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML file, whatever editor wrote it.

    Raises:
        SettingsError: it cannot be read, or is not TOML; the message names the file and, if possible, line and column.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise SettingsError(f"{file} cannot be read: {reason}.", remedy) from error
    try:
        # Some editors write a byte order mark, which TOML does not allow.
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(f"{file} is not UTF-8: line {line} holds other bytes.", "Save it as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        # Not only the parser's own errors: Python itself rejects a number of thousands of digits.
        raise SettingsError(f"{file} is not valid TOML: {error}.", "Correct that line.") from error


def _workbook_table(file: Path) -> Mapping[str, Any] | None:
    """The `[tool.tidings]` of a file; null if it has none.

    Raises:
        SettingsError: it cannot be read, or something that should be a table is not.
    """
    tool = read_toml(file).get("tool", {})
    # Another tool's file may contain anything there.
    table = tool.get("tidings") if isinstance(tool, dict) else None
    if table is None or isinstance(table, dict):
        return table
    raise SettingsError(
        f"[tool.tidings] in {file} must be a table, not {table!r}.", "Write its keys below [tool.tidings]."
    )


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise SettingsError("The folder that you are in is gone.", "Change into the folder of a workbook.") from error


def _dotenv(file: Path) -> dict[str, str]:
    # A folder with that name is somebody's virtual environment.
    if not os.path.isfile(file):  # noqa: PTH113
        return {}
    pairs: dict[str, str] = {}
    try:
        # Lines may contain secrets: none of them is shown, not even where variables are printed.
        lines = [Secret(line.strip()) for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError:
        raise SettingsError(f"{file.name} is not UTF-8.", "Save it as UTF-8.") from None
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise SettingsError(f"{file} cannot be read: {reason}.", remedy) from None
    for number, line in enumerate(lines, start=1):
        if not line or line.startswith("#"):
            continue
        if "=" not in line:
            raise SettingsError(
                f"Line {number} of .env has no '='.",
                "Write NAME=value; a key of several lines goes into a file of its own, whose path is the value.",
            )
        name, _, value = map(Secret, line.removeprefix("export ").partition("="))
        pairs[name.strip()] = Secret(_unquoted(value.strip()))
    return pairs


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
