"""RevenueCat: requests, landed rows, and what happens when something goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.pulling import QuickClock, Workbook
from fakes.revenuecat import KEY, PROJECT, FakeRevenueCat
from fakes.server import Request, route
from tidings.connectors.revenuecat.records import instant, parse_point, points
from tidings.errors import SettingsError, SourceError
from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options
from tidings.sample.platforms import platforms
from tidings.sources.records import UnusableError

CUSTOMER = "anna@example.com"


def point(day: int, value: Any, chart: str = "mrr", **more: Any) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "chart": chart,
        "ts": datetime(2026, 11, day),
        "measure": chart.upper(),
        "position": 0,
        "dimension": "all",
        "segment": "all",
        "value": Decimal(str(value)) if isinstance(value, int | float) else value,
        "unit": "$",
        "currency": "EUR",
        "is_incomplete": False,
        **more,
    }


def customer(number: int, name: str = "") -> dict[str, Any]:
    seen = datetime(2026, 1, 1, number)
    return {
        "project": PROJECT,
        "customer": name or f"user-{number}@example.com",
        "ts": seen,
        "last_seen": seen,
        "country": "DE",
        "platform": "iOS",
        "app_version": "3.2.0",
    }


def subscription(name: str, of: str, **more: Any) -> dict[str, Any]:
    return {
        "project": PROJECT,
        "subscription": name,
        "customer": of,
        "ts": datetime(2026, 1, 1),
        "period_ends": datetime(2026, 12, 1),
        "ends": None,
        "product": "prod1",
        "store": "app_store",
        "country": "DE",
        "status": "active",
        "renewal": "will_renew",
        "gives_access": True,
        "environment": "production",
        "ownership": "purchased",
        "gross": Decimal("59.9"),
        "proceeds": Decimal("41.93"),
        "currency": "USD",
        **more,
    }


def overview(day: int, metric: str, value: int) -> dict[str, Any]:
    at = datetime(2026, 11, day, 16)
    return {
        "project": PROJECT,
        "ts": datetime(2026, 11, day),
        "metric": metric,
        "value": Decimal(value),
        "unit": "#",
        "period": "P0D",
        "currency": "EUR",
        "computed_at": at,
    }


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def fake(clock: QuickClock) -> Iterator[FakeRevenueCat]:
    """Three days of recurring revenue, the last of them yesterday."""
    rows = {"revenuecat_charts": [point(17, 100), point(18, 110.5), point(19, 120)]}
    fake = FakeRevenueCat(rows, epoch=clock.epoch)
    # Each pull of a test has a clock of its own: together they would run into the limit.
    fake.limit = None
    with fake.running():
        yield fake


def book(root: Path, fake: FakeRevenueCat, **options: Any) -> Workbook:
    return Workbook(root, {**fake.table(), "charts": ["mrr"], **options}, fake.environment("api"))


def mrr(book: Workbook) -> list[tuple[int, float]]:
    return sorted((ts.day, float(value)) for ts, value in book.rows("mrr", "ts", "value"))


def asked(fake: FakeRevenueCat, what: str) -> list[Request]:
    return [request for request in fake.asked if what in request.path]


ALL_DAYS = [(17, 100.0), (18, 110.5), (19, 120.0)]


# What is landed


def test_what_the_sample_reports_is_what_a_pull_lands(tmp_path: Path) -> None:
    now = datetime(2026, 7, 1, 3, tzinfo=UTC)
    rows = platforms()["revenuecat"].reported(Apps(Company(Options(size=0.05, end=date(2026, 7, 1), days=40))))
    clock = QuickClock(now)
    fake = FakeRevenueCat(rows, epoch=clock.epoch)
    with fake.running():
        book = Workbook(tmp_path, fake.table(), fake.environment("api"))
        book.pull(now, clock)
    columns = ("chart", "ts", "measure", "position", "value", "unit", "currency", "is_incomplete")
    landed = [
        row for chart in {row["chart"] for row in rows["revenuecat_charts"]} for row in book.rows(chart, *columns)
    ]
    assert len(landed) == 40 * 12
    assert set(landed) == {tuple(row[name] for name in columns) for row in rows["revenuecat_charts"]}


@pytest.mark.whole_history
def test_a_pull_asks_for_a_chart_once_and_by_day(fake: FakeRevenueCat, tmp_path: Path) -> None:
    book(tmp_path, fake).pull()
    (request,) = asked(fake, "charts/mrr")
    assert dict(request.query) == {
        "resolution": "0",
        "start_date": "2025-11-20",
        # One day more than needed: whether the last one is included is not documented.
        "end_date": "2026-11-20",
        "currency": "EUR",
    }


@pytest.mark.parametrize("inclusive", [True, False])
@pytest.mark.parametrize("seconds", [True, False])
@pytest.mark.parametrize("lists", [True, False])
def test_every_documented_shape_of_a_chart_lands_the_same(
    fake: FakeRevenueCat, tmp_path: Path, *, inclusive: bool, seconds: bool, lists: bool
) -> None:
    fake.inclusive, fake.seconds, fake.lists = inclusive, seconds, lists
    # Today is reported as well if the last day is included; it is not over.
    fake.rows["revenuecat_charts"].append(point(20, 3, is_incomplete=True))
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert mrr(workbook) == ALL_DAYS
    assert set(workbook.rows("mrr", "measure", "unit", "currency")) == {("MRR", "$", "EUR")}
    assert workbook.rejected("mrr") == []


def test_a_second_pull_asks_only_for_the_days_that_can_change(fake: FakeRevenueCat, tmp_path: Path) -> None:
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.asked.clear()
    workbook.pull(datetime(2026, 11, 20, 20, tzinfo=UTC))
    (request,) = asked(fake, "charts/mrr")
    assert request.query["start_date"] == "2026-10-16"  # 35 days before


def test_a_restated_day_replaces_what_was_reported(fake: FakeRevenueCat, tmp_path: Path) -> None:
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.rows["revenuecat_charts"][1] = point(18, 99)
    done = workbook.pull()
    assert mrr(workbook) == [(17, 100.0), (18, 99.0), (19, 120.0)]
    assert [pulled.restated for pulled in done if pulled.endpoint == "mrr"] == [1]


def test_a_day_that_is_not_reported_yet_is_not_zero(fake: FakeRevenueCat, tmp_path: Path) -> None:
    late = fake.rows["revenuecat_charts"].pop()
    workbook = book(tmp_path, fake)
    messages = [message for pulled in workbook.pull() for message in pulled.messages]
    assert messages == ["2026-11-19 is not available yet: it will be requested again."]
    assert mrr(workbook) == ALL_DAYS[:2]
    fake.rows["revenuecat_charts"].append(late)
    workbook.pull()
    assert mrr(workbook) == ALL_DAYS


def test_a_response_without_any_day_changes_nothing(fake: FakeRevenueCat, tmp_path: Path) -> None:
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.rows["revenuecat_charts"].clear()
    fake.rows["revenuecat_overview"] = [overview(20, "mrr", 1)]
    workbook.pull()
    assert mrr(workbook) == ALL_DAYS


def test_an_incomplete_day_says_so(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.rows["revenuecat_charts"][2]["is_incomplete"] = True
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert [row[1] for row in sorted(workbook.rows("mrr", "ts", "is_incomplete"))] == [False, False, True]


def test_a_split_chart_lands_its_parts_and_not_their_total(fake: FakeRevenueCat, tmp_path: Path) -> None:
    for store, value in (("App Store", 70), ("Play Store", 50)):
        fake.rows["revenuecat_charts"].append(point(19, value, dimension="store", segment=store))
    workbook = book(tmp_path, fake)
    workbook.pull()
    found = {(dimension, segment) for dimension, segment in workbook.rows("mrr", "dimension", "segment")}
    assert found == {("all", "all"), ("store", "App Store"), ("store", "Play Store")}
    assert mrr(workbook) == [(17, 100.0), (18, 110.5), (19, 50.0), (19, 70.0), (19, 120.0)]


def test_countries_reported_by_name_are_those_that_others_report_by_code(fake: FakeRevenueCat, tmp_path: Path) -> None:
    for number, country in enumerate(("Germany", "South Korea", "US", "Other", "Türkiye", "TUR")):
        fake.rows["revenuecat_charts"].append(point(19, number, dimension="country", segment=country))
    workbook = book(tmp_path, fake)
    workbook.pull()
    rows = workbook.rows("mrr", "dimension", "segment", "value")
    assert {segment: value for dimension, segment, value in rows if dimension == "country"} == {
        "DE": 0,
        "KR": 1,
        "US": 2,
        "Other": 3,
        # Two that would become one: neither may hide the other.
        "Türkiye": 4,
        "TUR": 5,
    }


def test_the_overview_is_kept_once_per_day(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.rows["revenuecat_overview"] = [overview(20, "active_subscriptions", 7)]
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.rows["revenuecat_overview"][0]["value"] = Decimal(8)
    workbook.pull()
    fake.rows["revenuecat_overview"][0]["value"] = Decimal(9)
    workbook.pull(datetime(2026, 11, 21, 5, tzinfo=UTC))
    found = sorted(workbook.rows("overview", "ts", "metric", "value", "computed_at"))
    computed = datetime(2026, 11, 20, 16)
    assert found == [
        # Requested twice on this day: the later response counts.
        (datetime(2026, 11, 20), "active_subscriptions", Decimal(8), computed),
        (datetime(2026, 11, 21), "active_subscriptions", Decimal(9), computed),
    ]


# Customers and subscriptions


def listed(fake: FakeRevenueCat) -> None:
    fake.rows["revenuecat_customers"] = [customer(0, CUSTOMER), *(customer(number) for number in range(1, 5))]
    fake.rows["revenuecat_subscriptions"] = [
        subscription("sub-1", CUSTOMER),
        subscription("sub-2", "user-4@example.com"),
        subscription("sub-3", CUSTOMER, environment="sandbox"),
    ]


def test_lists_are_read_page_by_page_and_nobody_is_named(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    fake.page_rows = 2
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert len(set(workbook.rows("customers", "customer"))) == 5
    # next_page is a path that begins with /v2 itself.
    assert {request.path for request in asked(fake, "customers")} >= {f"/v2/projects/{PROJECT}/customers"}
    assert sorted(workbook.rows("subscriptions", "subscription")) == [("sub-1",), ("sub-2",)]
    owners = dict(workbook.rows("subscriptions", "subscription", "customer"))
    assert set(owners.values()) < {name for (name,) in workbook.rows("customers", "customer")}
    everything = workbook.everything()
    for secret in ("@example.com", "canary-store-4711", KEY):
        assert secret not in everything


def test_a_list_that_changes_while_it_is_read_loses_nobody(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    fake.page_rows = 2

    class Moving(FakeRevenueCat):
        @route("GET", "/v2/projects/{project}/customers")
        def customers(self, request: Request) -> Any:
            page = super().customers(request)
            if "starting_after" not in request.query:
                # A new customer on top: the second page still begins after the last one of the first.
                self.rows["revenuecat_customers"].insert(0, customer(9))
            return page

    moving = Moving(fake.rows, epoch=fake.epoch)
    moving.limit = None
    moving.page_rows = 2
    with moving.running():
        workbook = book(tmp_path, moving, entities=["customers"])
        workbook.pull()
    assert len(set(workbook.rows("customers", "customer"))) == 5


def test_a_customer_deleted_while_the_list_is_read_has_no_subscriptions(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    fake.fail("user-1", 404, content={"object": "error", "type": "resource_missing", "retryable": False})
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert len(workbook.rows("subscriptions")) == 2


def test_customers_of_which_none_is_known_any_more_take_nothing_away(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    workbook = book(tmp_path, fake)
    workbook.pull()
    held = len(workbook.rows("subscriptions"))
    fake.fail("/subscriptions", 404, times=99, content={"object": "error", "type": "resource_missing"})
    with pytest.raises(SourceError, match=r"customers .* are said not to exist, though they are listed"):
        workbook.pull()
    assert held and len(workbook.rows("subscriptions")) == held


def test_an_unusable_customer_is_rejected(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    fake.fail("user-1", 422, content={"object": "error", "type": "unprocessable_entity_error", "retryable": False})
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert len(workbook.rows("subscriptions")) == 2
    ((_, record),) = workbook.rejected("subscriptions")
    assert '"status":422' in record and "user-1" not in record


def test_an_error_that_no_parser_takes_is_a_response_too(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.fail("/overview", 400, content=b"[" * 200_000)
    with pytest.raises(SourceError, match="answers 400"):
        book(tmp_path, fake).pull()


def test_a_list_that_goes_round_in_a_cycle_is_given_up(fake: FakeRevenueCat, tmp_path: Path) -> None:
    listed(fake)
    path = f"/v2/projects/{PROJECT}/customers"
    round_ = {"object": "list", "items": [], "next_page": f"{path}?starting_after=a"}
    fake.fail(f"{path}$", 200, times=9, content=round_)
    with pytest.raises(SourceError, match="repeat in a cycle"):
        book(tmp_path, fake, entities=["customers"]).pull()


# Limits and faults


def test_five_a_minute_are_kept_and_not_run_into(fake: FakeRevenueCat, clock: QuickClock, tmp_path: Path) -> None:
    fake.limit = FakeRevenueCat.limit
    charts = ["mrr", "revenue", "actives", "actives_new", "churn", "trials", "trials_new"]
    fake.rows["revenuecat_charts"] = [point(19, 1, chart) for chart in charts]
    book(tmp_path, fake, charts=charts).pull(clock=clock)
    # Overview and seven charts: five at once, three a minute later, none refused.
    assert len([request for request in fake.asked if fake.is_limited(request)]) == 8
    assert clock.waited == [61.0]


@pytest.mark.parametrize(
    ("body", "headers", "least", "most"),
    [
        ({"retryable": True}, {"Retry_After": "7"}, 7, 8),
        ({"retryable": True, "backoff_ms": 12000}, {}, 12, 13),
        # No wait is given: the limit is per minute.
        ({"retryable": True}, {}, 60, 61),
        ("busy", {}, 60, 61),
    ],
)
def test_a_limit_is_waited_out(
    fake: FakeRevenueCat,
    clock: QuickClock,
    tmp_path: Path,
    body: Any,
    headers: Mapping[str, str],
    least: float,
    most: float,
) -> None:
    fake.fail("charts/mrr", 429, content=body, **headers)
    workbook = book(tmp_path, fake)
    workbook.pull(clock=clock)
    assert mrr(workbook) == ALL_DAYS
    (waited,) = clock.waited
    assert least <= waited <= most


def test_a_lock_is_waited_for(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.fail("charts/mrr", 423, content={"object": "error", "type": "resource_locked_error", "retryable": True})
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert mrr(workbook) == ALL_DAYS


def test_an_error_that_says_it_will_stay_is_not_retried(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.fail("charts/mrr", 500, times=9, content={"message": "broken chart", "retryable": False})
    with pytest.raises(SourceError, match=r"mrr: .*500: broken chart"):
        book(tmp_path, fake).pull()
    assert len(asked(fake, "charts/mrr")) == 1


# Credentials


def test_a_missing_permission_is_named_and_stops_nothing_else(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.rows["revenuecat_overview"] = [overview(20, "mrr", 5)]
    fake.permissions.remove("charts")
    workbook = book(tmp_path, fake)
    with pytest.raises(SourceError, match="Give the key the permission charts_metrics:charts:read"):
        workbook.pull()
    assert len(workbook.rows("overview")) == 1
    (problem,) = workbook.check()
    assert "charts_metrics:charts:read" in problem


def test_a_key_that_may_not_list_projects_needs_one_named(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.permissions.remove("projects")
    with pytest.raises(SourceError, match=r"project_configuration:projects:read \(or name your project in projects\)"):
        book(tmp_path, fake).pull()
    workbook = book(tmp_path, fake, projects=[PROJECT])
    workbook.pull()
    assert mrr(workbook) == ALL_DAYS
    assert workbook.check() == []


def test_a_project_that_the_key_does_not_know_is_reported(fake: FakeRevenueCat, tmp_path: Path) -> None:
    (problem, *_) = book(tmp_path, fake, projects="proj9").check()
    assert "Compare projects in the settings" in problem


# Changed responses


def test_a_field_that_disappeared_is_named_and_old_rows_stay(fake: FakeRevenueCat, tmp_path: Path) -> None:
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.renamed = {"value": "amount"}
    with pytest.raises(SourceError, match="the field 'value' is missing"):
        workbook.pull()
    assert mrr(workbook) == ALL_DAYS
    kept = workbook.rejected("mrr")
    assert [reason for reason, _ in kept] == ["the field 'value' is missing"] * 3
    assert '"amount":100.0' in kept[0][1]


def test_a_value_of_another_type_is_rejected_alone(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.rows["revenuecat_charts"][1]["value"] = {"amount": 110.5}
    workbook = book(tmp_path, fake)
    (done,) = [pulled for pulled in workbook.pull() if pulled.endpoint == "mrr"]
    assert (done.rows, done.rejected) == (2, 1)
    assert workbook.rejected("mrr")[0][0].startswith("value: ")
    assert mrr(workbook) == [(17, 100.0), (19, 120.0)]


def test_a_value_that_is_not_reported_is_not_zero(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.rows["revenuecat_charts"][1]["value"] = None
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert sorted(workbook.rows("mrr", "ts", "value"))[1] == (datetime(2026, 11, 18), None)


def test_new_fields_are_kept_and_reported(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.added = {"forecast": 7}
    workbook = book(tmp_path, fake)
    messages = [message for pulled in workbook.pull() for message in pulled.messages]
    assert messages == ["mrr has new fields, kept as received: forecast."]
    assert all('"forecast":7' in record for (record,) in workbook.rows("mrr", "_record"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"unsupported_params": ["segment"]}, "does not support segment. Take it out of segments"),
        ({"unsupported_params": [{"name": "start_date"}]}, "does not support start_date"),
        ({"resolution": "month"}, "is by month, not by day"),
        ({"values": {"a": 1}}, "its 'values' is"),
        ({"values": [7]}, "'cohort' is missing"),
        ({"values": [{"cohort": True, "measure": 0, "value": 1}]}, "'True' is not a Unix time"),
        # 23:00 UTC is midnight in Berlin: days of another zone are not taken for days of UTC.
        ({"values": [{"cohort": 1795129200, "measure": 0, "value": 1}]}, "begins at 23:00 UTC"),
        ({"values": [{"cohort": 1795046400, "measure": 4, "value": 1}]}, "has no measure 4"),
        ({"yaxis_currency": None}, "does not say in which currency"),
    ],
)
def test_a_response_that_is_not_what_was_requested_is_rejected(
    fake: FakeRevenueCat, tmp_path: Path, more: Mapping[str, Any], said: str
) -> None:
    workbook = book(tmp_path, fake)
    workbook.pull()
    fake.more = dict(more)
    fake.rows["revenuecat_charts"].append(point(19, 1, dimension="store", segment="App Store"))
    with pytest.raises(SourceError) as raised:
        book(tmp_path, fake, segments=["store"]).pull()
    assert said in str(raised.value)
    assert mrr(workbook) == ALL_DAYS


def test_an_ignored_currency_is_taken_as_the_response_says(fake: FakeRevenueCat, tmp_path: Path) -> None:
    fake.more = {"unsupported_params": ["currency"], "yaxis_currency": "USD"}
    workbook = book(tmp_path, fake)
    workbook.pull()
    assert set(workbook.rows("mrr", "currency")) == {("USD",)}


# Settings


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("charts", ["mmr"], "charts names 'mmr'.*Did you mean 'mrr'"),
        ("segments", ["shop"], "segments names 'shop'"),
        ("entities", "invoices", "entities names 'invoices'"),
        ("currency", "CHF", "currency names 'CHF', which is not known here. Known: AUD, "),
    ],
)
def test_an_option_that_cannot_be_used_is_named(
    fake: FakeRevenueCat, tmp_path: Path, option: str, value: Any, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        _ = book(tmp_path, fake, **{option: value}).source


def test_a_currency_of_the_workbook_that_is_not_offered_becomes_dollars(fake: FakeRevenueCat, tmp_path: Path) -> None:
    table = {key: value for key, value in fake.table().items() if key != "currency"}
    workbook = Workbook(tmp_path, {**table, "charts": ["mrr"]}, fake.environment("api"))
    object.__setattr__(workbook.settings, "currency", "CHF")
    workbook.pull()
    assert asked(fake, "charts/mrr")[0].query["currency"] == "USD"


# Parsing


@given(st.integers(min_value=10**9, max_value=4 * 10**9))
def test_seconds_and_milliseconds_are_distinguished_by_size(seconds: int) -> None:
    assert instant(seconds) == instant(seconds * 1000) == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("value", [True, None, "", "yesterday", "2026-11-20", [], {}, 10**30, "NaN"])
def test_what_is_not_a_time_is_rejected(value: Any) -> None:
    with pytest.raises(UnusableError, match="is not a Unix time"):
        instant(value)


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=2), min_size=1, max_size=4))
def test_lists_and_objects_make_the_same_points(numbers: list[Decimal]) -> None:
    measures = [{"display_name": f"M{place}", "unit": "#"} for place in range(len(numbers))]
    said = {"measures": measures, "segments": None}
    objects = [{"cohort": 1795046400, "measure": place, "value": number} for place, number in enumerate(numbers)]
    added = {"project": "p", "chart": "trials", "dimension": "all", "yaxis": "#", "currency": None}
    rows = [
        [parse_point({**each, **added}) for each in points({**said, "values": values})]
        for values in (objects, [[1795046400, *numbers]])
    ]
    assert rows[0] == rows[1]
    assert [row["value"] for row in rows[0]] == numbers
