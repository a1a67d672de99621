"""The parameters of a report bound to what its sections declare, and periods to date made days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from tidings.book import Book, comparison
from tidings.errors import UsageError, suggest
from tidings.reporting.parameters import bind, declared_parameters
from tidings.reporting.report import Parameter, Report, Variant
from tidings.settings import Settings
from tidings.window import FiscalUnit, Unit

_TO_DATE: Mapping[str, Unit] = {f"{unit} to date": unit for unit in get_args(Unit) if unit != "day"}
_FISCAL_TO_DATE: Mapping[str, FiscalUnit] = {f"fiscal {unit} to date": unit for unit in get_args(FiscalUnit)}
_PERIODS = (*_TO_DATE, *_FISCAL_TO_DATE)


@dataclass(frozen=True)
class Values:
    """The parameters of one variant, in their declared types.

    `given` are those that the report, the variant or the command sets, `effective` with all defaults, and `other` those
    of the command that differ. `period` is what was written instead of a number of days, as "year to date".
    """

    given: Mapping[str, Parameter]
    effective: Mapping[str, Parameter]
    other: Mapping[str, Parameter]
    period: str


def bound(settings: Settings, report: Report, variant: Variant, given: Mapping[str, Any]) -> Values:
    """The parameters of a variant, the command's over the variant's over the report's.

    Raises:
        UsageError: a section cannot be run, or does not take a parameter or its value.
    """
    of_file, period_of_file = _without_period({**report.parameters, **variant.parameters})
    of_command, asked_period = _without_period(given)
    period = asked_period if "days" in given else period_of_file
    parameters: dict[str, Parameter] = {}
    defaults: dict[str, Parameter] = {}
    other: dict[str, Parameter] = {}
    if "days" in given and period_of_file != asked_period:
        # A period is a value of its own: the days that it has today may be those of another report tomorrow.
        other["days"] = asked_period.replace(" ", "-") or str(given["days"]).strip()
    for section in report.sections:
        if section.casefold() == "index":
            raise UsageError("A section cannot be called index: that is the page of the report.", "Rename it.")
        declared = declared_parameters(settings.notebooks / f"{section}.ipynb")
        if "as_of" not in declared:
            raise UsageError(f"The section {section} has no parameter 'as_of'.", "Every section needs it: add it.")
        if period and "days" not in declared:
            raise UsageError(f"The section {section} has no parameter 'days'.", f"It cannot have the {period}.")
        own = {name: item.default for name, item in declared.items()}
        of_report = bind(section, declared, of_file)
        asked = bind(section, declared, of_command)
        other |= {name: value for name, value in asked.items() if value != {**own, **of_report}[name]}
        defaults |= own
        parameters |= {**of_report, **asked}
    return Values(parameters, {**defaults, **parameters}, other, period)


def check_report(settings: Settings, report: Report) -> None:
    """Check the parameters of a report and of each of its variants against what its sections declare.

    Raises:
        UsageError: a section does not take one or its value; the sentence names file and variant.
    """
    for variant in report.variants or (Variant(""),):
        try:
            comparison(str(bound(settings, report, variant, {}).effective.get("compare", "none")))
        except UsageError as error:
            where = f"schedules/{report.name}.toml" + f" variant '{variant.name}'" * bool(variant.name)
            raise UsageError(f"{where}: {error.failed}", error.remedy) from error


def to_date(book: Book, period: str) -> Mapping[str, Parameter]:
    """The `days` of a period to date: from its first day up to the last day of the book's window."""
    if period in _FISCAL_TO_DATE:
        return {"days": book.calendar.fiscal_to_date(book.window, _FISCAL_TO_DATE[period])[0].days}
    return {"days": book.window.to_date(_TO_DATE[period])[0].days} if period else {}


def _without_period(given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Parameters without a `days` that names a period, and that period."""
    days = given.get("days")
    if not isinstance(days, str) or " to " not in days:
        return dict(given), ""
    period = " ".join(days.casefold().split())
    if period not in _PERIODS:
        raise UsageError(f"The parameter 'days' cannot be '{days}'.", suggest(period, _PERIODS))
    return {name: value for name, value in given.items() if name != "days"}, period
