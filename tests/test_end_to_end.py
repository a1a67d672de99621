"""From raw data to finished pages, as a user does it, and the numbers on them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from opened_pages import Opened
from tidings.book import Book
from tidings.delivery.mail.letter import Sender, write_letter
from tidings.delivery.message import Message
from tidings.display import formats
from tidings.display.formats import THIN
from tidings.landing.store import Landing
from tidings.ledger.store import Ledger
from tidings.reporting.index import report_findings
from tidings.reporting.pinned import RunResult
from tidings.reporting.record import read_record
from tidings.reporting.run import run as run_report
from tidings.settings import load_settings
from tidings.sources.source import Pull, open_sources
from tidings.warehouse.build import build
from workbook_folders import make_workbook

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)

RETAIL = """
[tool.tidings]
timezone = "Europe/London"
currency = "GBP"

[tool.tidings.sources.shop]
kind = "orders"
path = "{data}/online_retail/*.parquet"
currency = "GBP"

[tool.tidings.sources.shop.columns]
order_id = "InvoiceNo"
ts = "InvoiceDate"
customer_id = "CustomerID"
product_id = "StockCode"
product = "Description"
quantity = "Quantity"
unit_price = "UnitPrice"
country = "Country"

[tool.tidings.sources.web]
kind = "access_log"
path = "{data}/apache_log/access.log.gz"
"""


def _text(page: Path) -> str:
    """What a reader sees of a page, thin spaces made plain."""
    html = re.sub(r"<(script|style)\b.*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace(THIN, " ")


@pytest.fixture(scope="module")
def weekly(sample_workbook: Path) -> RunResult:
    return run_report(load_settings(sample_workbook), "weekly", {}, now=NOW)


def test_the_weekly_report_is_whole(weekly: RunResult, sample_workbook: Path) -> None:
    assert [(r.section, r.status) for r in weekly.sections] == [
        ("executive_overview", "done"),
        ("web_traffic", "done"),
        ("commerce", "done"),
        ("acquisition", "done"),
        ("technical_performance", "done"),
        ("source_health", "done"),
    ]
    folder = weekly.index.parent
    assert folder == sample_workbook / "reports" / "weekly" / "2026-07-01", "as_of is the end of the sample's data"
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "done" and manifest["build"] == weekly.run.build
    (entry,) = Ledger(load_settings(sample_workbook).ledger).runs(1)
    assert (entry.id, entry.status) == (weekly.run.id, "done")


def test_page_and_notebook_show_the_same_numbers(weekly: RunResult, sample_workbook: Path) -> None:
    book = Book.open(root=sample_workbook)
    value = book.value("orders").value
    executed = nbformat.read(weekly.index.parent / "notebooks" / "commerce.ipynb", as_version=4)
    record = [o.data for c in executed.cells if c.cell_type == "code" for o in c.outputs if "data" in o]
    figures = [f for data in record for f in data.get("application/vnd.tidings.v1+json", {}).get("figures", [])]
    assert {f["value"] for f in figures if f["metric"] == "orders"} == {str(value)}
    assert f" {value} " in _text(weekly.index.parent / "commerce.html")


def test_the_report_is_in_its_mail(weekly: RunResult) -> None:
    """Every figure of the cards of its first section, in both parts, and as light as it must be."""
    folder = weekly.index.parent
    records = tuple(read_record(folder / "notebooks" / f"{each.page}.ipynb") for each in weekly.sections)
    message = Message(
        id="weekly/2026-07-01/ann",
        title=weekly.title,
        subject=weekly.title,
        period="3 – 30 Jun 2026",
        at=NOW,
        recipient="ann@example.com",
        findings=tuple(report_findings(records)),
        records=records,
    )
    mail = write_letter(message, Sender("reports@example.com"))
    parts = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    assert len(str(parts["html"].get_payload())) < 60_000  # type: ignore[union-attr]
    assert len(mail.as_bytes()) < 500_000
    figures = [figure for item in records[0].of_kind("cards") for figure in item.figures]
    assert len(figures) == 6
    for part in parts.values():
        text = re.sub(r"\s+", "", re.sub(r"<[^>]+>", "", str(part.get_content())))  # type: ignore[union-attr]
        for figure in figures:
            shown = str(formats.short(float(figure["value"]), figure["unit"]))
            assert re.sub(r"\s+", "", f"{figure['title']}") in text
            assert re.sub(r"\s+", "", shown) in text, figure
    pictures = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    assert len(pictures) == 6


def test_every_page_needs_no_network(weekly: RunResult) -> None:
    for page in weekly.index.parent.glob("*.html"):
        html = page.read_text(encoding="utf-8")
        foreign = re.findall(r'(?:src|href)="(?:https?:)?//[^"]*"', html)
        assert not foreign, page.name
        assert len(html.encode()) < 2_500_000, page.name


def test_a_number_can_be_traced_to_raw_records(sample_workbook: Path) -> None:
    book = Book.open(root=sample_workbook)
    rows = book.rows("net_revenue")
    assert rows.count().execute() == book.value("net_revenue").provenance.rows
    received = book.raw("orders", rows, limit=5).execute()
    assert len(received) == 5
    assert all(json.loads(record)["amount"] for record in received["_record"])


WIDE: dict[str, Any] = {}
NARROW = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "context"),
    [
        # The page with every kind of output, and the index; the others consist of the same.
        pytest.param("commerce", WIDE, id="commerce-wide"),
        pytest.param("index", NARROW, id="index-narrow"),
        *(
            pytest.param(name, context, marks=pytest.mark.proof)
            for name in ("index", "executive_overview", "web_traffic", "commerce", "technical_performance")
            for context in (WIDE, NARROW)
            if (name, context) not in (("commerce", WIDE), ("index", NARROW))
        ),
    ],
)
def test_every_real_page_is_quiet_drawn_and_accessible(
    weekly: RunResult, browser: Any, name: str, context: dict[str, Any]
) -> None:
    file = weekly.index.parent / f"{name}.html"
    opened = Opened(browser, file, **context)
    assert opened.requests == [file.as_uri()], "nothing is fetched"
    assert opened.complaints == []
    assert opened.count(".td-vega svg.td-wide") == opened.count(".td-vega")
    width = context.get("viewport", {"width": 1280})["width"]
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, "no sideways scrolling"
    assert opened.barriers() == []


@pytest.mark.data
def test_online_retail_and_access_log_give_pages_with_the_published_numbers(shared_data: Path, tmp_path: Path) -> None:
    root = make_workbook(tmp_path / "book", RETAIL.format(data=shared_data))
    settings = load_settings(root)
    for source in open_sources(settings):
        list(source.pull(Landing(settings.raw), Pull(NOW)))
    build(settings)
    shop = run_report(settings, "commerce", {"as_of": "2011-12-10", "days": "374", "compare": "none"}, now=NOW)
    assert shop.status == "done"
    text = _text(shop.index.parent / "commerce.html")
    for figure in ("541 909", "25 900", "4 372", "406 829", "9 747 747.93"):
        assert figure in text, figure
    # Cohort of 2010-12 by purchases (quantity above zero): 885 customers, 324 of them back in January.
    assert re.search(r"Dec 2010 885 100.0 36.6", text)
    log = run_report(settings, "technical_performance", {"as_of": "2015-05-21", "days": "7"}, now=NOW)
    assert log.status == "done"
    text = _text(log.index.parent / "technical_performance.html")
    for figure in ("9 999", "9 125", "1 753 addresses", "2 747 282 505 bytes"):
        assert figure in text, figure
