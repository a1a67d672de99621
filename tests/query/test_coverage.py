"""Coverage: which breakdown answers a question, whose day it is, what is unknown and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import frozensets, integers

from tidings.book import Book
from tidings.display.charts import trend
from tidings.display.sentences import findings
from tidings.errors import SettingsError
from tidings.landing.manifest import Span
from tidings.landing.store import Landing
from tidings.query.covered import Covered
from tidings.sections import acquisition, technical_performance, web_traffic
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build
from workbooks import land

PROJECT = '[tool.tidings]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'
HOUR = timedelta(hours=1)
UNTIL = datetime(2026, 6, 30, 22, tzinfo=UTC)
# Google reports a day later: in California the 29th begins.
WHOLE = datetime(2026, 6, 29, 7, tzinfo=UTC)


def _row(day: int, clicks: int, impressions: int, position: float, **more: Any) -> Mapping[str, Any]:
    whose = {"site": "sc-domain:x", "search_type": "web", "is_final": True, "ts": datetime(2026, 6, day)}
    return {**whose, "clicks": clicks, "impressions": impressions, "position": position, **more}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    (root / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(root)
    land(
        settings,
        "search_console_daily",
        # The 28th is the last day that Google reports.
        [_row(1, 4, 100, 5), _row(27, 10, 100, 4.0), _row(28, 20, 300, 8.0)],
        source="google",
        complete_until=WHOLE,
    )
    land(
        settings,
        "search_console_query",
        [
            _row(27, 6, 50, 2.0, query="news"),
            _row(28, 9, 100, 3.0, query="news"),
            _row(28, 1, 10, 20.0, query="tidings"),
        ],
        source="google",
        complete_until=WHOLE,
    )
    land(
        settings,
        "search_console_page",
        # Two pages of one site in one search: more impressions than the site has.
        [_row(28, 12, 250, 8.0, page="/a"), _row(28, 8, 200, 9.0, page="/b")],
        source="google",
        complete_until=WHOLE,
    )
    # Another source is there up to the 1st of July: that is the report's now.
    land(settings, "orders", [{"order_id": "1", "amount": 1}], complete_until=UNTIL)
    build(settings)
    return root


def _by(book: Book, name: str, column: str) -> dict[str, Any]:
    return {row[0]: row[1] for row in book.split(name, column).rows}


def test_a_metric_is_the_total_not_the_sum_of_its_breakdowns(site: Path) -> None:
    book = Book.open(root=site, days=30)
    clicks = book.value("search_clicks")
    assert clicks.value == 34
    # Weighted by impressions: (5 x 100 + 4 x 100 + 8 x 300) / 500.
    assert book.value("search_position").value == pytest.approx(6.6)
    assert book.value("search_ctr").value == pytest.approx(34 / 500)


def test_a_split_reads_the_cut_that_knows_it(site: Path) -> None:
    book = Book.open(root=site, days=30)
    # Of the 30 clicks on days that were told by query Google tells the query of 16; the total is the whole's.
    assert _by(book, "search_clicks", "query") == {"Total": 34, "news": 15, "(anonymised)": 14, "tidings": 1}
    assert _by(book, "search_clicks", "page") == {"Total": 34, "/a": 12, "/b": 8}


def test_a_segment_reads_the_cut_that_knows_it(site: Path) -> None:
    book = Book.open(root=site, days=30, segment="query=news")
    assert book.value("search_clicks").value == 15
    assert book.value("search_position").value == pytest.approx((2 * 50 + 3 * 100) / 150)


def test_a_missing_breakdown_is_named(site: Path) -> None:
    result = Book.open(root=site, days=30).split("search_clicks", "country")
    assert [row[:2] for row in result.rows] == [("Total", 34)]
    assert "google (search_console) has no search clicks by country: left out." in result.provenance.notes


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_day_of_the_source_is_that_day_of_the_report(site: Path, zone: str) -> None:
    book = Book.open(root=site, as_of="2026-06-30", days=3, timezone=zone)
    course = {point.period.start: point.value for point in book.series("search_clicks").points}
    assert (course[date(2026, 6, 27)], course[date(2026, 6, 28)]) == (10, 20)


def test_a_day_that_still_runs_is_not_seen(site: Path) -> None:
    book = Book.open(root=site, as_of="2026-06-28T12:00", days=1)
    assert book.value("search_clicks").value == 10
    assert date(2026, 6, 28) not in {row[0] for row in _days(book)}


def _days(book: Book) -> list[tuple[date]]:
    rows = book.context.rows(book.mart("fct_metric_daily").select("day").distinct())
    return [(row["day"],) for row in rows]


def test_no_rows_are_zero_only_on_covered_days(site: Path) -> None:
    course = {p.period.start: p.value for p in Book.open(root=site, days=30).series("search_clicks").points}
    # Between its first and its last covered day, no rows are 0.
    assert course[date(2026, 6, 15)] == 0
    # The 29th is not reported yet.
    assert course[date(2026, 6, 29)] is None
    # No source has reported May, and no store anything.
    assert Book.open(root=site, as_of="2026-05-20", days=7).value("search_clicks").value is None
    assert Book.open(root=site, days=30).value("downloads").value is None
    assert Book.open(root=site, days=30).value("app_store_conversion").value is None


def test_a_source_that_lags_is_named_and_the_section_waits_for_it(site: Path) -> None:
    book = Book.open(root=site, days=2)
    assert (
        "google (search_console) has search clicks only up to 2026-06-28."
        in book.value("search_clicks").provenance.notes
    )
    moved = acquisition.on_common_days(book)
    assert (moved.window.start, moved.window.last_day) == (date(2026, 6, 27), date(2026, 6, 28))
    assert moved.value("search_clicks").value == 30
    assert moved.value("search_clicks").provenance.notes == ()


def test_rankings_compare_positions(site: Path) -> None:
    book = acquisition.on_common_days(Book.open(root=site, days=1))
    rows = {row[0]: row[1:] for row in acquisition.rankings(book, "query").rows}
    # News: 9 clicks after 6; from place 2 to 3 is one lost. Tidings was not there before: no change is known.
    assert rows["news"] == (9, 100, pytest.approx(0.09), 3.0, pytest.approx(0.5), pytest.approx(-1.0))
    assert rows["tidings"][-2:] == (None, None)
    # The position of withheld searches is not reported.
    assert rows["(anonymised)"][:4] == (10, 190, pytest.approx(10 / 190), None)


def test_an_empty_workbook_has_nothing_to_split(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    settings = load_settings(tmp_path)
    land(settings, "orders", [{"order_id": "1", "amount": 1}], complete_until=UNTIL)
    build(settings)
    book = Book.open(root=tmp_path)
    assert [row[1] for row in book.split("downloads", "country").rows] == [None]
    assert acquisition.reach(book).rows == ()
    assert acquisition.conversions(book) == {}


# Days that are not reported


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sales of June but for the 10th and 11th, and views that are asked for since the 15th and whole to the 25th."""
    root = tmp_path_factory.mktemp("stores")
    (root / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(root)
    until = datetime(2026, 7, 1, 7, tzinfo=UTC)

    def sale(day: int) -> dict[str, Any]:
        whose = {"vendor": "1", "ts": datetime(2026, 6, day), "row": 1, "app_id": "9", "sku": "N", "product_type": "1"}
        money = {"proceeds": Decimal(1), "gross": Decimal(2), "currency": "EUR", "customer_currency": "EUR"}
        return {**whose, **money, "product_class": "download", "units": Decimal(10), "country": "DE"}

    def view(day: int) -> dict[str, Any]:
        whose = {"app_id": "9", "ts": datetime(2026, 6, day), "report": "engagement", "row": 1, "processed": "x"}
        return {**whose, "event": "Page view", "count": 40, "country": "DE", "channel": "Search"}

    for first, end in ((1, 10), (12, 31)):
        days = range(first, end)
        span = Span(datetime(2026, 6, first, tzinfo=UTC), datetime(2026, 6, end - 1, 23, tzinfo=UTC) + HOUR)
        land(settings, "app_store_sales", [sale(d) for d in days], partition="1", window=span, complete_until=until)
    land(
        settings,
        "app_store_analytics",
        # Of the days after the 25th some is told, and more will be.
        [view(day) for day in range(15, 28)],
        partition="9",
        window=Span(datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 6, 28, tzinfo=UTC)),
        complete_until=datetime(2026, 6, 26, tzinfo=UTC),
    )
    land(settings, "orders", [{"order_id": "1", "amount": 1}], complete_until=until)
    build(settings)
    return root


