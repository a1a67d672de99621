"""Platform metrics: daily numbers as each platform counts them, in one long format, so that platforms can be compared.

Each source has a model `platform_metrics_<kind>` made with `platform_metrics(...)`; `fct_metric_daily` is all of them
together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir

from tidings.schema import Column, joined

METRIC_DAILY = "fct_metric_daily"
AMOUNT = "decimal(28, 8)"
PlatformKind = Literal["flow", "stock", "mean", "distinct"]

DIMENSIONS: Mapping[str, str] = {
    "app": "App, site, property or project.",
    "country": "ISO alpha-2 country code, upper case; as given where it is none.",
    "device": "Device as given.",
    "app_version": "Version of the app.",
    "os": "Operating system as given.",
    "product": "Product or subscription plan.",
    "store": "Store that sold it.",
    "channel": "Where people came from: source type, traffic source, channel.",
    "page": "Page, as path or URL.",
    "query": "What was searched for.",
    "event": "Name of an event.",
    "reason": "Why it happened.",
    "search_type": "Kind of search (web, image, news …).",
}
"""What a platform metric may be broken down by, with its meaning. Null in a row: not broken down by it, or unknown."""


Better = Literal["higher", "lower", "neutral"]


@dataclass(frozen=True)
class PlatformMetric:
    """A metric that several platforms may report: its title, its unit, and how days and breakdowns may be aggregated.

    `flow` adds up; `stock` is a level, read on the last day; `mean` is averaged by a weight; `distinct` counts each
    person once, so neither days nor breakdowns may be added. `action`: what to do when it moves.
    """

    title: str
    unit: str
    kind: PlatformKind
    doc: str
    better: Better = "higher"
    action: str = "Split it by country and see which source moved."


_STORE = "Look at store page, ratings and campaigns of the country that moved."
_QUALITY = "Split it by version: a new one that does worse is to be held back."
_SEARCH = "Look at the queries and pages that won or lost most."
_SITE = "Split it by channel and page."
_MONEY = "Split it by country and product, and look at refunds and fees beside it."
_SUBSCRIBERS = "Split it by product and country; look at trials before it and cancellations after it."
_LEAVING = "Look at the reasons where they are reported, and at what changed for those who left."

PLATFORM_METRICS: Mapping[str, PlatformMetric] = {
    "downloads": PlatformMetric(
        "Downloads", "count", "flow", "First installs of an app; updates and re-downloads apart.", action=_STORE
    ),
    "redownloads": PlatformMetric(
        "Re-downloads", "count", "flow", "Installs by people who had the app before.", "neutral"
    ),
    "updates": PlatformMetric("Updates", "count", "flow", "Installs of a newer version.", "neutral"),
    "uninstalls": PlatformMetric("Uninstalls", "count", "flow", "Deletions of the app.", "lower", _QUALITY),
    "active_devices": PlatformMetric("Active devices", "count", "stock", "Devices on which the app is installed."),
    "store_impressions": PlatformMetric(
        "Store impressions", "count", "flow", "Times the app was shown in the store.", action=_STORE
    ),
    "store_views": PlatformMetric(
        "Store views", "count", "flow", "Views of, or visitors to, the store page.", action=_STORE
    ),
    "store_acquisitions": PlatformMetric(
        "Store acquisitions", "count", "flow", "Visitors of the store page who installed.", action=_STORE
    ),
    "rating": PlatformMetric(
        "Rating",
        "stars",
        "mean",
        "Stars of 1 to 5; weighted by ratings where their number is reported.",
        action=_QUALITY,
    ),
    "rating_so_far": PlatformMetric(
        "Rating so far", "stars", "mean", "Stars of all ratings ever, as the store says on each day.", action=_QUALITY
    ),
    "reviews": PlatformMetric(
        "Reviews",
        "count",
        "flow",
        "Written reviews (and ratings, where the store lists them).",
        "neutral",
        "Read the newest ones.",
    ),
    "proceeds": PlatformMetric(
        "Proceeds", "money", "flow", "What the store or processor pays out, after its share.", action=_MONEY
    ),
    "gross_sales": PlatformMetric(
        "Gross sales", "money", "flow", "What buyers paid, less what they got back.", action=_MONEY
    ),
    "refunds": PlatformMetric("Refunds", "money", "flow", "What buyers got back, positive.", "lower", _MONEY),
    "fees": PlatformMetric("Fees", "money", "flow", "What the processor kept, positive.", "lower", _MONEY),
    "crashes": PlatformMetric("Crashes", "count", "flow", "Crashes of the app.", "lower", _QUALITY),
    "anrs": PlatformMetric("ANRs", "count", "flow", "Times the app did not respond.", "lower", _QUALITY),
    "crash_rate": PlatformMetric(
        "Crash rate", "ratio", "mean", "Share of a day's users who had a crash; weighted by users.", "lower", _QUALITY
    ),
    "anr_rate": PlatformMetric(
        "ANR rate", "ratio", "mean", "Share of a day's users to whom the app did not respond.", "lower", _QUALITY
    ),
    "app_sessions": PlatformMetric("App sessions", "count", "flow", "Uses of the app."),
    "search_clicks": PlatformMetric(
        "Search clicks", "count", "flow", "Clicks on results of a search engine.", action=_SEARCH
    ),
    "search_impressions": PlatformMetric(
        "Search impressions", "count", "flow", "Results shown by a search engine.", action=_SEARCH
    ),
    "search_position": PlatformMetric(
        "Search position", "score", "mean", "Position, 1 on top; weighted by impressions.", "lower", _SEARCH
    ),
    "pageviews": PlatformMetric("Page views", "count", "flow", "Pages viewed.", action=_SITE),
    "visitors": PlatformMetric("Visitors", "count", "distinct", "Different visitors of a day.", action=_SITE),
    "visits": PlatformMetric("Visits", "count", "flow", "Visits, sessions.", action=_SITE),
    "bounces": PlatformMetric("Bounces", "count", "flow", "Visits of one page view.", "lower", _SITE),
    "visit_seconds": PlatformMetric(
        "Time on site", "s", "flow", "Seconds from the first to the last page view of visits.", action=_SITE
    ),
    "engaged_visits": PlatformMetric(
        "Engaged visits", "count", "flow", "Visits that the source calls engaged.", action=_SITE
    ),
    "events": PlatformMetric(
        "Events",
        "count",
        "flow",
        "Named events, page views apart where the source tells them apart.",
        action="Split it by event.",
    ),
    "event_users": PlatformMetric(
        "Users by event", "count", "distinct", "Different users of a day who did an event.", action="Split it by event."
    ),
    "active_users": PlatformMetric("Active users", "count", "distinct", "Different users of a day."),
    "mrr": PlatformMetric(
        "MRR", "money", "stock", "Monthly recurring revenue at the end of a day.", action=_SUBSCRIBERS
    ),
    "active_subscriptions": PlatformMetric(
        "Active subscriptions", "count", "stock", "Paid subscriptions at the end of a day.", action=_SUBSCRIBERS
    ),
    "active_trials": PlatformMetric(
        "Active trials", "count", "stock", "Running trials at the end of a day.", action=_SUBSCRIBERS
    ),
    "new_subscriptions": PlatformMetric(
        "New subscriptions", "count", "flow", "Paid subscriptions that began.", action=_SUBSCRIBERS
    ),
    "churned_subscriptions": PlatformMetric(
        "Churned subscriptions", "count", "flow", "Paid subscriptions that ended.", "lower", _LEAVING
    ),
    "cancellations": PlatformMetric(
        "Cancellations", "count", "flow", "Renewals switched off; the paid time still runs.", "lower", _LEAVING
    ),
    "trial_starts": PlatformMetric("Trial starts", "count", "flow", "Trials that began.", action=_SUBSCRIBERS),
    "trial_conversions": PlatformMetric(
        "Trial conversions", "count", "flow", "Trials that became paid.", action=_SUBSCRIBERS
    ),
    "churn_rate": PlatformMetric(
        "Churn rate per day", "ratio", "mean", "Share of active subscriptions that ended on a day.", "lower", _LEAVING
    ),
    "revenue": PlatformMetric("Revenue", "money", "flow", "Revenue as the source counts it.", action=_MONEY),
}
"""The metrics that platforms may report, by name."""

PLATFORM_COLUMNS: Mapping[str, Column] = {
    "platform_metric_key": Column(
        "!string", "Source, platform, metric, breakdown, day, its zone, currency and all dimensions."
    ),
    "platform": Column("!string", "The platform that reported it, such as app_store."),
    "metric": Column("!string", "Name of the metric.", values=tuple(PLATFORM_METRICS)),
    "breakdown": Column("!string", "Breakdown: dimensions joined by commas, empty for the total."),
    "day": Column("!date", "Day as the source counts days; never moved to another zone."),
    "zone": Column("!string", "Time zone of that day."),
    **{name: Column("string", doc) for name, doc in DIMENSIONS.items()},
    "value": Column(f"!{AMOUNT}", "The value, in `unit`; a mean for metrics that are means."),
    "unit": Column("!string", "What `value` counts: count, ratio, score, s, stars, or the ISO code for money."),
    "weight": Column(AMOUNT, "What a mean is weighted by; null for other metrics, and for a mean without its number."),
    "currency": Column("string", "ISO code for money."),
    "is_total": Column("!boolean", "True for the one breakdown per source and metric that adds up to the total."),
    "feed": Column("!string", "Feed that it was derived from; several joined by commas."),
    "_source": Column("!string", "Source that reported it."),
}
"""The columns of every model of platform metrics."""

PLATFORM_KEY = ("platform_metric_key",)


def platform_metric(
    rows: ir.Table,
    metric: str,
    value: str | ir.NumericValue,
    *,
    by: Mapping[str, str | ir.StringValue] | None = None,
    weight: str | ir.NumericValue | None = None,
    currency: str | ir.StringValue | None = None,
    total: bool = True,
    zone: str | None = None,
) -> ir.Table:
    """One metric of a staged table, summed by source, day and what `by` maps a dimension to (a column or expression).

    `rows` has `ts` (midnight of the source's day, or an instant) and `_source`. `value` is what is added up; rows where
    it is null are skipped. With `weight` the metric is a mean: the sum of value x weight over that of weight; if the
    number is unknown, pass a null weight and one row per group. Money needs a `currency`. `total` is False for
    breakdowns for which a total exists, or that do not add up to it. `zone` is the column with the time zone of the
    row's day, if sources differ in it.
    """
    split = dict(by or {})
    columns = {"day": rows.ts.date(), "_source": rows["_source"], "value": _of(rows, value).cast(AMOUNT)}
    columns |= {name: _of(rows, column).cast("string").nullif("") for name, column in split.items()}
    columns["currency"] = ibis.null("string") if currency is None else _of(rows, currency).upper().nullif("")
    if weight is not None:
        columns["weight"] = _of(rows, weight).cast(AMOUNT)
    if zone is not None:
        columns["zone"] = rows[zone]
    reported = rows.select(**columns)
    reported = reported.filter(reported["value"].notnull())
    groups = reported.group_by(["_source", "day", "currency", *split, *(() if zone is None else ("zone",))])
    if weight is None:
        summed = groups.aggregate(value=reported["value"].sum().cast(AMOUNT)).mutate(weight=ibis.null(AMOUNT))
    else:
        weights = reported["weight"].sum()
        # On floats: decimals divide differently from engine to engine.
        weighted = (reported["value"].cast("float64") * reported["weight"].cast("float64")).sum() / weights.cast(
            "float64"
        ).nullif(0)
        plain = reported["value"].cast("float64").mean()
        # A weight of zero is not a missing weight: rows count equally only if no weight is reported at all.
        mean = ibis.ifelse(weights.isnull(), plain, weighted)
        summed = groups.aggregate(value=mean.round(8).cast(AMOUNT), weight=weights.cast(AMOUNT))
        summed = summed.filter(summed["value"].notnull())
    is_money = PLATFORM_METRICS[metric].unit == "money"
    return summed.mutate(
        metric=ibis.literal(metric),
        unit=summed["currency"].fill_null("") if is_money else ibis.literal(PLATFORM_METRICS[metric].unit),
        breakdown=ibis.literal(",".join(name for name in DIMENSIONS if name in split)),
        is_total=ibis.literal(total),
        **{name: ibis.null("string") for name in DIMENSIONS if name not in split},
    )


def platform_metrics(platform: str, *parts: ir.Table, zone: str = "UTC") -> ir.Table:
    """The metrics of one platform, from parts made by `figure`; `zone` is the days' zone unless they have one."""
    shown = []
    for part in parts:
        of_part = part["zone"] if "zone" in part.columns else ibis.literal(zone)
        reported_by = ibis.literal(platform)
        key = [reported_by, part["metric"], part["breakdown"], part["day"], of_part]
        # An empty and a missing dimension are the same.
        key += [part[name].fill_null("") for name in ("currency", *DIMENSIONS)]
        whole = part.mutate(
            platform_metric_key=joined(part["_source"], *key),
            platform=reported_by,
            zone=of_part,
            feed=ibis.literal(_feeds_of(part)),
        )
        shown.append(whole.select(*PLATFORM_COLUMNS))
    return reduce(lambda table, other: table.union(other), shown)


def _feeds_of(part: ir.Table) -> str:
    """The feeds whose staged tables platform metrics are made of."""
    tables = {table.name for table in part.op().find(ops.PhysicalTable)}
    return ",".join(sorted(name.removeprefix("stg_") for name in tables if name.startswith("stg_")))


def _of(rows: ir.Table, column: str | ir.Value) -> ir.Value:
    return rows[column] if isinstance(column, str) else column
