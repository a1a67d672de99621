"""The index: what is unusual in the whole report, each fact once, and what no source brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidings.metrics.platform import PLATFORMS
from tidings.reporting.index import entry_of, report_findings
from tidings.reporting.pinned import Run
from tidings.reporting.record import Item, NotebookRecord, remedy
from tidings.window import Zone

ROOT = Path(__file__).parents[2]


def item(kind: str = "findings", **more: Any) -> Item:
    given = {"title": "", "subtitle": "", "alt": "", "figures": (), "table": None, "provenance": {}, "html": ""}
    return Item(**{"kind": kind, "text": "", **given, **more})


def section(name: str, *items: Item) -> NotebookRecord:
    return NotebookRecord(name, name.capitalize(), items, {}, None)


def finding(subject: str, chance: float | None, text: str = "") -> dict[str, Any]:
    return {"text": text or f"{subject} moved.", "subject": subject, "chance": chance, "action": f"Look at {subject}."}


def shown(*sections: NotebookRecord) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.text, tuple(name for name, _ in one.sections)) for one in report_findings(sections)]


NOTHING = finding("nothing", None, "Nothing unusual: 4 figures moved no more than in their history.")
USUAL = finding("usual", None)


def test_findings_of_all_sections_are_ranked_and_each_fact_is_told_once() -> None:
    overview = section("overview", item(findings=(finding("b", 0.002), finding("a", 0.004), USUAL)))
    # The same fact, less likely by what this section looked at: its sentence is the one to tell.
    traffic = section("traffic", item(findings=(finding("a", 0.001, "a, and two more, moved."),)))
    shop = section("shop", item(findings=(NOTHING, USUAL)))
    assert shown(overview, traffic, shop) == [
        ("a, and two more, moved.", ("traffic", "overview")),
        ("b moved.", ("overview",)),
    ]


def test_three_findings_at_most_for_the_whole_report() -> None:
    many = [
        section(name, item(findings=(finding(name, chance),)))
        for name, chance in zip("dcba", (4, 3, 2, 1), strict=True)
    ]
    assert [text for text, _ in shown(*many)] == ["a moved.", "b moved.", "c moved."]


def test_that_nothing_is_unusual_is_told_once_with_what_was_looked_at() -> None:
    figures = [{"metric": name, "value": "1", "why": ""} for name in ("orders", "visits")]
    quiet = [
        section("shop", item(findings=(NOTHING,), figures=figures)),
        section("site", item(findings=(NOTHING,), figures=figures[:1])),
        section("sources"),
    ]
    assert shown(*quiet) == [("Nothing unusual: none of 2 figures moved more than in its history.", ("shop", "site"))]
    # Where nobody could judge, nobody says that nothing is unusual.
    assert shown(section("shop", item(findings=(finding("", None),))), section("sources")) == []


@pytest.mark.parametrize(
    ("findings", "state"),
    [
        ((finding("a", 0.001), finding("b", 0.002), USUAL), "2 unusual"),
        ((NOTHING, USUAL), "nothing unusual"),
        ((finding("", None),), "not judged"),
        ((), "done"),
    ],
)
def test_the_state_of_a_section(findings: Sequence[Mapping[str, Any]], state: str) -> None:
    record = section("shop", item(findings=tuple(findings)))
    assert entry_of(record, error="", seconds=1.0).state == state
    assert entry_of(record, error="It broke.", seconds=1.0).state == "failed"


def test_a_row_has_the_first_two_cards_with_links_to_the_page() -> None:
    card = '<div class="td-card"><a href="#def-{0}">{0} &lt;b&gt;</a></div>'
    cards = [item("cards", html=f"<figure>{card.format('a')}</figure>"), item("cards", html=card.format("b") * 2)]
    shown = entry_of(section("shop", *cards), error="", seconds=1.0).cards
    assert shown == "".join(card.format(name).replace("#", "shop.html#") for name in "ab")


def no_source(metric: str, what: str) -> dict[str, Any]:
    return {"metric": metric, "title": metric, "value": None, "why": f"no source has {what}"}


def test_a_section_that_no_source_feeds_is_one_line_that_says_what_would() -> None:
    record = section(
        "acquisition",
        item("cards", figures=(no_source("downloads", "downloads"), no_source("search_clicks", "search clicks"))),
        item("table", title="Reviews", provenance={"absent": "no source has app_store_reviews"}),
        item("note", title="By group: no data in this window."),
    )
    entry = entry_of(record, error="", seconds=1.0)
    assert (entry.state, entry.cards) == ("not connected", "")
    assert entry.missing == (
        "No source has downloads or search clicks. To connect: App Store (docs/sources/app_store.md), Google Play "
        "(docs/sources/google_play.md), Google search (docs/sources/search_console.md)."
    )


def test_a_section_with_one_figure_that_is_there_is_not_left_out() -> None:
    figures = ({"metric": "orders", "value": "3", "why": ""}, no_source("visitors", "requests or events"))
    record = section("overview", item("cards", figures=figures))
    assert not record.absent
    assert record.metrics == ("orders",)
    assert record.missing == "No source has requests or events. To connect: your own files (README.md, “Your data”)."
    assert section("shop", item("cards", figures=figures[:1])).missing == ""


def test_what_is_unknown_for_another_reason_is_not_absent() -> None:
    late = {"metric": "orders", "value": None, "why": "shop has orders for 1 – 5 Jun 2026"}
    assert not section("shop", item("cards", figures=(late,))).absent


def test_the_pages_that_say_how_to_connect_exist() -> None:
    from tidings.metrics.registry import registry

    said = remedy(registry())
    pages = [part.split(")")[0] for part in said.split("(")[1:] if part.startswith("docs/")]
    assert len(pages) >= len(PLATFORMS) - 2
    assert all((ROOT / page).is_file() for page in pages)
    assert "## Your data" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "units", "rows", "empty"),
    [
        ("table", ("text", "count"), (("Total", None),), True),
        ("table", ("text", "count"), (("Total", 0),), False),
        ("table", ("text", "count"), (), True),
        ("table", ("text", "text"), (("a", "b"),), False),
        ("chart", ("date", "EUR"), (("2026-06-01", None), ("2026-06-02", None)), True),
        ("chart", ("date", "EUR"), (("2026-06-01", None), ("2026-06-02", "1.50")), False),
    ],
)
def test_a_figure_without_any_number_is_empty(kind: str, units: Any, rows: Any, empty: bool) -> None:
    columns = [{"name": unit, "title": unit, "unit": unit} for unit in units]
    assert item(kind, table={"columns": columns, "rows": rows}).is_empty is empty


def test_a_report_says_once_that_its_data_are_old() -> None:
    at = datetime(2026, 7, 1, tzinfo=UTC)

    def note(days: float, *, is_latest: bool = True) -> str:
        fixed = ("weekly-1", "weekly", "Weekly", "2026-07-01", at, {}, "b1", "0", ("shop",))
        return Run(*fixed, at + timedelta(days=days), Zone("UTC"), is_latest).age_note

    assert note(150.5) == "The data end 150 days before this run of 28 Nov 2026, 12:00: nothing newer was landed."
    assert note(1.9) == ""
    # Who asks for a day long ago gets that day.
    assert note(150, is_latest=False) == ""
