"""The sample company in Google's search: totals by day, and breakdowns by country and device, page and query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tidings.sample.apps import COUNTRIES, Apps, Platform, Rows, midnight
from tidings.sample.company import SITE

DAYS = 365
_SITE = f"sc-domain:{SITE}"
_DEVICES = (("MOBILE", 0.58), ("DESKTOP", 0.38), ("TABLET", 0.04))
_PAGES = (("/", 0.34), ("/pricing", 0.12), ("/features", 0.14), ("/blog/self-hosting", 0.24), ("/docs", 0.16))
_QUERIES = (
    *(("tidings", 0.22, 1.4), ("tidings app", 0.08, 1.6), ("analytics workbook", 0.13, 6.5)),
    *(("self hosted analytics", 0.16, 9.2), ("jupyter reports", 0.07, 7.8), ("app store report", 0.06, 12.5)),
)
_IMPRESSIONS = 900.0
_WITHHELD = 0.28
_CLICKED = {"branded": 0.35, "other": 0.035}
_FRESH_DAYS = 3


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Rows of the feeds of Google Search Console for at most the last 365 days; rare queries are withheld."""
    company = apps.company
    rng = company.rng("apps", "search")
    impressions = apps.drawn("search impressions", _IMPRESSIONS)
    rows: dict[str, list[dict[str, Any]]] = {f"search_console_{what}": [] for what in _WHATS}
    shares = np.array([share for _, share, _ in _QUERIES])
    shares = np.append(shares / shares.sum() * (1 - _WITHHELD), _WITHHELD)
    for number in range(max(0, len(apps.days) - DAYS), len(apps.days)):
        shown = rng.multinomial(impressions[number], shares)
        branded = np.array([position < 2 for *_, position in _QUERIES] + [False])
        clicks = rng.binomial(shown, np.where(branded, _CLICKED["branded"], _CLICKED["other"]))
        positions = np.array([*(position for *_, position in _QUERIES), 14.0]) * rng.uniform(0.92, 1.08, len(shown))
        day = {
            "site": _SITE,
            "search_type": "web",
            "ts": midnight(apps.days[number]),
            "is_final": number < len(apps.days) - _FRESH_DAYS,
        }
        total = int(shown.sum())
        if not total:
            continue
        mean = float((positions * shown).sum() / total)
        rows["search_console_daily"].append(_row(day, int(clicks.sum()), total, mean))
        for query, (name, *_) in enumerate(_QUERIES):
            if shown[query]:
                found = _row(day, int(clicks[query]), int(shown[query]), float(positions[query]))
                rows["search_console_query"].append({**found, "query": name})
        cells = [{"country": country, "device": device} for country in COUNTRIES for device, _ in _DEVICES]
        pages = [{"page": f"https://{SITE}{path}"} for path, _ in _PAGES]
        parts = np.outer(apps.shares, [share for _, share in _DEVICES]).ravel()
        for what, splits, weights in (("country", cells, parts), ("page", pages, np.array([w for _, w in _PAGES]))):
            share = weights / weights.sum()
            seen, clicked = rng.multinomial(total, share), rng.multinomial(int(clicks.sum()), share)
            for split, part, hit in zip(splits, seen, clicked, strict=True):
                if part or hit:
                    rows[f"search_console_{what}"].append({**_row(day, int(hit), int(max(part, hit)), mean), **split})
    return rows


_WHATS = ("daily", "country", "page", "query")


def _row(day: Mapping[str, Any], clicks: int, impressions: int, position: float) -> dict[str, Any]:
    return {**day, "clicks": clicks, "impressions": impressions, "position": round(position, 6)}


SEARCH_CONSOLE = Platform("search_console", reported)
