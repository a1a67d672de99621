"""The workbook's own thresholds over those of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tidings.errors import SettingsError, suggest
from tidings.metrics.metric import Metric, Thresholds
from tidings.metrics.registry import registry

Own = Mapping[str, Thresholds]


def own_thresholds(given: Mapping[str, tuple[float, float]]) -> Own:
    """The last good and the last warning value by metric, as the settings give them, with what follows from them.

    Raises:
        SettingsError: there is no such metric, the two are the wrong way round, or two metrics that are one fact
            have one pair each.
    """
    known = registry()
    found: dict[str, Thresholds] = {}
    for name, (good, warn) in given.items():
        where = f"[tool.tidings.thresholds] {name}"
        if name not in known:
            raise SettingsError(f"{where}: there is no such metric.", suggest(name, known))
        is_lower = known[name].better == "lower"
        if good > warn if is_lower else good < warn:
            better = "lower" if is_lower else "higher"
            raise SettingsError(
                f"{where}: {good:g} is good and {warn:g} a warning, though {better} is better.",
                "Exchange the two.",
            )
        found[name] = Thresholds(good, warn, "yours")
    for metric in known.values():
        pair = (metric.name, metric.complement)
        if not metric.complement or not any(name in given for name in pair):
            continue
        if all(name in given for name in pair):
            raise SettingsError(
                f"[tool.tidings.thresholds] has {pair[0]} and {pair[1]}, of which one is 1 minus the other.",
                f"Leave out {pair[0]}: its thresholds follow.",
            )
        one, other = pair if pair[0] in given else pair[::-1]
        found[other] = found[one].mirrored()
    return found


def judged(metric: Metric, own: Own) -> Metric:
    """The metric with the workbook's own thresholds, where it has some."""
    return replace(metric, thresholds=own[metric.name]) if metric.name in own else metric
