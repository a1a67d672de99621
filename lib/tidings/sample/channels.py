"""Where visits of the sample company come from: landings with referrer and utm, resolved as every source does."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

from tidings.enrich.traffic import Traffic, resolve
from tidings.sample.company import SITE
from tidings.sample.story import CAMPAIGNS

Landing = Literal["home", "content", "shop", "product"]


@dataclass(frozen=True)
class Origin:
    """One way to the site: weight two years ago and now, weight for returning people, conversion, landing pages.

    `campaign` names the planted event outside of which nobody comes this way.
    """

    query: str
    referrer: str | None
    before: float
    now: float
    again: float
    converts: float
    landing: Landing
    campaign: str = ""

    @property
    def traffic(self) -> Traffic:
        """Source, medium and channel by metric definitions 5."""
        return resolve(f"https://{SITE}/{self.query}", self.referrer, SITE)


def _utm(source: str, medium: str, campaign: str = "", content: str = "", term: str = "") -> str:
    given = {"source": source, "medium": medium, "campaign": campaign, "content": content, "term": term}
    return "?" + "&".join(f"utm_{name}={value}" for name, value in given.items() if value)


_BASE = (
    Origin("", None, 17, 17, 46, 1.2, "home"),
    Origin("", "https://www.google.com/", 27, 22, 14, 1.0, "content"),
    Origin("", "https://www.bing.com/", 4, 4, 2, 1.0, "content"),
    Origin("", "https://duckduckgo.com/", 3, 3, 2, 1.0, "content"),
    Origin("", "https://www.ecosia.org/", 2, 2, 1, 1.0, "content"),
    Origin("", "https://search.yahoo.com/", 1, 1, 0, 0.9, "content"),
    Origin("", "https://chatgpt.com/", 0.2, 5, 1, 1.5, "content"),
    Origin("", "https://www.perplexity.ai/", 0.1, 1.5, 0.4, 1.4, "content"),
    Origin("", "https://claude.ai/", 0.1, 1.5, 0.4, 1.5, "content"),
    Origin("", "https://www.facebook.com/", 4, 2.5, 1, 0.6, "content"),
    Origin("", "https://www.instagram.com/", 3, 4, 1, 0.7, "product"),
    Origin("", "https://t.co/", 3, 1.5, 0.5, 0.4, "content"),
    Origin("", "https://www.linkedin.com/", 2, 3, 1, 0.9, "content"),
    Origin("", "https://www.reddit.com/", 2, 2.5, 0.5, 0.5, "content"),
    Origin("", "https://news.ycombinator.com/", 0.6, 0.6, 0, 0.2, "content"),
    Origin("", "https://www.youtube.com/", 2, 3, 0.5, 0.8, "content"),
    Origin("", "https://mail.google.com/", 0.5, 0.5, 2, 1.0, "home"),
    Origin("", "https://blog.paperboats.example/", 3, 3, 0.5, 1.1, "product"),
    Origin("", "https://toolsforteams.example/", 2, 2.5, 0.5, 1.3, "home"),
    Origin("", "https://www.amazon.de/", 0.7, 0.7, 0, 1.2, "product"),
    Origin(_utm("newsletter", "email", "weekly-letter"), None, 2, 2.5, 16, 1.4, "content"),
    Origin(_utm("google", "cpc", "brand", term="tidings"), None, 4, 4, 4, 1.6, "home"),
    Origin(
        _utm("google", "cpc", "templates", content="ad-a", term="project+templates"), None, 3, 2.5, 0, 1.1, "product"
    ),
    Origin(
        _utm("google", "cpc", "templates", content="ad-b", term="project+templates"), None, 3, 2.5, 0, 1.3, "product"
    ),
    Origin(_utm("bing", "cpc", "templates"), None, 1, 1, 0, 1.0, "product"),
    Origin(_utm("facebook", "paid_social", "lookalike", content="video"), None, 3, 2.5, 0, 0.7, "product"),
    Origin(_utm("instagram", "paid_social", "lookalike", content="story"), None, 1, 3, 0, 0.7, "product"),
    Origin(_utm("partnernet", "affiliate", "reviews"), None, 1.5, 2, 0, 1.5, "product"),
    Origin(_utm("displaynet", "display", "retargeting-banner"), None, 1.5, 1.5, 1, 0.3, "home"),
    Origin(_utm("firebase", "push", "app-news"), None, 0, 0, 4, 0.8, "home"),
)


def _of_campaign(name: str) -> tuple[Origin, ...]:
    tag = name.replace("_", "-")
    return (
        Origin(_utm("newsletter", "email", tag), None, 25, 25, 60, 1.2, "shop", name),
        Origin(_utm("facebook", "paid_social", tag, content="sale"), None, 25, 25, 10, 0.8, "shop", name),
        Origin(_utm("instagram", "social", tag), None, 20, 20, 10, 0.8, "shop", name),
        Origin(_utm("google", "cpc", tag), None, 30, 30, 20, 1.2, "shop", name),
    )


@functools.cache
def origins() -> tuple[Origin, ...]:
    """Every way to the site; the first is direct."""
    return (*_BASE, *(origin for name in CAMPAIGNS for origin in _of_campaign(name)))


@functools.cache
def traffic() -> tuple[Traffic, ...]:
    """What each of the origins resolves to."""
    return tuple(origin.traffic for origin in origins())
