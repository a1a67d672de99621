"""A mail opened by a browser: it fits a desktop and a phone, in light and dark, and asks for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mail_samples import COMMERCE, TRAFFIC, chart, countries, message, section

from opened_pages import Opened
from tidings.delivery.preview import write_preview
from tidings.display import show

pytestmark = pytest.mark.browser
LONG = section("long", chart("Wort" * 60), show.ranking(countries(14, name="Ein langer Name einer Spalte")))
VISIBLE = "[...document.images].filter(image => image.offsetWidth > 0).map(image => image.className)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 600])
def test_a_mail_fits_and_can_be_read(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    given = message((COMMERCE, TRAFFIC, LONG), gaps=("x" * 300,))
    viewport = {"width": width, "height": 900}
    opened = Opened(browser, write_preview(given, tmp_path), viewport=viewport, color_scheme=scheme)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert set(page.evaluate(VISIBLE)) == {"narrow" if width < 480 else "wide"}
    ground = page.evaluate("getComputedStyle(document.querySelector('.sheet')).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(25, 29, 38)")
    assert [request for request in opened.requests if not request.startswith(("file:", "data:"))] == []
    assert opened.complaints == []
    assert opened.barriers() == []


def test_without_pictures_every_finding_is_still_there(browser: Any, tmp_path: Path) -> None:
    """Many clients block pictures: what they would show is said beside them."""
    file = write_preview(message(), tmp_path)
    file.write_text(file.read_text(encoding="utf-8").replace("data:image/png", "data:none/none"), encoding="utf-8")
    opened = Opened(browser, file, viewport={"width": 600, "height": 900})
    text = opened.page.inner_text("body")
    assert "3\u202f178\u202fEUR in 3 – 30 Jun 2026" in text
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 600
