"""Figures in one long shape: sums, weighted means, what is split by what, and a key that no two rows share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidings.models.contracts import check_rows, declared
from tidings.models.graph import known_models
from tidings.models.model import model
from tidings.platform_metrics import (
    DIMENSIONS,
    PLATFORM_COLUMNS,
    PLATFORM_KEY,
    PLATFORM_METRICS,
    platform_metric,
    platform_metrics,
)
from tidings.warehouse.duckdb import compile_sql

SCHEMA = ibis.schema(
    {
        "ts": "timestamp(6)",
        "_source": "string",
        "app": "string",
        "country": "string",
        "amount": "decimal(28, 8)",
        "clicks": "int64",
        "position": "float64",
        "currency": "string",
        "zone": "string",
    }
)
ROWS = ibis.table(SCHEMA, name="rows")
DAY = datetime(2026, 6, 1)


def row(**reported: Any) -> dict[str, Any]:
    return dict.fromkeys(SCHEMA) | {"ts": DAY, "_source": "shop", **reported}


def run(table: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a figures table over rows; what its contract promises is checked, the key first of all."""
    con = duckdb.connect()
    con.register("rows", pa.Table.from_pylist([dict(each) for each in rows], schema=SCHEMA.to_pyarrow()))
    contract = model(grain="a figure", key=PLATFORM_KEY, columns=PLATFORM_COLUMNS)(_made).contract
    con.execute(f"CREATE TABLE made AS {compile_sql(table)}")
    broken = check_rows(
        "made",
        contract,
        ibis.table(declared(contract), name="made"),
        lambda e: con.execute(compile_sql(e)).to_arrow_table(),
    )[1]
    assert broken == []
    return con.execute("SELECT * FROM made").to_arrow_table().to_pylist()


def _made(rows: Any) -> Any:
    """Figures under test."""
    return rows


def reported(found: Sequence[Mapping[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(each[name] for name in names) for each in found), key=repr)


def test_values_are_added_up_by_source_day_and_cut() -> None:
    rows = [
        row(clicks=1, country="DE"),
        row(clicks=2, country="DE", ts=DAY + timedelta(hours=23)),
        row(clicks=4, country="FR"),
        row(clicks=8, country="DE", ts=DAY + timedelta(days=1)),
        row(clicks=16, country="DE", _source="other"),
    ]
    found = run(
        platform_metrics("toy", platform_metric(ROWS, "search_clicks", "clicks", by={"country": "country"})), rows
    )
    assert reported(found, "_source", "day", "country", "value", "weight", "breakdown", "is_total") == [
        ("other", date(2026, 6, 1), "DE", 16, None, "country", True),
        ("shop", date(2026, 6, 1), "DE", 3, None, "country", True),
        ("shop", date(2026, 6, 1), "FR", 4, None, "country", True),
        ("shop", date(2026, 6, 2), "DE", 8, None, "country", True),
    ]
    assert {(each["platform"], each["metric"], each["zone"], each["currency"]) for each in found} == {
        ("toy", "search_clicks", "UTC", None)
    }


def test_rows_without_a_value_tell_nothing() -> None:
    rows = [row(clicks=None, country="DE"), row(clicks=None, country="FR"), row(clicks=0, country="FR")]
    found = run(
        platform_metrics("toy", platform_metric(ROWS, "search_clicks", "clicks", by={"country": "country"})), rows
    )
    # Of Germany nothing is known, which is not zero; in France nobody clicked, which is.
    assert reported(found, "country", "value") == [("FR", 0)]
    assert run(platform_metrics("toy", platform_metric(ROWS, "search_clicks", "clicks")), []) == []


def test_a_mean_is_weighted_and_says_by_how_much() -> None:
    rows = [
        row(position=1.0, clicks=30, country="DE"),
        row(position=5.0, clicks=10, country="DE"),
        # A weight that is not known weighs nothing beside those that are.
        row(position=9.0, clicks=None, country="DE"),
        row(position=None, clicks=99, country="DE"),
        # Without any weight it is the plain mean.
        row(position=2.0, clicks=None, country="FR"),
        # What weighs nothing is no mean of anything.
        row(position=3.0, clicks=0, country="IT"),
    ]
    part = platform_metric(ROWS, "search_position", "position", weight="clicks", by={"country": "country"})
    found = run(platform_metrics("toy", part), rows)
    assert reported(found, "country", "value", "weight") == [
        ("DE", 2, 40),
        ("FR", 2, None),
    ]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.none() | st.decimals(-1000, 1000, places=3),
            st.none() | st.integers(0, 1000),
        ),
        min_size=1,
        max_size=12,
    )
)
@example([(0, Decimal(3), 0), (1, Decimal(3), None), (2, Decimal(3), 0), (2, Decimal(1), 2)])
def test_the_weighted_mean_is_that_of_its_definition(counted: list[tuple[int, Decimal | None, int | None]]) -> None:
    rows = [row(ts=DAY + timedelta(days=day), amount=value, clicks=weight) for day, value, weight in counted]
    found = run(platform_metrics("toy", platform_metric(ROWS, "rating", "amount", weight="clicks")), rows)
    days: dict[int, list[tuple[Decimal, int | None]]] = defaultdict(list)
    for day, value, weight in counted:
        if value is not None:
            days[day].append((value, weight))
    # A mean weighted by nothing is unknown; without any weight each row counts once.
    weighed = {day: [weight for _, weight in pairs if weight is not None] for day, pairs in days.items()}
    assert {(each["day"] - DAY.date()).days for each in found} == {d for d, w in weighed.items() if sum(w) or not w}
    for each in found:
        pairs = days[(each["day"] - DAY.date()).days]
        known = [(value, weight) for value, weight in pairs if weight is not None]
        weights = sum(weight for _, weight in known)
        if weights:
            mean = sum(float(value) * weight for value, weight in known) / weights
        else:
            mean = float(sum(value for value, _ in pairs)) / len(pairs)
        assert float(each["value"]) == pytest.approx(mean, abs=1e-7)
        assert each["weight"] == (weights if known else None)
        assert min(value for value, _ in pairs) - 1 <= each["value"] <= max(value for value, _ in pairs) + 1


