"""A year of a real shop, from its file to its published figures."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.build import build
from tidings.settings import load_settings
from tidings.sources.landing import Landing
from tidings.sources.source import Pull, open_sources
from tidings.window import Window

PROJECT = """
[tool.tidings]
timezone = "Europe/London"
currency = "GBP"

[tool.tidings.sources.shop]
kind = "orders"
path = "{path}"
columns = {{ order_id = "InvoiceNo", ts = "InvoiceDate", customer_id = "CustomerID", product_id = "StockCode", \
product = "Description", quantity = "Quantity", unit_price = "UnitPrice", country = "Country" }}
"""


@pytest.fixture(scope="module")
def retail(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Book:
    root = tmp_path_factory.mktemp("retail")
    files = Path(os.path.relpath(shared_data, root)) / "online_retail" / "*.parquet"
    (root / "pyproject.toml").write_text(PROJECT.format(path=files.as_posix()))
    settings = load_settings(root)
    for source in open_sources(settings):
        now = datetime(2026, 7, 1, tzinfo=UTC)
        assert [part.rows for part in source.pull(Landing(settings.raw), Pull(now))] == [541_909]
    build(settings)
    return Book.open(root=root, days=374)


@pytest.mark.data
@pytest.mark.slow
def test_figures_are_the_published_ones(retail: Book) -> None:
    assert (retail.window.start, retail.window.last_day) == (date(2010, 12, 1), date(2011, 12, 9))
    net, documents, customers = retail.values("net_revenue", "order_documents", "customers")
    assert round(Decimal(net.value or 0), 2) == Decimal("9747747.93")
    assert (documents.value, customers.value) == (25_900, 4_372)
    # Invoice by invoice, not line by line: 541,909 lines are 25,900 movements of money.
    assert net.provenance.rows == 25_900


@pytest.mark.data
@pytest.mark.slow
def test_parts_make_the_whole_but_for_those_who_come_twice(retail: Book) -> None:
    months = retail.series("net_revenue", "month")
    assert months.sum() == retail.value("net_revenue").value
    assert len(months.points) == 13
    # Customers of the months are counted more than once: their sum is no number of people.
    by_month = [point.value for point in retail.series("customers", "month").points]
    assert sum(int(value or 0) for value in by_month) > 4_372
    whole = Window.between(date(2010, 12, 1), date(2010, 12, 31), retail.as_of, retail.zone)
    assert by_month[0] == retail.value("customers", whole).value == 948


@pytest.mark.data
@pytest.mark.slow
def test_countries_add_up(retail: Book) -> None:
    answer = retail.split("net_revenue", "country", top=5)
    total, *countries = answer.column("net_revenue")
    assert sum(countries) == total and len(countries) == 6
    assert answer.column("country")[1] == "United Kingdom" and answer.column("country")[-1] == "others (33)"
