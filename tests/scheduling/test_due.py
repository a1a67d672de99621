"""From a slot to its deliveries: each in exactly one end state, none lost, none sent twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidings.delivery.channel import DeliveryError
from tidings.errors import SettingsError

MONDAY = '[[schedule]]\ncron = "0 8 * * mon"\ntimezone = "Europe/Berlin"\n'
BOARD = '[[audience]]\nname = "board"\nchannels = ["mail"]\nto = ["ann@example.com", "bob@example.com"]\n'


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_schedule_that_is_new_runs_no_slot_of_the_past(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    assert world.ledger.slots() == ()
    # Wednesday to the next Monday, 6 July 08:00 in Berlin.
    world.now = at("2026-07-06T05:59")
    world.look()
    assert world.ledger.slots() == ()
    world.now = at("2026-07-06T06:00")
    world.look()
    [slot] = world.ledger.slots()
    assert (slot.at, slot.state) == (at("2026-07-06T06:00"), "done")
    assert world.states() == [
        ("board", "mail", "ann@example.com", "delivered"),
        ("board", "mail", "bob@example.com", "delivered"),
    ]
    # One run for both recipients, as of the slot, whenever it is made.
    assert [run["as_of"] for run in world.runs] == ["2026-07-06T06:00:00+00:00"]


def test_looking_again_sends_nothing_again(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.now = at("2026-07-06T06:00")
    world.look()
    world.go(minutes=1)
    world.look()
    assert len(world.channels["mail"].accepted) == 2 and len(world.runs) == 1


def test_each_message_has_an_id_of_its_own_that_stays(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.now = at("2026-07-06T06:00")
    busy = DeliveryError("The server is busy.", outlook="temporary", code=451)
    world.channels["mail"].script = [busy, busy]
    world.look()
    assert world.states()[0][3] == "waiting"
    world.go(minutes=2)
    world.look()
    ann, bob = world.channels["mail"].accepted
    assert ann.id != bob.id and (ann.recipient, bob.recipient) == ("ann@example.com", "bob@example.com")
    [first, second] = world.ledger.attempts(world.ledger.deliveries(slot=1)[0].id)
    assert (first.outcome, first.code, second.outcome, second.code) == ("temporary", 451, "accepted", 250)


def test_late_by_how_much_and_waiting_for_what(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.now = at("2026-07-06T07:30")
    world.look()
    entry = world.ledger.deliveries(slot=1)[0]
    assert entry.state == "delivered" and entry.late_seconds == 90 * 60
    assert entry.waited_for == ("a process to run it: none was there at its time",)


def test_on_time_is_within_what_the_schedule_allows(world) -> None:
    world.report(MONDAY + 'on_time = "10 min"\n' + BOARD)
    world.look()
    world.now = at("2026-07-06T06:10")
    world.look()
    assert [entry.late_seconds for entry in world.ledger.deliveries(slot=1)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("rule", "states"),
    [
        # Three Mondays were missed: 6, 13 and 20 July.
        ("all", ["done", "done", "done"]),
        ("latest", ["skipped", "skipped", "done"]),
        ("skip", ["skipped", "skipped", "skipped"]),
    ],
)
def test_missed_slots_by_rule(world, rule: str, states: list[str]) -> None:
    world.report(MONDAY + f'catch_up = "{rule}"\n' + BOARD)
    world.look()
    world.now = at("2026-07-22T06:00")
    world.look()
    slots = world.ledger.slots()[::-1]
    assert [slot.state for slot in slots] == states
    # A slot that is skipped has its audience's row, which says by which rule.
    for slot in slots:
        for entry in world.ledger.deliveries(slot=slot.id):
            assert entry.state == ("delivered" if slot.state == "done" else "skipped")
            assert bool(entry.reason) == (entry.state == "skipped")
    assert [run["as_of"][:10] for run in world.runs] == [
        f"{slot.at:%Y-%m-%d}" for slot in slots if slot.state == "done"
    ]


def test_a_slot_of_now_is_not_missed(world) -> None:
    world.report(MONDAY + 'catch_up = "skip"\n' + BOARD)
    world.look()
    world.now = at("2026-07-06T06:14")
    world.look()
    assert world.ledger.slots()[0].state == "done"


def test_what_may_have_arrived_is_unknown_and_not_sent_again_but_by_hand(world) -> None:
    world.report(MONDAY + '[[audience]]\nname = "team"\nchannels = ["chat"]\n')
    world.look()
    world.channels["chat"].script = [DeliveryError("The connection broke.", outlook="unknown")]
    world.now = at("2026-07-06T06:00")
    assert world.look().failed == 1
    world.go(days=1)
    world.look()
    assert world.states() == [("team", "chat", "", "unknown")]
    assert len(world.channels["chat"].accepted) == 1


def test_a_permanent_refusal_fails_at_once_and_one_recipient_does_not_stop_another(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.channels["mail"].script = [DeliveryError("There is no ann.", outlook="permanent", code=550)]
    world.now = at("2026-07-06T06:00")
    world.look()
    assert [state for *_, state in world.states()] == ["failed", "delivered"]
    assert world.ledger.deliveries(slot=1)[0].reason == "There is no ann."


def test_what_is_put_off_again_and_again_fails_and_says_how_often(world) -> None:
    world.report(MONDAY + '[[audience]]\nname = "team"\nchannels = ["chat"]\n')
    world.look()
    world.channels["chat"].script = [DeliveryError("Busy.", outlook="temporary") for _ in range(20)]
    world.now = at("2026-07-06T06:00")
    for _ in range(20):
        world.look()
        world.go(hours=1)
    [entry] = world.ledger.deliveries(slot=1)
    assert (entry.state, entry.reason) == ("failed", "Busy. It was tried 8 times.")


def test_a_run_that_fails_is_a_failure_of_each_delivery_with_its_reason(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.failures = ["raise"]
    world.now = at("2026-07-06T06:00")
    assert world.look().failed
    assert {state for *_, state in world.states()} == {"failed"}
    assert "The disk is full" in world.ledger.deliveries(slot=1)[0].reason
    # The next slot is another one.
    world.now = at("2026-07-13T06:00")
    world.look()
    assert [state for *_, state in world.states()][-2:] == ["delivered", "delivered"]


def test_the_operator_is_told_once_per_streak_and_when_it_is_over(world) -> None:
    object.__setattr__(world.settings, "operator", {"channels": ["chat"]})
    world.report(MONDAY + BOARD)
    world.look()
    world.failures = ["raise", "raise", ""]
    for day in ("06", "13", "20", "27"):
        world.now = at(f"2026-07-{day}T06:00")
        world.look()
    subjects = [message.subject for message in world.channels["chat"].accepted]
    assert subjects == ["Failed: Weekly report of 6 Jul 2026, 08:00", "Works again: Weekly report"]


def test_paused_after_failures_in_a_row_until_somebody_resumes_it(world) -> None:
    world.report(MONDAY + "pause_after = 2\n" + BOARD)
    world.look()
    world.failures = ["raise", "raise"]
    for day in ("06", "13", "20"):
        world.now = at(f"2026-07-{day}T06:00")
        world.look()
    slots = world.ledger.slots()[::-1]
    assert [slot.state for slot in slots] == ["failed", "failed", "skipped"]
    assert "it failed 2 times in a row" in slots[2].reason and "tidings schedule resume weekly/main" in slots[2].reason
    world.ledger.count_failure("weekly", "main", 0)
    world.now = at("2026-07-27T06:00")
    world.look()
    assert world.ledger.slots()[0].state == "done"


def test_only_if_a_condition_holds(world) -> None:
    world.report(MONDAY + BOARD + 'only_if = "net_revenue < 50"\n')
    world.look()
    world.now = at("2026-07-06T06:00")
    world.look()
    assert {state for *_, state in world.states()} == {"skipped"}
    assert world.ledger.deliveries(slot=1)[0].reason == "Its condition does not hold: net_revenue < 50"
    world.figures = {"net_revenue": "49.99"}
    world.now = at("2026-07-13T06:00")
    world.look()
    assert [state for *_, state in world.states()][-2:] == ["delivered", "delivered"]


def test_a_condition_on_what_is_not_known_sends_and_says_so(world) -> None:
    world.figures = {"net_revenue": None}
    world.report(MONDAY + BOARD + 'only_if = "net_revenue < 50"\n')
    world.look()
    world.now = at("2026-07-06T06:00")
    world.look()
    [message, _] = world.channels["mail"].accepted
    assert message.gaps == ("It is sent because its condition could not be judged: net_revenue < 50",)
    assert world.ledger.deliveries(slot=1)[0].gaps == message.gaps


def test_quiet_hours_put_off_until_their_end(world) -> None:
    # 08:00 in Berlin lies in hours that last until 10:00.
    world.report(MONDAY + BOARD + 'quiet = "20:00-10:00"\n')
    world.look()
    world.now = at("2026-07-06T06:00")
    found = world.look()
    assert {state for *_, state in world.states()} == {"waiting"} and found.next_at == at("2026-07-06T08:00")
    world.now = at("2026-07-06T08:00")
    world.look()
    entry = world.ledger.deliveries(slot=1)[0]
    assert (entry.state, entry.late_seconds) == ("delivered", 7200.0)
    assert entry.waited_for == ("the end of quiet hours at 6 Jul 2026, 10:00",)


def test_an_audience_with_parameters_has_a_run_of_its_own_and_others_share_one(world) -> None:
    world.report(
        MONDAY
        + BOARD
        + '[[audience]]\nname = "team"\nchannels = ["chat", "mail"]\n'
        + 'to = ["cleo@example.com"]\nparameters = { days = 7 }\n'
    )
    world.look()
    world.now = at("2026-07-06T06:00")
    world.look()
    assert [run.get("days") for run in world.runs] == [None, 7]
    assert {state for *_, state in world.states()} == {"delivered"}
    assert [m.slot for m in world.channels["chat"].accepted] == ["2026-07-06T0600~days=7"]


def test_a_process_that_was_killed_before_offering_sends_once_and_after_it_not_again(world) -> None:
    world.report(MONDAY + BOARD)
    world.look()
    world.now = at("2026-07-06T06:00")
    world.channels["mail"].script = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        world.look()
    # Stopped after it was offered: nobody knows. The other was not begun.
    assert [state for *_, state in world.states()] == ["unknown", "due"]
    world.look()
    assert [state for *_, state in world.states()] == ["unknown", "delivered"]


@pytest.mark.parametrize(("channel", "state"), [("chat", "unknown"), ("place", "delivered")])
def test_left_in_the_middle_by_a_dead_process(world, channel: str, state: str) -> None:
    world.report(MONDAY + f'[[audience]]\nname = "team"\nchannels = ["{channel}"]\n')
    world.look()
    world.now = at("2026-07-06T06:00")
    world.channels[channel].script = [DeliveryError("Busy.", outlook="temporary")]
    world.look()
    [entry] = world.ledger.deliveries(slot=1)
    attempt = world.ledger.begin_attempt(entry.id, world.now)
    world.ledger.offered(attempt, world.now)
    # As a process that is gone leaves it.
    world.ledger._ledger.update("deliveries", {"id": entry.id}, process="1-dead")
    world.look()
    assert world.states() == [("team", channel, "", state)]


def test_no_recipient_outside_of_the_allowed_domains(world) -> None:
    world.report(MONDAY + BOARD + 'domains = ["example.org"]\n')
    with pytest.raises(SettingsError, match=r"line 6, \[\[audience\]\] 1: to has 'ann@example.com'"):
        world.look()


def test_an_audience_that_is_gone_and_a_schedule_that_is_gone_are_said(world) -> None:
    world.report(MONDAY + BOARD + 'quiet = "20:00-10:00"\n')
    world.look()
    world.now = at("2026-07-06T06:00")
    world.look()
    world.report(MONDAY)
    world.now = at("2026-07-06T08:00")
    world.look()
    assert {state for *_, state in world.states()} == {"skipped"}


def test_old_runs_go_but_what_was_delivered_stays(world) -> None:
    world.report(MONDAY + "keep = 2\n")
    world.look()
    for day in ("06", "13", "20", "27"):
        world.now = at(f"2026-07-{day}T06:00")
        world.look()
    folders = sorted(path.name for path in (world.settings.reports / "weekly").iterdir())
    assert folders == ["2026-07-20T0600", "2026-07-27T0600"]
    world.report(MONDAY + "keep = 1\n" + BOARD)
    world.now = at("2026-08-03T06:00")
    world.look()
    world.now = at("2026-08-10T06:00")
    world.look()
    folders = sorted(path.name for path in (world.settings.reports / "weekly").iterdir())
    assert folders == ["2026-08-03T0600", "2026-08-10T0600"]


def gated(world, at_deadline: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that waits for the shop, which is behind."""
    said = {"shop": "shop is complete only until 4 Jul 2026, 00:00."}
    monkeypatch.setattr("tidings.scheduling.steps.lacking", lambda settings, sources, at: dict(said) if sources else {})
    world.behind = said
    world.report(MONDAY + f'wait_for = ["shop"]\ndeadline = "1 h"\nat_deadline = "{at_deadline}"\n' + BOARD)
    world.look()
    world.now = at("2026-07-06T06:00")
    found = world.look()
    assert world.ledger.slots()[0].state == "waiting" and found.next_at == at("2026-07-06T06:10")
    assert world.runs == [] and world.channels["mail"].accepted == []


