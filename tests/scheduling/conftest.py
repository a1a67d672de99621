"""A workbook whose runs are made at once, and channels that do what a test says: what is tested is the accounts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tidings.delivery.channel import DeliveryError, Receipt
from tidings.delivery.message import Message
from tidings.delivery.outbox import Outbox
from tidings.display.figure import HTML, TEXT, TIDINGS
from tidings.errors import RunError
from tidings.ledger.deliveries import Deliveries
from tidings.ledger.store import Ledger
from tidings.scheduling import schedule as schedule_module
from tidings.scheduling import steps
from tidings.scheduling.steps import Bench
from tidings.secrets import Redactor
from tidings.settings import Settings

START = datetime(2026, 7, 1, 6, tzinfo=UTC)


class FakeChannel:
    """Keeps what it accepted; `script` holds what comes of the next attempts, and then everything is accepted."""

    def __init__(self, name: str, *, is_personal: bool, is_repeatable: bool = False) -> None:
        self.name, self.is_personal, self.is_repeatable = name, is_personal, is_repeatable
        self.accepted: list[Message] = []
        self.script: list[Any] = []

    def check(self) -> list[str]:
        return []

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        outcome = self.script.pop(0) if self.script else None
        if isinstance(outcome, DeliveryError) and outcome.outlook != "unknown":
            raise outcome
        offered()
        self.accepted.append(message)
        if outcome is not None:
            raise outcome
        return Receipt(250, "2.0.0 queued")


@dataclass
class World:
    """A workbook at a simulated time: `look()` looks at the clock, `go(...)` moves it."""

    settings: Settings
    channels: dict[str, FakeChannel]
    now: datetime = START
    lines: list[str] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    # Why the next runs fail, one after the other; empty text for one that does not.
    failures: list[str] = field(default_factory=list)
    figures: Mapping[str, str | None] = field(default_factory=lambda: {"net_revenue": "100"})

    def go(self, **ahead: float) -> None:
        self.now += timedelta(**ahead)

    def bench(self) -> Bench:
        ledger = Ledger(self.settings.ledger)
        deliveries = Deliveries(ledger)
        redact = Redactor()
        clock = lambda: self.now  # noqa: E731
        outbox = Outbox(self.settings, deliveries, clock, redact, dict(self.channels))
        return Bench(self.settings, ledger, deliveries, outbox, clock, redact, self.lines.append)

    def look(self) -> Any:
        from tidings.scheduling.due import look

        return look(self.bench())

    def report(self, text: str, name: str = "weekly") -> None:
        head = 'title = "Weekly report"\nsections = ["commerce"]\n'
        self.settings.schedules.joinpath(f"{name}.toml").write_text(head + text)

    @property
    def ledger(self) -> Deliveries:
        return Deliveries(Ledger(self.settings.ledger))

    def states(self) -> list[tuple[str, str, str, str]]:
        """Audience, channel, recipient and state of each delivery, the oldest first."""
        found = sorted(self.ledger.deliveries(1000), key=lambda each: each.id)
        return [(e.audience, e.channel, e.recipient, e.state) for e in found]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    settings = Settings(
        root=tmp_path,
        timezone="Europe/Berlin",
        channels={"mail": {"kind": "mail"}, "chat": {"kind": "slack"}, "place": {"kind": "folder"}},
        sources={"shop": {"kind": "files"}},
    )
    settings.schedules.mkdir()
    settings.notebooks.mkdir()
    settings.ledger.parent.mkdir()
    settings.notebooks.joinpath("commerce.ipynb").write_text("{}")
    made = World(
        settings,
        {
            "mail": FakeChannel("mail", is_personal=True),
            "chat": FakeChannel("chat", is_personal=False),
            "place": FakeChannel("place", is_personal=False, is_repeatable=True),
        },
    )
    monkeypatch.setattr(schedule_module, "open_channel", lambda settings, name: made.channels[name])
    monkeypatch.setattr(steps, "run", lambda settings, name, given, **more: _run(made, name, given, more))
    return made


def _run(world: World, name: str, given: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    """A run as `reporting.run` leaves it: its folder, its manifest, and one section's record."""
    world.runs.append({"report": name, **given, **{key: value for key, value in more.items() if value}})
    failure = world.failures.pop(0) if world.failures else ""
    if failure == "raise":
        raise RunError("The disk is full.", "Free some of it.")
    as_of = datetime.fromisoformat(str(given["as_of"]))
    other = "_".join(f"{key}={value}" for key, value in sorted(given.items()) if key != "as_of")
    slot = f"{as_of:%Y-%m-%dT%H%M}" + (f"~{other}" if other else "")
    folder = world.settings.reports / name / slot
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    number = f"{name}-{world.now:%Y%m%dT%H%M%S}-{len(world.runs):04x}"
    status = "failed" if failure else "done"
    section = {"section": "commerce", "status": status, "error": failure, "page": "commerce.html"}
    manifest = {
        "id": number, "report": name, "title": "Weekly report", "slot": slot, "status": status,
        "as_of": as_of.isoformat(), "parameters": {}, "build": "b", "started_at": world.now.isoformat(),
        "sections": [{**section, "notebook": "notebooks/commerce.ipynb", "seconds": 1.0, "source_sha256": ""}],
    }  # fmt: skip
    ledger = Ledger(world.settings.ledger)
    about = {"report": name, "slot": slot, "as_of": as_of, "parameters": {}, "build": "b", "version": "1"}
    ledger.start_run(number, sections=["commerce"], started_at=world.now, **about)
    ledger.finish_run(number, status, seconds=1.0)
    (folder / "run.json").write_text(json.dumps(manifest))
    for page in ("index", "commerce"):
        (folder / f"{page}.html").write_text("<html></html>")
    figures = [
        {
            "metric": metric,
            "title": metric,
            "value": value,
            "unit": "EUR",
            "before": "200",
            "change": -0.5,
            "status": "",
            "why": "",
            "window": {"from": "2026-06-01", "to": "2026-06-29"},
        }
        for metric, value in world.figures.items()
    ]
    data = {TIDINGS: {"type": "cards", "figures": figures}, HTML: "<div></div>", TEXT: "cards"}
    cell = new_code_cell("cards", outputs=[new_output("display_data", data=data)])
    book = new_notebook(cells=[new_markdown_cell("# Commerce"), cell])
    nbformat.write(book, folder / "notebooks" / "commerce.ipynb")
    sections = [SimpleNamespace(section="commerce", error=failure)]
    return SimpleNamespace(
        run=SimpleNamespace(id=number), status=status, seconds=1.0, index=folder / "index.html", sections=sections
    )
