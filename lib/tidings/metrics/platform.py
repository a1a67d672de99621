"""What places tell: metrics of downloads, proceeds, search, visitors and subscriptions, as each place counts them.

Places that count the same thing (two web analytics, a store and a subscription service) have metrics of their own and
are never added up; the two app stores sell to different people and are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import ibis
import ibis.expr.types as ir

from tidings.metrics.measures import in_report, money, ratio, total
from tidings.metrics.metric import Kind, Metric, Number, Reported
from tidings.metrics.values import divided
from tidings.platform_metrics import METRIC_DAILY, PLATFORM_METRICS, PlatformMetric
from tidings.window import Window

STORES = ("app_store", "google_play")

PLATFORMS: Mapping[str, str] = {
    "app_store": "App Store",
    "google_play": "Google Play",
    "search_console": "Google search",
    "umami": "Umami",
    "posthog": "PostHog",
    "ga4": "GA4",
    "revenuecat": "RevenueCat",
    "revenuecat_events": "RevenueCat webhooks",
    "stripe": "Stripe",
    "shared": "own figures",
}
"""How each platform is called in a report."""

_STORE = (
    *("downloads", "updates", "uninstalls", "store_views", "rating", "reviews"),
    *("proceeds", "gross_sales", "refunds", "crashes"),
)
_SITE = ("visitors", "pageviews", "visits", "events")
_SUBSCRIPTIONS = ("active_subscriptions", "active_trials", "new_subscriptions", "churned_subscriptions")
REPORTS: Mapping[str, Sequence[str]] = {
    "app_store": (
        *_STORE,
        *("redownloads", "store_impressions", "app_sessions", "trial_starts", "trial_conversions"),
        *_SUBSCRIPTIONS,
    ),
    "google_play": (
        *_STORE,
        *("active_devices", "store_acquisitions", "fees", "anrs", "crash_rate", "anr_rate", "rating_so_far"),
        *("active_subscriptions", "new_subscriptions", "cancellations"),
    ),
    "search_console": ("search_clicks", "search_impressions", "search_position"),
    "umami": (*_SITE, "bounces", "visit_seconds"),
    "posthog": (*_SITE, "event_users", "active_users"),
    "ga4": (*_SITE, "engaged_visits", "event_users", "active_users"),
    "revenuecat": ("mrr", "revenue", *_SUBSCRIPTIONS, "churn_rate", "trial_starts", "trial_conversions"),
    "revenuecat_events": (
        *("revenue", "refunds", "new_subscriptions", "cancellations", "churned_subscriptions"),
        *("trial_starts", "trial_conversions"),
    ),
    "stripe": (*("gross_sales", "refunds", "fees", "proceeds", "mrr"), *_SUBSCRIPTIONS, "cancellations"),
    "shared": tuple(PLATFORM_METRICS),
}
"""Which unified metrics each platform tells."""

TOGETHER: Mapping[str, str] = {
    **{name: name for name in ("downloads", "updates", "uninstalls", "store_views")},
    "reviews": "store_reviews",
    "gross_sales": "store_sales",
    "crashes": "app_crashes",
}
"""The unified metrics that both stores tell alike, and the name of the metric of both together.

