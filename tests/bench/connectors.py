"""Rows through a connector: how many per second, how much memory, and six sources at once.

The server runs in a process of its own and answers from prepared bytes, so that what is measured is ours. As a program
(`connectors.py pull URL FOLDER DAYS`) it pulls once in a fresh process and prints rows, seconds and peak memory in MB.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NOW = datetime(2026, 7, 2, tzinfo=UTC)
LAST_DAY = date(2026, 6, 25)
PAGE_ROWS = 25_000
DAY_ROWS = 50_000
SMALL_DAY_ROWS = 1_000
SITE = "sc-domain:bench.example"


def _page(day: str, start: int, stop: int) -> bytes:
    rows = [
        {
            "keys": [day, f"https://bench.example/{n}"],
            "clicks": n % 7,
            "impressions": n % 90,
            "ctr": 0.1,
            "position": 4.5,
        }
        for n in range(start, stop)
    ]
    return json.dumps({"rows": rows}).encode()


def _serve(ready: Any, delay: float, day_rows: int) -> None:
    starts = range(0, day_rows, PAGE_ROWS)
    pages = {start: _page("2000-01-01", start, min(start + PAGE_ROWS, day_rows)) for start in starts}

    class Handle(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _answer(self, said: bytes) -> None:
            time.sleep(delay)
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def do_GET(self) -> None:
            self._answer(json.dumps({"siteEntry": [{"siteUrl": SITE, "permissionLevel": "siteOwner"}]}).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                self._answer(b'{"access_token": "t", "expires_in": 3600}')
                return
            asked = json.loads(body)
            if asked["dimensions"] != ["date", "page"] or asked["startRow"] not in pages:
                self._answer(b"{}")
                return
            self._answer(pages[asked["startRow"]].replace(b"2000-01-01", asked["startDate"].encode()))

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handle)
    ready.put(server.server_address[1])
    server.serve_forever()


@contextmanager
def serving(delay: float = 0.0, day_rows: int = DAY_ROWS) -> Iterator[str]:
    """A server on loopback that takes `delay` seconds for each answer and has so many rows for a day."""
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=_serve, args=(ready, delay, day_rows), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ready.get(timeout=60)}"
    finally:
        process.terminate()
        process.join()


def _settings(folder: Path, url: str, sources: int) -> Any:
    from fakes.google import FakeGoogle
    from tidings.settings import Settings

    account = json.loads(FakeGoogle().account_json())
    account["token_uri"] = f"{url}/token"
    return Settings(
        root=folder,
        sources={f"s{n}": {"kind": "search_console", "sites": [SITE], "base_url": url} for n in range(sources)},
        environment={f"S{n}_ACCOUNT": json.dumps(account) for n in range(sources)},
    )


def pull_once(url: str, folder: Path, days: int) -> dict[str, float]:
    """Pull so many days of 50,000 rows each, waiting for no rate limit."""
    from fakes.pulling import QuickClock
    from tidings.landing.store import Landing
    from tidings.sources.source import Pull, open_sources
    from tidings.window import add_days

    settings = _settings(folder, url, 1)
    (source,) = open_sources(settings)
    order = Pull(NOW, since=add_days(LAST_DAY, 1 - days), until=LAST_DAY, clock=QuickClock(NOW))
    start = time.perf_counter()
    rows = sum(partition.rows for partition in source.pull(Landing(settings.raw), order))
    seconds = time.perf_counter() - start
    return {"rows": rows, "seconds": seconds, "peak": _peak()}


def _peak() -> float:
    """Peak memory of this process in MB (not a number where there is no /proc).

    Not by getrusage, which counts the process that started it, too.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+)", status.read_text()) if status.is_file() else None
    return int(found.group(1)) / 1024 if found else math.nan


def volume(days: int) -> dict[str, float]:
    """`pull_once` in a fresh process."""
    with serving() as url, tempfile.TemporaryDirectory(prefix="tidings-bench-") as folder:
        command = [sys.executable, __file__, "pull", url, folder, str(days)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def six(delay: float = 0.3, days: int = 7) -> tuple[float, float]:
    """Seconds for six small sources at once, and one after the other, kept to their rate limits.

    Small, because it is waiting that can be done at once: parsing millions of rows takes turns on the processor.
    """
    from tidings.intake.pulling import pull_sources
    from tidings.sources.source import Pull, open_sources
    from tidings.window import add_days

    order = Pull(NOW, since=add_days(LAST_DAY, 1 - days), until=LAST_DAY)
    seconds = []
    for at_once in (True, False):
        with serving(delay, SMALL_DAY_ROWS) as url, tempfile.TemporaryDirectory(prefix="tidings-bench-") as folder:
            settings = _settings(Path(folder), url, 6)
            sources = open_sources(settings)
            start = time.perf_counter()
            for group in [sources] if at_once else [[source] for source in sources]:
                outcomes = list(pull_sources(settings, group, order, lambda *_: None))
                if any(outcome.error for outcome in outcomes):
                    raise RuntimeError([outcome.reported() for outcome in outcomes])
            seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    print(json.dumps(pull_once(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
