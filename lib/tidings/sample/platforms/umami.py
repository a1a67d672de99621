"""The sample company's site as counted by Umami: without visitors who block scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.sample.apps import COUNTRIES, Apps, Platform, Rows, midnight
from tidings.sample.company import SITE

_DAYS = 180
_SEEN = 0.93
_BREAKDOWNS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "path": (("/", 0.62), ("/pricing", 0.24), ("/features", 0.2), ("/blog/self-hosting", 0.31), ("/docs", 0.18)),
    "referrer": (("google.com", 0.34), ("news.ycombinator.com", 0.06), ("github.com", 0.05)),
    "channel": (("direct", 0.42), ("organicSearch", 0.35), ("referral", 0.15), ("organicSocial", 0.08)),
    "device": (("mobile", 0.52), ("laptop", 0.33), ("desktop", 0.13), ("tablet", 0.02)),
    "os": (("iOS", 0.29), ("Android OS", 0.24), ("Windows 10", 0.22), ("Mac OS", 0.2), ("Linux", 0.05)),
    "browser": (("chrome", 0.5), ("ios", 0.2), ("safari", 0.14), ("firefox", 0.11), ("edge-chromium", 0.05)),
}
_EVENTS = (("signup", 0.031), ("download", 0.058), ("newsletter", 0.012))
# Share of the page views by hour: few people are awake at night.


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Totals, breakdowns and events of the last 180 days."""
    rng = apps.company.rng("apps", "umami")
    rows: dict[str, list[dict[str, Any]]] = {f"umami_{what}": [] for what in ("daily", "breakdowns", "events")}
    breakdowns = {**_BREAKDOWNS, "country": tuple(zip(COUNTRIES, apps.shares, strict=True))}
    first = max(0, len(apps.days) - _DAYS)
    for number in range(first, len(apps.days)):
        begin = midnight(apps.days[number])
        day = {"website": SITE, "ts": begin, "zone": "UTC"}
        visitors = int(rng.binomial(apps.visitors[number], _SEEN))
        visits = visitors + int(rng.binomial(visitors, 0.12))
        bounces = int(rng.binomial(visits, 0.46))
        views = visits + int(rng.poisson((visits - bounces) * 2.2))
        seconds = int(rng.gamma(2.0, 70.0) * (visits - bounces))
        totals = {"pageviews": views, "visitors": visitors, "visits": visits, "bounces": bounces, "seconds": seconds}
        rows["umami_daily"].append({**day, **totals})
        for type_, parts in breakdowns.items():
            for name, share in parts:
                count = int(rng.binomial(visitors, share))
                if count:
                    rows["umami_breakdowns"].append({**day, "type": type_, "name": name, "visitors": count})
        for event, share in _EVENTS:
            count = int(rng.binomial(visits, share))
            if count:
                rows["umami_events"].append({**day, "event": event, "events": count})
    return rows


UMAMI = Platform("umami", reported)
