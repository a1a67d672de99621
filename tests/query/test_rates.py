"""Exchange rates in reports: every digit of them, their age, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.book import Book
from tidings.display.cards import delta
from tidings.errors import UsageError
from tidings.platform_metrics import DIMENSIONS
from tidings.query.rates import exactly, rate_type
from tidings.settings import load_settings
from tidings.warehouse.build import build
from workbooks import land

# Each example builds a warehouse: making a failing one smaller would take minutes.
_FEW = {"phases": (Phase.explicit, Phase.generate)}
CENT = Decimal("0.01")
UNTIL = datetime(2026, 11, 21, tzinfo=UTC)
CODES = ("AAA", "BBB", "CCC", "DDD")


def book(root: Path, fixings: str, orders: Sequence[Mapping[str, Any]] = (), currency: str = "EUR", **how: Any) -> Book:
    """A workbook of some orders and a file of rates (none if empty), opened."""
    named = '\nfx = "fx.csv"' if fixings else ""
    (root / "pyproject.toml").write_text(f'[tool.tidings]\ncurrency = "{currency}"{named}\n')
    (root / "fx.csv").write_text(fixings)
    reported = load_settings(root)
    if orders:
        # The data begin long before, with one that failed: what is said here is about rates.
        first = {"order_id": "first", "status": "failed", "amount": 0, "ts": datetime(2005, 1, 1)}
        first |= {"currency": orders[0].get("currency", "EUR")}
        full = [first] + [
            {"order_id": str(n), "ts": datetime(2026, 11, 19, 12), **order} for n, order in enumerate(orders)
        ]
        land(reported, "orders", [first, *full], complete_until=UNTIL)
    build(reported)
    return Book.open(**{"root": root, "as_of": "2026-11-21", "days": 5, "compare": "none", **how})


def test_small_rates_keep_their_digits(tmp_path: Path) -> None:
    rates = "Date,JPY,HUF,VND\n2026-11-18,172,391.45,30150\n"
    amounts = (("100000", "JPY"), ("391450", "HUF"), ("30150000", "VND"))
    found = book(tmp_path, rates, [{"amount": a, "currency": c} for a, c in amounts]).value("net_revenue").value
    # 100,000 / 172 = 581.395..., 391,450 / 391.45 = 1,000, 30,150,000 / 30,150 = 1,000
    assert Decimal(found or 0).quantize(CENT) == Decimal("2581.40")


def test_amounts_of_four_decimals_times_rates_without_end(tmp_path: Path) -> None:
    # 33.3333 at a third has more decimals than either: none of them may stop a query.
    found = book(tmp_path, "Date,USD\n2026-11-18,3\n", [{"amount": "33.3333", "currency": "USD"}])
    assert found.value("net_revenue").value == Decimal("11.1111")
    orders = found.mart("fct_orders")
    (row,) = found.context.rows(orders.aggregate(here=(orders.gross * orders.fx).sum()))
    assert abs(row["here"] - Decimal("11.1111")) < Decimal("1e-12")


_rates = st.tuples(*(st.decimals("0.000001", "1000000", places=15) for _ in CODES))
_amounts = st.lists(
    st.tuples(st.decimals("0", "99999999.9999", places=4), st.sampled_from((*CODES, "EUR"))), min_size=5, max_size=20
)
_into = st.sampled_from((*CODES, "EUR"))


def _wanted(rates: Sequence[Decimal], amounts: Sequence[tuple[Decimal, str]], into: str) -> Decimal:
    per_euro = {"EUR": Decimal(1), **dict(zip(CODES, rates, strict=True))}
    return sum((amount * per_euro[into] / per_euro[code] for amount, code in amounts), Decimal(0))


@settings(max_examples=examples(2, 10), **_FEW)
@given(_rates, _amounts, _into)
def test_a_sum_is_that_of_exact_decimals_to_the_cent(
    rates: tuple[Decimal, ...], amounts: list[tuple[Decimal, str]], into: str
) -> None:
    line = ",".join(f"{rate:f}" for rate in rates)
    with TemporaryDirectory() as folder, localcontext(prec=60):
        rows = [{"amount": amount, "currency": code} for amount, code in amounts]
        found = book(Path(folder), f"Date,{','.join(CODES)}\n2026-11-18,{line}\n", rows, currency=into)
        wanted = _wanted(rates, amounts, into)
        assert abs(Decimal(found.value("net_revenue").value or 0) - wanted) < max(CENT / 2, wanted * Decimal("1e-12"))


@settings(max_examples=examples(2, 10), **_FEW)
@given(_rates, _amounts, _into)
def test_daily_metrics_are_converted_to_the_cent(
    rates: tuple[Decimal, ...], amounts: list[tuple[Decimal, str]], into: str
) -> None:
    line = ",".join(f"{rate:f}" for rate in rates)
    with TemporaryDirectory() as folder, localcontext(prec=60):
        root = Path(folder)
        (root / "fx.csv").write_text(f"Date,{','.join(CODES)}\n2026-11-18,{line}\n")
        (root / "pyproject.toml").write_text(f'[tool.tidings]\ncurrency = "{into}"\nfx = "fx.csv"\n')
        figure = {**dict.fromkeys(DIMENSIONS, ""), "metric": "proceeds", "ts": datetime(2026, 11, 19)}
        rows = [
            {**figure, "currency": code, "value": amount, "app": str(n)} for n, (amount, code) in enumerate(amounts)
        ]
        land(load_settings(root), "platform_metrics", rows, source="store", complete_until=UNTIL)
        build(load_settings(root))
        found = Book.open(root=root, as_of="2026-11-21", days=5, compare="none").value("shared_proceeds").value
        wanted = _wanted(rates, amounts, into)
        # Quotients of floats: sixteen digits are right.
        assert abs(Decimal(found or 0) - wanted) < max(CENT / 2, wanted * Decimal("1e-14"))


@cache
def _engine() -> ibis.BaseBackend:
    return ibis.duckdb.connect()


@given(st.decimals("1e-12", "1e12", allow_nan=False, places=20))
def test_a_rate_as_a_literal_is_itself(rate: Decimal) -> None:
    type_ = rate_type(rate)
    found = _engine().to_pyarrow(exactly(rate, type_)).as_py()
    places = int(type_.rstrip(")").split(",")[1])
    assert abs(found - rate) <= Decimal(5).scaleb(-places - 1)


@pytest.mark.parametrize(
    ("fixed", "value", "notes"),
    [
        ("2026-11-13", 8, ()),  # seven days before the last complete day
        ("2026-11-12", 8, ("USD: converted at the exchange rate of 12 Nov 2026, which is 8 days old.",)),
        ("2026-10-21", 8, ("USD: converted at the exchange rate of 21 Oct 2026, which is 30 days old.",)),
        (
            "2026-10-20",
            None,
            (
                "Amounts in USD are left out: there is no exchange rate for 2026-11-20. "
                "fx.csv has rates for USD from 2026-10-20 to 2026-10-20.",
            ),
        ),
    ],
)
def test_an_old_rate_is_named_and_a_very_old_one_is_none(
    tmp_path: Path, fixed: str, value: int | None, notes: tuple[str, ...]
) -> None:
    found = book(tmp_path, f"Date,USD\n{fixed},1.25\n", [{"amount": 10, "currency": "USD"}])
    net = found.value("net_revenue")
    assert (net.value, net.provenance.notes) == (value, notes)
    assert found.value("orders").value == 1 and not found.value("orders").provenance.notes
    assert all(note in str(found._repr_mimebundle_()["text/html"]) for note in notes)
    # In the currency of the rows none is needed.
    assert Book.open(root=tmp_path, as_of="2026-11-21", days=5, currency="USD").value("net_revenue").value == 10


def test_the_age_is_that_of_both_rates(tmp_path: Path) -> None:
    rates = "Date,USD,GBP\n2026-11-19,1.25,\n2026-11-02,,0.8\n"
    found = book(tmp_path, rates, [{"amount": 10, "currency": "USD"}, {"amount": 1, "currency": "EUR"}], "GBP")
    assert found.value("net_revenue").value == Decimal("7.2")  # 10 / 1.25 x 0.8, and 1 x 0.8
    assert found.value("net_revenue").provenance.notes == (
        "EUR, USD: converted at the exchange rate of 2 Nov 2026, which is 18 days old.",
    )


def test_a_report_before_the_rates_says_from_when_to_when_there_are_any(tmp_path: Path) -> None:
    orders = [{"amount": 5, "currency": "GBP", "ts": datetime(2011, 12, 8)}]
    found = book(tmp_path, "Date,GBP\n2024-07-01,0.85\n2026-04-01,0.85\n", orders, as_of="2011-12-10")
    net, rate = found.values("net_revenue", "refund_rate")
    assert net.value is rate.value is None
    said = "fx.csv has rates for GBP from 2024-07-01 to 2026-04-01."
    assert net.provenance.notes == (f"Amounts in GBP are left out: there is no exchange rate for 2011-12-09. {said}",)
    assert said in str(found._repr_mimebundle_()["text/html"])
    assert "no exchange rate" in delta(net)


def test_without_a_file_it_says_which_currency_would_do(tmp_path: Path) -> None:
    found = book(tmp_path, "", [{"amount": 5, "currency": "GBP"}])
    assert found.value("net_revenue").value is None
    (note,) = found.value("net_revenue").provenance.notes
    assert 'no file of rates is named. Set currency = "GBP" or `fx`' in note
    with pytest.raises(UsageError, match="no exchange rate for the currency 'USD'"):
        Book.open(root=tmp_path, currency="USD")


def test_what_is_left_out_of_a_sum_is_listed_and_the_rest_stands(tmp_path: Path) -> None:
    orders = [{"amount": 5, "currency": "USD"}, {"amount": 7, "currency": "EUR"}, {"amount": 9, "currency": "XAU"}]
    found = book(tmp_path, "Date,USD\n2026-11-18,1.25\n", orders)
    assert found.value("net_revenue").value == 11
    assert found.value("net_revenue").provenance.notes == (
        "Amounts in XAU are left out: there is no exchange rate for 2026-11-20. fx.csv has none for XAU.",
    )


def test_the_file_is_named_as_the_settings_name_it(tmp_path: Path) -> None:
    reported = replace(load_settings(_empty(tmp_path)), fx=tmp_path / "data" / "fx.csv")
    assert reported.rates_file == "data/fx.csv"
    assert replace(reported, fx=Path("/elsewhere/rates.csv")).rates_file == "rates.csv"


def _empty(root: Path) -> Path:
    (root / "pyproject.toml").write_text("[tool.tidings]\n")
    return root


def test_days_are_local(tmp_path: Path) -> None:
    # In Auckland the 21st began eleven hours before: the last complete day there is the 20th.
    found = book(
        tmp_path, "Date,USD\n2026-11-20,1.25\n", [{"amount": 10, "currency": "USD"}], timezone="Pacific/Auckland"
    )
    assert found.window.last_day == date(2026, 11, 20)
    assert found.value("net_revenue").value == 8
