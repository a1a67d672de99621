"""Several sources at once: none blocks another, each outcome is reported, everything is in the ledger."""

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


class Reported:
    """A source that does what a test needs: `work` is its pull."""

    kind = "reported"
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


def partition(source: str, rows: int = 1, **more: Any) -> Pulled:
    return Pulled(source, "daily", "toy_daily", rows, **more)


def done(*partitions: Pulled) -> Callable[[Pull], Iterator[Pulled]]:
    return lambda pull: iter(partitions)


def failing(error: BaseException, *partitions: Pulled) -> Callable[[Pull], Iterator[Pulled]]:
    def work(pull: Pull) -> Iterator[Pulled]:
        yield from partitions
        raise error

    return work


class Book:
    """A workbook, and what pulling in it gave."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(root=root)
        self.ledger = Ledger(self.settings.ledger)
        self.watched: list[tuple[str, str, int, int]] = []

    def pulling(self, *sources: Reported) -> Any:
        def watch(source: str, what: str, done: int, total: int) -> None:
            self.watched.append((source, what, done, total))

        return pull_sources(self.settings, sources, Pull(NOW), watch)

    def pull(self, *sources: Reported) -> dict[str, Outcome]:
        return {outcome.source: outcome for outcome in self.pulling(*sources)}

    def load(self, source: str) -> PullEntry:
        return self.ledger.last_pulls()[source]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_sources_are_pulled_at_the_same_time(book: Book) -> None:
    # Each waits for all others: one after the other they would wait for ever.
    together = threading.Barrier(5)

    def work(pull: Pull) -> Iterator[Pulled]:
        together.wait(PATIENCE)
        yield partition("x")

    outcomes = book.pull(*(Reported(f"s{number}", work) for number in range(5)))
    assert [outcome.error for outcome in outcomes.values()] == [None] * 5


def test_an_outcome_is_reported_as_soon_as_it_is_there(book: Book) -> None:
    last = threading.Event()

    def slow(pull: Pull) -> Iterator[Pulled]:
        assert last.wait(PATIENCE)
        yield partition("slow")

    outcomes = book.pulling(Reported("slow", slow), Reported("quick", done(partition("quick", 3))))
    first = next(outcomes)
    assert (first.source, first.rows) == ("quick", 3)
    assert book.load("quick").status == "done" and book.load("slow").status == "running"
    last.set()
    assert [outcome.source for outcome in outcomes] == ["slow"]
    assert book.load("slow").status == "done"


@pytest.mark.parametrize(
    ("error", "reported"),
    [
        (CredentialError("The key is refused.", "Make one."), "The key is refused. Make one."),
        (ValueError("canary-88"), "It met an error that Tidings does not know: ValueError."),
        (KeyboardInterrupt("canary-88"), "It met an error that Tidings does not know: KeyboardInterrupt."),
        (SystemExit(3), "It met an error that Tidings does not know: SystemExit."),
    ],
)
def test_one_that_fails_does_not_stop_the_others(book: Book, error: BaseException, reported: str) -> None:
    outcomes = book.pull(
        Reported("a", done(partition("a", 5))),
        Reported("b", failing(error)),
        Reported("c", done(partition("c", 7), partition("c", 1))),
    )
    assert {name: outcome.status for name, outcome in outcomes.items()} == {"a": "done", "b": "failed", "c": "done"}
    assert (outcomes["a"].rows, outcomes["c"].rows) == (5, 8)
    assert (outcomes["b"].reported(), outcomes["b"].error) == (reported, error)
    assert outcomes["a"].reported() == ""
    assert (book.load("b").status, book.load("b").error) == ("failed", reported)
    assert "canary" not in str(book.load("b"))


def test_what_was_landed_before_a_failure_counts(book: Book) -> None:
    said = SourceError("Gone.")
    outcomes = book.pull(
        Reported("some", failing(said, partition("some", 4, rejected=1), partition("some", 2))),
        Reported("none", failing(said, partition("none", 0))),
        Reported("old", failing(said, partition("old", 9, skipped=True))),
    )
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "some": "partly",
        "none": "failed",
        # Unchanged files are not news.
        "old": "failed",
    }
    load = book.load("some")
    assert (load.status, load.rows, load.rejected, load.error) == ("partly", 6, 1, "Gone.")


def test_the_ledger_keeps_what_a_person_should_know(book: Book) -> None:
    partitions = (
        partition("a", 5, restated=2, messages=("a is new.", "b went.")),
        partition("a", 1, restated=1, rejected=3, messages=("a is new.",)),
    )
    book.pull(Reported("a", done(*partitions)))
    load = book.load("a")
    assert (load.rows, load.rejected, load.restated) == (6, 3, 3)
    assert load.messages == ("a is new.", "b went."), "once each, in order"
    assert load.started_at == NOW and load.seconds is not None
    book.pull(Reported("a", done()))
    assert (book.load("a").rows, book.load("a").messages) == (0, ())
    assert [pull.rows for pull in book.ledger.pulls()] == [0, 6]


def test_the_last_pull_of_each_source_is_known(book: Book) -> None:
    book.pull(Reported("a", done(partition("a", 1))), Reported("b", done(partition("b", 2))))
    book.pull(Reported("a", failing(SourceError("Down."))))
    assert {name: (load.status, load.rows) for name, load in book.ledger.last_pulls().items()} == {
        "a": ("failed", 0),
        "b": ("done", 2),
    }
    assert Ledger(book.settings.root / "none.sqlite").last_pulls() == {}


def test_progress_is_reported_with_the_name_of_its_source(book: Book) -> None:
    def work(pull: Pull) -> Iterator[Pulled]:
        pull.progress("daily", 10, 0)
        yield partition("a")

    book.pull(Reported("a", work), Reported("b", work))
    assert sorted(book.watched) == [("a", "daily", 10, 0), ("b", "daily", 10, 0)]


def test_a_pull_that_is_left_stops_what_still_runs(book: Book) -> None:
    """The effect of Ctrl-C: the consumer goes away."""
    began, ended = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def waiting(pull: Pull) -> Iterator[Pulled]:
        try:
            yield partition("waits", 4, messages=("half of it",))
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
        yield partition("busy")

    def first(pull: Pull) -> Iterator[Pulled]:
        assert began.wait(PATIENCE)
        yield partition("first", 2)

    with closing(
        book.pulling(Reported("waits", waiting), Reported("busy", busy), Reported("first", first))
    ) as outcomes:
        assert next(outcomes).source == "first"
    assert ended.wait(PATIENCE)
    assert [type(error) for error in errors] == [StoppedError]
    assert book.load("first").status == "done"
    stopped = book.load("waits")
    assert (stopped.status, stopped.rows, stopped.messages) == ("interrupted", 4, ("half of it",)), (
        "what was landed stays"
    )
    assert stopped.error == "The pull was stopped. Run tidings pull again: it continues where it stopped."
    assert (book.load("busy").status, book.load("busy").rows) == ("interrupted", 0)


def test_an_interrupt_while_waiting_is_noted(book: Book) -> None:
    stuck = threading.Event()

    def work(pull: Pull) -> Iterator[Pulled]:
        stuck.wait(PATIENCE)
        yield partition("a")

    outcomes = book.pulling(Reported("quick", done()), Reported("a", work))
    next(outcomes)
    # Ctrl-C lands in whatever the consumer does.
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt)
    assert (book.load("a").status, book.load("quick").status) == ("interrupted", "done")
    stuck.set()


def test_nothing_is_left_running_in_the_ledger(book: Book) -> None:
    book.pull(*(Reported(f"s{n}", failing(SourceError("x")) if n % 2 else done()) for n in range(6)))
    assert {load.status for load in book.ledger.pulls()} == {"done", "failed"}


def test_a_source_is_pulled_once_at_a_time(book: Book) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(pull: Pull) -> Iterator[Pulled]:
        inside.set()
        assert go_on.wait(PATIENCE)
        yield partition("shop", 5)

    first = book.pulling(Reported("shop", slow))
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.extend(first))
    thread.start()
    assert inside.wait(PATIENCE)
    second = book.pull(Reported("shop", done(partition("shop", 7))))["shop"]
    assert (second.status, second.reported()) == ("failed", "Another pull of shop is running. Wait until it is done.")
    go_on.set()
    thread.join(PATIENCE)
    # The earlier pull is not disturbed.
    assert [(outcome.status, outcome.rows) for outcome in outcomes] == [("done", 5)]


def test_unchanged_input_is_not_counted_as_landed(book: Book) -> None:
    partitions = done(partition("shop", 5, rejected=1), partition("shop", 900, rejected=90, skipped=True))
    outcome = book.pull(Reported("shop", partitions))["shop"]
    assert (outcome.rows, outcome.rejected) == (5, 1)
    assert (book.load("shop").rows, book.load("shop").rejected) == (5, 1)
