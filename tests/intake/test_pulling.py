"""Several sources at once: none in the way of another, each outcome told, everything in the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fakes.pulling import NOW
from tidings.errors import CredentialError, SourceError, StoppedError
from tidings.intake.pulling import Outcome, pull_sources
from tidings.landing.store import Landing
from tidings.ledger.store import Ledger, PullEntry
from tidings.settings import Settings
from tidings.sources.source import Pull, Pulled

# Beyond this a test is stuck, not slow.
PATIENCE = 20


class Told:
    """A source that does what a test says: `work` is its pull."""

    kind = "told"
    endpoints = ()

    def __init__(self, name: str, work: Callable[[Pull], Iterator[Pulled]]) -> None:
        self.name = name
        self._work = work

    def check(self, pull: Pull) -> list[str]:
        return []

    def warnings(self) -> list[str]:
        return []

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        return self._work(pull)


def part(source: str, rows: int = 1, **more: Any) -> Pulled:
    return Pulled(source, "daily", "toy_daily", rows, **more)


def done(*parts: Pulled) -> Callable[[Pull], Iterator[Pulled]]:
    return lambda pull: iter(parts)


def failing(error: BaseException, *parts: Pulled) -> Callable[[Pull], Iterator[Pulled]]:
    def work(pull: Pull) -> Iterator[Pulled]:
        yield from parts
        raise error

    return work


class Book:
    """A workbook, and what pulling in it gave."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(root=root)
        self.ledger = Ledger(self.settings.ledger)
        self.watched: list[tuple[str, str, int, int]] = []

    def pulling(self, *sources: Told) -> Any:
        def watch(source: str, what: str, done: int, total: int) -> None:
            self.watched.append((source, what, done, total))

        return pull_sources(self.settings, sources, Pull(NOW), watch)

    def pull(self, *sources: Told) -> dict[str, Outcome]:
        return {outcome.source: outcome for outcome in self.pulling(*sources)}

    def entry(self, source: str) -> PullEntry:
        return self.ledger.last_pulls()[source]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_sources_are_pulled_at_the_same_time(book: Book) -> None:
    # Each waits for all others: one after the other they would wait for ever.
    together = threading.Barrier(5)

    def work(pull: Pull) -> Iterator[Pulled]:
        together.wait(PATIENCE)
        yield part("x")

    outcomes = book.pull(*(Told(f"s{number}", work) for number in range(5)))
    assert [outcome.error for outcome in outcomes.values()] == [None] * 5


def test_an_outcome_is_told_as_soon_as_it_is_there(book: Book) -> None:
    last = threading.Event()

    def slow(pull: Pull) -> Iterator[Pulled]:
        assert last.wait(PATIENCE)
        yield part("slow")

    outcomes = book.pulling(Told("slow", slow), Told("quick", done(part("quick", 3))))
    first = next(outcomes)
    assert (first.source, first.rows) == ("quick", 3)
    assert book.entry("quick").status == "done" and book.entry("slow").status == "running"
    last.set()
    assert [outcome.source for outcome in outcomes] == ["slow"]
    assert book.entry("slow").status == "done"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (CredentialError("The key is refused.", "Make one."), "The key is refused. Make one."),
        (ValueError("canary-88"), "It met an error that Tidings does not know: ValueError."),
        (KeyboardInterrupt("canary-88"), "It met an error that Tidings does not know: KeyboardInterrupt."),
        (SystemExit(3), "It met an error that Tidings does not know: SystemExit."),
    ],
)
def test_one_that_fails_stops_no_other(book: Book, error: BaseException, told: str) -> None:
    outcomes = book.pull(
        Told("a", done(part("a", 5))), Told("b", failing(error)), Told("c", done(part("c", 7), part("c", 1)))
    )
    assert {name: outcome.status for name, outcome in outcomes.items()} == {"a": "done", "b": "failed", "c": "done"}
    assert (outcomes["a"].rows, outcomes["c"].rows) == (5, 8)
    assert (outcomes["b"].told(), outcomes["b"].error) == (told, error)
    assert outcomes["a"].told() == ""
    assert (book.entry("b").status, book.entry("b").error) == ("failed", told)
    assert "canary" not in str(book.entry("b"))


def test_what_was_landed_before_a_failure_counts(book: Book) -> None:
    said = SourceError("Gone.")
    outcomes = book.pull(
        Told("some", failing(said, part("some", 4, rejected=1), part("some", 2))),
        Told("none", failing(said, part("none", 0))),
        Told("old", failing(said, part("old", 9, skipped=True))),
    )
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "some": "partly",
        "none": "failed",
        # Files that are as they were are not news.
        "old": "failed",
    }
    entry = book.entry("some")
    assert (entry.status, entry.rows, entry.rejected, entry.error) == ("partly", 6, 1, "Gone.")


