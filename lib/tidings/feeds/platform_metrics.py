"""The feed of platform metrics: daily numbers that someone else has counted already."""

from __future__ import annotations

from tidings.feeds.feed import Feed
from tidings.platform_metrics import AMOUNT, DIMENSIONS, PLATFORM_METRICS
from tidings.schema import Column

PLATFORM_METRIC_ROWS = Feed(
    name="platform_metrics",
    doc="A daily platform metric: downloads, proceeds, visitors … by any dimensions, as counted elsewhere.",
    grain="source, metric, day, currency and dimensions",
    row_key_doc="Source, metric, day, currency and dimensions.",
    staged_doc="A daily platform metric as counted elsewhere.",
    key=("metric", "ts", "currency", *DIMENSIONS),
    # Rows of one load with more dimensions than are mapped are added up.
    apart=("_line",),
    columns={
        "ts": Column("!timestamp(6)", "The day; the time of day is ignored."),
        "metric": Column("!string", "Name of the metric.", values=tuple(PLATFORM_METRICS)),
        "value": Column(f"!{AMOUNT}", "The value; in `currency` for money."),
        "weight": Column(AMOUNT, "For means: what it is a mean of, such as the number of ratings."),
        "currency": Column("!string", "ISO code for money; empty for other metrics."),
        **{name: Column("!string", f"{doc} Empty if not broken down by it.") for name, doc in DIMENSIONS.items()},
    },
)
