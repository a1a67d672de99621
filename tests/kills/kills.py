"""The proof of the ledger: `tidings due` is killed at random moments, and afterwards the ledger equals the mailboxes.

    python tests/kills/kills.py [--kills 200] [--days 60] [--seed 1]

Three schedules, five audiences and two channels on a simulated clock that passes a clock change. Every slot has to be
in the ledger; what the ledger calls delivered lies in a mailbox once, what it calls unknown at most once, else never.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "reporting")]

from section_notebooks import FIGURES, notebook  # noqa: E402 - found by the line above

from fakes.mail_server import MailServer  # noqa: E402
from tidings.business_calendar import calendar_of  # noqa: E402
from tidings.delivery.compose import message_id  # noqa: E402
from tidings.ledger.deliveries import Deliveries  # noqa: E402
from tidings.ledger.store import Ledger  # noqa: E402
from tidings.scheduling.schedule import load_plans  # noqa: E402
from tidings.scheduling.slots import slots_between  # noqa: E402
from tidings.settings import Settings, load_settings  # noqa: E402
from tidings.warehouse.build import build  # noqa: E402
from workbooks import at, land  # noqa: E402

SLOW_S = 0.4
# Berlin goes from 02:00 to 03:00 on 29 March 2026: the nightly slot of that night does not exist.
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CELLS = (
    FIGURES,
    'text("head", "<dl class=td-facts></dl>", title="Commerce", subtitle="1 – 30 Jun 2026")',
    'text("cards", \'<div class="td-grid"><div class="td-card">Net revenue</div></div>\')',
)
AUDIENCES = {
    "nightly": (
        '[[schedule]]\ncron = "30 2 * * *"\ncatch_up = "all"\nretries = 0\n',
        '[[audience]]\nname = "desk"\nchannels = ["post"]\nto = ["ann@example.com", "bob@example.com"]\n',
        '[[audience]]\nname = "machine"\nchannels = ["hook"]\n',
    ),
    "weekly": (
        '[[schedule]]\ncron = "0 8 * * mon"\ncatch_up = "all"\nretries = 0\n',
        '[[audience]]\nname = "board"\nchannels = ["post", "hook"]\nto = ["cleo@example.com"]\n',
        '[[audience]]\nname = "owners"\nchannels = ["post"]\nto = ["dan@example.com"]\nparameters = { days = 7 }\n',
    ),
    "monthly": (
        '[[schedule]]\non = "last business day"\nat = "18:00"\ncatch_up = "all"\nretries = 0\n',
        '[[audience]]\nname = "bank"\nchannels = ["hook"]\n',
    ),
}
CHILD = """
import os, sys, time
from datetime import datetime, timedelta
import tidings.cli.main as main
begin, started = datetime.fromisoformat(os.environ["SIMULATED_NOW"]), time.monotonic()
main._now = lambda: begin + timedelta(seconds=time.monotonic() - started)
sys.argv = ["tidings", *sys.argv[1:]]
main.main()
"""


@dataclass
class Boxes:
    """A mail server and a webhook that keep what arrives."""

    mail: MailServer = field(default_factory=MailServer)
    hooks: Counter[str] = field(default_factory=Counter)
    http: int = 0

    @property
    def arrived(self) -> Counter[str]:
        """How often each message arrived, by its id."""
        return self.hooks + Counter(kept.id.strip("<>").partition("@")[0] for kept in self.mail.mailbox)

    @contextmanager
    def open(self) -> Iterator[Boxes]:
        """Run both on free ports of loopback."""
        boxes = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                boxes.hooks[self.headers["Idempotency-Key"]] += 1
                # A server that is slow to answer: many of the kills fall between the message and its answer.
                time.sleep(SLOW_S)
                # Whoever was killed meanwhile does not read it.
                with suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.http = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with self.mail.running():
            yield self
        server.shutdown()


def make(folder: Path, boxes: Boxes) -> Settings:
    """A workbook that is just large enough to run a report."""
    settings = f"""[tool.tidings]
