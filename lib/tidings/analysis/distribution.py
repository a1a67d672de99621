"""Percentiles and histograms (metric definitions 8.1)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from tidings.errors import MetricError


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
