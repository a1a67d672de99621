"""The few aggregates that metric definitions are made of, as portable Ibis scalars."""

from __future__ import annotations

from typing import Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

_CONVERTED = "decimal(38, 12)"
APDEX_TARGET_MS = 500
VITAL_BANDS = {
    "LCP": (2500.0, 4000.0),
    "INP": (200.0, 500.0),
    "CLS": (0.1, 0.25),
    "FCP": (1800.0, 3000.0),
    "TTFB": (800.0, 1800.0),
}


def ratio(numerator: ir.NumericScalar, denominator: ir.NumericScalar) -> ir.FloatingScalar:
    """A plain ratio; null when the denominator is 0 (metric definitions C8, C9)."""
    return cast(ir.FloatingScalar, numerator.cast("float64") / denominator.cast("float64").nullif(0))


def number_where(condition: ir.BooleanValue) -> ir.IntegerScalar:
    """Number of rows for which a condition is true, not null; 0 without rows."""
    return cast(ir.IntegerScalar, condition.fill_null(False).cast("int64").sum().fill_null(0))


def total(column: ir.NumericValue) -> ir.NumericScalar:
    """A sum that is 0 without rows (C11)."""
    return cast(ir.NumericScalar, column.sum().fill_null(0))


def distinct(column: ir.StringValue, where: ir.BooleanValue | None = None) -> ir.IntegerScalar:
    """Distinct ids, null and empty ones left out (C6)."""
    return cast(ir.IntegerScalar, column.nullif("").nunique(where=where))


def in_report(rows: ir.Table, amount: ir.NumericValue, rate: str = "fx") -> ir.DecimalValue:
    """Amounts in the reporting currency by the column `rate` (6.1: one for the whole report), null without a rate."""
    return _exact(amount * rows[rate])


def money(
    rows: ir.Table, amount: ir.NumericValue, where: ir.BooleanValue | None = None, rate: str = "fx"
) -> ir.DecimalScalar:
    """A sum in the reporting currency by the column `rate`; 0 without rows (C11).

    Rows whose currency has no rate are left out. Where no row has one, the sum is null: unknown, not zero.
    """
    sum_ = _exact((amount * rows[rate]).sum(where=where))
    return cast(ir.DecimalScalar, ibis.ifelse(amount.count(where=where) == 0, ibis.literal(0).cast(_CONVERTED), sum_))


def _exact(value: ir.DecimalValue) -> Any:
    # Ibis types a product with the decimals of one factor, engines with those of both. A node, as Ibis would drop a
    # cast to the type that it assumes already.
    return ops.Cast(value, dt.dtype(_CONVERTED)).to_expr()


def percentile(column: ir.NumericValue, p: float) -> ir.FloatingScalar:
    """Percentile by linear interpolation, R type 7 (metric definitions 8.1); null without values.

    On floats, since engines round when they interpolate decimals and integers, or do not interpolate at all.
    """
    return cast(ir.FloatingScalar, column.cast("float64").quantile(p))


def apdex(
    latency_ms: ir.NumericValue, is_error: ir.BooleanValue, target_ms: float = APDEX_TARGET_MS
) -> ir.FloatingScalar:
    """Apdex, 0 to 1: 1 up to T, one half up to 4T, 0 beyond and for errors (metric definitions 8.4).

    Requests without latency are left out unless they are errors; null if only errors are left.
    """
    failed = is_error.fill_null(False)
    satisfied = number_where(~failed & (latency_ms <= target_ms))
    tolerating = number_where(~failed & (latency_ms > target_ms) & (latency_ms <= 4 * target_ms))
    timed, untimed = number_where(~failed & latency_ms.notnull()), number_where(~failed & latency_ms.isnull())
    score = ratio(satisfied + tolerating / 2, number_where(failed | latency_ms.notnull()))
    return cast(ir.FloatingScalar, ibis.ifelse((timed == 0) & (untimed > 0), ibis.null("float64"), score))
