"""Rules over a small workbook: values of days, sources that are late, half a load, and who evaluates at once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tidings.alerts import evaluating
from tidings.alerts.evaluating import evaluate, replay
from tidings.alerts.rules import read_rules
from tidings.alerts.starting import replayed, write_rules
from tidings.book import Book
from tidings.errors import SettingsError, UsageError
from tidings.ledger.alert_log import AlertLog, alerts_of
from tidings.settings import Settings, load_settings
from tidings.warehouse.build import build
from tidings.window import add_days
from workbooks import land

NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)
FIRST = date(2026, 5, 20)
DAYS = 42  # up to 30 June
ERRORS = 'name = "Errors"\nmetric = "error_rate"\nabove = 0.1\nowner = "ada"\ntell = "ops"\n'
HALF = 'name = "Half"\nload = "api"\nminimum = 20\n'
SETTINGS = """
[tool.tidings.sources.api]
kind = "requests"
path = "api.csv"

[tool.tidings.sources.api.columns]
ts = "ts"
"""


def calls() -> Iterator[Mapping[str, Any]]:
    """24 calls a day, one each hour; half of them fail on 19 June, all of them are missing after noon on 27 June."""
    for n in range(DAYS):
        day = add_days(FIRST, n)
        for hour in range(12 if day == date(2026, 6, 27) else 24):
            fails = day == date(2026, 6, 19) and hour % 2
            at = datetime(day.year, day.month, day.day, hour)
            yield {"ts": at, "request_id": f"{at}", "status": 500 if fails else 200, "latency_ms": 10.0}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("alerts")
    (root / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    (root / "api.csv").write_text("ts\n", encoding="utf-8")
    settings = load_settings(root)
    land(settings, "requests", list(calls()), source="api", complete_until=datetime(2026, 7, 1, tzinfo=UTC))
    build(settings)
    return root


@pytest.fixture
def workbook(built: Path, tmp_path: Path) -> Settings:
    """A copy, whose ledger is empty."""
    shutil.copytree(built, tmp_path / "w", ignore=shutil.ignore_patterns("ledger*", ".running"))
    return load_settings(tmp_path / "w")


def rules(workbook: Settings, *tables: str) -> None:
    (workbook.root / "alerts.toml").write_text("".join(f"[[alert]]\n{each}" for each in tables), encoding="utf-8")


def plain(text: str) -> str:
    """A sentence with common spaces."""
    return text.replace("\u202f", " ")


def happened(workbook: Settings) -> list[tuple[str, str, str]]:
    events = AlertLog(workbook.ledger).events()
    return [(event.rule, event.kind, f"{event.day:%m-%d}") for event in events if event.kind != "looked"]


def test_the_first_evaluation_judges_the_newest_day(workbook: Settings) -> None:
    rules(workbook, ERRORS)
    assert evaluate(workbook, NOW).events == ()
    (looked,) = AlertLog(workbook.ledger).events()
    # The last complete day of the data, not that of the clock.
    assert (looked.kind, looked.day, looked.value) == ("looked", date(2026, 6, 30), 0)
    assert evaluate(workbook, NOW).events == () and len(AlertLog(workbook.ledger).events()) == 1


def test_days_that_were_missed_are_caught_up(workbook: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rules(workbook, ERRORS)
    newest = evaluating.Watch.newest
    with monkeypatch.context() as earlier:
        earlier.setattr(evaluating.Watch, "newest", lambda self, rule: date(2026, 6, 17))
        evaluate(workbook, NOW)
    assert evaluating.Watch.newest is newest
    evaluate(workbook, NOW)
    assert happened(workbook) == [("Errors", "opened", "06-19"), ("Errors", "resolved", "06-20")]
    opened = alerts_of(AlertLog(workbook.ledger).events())[0]
    assert plain(opened.said) == "Error rate was 50.0 % on 19 Jun 2026, above 10.0 %; the same weekdays before 0.00 %."
    assert (opened.tell, "availability" in opened.metrics) == (("ops",), True)


def test_since_a_day_the_history_is_judged_as_if_every_evening(workbook: Settings) -> None:
    rules(workbook, ERRORS)
    done = evaluate(workbook, NOW, date(2026, 6, 1))
    assert [(e.kind, e.at, e.quiet) for e in done.events] == [
        ("opened", datetime(2026, 6, 20, tzinfo=UTC), True),
        ("resolved", datetime(2026, 6, 21, tzinfo=UTC), True),
    ]
    # It has a history now.
    assert evaluate(workbook, NOW, date(2026, 6, 1)).events == ()


def test_a_figure_without_coverage_is_an_alert_to_its_owner(workbook: Settings) -> None:
    rules(workbook, 'name = "Revenue"\nmetric = "net_revenue"\nbelow = 100\nowner = "ada"\n')
    (event,) = evaluate(workbook, NOW).events
    assert (event.about, event.kind, event.tell) == ("computing", "opened", ("ada",))
    assert event.said == "Revenue cannot be computed for 30 Jun 2026: no source has orders."
    assert evaluate(workbook, NOW).events == (), "told once"


def test_a_rule_that_fails_is_an_alert_too(workbook: Settings) -> None:
    rules(workbook, ERRORS + 'segment = "country=XX"\n')
    (event,) = evaluate(workbook, NOW).events
    assert (event.about, event.kind) == ("computing", "opened") and "country" in event.said


def test_changes_need_days_before_that_are_known(workbook: Settings) -> None:
    rules(workbook, 'name = "Calls"\nmetric = "requests"\nchange_below = -0.4\n')
    (rule,) = read_rules(workbook)
    found = replay(workbook, rule, NOW, DAYS)
    # Compared with the same weekday before: the first week has none. On 27 June half was missing, a week later
    # nothing would be.
    assert ([a.day for a in found.alerts], found.unknown) == ([date(2026, 6, 27)], 7)
    assert plain(found.alerts[0].said) == (
        "Requests was 12 on 27 Jun 2026, −50.0 % against the same weekdays before (24), beyond −40.0 %."
    )


def test_a_replay_says_when_and_how_long_and_records_nothing(workbook: Settings) -> None:
    rules(workbook, ERRORS)
    said = plain(replayed(replay(workbook, read_rules(workbook)[0], NOW, 30)))
    assert said.splitlines()[0] == "Errors: would have fired once in 1 – 30 Jun 2026."
    assert said.splitlines()[1].startswith("  19 Jun 2026, 1 day: Error rate was 50.0 %")
    assert AlertLog(workbook.ledger).events() == ()


def test_fewer_rows_than_the_minimum_are_not_judged(workbook: Settings) -> None:
    rules(workbook, ERRORS + "minimum = 25\n")
    found = replay(workbook, read_rules(workbook)[0], NOW, 30)
    assert (found.alerts, found.few) == ((), 30)


def test_half_a_load_is_seen_by_rows_and_by_hours(workbook: Settings) -> None:
    rules(workbook, HALF + "below = 0.6\n")
    (alert,) = replay(workbook, read_rules(workbook)[0], NOW, 10).alerts
    assert (alert.day, alert.resolved_day) == (date(2026, 6, 27), date(2026, 6, 28))
    assert "12 rows of requests, usually 24" in alert.said


def test_after_its_end_a_load_is_unknown_not_empty(workbook: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rules(workbook, HALF)
    # As where another source has gone on: more than a week later it is judged on the end of all data.
    monkeypatch.setattr(evaluating.Watch, "newest", lambda self, rule: date(2026, 7, 10))
    found = replay(workbook, read_rules(workbook)[0], NOW, 5)
    assert (found.alerts, found.unknown) == ((), 5)


def test_a_source_is_late_by_the_clock(workbook: Settings) -> None:
    rules(workbook, 'name = "Late"\nsource = "api"\nstale_for = 2\n')
    assert evaluate(workbook, datetime(2026, 7, 2, 23, tzinfo=UTC)).events == ()
    (event,) = evaluate(workbook, datetime(2026, 7, 3, 6, tzinfo=UTC)).events
    assert plain(event.said) == (
        "api (requests) is complete up to 1 Jul 2026, 00:00, 2 d 06 h ago; late is more than 2 days."
    )
    with pytest.raises(UsageError, match="cannot be replayed"):
        replay(workbook, read_rules(workbook)[0], NOW, 10)


def test_an_alert_whose_rule_is_taken_out_ends(workbook: Settings) -> None:
    rules(workbook, 'name = "Revenue"\nmetric = "net_revenue"\nbelow = 100\n')
    evaluate(workbook, NOW)
    rules(workbook, ERRORS)
    (event,) = evaluate(workbook, NOW).events
    assert (event.kind, event.said) == ("resolved", "Revenue is no longer a rule of alerts.toml.")


def test_two_that_evaluate_at_once_record_each_event_once(workbook: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rules(workbook, 'name = "Revenue"\nmetric = "net_revenue"\nbelow = 100\n')
    judged, both = evaluating.judged, threading.Barrier(2)
    first = threading.local()

    def together(*args: Any) -> Any:
        # Both have read the same state before one of them writes.
        if not getattr(first, "done", False):
            first.done = True
            both.wait(30)
        return judged(*args)

    monkeypatch.setattr(evaluating, "judged", together)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: evaluate(workbook, NOW).events, range(2)))
    assert sorted(len(events) for events in found) == [0, 1]
    assert happened(workbook) == [("Revenue", "opened", "06-30")]


def test_fct_alerts_has_what_the_ledger_has(workbook: Settings) -> None:
    rules(workbook, ERRORS)
    assert Book.open(root=workbook.root).value("alert_openings").value is None, "never evaluated: unknown, not 0"
    evaluate(workbook, NOW, date(2026, 6, 1))
    book = Book.open(root=workbook.root)
    (row,) = book.query(book.table("fct_alerts")).rows
    assert (row["rule"], row["metric"], row["ts"]) == ("Errors", "error_rate", datetime(2026, 6, 19))
    assert (row["opened_at"], row["resolved_at"]) == (datetime(2026, 6, 20), datetime(2026, 6, 21))
    assert (row["last_value"], row["worst_value"], row["seconds_to_resolve"]) == (0.5, 0.5, 86400.0)
    assert book.value("alert_openings").value == 1
    assert book.value("open_alerts").value == 0
    assert book.value("alert_time_to_resolve").value == 86400
    assert book.value("alert_openings", window=book.between("2026-06-20", "2026-06-30")).value == 0
    # Before the first day that was judged nothing is known.
    assert book.value("alert_openings", window=book.between("2026-05-20", "2026-05-30")).value is None


def test_rules_to_start_from_are_off_without_data(workbook: Settings) -> None:
    file, on, off = write_rules(workbook)
    found = {rule.about for rule in read_rules(workbook)}
    # Calls with status and latency, no orders, costs or subscriptions.
    assert found == {"error_rate", "latency_p95", "client_errors", "api"}
    assert (on, off) == (5, 6)
    text = file.read_text(encoding="utf-8")
    for kind in (
        "Cost",
        "Performance",
        "Security",
        "Business",
        "churn risk",
        "failed payments",
        "quota",
        "half a load",
    ):
        assert kind in text
    # Whatever is off can be switched on.
    file.write_text(text.replace("# [[", "[[").replace("\n# name", "\nname").replace("\n# metric", "\nmetric"), "utf-8")
    with pytest.raises(SettingsError, match="is there already"):
        write_rules(workbook)
