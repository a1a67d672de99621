"""Segments: any of, not, ranges, and saved ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.errors import UsageError
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land

COUNTRIES = {"a": "DE", "b": "FR", "c": "AT", "d": None}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    (root / "pyproject.toml").write_text('[tool.tidings]\n[tool.tidings.segments]\ndach = "country=DE|AT"\n')
    events = [
        {"ts": datetime(2026, 6, n, 9), "visitor_id": who, "event": "pageview", "country": country, "value": n * 10.0}
        for n, (who, country) in enumerate(COUNTRIES.items(), start=1)
    ]
    land(load_settings(root), "events", events, source="web", complete_until=datetime(2026, 6, 10, tzinfo=UTC))
    build(load_settings(root))
    return root


@pytest.mark.parametrize(
    ("segment", "visitors"),
    [
        ("country=DE|FR", {"a", "b"}),
        ("country!=DE", {"b", "c", "d"}),  # d is not known to be of Germany
        ("country!=DE|FR", {"c", "d"}),
        ("value>=20, value<40", {"b", "c"}),
        ("value>20; country=AT|FR", {"c"}),
        ("dach", {"a", "c"}),
    ],
)
def test_the_rows_of_a_segment(shop: Path, segment: str, visitors: set[str]) -> None:
    rows = Book.open(root=shop, segment=segment).mart("fct_events").select("visitor_id").to_pyarrow()
    assert set(rows.column(0).to_pylist()) == visitors


@pytest.mark.parametrize(
    ("segment", "says"),
    [
        ("country=DE|FRR", "No row has the country 'FRR'. Did you mean 'FR'?"),
        ("country!=DEE", "Did you mean 'DE'?"),
        ("valu>=3", "Did you mean 'value'?"),
        ("value>=ten", "'ten' is not a bound for value."),
        ("country>=DE", "'country' has no numbers or dates"),
        ("value>=1, value>=2", "names value twice"),
        ("country=DE|", "cannot be read"),
        ("dahc", "Did you mean 'dach'?"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(shop: Path, segment: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        Book.open(root=shop, segment=segment)
    assert says in str(refused.value)
