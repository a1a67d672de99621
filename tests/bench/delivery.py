"""From a slot to accepted mails: six sections to one recipient, and 500 recipients with parameters of their own."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from fakes.mail_server import MailServer
from tidings.delivery.outbox import Outbox
from tidings.ledger.deliveries import Deliveries
from tidings.ledger.store import Ledger
from tidings.scheduling.due import look
from tidings.scheduling.steps import Bench
from tidings.secrets import Redactor
from tidings.settings import Settings, load_settings

# The Wednesday before the Monday of the slot.
_START = datetime(2026, 7, 1, 12, tzinfo=UTC)
_SLOT = datetime(2026, 7, 6, 6, tzinfo=UTC)
_SCHEDULE = '[[schedule]]\ncron = "0 8 * * mon"\ntimezone = "Europe/Berlin"\n'
_DAYS = (7, 14, 28, 60, 90)


def from_slot_to_mail(root: Path, sections: tuple[str, ...]) -> tuple[float, float]:
    """Seconds from a slot of these sections to its mail being accepted, and the mail's kilobytes as sent."""
    audience = '[[audience]]\nname = "board"\nchannels = ["mail"]\nto = ["ann@example.com"]\n'
    seconds, box = _delivered(root, sections, audience)
    [mail] = box.mailbox
    return seconds, len(mail.content) / 1000


def to_many(root: Path, recipients: int) -> tuple[float, float, int]:
    """Seconds of a slot of one section to so many recipients in five audiences, median milliseconds from one mail to
    the next, and how many runs were made for them.
    """
    each = recipients // len(_DAYS)
    parts = []
    for days in _DAYS:
        to = ", ".join(f'"r{number}.{days}@example.com"' for number in range(each))
        parts.append(
            f'[[audience]]\nname = "{days}"\nchannels = ["mail"]\nto = [{to}]\nparameters = {{ days = {days} }}\n'
        )
    arrived: list[float] = []
    seconds, box = _delivered(root, ("commerce",), "".join(parts), lambda: arrived.append(time.perf_counter()))
    assert len({mail.recipient for mail in box.mailbox}) == len(box.mailbox) == each * len(_DAYS)
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    # Beside the report's own run, which every slot makes.
    runs = len(Deliveries(Ledger(root / "data" / "ledger.sqlite")).runs(_last_slot(root)))
    return seconds, statistics.median(gaps) * 1000, runs


def _delivered(
    root: Path, sections: tuple[str, ...], audiences: str, said: Callable[[], object] = lambda: None
) -> tuple[float, MailServer]:
    box = MailServer()
    with box.running():
        channel = {"kind": "mail", "host": "127.0.0.1", "port": box.port, "security": "none", "sender": "t@example.com"}
        settings = replace(load_settings(root), channels={"mail": channel})
        name = f"bench{len(list(settings.schedules.glob('*.toml')))}"
        listed = ", ".join(f'"{section}"' for section in sections)
        (settings.schedules / f"{name}.toml").write_text(f'title = "B"\nsections = [{listed}]\n{_SCHEDULE}{audiences}')
        _look(settings, _START, said)
        start = time.perf_counter()
        _look(settings, _SLOT, said)
        return time.perf_counter() - start, box


def _look(settings: Settings, now: datetime, said: Callable[[], object]) -> None:
    ledger, begin = Ledger(settings.ledger), time.perf_counter()
    clock = lambda: now + timedelta(seconds=time.perf_counter() - begin)  # noqa: E731
    outbox = Outbox(settings, Deliveries(ledger), clock, Redactor())
    found = look(
        Bench(settings, ledger, Deliveries(ledger), outbox, clock, Redactor(), lambda line: _count(line, said))
    )
    outbox.close()
    assert not found.failed, Deliveries(ledger).deliveries(5)


def _count(line: str, said: Callable[[], object]) -> None:
    if line.endswith(": delivered"):
        said()


def _last_slot(root: Path) -> int:
    return max(slot.id for slot in Deliveries(Ledger(root / "data" / "ledger.sqlite")).slots(100))
