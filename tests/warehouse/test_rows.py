"""The rows of an audience: whatever is read of a build is what a copy with these rows alone would give."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, given
from hypothesis import settings as limits
from hypothesis.strategies import dictionaries, lists, one_of, sampled_from, text

from tidings.book import Book
from tidings.errors import RowsError, UsageError
from tidings.query.context import QueryContext
from tidings.query.segment import Segment
from tidings.settings import ROWS, Settings
from tidings.warehouse.build import build
from tidings.warehouse.reader import Warehouse
from tidings.warehouse.rows import Rows
from tidings.window import Window, Zone
from workbooks import land

UNTIL = datetime(2026, 6, 30, tzinfo=UTC)
COUNTRIES = ("DE", "FR", "O'Neill", 'a"b', "x; DROP TABLE fct_orders", "%", "de", "ß")
DEVICES = ("desktop", "mobile")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Orders and hits of many countries, some of none, by two sources."""
    found = Settings(root=tmp_path_factory.mktemp("rows"))
    (found.root / "pyproject.toml").write_text("[tool.tidings]\n")
    for number, source in enumerate(("one", "two")):
        orders, hits = [], []
        for n in range(40):
            # The second source has nothing of the last four countries.
            country = (*COUNTRIES[: 8 - 4 * number], None)[n % (9 - 4 * number)]
            ts = datetime(2026, 6, 1, 12) + timedelta(hours=7 * n)
            amount = {"amount": 10 + n, "tax": 1, "customer_id": f"c{n % 5}", "product": f"p{n % 3}"}
            orders.append({**amount, "order_id": f"{source}{n}", "ts": ts, "country": country})
            whose = {"visitor_id": f"v{n % 6}", "user_id": f"u{n % 4}", "country": country, "device": DEVICES[n % 2]}
            hits.append({**whose, "event_id": f"{source}{n}", "ts": ts, "path": f"/{n % 4}"})
        land(found, "orders", orders, source=source, complete_until=UNTIL)
        land(found, "events", hits, source=source, complete_until=UNTIL)
    build(found)
    return found


# A copy takes a second: an example is not made smaller.
PHASES = (Phase.explicit, Phase.generate)
PREDICATES = dictionaries(
    sampled_from(["country", "device"]),
    one_of(lists(sampled_from((*COUNTRIES, *DEVICES)), min_size=1, max_size=4)),
    min_size=1,
    max_size=2,
)


def copied(settings: Settings, warehouse: Warehouse, rows: Mapping[str, list[str]], file: Path) -> Warehouse:
    """A build with the tables that have the columns, and of these the rows: filtered by the engine, not by us."""
    file.unlink(missing_ok=True)
    with duckdb.connect(str(file)) as con:
        con.execute(f"ATTACH '{warehouse.file}' AS whole (READ_ONLY)")
        for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'whole'").fetchall():
            columns = {row[0] for row in con.execute(f'DESCRIBE whole."{name}"').fetchall()}
            con.execute(f'CREATE TABLE "{name}" AS FROM whole."{name}"')
            for column, values in rows.items() if set(rows) <= columns and not name.startswith("meta_") else ():
                con.execute(f'DELETE FROM "{name}" WHERE NOT coalesce(list_contains(?, "{column}"), false)', [values])
    return Warehouse(file, warehouse.build_id)


@limits(max_examples=6, phases=PHASES)
@given(PREDICATES)
def test_every_table_is_what_a_copy_of_these_rows_would_be(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, rows: dict[str, list[str]]
) -> None:
    file = tmp_path_factory.getbasetemp() / "copy.duckdb"
    with Warehouse.open(settings, rows=Rows.of(rows)) as bound, copied(settings, bound, rows, file) as copy:
        assert {"fct_events", "fct_sessions"} <= set(bound.tables)
        assert set(bound.tables) | set(bound.barred) == set(copy.tables)
        for name in bound.tables:
            if copy.count(name):
                assert _plain(bound, name) == _plain(copy, name), name
            assert bound.count(name) == bound.tables[name].rows == copy.count(name)
        for name in bound.barred:
            with pytest.raises(RowsError, match=f"^{name} has no column"):
                bound.table(name)
        # The same by any way round the reader.
        by_sql = bound.table("fct_events").sql("SELECT * FROM fct_events")
        assert bound.query(by_sql).num_rows == copy.count("fct_events")