def test_means_of_parts_make_the_mean_of_the_whole() -> None:
    """What the weight is there for: cuts can be put together again."""
    rows = [row(position=p, clicks=c, country=k) for p, c, k in ((1.5, 7, "DE"), (4.0, 2, "FR"), (9.25, 11, "IT"))]
    parts = run(
        platform_metrics(
            "toy", platform_metric(ROWS, "search_position", "position", weight="clicks", by={"country": "country"})
        ),
        rows,
    )
    (whole,) = run(platform_metrics("toy", platform_metric(ROWS, "search_position", "position", weight="clicks")), rows)
    together = sum(each["value"] * each["weight"] for each in parts) / sum(each["weight"] for each in parts)
    assert float(together) == pytest.approx(float(whole["value"]), abs=1e-7)


def test_money_stays_exact_and_apart_by_currency() -> None:
    rows = [
        row(amount=Decimal("0.10"), currency="eur"),
        row(amount=Decimal("0.20"), currency="EUR"),
        row(amount=Decimal("99999999999999999999.12345678"), currency="USD"),
        # A currency that is not told is none, whether it is missing or empty.
        row(amount=Decimal(1), currency=""),
        row(amount=Decimal(2), currency=None),
    ]
    found = run(platform_metrics("toy", platform_metric(ROWS, "proceeds", "amount", currency="currency")), rows)
    assert reported(found, "currency", "value") == [
        ("EUR", Decimal("0.30")),
        ("USD", Decimal("99999999999999999999.12345678")),
        (None, Decimal(3)),
    ]
    proceeds = platform_metric(ROWS, "proceeds", "amount", currency=ibis.literal("EUR"))
    (in_euro,) = run(platform_metrics("toy", proceeds), rows[:2])
    assert in_euro["currency"] == "EUR"