def test_a_day_that_was_never_landed_is_no_zero_and_is_named(stores: Path) -> None:
    book = Book.open(root=stores, as_of="2026-07-01", days=30)
    downloads = book.value("app_store_downloads")
    assert downloads.value == 280
    course = {p.period.start.day: p.value for p in book.series("app_store_downloads").points}
    assert [course[day] for day in (9, 10, 11, 12)] == [10, None, None, 10]
    reported = "shop (app_store) has downloads except 2 days that were never landed."
    assert downloads.provenance.notes == (reported,)
    assert Book.open(root=stores, as_of="2026-07-01", days=10).value("app_store_downloads").provenance.notes == ()


def test_an_incomplete_day_is_not_read(stores: Path) -> None:
    book = Book.open(root=stores, as_of="2026-07-01", days=10)
    views = book.value("app_store_views")
    assert views.value == 5 * 40, "the 21st to the 25th"
    assert views.provenance.notes == ("shop (app_store) has store views only up to 2026-06-25.",)
    course = {p.period.start.day: p.value for p in book.series("app_store_views").points}
    assert (course[25], course[26], course[27]) == (40, None, None)
    reach = {row[2]: row[3:] for row in acquisition.reach(book).rows}
    assert reach["Store views"] == (date(2026, 6, 25), 5)
    assert reach["Downloads"] == (date(2026, 6, 30), 0)