timezone = "Europe/Berlin"
[tool.tidings.channels.post]
kind = "mail"
host = "127.0.0.1"
port = {boxes.mail.port}
security = "none"
sender = "tidings@example.com"
[tool.tidings.channels.hook]
kind = "webhook"
url = "http://127.0.0.1:{boxes.http}/"
"""
    folder.joinpath("pyproject.toml").write_text(settings)
    folder.joinpath(".env").write_text("HOOK_SECRET=a-secret-of-some-length\n")
    folder.joinpath(".env").chmod(0o600)
    made = load_settings(folder)
    land(made, "orders", [{"ts": at("2026-02-01T12:00"), "order_id": "1", "amount": 10}], complete_until=START)
    build(made)
    made.notebooks.mkdir()
    nbformat.write(notebook(CELLS), made.notebooks / "commerce.ipynb")
    made.schedules.mkdir()
    for name, parts in AUDIENCES.items():
        text = f'title = "{name.capitalize()} report"\nsections = ["commerce"]\n' + "".join(parts)
        made.schedules.joinpath(f"{name}.toml").write_text(text)
    return made


def due(root: Path, now: datetime, kill_after: float | None) -> int | None:
    """One `tidings due` at a simulated time; its exit code, or None if it was killed before its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, "--root", str(root), "due"],
        env={**os.environ, "SIMULATED_NOW": now.isoformat()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, said = child.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.communicate()
        return None
    if child.returncode not in (0, 1, 75) or "Traceback" in said:
        raise SystemExit(f"tidings due ended with {child.returncode}: {said}")
    return child.returncode


def faults(settings: Settings, arrived: Counter[str], until: datetime) -> list[str]:
    """What the ledger and the mailboxes do not agree on, as sentences."""
    ledger, found = Deliveries(Ledger(settings.ledger)), []
    slots = {(slot.report, slot.schedule, slot.at): slot for slot in ledger.slots(100_000)}
    for plan in load_plans(settings):
        for schedule in plan.schedules:
            for moment in slots_between(schedule, calendar_of(settings, schedule.zone), START, until):
                slot = slots.pop((schedule.report, schedule.name, moment), None)
                if slot is None or slot.state != "done":
                    found.append(f"{schedule.id} {moment}: {'is lost' if slot is None else slot.state}")
    found += [f"{key} is no slot" for key in slots]
    known: set[str] = set()
    for entry in ledger.deliveries(100_000):
        # A mail is called by a digest of that, which is safe in a header.
        names = {message_id(entry.key), hashlib.sha256(message_id(entry.key).encode()).hexdigest()[:32]}
        times = sum(arrived[name] for name in names)
        known |= names
        allowed = {"delivered": (1,), "unknown": (0, 1)}.get(entry.state, (0,))
        if entry.state not in ("delivered", "unknown"):
            found.append(f"{entry.key!r} ended as {entry.state}: {entry.reason}")
        if times not in allowed:
            found.append(f"{entry.key!r} is {entry.state} and arrived {times} times")
        offered = [attempt for attempt in ledger.attempts(entry.id) if attempt.offered_at is not None]
        if len(offered) > 1:
            found.append(f"{entry.key!r} was offered {len(offered)} times")
    return found + [f"{name} arrived and is not in the ledger" for name in arrived if name not in known]


def main(kills: int, days: int, seed: int) -> int:
    chance, boxes, folder = random.Random(seed), Boxes(), Path(tempfile.mkdtemp(prefix="tidings-kills-"))
    begin = time.monotonic()
    try:
        with boxes.open():
            settings = make(folder, boxes)
            now, killed = START, 0
            step = timedelta(days=days) / (kills + 1)
            due(folder, now, None)
            longest = 2.0
            while killed < kills:
                now += step if now < START + timedelta(days=days) - step else timedelta(minutes=1)
                for _ in range(40):
                    at_once = time.monotonic()
                    if due(folder, now, chance.uniform(0.2, longest)) is None:
                        killed += 1
                        break
                    # It ended before: it takes so long where nothing is due.
                    longest = max(2.0, 1.5 * (time.monotonic() - at_once))
                    now += timedelta(minutes=1)
                longest = min(longest * 1.2, 15.0)
            until = START + timedelta(days=days)
            now = max(now, until)
            while due(folder, now, None) == 75:
                now += timedelta(minutes=2)
            wrong = faults(settings, boxes.arrived, until)
            states = Counter(entry.state for entry in Deliveries(Ledger(settings.ledger)).deliveries(100_000))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"kills": killed, "states": states, "seconds": round(time.monotonic() - begin)}))
    print("\n".join(wrong) or "The ledger equals the mailboxes.")
    return bool(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(**vars(parser.parse_args())))
