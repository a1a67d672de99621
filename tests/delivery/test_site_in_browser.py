"""The index of a published site as a reader gets it: in headless Chromium, on a phone and in the dark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from channel_samples import make_pages, message

from opened_pages import Opened
from tidings.delivery.channel import open_channel
from tidings.reporting.index import ReportFinding
from tidings.settings import Settings

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (320, "dark")])
def test_the_index_is_quiet_accessible_and_as_wide_as_the_screen(
    tmp_path: Path, browser: Any, width: int, scheme: str
) -> None:
    settings = Settings(tmp_path / "workbook", channels={"board": {"kind": "pages", "path": "../out"}})
    channel = open_channel(settings, "board")
    for slot in ("2026-06-29", "2026-07-06"):
        at = datetime.fromisoformat(slot).replace(tzinfo=UTC)
        given = {"folder": make_pages(tmp_path, slot), "slot": slot, "at": at, "title": "Weekly " + "x" * 200}
        channel.send(message(**given, findings=(ReportFinding("y" * 300, "", ()),)), lambda: None)
    for name in ("index.html", "weekly/index.html"):
        file = tmp_path / "out" / name
        opened = Opened(browser, file, color_scheme=scheme, viewport={"width": width, "height": 844})
        assert (opened.requests, opened.complaints, opened.barriers()) == ([file.as_uri()], [], [])
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