def test_a_ratio_is_over_the_common_days(stores: Path) -> None:
    # Downloads of 30 days over views of 11 would be 65 %.
    assert Book.open(root=stores, as_of="2026-07-01", days=30).value("app_store_conversion").value == 0.25


def test_parts_of_windows_are_not_compared(stores: Path) -> None:
    def change(days: int, name: str, as_of: str) -> Any:
        return Book.open(root=stores, as_of=as_of, days=days).value(name).change

    assert change(5, "app_store_views", "2026-06-25") == 0
    # Five days of views against five of which two were reported.
    assert change(5, "app_store_views", "2026-06-23") is None
    # Three reported days of five.
    assert change(5, "app_store_views", "2026-06-28") is None
    # The days before were reported except two.
    assert change(5, "app_store_downloads", "2026-06-17") is None
    assert change(5, "app_store_downloads", "2026-06-28") == 0
    split = Book.open(root=stores, as_of="2026-06-28", days=5).split("app_store_views", "country")
    assert [row[:4] for row in split.rows] == [("Total", 120, None, None), ("DE", 120, None, None)]


def test_a_segment_without_a_breakdown_is_unknown_not_zero(stores: Path) -> None:
    book = Book.open(root=stores, as_of="2026-07-01", days=5, segment="country=DE, channel=Search")
    assert book.value("app_store_downloads").value is None


def test_the_window_waits_for_each_figure_that_is_a_little_behind(stores: Path) -> None:
    # Downloads are there, views five days behind.
    moved = acquisition.on_common_days(Book.open(root=stores, as_of="2026-07-01", days=5))
    assert moved.window.last_day == date(2026, 6, 25)


def test_seldom_is_not_unknown(tmp_path: Path) -> None:
    """Views on each day of June; one crash on the 3rd, thirty thousand uses; another site that is pulled no more."""
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(tmp_path)
    reported = {"app_id": "9", "row": 1, "processed": "x", "event": "Page view", "app_version": "1"}

    def one_day(report: str, day: int, count: int) -> None:
        start = datetime(2026, 6, day, tzinfo=UTC)
        row = {**reported, "ts": datetime(2026, 6, day), "report": report, "count": count}
        span = Span(start, start + 24 * HOUR)
        land(settings, "app_store_analytics", [row], partition=f"9 {report}", window=span, complete_until=span.end)

    for day in range(1, 31):
        one_day("engagement", day, 10)
        one_day("sessions", day, 1000)
    one_day("crashes", 3, 3)
    build(settings)
    book = Book.open(root=tmp_path, as_of="2026-07-01", days=30)
    assert book.value("app_store_views").value == 300
    assert book.value("app_store_crashes_per_session").value == pytest.approx(3 / 30_000)
    week = Book.open(root=tmp_path, as_of="2026-07-01", days=7)
    assert (week.value("app_store_views").value, week.value("app_store_views").provenance.notes) == (70, ())
    assert week.value("app_store_crashes_per_session").value == 0
    course = week.series("app_store_crashes_per_session", "week", days=21).points
    assert [point.value for point in course if point.period.state == "complete"] == [0, 0, 0]


