"""A page as a reader gets it: opened from disk, offline, in headless Chromium."""

from __future__ import annotations

import pytest

from opened_pages import Opened

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", ["commerce", "web_traffic", "index"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_quiet_and_accessible(ran, browser, name: str, scheme: str) -> None:
    file = ran.folder / f"{name}.html"
    opened = Opened(browser, file, color_scheme=scheme)
    assert opened.requests == [file.as_uri()]
    assert opened.complaints == []
    assert opened.barriers() == []


def test_every_chart_is_drawn(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html")
    assert opened.count(".td-vega") == 3
    assert opened.count(".td-vega svg.marks") == 3
    # Drawn live in place of the still picture, with marks in it.
    assert opened.count(".td-vega > svg") == 0
    assert opened.count(".td-vega svg.marks .mark-line path[d], .td-vega svg.marks .mark-rect path[d]") >= 3


def test_without_scripts_the_still_pictures_stand(ran, browser) -> None:
    page = browser.new_context(offline=True, java_script_enabled=False).new_page()
    page.goto((ran.folder / "commerce.html").as_uri())
    boxes = [element.bounding_box() for element in page.query_selector_all(".td-vega > svg")]
    assert len(boxes) == 3
    assert all(box is not None and box["height"] > 50 for box in boxes)


@pytest.mark.parametrize("name", ["commerce", "index"])
def test_a_phone_needs_no_sideways_scrolling(ran, browser, name: str) -> None:
    opened = Opened(browser, ran.folder / f"{name}.html", viewport={"width": 390, "height": 844})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_mode_can_be_switched_and_paper_is_always_light(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", opened.page.evaluate(ground)
    assert dark != light
    opened.page.click("button.mode")
    assert opened.page.evaluate(ground) == light
    opened.page.click("button.mode")
    assert opened.page.evaluate(ground) == dark
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(ground) == light
    folded = opened.page.query_selector_all("main details, button.mode, nav")
    assert folded and not any(element.is_visible() for element in folded)


def test_links_to_definitions_arrive(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "index.html")
    opened.page.click("#commerce .td-cards a")
    opened.page.wait_for_url("**/commerce.html#def-net_revenue")
    assert opened.page.wait_for_selector("dt:target").inner_text().startswith("Net revenue")


def test_the_keyboard_reaches_the_content(ran, browser) -> None:
    opened = Opened(browser, ran.folder / "commerce.html")
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "skip"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "main"
