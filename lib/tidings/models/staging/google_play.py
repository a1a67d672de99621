"""Google Play, cleaned, and its platform metrics."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from tidings.feeds.enums.google_play import FINANCIAL_STATUSES, fees
from tidings.feeds.google_play import GOOGLE_PLAY_REVIEWS
from tidings.models.model import model
from tidings.models.staging.landed import first_per_key, staging
from tidings.platform_metrics import PLATFORM_COLUMNS, PLATFORM_KEY, platform_metric, platform_metrics

_ZONE = "America/Los_Angeles"
_OVERVIEW = "overview"


@staging(GOOGLE_PLAY_REVIEWS)
def stg_google_play_reviews(raw_google_play_reviews: ir.Table) -> ir.Table:
    """A rating or written review as last changed; its time is the earliest one reported.

    Files give the time of writing, the API (last week only) just the time of the last change.
    """
    latest = first_per_key(raw_google_play_reviews, GOOGLE_PLAY_REVIEWS)
    key = ["_source", *GOOGLE_PLAY_REVIEWS.key]
    reported = raw_google_play_reviews.group_by(key).aggregate(
        first_ts=raw_google_play_reviews.ts.min(), changed_at=raw_google_play_reviews.updated_at.max()
    )
    # Of two versions the one changed last, whichever was landed last.
    newest = raw_google_play_reviews.semi_join(
        reported,
        [*key, raw_google_play_reviews.updated_at.fill_null(raw_google_play_reviews.ts) == reported.changed_at],
    )
    newest = first_per_key(newest, GOOGLE_PLAY_REVIEWS)
    rows = newest.union(latest.anti_join(newest, "row_key"))
    dated = rows.left_join(reported, key).select(rows, "first_ts")
    return dated.mutate(ts=dated.first_ts).drop("first_ts").select(*latest.columns)


@model(grain="source, metric, day and dimensions", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)
def platform_metrics_google_play(
    stg_google_play_installs: ir.Table,
    stg_google_play_crashes: ir.Table,
    stg_google_play_ratings: ir.Table,
    stg_google_play_store: ir.Table,
    stg_google_play_subscriptions: ir.Table,
    stg_google_play_sales: ir.Table,
    stg_google_play_earnings: ir.Table,
    stg_google_play_reviews: ir.Table,
    stg_google_play_vitals: ir.Table,
) -> ir.Table:
    """Installs, store page, stars, money, subscriptions and vitals; totals are those of the overview files."""
    parts = []
    counted = (
        (stg_google_play_installs, "downloads", "installs"),
        (stg_google_play_installs, "uninstalls", "uninstalls"),
        (stg_google_play_installs, "updates", "updates"),
        (stg_google_play_installs, "active_devices", "active_devices"),
        (stg_google_play_crashes, "crashes", "crashes"),
        (stg_google_play_crashes, "anrs", "anrs"),
    )
    for rows, metric, column in counted:
        parts.append(platform_metric(rows.filter(rows.breakdown == _OVERVIEW), metric, column, by={"app": "package"}))
        for dimension in ("country", "app_version") if metric not in ("crashes", "anrs") else ("app_version",):
            by = {"app": "package", dimension: "name"}
            parts.append(platform_metric(rows.filter(rows.breakdown == dimension), metric, column, by=by, total=False))
    parts += _ratings(stg_google_play_ratings, stg_google_play_reviews)
    for metric, column in (("store_views", "visitors"), ("store_acquisitions", "acquisitions")):
        rows = stg_google_play_store
        by_country = {"app": "package", "country": "name"}
        parts.append(platform_metric(rows.filter(rows.breakdown == "country"), metric, column, by=by_country))
        by_source = {"app": "package", "channel": "name"}
        parts.append(
            platform_metric(rows.filter(rows.breakdown == "traffic_source"), metric, column, by=by_source, total=False)
        )
    by_product = {"app": "package", "product": "product", "country": "country"}
    for metric, column in (
        ("active_subscriptions", "active"),
        ("new_subscriptions", "begun"),
        ("cancellations", "cancelled"),
    ):
        parts.append(platform_metric(stg_google_play_subscriptions, metric, column, by=by_product))
    parts += _money(stg_google_play_sales, stg_google_play_earnings)
    for kind in ("crash", "anr"):
        rows = stg_google_play_vitals.filter(stg_google_play_vitals["kind"] == kind)
        whole, by_version = rows.filter(rows.name == "all"), rows.filter(rows.name != "all")
        by = {"app": "package", "app_version": "name"}
        parts.append(platform_metric(whole, f"{kind}_rate", "rate", by={"app": "package"}, weight="users"))
        parts.append(platform_metric(by_version, f"{kind}_rate", "rate", by=by, weight="users", total=False))
    return platform_metrics("google_play", *parts, zone=_ZONE)


def _ratings(ratings: ir.Table, reviews: ir.Table) -> list[ir.Table]:
    """Stars: from single ratings where listed, else from the days in the overview; by country; and of all time.

    Google's means come without the number of ratings; where single ratings are listed, these are counted instead.
    """
    rows = ratings.mutate(unknown=ibis.null("decimal(28, 8)"))
    by_country, whole = rows.filter(rows.breakdown == "country"), rows.filter(rows.breakdown == _OVERVIEW)
    one = reviews.mutate(one=ibis.literal(1), zone=ibis.literal("UTC"))
    app = {"app": "package"}
    days = whole.mutate(day=whole.ts.date())
    listed = one.select("_source", "package", day=one.ts.date()).distinct()
    unlisted = days.anti_join(listed, ["_source", "package", "day"]).drop("day")
    country = {**app, "country": "name"}
    return [
        platform_metric(unlisted, "rating", "daily_average", by=app, weight="unknown"),
        platform_metric(whole, "rating_so_far", "total_average", by=app, weight="unknown"),
        platform_metric(by_country, "rating_so_far", "total_average", by=country, weight="unknown", total=False),
        platform_metric(
            by_country, "rating", "daily_average", by={**app, "country": "name"}, weight="unknown", total=False
        ),
        platform_metric(one, "rating", "rating", by=app, weight="one", zone="zone"),
        platform_metric(one, "reviews", "one", by=app, zone="zone"),
    ]


def _money(sales: ir.Table, earnings: ir.Table) -> list[ir.Table]:
    by = {"app": "package", "product": "sku", "country": "country"}
    nothing = ibis.null("decimal(28, 8)")
    # The meaning of an unknown status for an amount is not guessed.
    sales = sales.filter(_plain(sales.status).isin(tuple(FINANCIAL_STATUSES)))
    # Sales are dated in UTC, payouts in California.
    sold = sales.mutate(zone=ibis.literal("UTC"), returned=ibis.ifelse(sales.amount < 0, -sales.amount, nothing))
    is_fee = _plain(earnings["type"]).isin(fees())
    paid = earnings.mutate(fee=ibis.ifelse(is_fee, -earnings.amount, nothing))
    return [
        platform_metric(sold, "gross_sales", "amount", by=by, currency="currency", zone="zone"),
        platform_metric(sold, "refunds", "returned", by=by, currency="currency", zone="zone"),
        platform_metric(paid, "proceeds", "amount", by=by, currency="currency"),
        platform_metric(paid, "fees", "fee", by=by, currency="currency"),
    ]


def _plain(name: ir.StringValue) -> ir.StringValue:
    """A name as in the tables of Google's values (`vocabulary.plain`, except for other kinds of hyphens)."""
    return name.lower().strip().re_replace(r"\s+", " ")
