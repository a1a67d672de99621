"""Audiences: who is bound to rows is told nothing of others', and the public only what is listed."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import nbformat
import pytest
from section_notebooks import notebook

from shops import CANARIES, said, shops
from tidings.book import Book
from tidings.delivery.compose import compose
from tidings.delivery.preview import write_preview
from tidings.errors import RowsError, UsageError
from tidings.exports.writing import write_export
from tidings.reporting.disclosure import disclosed
from tidings.reporting.finished import run_in
from tidings.reporting.pinned import Public, RunResult
from tidings.reporting.record import read_record
from tidings.reporting.run import run
from tidings.settings import Settings, load_settings
from tidings.warehouse.rows import Rows

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
OWN = {"country": "DE"}
# What a notebook may do without thinking of audiences. It prints what it finds.
ACCIDENTS = """
from tidings.settings import load_settings
from tidings.warehouse.reader import Warehouse
from tidings.ledger.store import Ledger
from tidings.sections import source_health, technical_performance
import ibis
book = Book.open()
warehouse = Warehouse.open(load_settings())
orders = book.table("fct_orders")
engine = orders.get_backend()
tried = {
    "another book": lambda: Book.open().table("fct_orders").to_pandas(),
    "another warehouse": lambda: warehouse.query(warehouse.table("stg_orders")),
    "sql on a table": lambda: orders.sql("SELECT * FROM fct_orders").to_pandas(),
    "sql on the engine": lambda: engine.raw_sql("SELECT * FROM fct_events").fetchall(),
    "a table of the engine": lambda: engine.table("fct_requests").to_pandas(),
    "its list": lambda: engine.list_tables(),
    "columns": lambda: engine.raw_sql("SHOW TABLES").fetchall(),
    "meta tables": lambda: engine.raw_sql("SELECT * FROM meta_feeds").fetchall(),
    "attach": lambda: engine.raw_sql(f"ATTACH '{warehouse.file}' AS again"),
    "read": lambda: engine.raw_sql(f"SELECT * FROM '{warehouse.file}'").fetchall(),
    "freshness": lambda: book.freshness,
    "tables": lambda: book.tables,
    "coverage": lambda: list(book.context.coverage._covers),
    "raw": lambda: book.raw("orders", book.rows("orders")),
    "rejected": lambda: book.rejected("orders"),
    "rejected rows": lambda: warehouse.rejected,
    "feeds": lambda: warehouse.feeds,
    "pulls": lambda: source_health.pulls(book),
    "landed": lambda: technical_performance.landed_rows(book),
    "other rows": lambda: Book.open(rows={"country": "Elsewhere"}),
    "a segment": lambda: book.within("country", "Elsewhere"),
    "shares": lambda: book.split("net_revenue", "product", top=1),
    "notes": lambda: [value.provenance for value in book.values("net_revenue", "visitors", "mau", "lcp_p75")],
    "explained": lambda: book.explain("net_revenue", "visitors"),
    "annotations": lambda: book.annotations,
}
for name, trying in tried.items():
    try:
        print(name, "|", trying())
    except Exception as error:
        print(name, "|", type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The workbook of the two shops, with our sections, one that pokes about, and an annotation on the other shop."""
    root = tmp_path_factory.mktemp("shops")
    shops(root)
    (root / "data" / "annotations.csv").write_text("day,text,kind\n2026-06-10,Canary opens,release\n")
    (root / "data" / "targets.csv").write_text("metric,period,amount\nnet_revenue,2026-06,7654.31\n")
    shutil.copytree(NOTEBOOKS, root / "notebooks")
    cells = ["from tidings.book import Book", ACCIDENTS]
    nbformat.write(notebook(cells, title="Accidents"), root / "notebooks" / "accidents.ipynb")
    (root / "schedules").mkdir()
    names = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    # With what discloses most: rows behind the figures.
    (root / "schedules" / "all.toml").write_text(
        f'title = "All"\nrows = true\nsections = {json.dumps([*names, "accidents"])}\n'
    )
    return load_settings(root)


def found(folder: Path) -> list[tuple[str, str]]:
    """Each place where something of the other shop stands."""
    return [
        (name, text[max(0, at.start() - 60) : at.end() + 30])
        for name, text in said(folder)
        for at in CANARIES.finditer(text)
    ]


@pytest.fixture(scope="module")
def bound(shop: Settings) -> RunResult:
    return run(shop, "all", {}, now=NOW, rows=OWN)


def test_the_workbook_has_what_must_not_be_found(shop: Settings) -> None:
    # All sections, not bound: the search finds it.
    result = run(shop, "commerce", {}, now=NOW)
    assert {name for name, _ in found(result.index.parent)} >= {"commerce.html", "notebooks/commerce.ipynb"}


def test_every_byte_of_a_bound_run_is_silent_about_others(bound: RunResult) -> None:
    assert found(bound.index.parent) == []
    # It has its own, so that the silence is not that of an empty page.
    page = (bound.index.parent / "commerce.html").read_text()
    # 10 to 29 EUR with a tax of 1 on each of 18 days since 3 June: (11 + … + 28) = 351.
    assert "Own Product" in page and "351.00" in page


def test_what_is_sent_of_a_bound_run_is_silent_about_others(shop: Settings, bound: RunResult, tmp_path: Path) -> None:
    finished = run_in(shop, bound.index.parent)
    message = compose(shop, finished, key="k", recipient="ann@example.com", at=NOW, sent_at=NOW)
    write_preview(message, tmp_path / "mail")
    for kind, suffix in (("xlsx", "xlsx"), ("csv", "zip")):
        file = write_export(finished, kind, tmp_path / f"run.{suffix}")
        # Both are archives; what they hold is searched.
        shutil.unpack_archive(file, tmp_path / kind, "zip")
        file.unlink()
    parts = list(message_from_bytes((tmp_path / "mail" / "mail.eml").read_bytes()).walk())
    for number, part in enumerate(parts):
        if part.get_content_maintype() == "text":
            (tmp_path / f"part{number}.txt").write_bytes(part.get_payload(decode=True))
    assert found(tmp_path) == []
    # The search reads what was sent: both parts of the mail, and the sheets.
    assert {name[:4] for name, text in said(tmp_path) if "Web traffic" in text} >= {"part", "mail", "xlsx"}


def test_what_cannot_be_bound_is_a_remark_and_no_failure(bound: RunResult) -> None:
    assert {each.section: each.error for each in bound.sections if each.error} == {}
    page = (bound.index.parent / "source_health.html").read_text()
    assert "Pulls cannot be told apart by country, so they are not shown" in page
    assert (
        "dim_order_anomalies has no column country, so it cannot be shown to an audience bound to its rows"
        in (bound.index.parent / "commerce.html").read_text()
    )


def test_a_notebook_that_does_not_think_of_audiences_is_bound_all_the_same(bound: RunResult) -> None:
    executed = nbformat.read(bound.index.parent / "notebooks" / "accidents.ipynb", as_version=4)
    printed = "".join(o.text for c in executed.cells for o in c.get("outputs", ()) if o.output_type == "stream")
    tried = dict(line.split(" | ", 1) for line in printed.splitlines() if " | " in line)
    refused = ("meta tables", "attach", "read", "raw", "rejected", "rejected rows", "feeds", "pulls", "landed")
    assert {name for name in refused if "Error" in tried[name] or "Exception" in tried[name]} == set(refused)
    assert "other rows" in tried and "bound to other rows" in tried["other rows"]
    assert "ownshop-0" in printed


def test_the_page_and_the_record_say_which_rows(bound: RunResult) -> None:
    manifest = json.loads((bound.index.parent / "run.json").read_text())
    assert manifest["rows"] == {"country": ["DE"]}
    page = (bound.index.parent / "commerce.html").read_text()
    # The query shown is the one that was run, predicate included.
    assert "&#34;country&#34; IN (&#39;DE&#39;)" in page


def test_rows_behind_figures_are_its_own_and_no_command_prints_others(bound: RunResult) -> None:
    page = (bound.index.parent / "commerce.html").read_text()
    # What is in it is searched above; it is not empty.
    assert 'id="rows-' in page and "Own Product" in page.partition('id="rows"')[2].partition('id="sources"')[0]
    assert [name for name, text in said(bound.index.parent) if "tidings rows" in text] == []


def test_the_search_finds_what_an_unbound_kernel_would_say(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Broken on purpose: the kernels are not told of the rows.
    monkeypatch.setattr(Rows, "to_text", lambda self: "")
    result = run(shop, "commerce", {}, now=NOW, rows=OWN)
    assert {name for name, _ in found(result.index.parent)} >= {"commerce.html", "notebooks/commerce.ipynb"}


def test_each_binding_has_a_folder_that_does_not_spell_it(shop: Settings, bound: RunResult) -> None:
    slots = [run_slot(shop, rows) for rows in (OWN, {"country": "FR"}, {"country": ["DE", "FR"]}, None)]
    assert len(set(slots)) == 4 and slots[0] == bound.run.slot
    assert not any("DE" in slot or "FR" in slot or "country" in slot for slot in slots)
    assert slots[3] == "2026-07-01" and slots[0].startswith("2026-07-01~rows-")


def run_slot(settings: Settings, rows: dict[str, object] | None) -> str:
    from tidings.reporting.report import load_report
    from tidings.reporting.run import _pin

    return _pin(settings, load_report(settings, "commerce"), {}, NOW, rows=Rows.of(rows))[0].slot


PUBLIC = Public(("net_revenue", "visits", "visits by channel"))


@pytest.fixture(scope="module")
def public(shop: Settings) -> RunResult:
    return run(shop, "all", {"days": 14}, now=NOW, public=PUBLIC)


def test_public_pages_hold_the_listed_figures_alone(public: RunResult) -> None:
    folder = public.index.parent
    names = sorted(path.name for path in folder.iterdir())
    # Sections without a listed figure have not even a title there, and no notebook and no run.json are published.
    assert names == ["commerce.html", "executive_overview.html", "index.html", "web_traffic.html"]
    page = (folder / "commerce.html").read_text()
    assert "Net revenue" in page and 'class="td-vega"' in page
    traffic = (folder / "web_traffic.html").read_text()
    assert "Visits" in traffic and "Visits by channel" in traffic
    for title in ("Average order value", "Refunds", "Unique visitors", "Own Product", "Canary Product", "Bounce"):
        assert not any(title in text for _, text in said(folder)), title


def test_public_pages_do_not_say_where_figures_come_from(shop: Settings, public: RunResult) -> None:
    build = public.run.build
    hidden = [
        "SELECT",
        "fct_",
        "stg_",
        "tillsystem",
        "canaryshop_pos",
        "Canary opens",
        "Target",
        "executed notebook",
        ".ipynb",
    ]
    hidden += [
        "book.",
        "Technical performance",
        "Sources",
        "Acquisition",
        "Accidents",
        "days=14",
        "segment",
        "timezone",
    ]
    hidden += [build, public.run.id, str(shop.root), shop.root.name, "pyproject"]
    for name, text in said(public.index.parent):
        assert [word for word in hidden if word in text] == [], name


def test_public_pages_have_no_rows_behind_anything_though_the_report_has_them(
    public: RunResult, shop: Settings
) -> None:
    hidden = ("rows-", "td-rows", "tidings rows", "ownshop-0")
    assert [name for name, text in said(public.index.parent) if any(word in text for word in hidden)] == []
    # Not even what is kept for those who run it has them, and would not let them out.
    kept = public.run.notebooks(shop)
    assert kept is not None
    record = read_record(kept / "commerce.ipynb")
    assert any(item.behind for item in record.items)
    assert not any(group for item in record.items for group in item.behind.get("groups") or ())
    assert not any(item.behind for item in disclosed(record, PUBLIC.figures).items)


def test_public_findings_are_those_of_listed_figures(public: RunResult, shop: Settings) -> None:
    kept = public.run.notebooks(shop)
    assert kept is not None
    record = read_record(kept / "commerce.ipynb")
    shown = disclosed(record, PUBLIC.figures)
    assert next(item.kind for item in shown.items) == "head"
    assert all(set(item.metrics) <= {"net_revenue"} for item in shown.items)
    assert shown.parameters == {} and shown.tables == {} and shown.views == {} and shown.notes == ()
    # Without a list nothing leaves but the days.
    assert [item.kind for item in disclosed(record, ()).items] == ["head"]


def test_figures_that_are_none_are_refused(shop: Settings) -> None:
    with pytest.raises(UsageError, match="no metric 'net_revenu' to be public"):
        run(shop, "commerce", {}, now=NOW, public=Public(("net_revenu",)))
    with pytest.raises(UsageError, match="lists no figures"):
        run(shop, "commerce", {}, now=NOW, public=Public(()))


def test_rows_of_a_column_that_no_table_has_are_refused(shop: Settings) -> None:
    with pytest.raises(RowsError, match="No table has shop_id"):
        run(shop, "commerce", {}, now=NOW, rows={"shop_id": 7})
    with pytest.raises(RowsError, match="No table has country"):
        # A number is in no text column.
        Book.open(root=shop.root, rows={"country": 7})


@pytest.mark.proof
def test_every_section_of_the_sample_is_bound_to_one_country(sample_workbook: Path) -> None:
    settings = load_settings(sample_workbook)
    names = sorted(path.stem for path in settings.notebooks.glob("*.ipynb"))
    (settings.schedules / "one.toml").write_text(f'title = "One"\nsections = {json.dumps(names)}\n')
    result = run(settings, "one", {"as_of": "2026-07-01"}, now=datetime(2026, 7, 2, tzinfo=UTC), rows=OWN)
    assert {each.section: each.error for each in result.sections if each.error} == {}
    whole, own = (Book.open("2026-07-01", root=sample_workbook, rows=rows) for rows in (None, OWN))
    hidden: set[str] = set()
    for table, column in (("fct_orders", "order_id"), ("fct_orders", "customer_id"), ("fct_events", "visitor_id")):
        everyone, ours = (
            {str(row[column]) for row in book.context.rows(book.table(table).select(column).distinct())}
            for book in (whole, own)
        )
        hidden |= everyone - ours
    # What the others have could be had from the totals.
    for name in ("net_revenue", "orders", "visitors", "visits", "downloads", "search_clicks", "requests"):
        of_all, of_own = whole.value(name), own.value(name)
        assert of_all.value != of_own.value, name
        if of_all.value is not None and of_all.value > 999:
            hidden |= {f"{of_all.value:,}", f"{of_all.value:,}".replace(",", "\u202f"), str(of_all.value)}
    assert len(hidden) > 100
    pattern = re.compile(rf"(?<![\w.,])(?:{'|'.join(map(re.escape, sorted(hidden)))})(?!\w)")
    for name, text in said(result.index.parent):
        assert pattern.search(text) is None, name
    for name in names:
        for item in read_record(result.index.parent / "notebooks" / f"{name}.ipynb").items:
            at = [
                n for n, column in enumerate(item.table["columns"] if item.table else ()) if column["name"] == "country"
            ]
            shown = {row[n] for n in at for row in item.table["rows"]} if item.table else set()
            assert shown <= {"DE", "Total"}, (name, item.title)
    for book in (whole, own):
        book.context.warehouse.close()
