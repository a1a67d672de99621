"""Connectors held against what vendors ship of their APIs: paths, parameters, fields, enumerations.

Google's discovery documents and the types of Stripe's client come in packages; where one is absent its tests are
skipped with a word. A failure here is news: the vendor has added something, and somebody has to say what it means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import pytest
from test_platforms import NOW, apps

from fakes.company import fake_of
from fakes.pulling import QuickClock, Workbook
from fakes.server import Reply, Request
from tidings.connectors.stripe import endpoints as stripe_endpoints
from tidings.connectors.stripe.records import NEVER_KEPT
from tidings.connectors.stripe.source import VERSION
from tidings.feeds.enums import google_play as google_play_enums
from tidings.feeds.enums import search_console as search_console_enums
from tidings.feeds.enums import stripe as stripe_enums
from tidings.feeds.enums.ga4 import TRUNCATIONS
from tidings.feeds.enums.search_console import spelt
from tidings.sample.platforms import platforms

Description = Mapping[str, Any]
_GOOGLE = (
    "searchconsole.v1",
    "analyticsdata.v1beta",
    "storage.v1",
    "playdeveloperreporting.v1beta1",
    "androidpublisher.v3",
)
_KINDS = {
    "search_console": ("searchconsole.v1",),
    "ga4": ("analyticsdata.v1beta",),
    "google_play": ("storage.v1", "playdeveloperreporting.v1beta1", "androidpublisher.v3"),
}
# Answers of other forms, or spelt otherwise than the documents say.
_TOKENS = "/token"


@pytest.fixture(scope="module")
def google() -> dict[str, Description]:
    """The discovery documents by name and version."""
    package = pytest.importorskip(
        "googleapiclient", reason="no google-api-python-client (extra `descriptions`): Google's documents not compared"
    )
    folder = resources.files(package) / "discovery_cache" / "documents"
    return {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in _GOOGLE}


def methods(document: Description) -> Iterator[Description]:
    """All methods of a document."""
    for resource in document.get("resources", {}).values():
        yield from resource.get("methods", {}).values()
        yield from methods(resource)


def matching(documents: Sequence[Description], request: Request) -> tuple[Description, Description]:
    """The document and method that a request is of."""
    for document in documents:
        for method in methods(document):
            path = "/" + document.get("servicePath", "") + method.get("flatPath", method["path"])
            form = re.sub(r"\\\{[^}]+\\\}", r"[^/:]+", re.escape(path))
            # A name of several parts stands for several segments.
            form = re.sub(r"\\\{\+[^}]+\\\}", r".+", form)
            if method["httpMethod"] == request.method and re.fullmatch(form, request.path):
                return document, method
    raise AssertionError(f"{request.method} {request.path} is in no document")


def unknown(document: Description, schema: Description, value: Any, where: str) -> Iterator[str]:
    """Fields and values that a document does not know, and values of another type."""
    schema = document["schemas"][schema["$ref"]] if "$ref" in schema else schema
    kind = schema.get("type")
    if kind == "object" and isinstance(value, Mapping):
        known = schema.get("properties", {})
        for name, inner in value.items():
            if name in known:
                yield from unknown(document, known[name], inner, f"{where}.{name}")
            elif "additionalProperties" not in schema:
                yield f"{where}.{name}"
    elif kind == "array" and isinstance(value, list):
        for inner in value:
            yield from unknown(document, schema["items"], inner, f"{where}[]")
    elif "enum" in schema:
        if spelt(value) not in {spelt(each) for each in schema["enum"]}:
            yield f"{where} = {value}"
    elif kind == "string" and not isinstance(value, str) and schema.get("format") not in ("int64", "uint64"):
        # Whole numbers of 64 bits are texts, but may be sent as numbers.
        yield f"{where} is no text"


@pytest.mark.parametrize("kind", _KINDS)
def test_google_knows_what_is_asked_and_the_fakes_answer_in_its_form(
    kind: str, google: dict[str, Description], tmp_path: Path
) -> None:
    documents = [google[name] for name in _KINDS[kind]]
    clock = QuickClock(NOW)
    fake: Any = fake_of(kind, platforms()[kind].reported(apps()), clock.epoch)
    answered: list[tuple[Request, Reply]] = []
    response = fake.response

    def remembered(request: Request) -> Any:
        reply, fault = response(request)
        answered.append((request, reply))
        return reply, fault

    fake.response = remembered
    with fake.running():
        workbook = Workbook(tmp_path, fake.table(), fake.environment("api"))
        assert workbook.check(NOW) == []
        workbook.pull(NOW, clock)
    found = set()
    for request, reply in answered:
        if request.path.endswith(_TOKENS):
            continue
        document, method = matching(documents, request)
        known = {*method.get("parameters", {}), *document.get("parameters", {})}
        found |= {f"{method['id']} parameter {name}" for name in request.query if name not in known}
        if request.body:
            found |= set(unknown(document, method["request"], request.json(), method["request"]["$ref"]))
        if "alt" not in request.query and reply.status == 200:
            said = json.loads(reply.bytes())
            found |= set(unknown(document, method["response"], said, method["response"]["$ref"]))
    assert found == set()


def test_googles_enumerations_are_ours(google: dict[str, Description]) -> None:
    schemas = google["searchconsole.v1"]["schemas"]
    asked = schemas["SearchAnalyticsQueryRequest"]["properties"]

    def said(schema: Description) -> set[str]:
        return {spelt(each) for each in schema["enum"]} - {"datastateunspecified"}

    assert said(schemas["WmxSite"]["properties"]["permissionLevel"]) == set(search_console_enums.PERMISSIONS)
    assert said(asked["type"]) == {spelt(each) for each in search_console_enums.SEARCH_TYPES}
    assert said(asked["dataState"]) == {spelt(each) for each in search_console_enums.DATA_STATES}
    reasons = google["analyticsdata.v1beta"]["schemas"]["DataTruncationReason"]["properties"]["dataTruncationType"]
    assert set(reasons["enum"]) == set(TRUNCATIONS)
    metadata = google["analyticsdata.v1beta"]["schemas"]["ResponseMetaData"]["properties"]
    # All that Google may say of its figures, and what is done with it: new words are to be read.
    reported = {
        "subjectToThresholding",
        "dataLossFromOtherRow",
        "samplingMetadatas",
        "dataTruncationReasons",
        "timeZone",
    }
    of_no_use = {"currencyCode", "emptyReason", "schemaRestrictionResponse"}
    assert set(metadata) == reported | of_no_use
    sets = json.dumps(google["playdeveloperreporting.v1beta1"])
    assert all(f"`{rate}`" in sets for rate in google_play_enums.CRASH_AND_ANR.values())


@pytest.fixture(scope="module")
def stripe() -> Any:
    """The official client, whose types say what the API may send."""
    return pytest.importorskip("stripe", reason="no stripe (extra `dev`): Stripe's types not compared")


def literals(annotation: Any) -> set[str]:
    """The texts that a type lists."""
    args = get_args(annotation)
    return {arg for arg in args if isinstance(arg, str)}.union(*(literals(arg) for arg in args))


def test_the_version_that_is_asked_for_is_the_one_of_the_types(stripe: Any) -> None:
    assert stripe.api_version == VERSION, "read the client's list of changes, then ask for its version"


@pytest.mark.parametrize(
    ("endpoint", "name", "added"),
    [
        ("BALANCE", "BalanceTransaction", ()),
        ("REFUNDS", "Refund", ()),
        ("SUBSCRIPTIONS", "Subscription", ("tiers", "coupons", "trial_offers", "asked_at")),
        ("INVOICES", "Invoice", ()),
    ],
)
def test_every_field_of_stripe_is_read_or_left_out_on_purpose(
    stripe: Any, endpoint: str, name: str, added: tuple[str, ...]
) -> None:
    ours = getattr(stripe_endpoints, endpoint)
    theirs = {each for each in getattr(stripe, name).__annotations__ if not each.startswith("_") and each.islower()}
    known = {*ours.fields, *ours.optional, *ours.forget} - set(added)
    assert theirs - known - NEVER_KEPT - {"deleted"} == set(), "new fields"
    assert known - theirs == set(), "fields that there are no more"


def test_what_stripes_items_and_pauses_say_is_read_or_left_out_on_purpose(stripe: Any) -> None:
    item = set(stripe.SubscriptionItem.__annotations__)
    read = {"id", "object", "created", "current_trial", "discounts", "price", "quantity"}
    of_no_use = {"billed_until", "billing_thresholds", "current_period_end", "current_period_start", "deleted", "plan"}
    of_no_use |= {"metadata", "subscription", "tax_rates"}
    assert {name for name in item if not name.startswith("_") and name.islower()} == read | of_no_use
    assert set(stripe.SubscriptionItem.CurrentTrial.__annotations__) == {"start_date", "end_date", "trial_offer"}
    assert "price" in stripe.product_catalog.TrialOffer.__annotations__
    paused = stripe.Subscription.StatusDetails.Paused
    assert {"subscription", "transitioned_at", "type"} <= set(paused.__annotations__)
    assert literals(paused.Subscription.__annotations__["type"]) == set(stripe_enums.PAUSE_REASONS)


@pytest.mark.parametrize(
    ("path", "field", "ours"),
    [
        ("Subscription", "status", stripe_enums.SUBSCRIPTION_STATUSES),
        ("Subscription.CancellationDetails", "reason", (*stripe_enums.CANCELLATION_REASONS,)),
        ("Invoice", "status", stripe_enums.INVOICE_STATUSES),
        ("Invoice", "billing_reason", stripe_enums.BILLING_REASONS),
        ("Invoice.AutomaticTax", "status", stripe_enums.TAX_STATUSES),
        ("Price", "billing_scheme", stripe_enums.BILLING_SCHEMES),
        ("Price", "tiers_mode", stripe_enums.TIERS_MODES),
        ("Price.Recurring", "interval", stripe_enums.INTERVALS),
        ("Price.Recurring", "usage_type", stripe_enums.USAGE_TYPES),
    ],
)
def test_stripes_enumerations_are_ours(stripe: Any, path: str, field: str, ours: Any) -> None:
    of: Any = stripe
    for name in path.split("."):
        of = getattr(of, name)
    assert literals(of.__annotations__[field]) == set(ours)


def test_stripe_knows_the_lists_and_what_they_are_asked(stripe: Any) -> None:
    paths = [
        each.class_url() for each in (stripe.BalanceTransaction, stripe.Refund, stripe.Subscription, stripe.Invoice)
    ]
    assert paths == ["/v1/balance_transactions", "/v1/refunds", "/v1/subscriptions", "/v1/invoices"]
    assert stripe.product_catalog.TrialOffer.class_url() == "/v1/product_catalog/trial_offers"
    asked = stripe.params.SubscriptionListParams.__annotations__
    assert {"status", "limit", "starting_after", "expand"} <= set(asked) and "all" in str(asked["status"])
    for name in ("BalanceTransactionListParams", "RefundListParams"):
        known = getattr(stripe.params, name).__annotations__
        assert {"created", "limit", "starting_after"} <= set(known), name
