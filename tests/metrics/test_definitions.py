"""What each metric counts: rows in, one number out, the reason beside each row."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from mart_rows import mart, value

from tidings.errors import MetricError
from tidings.metrics.health import Component, health_score
from tidings.metrics.metric import Metric, Thresholds
from tidings.metrics.registry import get, leaves, registry
from tidings.query.aggregate import aggregate, limited

HITS = [
    {"visitor_id": "a"},
    {"visitor_id": "a"},  # the same visitor again
    {"visitor_id": "b", "kind": "event", "event": "signup"},  # saw no page
    {"visitor_id": "c", "is_bot": True},  # a bot is in no visitor metric
    {"visitor_id": ""},  # no visitor (C6), but a page view
    {"visitor_id": None},
]
VISITS = [
    {"pageviews": 1, "is_bounce": True, "duration_s": 0.0},
    {"pageviews": 3, "is_bounce": False, "duration_s": 90.0, "converted": True},
    {"pageviews": 0, "is_visit": False, "is_bounce": False, "duration_s": 600.0},  # saw no page: in no visit metric
]
MOVES = [
    {"order_id": "1", "net": 100, "customer_id": "a", "fee": 3, "units": 2},
    {"order_id": "2", "net": 50, "customer_id": "b", "fee": 1},
    {"order_id": "3", "net": 70, "status": "pending", "customer_id": "c"},  # not settled
    {"order_id": "4", "net": 80, "status": "failed", "customer_id": "d"},  # nothing moved
    {"order_id": "1", "net": 30, "type": "refund", "customer_id": "a"},
    {"order_id": "5", "net": 5, "type": "chargeback", "customer_id": "e"},
    {"order_id": "6", "net": 500, "type": "payout", "fee": 2},  # neither revenue nor cost
]
ORDERS = [
    {"customer_id": "a", "is_first": True},
    {"customer_id": "a"},  # new in this window, although it bought twice
    {"customer_id": "b"},  # bought before
    {"customer_id": "b", "gross": 10, "refunded": 10},  # fully refunded: an order, but not a repeat one
    {"customer_id": None, "is_first": None},  # nobody's
]
REQUESTS = [
    {"latency_ms": 500.0, "cost": "0.5", "tokens_in": 3, "tokens_out": 4, "response_bytes": 10},  # satisfied, bound in
    {"latency_ms": 2000.0, "cost": "1.5"},  # tolerating, bound in
    {"latency_ms": 2000.1},  # frustrated
    {"latency_ms": 10.0, "is_error": True, "status": 500},  # fast, but an error
    {"latency_ms": None, "is_client_error": True, "status": 404},  # a log line: no latency, no error
]


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("visitors", HITS, 1),
        ("pageviews", HITS, 4),
        ("events", HITS, 5),
        ("bot_hits", HITS, 1),
        ("bot_share", HITS, 1 / 6),
        ("time_on_page", [{"seconds_to_next_view": 30.0}, {"seconds_to_next_view": None}], 30.0),
        ("sessions", VISITS, 3),
        ("visits", VISITS, 2),
        ("bounce_rate", VISITS, 0.5),
        ("visit_duration", VISITS, 45.0),
        ("views_per_visit", VISITS, 2.0),
        ("visit_conversion", VISITS, 0.5),
        ("gross_revenue", MOVES, 150),
        ("refunds", MOVES, 30),
        ("chargebacks", MOVES, 5),
        ("net_revenue", MOVES, 115),
        ("pending", MOVES, 70),
        ("fees", MOVES, 6),
        ("units", MOVES, 3),
        ("order_documents", MOVES, 6),
        ("customers", MOVES, 3),
        ("average_order_value", MOVES, 57.5),
        ("orders", ORDERS, 5),
        ("buyers", ORDERS, 2),
        ("new_customers", ORDERS, 1),
        ("returning_customers", ORDERS, 1),
        ("repeat_rate", ORDERS, 0.5),
        ("requests", REQUESTS, 5),
        ("errors", REQUESTS, 1),
        ("error_rate", REQUESTS, 0.2),
        ("availability", REQUESTS, 0.8),
        ("client_errors", REQUESTS, 1),
        ("apdex", REQUESTS, 1.5 / 4),
        ("latency_p50", REQUESTS, 1250.0),  # errors included, the log line not: (500 + 2000) / 2
        ("request_cost", REQUESTS, 2),
        ("cost_per_request", REQUESTS, 1.0),
        ("tokens", REQUESTS, 7),
        ("response_bytes", REQUESTS, 10),
    ],
)
def test_value(name: str, rows: list[dict[str, Any]], expected: float) -> None:
    assert value(name, rows) == pytest.approx(expected)


def test_no_rows_give_zero_counts_and_null_ratios() -> None:
    # C11: counts and sums are 0, everything that divides or ranks is null. Every metric is asked.
    expected = {"flow": 0, "distinct": 0, "stock": None, "ratio": None, "quantile": None}
    for name, metric in registry().items():
        if metric.mart:
            assert value(name, []) == expected[metric.kind], name


def test_a_ratio_is_the_sum_over_the_sum() -> None:
    # The mean of the two services' rates would be 0.55.
    rows = [{"service": "a", "is_error": True}] + [{"service": "b", "is_error": n == 0} for n in range(10)]
    assert value("error_rate", rows) == pytest.approx(2 / 11)


def test_slots_that_were_down() -> None:
    # 12:00 two of four failed: not fewer than half, down. 12:05 one of three: up. 12:10 two requests say too little.
    def request(minute: int, error: bool) -> dict[str, Any]:
        return {"ts": datetime(2026, 6, 1, 12, minute), "is_error": error}

    down = [request(0, True), request(1, True), request(2, False), request(4, False)]
    rows = [*down, request(5, True), request(6, False), request(9, False), request(10, True), request(11, True)]
    assert value("uptime_observed", rows) == pytest.approx(0.5)
    assert value("uptime_observed", [request(10, True)]) is None


def test_money_without_a_rate_is_left_out_and_never_zero() -> None:
    usd = {"order_id": "2", "net": 50, "currency": "USD", "fx": "0.5"}
    unknown = {"order_id": "3", "net": 1000, "currency": "XXX", "fx": None}
    assert value("net_revenue", [{"order_id": "1", "net": 10}, usd, unknown]) == Decimal(35)
    # An order that cannot be converted is in neither part of the ratio.
    assert value("average_order_value", [{"order_id": "1", "net": 10}, usd, unknown]) == 17.5
    assert value("net_revenue", [unknown]) is None


def test_money_is_exact() -> None:
    # Ten times 0.1 is 1 and not 0.9999999999999999; a rate of 12 decimals keeps them all.
    assert value("gross_revenue", [{"order_id": str(n), "net": "0.1"} for n in range(10)]) == Decimal(1)
    assert value("gross_revenue", [{"net": "3", "fx": "0.333333333333"}]) == Decimal("0.999999999999")


def test_percentiles_interpolate() -> None:
    # Type 7: h = 3 x 0.9 = 2.7 between 30 and 40; n = 1 gives the value.
    rows = [{"latency_ms": float(v)} for v in (40, 10, 30, 20)]
    assert value("latency_p90", rows) == pytest.approx(37.0)
    assert value("latency_p99", rows[:1]) == 40.0


def test_web_vitals_are_good_up_to_the_bound() -> None:
    rows = [{"value": 2500.0}, {"value": 2500.1}, {"metric": "CLS", "value": 0.1}]
    assert value("lcp_good_share", rows) == 0.5
    assert value("cls_good_share", rows) == 1.0
    # p75 of LCP lies above 2,500: the page does not pass; a page without CLS is left out.
    assert value("pages_passing", [*rows, {"path": "/other", "value": 1.0}]) == 0.0
    passing = [{"path": "/fast", "value": 2500.0}, {"path": "/fast", "metric": "CLS", "value": 0.1}]
    assert value("pages_passing", [*rows, *passing]) == 0.5
    slow = {"path": "/fast", "metric": "INP", "value": 200.1}
    assert value("pages_passing", [*rows, *passing, slow]) == 0.0


@pytest.mark.parametrize(
    ("p75", "expected"),
    [
        ({"lcp_p75": 2500.0, "inp_p75": 200.0, "cls_p75": 0.1}, 1),
        ({"lcp_p75": 2500.0, "inp_p75": None, "cls_p75": 0.1}, 1),  # INP may lack samples
        ({"lcp_p75": 2500.0, "inp_p75": 200.0, "cls_p75": None}, None),  # CLS may not
        ({"lcp_p75": 2500.1, "inp_p75": 200.0, "cls_p75": 0.1}, 0),
    ],
)
def test_core_web_vitals_pass(p75: dict[str, float | None], expected: int | None) -> None:
    metric = get("core_web_vitals")
    assert metric.combine is not None
    assert metric.combine(p75, None) == expected  # type: ignore[arg-type]


def test_health_is_a_weighted_mean_of_what_is_known() -> None:
    components = (
        Component("rate", best=0.0, worst=0.1, weight=3),  # lower is better
        Component("share", best=1.0, worst=0.5, weight=1),
        Component("other", best=1, worst=0, weight=2),
    )
    assert health_score({"rate": 0.05, "share": 1.2, "other": None}, components) == pytest.approx(100 * 2.5 / 4)
    # Three of six weigh half: enough. One or two of six are too little to speak for the rest.
    assert health_score({"rate": 0.2}, components) == 0.0
    assert health_score({"share": 1.2}, components) is None
    assert health_score({"other": 1}, components) is None
    assert health_score({}, components) is None


def test_a_condition_limits_every_part_of_an_aggregate() -> None:
    table = mart("fct_requests", REQUESTS)
    ratio = table.latency_ms.sum(where=table.is_error) / table.count()
    alone = table.filter(table.latency_ms < 2000)
    expected = alone.latency_ms.sum(where=alone.is_error) / alone.count()
    found = table.aggregate(x=limited(ratio, table.latency_ms < 2000)).to_pyarrow().to_pylist()
    assert found == alone.aggregate(x=expected).to_pyarrow().to_pylist() == [{"x": 5.0}]


def test_a_condition_leaves_aggregates_inside_the_rows_alone() -> None:
    # The rows are customers with their orders counted; limiting customers must not limit the orders counted.
    orders = mart("fct_orders", ORDERS)
    customers = orders.group_by("customer_id").aggregate(n=orders.count())
    found = customers.aggregate(x=limited(customers.n.sum(), customers.customer_id == "a")).to_pyarrow().to_pylist()
    assert found == [{"x": 2}]


def test_metrics_of_one_mart_share_a_pass() -> None:
    names = ("visits", "bounce_rate", "views_per_visit", "sessions")
    found = aggregate(mart("fct_sessions", VISITS), [get(name) for name in names]).to_pyarrow().to_pylist()[0]
    assert [found[name] for name in names] == [2, 0.5, 2.0, 3]
    assert (found["rows_behind_visits"], found["rows_behind_sessions"]) == (2, 3)


@pytest.mark.parametrize("name", ["visitors", "bounce_rate", "latency_p95"])
def test_only_flows_may_be_summed(name: str) -> None:
    metric = get(name)
    with pytest.raises(MetricError) as refused:
        metric.require_additive("days")
    assert str(refused.value).startswith(f"{metric.title} ({name}) cannot be summed over days: ")
    assert f'book.value("{name}")' in str(refused.value)
    get("visits").require_additive("days")


def test_every_metric_says_what_a_reader_needs() -> None:
    for metric in registry().values():
        for text in (metric.definition, metric.caveat, metric.action):
            assert text[:1].isupper() or text[:1].isdigit() or text[:1] == "(", metric.name
            assert text.endswith((".", "?")), (metric.name, text)
        assert metric.owner and metric.title and metric.section, metric.name


def test_a_mistyped_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(MetricError, match=r"There is no metric 'net_revenu'. Did you mean 'net_revenue'?"):
        get("net_revenu")


def test_leaves_are_found_through_inputs() -> None:
    assert [leaf.name for leaf in leaves(get("dau_mau"))] == ["dau", "mau"]
    assert all(leaf.mart for leaf in leaves(get("health_score")))


def test_a_metric_reads_a_mart_or_other_metrics() -> None:
    with pytest.raises(MetricError, match="either mart and value, or inputs and combine"):
        Metric(name="x", title="X", kind="flow", unit="count", definition="X.")


@pytest.mark.parametrize(
    ("better", "number", "expected"),
    [("lower", 2500, "good"), ("lower", 4000, "warn"), ("lower", 4001, "bad"), ("lower", None, "none")],
)
def test_status_includes_its_bounds(better: Any, number: float | None, expected: str) -> None:
    metric = Metric(
        name="x", title="X", kind="quantile", unit="ms", definition="X.", mart="m", value=lambda t: t.count(),
        better=better, thresholds=Thresholds(good=2500, warn=4000),
    )  # fmt: skip
    assert metric.status(number) == expected
