"""Percentiles and histograms (metric definitions 8.1)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from tidings.errors import MetricError

_STEPS = (1.0, 2.0, 5.0)


def percentiles(
    rows: ir.Table, column: str, by: Sequence[str] = (), points: Sequence[float] = (0.5, 0.9, 0.95, 0.99)
) -> ir.Table:
    """One row per group: the number of values as n, and percentiles as p50, p90 ..., interpolated (type 7).

    In the unit of the column, as floats: engines round or refuse to interpolate integers and decimals. Null values
    are left out; a group without values has null percentiles.
    """
    value = rows[column].cast("float64")
    columns = {f"p{point * 100:g}".replace(".", "_"): value.quantile(point) for point in points}
    grouped = rows.group_by(list(by)) if by else rows
    return grouped.aggregate(n=value.count(), **columns)


def histogram(rows: ir.Table, column: str, edges: Sequence[float]) -> ir.Table:
    """One row per bin, lower <= value < upper, empty ones included: lower, upper, count, in order.

    Values below the first edge or from the last one on get open bins with a null bound; null values are left out.

    Raises:
        MetricError: there are no edges, or they do not rise.
    """
    if not edges or any(low >= high for low, high in itertools.pairwise(edges)):
        raise MetricError(f"A histogram cannot have the edges {list(edges)}.", "Give one or more, each above the last.")
    known = rows.filter(rows[column].notnull())
    value = known[column].cast("float64")
    place = ibis.cases(*[(value < edge, n) for n, edge in enumerate(edges)], else_=len(edges))
    counted = known.group_by(place=place.cast("int64")).aggregate(count=known.count())
    places = ibis.range(0, len(edges) + 1).unnest().name("place").as_table()
    places = places.select(place=places.place.cast("int64"))
    joined = places.left_join(counted, "place").select(places.place, counted["count"])
    none = ibis.null("float64")
    lower = ibis.cases(*[(joined.place == n + 1, edge) for n, edge in enumerate(edges)], else_=none)
    upper = ibis.cases(*[(joined.place == n, edge) for n, edge in enumerate(edges)], else_=none)
    bins = joined.select("place", lower=lower, upper=upper, count=joined["count"].fill_null(0))
    needed = bins.filter((bins["count"] > 0) | (bins.lower.notnull() & bins.upper.notnull()))
    return needed.order_by("place").drop("place")


def log_edges(low: float, high: float) -> tuple[float, ...]:
    """Edges 1, 2, 5, 10, 20 ... around `low` to `high`, both above 0, the first at most `low`, the last above `high`.

    Raises:
        MetricError: `low` is not above 0 or `high` is below it.
    """
    if not 0 < low <= high or math.isinf(high):
        raise MetricError(f"No logarithmic edges from {low} to {high}.", "Give 0 < low <= high.")
    powers = range(math.floor(math.log10(low)) - 1, math.floor(math.log10(high)) + 2)
    # As text: 5 x 10 ** -3 has to read 0.005 and not 0.005000000000000001.
    every = [float(f"{step}e{power}") for power in powers for step in _STEPS]
    first = max(n for n, edge in enumerate(every) if edge <= low)
    last = min(n for n, edge in enumerate(every) if edge > high)
    return tuple(every[first : last + 1])


def linear_edges(low: float, high: float, bins: int = 20) -> tuple[float, ...]:
    """Edges at a readable step (1, 2 or 5 times a power of ten) for at most `bins` bins, the last above `high`.

    Raises:
        MetricError: `high` is below `low`, or `bins` is less than 2.
    """
    if not -math.inf < low <= high < math.inf or bins < 2:
        raise MetricError(f"No {bins} bins from {low} to {high}.", "Give low <= high and bins=2 or more.")
    width = (high - low) / (bins - 1) or 1.0
    power = math.floor(math.log10(width))
    step = min(edge for p in (power, power + 1) for edge in (float(f"{s}e{p}") for s in _STEPS) if edge >= width)
    start, end = math.floor(low / step), math.floor(high / step) + 1

    def edge(number: int) -> float:
        return float(f"{number * step:.12g}")

    # Dividing rounds: 0.35 / 0.05 is a little less than 7.
    start -= edge(start) > low
    end += edge(end) <= high
    return tuple(edge(number) for number in range(start, end + 1))