Not what they pay out: one tells it by day, the other by month, weeks later.
"""

_KINDS: Mapping[str, Kind] = {"flow": "flow", "stock": "stock", "mean": "ratio", "distinct": "ratio"}
_CAVEATS = {
    "flow": "As the source counts it, in days of the source's own time zone.",
    "stock": "A level, read on the last day that the source told in the window.",
    "mean": "An average weighted by what it is an average of, where the source tells how many.",
    "distinct": (
        "Who comes on two days, or to two sites, is counted on both: a mean per day, not a number of people. "
        "Days of which the source tells nothing at all are left out."
    ),
}
_SEARCH = ("search_clicks", "search_impressions")


def _last_day(rows: ir.Table, keep: Sequence[str]) -> ir.Table:
    """The rows of the last day that each source told in each slice: levels of days before are the same things again.

    Apps of one source may be told up to different days. The App Store tells all of them in one report: there an app
    without a row has none.
    """
    app = ibis.ifelse(rows.platform == "app_store", "", rows.app.fill_null(""))
    rows = rows.mutate(reported_as=app)
    inside = ibis.window(group_by=[*(rows[name] for name in keep[:1]), rows["_source"], rows.metric, rows.reported_as])
    return rows.filter(rows.day == rows.day.max().over(inside)).drop("reported_as")


def _mean(rows: ir.Table) -> ir.Scalar:
    value, weight = rows["value"].cast("float64"), rows.weight.cast("float64")
    weighted = (value * weight).sum() / weight.sum().nullif(0)
    # Nothing weighs nothing: only where no weight is told at all each row counts alike.
    return ibis.ifelse(weight.sum().isnull(), value.mean(), weighted)


def _per_day(rows: ir.Table) -> ir.Scalar:
    return ratio(total(rows["value"]), cast(ir.NumericScalar, rows.day.nunique()))


def _money_of_days(rows: ir.Table) -> ir.Scalar:
    return money(rows, _amount(rows), rate="fx_of_day")


def _money_level(rows: ir.Table) -> ir.Scalar:
    return in_report(rows, _amount(rows)).sum()


def _level(rows: ir.Table) -> ir.Scalar:
    return rows["value"].sum()


def _amount(rows: ir.Table) -> ir.DecimalValue:
    # Times a rate of 20 digits an engine has 38; here as many decimals as a day's money can have.
    return cast(ir.DecimalValue, rows["value"].cast("decimal(20, 6)"))


def _sum(rows: ir.Table) -> ir.Scalar:
    return total(rows["value"])


def _value(unified: PlatformMetric) -> Callable[[ir.Table], ir.Scalar]:
    if unified.kind == "mean":
        return _mean
    if unified.kind == "distinct":
        return _per_day
    if unified.kind == "stock":
        return _money_level if unified.unit == "money" else _level
    return _money_of_days if unified.unit == "money" else _sum


def _metric(name: str, platform_metric_name: str, platforms: tuple[str, ...]) -> Metric:
    unified = PLATFORM_METRICS[platform_metric_name]
    title = unified.title + (" per day" if unified.kind == "distinct" else "")
    whose = " and ".join(PLATFORMS[platform] for platform in platforms)
    caveat = _CAVEATS[unified.kind]
    if unified.unit == "money":
        rate = "one rate for the whole report" if unified.kind == "stock" else "the ECB's rate of each day"
        caveat += f" Converted at {rate}."
    return Metric(
        name=name,
        title=title if len(platforms) > 1 or platforms == ("search_console",) else f"{title}, {whose}",
        mart=METRIC_DAILY,
        kind=_KINDS[unified.kind],
        unit=unified.unit,
        value=_value(unified),
        where=Reported(platforms, (platform_metric_name,)),
        regroup=_last_day if unified.kind == "stock" else None,
        definition=f"{unified.doc} As {whose} {'tell' if len(platforms) > 1 else 'tells'} it.",
        better=unified.better,
        owner="product" if unified.unit in ("count", "ratio") else "business",
        caveat=caveat,
        action=unified.action,
        section="acquisition" if platforms[0] in (*STORES, "search_console") else "source_health",
    )


def name_of(platform: str, unified: str) -> str:
    """The name of the metric of what one platform tells."""
    return unified if platform == "search_console" else f"{platform}_{unified.removeprefix('store_')}"


OF_EACH: tuple[Metric, ...] = tuple(
    _metric(name_of(platform, unified), unified, (platform,))
    for platform, reports in REPORTS.items()
    for unified in reports
)
"""A metric for everything that a platform tells."""

OF_BOTH_STORES: tuple[Metric, ...] = tuple(_metric(name, unified, STORES) for unified, name in TOGETHER.items())
"""What the two stores tell, together."""


def _over(part: str, whole: str) -> Callable[[Mapping[str, Number], Window], Number]:
    """One figure over another."""
    return lambda values, _: divided(values[part], values[whole])


search_ctr = Metric(
    name="search_ctr",
    title="Search click rate",
    kind="ratio",
    unit="ratio",
    inputs=_SEARCH,
    combine=_over("search_clicks", "search_impressions"),
    common_days=True,
    definition="Search clicks over search impressions, both of the window (metric definitions 9).",
    better="higher",
    owner="marketing",
    caveat="Falls when the site begins to be shown for more searches, which is no loss.",
    action="Look at titles and descriptions of pages that are shown often and clicked seldom.",
    section="acquisition",
)


app_store_conversion = Metric(
    name="app_store_conversion",
    title="Conversion, App Store",
    kind="ratio",
    unit="ratio",
    inputs=("app_store_downloads", "app_store_views"),
    combine=_over("app_store_downloads", "app_store_views"),
    common_days=True,
    definition="First downloads over views of the product page, of the days on which both are told.",
    better="higher",
    owner="marketing",
    caveat="Who installs from search results never sees the product page, so that it may exceed 100 %.",
    action="Look at the store page: screenshots, ratings, the first lines of the text.",
    section="acquisition",
)


app_store_crashes_per_session = Metric(
    name="app_store_crashes_per_session",
    title="Crashes per session, App Store",
    kind="ratio",
    unit="ratio",
    inputs=("app_store_crashes", "app_store_app_sessions"),
    combine=_over("app_store_crashes", "app_store_app_sessions"),
    common_days=True,
    definition="Crashes over uses of the app, of the days on which both are told.",
    better="lower",
    owner="product",
    caveat="Of people who share usage data; Google tells the share of users instead.",
    action="Hold back or mend the version that does worse than the others.",
    section="acquisition",
)


google_play_conversion = Metric(
    name="google_play_conversion",
    title="Conversion, Google Play",
    kind="ratio",
    unit="ratio",
    inputs=("google_play_acquisitions", "google_play_views"),
    combine=_over("google_play_acquisitions", "google_play_views"),
    common_days=True,
    definition="Visitors of the store page who installed, over all visitors of the store page.",
    better="higher",
    owner="marketing",
    caveat="Counts visitors who did not have the app; it cannot be compared with the App Store's.",
    action="Look at the store page: screenshots, ratings, the first lines of the text.",
    section="acquisition",
)
