"""One figure of a finished run by the name of its metric, or the reason why it is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from tidings.display.formats import why_missing
from tidings.errors import RunError, UsageError, suggest
from tidings.language import say
from tidings.metrics.registry import registry
from tidings.reporting.finished import FinishedRun
from tidings.window import add_days, label_days

Part = Literal["value", "change", "before"]


@dataclass(frozen=True)
class RunFigure:
    """One metric over one window as a section shows it.

    `value` and `before` are numbers as text, so that no cent is lost, in `unit`. `change` is relative to `before`, for
    rates too: 0.1 is 10 %. What is not known is None, and `why` and `why_no_change` are clauses, maybe empty.
    """

    section: str
    metric: str
    title: str
    unit: str
    value: str | None
    before: str | None
    change: float | None
    first: date
    last: date
    status: str
    why: str
    why_no_change: str

    @property
    def reason(self) -> str:
        """Why it has no value, as a clause; empty if it has one."""
        if self.value is not None:
            return ""
        metric = registry().get(self.metric)
        return self.why or (why_missing(metric) if metric is not None else say("no data in this window"))

    @property
    def reason_no_change(self) -> str:
        """Why it has no change, as a clause; empty if it has one."""
        if self.change is not None:
            return ""
        if self.value is None:
            return self.reason
        if self.before is None:
            return self.why_no_change or say("there is no value to compare it with")
        return self.why_no_change or say("it was 0 before, of which nothing is a share")

    def part(self, part: Part) -> str | None:
        """Value, change or value before as a plain number; None if it is not known."""
        number = {"value": self.value, "before": self.before, "change": self.change}[part]
        return None if number is None else str(number)


def figures_of(run: FinishedRun) -> Iterator[RunFigure]:
    """The figures that the pages of a run show, in reading order, each once for a section."""
    for section in run.sections:
        shown = (item for item in section.record.items if item.kind != "digest")
        yield from dict.fromkeys(_figure(section.section, held) for item in shown for held in item.figures)


def figure_of(run: FinishedRun, metric: str, section: str = "") -> RunFigure:
    """The figure of a metric, in the section if one is named.

    Raises:
        UsageError: no section shows the metric, or several values of it are shown.
    """
    of = run.only(section) if section else run
    every = list(figures_of(of))
    found = [figure for figure in every if figure.metric == metric]
    if not found:
        failed = [f"{each.section} failed: {each.error}" for each in of.sections if each.error]
        raise UsageError(
            f"{section or f'The run {run.id}'} shows no figure '{metric}'.",
            " ".join([*failed, suggest(metric, [figure.metric for figure in every])]),
        )
    different = {(each.value, each.before, each.change, each.first, each.last): each for each in found}
    if len(different) > 1:
        listing = "; ".join(
            f"{each.value or 'unknown'} {each.unit} in {label_days(each.first, each.last)} ({each.section})"
            for each in different.values()
        )
        raise UsageError(
            f"{metric} has {len(different)} values in this run: {listing}.",
            "Choose one with --section." if not section else "The spreadsheet of the run has them all: tidings export",
        )
    return found[0]


def required(figure: RunFigure, part: Part) -> str:
    """A part of a figure as a plain number.

    Raises:
        RunError: it is not known; the sentence says why.
    """
    number = figure.part(part)
    if number is not None:
        return number
    what = {"value": "", "change": "The change of ", "before": "The value before of "}[part]
    reason = figure.reason if part == "value" else figure.reason_no_change
    days = label_days(figure.first, figure.last)
    raise RunError(f"{what}{figure.metric} is not known in {days}: {reason}.")


def _figure(section: str, held: Mapping[str, Any]) -> RunFigure:
    return RunFigure(
        section=section,
        metric=str(held["metric"]),
        title=str(held["title"]),
        unit=str(held["unit"]),
        value=held["value"],
        before=held["before"],
        change=held["change"],
        first=date.fromisoformat(held["window"]["from"]),
        last=add_days(date.fromisoformat(held["window"]["to"]), -1),
        status=str(held["status"]),
        why=str(held["why"]),
        # Records of earlier versions have none.
        why_no_change=str(held.get("why_no_change", "")),
    )