@limits(max_examples=3, phases=PHASES)
@given(lists(sampled_from(COUNTRIES), min_size=1, max_size=4))
def test_every_figure_is_that_of_a_copy_of_these_rows(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory, countries: list[str]
) -> None:
    rows = {"country": countries}
    file = tmp_path_factory.getbasetemp() / "figures.duckdb"
    with Warehouse.open(settings, rows=Rows.of(rows)) as bound, copied(settings, bound, rows, file) as copy:
        now, then = _book(settings, bound), _book(settings, copy)
        for name in ("net_revenue", "visitors", "bounce_rate"):
            # Of one who has nothing of a feed it is unknown, never 0.
            assert now.value(name).value == then.value(name).value, name
            assert [point.value for point in now.series(name).points] == [p.value for p in then.series(name).points]
        for name, by in (("net_revenue", "country"), ("visits", "device")):
            # Totals, shares and "others", too, are of the own rows.
            assert now.split(name, by, top=2).rows == then.split(name, by, top=2).rows


def _book(settings: Settings, warehouse: Warehouse) -> Book:
    context = QueryContext(warehouse, Zone("UTC"), UNTIL, "EUR", Segment())
    return Book(settings, context, Window.last(10, UNTIL, Zone("UTC")), "previous")


def _plain(warehouse: Warehouse, name: str) -> list[str]:
    return sorted(map(repr, warehouse.query(warehouse.table(name)).to_pylist()))


def test_what_others_have_is_not_counted_dated_or_named(settings: Settings) -> None:
    with Warehouse.open(settings, rows=Rows.of({"country": "de"})) as bound:
        # "de", the seventh country, is only of the source "one".
        assert {row["source"] for row in bound.coverage} == {"one"}
        assert {row[1] for row in bound.filled} == {"one"}
        newest = max(row["ts"] for row in bound.query(bound.table("fct_orders")).to_pylist())
        assert bound.last_row_at("fct_orders") == newest.replace(tzinfo=UTC)
        assert all(row["ended"] == () for row in bound.coverage)
        for told in ("feeds", "rejected"):
            with pytest.raises(RowsError, match="not shown to an audience bound to its rows"):
                getattr(bound, told)
        for name in ("meta_coverage", "meta_tables", "dim_date"):
            with pytest.raises(RowsError):
                bound.table(name)


def test_of_a_feed_without_own_rows_nothing_is_known(settings: Settings) -> None:
    book = Book.open(root=settings.root, rows={"country": "Nowhere"})
    value = book.value("orders")
    assert (value.value, value.why) == (None, "no source has orders by country")
    book.context.warehouse.close()


def test_latest_is_a_day_as_the_minute_may_be_of_anothers_row(settings: Settings) -> None:
    book = Book.open(root=settings.root, rows={"country": "DE"}, timezone="Europe/Berlin")
    # Complete until 00:00 UTC, which is 02:00 in Berlin.
    assert book.as_of == datetime(2026, 6, 29, 22, tzinfo=UTC)
    assert "Data until" not in book._repr_mimebundle_()["text/plain"]
    book.context.warehouse.close()


def test_a_process_bound_to_rows_opens_nothing_else(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROWS, Rows.of({"country": ["DE", "FR"]}).to_text())
    with Warehouse.open(settings) as bound:
        assert bound.rows == Rows.of({"country": ["FR", "DE"]})
        held = bound.query(bound.table("fct_orders").country.as_table().distinct()).column(0).to_pylist()
        assert sorted(held) == ["DE", "FR"]
    # Fewer are allowed, others are not.
    with Warehouse.open(settings, rows=Rows.of({"country": "FR"})) as fewer:
        assert fewer.rows == Rows.of({"country": "FR"})
    with pytest.raises(RowsError, match="bound to other rows"):
        Warehouse.open(settings, rows=Rows.of({"country": "de"}))
    monkeypatch.setenv(ROWS, '{"country": ')
    with pytest.raises(UsageError, match="cannot be read"):
        Warehouse.open(settings)


@pytest.mark.parametrize(
    "given_rows",
    [
        {"country": []},  # no value: nobody's rows, and not everybody's
        {"country": None},
        {"country": ""},
        {"country": True},
        {"country": 1.5},
        {"country": ["DE", 7]},
        {"country": "DE\0"},
        {"country": 2**63},
        {"": "DE"},
    ],
)
def test_rows_that_could_mean_something_else_are_refused(given_rows: Mapping[str, Any]) -> None:
    with pytest.raises(UsageError):
        Rows.of(given_rows)


@given(dictionaries(text("abc", min_size=1), lists(text("DE'\"\\ß|{}", min_size=1), min_size=1), max_size=3))
def test_rows_are_read_as_they_were_written(held: dict[str, list[str]]) -> None:
    rows = Rows.of(held)
    assert Rows.from_text(rows.to_text()) == rows
    assert rows.within(rows) == rows and bool(rows) == bool(held)
