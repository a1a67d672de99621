"""Sections made in memory: what the notebooks of the reporting tests consist of."""

from __future__ import annotations

from collections.abc import Sequence

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = """as_of: str = "latest"  # now, for this report
days: int = 28  # length of the window
share: float = 0.5  # between 0 and 1
quiet: bool = False  # without notes
segment: str = ""  # for example country=DE"""

FIGURES = """import os
from datetime import date, timedelta
from markupsafe import Markup
from tidings.display.figure import Figure, Finding, Table, chart, frame
from tidings.display import show
from tidings.metrics.result import Result, Field, Provenance

build = os.environ["TIDINGS_BUILD"]
origin = Provenance(
    sql=("SELECT day, sum(net) FROM fct_orders GROUP BY day",),
    tables={"fct_orders": "last row at 30 Jun 2026"}, build=build, rows=1234, notes=("2 orders have no rate.",),
    views={"fct_orders_visible": "SELECT * FROM fct_orders WHERE ts < now"},
)
rows = tuple((date(2026, 6, 1) + timedelta(n), 100 + 7 * n % 40) for n in range(30))
table = Table((Field("day", "Day", "date"), Field("net", "Net revenue", "EUR")), rows)


def picture(title):
    values = [{"t": str(day), "v": value} for day, value in rows]
    draw = lambda width: {
        "data": {"values": values}, "width": width - 48, "height": 200, "mark": {"type": "line", "style": "now"},
        "encoding": {"x": {"field": "t", "type": "temporal"}, "y": {"field": "v", "type": "quantitative"}},
    }
    return chart(title=title, subtitle="EUR by day", alt=f"{title}, June 2026", draw=draw, table=table,
                 provenance=origin)


def text(kind, body, **more):
    return Figure(kind=kind, html=frame(kind, "", "", Markup(body)), text=kind, provenance=origin, **more)
"""


GOOD = (
    FIGURES,
    'text("head", "<dl class=td-facts></dl>", title="Commerce", subtitle="1 – 30 Jun 2026 · Europe/Berlin")',
    'rose = Finding("Net revenue rose.", "3 Jun country DE", 0.001, "Look at Germany.")\n'
    'text("findings", "<ol><li>Net revenue rose.</li></ol>", findings=(rose,))',
    "## How are we doing?",
    'text("cards", \'<div class="td-grid"><div class="td-card"><a href="#def-net_revenue">Net revenue</a> \''
    ' + str(days) + " days</div></div>")',
    "## How did revenue develop?",
    'picture("Revenue rose </script><img src=x onerror=alert(1)> & fell")',
    'picture("A second chart")',
    "### By product",
    'result = Result("Revenue", (Field("product", "Product"), Field("value", "Net revenue", "EUR")),'
    ' (("<b>Bag</b>", 120), ("Cup", 80)), origin)\nshow.bars(result)',
    "print('printed <i>quietly</i>')",
    "## How are we doing?",
    "import pandas as pd\npd.DataFrame({'a': ['<script>alert(2)</script>']})",
    'text("digest", "<pre>net_revenue %d</pre>" % 200)',
)
FAILING = (
    *GOOD[:6],
    "from pathlib import Path\ntoken = Path('../.env').read_text().strip().partition('=')[2]\n"
    "raise ValueError(f'{token} was refused by <b>the shop</b>')",
    "## What next?",
    "print('never')",
)


def _cell(source: str) -> nbformat.NotebookNode:
    if source.startswith("#"):
        return new_markdown_cell(source)
    tags = ["nbval-check-output", "keep_output"] if source.startswith('text("digest"') else []
    return new_code_cell(source, metadata={"tags": tags})


def notebook(cells: Sequence[str], parameters: str = PARAMETERS, title: str = "Commerce") -> nbformat.NotebookNode:
    """A section; a cell that starts with # is Markdown."""
    made = [
        new_markdown_cell(f"# {title}\n\nWhat was earned, and from whom? For the shop's owner."),
        new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        *(_cell(cell) for cell in cells),
    ]
    kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new_notebook(cells=made, metadata={"kernelspec": kernelspec, "language_info": {"name": "python"}})
