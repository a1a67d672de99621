"""The connectors that the conformance suite runs its faults over: a new one is covered by an entry in `CASES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A fake of the sample company, by its kind of source.

    `data`: the paths (a pattern) that return rows, where faults are injected. `lists`: those of them that return a bare
    list, where an empty one means that there is nothing. `options`: added to the source's table.
    """

    kind: str
    data: str
    lists: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = (
    Case("app_store", r"/v1/salesReports|/customerReviews|^/segments/"),
    Case("ga4", r":runReport"),
    Case("google_play", r"/o/|:query|/reviews$"),
    Case("posthog", r"/query/"),
    Case("revenuecat", r"/metrics/|/charts/[a-z_]+$|/customers"),
    Case("search_console", r"/searchAnalytics/"),
    Case("stripe", r"/v1/(balance_transactions|refunds|subscriptions|invoices)$"),
    Case("umami", r"/stats$|/pageviews$|/metrics$|/series$|/active$|/realtime/", lists=r"/metrics$|/series$"),
)