def test_a_level_is_read_on_the_days_that_have_one(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(tmp_path)
    for day, value in ((22, 72), (29, 79)):
        at = datetime(2026, 6, day, 12, tzinfo=UTC)
        row = {"project": "p", "ts": datetime(2026, 6, day), "metric": "active_subscriptions", "value": value}
        # A snapshot is complete up to the moment at which it was taken.
        land(
            settings,
            "revenuecat_overview",
            [row | {"currency": "EUR"}],
            window=Span(at - 12 * HOUR, at + 12 * HOUR),
            complete_until=at,
        )
    build(settings)
    levels = Book.open(root=tmp_path, as_of="2026-07-01", days=7).value("revenuecat_active_subscriptions")
    assert (levels.value, levels.provenance.notes) == (
        79,
        ("shop (revenuecat) has active subscriptions only up to 2026-06-29.",),
    )


def test_a_source_that_ended_long_ago_keeps_no_other_from_being_compared(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(tmp_path)
    days = [_row(day, 10, 100, 3.0) for day in range(1, 31)]
    land(settings, "search_console_daily", days, source="new", complete_until=datetime(2026, 7, 1, 7, tzinfo=UTC))
    old = [{**_row(1, 1, 1, 1.0), "ts": datetime(2026, 2, day)} for day in range(1, 20)]
    land(settings, "search_console_daily", old, source="old", complete_until=datetime(2026, 2, 20, 8, tzinfo=UTC))
    build(settings)
    clicks = Book.open(root=tmp_path, as_of="2026-07-01", days=10).value("search_clicks")
    assert (clicks.value, clicks.before, clicks.change) == (100, 100, 0)


def test_days_that_files_tell_are_not_missing_for_a_pull_that_failed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(tmp_path)
    whole = datetime(2026, 6, 30, tzinfo=UTC)

    def review(day: int) -> dict[str, Any]:
        return {"package": "a", "review_id": f"r{day}", "ts": datetime(2026, 6, day), "rating": 5}

    land(settings, "google_play_reviews", [review(day) for day in range(1, 30)], complete_until=whole)
    for first, end in ((1, 2), (10, 30)):
        span = Span(datetime(2026, 6, first, tzinfo=UTC), datetime(2026, 6, end, tzinfo=UTC))
        land(
            settings,
            "google_play_reviews",
            [],
            partition="a",
            window=span,
            complete_until=span.end,
            endpoint="recent_reviews",
        )
    build(settings)
    reviews = Book.open(root=tmp_path, as_of="2026-06-30", days=14).value("google_play_reviews")
    assert (reviews.value, reviews.before, reviews.provenance.notes) == (14, 14, ())


def test_a_site_that_others_are_pulled_without_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\n')
    settings = load_settings(tmp_path)

    def days(site: str, end: int) -> None:
        rows = [{**_row(day, 10, 100, 3.0), "site": site} for day in range(1, end)]
        span = Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, end, tzinfo=UTC))
        until = datetime(2026, 6, end, 7, tzinfo=UTC)
        land(settings, "search_console_daily", rows, partition=site, window=span, complete_until=until, now=until)

    days("old", 11)
    days("new", 30)
    build(settings)
    clicks = Book.open(root=tmp_path, as_of="2026-06-30", days=7).value("search_clicks")
    assert clicks.value == 70
    reported = "shop (search_console) has search clicks without old from 2026-06-11 on."
    assert clicks.provenance.notes == (reported,)


# Rows of files: what they cover follows from the rows themselves.

ROWS = "rows in UTC"
LATER = datetime(2026, 8, 1, tzinfo=UTC)
HIT = {"visitor_id": "v", "event": "pageview", "channel": "Direct"}


