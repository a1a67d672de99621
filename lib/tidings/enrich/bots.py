"""Which user agents are programs (metric definitions 11): telltale words, a public list of crawlers, patterns of
tools.
"""

from __future__ import annotations

import functools
import re
from datetime import date
from typing import Any, Final

# CUBOT is a phone: "bot" preceded by "cu" does not count.
_SIGNS: Final = re.compile(
    r"(?<!cu)bot|crawl|spider|slurp|headless|phantomjs|lighthouse|pingdom|uptimerobot|facebookexternalhit|curl/|wget/"
    r"|python-requests|python-urllib|go-http-client|okhttp|java/|libwww|scrapy|axios/|node-fetch|chatgpt-user"
    r"|bytespider",
    re.IGNORECASE,
)
_TOOLS: Final = re.compile(
    # A user agent with a contact address is not a browser.
    r"https?://|burpcollaborator"
    # HTTP libraries
    r"|http-?client|httpx|aiohttp|\bhttpie|urllib|libcurl|guzzle|undici|superagent|httparty|faraday|\bresty|rest-?client"
    r"|http\.rb|mechanize|winhttp|\blwp|libperl|^php\b|restsharp|unirest|typhoeus|reqwest|hackney|finagle|\bahc/"
    r"|commons-http|\bjersey/|\bgrpc-|postman|insomnia/|powershell|\bdart[:/]|cpprest|lua-resty|^python\b|^ruby\b|^java\b"
    r"|^got[ /(]|^node(?:js)?[ /.]|^perl\b|^apache-|^jetty/|^dio/"
    # scanners, monitors, test tools
    r"|(?<!cam)scan(?:ner|ning)?\b|nuclei|nikto|\bnmap|masscan|zgrab|sqlmap|acunetix|nessus|openvas|qualys|wpscan|buster\b"
    r"|censys|shodan|inspect\b|probe\b|checker\b|monitor\b|monitoring\b|synthetics?|gtmetrix|pagespeed|page speed"
    r"|health-?check|gomezagent|site24x7|observatory|cypress/|\bselenium|playwright|puppeteer|electron-fetch"
    # link previews and image proxies
    r"|preview\b|unfurl|embedly|iframely|^whatsapp|^viber|image-?proxy|email-?proxy|thumbnail|fetcher\b|grabber\b"
    # feed readers
    r"|feed(?:ly|bin|burner|parser|press|demon|wrangler| ?reader| ?parser|s? ?fetch)|\brss|rss(?:owl|bandit)\b"
    r"|newsgator|newsblur|netnewswire|akregator|liferea|inoreader|readkit|^reeder|miniflux|freshrss|bazqux|oldreader"
    r"|bloglovin|simplepie|quiterss|omea reader",
    re.IGNORECASE,
)
# False positives of the crawler list: phones, and browsers inside of apps.
_NARROWED: Final[dict[str, str]] = {
    "Butterfly": r"Butterfly/\d",
    "Sonic": r"\bSonic/\d|RankSonic",
    "Viber": r"^Viber",
    "speedy": r"speedy.?spider",
    r"008\/": r"^008/",
    r"Fetch\/": r"^Fetch/",
    r"AP3A\.240617\.008": "",
    "MetaIAB Facebook": "",
}


def is_bot(user_agent: str | None) -> bool:
    """True for a bot by its user agent; a missing or empty one (`-` in logs) counts as a bot. Pure; never raises."""
    text = (user_agent or "").strip()
    return text in ("", "-") or any(pattern.search(text) for pattern in (_SIGNS, _TOOLS, _listed()))


def list_date() -> date:
    """The day on which the newest crawler was added to the installed list."""
    days = (str(entry.get("addition_date", "")).replace("/", "-") for entry in _entries())
    return date.fromisoformat(max(days))


def _entries() -> list[dict[str, Any]]:
    # Half a megabyte of JSON: only read if needed.
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    found: list[dict[str, Any]] = CRAWLER_USER_AGENTS_DATA
    return found


@functools.cache
def _listed() -> re.Pattern[str]:
    patterns = (_NARROWED.get(entry["pattern"], entry["pattern"]) for entry in _entries())
    return re.compile("|".join(pattern for pattern in patterns if pattern))
