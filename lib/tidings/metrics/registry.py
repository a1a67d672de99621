"""The registry of metrics."""

from __future__ import annotations

from collections.abc import Mapping

from tidings.discovery import discover
from tidings.errors import MetricError, suggest
from tidings.metrics.metric import Metric
from tidings.metrics.words import in_words


def registry() -> Mapping[str, Metric]:
    """Every metric of `tidings.metrics` and of the workbook by name, sorted, in the language in force.

    Raises:
        SettingsError: two metrics of one name.
        MetricError: a metric has an input that does not exist.
    """
    found = discover(Metric, "metric", "tidings.metrics")
    for metric in found.values():
        for name in metric.inputs:
            if name not in found:
                raise MetricError(f"Metric {metric.name} has an unknown input '{name}'.", suggest(name, found))
    return in_words(found)


def get(name: str) -> Metric:
    """A metric by name.

    Raises:
        MetricError: there is no such metric.
    """
    known = registry()
    if name not in known:
        raise MetricError(f"There is no metric '{name}'.", suggest(name, known))
    return known[name]


def leaves(metric: Metric) -> tuple[Metric, ...]:
    """The metrics that read a mart from which a metric is computed: itself, or inputs of its inputs."""
    if not metric.inputs:
        return (metric,)
    return tuple(dict.fromkeys(leaf for name in metric.inputs for leaf in leaves(get(name))))
