"""The registry: every metric of the workbook by name."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.discovery import discover
from tidings.errors import MetricError, suggest
from tidings.metrics.metric import Metric


def registry() -> Mapping[str, Metric]:
    """Every metric of `tidings.metrics` and of the workbook by name, sorted.

    Raises:
        SettingsError: two metrics of one name.
        MetricError: a metric with an input that is not one.
    """
    found = discover(Metric, "metric", "tidings.metrics")
    for metric in found.values():
        for name in metric.inputs:
            if name not in found:
                raise MetricError(f"Metric {metric.name} has an unknown input '{name}'.", suggest(name, found))
    return found


def get(name: str) -> Metric:
    """A metric by name.

    Raises:
        MetricError: there is none of this name.
    """
    known = registry()
    if name not in known:
        raise MetricError(f"There is no metric '{name}'.", suggest(name, known))
    return known[name]


def leaves(metric: Metric) -> tuple[Metric, ...]:
    """The metrics that a metric is computed from in the end: itself, or those of its inputs that read a mart."""
    if not metric.inputs:
        return (metric,)
    return tuple(dict.fromkeys(leaf for name in metric.inputs for leaf in leaves(get(name))))
