"""The sample company's site as counted by Google Analytics: visitors who consented and did not block it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidings.sample.apps import COUNTRIES, Apps, Platform, Rows, midnight

PROPERTY = "411222333"
_DAYS = 180
_CONSENTED = 0.71
_BREAKDOWNS: Mapping[str, tuple[tuple[str, float], ...]] = {
    "channel": (("Direct", 0.4), ("Organic Search", 0.36), ("Referral", 0.14), ("Organic Social", 0.1)),
    "page": (("/", 0.5), ("/pricing", 0.15), ("/features", 0.12), ("/blog/self-hosting", 0.15), ("/docs", 0.08)),
    "device": (("mobile", 0.54), ("desktop", 0.43), ("tablet", 0.03)),
}
_EVENTS = (("signup", 0.033), ("file_download", 0.05), ("scroll", 0.4))


def reported(apps: Apps) -> Mapping[str, Rows]:
    """Totals, breakdowns and events of the last 180 days."""
    rng = apps.company.rng("apps", "ga4")
    rows: dict[str, list[dict[str, Any]]] = {"ga4_daily": [], "ga4_breakdowns": [], "ga4_events": []}
    breakdowns = {**_BREAKDOWNS, "country": tuple(zip(COUNTRIES, apps.shares, strict=True))}
    flags = {"is_thresholded": False, "is_other": False, "is_sampled": False}
    for number in range(max(0, len(apps.days) - _DAYS), len(apps.days)):
        day = {"property": PROPERTY, "ts": midnight(apps.days[number]), "zone": "UTC", **flags}
        users = int(rng.binomial(apps.visitors[number], _CONSENTED))
        if not users:
            continue
        sessions = users + int(rng.binomial(users, 0.1))
        engaged = int(rng.binomial(sessions, 0.58))
        views = sessions + int(rng.poisson(engaged * 2.1))
        new, seconds = int(rng.binomial(users, 0.62)), int(rng.gamma(2.0, 30.0) * engaged)
        measures = {"active_users": users, "sessions": sessions, "engaged_sessions": engaged, "page_views": views}
        rows["ga4_daily"].append({**day, **measures, "new_users": new, "engagement_s": seconds})
        for type_, parts in breakdowns.items():
            for name, share in parts:
                part = {measure: int(rng.binomial(count, share)) for measure, count in measures.items()}
                if part["sessions"]:
                    rows["ga4_breakdowns"].append({**day, "type": type_, "name": name, **part})
        counts = [("page_view", views, users)]
        counts += [(name, int(rng.binomial(sessions, share)), 0) for name, share in _EVENTS]
        for event, count, most in counts:
            if count:
                reported_users = most or min(count, users)
                key = float(count) if event == "signup" else 0.0
                rows["ga4_events"].append(
                    {**day, "event": event, "events": count, "users": reported_users, "key_events": key}
                )
    return rows


GA4 = Platform("ga4", reported)
