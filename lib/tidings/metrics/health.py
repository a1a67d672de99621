"""The health score: one number for the state of the business (metric definitions 8.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.metrics.metric import Metric, Number, Thresholds
from tidings.window import Window

LEAST_WEIGHT = 0.5


@dataclass(frozen=True)
class Component:
    """One metric of the score: 1 at `best`, 0 at `worst`, linear between; `best` may be the smaller number."""

    metric: str
    best: float
    worst: float
    weight: float

    def score(self, value: Number) -> float | None:
        """0 (worst) to 1 (best); None without a value."""
        if value is None:
            return None
        return min(1.0, max(0.0, (float(value) - self.worst) / (self.best - self.worst)))


HEALTH = (
    Component("availability", best=0.999, worst=0.97, weight=3),
    Component("apdex", best=0.95, worst=0.7, weight=2),
    Component("refund_rate", best=0.0, worst=0.1, weight=2),
    Component("visit_conversion", best=0.03, worst=0.005, weight=2),
    Component("dau_mau", best=0.2, worst=0.05, weight=2),
    Component("bounce_rate", best=0.35, worst=0.75, weight=1),
    Component("lcp_p75", best=2500, worst=4000, weight=1),
)


def health_score(values: Mapping[str, Number], components: tuple[Component, ...] = HEALTH) -> float | None:
    """Weighted mean of the components' scores, 0 to 100, over those with a value (8.6).

    None when these hold less than half of the weight.
    """
    scored = [(c.weight, score) for c in components if (score := c.score(values.get(c.metric))) is not None]
    weighed = sum(weight for weight, _ in scored)
    if not scored or weighed < LEAST_WEIGHT * sum(c.weight for c in components):
        return None
    return 100 * sum(weight * score for weight, score in scored) / weighed


def _of_window(values: Mapping[str, Number], _: Window) -> Number:
    return health_score(values)


health = Metric(
    name="health_score",
    title="Health",
    inputs=tuple(component.metric for component in HEALTH),
    combine=_of_window,
    kind="ratio",
    unit="score",
    definition="Weighted mean, 0 to 100, of "
    + ", ".join(f"{c.metric} ({c.worst:g} to {c.best:g}, weight {c.weight:g})" for c in HEALTH)
    + "; each scores 0 at its first bound and 100 % at its second, linear between. Metrics without a value are left "
    "out; if these hold more than half of the weight there is no score.",
    better="higher",
    thresholds=Thresholds(good=80, warn=60),
    owner="business",
    caveat="Bounds and weights are defaults of Tidings: it shows where to look, not how the business is doing.",
    action="Look at the component that fell, then at the page of that metric.",
    section="executive_overview",
)