def _files(root: Path, feed: str, *files: tuple[str, list[dict[str, Any]]], covers: str = ROWS) -> Path:
    (root / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "UTC"\ncurrency = "EUR"\n')
    settings = load_settings(root)
    for name, rows in files:
        end = max(row["ts"] for row in rows).replace(hour=0, minute=0, tzinfo=UTC) + timedelta(days=1)
        land(settings, feed, rows, source="shop", partition=name, complete_until=end, covers=covers, now=LATER)
    build(settings)
    return root


def _orders(*at: str, **more: Any) -> list[dict[str, Any]]:
    return [{"order_id": text, "amount": 10, "ts": datetime.fromisoformat(text), **more} for text in at]


def test_days_that_no_file_covers_are_unknown_and_never_zero(tmp_path: Path) -> None:
    root = _files(tmp_path, "orders", ("a.csv", _orders("2026-06-01T09:00", "2026-06-03T09:00", "2026-06-10T15:00")))
    orders = Book.open(root=root, as_of="2026-06-15", days=7, compare="none").value("orders")
    # The 8th and 9th are covered and had none; the 10th is there so far; the days after it are unknown.
    assert orders.value == 1
    assert orders.provenance.notes == ("shop has orders only up to a part of 2026-06-10.",)
    course = Book.open(root=root, as_of="2026-06-15", days=7).series("orders").points
    assert [(p.period.start.day, p.value, p.share) for p in course] == [
        (8, 0, 1.0),
        (9, 0, 1.0),
        (10, 1, 0.0),
        *((day, None, 0.0) for day in range(11, 15)),
    ]
    for year in ("1999-01-01", "2031-01-01"):
        value = Book.open(root=root, as_of=year, days=7).value("net_revenue")
        assert (value.value, value.before, value.change) == (None, None, None)
    assert value.why == "shop has orders for 1 – 9 Jun 2026"


def test_a_change_is_given_only_where_both_windows_have_the_same_coverage(tmp_path: Path) -> None:
    rows = _orders("2026-06-01T09:00", "2026-06-05T09:00", "2026-06-10T15:00")
    root = _files(tmp_path, "orders", ("a.csv", rows))
    # 4 to 6 June against 1 to 3 June: both complete. 1 to 3 June against days before the first row: none.
    whole = Book.open(root=root, as_of="2026-06-07", days=3).value("orders")
    assert (whole.value, whole.before, whole.change) == (1, 1, 0.0)
    first = Book.open(root=root, as_of="2026-06-04", days=3)
    assert (first.value("orders").value, first.value("orders").before) == (1, None)
    assert first.value("orders").why_no_change == "shop has orders for 1 – 3 Jun 2026"
    assert [row[2:4] for row in first.split("orders", "origin").rows] == [(None, None), (None, None)]
    assert [row[4:] for row in first.to_date("orders").rows] == [(None, None), (None, None)]
    # Half a day against a complete one.
    assert Book.open(root=root, as_of="2026-06-11", days=1).value("orders").change is None


def test_a_value_of_a_part_of_its_window_says_which_days(tmp_path: Path) -> None:
    orders = _orders(*(f"2026-06-{day:02}T12:00" for day in range(5, 10)))
    root = _files(tmp_path, "orders", ("a.csv", orders))
    found = Book.open("2026-06-09", 6, "none", root=root).value("orders")
    said = "shop has orders only from 2026-06-05 on"
    assert (found.value, found.part) == (4, said)
    text = findings(Book.open("2026-06-09", 6, "none", root=root).explain("orders")).text
    assert text == f"- Orders: 4 in 3 – 8 Jun 2026; {said}."
    assert Book.open("2026-06-09", 3, "none", root=root).value("orders").part == ""
    # Beside a change that cannot be given the reason names the days.
    compared = findings(Book.open("2026-06-09", 5, root=root).explain("orders"))
    assert compared.text.endswith("; no change is given: shop has orders for 5 – 8 Jun 2026.")


def test_the_half_day_at_the_end_is_no_complete_day(tmp_path: Path) -> None:
    root = _files(tmp_path, "orders", ("a.csv", _orders("2026-06-01T09:00", "2026-06-10T15:00")))
    book = Book.open(root=root, days=3)
    # As of the end of the data; the last day that is over is the 9th.
    assert (book.as_of, book.window.last_day) == (datetime(2026, 6, 11, tzinfo=UTC), date(2026, 6, 9))
    last = book.series("orders").points[-1]
    assert (last.period.start.day, last.value, last.is_whole) == (10, 1, False)


def test_with_dates_only_the_last_day_is_complete(tmp_path: Path) -> None:
    root = _files(tmp_path, "orders", ("a.csv", _orders("2026-06-01", "2026-06-10")))
    book = Book.open(root=root, days=2)
    assert book.window.last_day == date(2026, 6, 10)
    assert (book.value("orders").value, book.value("orders").before) == (1, 0)


@pytest.mark.parametrize(
    ("july", "known"),
    [
        # Inside June nine days pass without an order, so the seven from the 25th of June to the 2nd of July are quiet.
        ("2026-07-02T09:00", 0),
        # But twenty days are not: a file between the two is missing.
        ("2026-07-15T09:00", None),
    ],
)
def test_days_between_two_files(tmp_path: Path, july: str, known: int | None) -> None:
    june = _orders("2026-06-01T09:00", "2026-06-11T09:00", "2026-06-18T09:00", "2026-06-24T09:00")
    root = _files(tmp_path, "orders", ("june.csv", june), ("july.csv", _orders(july, july.replace("T09", "T10"))))
    book = Book.open(root=root, as_of="2026-06-29", days=3)
    assert book.value("orders").value == known
    notes = Book.open(root=root, as_of="2026-07-15", days=40, compare="none").value("orders").provenance.notes
    assert any("never landed" in note for note in notes) is (known is None)


def test_settings_may_say_which_days_files_cover(tmp_path: Path) -> None:
    declared = "days 2026-05-01T00:00:00+00:00/2026-07-01T00:00:00+00:00"
    root = _files(tmp_path, "orders", ("a.csv", _orders("2026-06-01T09:00", "2026-06-03T09:00")), covers=declared)
    assert Book.open(root=root, as_of="2026-05-20", days=7).value("orders").value == 0
    assert Book.open(root=root, as_of="2026-06-30", days=7).value("orders").value == 0
    assert Book.open(root=root, as_of="2026-07-20", days=7).value("orders").value is None


def test_a_file_covers_up_to_the_pull_where_the_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("n,at,total\n1,2026-06-01T09:00:00Z,10\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.tidings]\n[tool.tidings.sources.shop]\nkind = "orders"\npath = "orders.csv"\ncovers = "pull"\n'
        '[tool.tidings.sources.shop.columns]\norder_id = "n"\nts = "at"\namount = "total"\n'
    )
    settings = load_settings(tmp_path)
    for day in (5, 8):
        # The second pull finds the file as it was: there was nothing more up to then.
        for source in open_sources(settings):
            list(source.pull(Landing(settings.raw), Pull(datetime(2026, 6, day, 12, tzinfo=UTC))))
        build(settings)
        book = Book.open(root=tmp_path, days=2)
        assert (book.window.last_day, book.value("orders").value) == (date(2026, 6, day - 1), 0)


@pytest.mark.parametrize("covers", ['["2026-01-01"]', '["2026-02-01", "2026-01-01"]', '["soon", "later"]', '"pulls"'])
def test_a_cover_that_cannot_be_read_is_refused(tmp_path: Path, covers: str) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.tidings]\n[tool.tidings.sources.shop]\nkind = "orders"\npath = "o.csv"\ncovers = {covers}\n'
        '[tool.tidings.sources.shop.columns]\norder_id = "n"\nts = "at"\namount = "total"\n'
    )
    with pytest.raises(SettingsError, match="covers"):
        open_sources(load_settings(tmp_path))


