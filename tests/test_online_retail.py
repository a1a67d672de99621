"""A year of a real shop, from its file to its published numbers."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.landing.store import Landing
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build
from tidings.window import Window
from workbook_folders import ROOT, make_workbook

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
        assert [partition.rows for partition in source.pull(Landing(settings.raw), Pull(now))] == [541_909]
    build(settings)
    return Book.open(root=root, as_of="2011-12-10", days=374)


@pytest.mark.data
@pytest.mark.slow
def test_figures_are_the_published_ones(retail: Book) -> None:
    assert (retail.window.start, retail.window.last_day) == (date(2010, 12, 1), date(2011, 12, 9))
    net, documents, customers = retail.values("net_revenue", "order_documents", "customers")
    assert round(Decimal(net.value or 0), 2) == Decimal("9747747.93")
    assert (documents.value, customers.value) == (25_900, 4_372)
    # Invoice by invoice, not line by line; the lines of 43 invoices have two times, which makes two movements of each.
    assert net.provenance.rows == 25_943
    assert (
        retail.value("orders").value
        == retail.context.rows(retail.table("fct_orders").aggregate(n=lambda t: t.count()))[0]["n"]
    )


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
    result = retail.split("net_revenue", "country", top=5)
    total, *countries = result.column("net_revenue")
    assert sum(countries) == total and len(countries) == 6
    assert result.column("country")[1] == "United Kingdom" and result.column("country")[-1] == "others (33)"


def _readme_example() -> tuple[str, list[str]]:
    """The settings and the commands of README's example, word for word."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = text[text.index("Online Retail](") : text.index("The page ends with what its numbers include")]
    (settings,) = re.findall(r"```toml\n(.*?)```", example, re.DOTALL)
    (console,) = re.findall(r"```console\n(.*?)```", example, re.DOTALL)
    return settings, re.split(r"\n\$ | && ", console.strip().removeprefix("$ "))


def _run(root: Path, command: str) -> tuple[int, str]:
    tidings, *arguments = command.split()
    assert tidings == "tidings"
    done = subprocess.run(
        [sys.executable, "-m", tidings, "--root", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def _workbook(folder: Path, shared_data: Path, settings: str) -> Path:
    """The checkout's own workbook, its sample taken out, with these settings added and the files where they say."""
    ours = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table = ours[ours.index("[tool.tidings]") : ours.index("[tool.tidings.sources.sample]")]
    added = settings.removeprefix("[tool.tidings]").partition("\n")[2]
    own, _, sources = added.partition("[tool.tidings.sources.shop]")
    given = {line.split("=")[0].strip() for line in own.splitlines() if "=" in line}
    kept = [line for line in table.splitlines() if line.split("=")[0].strip() not in given]
    root = make_workbook(folder, "\n".join([*kept, own, "[tool.tidings.sources.shop]" + sources]))
    assert tomllib.loads((root / "pyproject.toml").read_text())["tool"]["tidings"]["fx"] == "data/fx.csv"
    (root / "inbox").mkdir()
    (root / "inbox" / "online_retail").symlink_to(shared_data / "online_retail")
    return root


@pytest.mark.data
@pytest.mark.slow
def test_the_example_of_the_readme_word_for_word(shared_data: Path, tmp_path: Path) -> None:
    settings, commands = _readme_example()
    root = _workbook(tmp_path / "workbook", shared_data, settings)
    for command in commands:
        code, said = _run(root, command)
        assert code == 0, f"{command}: {said}"
        assert "cannot be converted" not in said
    (page,) = root.glob("reports/commerce/*/commerce.html")
    text = " ".join(
        html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))).replace("\u202f", ",").split()
    )
    for reported in ("541,909", "25,900", "4,372", "406,829", "9,747,747.93"):
        assert reported in text, reported
    assert reported in (ROOT / "README.md").read_text(encoding="utf-8")


def test_without_its_currency_the_example_says_what_is_missing(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    settings, _ = _readme_example()
    own = settings.replace('currency = "GBP"', 'currency = "EUR"', 1).replace(".parquet", ".csv")
    root = _workbook(tmp_path / "workbook", tmp_path / "shared", own)
    (root / "inbox" / "online_retail").unlink()
    (root / "inbox" / "online_retail").mkdir()
    head = "InvoiceNo,InvoiceDate,CustomerID,StockCode,Description,Quantity,UnitPrice,Country"
    (root / "inbox" / "online_retail" / "2011.csv").write_text(f"{head}\n1,2011-12-09T12:00,1,A,Mug,2,2.55,France\n")
    code, said, _ = command("check", root=root)
    # Before anything is landed: what the settings say.
    assert code == 0 and 'For reports without conversion set currency = "GBP"' in said
    for word in ("pull", "build"):
        assert command(word, root=root)[0] == 0
    said = " ".join(command("check", root=root)[1].split())
    assert "Amounts in GBP (shop, the last of 2011-12-09) cannot be converted into EUR" in said
    book = Book.open("2011-12-10", 374, "none", root=root)
    assert book.value("net_revenue").value is None
    (note,) = [note for note in book.value("net_revenue").provenance.notes if "rates" in note]
    assert note.endswith("data/fx.csv has rates for GBP from 2024-07-01 to 2026-06-29.")


@pytest.mark.data
@pytest.mark.slow
def test_the_one_order_that_made_the_refunds_rise_is_named(retail: Book) -> None:
    # 168,469.60 of "PAPER CRAFT , LITTLE BIRDIE", ordered and cancelled on the last day of the data.
    (refunds,) = Book.open("2011-12-10", 28, root=retail.settings.root).explain("refunds")
    assert refunds.days is not None and (refunds.days.start, refunds.days.days) == (date(2011, 12, 9), 1)
    assert refunds.cause is not None and (refunds.column, refunds.cause.names) == ("order_id", ("C581484",))
    assert round(refunds.cause.now[0].value or 0, 2) == 168_469.60
