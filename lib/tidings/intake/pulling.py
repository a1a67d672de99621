"""Pulls several sources in parallel, each in a thread of its own, and records all of them in the ledger."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from tidings.errors import StoppedError, TidingsError, understood
from tidings.feeds.remarks import Remark, reported
from tidings.intake.overlapping import overlap_sentences
from tidings.landing.store import Landing
from tidings.ledger.entries import Status
from tidings.ledger.store import Ledger
from tidings.secrets import Redactor
from tidings.settings import Settings
from tidings.sources.clock import Clock
from tidings.sources.credentials import credentials
from tidings.sources.source import Pull, Pulled, Source

Watch = Callable[[str, str, int, int], None]
"""Called with the progress of a source: its name, the current unit, done, total (0: unknown)."""


@dataclass
class Outcome:
    """The result of pulling one source; `error` is what ended it, `parts` what was landed up to then."""

    source: str
    partitions: list[Pulled] = field(default_factory=list)
    seconds: float = 0.0
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        """Newly landed rows; unchanged partitions are not landed again."""
        return sum(partition.rows for partition in self.partitions if not partition.skipped)

    @property
    def rejected(self) -> int:
        """Rejected rows."""
        return sum(partition.rejected for partition in self.partitions if not partition.skipped)

    @property
    def restated(self) -> int:
        """Days that were reported differently than before, summed over endpoints."""
        return sum(partition.restated for partition in self.partitions)

    @property
    def messages(self) -> tuple[str, ...]:
        """Messages for the user, once each; remarks on rows are summed over all partitions."""
        remarks: dict[str, Counter[Remark]] = {}
        for partition in self.partitions:
            remarks.setdefault(partition.endpoint, Counter()).update(partition.remarks)
        found_messages = [message for partition in self.partitions for message in partition.messages]
        found_messages += [sentence for endpoint, found in remarks.items() for sentence in reported(endpoint, found)]
        return tuple(dict.fromkeys(found_messages))

    @property
    def status(self) -> Status:
        """`done`, `interrupted` by the user, `failed` with nothing new landed, or `partly`."""
        if self.error is None:
            return "done"
        if isinstance(self.error, StoppedError):
            return "interrupted"
        return "partly" if any(not partition.skipped and partition.rows for partition in self.partitions) else "failed"

    def reported(self) -> str:
        """The error as sentences; of an unexpected one only the type, as its text may hold a secret."""
        if self.error is None or isinstance(self.error, TidingsError):
            return str(self.error or "")
        return f"It met an error that Tidings does not know: {type(self.error).__name__}."


def pull_sources(settings: Settings, sources: Sequence[Source], order: Pull, watch: Watch) -> Iterator[Outcome]:
    """Pull all sources in parallel, yielding each outcome as soon as it is there; the ledger records start and end.

    If the caller stops iterating (Ctrl-C), running pulls are asked to stop, and the ledger records that; whatever was
    landed stays, and the next pull continues from there.
    """
    landing, ledger, redact = Landing(settings.raw), Ledger(settings.ledger), credentials(settings).redactor
    numbers = {source.name: ledger.start_pull(source.name, order.now) for source in sources}
    stop = threading.Event()
    outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    began = time.monotonic()
    waiting = {source.name: Outcome(source.name) for source in sources}

    def work(source: Source, outcome: Outcome) -> None:
        def progress(what: str, done: int, total: int) -> None:
            if stop.is_set():
                raise StoppedError
            watch(source.name, what, done, total)

        try:
            mine = replace(order, progress=progress, clock=Clock(order.now, stop))
            with landing.pulling(source.name):
                try:
                    for partition in source.pull(landing, mine):
                        outcome.partitions.append(partition)
                finally:
                    _add_overlaps(landing, source, outcome)
        except BaseException as error:  # noqa: BLE001 - handed over: a source must not end the others, nor vanish
            outcome.error = understood(error, settings.root) or error
        outcome.seconds = time.monotonic() - began
        outcomes.put(outcome)

    for source in sources:
        # Daemons: landing is atomic, so nobody has to wait for a server before leaving.
        threading.Thread(
            target=work, args=(source, waiting[source.name]), name=f"pull {source.name}", daemon=True
        ).start()
    try:
        while waiting:
            outcome = outcomes.get()
            del waiting[outcome.source]
            _note(ledger, numbers[outcome.source], outcome, redact)
            yield outcome
    finally:
        stop.set()
        for name, running in sorted(waiting.items()):
            stopped = Outcome(name, list(running.partitions), time.monotonic() - began, StoppedError())
            with suppress(TidingsError):
                # If the ledger cannot be written, the end of the process has the same effect.
                _note(ledger, numbers[name], stopped, redact)


def _add_overlaps(landing: Landing, source: Source, outcome: Outcome) -> None:
    """Report overlaps between the files of a source if some were landed again."""
    for endpoint in source.endpoints:
        landed = [
            n
            for n, partition in enumerate(outcome.partitions)
            if partition.endpoint == endpoint.name and not partition.skipped
        ]
        if landed and (reported := overlap_sentences(landing.raw, source.name, endpoint.name)):
            last = outcome.partitions[landed[-1]]
            outcome.partitions[landed[-1]] = replace(last, messages=(*last.messages, *reported))


def _note(ledger: Ledger, number: int, outcome: Outcome, redact: Redactor) -> None:
    ledger.finish_pull(
        number,
        outcome.status,
        seconds=outcome.seconds,
        rows=outcome.rows,
        rejected=outcome.rejected,
        restated=outcome.restated,
        messages=[redact(message) for message in outcome.messages],
        error=redact(outcome.reported()),
    )
