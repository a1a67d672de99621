"""The registry: every metric of the workbook by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from tidings import metrics
from tidings.errors import MetricError, suggest
from tidings.metrics.metric import Metric


@cache
def registry() -> Mapping[str, Metric]:
    """Every metric of `tidings.metrics`, alone or in a tuple at module level, by name, sorted.

    Raises:
        MetricError: two metrics of one name, or a metric with an input that is not one.
    """
    found: dict[str, Metric] = {}
    for info in pkgutil.iter_modules(metrics.__path__, prefix=f"{metrics.__name__}."):
        for value in vars(importlib.import_module(info.name)).values():
            for metric in value if isinstance(value, tuple) else (value,):
                if isinstance(metric, Metric) and found.setdefault(metric.name, metric) is not metric:
                    raise MetricError(
                        f"Two metrics are called {metric.name}, one in {info.name}.", "Rename one of them."
                    )
    for metric in found.values():
        for name in metric.inputs:
            if name not in found:
                raise MetricError(f"Metric {metric.name} has an unknown input '{name}'.", suggest(name, found))
    return MappingProxyType(dict(sorted(found.items())))


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