def test_waits_for_a_source_and_goes_on_when_it_is_complete(world, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(world, "send", monkeypatch)
    # Nobody looks again before it is time.
    world.go(minutes=9)
    world.look()
    assert world.runs == []
    world.behind.clear()
    world.go(minutes=11)
    world.look()
    entry = world.ledger.deliveries(slot=1)[0]
    assert (entry.state, entry.late_seconds, entry.gaps) == ("delivered", 1200.0, ())
    assert entry.waited_for == ("shop is complete only until 4 Jul 2026, 00:00.",)


def test_sends_at_the_deadline_with_the_gap_named(world, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(world, "send", monkeypatch)
    world.go(hours=1)
    world.look()
    entry = world.ledger.deliveries(slot=1)[0]
    assert entry.state == "delivered" and entry.gaps == ("shop is complete only until 4 Jul 2026, 00:00.",)
    # On the mail and on the page.
    assert world.channels["mail"].accepted[0].gaps == entry.gaps and world.runs[0]["gaps"] == list(entry.gaps)


def test_holds_at_the_deadline(world, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(world, "hold", monkeypatch)
    world.go(hours=1)
    world.look()
    assert world.runs == [] and {state for *_, state in world.states()} == {"skipped"}
    assert "at_deadline" in world.ledger.deliveries(slot=1)[0].reason


def test_a_channel_that_fails_for_many_is_told_once_and_one_that_works_again(world) -> None:
    object.__setattr__(world.settings, "operator", {"channels": ["chat"]})
    world.report(MONDAY + BOARD)
    world.look()
    world.channels["mail"].script = [DeliveryError("Wrong password.", outlook="permanent") for _ in range(3)]
    for day in ("06", "13", "20", "27"):
        world.now = at(f"2026-07-{day}T06:00")
        world.look()
    world.go(minutes=1)
    world.look()
    told = [(message.subject, message.lines[0]) for message in world.channels["chat"].accepted]
    # Both failed on the 6th and one on the 13th: one streak, which ends when both arrive.
    assert told == [
        ("Failed: weekly for board by mail (2 of 2 recipients)",
         "weekly for board by mail (2 of 2 recipients): Wrong password."),
        ("Works again: weekly for board by mail", "weekly for board by mail works again."),
    ]  # fmt: skip


def test_a_cron_line_that_is_changed_has_no_past(world) -> None:
    world.report('[[schedule]]\ncron = "0 8 1 * *"\ncatch_up = "all"\n' + BOARD)
    world.look()
    world.go(days=10)
    world.look()
    # The hours of ten days are none of its slots.
    world.report('[[schedule]]\ncron = "0 * * * *"\ncatch_up = "all"\n' + BOARD)
    world.go(minutes=59)
    world.look()
    assert world.ledger.slots() == ()


def test_the_deadline_itself_is_looked_at(world, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(world, "send", monkeypatch)
    world.now = at("2026-07-06T06:55")
    # Ten minutes later would be five after the deadline.
    assert world.look().next_at == at("2026-07-06T07:00")


def test_a_run_of_which_nothing_arrived_stays_for_sending_it_by_hand(world) -> None:
    world.report(MONDAY + "keep = 1\n" + BOARD)
    world.look()
    world.channels["mail"].script = [DeliveryError("Wrong password.", outlook="permanent") for _ in range(2)]
    for day in ("06", "13"):
        world.now = at(f"2026-07-{day}T06:00")
        world.look()
    folders = sorted(path.name for path in (world.settings.reports / "weekly").iterdir())
    assert folders == ["2026-07-06T0600", "2026-07-13T0600"]
