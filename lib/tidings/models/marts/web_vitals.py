"""Web vitals (metric definitions 8.5)."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds import VITALS
from tidings.models.model import model
from tidings.schema import Column

LIMITS = {"LCP": (2500, 4000), "INP": (200, 500), "CLS": (0.1, 0.25), "FCP": (1800, 3000), "TTFB": (800, 1800)}
"""Largest value that is good, and largest that needs improvement; milliseconds, CLS without unit."""

RATINGS = ("good", "needs-improvement", "poor")


@model(
    grain="web-vital sample",
    key=("sample_key",),
    columns={
        "sample_key": Column("!string", "Source and sample id, or position."),
        **{name: column for name, column in VITALS.columns.items() if name != "sample_id"},
        "rating": Column("!string", "Rating of this sample, upper bounds included.", values=RATINGS),
        "_source": Column("!string", "Source that reported it."),
        "_line": Column("!int64", "Position in the input, from 1."),
    },
    fresh_hours=48,
)
def fct_web_vitals(stg_vitals: ir.Table) -> ir.Table:
    """A web-vital sample of a page view, with its rating."""
    good = ibis.or_(*((stg_vitals.metric == metric) & (stg_vitals.value <= a) for metric, (a, _) in LIMITS.items()))
    fair = ibis.or_(*((stg_vitals.metric == metric) & (stg_vitals.value <= b) for metric, (_, b) in LIMITS.items()))
    rating = ibis.cases((good, RATINGS[0]), (fair, RATINGS[1]), else_=RATINGS[2])
    return stg_vitals.mutate(rating=rating).select(*fct_web_vitals.contract.columns)
