"""Visits beyond the end of a window or of the data: each counts with all its hits (metric definitions 4)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidings.book import Book
from tidings.sections.web_traffic import entry_pages, exit_pages
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land


def hit(ts: str, visitor: str, path: str, event: str = "pageview") -> dict[str, Any]:
    return {"ts": datetime.fromisoformat(f"2026-06-{ts}"), "visitor_id": visitor, "event": event, "path": path}


EVENTS = [
    # over midnight: begins in the window, ends after it on a page without views in the window
    hit("10T23:50", "v1", "/"),
    hit("10T23:55", "v1", "/a"),
    hit("11T00:10", "v1", "/late"),
    # inside of the window; the event counts for the duration and for nothing else
    hit("10T10:00", "v2", "/"),
    hit("10T10:20", "v2", "/", "scroll"),
    # ends on a page that is seen in the window as well
    hit("10T11:00", "v3", "/late2"),
    hit("10T11:01", "v3", "/a"),
    # begins before the window and is no visit of it, though its page views are
    hit("09T23:59", "v4", "/"),
    hit("10T00:01", "v4", "/a"),
    # no page view: no visit
    hit("10T12:00", "v5", "/", "scroll"),
    # long after
    hit("12T10:00", "v6", "/"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("site")
    (root / "pyproject.toml").write_text("[tool.tidings]\n")
    land(load_settings(root), "events", EVENTS, source="site", complete_until=datetime(2026, 6, 13, tzinfo=UTC))
    build(load_settings(root))
    return root


def test_exit_pages(site: Path) -> None:
    rows = exit_pages(Book.open(root=site, as_of="2026-06-11", days=1, compare="none")).rows
    # v1 leaves on /late, seen 0 times on the 10th: its rate is unknown, not nothing. v3 leaves on /a, seen 3 times.
    assert rows == (("/", 1, 2, 0.5), ("/a", 1, 3, pytest.approx(1 / 3)), ("/late", 1, 0, None))


def test_entry_pages(site: Path) -> None:
    rows = entry_pages(Book.open(root=site, as_of="2026-06-11", days=1, compare="none")).rows
    # v1 (1,200 s, no bounce) and v2 (a bounce that lasts 1,200 s by its event); v3 60 s.
    assert rows == (("/", 2, 0.5, 1200.0), ("/late2", 1, 0.0, 60.0))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("visits", 3),  # v1, v2, v3
        ("pageviews", 6),  # by their own time: v1 2, v2 1, v3 2, v4 1
        ("visitors", 4),
        ("bounce_rate", 1 / 3),  # v2
        ("visit_duration", (1200 + 1200 + 60) / 3),
        ("views_per_visit", (3 + 1 + 2) / 3),
        # page views of the day that have a next one, wherever that is: v1 300 and 900, v3 60
        ("time_on_page", (300 + 900 + 60) / 3),
        ("current_visitors", 1),  # v1 at 23:55
    ],
)
def test_figures_of_the_day(site: Path, name: str, expected: float) -> None:
    book = Book.open(root=site, as_of="2026-06-11", days=1, compare="none")
    assert book.value(name).value == pytest.approx(expected)


def test_current_visitors_are_those_of_the_last_300_seconds(site: Path) -> None:
    """Both ends: 23:50 belongs to [23:50, 23:55), and what is at as_of itself is not known yet."""
    for as_of, expected in (("2026-06-10T23:55", 1), ("2026-06-10T23:50", 0)):
        assert Book.open(root=site, as_of=as_of, days=1, compare="none").value("current_visitors").value == expected
