"""When a report runs and for whom: the `[[schedule]]` and `[[audience]]` tables of its file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Annotated, Any, Literal

from cronsim import CronSim, CronSimError
from msgspec import Meta

from tidings.delivery.channel import open_channel
from tidings.errors import SettingsError, TidingsError, suggest
from tidings.options import OptionalText, Options, Text, Texts, Whole, ZoneName, read_options
from tidings.reporting.report import Parameter, Report, load_report, report_names
from tidings.scheduling.condition import Condition, parse_condition
from tidings.settings import Settings, read_toml
from tidings.window import Zone, as_utc, parse_instant

BusinessDay = Literal["first business day", "last business day"]
CatchUp = Literal["all", "latest", "skip"]
_SECONDS = {"s": 1, "sec": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?\Z", re.IGNORECASE)
_SPAN = r"([01]\d|2[0-3]):([0-5]\d)\s*[-–]\s*([01]\d|2[0-3]):([0-5]\d)"
_HOURS = re.compile(rf"{_SPAN}\Z")
_ADDRESS = re.compile(r"[^\s@<>,;\x00-\x1f\x7f]+@[^\s@<>,;\x00-\x1f\x7f]+\Z")


def _seconds(given: Any) -> Any:
    found = _LENGTH.match(given.strip()) if isinstance(given, str) else None
    unit = _SECONDS.get(found[2].lower()) if found else None
    return float(found[1]) * unit if found and unit else given


_Length = Annotated[
    float,
    Meta(ge=0, title='a time such as "15 min", "2 h" or "1 day"', examples=['"2 h"'], extra={"prepare": _seconds}),
]
_Time = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z", title="a time of day", examples=['"08:00"'])]
_Quiet = Annotated[str, Meta(pattern=rf"^({_SPAN})?\Z", title="hours of a day", examples=['"20:00-07:00"'])]
_Format = Literal["pdf", "xlsx", "csv"]


class _ScheduleTable(Options, frozen=True):
    """A `[[schedule]]` as it is written."""

    name: Annotated[OptionalText, "what the ledger calls it; needed where a report has several"] = "main"
    cron: Annotated[OptionalText, "minute, hour, day, month, weekday", Meta(examples=['"0 8 * * mon"'])] = ""
    on: Annotated[Literal["", "first business day", "last business day"], "a day of the month"] = ""
    at: Annotated[_Time, "time of that day"] = "08:00"
    timezone: Annotated[ZoneName, "zone of its times; the workbook's if not given"] = ""
    catch_up: Annotated[CatchUp, "which of the missed slots run"] = "latest"
    pull: Annotated[bool, "pull and build first"] = False
    wait_for: Annotated[Texts, 'sources that have to be complete; "sections" for those that its sections read'] = ()
    deadline: Annotated[_Length, "how long it waits for them"] = 7200.0
    at_deadline: Annotated[Literal["send", "hold"], "what happens then"] = "send"
    retries: Annotated[Whole, "how often a failed section is tried again"] = 1
    time_limit: Annotated[_Length, "how long a run may take"] = 3600.0
    jitter: Annotated[_Length, "within how long after its time it starts"] = 0.0
    on_time: Annotated[_Length, "up to when a delivery counts as on time"] = 900.0
    pause_after: Annotated[Whole, "after how many failures in a row it is paused; 0 for never"] = 0
    keep: Annotated[Whole, "how many old runs stay; 0 for all"] = 0


class _RecipientsTable(Options, frozen=True):
    """`recipients` as it is written: a row of a table for each recipient."""

    table: Annotated[Text, "table of the warehouse with a row per recipient"]
    address: Annotated[Text, "its column with the address"]
    rows: Annotated[Texts, "its columns that every row shown to a recipient has to share"] = ()
    parameters: Annotated[dict[str, Text], "parameters, with {column} for its values"] = {}  # noqa: RUF012 - msgspec copies it


class _AudienceTable(Options, frozen=True):
    """An `[[audience]]` as it is written."""

    name: Annotated[Text, "what the ledger calls it"]
    channels: Annotated[Texts, "the channels of [tool.tidings.channels] that it is sent by", Meta(min_length=1)]
    schedules: Annotated[Texts, "the schedules it belongs to; all if not given"] = ()
    to: Annotated[Texts, "addresses of its recipients"] = ()
    recipients: Annotated[dict[str, Any], "recipients from a table of the warehouse"] = {}  # noqa: RUF012 - msgspec copies it
    parameters: Annotated[dict[str, bool | int | float | str], "parameters of its own"] = {}  # noqa: RUF012 - msgspec copies it
    sections: Annotated[Texts, "the sections it gets; all if not given"] = ()
    rows: Annotated[dict[str, int | str | list[int | str]], "column and values that every row shown has to have"] = {}  # noqa: RUF012 - as above
    only_if: Annotated[OptionalText, "a condition on figures of the run"] = ""
    quiet: Annotated[_Quiet, "hours in which nothing is sent"] = ""
    domains: Annotated[Texts, "domains that its addresses have to be of"] = ()
    public: Annotated[bool, "whether only the figures listed may leave"] = False
    figures: Annotated[Texts, "the metrics that may leave where it is public"] = ()
    attach: Annotated[tuple[_Format, ...], "files to go with it", Meta(title='a list of "pdf", "xlsx", "csv"')] = ()
    subject: Annotated[OptionalText, "beginning of the subject; the title of the report if not given"] = ""


@dataclass(frozen=True)
class Schedule:
    """When a report runs: by `cron`, or `on` a day of the month `at` a local time; lengths are seconds."""

    report: str
    name: str
    zone: Zone
    cron: str = ""
    on: str = ""
    at: time = time(8)
    catch_up: CatchUp = "latest"
    pull: bool = False
    wait_for: tuple[str, ...] = ()
    deadline: float = 7200.0
    at_deadline: Literal["send", "hold"] = "send"
    retries: int = 1
    time_limit: float = 3600.0
    jitter: float = 0.0
    on_time: float = 900.0
    pause_after: int = 0
    keep: int = 0

    @property
    def id(self) -> str:
        """Its name for people: `weekly/main`."""
        return f"{self.report}/{self.name}"


@dataclass(frozen=True)
class Recipients:
    """Recipients from a table: the column of the address, the columns that bind rows, the parameters of each."""

    table: str
    address: str
    rows: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Audience:
    """For whom a report is: recipients, channels, and what of it they get."""

    name: str
    channels: tuple[str, ...]
    schedules: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    recipients: Recipients | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    sections: tuple[str, ...] = ()
    rows: Mapping[str, Any] = field(default_factory=dict)
    only_if: Condition | None = None
    quiet: tuple[time, time] | None = None
    domains: tuple[str, ...] = ()
    public: bool = False
    figures: tuple[str, ...] = ()
    attach: tuple[_Format, ...] = ()
    subject: str = ""

    def allows(self, address: str) -> bool:
        """Whether an address is of a domain that it allows."""
        return not self.domains or address.rpartition("@")[2].casefold() in {d.casefold() for d in self.domains}


@dataclass(frozen=True)
class Planned:
    """A report with its schedules and audiences."""

    report: Report
    schedules: tuple[Schedule, ...] = ()
    audiences: tuple[Audience, ...] = ()

    def audiences_of(self, schedule: str) -> tuple[Audience, ...]:
        """The audiences of one of its schedules."""
        return tuple(each for each in self.audiences if not each.schedules or schedule in each.schedules)

    def schedule(self, name: str) -> Schedule | None:
        return next((each for each in self.schedules if each.name == name), None)

    def audience(self, name: str) -> Audience | None:
        return next((each for each in self.audiences if each.name == name), None)


def load_plans(settings: Settings) -> tuple[Planned, ...]:
    """Every report with its schedules and audiences, by name.

    Raises:
        SettingsError: one cannot be used as written; the sentence names file, line, table and key.
        UsageError: as `load_report`.
    """
    return tuple(load_plan(settings, name) for name in report_names(settings))


def load_plan(settings: Settings, name: str) -> Planned:
    """One report with its schedules and audiences.

    Raises:
        SettingsError: as `load_plans`.
        UsageError: as `load_report`.
    """
    report = load_report(settings, name)
    file = settings.schedules / f"{name}.toml"
    if name not in report_names(settings):
        return Planned(report)
    table = read_toml(file)
    text = file.read_text(encoding="utf-8-sig")
    schedules: list[Schedule] = []
    for number, where in _tables(text, name, "schedule", len(table.get("schedule", ()))):
        made = _schedule(settings, report, where, table["schedule"][number])
        if any(made.name == other.name for other in schedules):
            raise SettingsError(f"{where} has the name '{made.name}' of another.", "Give each a name of its own.")
        schedules.append(made)
    audiences: list[Audience] = []
    for number, where in _tables(text, name, "audience", len(table.get("audience", ()))):
        given = _audience(settings, report, where, table["audience"][number], [each.name for each in schedules])
        if any(given.name.casefold() == other.name.casefold() for other in audiences):
            raise SettingsError(f"{where} has the name '{given.name}' of another.", "Give each a name of its own.")
        audiences.append(given)
    return Planned(report, tuple(schedules), tuple(audiences))


def _tables(text: str, name: str, what: str, count: int) -> Iterator[tuple[int, str]]:
    """Each table of a list with the words for it: file, line, which."""
    heads = [n for n, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[\[\s*{what}\s*\]\]", line)]
    for number in range(count):
        line = f" line {heads[number]}" if number < len(heads) else ""
        yield number, f"schedules/{name}.toml{line}, [[{what}]] {number + 1}:"


def _schedule(settings: Settings, report: Report, where: str, given: Mapping[str, Any]) -> Schedule:
    read = read_options(where, given, _ScheduleTable)
    zone = Zone(read.timezone or settings.timezone, settings.week_start)
    if bool(read.cron.strip()) == bool(read.on):
        both = "has both cron and on" if read.on else "says neither cron nor on"
        raise SettingsError(
            f"{where} {both}.", 'Write one of them, as cron = "0 8 * * mon" or on = "first business day".'
        )
    if read.cron:
        _check_cron(where, read.cron, zone)
    for source in read.wait_for:
        if source != "sections" and source not in settings.sources:
            raise SettingsError(
                f"{where} wait_for names an unknown source '{source}'.",
                suggest(source, [*settings.sources, "sections"]),
            )
    return Schedule(
        report=report.name,
        name=read.name.strip() or "main",
        zone=zone,
        at=time.fromisoformat(read.at),
        **{name: getattr(read, name) for name in read.__struct_fields__ if name not in ("name", "timezone", "at")},
    )


def _check_cron(where: str, cron: str, zone: Zone) -> None:
    # With a sixth field the library takes the first for seconds, and every hour would be a minute.
    if len(cron.split()) != 5:
        raise SettingsError(
            f"{where} cron '{cron}' does not have five fields.",
            'Write minute, hour, day, month and weekday, as in cron = "0 8 * * mon".',
        )
    try:
        next(CronSim(cron, as_utc(parse_instant("2026-01-01")).astimezone(zone.info)))
    except CronSimError as error:
        raise SettingsError(f"{where} cron '{cron}' cannot be used: {error}.", 'An example: "0 8 * * mon".') from error
    except StopIteration:
        raise SettingsError(f"{where} cron '{cron}' never comes.", 'An example: "0 8 * * mon".') from None


def _audience(
    settings: Settings, report: Report, where: str, given: Mapping[str, Any], schedules: list[str]
) -> Audience:
    read = read_options(where, given, _AudienceTable)
    for key, names, known in (
        ("channels", read.channels, settings.channels),
        ("schedules", read.schedules, schedules),
        ("sections", read.sections, report.sections),
    ):
        for name in names:
            if name not in known:
                raise SettingsError(f"{where} {key} names '{name}', which is not there.", suggest(name, known))
    if read.public != bool(read.figures):
        failed = "is public and lists no figures" if read.public else "lists figures and is not public"
        raise SettingsError(f"{where} {failed}.", 'Write both, as public = true and figures = ["visitors"].')
    for address in read.to:
        if not _ADDRESS.match(address):
            raise SettingsError(f"{where} to has '{address}', which is no address.", 'Write to = ["me@example.com"].')
    recipients = None
    if read.recipients:
        asked = read_options(f"{where} recipients", read.recipients, _RecipientsTable)
        recipients = Recipients(asked.table, asked.address, asked.rows, asked.parameters)
    if read.to and recipients:
        raise SettingsError(f"{where} has both to and recipients.", "Make two audiences of it.")
    personal = [name for name in read.channels if _is_personal(settings, name, where)]
    if personal and not (read.to or recipients):
        raise SettingsError(f"{where} has no recipients for {personal[0]}.", 'Write to = ["me@example.com"].')
    if recipients and recipients.rows and len(personal) < len(read.channels):
        other = next(name for name in read.channels if name not in personal)
        raise SettingsError(f"{where} binds rows by recipient, and {other} has one message for all.", "Take it out.")
    hours = _HOURS.match(read.quiet)
    audience = Audience(
        name=" ".join(read.name.split()),
        channels=read.channels,
        schedules=read.schedules,
        to=tuple(dict.fromkeys(read.to)),
        recipients=recipients,
        parameters=read.parameters,
        sections=read.sections,
        rows=read.rows,
        only_if=parse_condition(read.only_if, where) if read.only_if.strip() else None,
        quiet=(time(int(hours[1]), int(hours[2])), time(int(hours[3]), int(hours[4]))) if hours else None,
        domains=read.domains,
        public=read.public,
        figures=read.figures,
        attach=read.attach,
        subject=read.subject,
    )
    for address in read.to:
        if not audience.allows(address):
            raise SettingsError(f"{where} to has '{address}', which is of none of its domains.", "Correct one of them.")
    return audience


def _is_personal(settings: Settings, channel: str, where: str) -> bool:
    try:
        return open_channel(settings, channel).is_personal
    except TidingsError as error:
        raise SettingsError(f"{where} {error.failed}", error.remedy) from error