def test_the_key_tells_apart_what_is_apart_and_joins_what_is_one() -> None:
    texts = ["DE", None, "", ",", "de", "D"]
    rows = [row(clicks=1, app=app, country=country) for app in texts for country in texts]
    found = run(
        platform_metrics("toy", platform_metric(ROWS, "downloads", "clicks", by={"app": "app", "country": "country"})),
        rows,
    )
    # Missing and empty are one: five by five, and what was both is counted together.
    assert len(found) == len({each["platform_metric_key"] for each in found}) == 25
    assert sum(each["value"] for each in found) == 36
    (neither,) = [each for each in found if each["app"] is None and each["country"] is None]
    assert neither["value"] == 4


def test_cuts_of_one_metric_have_keys_of_their_own() -> None:
    rows = [row(clicks=3, app=None, country=None)]
    parts = [
        platform_metric(ROWS, "downloads", "clicks"),
        platform_metric(ROWS, "downloads", "clicks", by={"country": "country"}, total=False),
        platform_metric(ROWS, "downloads", "clicks", by={"country": "country", "app": "app"}, total=False),
        platform_metric(ROWS, "updates", "clicks"),
    ]
    found = run(platform_metrics("toy", *parts), rows)
    assert reported(found, "metric", "breakdown", "is_total", "value") == [
        ("downloads", "", True, 3),
        ("downloads", "app,country", False, 3),
        ("downloads", "country", False, 3),
        ("updates", "", True, 3),
    ]


def test_days_of_several_zones_stay_apart() -> None:
    rows = [
        row(clicks=1, zone="Europe/Berlin"),
        row(clicks=2, zone="Asia/Tokyo"),
        row(clicks=4, zone="Asia/Tokyo"),
    ]
    found = run(platform_metrics("toy", platform_metric(ROWS, "visits", "clicks", zone="zone"), zone="not used"), rows)
    assert reported(found, "zone", "value") == [("Asia/Tokyo", 6), ("Europe/Berlin", 1)]
    (plain,) = run(platform_metrics("toy", platform_metric(ROWS, "visits", "clicks"), zone="America/Los_Angeles"), rows)
    assert plain["zone"] == "America/Los_Angeles"


def test_a_cut_names_its_dimensions_in_one_order() -> None:
    one = platform_metric(ROWS, "downloads", "clicks", by={"country": "country", "app": "app"})
    other = platform_metric(ROWS, "downloads", "clicks", by={"app": "app", "country": ROWS.country.upper()})
    rows = [row(clicks=1, app="a", country="de")]
    assert [each["breakdown"] for part in (one, other) for each in run(platform_metrics("toy", part), rows)] == [
        "app,country"
    ] * 2


def test_every_figures_model_has_the_shape_of_all() -> None:
    models = [each for each in known_models() if each.name.startswith("platform_metrics_")]
    assert len(models) >= 4
    for each in models:
        assert tuple(each.contract.columns) == tuple(PLATFORM_COLUMNS), each.name
        assert tuple(each.contract.key) == PLATFORM_KEY, each.name
    (together,) = [each for each in known_models() if each.name == "fct_metric_daily"]
    assert together.reads == ("dim_fx", *sorted(each.name for each in models))


def test_the_metrics_are_of_a_kind_that_their_unit_allows() -> None:
    for name, unified in PLATFORM_METRICS.items():
        assert (unified.kind == "mean") == (unified.unit in ("ratio", "stars", "score")), name
        assert unified.title and unified.doc.endswith(".") and unified.action.endswith("."), name
    assert not set(DIMENSIONS) & {"day", "value", "weight", "currency", "zone", "metric", "breakdown"}


def test_now_is_not_asked_for() -> None:
    """The same rows are the same figures, whenever they are made."""
    rows = [row(clicks=n, country=c) for n, c in ((1, "DE"), (2, "FR"), (3, "DE"))]
    part = platform_metrics("toy", platform_metric(ROWS, "downloads", "clicks", by={"country": "country"}))
    first, again = (reported(run(part, order), *PLATFORM_COLUMNS) for order in (rows, rows[::-1]))
    assert first == again
    assert datetime.now(UTC).date() not in {each[4] for each in first}
