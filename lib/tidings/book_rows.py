"""What leads from a figure of a report to the rows behind it: the rows, where they may leave, and the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidings.metrics.metric import Metric
from tidings.metrics.result import Behind, Group, Result
from tidings.query.behind import Keys, Largest, command, largest, of_metric
from tidings.query.context import QueryContext
from tidings.settings import SHOW_ROWS, Settings
from tidings.window import Window

MOST_GROUPS = 4
"""Of further rows of a result the page names the command: fifty rows of each would make it too heavy."""
_RUN = "TIDINGS_RUN"


@dataclass(frozen=True)
class Leading:
    """The query context, the settings and the window of a book, for what leads to rows."""

    context: QueryContext
    settings: Settings
    window: Window

    @property
    def is_run(self) -> bool:
        """Whether a report is being made: in JupyterLab an analyst has `book.rows`."""
        return bool(self.settings.environment.get(_RUN))

    @property
    def shows_rows(self) -> bool:
        """Whether pages of the run hold rows."""
        return self.is_run and self.settings.environment.get(SHOW_ROWS) == "yes"

    def of_metric(self, result: Result, metric: Metric, keys: Sequence[Keys | None]) -> Result:
        """The result of a metric with what leads to its rows; `keys` has the values by which each row was made."""
        if not self.is_run:
            return result
        columns = tuple(dict.fromkeys(column for key in keys if key for column in key))
        lines = [None if key is None else self.command(metric, key) for key in keys]
        groups: tuple[Group | None, ...] = ()
        if self.shows_rows:
            shown = self._largest(of_metric(self.context, metric, self.window, columns), keys)
            groups = tuple(_with(group, line) for group, line in zip(shown, lines, strict=True))
        first = next(filter(None, lines), "") or self.command(metric, {})
        return replace(result, behind=Behind(first, groups))

    def of_rows(self, result: Result, asked: Largest, keys: Sequence[Keys | None]) -> Result:
        """The result with the largest of other rows, where they may leave; no command makes them."""
        return replace(result, behind=Behind("", tuple(self._largest(asked, keys)))) if self.shows_rows else result

    def command(self, metric: Metric, keys: Keys) -> str:
        """The command that prints the rows of a metric with these values; empty where it cannot say them."""
        context, settings = self.context, self.settings
        if context.warehouse.rows:
            # It would print the rows of everybody, which are not those of the page.
            return ""
        others = {
            "--timezone": "" if context.zone.name == settings.timezone else context.zone.name,
            "--currency": "" if context.currency == settings.currency else context.currency,
        }
        is_latest = context.as_of == context.warehouse.complete_until
        return command(context, metric.name, self.window, keys, others, is_latest=is_latest)

    def _largest(self, asked: Largest, keys: Sequence[Keys | None]) -> list[Group | None]:
        wanted = [at for at, key in enumerate(keys) if key is not None][:MOST_GROUPS]
        return largest(self.context, asked, [key if at in wanted else None for at, key in enumerate(keys)])


def _with(group: Group | None, line: str | None) -> Group | None:
    if group is None:
        return Group((), (), 0, line) if line else None
    return replace(group, command=line or "")