def test_the_ledger_keeps_what_a_person_should_know(book: Book) -> None:
    parts = (
        part("a", 5, restated=2, messages=("a is new.", "b went.")),
        part("a", 1, restated=1, rejected=3, messages=("a is new.",)),
    )
    book.pull(Told("a", done(*parts)))
    entry = book.entry("a")
    assert (entry.rows, entry.rejected, entry.restated) == (6, 3, 3)
    assert entry.messages == ("a is new.", "b went."), "once each, in order"
    assert entry.started_at == NOW and entry.seconds is not None
    book.pull(Told("a", done()))
    assert (book.entry("a").rows, book.entry("a").messages) == (0, ())
    assert [pull.rows for pull in book.ledger.pulls()] == [0, 6]


def test_the_last_pull_of_each_source_is_known(book: Book) -> None:
    book.pull(Told("a", done(part("a", 1))), Told("b", done(part("b", 2))))
    book.pull(Told("a", failing(SourceError("Down."))))
    assert {name: (entry.status, entry.rows) for name, entry in book.ledger.last_pulls().items()} == {
        "a": ("failed", 0),
        "b": ("done", 2),
    }
    assert Ledger(book.settings.root / "none.sqlite").last_pulls() == {}


def test_progress_is_told_with_the_name_of_its_source(book: Book) -> None:
    def work(pull: Pull) -> Iterator[Pulled]:
        pull.progress("daily", 10, 0)
        yield part("a")

    book.pull(Told("a", work), Told("b", work))
    assert sorted(book.watched) == [("a", "daily", 10, 0), ("b", "daily", 10, 0)]


def test_a_pull_that_is_left_stops_what_still_runs(book: Book) -> None:
    """What Ctrl-C does: the one who listens goes away."""
    began, ended = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def waiting(pull: Pull) -> Iterator[Pulled]:
        try:
            yield part("waits", 4, messages=("half of it",))
            began.set()
            # As long as a server may ask to wait; the clock of the pull wakes up at once.
            pull.running().sleep(PATIENCE)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            ended.set()

    def busy(pull: Pull) -> Iterator[Pulled]:
        while not ended.wait(0.005):
            pull.progress("daily", 1, 0)
        pull.progress("daily", 1, 0)
        yield part("busy")

    def first(pull: Pull) -> Iterator[Pulled]:
        assert began.wait(PATIENCE)
        yield part("first", 2)

    with closing(book.pulling(Told("waits", waiting), Told("busy", busy), Told("first", first))) as outcomes:
        assert next(outcomes).source == "first"
    assert ended.wait(PATIENCE)
    assert [type(error) for error in errors] == [StoppedError]
    assert book.entry("first").status == "done"
    stopped = book.entry("waits")
    assert (stopped.status, stopped.rows, stopped.messages) == ("interrupted", 4, ("half of it",)), (
        "what was landed stays"
    )
    assert stopped.error == "The pull was stopped. Run tidings pull again: it goes on where it was."
    assert (book.entry("busy").status, book.entry("busy").rows) == ("interrupted", 0)


def test_an_interrupt_while_waiting_is_noted(book: Book) -> None:
    stuck = threading.Event()

    def work(pull: Pull) -> Iterator[Pulled]:
        stuck.wait(PATIENCE)
        yield part("a")

    outcomes = book.pulling(Told("quick", done()), Told("a", work))
    next(outcomes)
    # Ctrl-C lands in whatever the listener does.
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt)
    assert (book.entry("a").status, book.entry("quick").status) == ("interrupted", "done")
    stuck.set()


def test_nothing_is_left_running_in_the_ledger(book: Book) -> None:
    book.pull(*(Told(f"s{n}", failing(SourceError("x")) if n % 2 else done()) for n in range(6)))
    assert {entry.status for entry in book.ledger.pulls()} == {"done", "failed"}


def test_a_source_is_pulled_once_at_a_time(book: Book) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(pull: Pull) -> Iterator[Pulled]:
        inside.set()
        assert go_on.wait(PATIENCE)
        yield part("shop", 5)

    first = book.pulling(Told("shop", slow))
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.extend(first))
    thread.start()
    assert inside.wait(PATIENCE)
    second = book.pull(Told("shop", done(part("shop", 7))))["shop"]
    assert (second.status, second.told()) == ("failed", "Another pull of shop is running. Wait until it is done.")
    go_on.set()
    thread.join(PATIENCE)
    # Whoever came first is not disturbed.
    assert [(outcome.status, outcome.rows) for outcome in outcomes] == [("done", 5)]


def test_what_is_as_it_was_is_not_counted_as_brought(book: Book) -> None:
    parts = done(part("shop", 5, rejected=1), part("shop", 900, rejected=90, skipped=True))
    outcome = book.pull(Told("shop", parts))["shop"]
    assert (outcome.rows, outcome.rejected) == (5, 1)
    assert (book.entry("shop").rows, book.entry("shop").rejected) == (5, 1)
