"""Metrics over platform metrics: downloads, proceeds, search, visitors, subscriptions, as each platform counts them.

Platforms that count the same things (two web analytics, a store and a subscription service) have separate metrics that
are never added up. The two app stores have different customers and are added up.
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
    "shared": "own files and databases",
}
"""Names of the platforms on pages."""

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
"""The platform metrics that each platform reports."""

TOGETHER: Mapping[str, str] = {
    **{name: name for name in ("downloads", "updates", "uninstalls", "store_views")},
    "reviews": "store_reviews",
    "gross_sales": "store_sales",
    "crashes": "app_crashes",
}
"""The platform metrics that both stores report in the same way, and the name of the metric of both together.

Not proceeds: one store reports them by day, the other by month, weeks later.
"""

_KINDS: Mapping[str, Kind] = {"flow": "flow", "stock": "stock", "mean": "ratio", "distinct": "ratio"}
_CAVEATS = {
    "flow": "As the source counts it, in days of the source's own time zone.",
    "stock": "A level, read on the last day of the window that the source has reported.",
    "mean": "A weighted average where the source reports the weights (the number of ratings, say).",
    "distinct": (
        "A mean per day, not a number of people: who comes on two days, or to two sites, is counted twice. "
        "Days that the source does not report are left out."
    ),
}
_SEARCH = ("search_clicks", "search_impressions")


def _last_day(rows: ir.Table, keep: Sequence[str]) -> ir.Table:
    """The rows of the last reported day of each source, app and group: levels of several days must not be added.

    Apps of one source may be reported up to different days. The App Store reports all of them at once: there an app
    without a row has the level 0.
    """
    app = ibis.ifelse(rows.platform == "app_store", "", rows.app.fill_null(""))
    rows = rows.mutate(reported_as=app)
    inside = ibis.window(group_by=[*(rows[name] for name in keep[:1]), rows["_source"], rows.metric, rows.reported_as])
    return rows.filter(rows.day == rows.day.max().over(inside)).drop("reported_as")


def _mean(rows: ir.Table) -> ir.Scalar:
    value, weight = rows["value"].cast("float64"), rows.weight.cast("float64")
    weighted = (value * weight).sum() / weight.sum().nullif(0)
    # A missing weight counts as 0; only if all are missing, every row counts the same.
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
    # 20 digits, as a product with a rate of 20 may have 38 at most; 6 decimals are enough for a day's money.
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
        definition=f"{unified.doc} As reported by {whose}.",
        better=unified.better,
        owner="product" if unified.unit in ("count", "ratio") else "business",
        caveat=caveat,
        action=unified.action,
        section="acquisition" if platforms[0] in (*STORES, "search_console") else "source_health",
    )


def name_of(platform: str, unified: str) -> str:
    """The name of the metric for a platform metric of one platform."""
    return unified if platform == "search_console" else f"{platform}_{unified.removeprefix('store_')}"


OF_EACH: tuple[Metric, ...] = tuple(
    _metric(name_of(platform, unified), unified, (platform,))
    for platform, reports in REPORTS.items()
    for unified in reports
)
"""A metric for every platform metric of every platform."""

OF_BOTH_STORES: tuple[Metric, ...] = tuple(_metric(name, unified, STORES) for unified, name in TOGETHER.items())
"""Metrics of the two stores together."""


def _over(numerator: str, denominator: str) -> Callable[[Mapping[str, Number], Window], Number]:
    return lambda values, _: divided(values[numerator], values[denominator])


search_ctr = Metric(
    name="search_ctr",
    title="Search click rate",
    kind="ratio",
    unit="ratio",
    inputs=_SEARCH,
    combine=_over("search_clicks", "search_impressions"),
    common_days=True,
    definition="Search clicks over search impressions of the same window.",
    better="higher",
    owner="marketing",
    caveat="Falls when the site is shown for more searches, which is not a loss.",
    action="Look at titles and descriptions of pages that are shown often and clicked rarely.",
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
    definition="First downloads over views of the product page, over the days on which both are reported.",
    better="higher",
    owner="marketing",
    caveat="May exceed 100 %, as people who install from search results never see the product page.",
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
    definition="Crashes over uses of the app, over the days on which both are reported.",
    better="lower",
    owner="product",
    caveat="Only of people who share usage data. Google reports the share of users with a crash instead.",
    action="Fix or stop the rollout of the version that does worse than the others.",
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
    definition="Visitors of the store page who installed the app over all its visitors.",
    better="higher",
    owner="marketing",
    caveat="Only of visitors who did not have the app; not comparable with the App Store's.",
    action="Look at the store page: screenshots, ratings, the first lines of the text.",
    section="acquisition",
)
