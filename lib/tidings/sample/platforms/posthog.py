"""The sample company's app as counted by PostHog: signed-in users, and more of them than other scripts see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.sample.apps import COUNTRIES, Apps, Platform, Rows, midnight

PROJECT = "4711"
_DAYS = 180
_SEEN = 0.97
_BREAKDOWNS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "page": (("/", 0.55), ("/pricing", 0.2), ("/features", 0.17), ("/blog/self-hosting", 0.25), ("/docs", 0.15)),
    "device": (("Mobile", 0.53), ("Desktop", 0.45), ("Tablet", 0.02)),
    "channel": (("Direct", 0.41), ("Organic Search", 0.35), ("Referral", 0.15), ("Organic Social", 0.09)),
}
_EVENTS = (("signup", 0.032), ("download", 0.057), ("report_opened", 0.21))


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Totals, breakdowns and events of the last 180 days."""
    rng = apps.company.rng("apps", "posthog")
    rows: dict[str, list[dict[str, Any]]] = {"posthog_daily": [], "posthog_breakdowns": [], "posthog_events": []}
    breakdowns = {**_BREAKDOWNS, "country": tuple(zip(COUNTRIES, apps.shares, strict=True))}
    for number in range(max(0, len(apps.days) - _DAYS), len(apps.days)):
        day = {"project": PROJECT, "ts": midnight(apps.days[number]), "zone": "UTC"}
        visitors = int(rng.binomial(apps.visitors[number], _SEEN))
        if not visitors:
            continue
        visits = visitors + int(rng.binomial(visitors, 0.14))
        views = visits + int(rng.poisson(visits * 1.3))
        active = visitors + int(rng.binomial(visitors, 0.05))
        totals = {"pageviews": views, "visitors": visitors, "visits": visits, "active_users": active}
        rows["posthog_daily"].append({**day, **totals})
        for type_, parts in breakdowns.items():
            for name, share in parts:
                people = int(rng.binomial(visitors, share))
                if people:
                    seen = {"pageviews": people + int(rng.poisson(people * 0.8)), "visitors": people}
                    rows["posthog_breakdowns"].append({**day, "type": type_, "name": name, **seen})
        for event, share in _EVENTS:
            count = int(rng.binomial(visits, share))
            if count:
                people = min(count, visitors)
                rows["posthog_events"].append({**day, "event": event, "events": count, "users": people})
    return rows


POSTHOG = Platform("posthog", reported)
