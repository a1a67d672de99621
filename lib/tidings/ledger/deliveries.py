"""The accounts of what runs by the clock: each slot from the moment it is due, each delivery with its attempts.

A slot has a delivery for each of its audiences from the moment it is due. Once recipients and channels are known, that
row is `expanded`: the rows made of it take its place. Every other row ends as delivered, skipped, failed or unknown,
once; only somebody who sends it again by hand opens it anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from tidings.ledger.entries import kept
from tidings.ledger.store import Ledger, add

SlotState = Literal["due", "running", "waiting", "done", "failed", "skipped"]
DeliveryState = Literal["due", "expanded", "sending", "waiting", "delivered", "skipped", "failed", "unknown"]
ENDED = ("delivered", "skipped", "failed", "unknown")
END_STATES = ("on time", "late", "with gap", "skipped", "failed", "unknown")
_PREPARED = "(d.slot IS NULL OR s.state IN ('done', 'failed', 'skipped'))"


@dataclass(frozen=True)
class SlotEntry:
    """One slot of a schedule: `at` is its time, which is the report's as_of; `due_at` is when it runs (jitter).

    `waited_for` says what it waited for, `gaps` what its report lacks, `next_at` when it is looked at again.
    """

    id: int
    report: str
    schedule: str
    at: datetime
    due_at: datetime
    state: SlotState
    reason: str
    waited_for: tuple[str, ...]
    gaps: tuple[str, ...]
    next_at: datetime | None
    ended_at: datetime | None
    process: str


@dataclass(frozen=True)
class DeliveryEntry:
    """One delivery: to a whole audience until it is expanded, then by one channel, to one recipient where it has such.

    `binding` names the run it is made of among those of the slot. `content` is that of a notice. `late_seconds` is from
    `due_at` to the end, null unless it was delivered. Instants are aware UTC.
    """

    id: int
    key: str
    slot: int | None
    audience: str
    channel: str
    recipient: str
    binding: str
    content: Mapping[str, Any]
    state: DeliveryState
    due_at: datetime
    reason: str
    waited_for: tuple[str, ...]
    gaps: tuple[str, ...]
    late_seconds: float | None
    next_at: datetime | None
    ended_at: datetime | None
    process: str


@dataclass(frozen=True)
class AttemptEntry:
    """One attempt: from `offered_at` on it may have arrived; `code` and `answer` are what was said to it."""

    id: int
    delivery: int
    started_at: datetime
    offered_at: datetime | None
    ended_at: datetime | None
    outcome: str
    code: int | None
    answer: str


@dataclass(frozen=True)
class SlotRun:
    """A run made for a slot: `binding` is of parameters, sections and rows; `folder` is within reports/."""

    binding: str
    run: str
    folder: str
    status: str
    error: str


class Deliveries:
    """Slots and deliveries in the ledger; every call is one transaction, on disk when it returns."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Slots

    def seen_until(self, report: str, schedule: str, now: datetime) -> datetime:
        """Up to when the slots of a schedule are in the ledger; one that is new has none before now."""
        with self._ledger.transaction() as connection:
            new = {"report": report, "schedule": schedule, "seen_until": now}
            _run(connection, f"INSERT OR IGNORE INTO schedules ({', '.join(new)}) VALUES (?, ?, ?)", *kept(new))  # noqa: S608
            found = _run(
                connection, "SELECT seen_until FROM schedules WHERE report = ? AND schedule = ?", report, schedule
            )
        return datetime.fromisoformat(found[0]["seen_until"])

    def add_slots(
        self,
        report: str,
        schedule: str,
        slots: Iterable[tuple[datetime, datetime, str]],
        audiences: Sequence[str],
        until: datetime,
    ) -> None:
        """Enter slots as (time, due at, rule by which it is skipped or empty), with a delivery for each audience."""
        with self._ledger.transaction() as connection:
            for at, due_at, rule in slots:
                state = "skipped" if rule else "due"
                ended = until if rule else None
                about = {"due_at": due_at, "state": state, "reason": rule, "ended_at": ended}
                slot = add(connection, "slots", {"report": report, "schedule": schedule, "at": at, **about})
                for audience in audiences:
                    key = delivery_key(report, schedule, at, audience)
                    add(connection, "deliveries", {"key": key, "slot": slot, "audience": audience, **about})
            _run(
                connection,
                "UPDATE schedules SET seen_until = ? WHERE report = ? AND schedule = ?",
                until.isoformat(),
                report,
                schedule,
            )

    def slots(self, limit: int = 20) -> tuple[SlotEntry, ...]:
        """The latest slots, newest first."""
        return self._ledger.entries(SlotEntry, "SELECT * FROM slots ORDER BY at DESC, id DESC LIMIT ?", limit)

    def last_slot(self, report: str, schedule: str) -> SlotEntry | None:
        """The latest slot of a schedule."""
        query = "SELECT * FROM slots WHERE report = ? AND schedule = ? ORDER BY at DESC LIMIT 1"
        return next(iter(self._ledger.entries(SlotEntry, query, report, schedule)), None)

    def slot(self, number: int) -> SlotEntry:
        return self._ledger.entries(SlotEntry, "SELECT * FROM slots WHERE id = ?", number)[0]

    def open_slots(self, now: datetime) -> tuple[SlotEntry, ...]:
        """The slots to work on now, the oldest first; those of a process that died are among them."""
        query = """SELECT * FROM slots WHERE state IN ('due', 'running')
            OR (state = 'waiting' AND next_at <= ?) ORDER BY due_at, id"""
        found = self._ledger.entries(SlotEntry, query, now.isoformat())
        alive = self._ledger.leases.is_alive
        return tuple(e for e in found if e.due_at <= now and not (e.state == "running" and alive(e.process)))

    def next_at(self) -> datetime | None:
        """When something is looked at again, of what waits; None where nothing does."""
        query = """SELECT min(at) AS at FROM (
            SELECT next_at AS at FROM slots WHERE state = 'waiting'
            UNION ALL SELECT due_at FROM slots WHERE state = 'due'
            UNION ALL SELECT next_at FROM deliveries WHERE state = 'waiting' AND channel <> '')"""
        at = self._ledger.rows(query)
        return datetime.fromisoformat(at[0]["at"]) if at and at[0]["at"] else None

    def begin_slot(self, slot: int) -> None:
        self._ledger.update("slots", {"id": slot}, state="running", next_at=None, process=self._ledger.leases.mine())

    def hand_back(self, slot: int) -> None:
        """Leave a slot to whoever looks next."""
        self._ledger.update("slots", {"id": slot}, state="due", process="")

    def wait_slot(self, slot: SlotEntry, reason: str, next_at: datetime) -> None:
        waited = tuple(dict.fromkeys((*slot.waited_for, reason)))
        self._ledger.update(
            "slots", {"id": slot.id}, state="waiting", reason=reason, waited_for=waited, next_at=next_at, process=""
        )

    def note_wait(self, slot: SlotEntry) -> None:
        """Keep what a slot waited for."""
        self._ledger.update("slots", {"id": slot.id}, waited_for=slot.waited_for)

    def end_slot(
        self, slot: SlotEntry, state: SlotState, now: datetime, *, reason: str = "", gaps: Sequence[str] = ()
    ) -> None:
        """End a slot, and with one that is not done every delivery that is open."""
        with self._ledger.transaction() as connection:
            about = {"state": state, "reason": reason, "gaps": gaps, "next_at": None, "ended_at": now, "process": ""}
            _set(connection, "slots", "id = ?", about, slot.id)
            if state != "done":
                ended = {"state": state, "reason": reason, "ended_at": now, "next_at": None}
                _set(connection, "deliveries", "slot = ? AND state IN ('due', 'waiting')", ended, slot.id)

    def failures(self, report: str, schedule: str) -> tuple[int, str]:
        """How often a schedule failed in a row, and since when it is paused (empty if it is not)."""
        query = "SELECT failures, paused FROM schedules WHERE report = ? AND schedule = ?"
        found = self._ledger.rows(query, report, schedule)
        return (found[0]["failures"], found[0]["paused"]) if found else (0, "")

    def count_failure(self, report: str, schedule: str, failures: int, paused: str = "") -> None:
        self._ledger.update("schedules", {"report": report, "schedule": schedule}, failures=failures, paused=paused)

    # Runs of a slot

    def runs(self, slot: int) -> Mapping[str, SlotRun]:
        """The runs made for a slot, by binding."""
        query = "SELECT binding, run, folder, status, error FROM slot_runs WHERE slot = ?"
        return {run.binding: run for run in self._ledger.entries(SlotRun, query, slot)}

    def add_run(self, slot: int, run: SlotRun) -> None:
        with self._ledger.transaction() as connection:
            _run(connection, "DELETE FROM slot_runs WHERE slot = ? AND binding = ?", slot, run.binding)
            add(connection, "slot_runs", {"slot": slot, **vars(run)})

    # Deliveries

    def deliveries(self, limit: int = 50, slot: int | None = None) -> tuple[DeliveryEntry, ...]:
        """The latest deliveries, newest first, or those of a slot in order; expanded rows are left out."""
        if slot is not None:
            query = "SELECT * FROM deliveries WHERE slot = ? AND state <> 'expanded' ORDER BY id"
            return self._ledger.entries(DeliveryEntry, query, slot)
        query = "SELECT * FROM deliveries WHERE state <> 'expanded' ORDER BY due_at DESC, id DESC LIMIT ?"
        return self._ledger.entries(DeliveryEntry, query, limit)

    def delivery(self, number: int) -> DeliveryEntry:
        return self._ledger.entries(DeliveryEntry, "SELECT * FROM deliveries WHERE id = ?", number)[0]

    def audiences(self, slot: int) -> tuple[DeliveryEntry, ...]:
        """The audiences of a slot that are not expanded yet."""
        query = "SELECT * FROM deliveries WHERE slot = ? AND channel = '' AND state = 'due' ORDER BY id"
        return self._ledger.entries(DeliveryEntry, query, slot)

    def expand(self, whole: DeliveryEntry, parts: Sequence[tuple[str, str, str, str]], now: datetime) -> None:
        """Put deliveries in the place of an audience's, as (key, channel, recipient, binding)."""
        with self._ledger.transaction() as connection:
            state = {"state": "expanded"} if parts else {"state": "skipped", "reason": "It has no recipients."}
            _set(connection, "deliveries", "id = ?", {**state, "ended_at": now}, whole.id)
            for key, channel, recipient, binding in parts:
                about = {"channel": channel, "recipient": recipient, "binding": binding, "state": "due"}
                row = {"key": key, "slot": whole.slot, "audience": whole.audience, "due_at": whole.due_at, **about}
                add(connection, "deliveries", row)

    def add_notice(self, key: str, audience: str, channel: str, recipient: str, content: Any, now: datetime) -> bool:
        """Enter a notice; False where one of that key is there already."""
        row = {"key": key, "audience": audience, "channel": channel, "recipient": recipient, "content": content}
        row |= {"state": "due", "due_at": now}
        with self._ledger.transaction() as connection:
            if _run(connection, "SELECT 1 FROM deliveries WHERE key = ?", key):
                return False
            add(connection, "deliveries", row)
        return True

    def to_send(self, now: datetime) -> tuple[DeliveryEntry, ...]:
        """The deliveries that can be tried now: of slots whose reports are made, and notices."""
        query = f"""SELECT d.* FROM deliveries d LEFT JOIN slots s ON s.id = d.slot
            WHERE d.channel <> '' AND {_PREPARED}
            AND (d.state = 'due' OR (d.state = 'waiting' AND d.next_at <= ?)) ORDER BY d.due_at, d.id"""  # noqa: S608
        return self._ledger.entries(DeliveryEntry, query, now.isoformat())

    def waiting(self, report: str, audience: str) -> tuple[DeliveryEntry, ...]:
        """The deliveries to an audience of a report that wait for another attempt."""
        query = """SELECT d.* FROM deliveries d JOIN slots s ON s.id = d.slot
            WHERE s.report = ? AND d.audience = ? AND d.state = 'waiting' ORDER BY d.id"""
        return self._ledger.entries(DeliveryEntry, query, report, audience)

    def left_by_dead(self) -> tuple[tuple[DeliveryEntry, AttemptEntry], ...]:
        """Deliveries in the middle of which a process died, with the attempt."""
        found = self._ledger.entries(DeliveryEntry, "SELECT * FROM deliveries WHERE state = 'sending'")
        dead = [each for each in found if not self._ledger.leases.is_alive(each.process)]
        return tuple((each, self.attempts(each.id)[-1]) for each in dead)

    def attempts(self, delivery: int) -> tuple[AttemptEntry, ...]:
        query = "SELECT * FROM attempts WHERE delivery = ? ORDER BY id"
        return self._ledger.entries(AttemptEntry, query, delivery)

    def begin_attempt(self, delivery: int, now: datetime) -> int:
        """Enter an attempt before it is made; returns its number."""
        with self._ledger.transaction() as connection:
            about = {"state": "sending", "process": self._ledger.leases.mine(), "next_at": None}
            _set(connection, "deliveries", "id = ?", about, delivery)
            return add(connection, "attempts", {"delivery": delivery, "started_at": now})

    def offered(self, attempt: int, now: datetime) -> None:
        """From now on it may have arrived."""
        self._ledger.update("attempts", {"id": attempt}, offered_at=now)

    def end_attempt(
        self,
        delivery: DeliveryEntry,
        attempt: int,
        state: DeliveryState,
        now: datetime,
        *,
        outcome: str,
        code: int | None = None,
        answer: str = "",
        **about: Any,
    ) -> None:
        """End an attempt and with it, or for now, the delivery; `about` has fields of it."""
        with self._ledger.transaction() as connection:
            said = {"ended_at": now, "outcome": outcome, "code": code, "answer": answer}
            _set(connection, "attempts", "id = ?", said, attempt)
            ended = now if state in ENDED else None
            _set(
                connection,
                "deliveries",
                "id = ?",
                {"state": state, "process": "", "ended_at": ended, **about},
                delivery.id,
            )

    def settle(self, delivery: int, state: DeliveryState, now: datetime, **about: Any) -> None:
        """Give a delivery a state without an attempt; `about` has fields of it."""
        ended = now if state in ENDED else None
        self._ledger.update("deliveries", {"id": delivery}, state=state, process="", ended_at=ended, **about)

    def delivered_folders(self) -> frozenset[str]:
        """The folders of runs that somebody was sent, may have been, or may still be sent by hand."""
        query = """SELECT DISTINCT r.folder FROM slot_runs r JOIN deliveries d ON d.slot = r.slot
            AND d.binding = r.binding WHERE d.state <> 'skipped'"""
        return frozenset(row["folder"] for row in self._ledger.rows(query))

    def on_time(self, report: str, since: datetime, until: datetime) -> tuple[int, int]:
        """Of a report's deliveries that were due in between and were not skipped: how many were on time, and all."""
        query = """SELECT d.state, d.waited_for, d.late_seconds, d.gaps FROM deliveries d JOIN slots s ON s.id = d.slot
            WHERE s.report = ? AND d.due_at >= ? AND d.due_at < ? AND d.state IN ('delivered', 'failed', 'unknown')"""
        rows = self._ledger.rows(query, report, since.isoformat(), until.isoformat())
        return sum(row["state"] == "delivered" and not row["late_seconds"] for row in rows), len(rows)

    def ends(self, since: datetime) -> Mapping[str, int]:
        """How many deliveries ended since then in each of `END_STATES`; one late and with a gap counts with a gap."""
        query = """SELECT CASE WHEN state <> 'delivered' THEN state WHEN gaps <> '[]' THEN 'with gap'
            WHEN late_seconds > 0 THEN 'late' ELSE 'on time' END AS ended, count(*) AS many FROM deliveries
            WHERE state IN ('delivered', 'skipped', 'failed', 'unknown') AND ended_at >= ? GROUP BY 1"""
        found = {row["ended"]: row["many"] for row in self._ledger.rows(query, since.isoformat())}
        return {name: found.get(name, 0) for name in END_STATES}

    # Streaks of failures

    def streak(self, name: str, is_failing: bool, now: datetime) -> Literal["", "began", "ended"]:
        """Note that something fails or works; says where that is news."""
        with self._ledger.transaction() as connection:
            found = _run(connection, "SELECT failures FROM streaks WHERE name = ?", name)
            if is_failing and found:
                _run(connection, "UPDATE streaks SET failures = failures + 1 WHERE name = ?", name)
            elif is_failing:
                add(connection, "streaks", {"name": name, "since": now, "failures": 1})
                return "began"
            elif found:
                _run(connection, "DELETE FROM streaks WHERE name = ?", name)
                return "ended"
        return ""


def delivery_key(
    report: str, schedule: str, at: datetime, audience: str, channel: str = "", recipient: str = ""
) -> str:
    """What a delivery is called for good: the same for each attempt at it."""
    return "\n".join((report, schedule, at.isoformat(), audience, channel, recipient)).rstrip("\n")


def _run(connection: sqlite3.Connection, query: str, *values: object) -> list[sqlite3.Row]:
    return connection.execute(query, values).fetchall()


def _set(connection: sqlite3.Connection, table: str, where: str, row: Mapping[str, Any], *values: object) -> None:
    columns = ", ".join(f"{name} = ?" for name in row)
    connection.execute(f"UPDATE {table} SET {columns} WHERE {where}", (*kept(row), *values))  # noqa: S608
