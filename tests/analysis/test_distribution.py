"""Percentiles, histograms and their edges."""

from __future__ import annotations

import math

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.analysis.distribution import histogram, percentiles
from tidings.errors import MetricError


def _type_7(values: list[float], p: float) -> float:
    """Definition 8.1 written out."""
    ordered, h = sorted(values), (len(values) - 1) * p
    low = math.floor(h)
    return ordered[low] + (h - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=50), st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.95, 0.99, 1.0])
)
def test_percentiles_interpolate_whole_numbers_and_decimals_too(values: list[int], p: float) -> None:
    table = ibis.memtable({"n": values})
    for type_ in ("int64", "decimal(18, 4)", "float64"):
        found = percentiles(table.mutate(v=table.n.cast(type_)), "v", (), (p,)).to_pyarrow().to_pylist()
        assert list(found[0].values())[1] == pytest.approx(_type_7([float(v) for v in values], p)), type_


def test_percentiles_by_group() -> None:
    table = ibis.memtable({"g": ["a", "a", "b"], "v": [1.0, 3.0, None]})
    found = percentiles(table, "v", ["g"], (0.5,)).order_by("g").to_pyarrow().to_pylist()
    assert found == [{"g": "a", "n": 2, "p50": 2.0}, {"g": "b", "n": 0, "p50": None}]


def test_bins_are_closed_on_the_left() -> None:
    table = ibis.memtable({"v": [0.0, 9.9, 10.0, 30.0, 40.0, None]})
    found = histogram(table, "v", [0, 10, 20, 40]).to_pyarrow().to_pylist()
    assert found == [
        {"lower": 0.0, "upper": 10.0, "count": 2},
        {"lower": 10.0, "upper": 20.0, "count": 1},  # 10 itself
        {"lower": 20.0, "upper": 40.0, "count": 1},
        {"lower": 40.0, "upper": None, "count": 1},  # the last edge itself lies beyond
    ]


def test_empty_bins_between_are_there() -> None:
    found = histogram(ibis.memtable({"v": [-1.0, 25.0]}), "v", [0, 10, 20, 30]).to_pyarrow().to_pylist()
    assert [(row["lower"], row["upper"], row["count"]) for row in found] == [
        (None, 0.0, 1),
        (0.0, 10.0, 0),
        (10.0, 20.0, 0),
        (20.0, 30.0, 1),
    ]


@pytest.mark.parametrize("edges", [[], [1, 1], [2, 1]])
def test_edges_have_to_rise(edges: list[float]) -> None:
    with pytest.raises(MetricError, match="cannot have the edges"):
        histogram(ibis.memtable({"v": [1.0]}), "v", edges)
