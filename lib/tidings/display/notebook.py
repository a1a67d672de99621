"""What JupyterLab shows of values, series and results that a cell ends with, and of Ibis expressions."""

from __future__ import annotations

import sys
from typing import Any

import ibis

from tidings.display import alt
from tidings.display.cards import cards
from tidings.display.charts import trend
from tidings.display.figure import MOST_ROWS, Figure, note
from tidings.display.tables import table
from tidings.errors import RowsError
from tidings.metrics.result import Field, Result, Series, Value


def shown(item: Value | Series | Result) -> Figure:
    """A value as a card, a series as a line (as a table if it has too many points), a result as a table."""
    if isinstance(item, Value):
        return cards([item])
    if isinstance(item, Result):
        return table(item)
    # Two rows of a chart may stand for one period: those at the end of the solid and of the dashed line.
    return trend(item) if len(item.points) < MOST_ROWS else table(_as_result(item))


def prepare(*, is_run: bool) -> None:
    """Show values, series and results richly where this process is a kernel, and run Ibis expressions to show rows.

    In a run, expressions stay unexecuted: a page shows only what its notebook asks for. What cannot be limited to the
    rows of an audience is a remark on it, and the rest of the notebook runs.
    """
    # Not imported: if IPython is not loaded yet, it does not run this code.
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    if shell is None:
        return
    formatter = shell.display_formatter.mimebundle_formatter
    for kind in (Value, Series, Result):
        formatter.for_type(kind, _bundle)
    if not is_run:
        ibis.options.interactive = True
    elif RowsError not in shell.custom_exceptions:
        _remark_on_refusals(shell)


def _remark_on_refusals(shell: Any) -> None:
    run_code = shell.run_code

    async def run(code: Any, result: Any = None, **how: Any) -> bool:
        stopped = bool(await run_code(code, result, **how))
        if result is not None and isinstance(result.error_in_exec, RowsError):
            # True still: the rest of the cell needs what was refused. The cell itself did not fail.
            result.error_in_exec = None
        return stopped

    def remark(shell: Any, kind: type[BaseException], error: BaseException, *_: Any, **__: Any) -> None:
        said = note(error.failed if isinstance(error, RowsError) else str(error))
        shell.display_pub.publish(data=said._repr_mimebundle_())

    shell.set_custom_exc((RowsError,), remark)
    shell.run_code = run


def _bundle(item: Value | Series | Result) -> dict[str, Any]:
    return shown(item)._repr_mimebundle_()


def _as_result(series: Series) -> Result:
    fields = (Field("period", alt.period_word(series.grain)), Field("value", series.metric.title, series.unit))
    rows = tuple((point.period.label, point.value) for point in series.points)
    return Result(f"{series.metric.title} {alt.by_grain(series.grain)}", fields, rows, series.provenance)
