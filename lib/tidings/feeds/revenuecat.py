"""Feeds of RevenueCat's API."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.feeds.enums.revenuecat import SUBSCRIPTION_STATUSES
from tidings.feeds.feed import Feed
from tidings.feeds.remarks import Vocabulary, names
from tidings.schema import Column

_AMOUNT = "decimal(28, 8)"
_PROJECT: Mapping[str, Column] = {"project": Column("!string", "Project, proj….")}

REVENUECAT_CHARTS = Feed(
    name="revenuecat_charts",
    doc="A point of a chart: one measure on one day, of the project or of a segment of it.",
    is_dense=True,
    grain="project, chart, day, measure and segment",
    row_key_doc="Source, project, chart, day, measure, dimension and segment.",
    staged_doc="A point of a chart: one measure on one day, of the project or of a segment of it.",
    key=("project", "chart", "ts", "measure", "dimension", "segment"),
    columns={
        **_PROJECT,
        "chart": Column("!string", "Chart, such as mrr."),
        "ts": Column("!timestamp(6)", "Midnight of the UTC day."),
        "measure": Column("!string", "Measure of the chart by its name, such as Churned Actives."),
        "position": Column("!int64", "Place of the measure in the chart, 0 for the first.", minimum=0),
        "dimension": Column("!string", "What the chart was split by (country, store, product), or all."),
        "segment": Column("!string", "Part of the split, or all."),
        "value": Column(_AMOUNT, "Value, in `currency` where it is money; null if RevenueCat reports none."),
        "unit": Column("string", "Unit as given: $ for money of any currency, # for counts, %."),
        "currency": Column("string", "ISO code for money."),
        "is_incomplete": Column("!boolean", "True while RevenueCat calls the day incomplete."),
    },
)

REVENUECAT_OVERVIEW = Feed(
    name="revenuecat_overview",
    doc="A metric of a project's overview at the time of the request, one per day of a pull.",
    is_dense=True,
    grain="project, metric and day of a pull",
    row_key_doc="Source, project, metric and day.",
    staged_doc="A metric of a project's overview on the day of a pull.",
    key=("project", "metric", "ts"),
    columns={
        **_PROJECT,
        "ts": Column("!timestamp(6)", "Midnight of the UTC day on which it was requested."),
        "metric": Column("!string", "Metric, such as active_subscriptions."),
        "value": Column(_AMOUNT, "Value, in `currency` where it is money."),
        "unit": Column("string", "Unit as given: $ for money of any currency, # for counts."),
        "period": Column("string", "What it covers: P0D the instant, P28D the last 28 days."),
        "currency": Column("!string", "ISO code in which money was requested."),
        "computed_at": Column("timestamp(6)", "UTC instant at which RevenueCat computed it."),
    },
)

REVENUECAT_CUSTOMERS = Feed(
    name="revenuecat_customers",
    doc="A customer of a project, identified by a pseudonym.",
    grain="customer",
    row_key_doc="Source, project and pseudonym.",
    staged_doc="A customer under a pseudonym.",
    key=("project", "customer"),
    columns={
        **_PROJECT,
        "customer": Column("!string", "Pseudonym, the same for as long as the API key is.", personal=True),
        "ts": Column("!timestamp(6)", "UTC instant at which it was first seen."),
        "last_seen": Column("timestamp(6)", "UTC instant at which it was last seen."),
        "country": Column("string", "ISO alpha-2 code of where it was last seen."),
        "platform": Column("string", "Platform on which it was last seen."),
        "app_version": Column("string", "Version of the app with which it was last seen."),
    },
)

REVENUECAT_SUBSCRIPTIONS = Feed(
    name="revenuecat_subscriptions",
    doc="A subscription as it is now.",
    grain="subscription",
    row_key_doc="Source, project and subscription.",
    key=("project", "subscription"),
    columns={
        **_PROJECT,
        "subscription": Column("!string", "RevenueCat's own id of the subscription."),
        "customer": Column("!string", "Pseudonym of who has it.", personal=True),
        "ts": Column("!timestamp(6)", "UTC instant at which it began."),
        "period_ends": Column("timestamp(6)", "UTC instant at which the period that runs ends."),
        "ends": Column("timestamp(6)", "UTC instant at which it ends or ended, as far as that is known."),
        "product": Column("string", "RevenueCat's id of the product; null for one that was given away."),
        "store": Column("string", "Store that sold it."),
        "country": Column("string", "ISO alpha-2 code."),
        "status": Column("!string", "trialing, active, expired, in_grace_period, in_billing_retry, paused …"),
        "renewal": Column("string", "will_renew, will_not_renew …"),
        "gives_access": Column("boolean", "Whether it unlocks anything now."),
        "environment": Column("!string", "production or sandbox."),
        "ownership": Column("string", "purchased or family_shared."),
        "gross": Column(_AMOUNT, "Revenue so far, in `currency`, before tax and the store's share."),
        "proceeds": Column(_AMOUNT, "The same after tax and the store's share."),
        "currency": Column("!string", "ISO code of the amounts."),
    },
    vocabularies=(Vocabulary("status", names(*SUBSCRIPTION_STATUSES), "status", "kept as it is", "subscriptions"),),
)