def test_a_column_that_no_row_fills_makes_its_figures_unknown(tmp_path: Path) -> None:
    calls = [{"ts": datetime(2026, 6, day, 12), "latency_ms": 10.0 * day} for day in range(1, 6)]
    book = Book.open(root=_files(tmp_path, "requests", ("calls.csv", calls)), days=3)
    rate, uptime, cost, apdex, latency, requests = book.values(
        "error_rate", "uptime_observed", "request_cost", "apdex", "latency_p50", "requests"
    )
    assert {rate.value, uptime.value, cost.value, apdex.value} == {None}
    assert (rate.why, cost.why) == ("shop gives no status", "shop gives no cost")
    assert (requests.value, latency.value) == (3, 30.0)
    assert technical_performance.statuses(book).rows == technical_performance.errors_by_day(book).rows == ()
    assert book.value("health_score").value is None


def test_a_source_without_a_column_is_left_out_of_its_figures_and_named(tmp_path: Path) -> None:
    calls = [{"ts": datetime(2026, 6, day, 12), "status": 200} for day in range(1, 6)]
    root = _files(tmp_path, "requests", ("calls.csv", calls))
    settings = load_settings(root)
    mute = [{**call, "status": None} for call in calls]
    land(settings, "requests", mute, source="mute", covers=ROWS, complete_until=datetime(2026, 6, 6, tzinfo=UTC))
    build(settings)
    rate, requests = Book.open(root=root, days=3).values("error_rate", "requests")
    # Three of six requests have a status, and none of these failed.
    assert (rate.value, rate.provenance.rows, requests.value) == (0.0, 3, 6)
    assert "mute gives no status: left out of Error rate." in rate.provenance.notes


