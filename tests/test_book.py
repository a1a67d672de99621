"""The book: figures of a small company whose every row is known, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tidings.book import Book
from tidings.errors import MetricError, TidingsError, UsageError, WarehouseError, WindowError
from tidings.landing.store import Span
from tidings.metrics.metric import Metric
from tidings.metrics.registry import registry
from tidings.metrics.result import Field
from tidings.settings import load_settings
from tidings.warehouse.build import build
from tidings.window import Window
from workbooks import land

PROJECT = '[tool.tidings]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\nfx = "fx.csv"\n'
RATES = "Date,USD,GBP\n2026-06-26,1.25,0.80\n2026-06-29,2.00,0.80\n"
UNTIL = datetime(2026, 6, 30, 22, tzinfo=UTC)
NO_RATE = "Amounts in XXX are left out: there is no exchange rate for 2026-06-30. fx.csv has none for XXX."


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}")


Rows = Sequence[Mapping[str, Any]]
Which = Callable[[], Mapping[str, Metric]]


def _one_of_each() -> dict[str, Metric]:
    """A metric of each kind, unit and mart: the others go the same way through the code."""
    found = {(each.kind, each.unit, each.mart): each for each in reversed(registry().values())}
    return {each.name: each for each in found.values()}


EACH = [_one_of_each, pytest.param(registry, marks=pytest.mark.proof)]


def _workbook(root: Path, **feeds: Rows) -> Path:
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "fx.csv").write_text(RATES)
    for feed, rows in feeds.items():
        land(load_settings(root), feed, rows, source="shop", complete_until=UNTIL)
    build(load_settings(root))
    return root


ORDERS: Rows = [
    # Failed, so in no metric: the data begins with it, in time for all that is compared.
    {"order_id": "o0", "amount": 1, "status": "failed", "fee": 0, "ts": utc("02-01T10:00")},
    # Berlin is two hours ahead: 22:30 UTC on the 31st of May is the 1st of June there.
    {"order_id": "o1", "amount": 119, "tax": 19, "customer_id": "a", "country": "DE", "ts": utc("05-31T22:30")},
    {"order_id": "o2", "amount": 50, "customer_id": "a", "country": "DE", "ts": utc("06-10T10:00")},
    {"order_id": "o3", "amount": 30, "customer_id": "b", "country": "FR", "ts": utc("06-10T11:00"), "line_id": "1"},
    {"order_id": "o3", "amount": 20, "customer_id": "b", "country": "FR", "ts": utc("06-10T11:00"), "line_id": "2"},
    # Refunded a month after: May keeps its revenue, June bears the refund.
    {"order_id": "o4", "amount": 40, "customer_id": "c", "country": "AT", "ts": utc("05-20T10:00")},
    {"order_id": "r4", "type": "refund", "refund_of": "o4", "amount": 40, "customer_id": "c", "country": "AT",
     "ts": utc("06-20T10:00"), "_record": "r4;refund;40"},
    {"order_id": "o5", "amount": 10, "currency": "USD", "customer_id": "d", "country": "US", "ts": utc("06-21T10:00")},
    {"order_id": "o6", "amount": 999, "currency": "XXX", "customer_id": "e", "country": "US",
     "ts": utc("06-22T10:00")},
    # At 22:00 UTC it is the 1st of July in Berlin: after the window, and after as_of.
    {"order_id": "o7", "amount": 1000, "customer_id": "f", "country": "DE", "ts": utc("06-30T22:00")},
]  # fmt: skip


def _hit(ts: str, visitor: str, event: str = "pageview", **more: Any) -> dict[str, Any]:
    return {"ts": utc(ts), "visitor_id": visitor, "event": event, "user_id": visitor, "channel": "Direct", **more}


EVENTS: Rows = [
    {**_hit("02-01T10:00", "bot", path="/", is_bot=True), "user_id": None},
    _hit("06-01T10:00", "v1", path="/"),
    _hit("06-01T10:05", "v1", "purchase", channel=None),
    _hit("06-01T10:06", "v1", "purchase", channel=None),  # the same visit converts once
    _hit("06-02T10:00", "v1", path="/"),  # the same visitor on another day
    _hit("06-02T11:00", "v2", path="/", channel="Email"),
    _hit("06-02T11:10", "v2", path="/a", channel="Email"),
    _hit("06-30T21:58", "v3", path="/", channel=None),
    _hit("06-15T10:00", "bot", path="/", is_bot=True),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _workbook(tmp_path_factory.mktemp("shop"), orders=ORDERS, events=EVENTS)


@pytest.fixture
def june(shop: Path) -> Book:
    """The 30 days of June, compared with the 30 days before."""
    return Book.open(root=shop, days=30)


def test_the_window_is_the_complete_local_days_before_as_of(june: Book) -> None:
    assert (june.window.start, june.window.last_day) == (date(2026, 6, 1), date(2026, 6, 30))
    assert june.before is not None and june.before.last_day == date(2026, 5, 31)
    assert (june.currency, june.zone.name, june.as_of) == ("EUR", "Europe/Berlin", UNTIL)


def test_money_by_local_day_rate_and_own_date(june: Book) -> None:
    # 100 + 50 + 50 and 10 USD at 2.00 per euro, the fixing of the 29th that holds on the last day; XXX is left out.
    gross = june.value("gross_revenue")
    assert (gross.value, gross.before, gross.unit) == (Decimal(205), Decimal(40), "EUR")
    assert june.value("refunds").value == Decimal(40)
    assert june.value("net_revenue").value == Decimal(165)
    # An order of two lines is one order, and an order in a currency without a rate is one, too.
    assert june.value("orders").value == 5
    assert june.value("average_order_value").value == pytest.approx(165 / 4)


def test_a_currency_without_a_rate_is_named(june: Book) -> None:
    assert june.missing_fx == ("XXX",)
    note = NO_RATE
    assert note in june.value("net_revenue").provenance.notes
    assert note not in june.value("orders").provenance.notes


def test_a_rate_holds_until_the_next_fixing(shop: Path) -> None:
    # On Sunday the 28th the last complete day is Saturday, which has Friday's fixing; before the first there is none.
    assert Book.open(root=shop, as_of="2026-06-28").context.rates["USD"] == Decimal("0.8")
    assert dict(Book.open(root=shop, as_of="2026-06-26").context.rates) == {"EUR": 1}


def test_another_currency(shop: Path) -> None:
    # 205 EUR at 2.00 dollars per euro.
    assert Book.open(root=shop, days=30, currency="usd").value("gross_revenue").value == Decimal(410)


def test_another_zone_moves_the_day(shop: Path) -> None:
    # In London (an hour behind) o1 is at 23:30 on the 31st of May, and as_of at 23:00 on the 30th of June.
    london = Book.open(root=shop, days=29, timezone="Europe/London")
    assert (london.window.start, london.window.last_day) == (date(2026, 6, 1), date(2026, 6, 29))
    assert london.value("gross_revenue").value == Decimal(105)


def test_what_comes_after_as_of_is_not_known_yet(shop: Path) -> None:
    # On the 15th of June o4's refund has not come; at the end of June it has.
    def refunded(as_of: str) -> Decimal:
        orders = Book.open(root=shop, as_of=as_of, days=1).mart("fct_orders")
        found = orders.filter(orders.order_id == "o4").select("refunded", "net").to_pyarrow().to_pylist()[0]
        assert found["net"] == 40 - found["refunded"]
        return Decimal(found["refunded"])

    assert (refunded("2026-06-15"), refunded("latest")) == (0, 40)
    assert Book.open(root=shop, as_of="2026-07-02", days=1).value("orders").value == 1  # o7


def test_visits_and_their_conversion(june: Book) -> None:
    # v1 on two days, v2 once with two pages, v3 just before midnight; two purchases of one visit convert it once.
    visitors, visits, conversion, bounces = june.values("visitors", "visits", "visit_conversion", "bounce_rate")
    assert (visitors.value, visits.value, bounces.value) == (3, 4, 0.75)
    assert conversion.value == 0.25
    assert june.value("bot_hits").value == 1
    # v3's hit is 120 seconds before as_of; what is true now has no before.
    now = june.value("current_visitors")
    assert (now.value, now.before, now.spark) == (1, None, ())


def test_days_of_a_distinct_count_do_not_add_up(june: Book) -> None:
    series = june.series("visitors")
    assert len(series.points) == 30
    assert [point.value for point in series.points[:3]] == [1, 2, 0]
    with pytest.raises(MetricError, match=r"Visitors .visitors. cannot be summed over days: it counts each one once"):
        series.sum()
    assert june.series("pageviews").sum() == june.value("pageviews").value == 5
    assert series.mean() == pytest.approx(4 / 30)


def test_periods_have_all_their_days_and_a_state(shop: Path) -> None:
    book = Book.open(root=shop, as_of="2026-06-10T12:30+02:00", days=7)
    # The day that runs is there, with what it has so far: o2 at 12:00, not o3 at 13:00.
    points = book.series("orders").points
    assert [(p.period.start.day, p.period.state, p.value) for p in points[-2:]] == [
        (9, "complete", 0),
        (10, "incomplete", 1),
    ]
    months = book.series("orders", "month", days=30).points
    assert [(p.period.label, p.value) for p in months] == [("May 2026", 1), ("Jun 2026", 2)]


def test_trailing_users_reach_before_the_window(shop: Path) -> None:
    book = Book.open(root=shop, as_of="2026-06-10", days=7)
    dau, wau, mau, sticky = book.values("dau", "wau", "mau", "dau_mau")
    # No one on the 9th, no one in the week to it; v1 and v2 in the 30 days.
    assert (dau.value, wau.value, mau.value, sticky.value) == (0, 0, 2, 0.0)
    assert [p.value for p in book.series("mau").points] == [2] * 7
    assert [p.value for p in book.series("wau", days=9).points] == [
        1,
        2,
        2,
        2,
        2,
        2,
        2,
        2,
        0,
    ]  # the 8th still sees the 2nd


def test_a_trailing_metric_of_a_running_period_is_read_on_its_last_complete_day(shop: Path) -> None:
    # June is read on the 2nd, when v1 and v2 had been there within the week, and not on the 30th.
    points = Book.open(root=shop, as_of="2026-06-03", days=2).series("wau", "month").points
    assert [(p.period.label, p.period.state, p.value) for p in points] == [("Jun 2026", "incomplete", 2)]


def test_average_daily_users_counts_empty_days(june: Book) -> None:
    # Two users on four user-days: 1st, 2nd twice, 30th.
    assert june.value("user_days").value == 4
    assert june.value("average_dau").value == pytest.approx(4 / 30)


def test_a_zone_with_half_hours_counts_exactly(tmp_path: Path) -> None:
    # 18:10 and 18:40 UTC lie in one UTC hour and on two days in India (18:30 is midnight there).
    hits = [_hit("06-01T18:10", "v1"), _hit("06-01T18:40", "v1"), _hit("06-03T10:00", "v2")]
    book = Book.open(root=_workbook(tmp_path, events=hits), as_of="2026-06-04", days=3, timezone="Asia/Kolkata")
    assert [p.value for p in book.series("dau").points] == [1, 1, 1]
    assert book.value("user_days").value == 3


def test_a_day_of_23_hours_is_one_day(tmp_path: Path) -> None:
    # On 2026-03-29 Berlin's clock skips an hour: the day is 23:00 to 22:00 UTC.
    inside = [utc("03-28T23:00"), utc("03-29T21:59")]
    outside = [utc("03-28T22:59"), utc("03-29T22:00")]
    hits = [{**_hit("03-29T12:00", f"v{n}"), "ts": ts} for n, ts in enumerate(inside + outside)]
    book = Book.open(root=_workbook(tmp_path, events=hits), as_of="2026-03-30", days=2)
    assert [point.value for point in book.series("pageviews").points] == [1, 2]
    assert book.value("pageviews").value == 3


def test_a_split_computes_the_others_from_their_rows(june: Book) -> None:
    result = june.split("net_revenue", "country", top=1)
    assert [field.name for field in result.fields] == ["country", "net_revenue", "before", "change", "share"]
    assert [row[:3] for row in result.rows] == [
        ("Total", Decimal(165), Decimal(40)),
        ("DE", Decimal(150), 0),
        ("others (3)", Decimal(15), Decimal(40)),  # FR 50, US 5, AT -40 after 40
    ]
    assert result.column("share") == pytest.approx([1.0, 150 / 165, 15 / 165])
    assert result.fields[1].unit == "EUR"


def test_others_of_a_distinct_count_are_not_the_sum(tmp_path: Path) -> None:
    # v1 comes by Email and by Referral: the others are one visitor, not two, and with Direct's three the total is 4.
    hits = [_hit(f"06-0{n}T10:00", f"d{n}") for n in (1, 2, 3)]
    hits += [_hit("06-04T10:00", "v1", channel="Email"), _hit("06-05T10:00", "v1", channel="Referral")]
    book = Book.open(root=_workbook(tmp_path, events=hits), as_of="2026-06-06", days=5, compare="none")
    assert book.split("visitors", "channel", top=1).rows == (
        ("Total", 4, 1.0),
        ("Direct", 3, 0.75),
        ("others (2)", 1, 0.25),
    )


def test_a_split_of_a_ratio_is_ranked_by_its_rows(june: Book) -> None:
    result = june.split("bounce_rate", "channel")
    assert result.fields[-1].name == "rows"
    assert [(row[0], row[1], row[-1]) for row in result.rows] == [
        ("Total", 0.75, 4),
        ("Direct", 1.0, 2),
        ("(unknown)", 1.0, 1),
        ("Email", 0.0, 1),
    ]


def test_growth_compares_to_date_with_to_date(june: Book) -> None:
    # The 29th and 30th against the Monday and Tuesday before; June against all of May, which is 31 days.
    week, month = june.to_date("orders").rows
    assert week == ("Week to date", "29 – 30 Jun 2026", 0, "22 – 23 Jun 2026", 1, -1.0)
    assert month[1:5] == ("1 – 30 Jun 2026", 5, "1 – 30 May 2026", 1)


def test_trailing_metrics_of_windows_that_end_together(shop: Path) -> None:
    # Both periods to date end on the 9th, one begins on the 8th and one on the 1st: they show one value.
    week, month = Book.open(root=shop, as_of="2026-06-10", days=2).to_date("mau").rows
    assert week[2] == month[2] == 2


def test_a_segment_limits_what_it_can_and_says_what_it_cannot(shop: Path) -> None:
    book = Book.open(root=shop, days=30, segment="country=DE")
    assert book.value("net_revenue").value == Decimal(150)
    assert book.value("net_revenue").provenance.notes == (NO_RATE,)
    both = Book.open(root=shop, days=30, segment="channel=Direct")
    assert both.value("visits").value == 2
    assert both.value("orders").provenance.notes == ("Not limited to channel=Direct: fct_orders has no channel.",)
    # A conversion counts although its own hit has no channel: the visit is in the segment.
    assert both.value("visit_conversion").value == 0.5
    assert book.within("country", "FR").value("net_revenue").value == Decimal(50)


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"segment": "contry=DE"}, UsageError, "A report cannot be limited by 'contry'. Did you mean 'country'?"),
        ({"segment": "channel=Emial"}, UsageError, "No row has the channel 'Emial'. Did you mean 'Email'?"),
        ({"segment": "country"}, UsageError, "The segment 'country' cannot be read."),
        ({"segment": "country=DE,country=FR"}, UsageError, "names country twice"),
        ({"compare": "previus"}, UsageError, "The comparison 'previus' is not known. Did you mean 'previous'?"),
        ({"timezone": "Europe/Berln"}, WindowError, "Did you mean 'Europe/Berlin'?"),
        ({"currency": "EURO"}, UsageError, "The currency 'EURO' is not an ISO code."),
        ({"currency": "GBB"}, UsageError, "There is no exchange rate for the currency 'GBB'. Did you mean 'GBP'?"),
        ({"days": 0}, WindowError, "A window of 0 days is not possible."),
        ({"as_of": "yesterday"}, WindowError, "as_of 'yesterday' is not a date or time."),
        ({"build": "nonesuch"}, WarehouseError, "There is no build nonesuch."),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    shop: Path, parameters: dict[str, Any], error: type[TidingsError], says: str
) -> None:
    with pytest.raises(error) as refused:
        Book.open(root=shop, **parameters)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda book: book.value("visitor"), "There is no metric 'visitor'. Did you mean 'visitors'?"),
        (lambda book: book.table("fct_order"), "Did you mean 'fct_orders'?"),
        (lambda book: book.split("visits", "chanel"), "Did you mean 'channel'?"),
        (lambda book: book.series("visits", "days"), "Did you mean 'day'?"),
        (lambda book: book.rows("dau_mau"), "Ask for the rows of one of them: dau, mau."),
        (lambda book: book.raw("order", book.rows("orders")), "There is no feed 'order'. Did you mean 'orders'?"),
        (lambda book: book.raw("events", book.rows("visits")), "they lack _line"),
        (lambda book: book.raw("requests", book.rows("pageviews")), "No landed requests are behind these rows."),
        (lambda book: book.ask("T", [Field("visit", "V")], book.mart("fct_events").select("event")), "field 'visit'"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(june: Book, ask: Callable[[Book], object], says: str) -> None:
    with pytest.raises(TidingsError) as refused:
        ask(june)
    assert says in str(refused.value)


def test_a_figure_can_be_followed_to_what_was_received(june: Book, shop: Path) -> None:
    rows = june.rows("refunds")
    assert rows.select("order_id").to_pyarrow().to_pylist() == [{"order_id": "r4"}]
    (received,) = june.raw("orders", rows).to_pyarrow().to_pylist()
    assert (received["order_id"], received["_line"], received["_record"]) == ("r4", 7, "r4;refund;40")
    assert pq.read_metadata(shop / "data" / "raw" / received["_file"]).num_rows == len(ORDERS)


def test_raw_records_are_identified_by_partition_and_pull(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\n")
    workbook = load_settings(tmp_path)

    def landed(order: str, day: int, record: str, partition: str, window: tuple[int, int] | None = None) -> None:
        row = {"order_id": order, "amount": 1, "ts": datetime(2026, 6, day), "_record": record}
        span = Span(*(datetime(2026, 6, n, tzinfo=UTC) for n in window)) if window else None
        land(workbook, "orders", [row], partition=partition, window=span, complete_until=UNTIL)

    landed("o1", 5, "first", "", (1, 10))
    landed("o1", 5, "restated", "", (5, 8))  # hides the first
    landed("o2", 6, "other", "b.csv")  # the first line of another file
    build(workbook)
    book = Book.open(root=tmp_path, as_of="2026-06-30")
    orders = book.rows("gross_revenue")
    one = book.raw("orders", orders.filter(orders.order_id == "o1")).to_pyarrow().to_pylist()
    assert [row["_record"] for row in one] == ["restated"]
    assert sorted(row["_record"] for row in book.raw("orders", orders).to_pyarrow().to_pylist()) == [
        "other",
        "restated",
    ]


@pytest.mark.parametrize("which", EACH)
def test_rows_behind_a_figure_are_as_many_as_it_says(june: Book, which: Which) -> None:
    for name, metric in which().items():
        if metric.mart and metric.regroup is None:
            counted = june.rows(name).count().to_pyarrow().as_py()
            assert june.value(name).provenance.rows == counted, name


def test_every_result_has_its_provenance(june: Book) -> None:
    for origin in (june.value("net_revenue").provenance, june.split("visits", "channel").provenance):
        assert origin.build == june.build_id
        assert origin.sql and all(sql.startswith("SELECT") for sql in origin.sql)
    assert june.value("net_revenue").provenance.tables == {"fct_transactions": "last row at 1 Jul 2026, 00:00"}
    # What a query shows is what was run: it gives the value when run again.
    (sql,) = june.value("visits").provenance.sql
    again = june.table("fct_sessions").get_backend().sql(sql).to_pyarrow().to_pylist()
    assert sorted(row["visits"] for row in again) == [4]
    assert june.freshness["fct_requests"] is None


def test_figures_of_one_mart_are_read_in_one_pass(june: Book) -> None:
    start = len(june.sql)
    june.values("visits", "bounce_rate", "visit_duration", "views_per_visit", "sessions", "visit_conversion")
    assert len(june.sql) - start == 2  # the two windows, and the daily course


@pytest.mark.parametrize("which", EACH)
def test_several_metrics_are_what_each_is_alone(june: Book, which: Which) -> None:
    names = [name for name in which() if name != "current_visitors"]
    for name, together in zip(names, june.values(*names), strict=True):
        alone = june.value(name)
        assert (together.value, together.before, together.spark) == (alone.value, alone.before, alone.spark), name


def test_a_course_ends_with_the_window(june: Book) -> None:
    value = june.value("pageviews")
    assert len(value.spark) == 90
    assert value.spark[-30:] == tuple(point.value for point in june.series("pageviews").points)
    assert value.spark[-1] == 1


def test_another_window_is_compared_in_the_same_way(june: Book) -> None:
    first = Window.between(date(2026, 6, 2), date(2026, 6, 2), june.as_of, june.zone)
    value = june.value("visits", first)
    assert (value.value, value.before) == (2, 1)
    assert value.before_window == replace(first, start=date(2026, 6, 1), end=date(2026, 6, 2))


def test_any_question_becomes_a_result(june: Book) -> None:
    orders = june.mart("fct_orders")
    found = orders.group_by("country").aggregate(gross=(orders.gross * orders.fx).sum()).order_by("country")
    result = june.ask("Orders", [Field("country", "Country"), Field("gross", "Gross", "money")], found)
    assert result.rows == (("AT", 40), ("DE", 150), ("FR", 50), ("US", 5))
    assert result.fields[1].unit == "EUR"
    # Refunds of an order are read off the movements before as_of.
    assert list(result.provenance.tables) == ["fct_orders", "fct_transactions"]


def test_a_workbook_without_rows_has_figures(tmp_path: Path) -> None:
    book = Book.open(root=_workbook(tmp_path, orders=[]), days=7)
    # Nobody knows since when there were none: unknown, not 0 (C14).
    for value in book.values(*registry()):
        assert value.value is None, value.metric.name
    assert book.split("net_revenue", "country").rows == (("Total", None, None, None, None),)
    assert [point.value for point in book.series("orders").points] == [None] * 7
    assert book.value("orders").why == "no source has orders"


def test_targets_are_not_of_a_segment_or_other_money(shop: Path, tmp_path: Path) -> None:
    """Half of the customers cannot be held against the target of all."""
    root = tmp_path / "workbook"
    shutil.copytree(shop, root)
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "targets.csv").write_text("metric,period,amount\nnet_revenue,2026,3650\n")
    (root / "data" / "annotations.csv").write_text("day,text\n2026-06-15,2.0\n")
    book = Book.open("2026-07-01", 28, root=root)
    assert set(book.series("net_revenue").targets) == {10.0}
    assert book.series("orders").targets == ()
    assert book.series("net_revenue", "week").targets[1] == 70.0
    assert [one.text for one in book.series("orders").annotations] == ["2.0"]
    assert Book.open("2026-07-01", 28, root=root, segment="country=DE").series("net_revenue").targets == ()
    assert Book.open("2026-07-01", 28, root=root, currency="USD").series("net_revenue").targets == ()
