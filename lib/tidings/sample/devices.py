"""Browsers of people and user agents of programs, described as for any source."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from tidings.enrich.user_agents import Agent, describe

_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
_LINUX = "Mozilla/5.0 (X11; Linux x86_64) "
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_IPAD = "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
_PIXEL = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
_GALAXY = "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) "
_TAB = "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) "
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"

# User agent and share of the people's first devices.
_PEOPLE = (
    (_WINDOWS + _CHROME, 0.21),
    (_WINDOWS + _CHROME + " Edg/138.0.0.0", 0.08),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", 0.05),
    (_MAC + _CHROME, 0.08),
    (_MAC + "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", 0.07),
    (_LINUX + _CHROME, 0.02),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 0.02),
    (_IPHONE + "Version/18.5 Mobile/15E148 Safari/604.1", 0.21),
    (_IPHONE + "CriOS/138.0.0.0 Mobile/15E148 Safari/604.1", 0.03),
    (_PIXEL + "Chrome/138.0.0.0 Mobile Safari/537.36", 0.09),
    (_GALAXY + "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", 0.08),
    (_IPAD + "Version/18.5 Mobile/15E148 Safari/604.1", 0.04),
    (_TAB + "Chrome/138.0.0.0 Safari/537.36", 0.02),
)

# User agent and share of the bot hits.
_BOTS = (
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 0.28),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", 0.16),
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", 0.14),
    ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", 0.12),
    ("Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", 0.09),
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", 0.05),
    (_LINUX + "AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/138.0.0.0 Safari/537.36", 0.05),
    ("python-requests/2.32.3", 0.06),
    ("curl/8.9.1", 0.05),
)


@dataclass(frozen=True)
class Fleet:
    """Agents and the weight of each."""

    agents: tuple[Agent, ...]
    weights: tuple[float, ...]

    def having(self, *devices: str) -> tuple[int, ...]:
        """Positions of the agents on one of these devices."""
        return tuple(n for n, agent in enumerate(self.agents) if agent.device in devices)


@functools.cache
def people() -> Fleet:
    """The browsers of people."""
    return Fleet(tuple(describe(text) for text, _ in _PEOPLE), tuple(weight for _, weight in _PEOPLE))


@functools.cache
def bots() -> Fleet:
    """The user agents of programs."""
    return Fleet(tuple(describe(text) for text, _ in _BOTS), tuple(weight for _, weight in _BOTS))