def test_events_without_a_page_view_say_so(tmp_path: Path) -> None:
    names = ("catalog", "product_view", "page_view", "page_view")
    hits = [{**HIT, "event": name, "ts": datetime(2026, 6, 1 + n)} for n, name in enumerate(names)]
    book = Book.open(root=_files(tmp_path, "events", ("hits.csv", hits)), days=4)
    visitors, events = book.values("visitors", "events")
    assert (visitors.value, visitors.change, events.value) == (None, None, 4)
    said = [note for note in visitors.provenance.notes if note.startswith("None of 4 events is called pageview")]
    assert said and "there are page_view, catalog, product_view" in said[0] and 'pageview = ["page_view"]' in said[0]
    # The events have no user either: whether anyone signed in is unknown.
    assert book.value("mau").why == "shop gives no user id"


def test_visitors_of_now_are_known_only_where_the_data_reach_up_to_now(tmp_path: Path) -> None:
    hits = [{**HIT, "ts": datetime(2026, 6, day, 12)} for day in (1, 2)]
    root = _files(tmp_path, "events", ("hits.csv", hits))
    assert Book.open(root=root).value("current_visitors").value is None
    assert web_traffic.live(Book.open(root=root)).rows == ()
    assert Book.open(root=root, as_of="2026-06-02T12:00").value("current_visitors").value == 0
    assert Book.open(root=root, as_of="2026-06-01T12:03").value("current_visitors").value == 1


def test_users_of_thirty_days_are_unknown_while_fewer_are_covered(tmp_path: Path) -> None:
    hits = [{**HIT, "user_id": f"u{day % 3}", "ts": datetime(2026, 6, 1) + timedelta(days=day)} for day in range(40)]
    course = Book.open(root=_files(tmp_path, "events", ("hits.csv", hits)), days=40).series("mau").points
    # The 30th of June is the first day with thirty days behind it.
    assert [point.value for point in course] == [None] * 29 + [3] * 11


def test_no_line_falls_because_a_period_has_begun(tmp_path: Path) -> None:
    rows = _orders(*(f"2026-06-{day:02d}T09:00" for day in range(1, 17)))
    book = Book.open(root=_files(tmp_path, "orders", ("a.csv", rows)), days=14)
    drawn = trend(book.series("orders"))
    assert "16 Jun 2026 partly covered" in drawn.html
    assert [row.get("now") for row in drawn.spec["data"]["values"]][-2:] == [1.0, None]
    # Tuesday is the first day of the third week that is over but for half of it: one of seven days.
    weeks = trend(book.series("orders", "week"))
    assert [row.get("now") for row in weeks.spec["data"]["values"]] == [7.0, 7.0, None]
    assert not [layer for layer in weeks.spec["layer"] if layer.get("name") == "open"]


@given(
    first=integers(0, 40),
    length=integers(0, 40),
    start=integers(0, 60),
    days=integers(1, 40),
    gaps=frozensets(integers(0, 80), max_size=9),
)
def test_the_share_of_days_agrees_with_counting(
    first: int, length: int, start: int, days: int, gaps: frozenset[int]
) -> None:
    def day(number: int) -> date:
        return date(2026, 1, 1) + timedelta(days=number)

    covered = Covered(
        "s", "", "", "", True, "orders", "UTC", day(first), day(first + length), UNTIL, frozenset(map(day, gaps))
    )
    known = [n for n in range(start, start + days) if first <= n < first + length and n not in gaps]
    assert covered.share(day(start), day(start + days)) == len(known) / days
    assert covered.extent(day(start), day(start + days)) == (
        "none" if not known else "all" if len(known) == days else "part"
    )
