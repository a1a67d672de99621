"""The section on alerts, and the top of pages: both show what the run knew when it began."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tidings.book import Book
from tidings.display.tables import table
from tidings.language import language_of, speaking
from tidings.ledger.alert_log import AlertEvent, AlertLog, Kind
from tidings.reporting.open_alerts import concerning, open_alerts
from tidings.reporting.record import record_of
from tidings.reporting.site import environment
from tidings.sections import alerts
from tidings.settings import Settings
from tidings.warehouse.build import build
from tidings.window import Zone
from workbooks import land

DAY = date(2026, 6, 20)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def event(kind: Kind, when: str, rule: str = "Errors", day: date = DAY, **of: Any) -> AlertEvent:
    return AlertEvent(rule, "figure", kind, at(when), day, **{"value": Decimal(1), "said": f"{rule} {kind}.", **of})


@pytest.fixture
def workbook(tmp_path: Path) -> Settings:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\n", encoding="utf-8")
    settings = Settings(root=tmp_path)
    land(settings, "requests", [{"request_id": "r", "ts": datetime(2026, 6, 30), "status": 200}], source="api")
    build(settings)
    return settings


def begin(workbook: Settings, when: str) -> str:
    AlertLog(workbook.ledger).start_run(
        *("r",),
        report="weekly",
        slot="s",
        as_of=at("07-01T00:00"),
        parameters={},
        build="b",
        version="1",
        sections=(),
        started_at=at(when),
    )
    return "r"


def history(workbook: Settings) -> None:
    log = AlertLog(workbook.ledger)
    log.add(
        [event("looked", "06-20T06:00"), event("opened", "06-20T06:00", severity="critical", metrics=("error_rate",))]
    )
    log.add([event("acknowledged", "06-20T06:30", by="<b>Ada</b>")])
    log.add([event("resolved", "06-21T06:00", day=date(2026, 6, 21))])
    # It came back within a week, and is open.
    log.add([event("opened", "06-25T06:00", day=date(2026, 6, 25), metrics=("error_rate",), runbook="Look.")])
    log.add([event("opened", "06-26T06:00", "Bots", date(2026, 6, 26), severity="info", metrics=("bot_share",))])
    log.add([event("looked", "07-01T06:00", day=date(2026, 6, 30))])


def test_what_was_open_when_the_run_began(workbook: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    history(workbook)
    run = begin(workbook, "07-01T07:00")
    # Later, while the run goes on, one ends and another begins.
    AlertLog(workbook.ledger).add([event("resolved", "07-01T07:01"), event("opened", "07-01T07:01", "Late")])
    shown = open_alerts(workbook, run, Zone("UTC"))
    assert [(a.rule, a.severity, a.since, a.state, a.runbook) for a in shown] == [
        ("Errors", "warning", "25 Jun 2026", "open", "Look."),
        ("Bots", "info", "26 Jun 2026", "open", ""),
    ]
    assert [a.rule for a in concerning(shown, ["visits", "bot_share"])] == ["Bots"]
    monkeypatch.setenv("TIDINGS_RUN", run)
    book = Book.open(root=workbook.root)
    assert alerts.open_now(book).column("rule") == ["Errors", "Bots"]
    assert book.query(book.table("fct_alerts")).table.num_rows == 3
    monkeypatch.delenv("TIDINGS_RUN")
    assert "Late" in alerts.open_now(Book.open(root=workbook.root)).column("rule"), "an analyst sees what is there now"


def test_what_others_wrote_is_text_on_a_page(workbook: Settings) -> None:
    log = AlertLog(workbook.ledger)
    log.add([event("opened", "06-20T06:00", "<i>", said="<script>", runbook="<a href=x>")])
    log.add([event("acknowledged", "06-20T06:30", "<i>", by="<b>Ada</b>")])
    shown = open_alerts(workbook, begin(workbook, "07-01T07:00"), Zone("UTC"))
    html = str(environment().get_template("parts.html.j2").module.open_alerts(shown, "alerts"))  # type: ignore[attr-defined]
    assert "acknowledged by &lt;b&gt;Ada&lt;/b&gt;" in html and "&lt;script&gt;" in html
    assert not any(tag in html for tag in ("<i>", "<b>", "<script", "<a "))


def test_labels_of_open_alerts_are_german_and_their_sentences_as_they_are_kept(workbook: Settings) -> None:
    history(workbook)
    AlertLog(workbook.ledger).add([event("muted", "07-01T06:30", "Bots", until=date(2026, 7, 9))])
    with speaking(language_of("de")):
        shown = open_alerts(workbook, begin(workbook, "07-01T07:00"), Zone("UTC"))
        html = str(environment().get_template("parts.html.j2").module.open_alerts(shown, "alerts"))  # type: ignore[attr-defined]
    for said in ("Offene Warnungen", ">Warnung<", ">Hinweis<", "seit 25. Juni 2026, offen", "stumm bis 2026-07-09"):
        assert said in html
    # Classes are for the stylesheet.
    assert 'class="alert-warning"' in html


def test_open_now_and_the_history_agree(workbook: Settings) -> None:
    history(workbook)
    book = Book.open(root=workbook.root)
    rows = alerts.timeline(book).rows
    assert [row[:5] for row in rows] == [
        (date(2026, 6, 26), "Bots", "info", 5, "open"),
        (date(2026, 6, 25), "Errors", "warning", 6, "open"),
        (date(2026, 6, 20), "Errors", "critical", 1, "resolved"),
    ]
    assert sum(row[4] == "open" for row in rows) == len(alerts.open_now(book).rows)
    assert book.value("alert_openings").value == 3
    assert book.value("open_alerts").value == 2
    assert book.value("alert_flaps").value == 1
    assert book.value("alert_time_to_acknowledge").value == 1800


def test_counts_and_times_by_rule(workbook: Settings) -> None:
    history(workbook)
    book = Book.open(root=workbook.root)
    # Two of Errors, one still open, the second within a week of the first; half an hour to see it, a day to end it.
    assert alerts.by_rule(book).rows == (("Errors", 2, 1, 1, 1800.0, 86400.0), ("Bots", 1, 1, 0, None, None))
    assert alerts.by_severity(book).rows == (("critical", 1), ("warning", 1), ("info", 1))


def test_without_rules_the_section_says_what_would_make_some(workbook: Settings) -> None:
    book = Book.open(root=workbook.root)
    found = [alerts.open_now(book), alerts.timeline(book), alerts.by_severity(book), alerts.by_rule(book)]
    assert {each.provenance.absent for each in found} == {"no source has evaluated rules of alerts"}
    assert book.value("alert_openings").is_absent
    shown = [nbformat.v4.new_output("display_data", table(each)._repr_mimebundle_()) for each in found]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=shown)])
    record = record_of(notebook, "alerts")
    assert record.absent and record.missing.startswith("No rule of alerts has been judged yet.")
    assert "tidings alerts init" in record.missing


def test_an_alert_of_an_older_build_sets_no_end_of_the_data(workbook: Settings) -> None:
    AlertLog(workbook.ledger).add([event("looked", "08-01T06:00", day=date(2026, 7, 31))])
    # A rule on a late source looks at the day of the clock, which the data do not reach.
    assert Book.open(root=workbook.root).window.last_day == date(2026, 6, 30)
