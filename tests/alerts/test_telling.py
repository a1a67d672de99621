"""What is told, how often, and that a crash loses nothing and repeats nothing unseen."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.alerts.telling import acknowledge, mute, notices, told
from tidings.errors import UsageError
from tidings.ledger.alert_log import AlertEvent, AlertLog, Kind, alerts_of
from tidings.settings import Settings

DAY = date(2026, 6, 19)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def event(kind: Kind, when: str = "06-20T06:00", rule: str = "Errors", **of: object) -> AlertEvent:
    given = {"said": f"It {kind}.", "tell": ("ops",), "runbook": "Look.", "most_per_day": 2, "value": Decimal(1)}
    return AlertEvent(rule, "figure", kind, at(when), DAY, **{**given, **of})  # type: ignore[arg-type]


@pytest.fixture
def workbook(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def add(workbook: Settings, *events: AlertEvent) -> None:
    for one in events:
        assert AlertLog(workbook.ledger).add([one])


def texts(workbook: Settings, when: str) -> list[tuple[str, str]]:
    """State and text of what is told now; all of it is then told."""
    found = notices(workbook, at(when))
    for notice in found:
        assert told(workbook, notice, at(when))
    return [(notice.state, notice.text) for notice in found]


def test_an_opening_is_told_once(workbook: Settings) -> None:
    add(workbook, event("looked"), event("opened", severity="critical"))
    (notice,) = notices(workbook, at("06-20T06:01"))
    assert (notice.rule, notice.severity, notice.who, notice.runbook, notice.since) == (
        *("Errors", "critical", ("ops",), "Look."),
        DAY,
    )
    assert texts(workbook, "06-20T06:02") == [("opened", "It opened.")]
    assert texts(workbook, "06-20T07:00") == []


def test_it_is_told_again_only_when_it_worsens_or_ends(workbook: Settings) -> None:
    add(workbook, event("opened"))
    texts(workbook, "06-20T06:00")
    add(workbook, event("looked"))
    assert texts(workbook, "06-21T06:00") == []
    add(workbook, event("worsened"))
    assert texts(workbook, "06-21T06:00") == [("worsened", "It worsened.")]
    add(workbook, event("resolved"))
    assert texts(workbook, "06-22T06:00") == [("resolved", "It resolved.")]


def test_so_many_messages_a_day_and_the_rest_together_later(workbook: Settings) -> None:
    add(workbook, event("opened"))
    texts(workbook, "06-20T06:00")
    add(workbook, event("worsened"))
    assert len(texts(workbook, "06-20T07:00")) == 1
    # Two were told on this day: the rest waits, however bad it is.
    add(workbook, event("resolved"), event("opened", said="It opened again."))
    assert texts(workbook, "06-20T08:00") == []
    (digest,) = notices(workbook, at("06-21T00:00"))
    assert (digest.is_digest, digest.state, digest.text) == (True, "opened", "It resolved. It opened again.")


def test_a_day_is_one_of_the_workbook(tmp_path: Path) -> None:
    workbook = Settings(root=tmp_path, timezone="Europe/Berlin")
    add(workbook, event("opened", most_per_day=1))
    texts(workbook, "06-20T21:00")
    add(workbook, event("worsened", most_per_day=1))
    # 22:00 UTC is midnight in Berlin.
    assert texts(workbook, "06-20T21:59") == []
    assert len(texts(workbook, "06-20T22:00")) == 1


def test_rules_do_not_share_their_messages(workbook: Settings) -> None:
    add(workbook, *(event("opened", rule=rule, most_per_day=1) for rule in ("a", "b", "c")))
    assert len(texts(workbook, "06-20T06:00")) == 3


def test_a_crash_between_made_and_told_repeats_the_same_message(workbook: Settings) -> None:
    add(workbook, event("opened"))
    (first,) = notices(workbook, at("06-20T06:00"))
    # It was made, perhaps sent, and the process died. More happens before the next one looks.
    add(workbook, event("worsened"))
    again, more = notices(workbook, at("06-20T07:00"))
    assert again == first, "the same id and words, so that whoever sends sees that it is a repetition"
    assert more.text == "It worsened."
    assert (told(workbook, first, at("06-20T07:00")), told(workbook, first, at("06-20T07:00"))) == (True, False)
    assert notices(workbook, at("06-20T07:00")) == (more,)


def test_what_is_quiet_is_history(workbook: Settings) -> None:
    add(workbook, event("opened", quiet=True), event("resolved", quiet=True), event("opened"))
    assert texts(workbook, "06-20T06:00") == [("opened", "It opened.")]


def test_nothing_is_told_of_a_muted_rule_until_that_day(workbook: Settings) -> None:
    add(workbook, event("opened"))
    mute(workbook, "Errors", date(2026, 6, 22), "ada", at("06-20T06:00"))
    assert texts(workbook, "06-21T23:59") == []
    assert texts(workbook, "06-22T00:00") == [("opened", "It opened.")]


def test_a_message_that_was_made_waits_for_the_end_of_a_mute(workbook: Settings) -> None:
    add(workbook, event("opened"))
    assert len(notices(workbook, at("06-20T06:00"))) == 1
    mute(workbook, "Errors", date(2026, 6, 22), "ada", at("06-20T06:00"))
    assert notices(workbook, at("06-20T06:01")) == ()
    assert len(notices(workbook, at("06-22T06:00"))) == 1


def test_a_mute_that_is_over_is_refused(workbook: Settings) -> None:
    with pytest.raises(UsageError, match="not after today"):
        mute(workbook, "Errors", date(2026, 6, 20), "ada", at("06-20T06:00"))


def test_somebody_acknowledges_what_is_open(workbook: Settings) -> None:
    with pytest.raises(UsageError, match="no open alert"):
        acknowledge(workbook, "Errors", "ada", at("06-20T07:00"))
    add(workbook, event("opened"))
    assert acknowledge(workbook, "Errors", "ada", at("06-20T07:00")) == 1
    (alert,) = alerts_of(AlertLog(workbook.ledger).events())
    assert (alert.state(DAY), alert.acknowledged_by, alert.acknowledged_at) == (
        "acknowledged",
        "ada",
        at("06-20T07:00"),
    )
    with pytest.raises(UsageError, match="no open alert that is not acknowledged"):
        acknowledge(workbook, "Errors", "bob", at("06-20T08:00"))


def test_who_judged_an_older_state_records_nothing(workbook: Settings) -> None:
    log = AlertLog(workbook.ledger)
    assert log.add([event("opened")], after=0)
    assert not log.add([event("opened")], after=0), "somebody else was faster"
    assert log.add([event("opened", rule="Other")], after=0), "another rule is another matter"
    assert [each.rule for each in log.events()] == ["Errors", "Other"]


def make(root: Path) -> None:
    workbook = Settings(root=root)
    for _ in range(20):
        notices(workbook, at("06-20T06:00"))


def test_two_processes_make_each_message_once(tmp_path: Path) -> None:
    workbook = Settings(root=tmp_path)
    add(workbook, *(event("opened", rule=str(n)) for n in range(20)))
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=make, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert sorted(n.rule for n in notices(workbook, at("06-20T06:00"))) == sorted(map(str, range(20)))


def test_an_event_is_read_as_it_was_written(workbook: Settings) -> None:
    whole = event(
        "opened", metrics=("a", "b"), metric="a", by="ada", until=DAY, quiet=True, sign=-1, value=Decimal("0.10")
    )
    add(workbook, whole)
    (found,) = AlertLog(workbook.ledger).events()
    assert found == AlertEvent(**{**vars(whole), "id": 1})
