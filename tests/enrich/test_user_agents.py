"""Devices, browsers and bots by user agent: metric definitions 11."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tidings.enrich.bots import is_bot, list_date
from tidings.enrich.user_agents import Agent, describe

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/131.0.0.0 Safari/537.36"
PHONE = f"{WEBKIT} Chrome/131.0.0.0 Mobile Safari/537.36"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
IOS = f"{APPLE} Version/17.5 Mobile/15E148 Safari/604.1"
BROWSERS = [
    (f"(Windows NT 10.0; Win64; x64) {CHROME}", "desktop", "Chrome", "Windows"),
    (f"(Windows NT 10.0; Win64; x64) {CHROME} Edg/131.0.0.0", "desktop", "Edge", "Windows"),
    (f"(Windows NT 10.0; Win64; x64) {CHROME} OPR/116.0.0.0", "desktop", "Opera", "Windows"),
    ("(Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0", "desktop", "Firefox", "Windows"),
    ("(Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "desktop", "IE", "Windows"),
    (f"(Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/17.5 Safari/605.1.15", "desktop", "Safari", "Mac OS X"),
    ("(X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "desktop", "Firefox", "Ubuntu"),
    (f"(X11; CrOS x86_64 14541.0.0) {CHROME}", "desktop", "Chrome", "Chrome OS"),
    (f"(iPhone; CPU iPhone OS 17_5 like Mac OS X) {IOS}", "mobile", "Mobile Safari", "iOS"),
    (
        f"(iPhone; CPU iPhone OS 17_5 like Mac OS X) {APPLE} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
        "mobile",
        "Chrome Mobile iOS",
        "iOS",
    ),
    (f"(Linux; Android 10; K) {PHONE}", "mobile", "Chrome Mobile", "Android"),
    (f"(Linux; Android 9; CUBOT_X18_Plus) {PHONE}", "mobile", "Chrome Mobile", "Android"),
    ("(Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0", "mobile", "Firefox Mobile", "Android"),
    (
        f"(Linux; Android 13; SM-S911B) {WEBKIT} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
        "mobile",
        "Samsung Internet",
        "Android",
    ),
    (f"(iPad; CPU OS 16_6 like Mac OS X) {IOS}", "tablet", "Mobile Safari", "iOS"),
    (f"(Linux; Android 13; SM-X700) {CHROME}", "tablet", "Chrome", "Android"),
    (
        f"(Linux; Android 9; KFMAWI) {WEBKIT} Silk/108.4.6 like Chrome/108.0.5359.220 Safari/537.36",
        "tablet",
        "Amazon Silk",
        "Android",
    ),
    (
        f"(SMART-TV; Linux; Tizen 6.0) {WEBKIT} SamsungBrowser/4.0 Chrome/76.0.3809.146 TV Safari/537.36",
        "other",
        "Samsung Internet",
        "Tizen",
    ),
    (f"(PlayStation; PlayStation 5/3.11) {APPLE} Version/13.0 Safari/605.1.15", "other", "Safari", None),
]


@pytest.mark.parametrize(("user_agent", "device", "browser", "system"), BROWSERS)
def test_browsers_are_known_and_no_bots(user_agent: str, device: str, browser: str, system: str | None) -> None:
    assert describe(f"Mozilla/5.0 {user_agent}") == Agent(device, browser, system, is_bot=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [None, "", "  ", "-"])
def test_a_client_without_a_name_is_a_bot(missing: str | None) -> None:
    assert describe(missing) == Agent("other", None, None, is_bot=True)
    assert is_bot(missing)


@pytest.mark.parametrize(
    "sign",
    [
        "bot",
        "crawl",
        "spider",
        "slurp",
        "headless",
        "phantomjs",
        "lighthouse",
        "pingdom",
        "uptimerobot",
        "facebookexternalhit",
        "curl/",
        "wget/",
        "python-requests",
        "python-urllib",
        "go-http-client",
        "okhttp",
        "java/",
        "libwww",
        "scrapy",
        "axios/",
        "node-fetch",
        "chatgpt-user",
        "bytespider",
    ],
)
def test_every_sign_of_the_list_is_a_bot_in_any_case(sign: str) -> None:
    assert is_bot(f"Mozilla/5.0 {sign.upper()}8.1")
    assert describe(f"x {sign}").is_bot


@pytest.mark.parametrize("name", ["CUBOT", "curl", "Javascript", "Axios"])
def test_near_misses_are_no_bots(name: str) -> None:
    assert not is_bot(f"Mozilla/5.0 ({name} 1)")


def test_a_bot_on_a_cubot_is_a_bot() -> None:
    assert is_bot("Mozilla/5.0 (Linux; CUBOT X18; compatible; Googlebot/2.1)")


@pytest.mark.parametrize(
    "agent",
    [
        # one of each kind that no sign of the binding list names
        "Mozilla/5.0 (compatible; GoogleOther)",  # the public list
        "Mediapartners-Google",
        "WhatsApp/2.24.7",  # link previews
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Mozilla/5.0 zgrab/0.x",  # scanners
        "Nuclei - Open-source project (github.com/projectdiscovery/nuclei)",
        "python-httpx/0.28.1",  # libraries
        "Python/3.12 aiohttp/3.10.5",
        "Apache-HttpClient/5.3 (Java/21)",
        "PHP/8.3",
        "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.1",
        "Feedly/1.0 (+http://www.feedly.com/fetcher.html; 9 subscribers)",  # readers of feeds
        "NewsBlur Feed Fetcher - 12 subscribers",
        "Datadog/Synthetics",  # monitors
        "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0 Safari/537.36 GTmetrix",
        "Acme/1.0 (+https://acme.example/about-us)",  # an address for complaints
    ],
)
def test_programs_of_every_kind_are_bots(agent: str) -> None:
    assert is_bot(agent)
    assert describe(agent).is_bot


def test_the_parsers_own_class_counts() -> None:
    """The rules of uap-core call it a spider; neither the signs nor the list know it."""
    agent = "holmes/2.3"
    assert not is_bot(agent)
    assert describe(agent).is_bot


@pytest.mark.parametrize(
    "agent",
    [
        f"(Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) {PHONE}",
        f"(Linux; Android 16; Pixel 10) {PHONE} MetaIAB Facebook",
        f"(Linux; Android 7.1.2; wv) {PHONE} Viber/11.9.5.8",
        f"(Linux; Android 9; HTC Butterfly) {PHONE}",
    ],
)
def test_what_people_hold_in_their_hands_is_not_a_crawler_whatever_the_list_says(agent: str) -> None:
    assert not is_bot(f"Mozilla/5.0 {agent}")


def test_the_list_has_a_date() -> None:
    assert list_date() >= date(2026, 1, 1)


@pytest.mark.data
def test_recall_on_a_public_list_of_crawlers(shared_data: Path) -> None:
    """All but the two that the list takes from browsers inside of apps."""
    crawlers = json.loads((shared_data / "user_agents" / "crawler-user-agents.json").read_text(encoding="utf-8"))
    instances = [agent for crawler in crawlers for agent in crawler["instances"]]
    assert len(instances) == 2116
    assert sum(map(is_bot, instances)) == 2114


def test_the_cases(shared_cases: Path) -> None:
    agents = (shared_cases / "bots" / "agents.txt").read_text(encoding="utf-8").splitlines()
    assert [agent for agent in agents if not describe(agent).is_bot] == []
