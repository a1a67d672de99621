"""How files become rows of each feed: which extra columns may be mapped, and which columns are derived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tidings.feeds import EVENTS, ORDERS, REQUESTS, VITALS, Feed
from tidings.feeds.platform_metrics import PLATFORM_METRIC_ROWS
from tidings.mapping.options import FileOptions
from tidings.parsing.reading import literal
from tidings.platform_metrics import DIMENSIONS, PLATFORM_METRICS

Values = Callable[[str], str]
Derive = Callable[[Values, FileOptions, str], Mapping[str, str]]


@dataclass(frozen=True)
class Shape:
    """How files become rows of a feed.

    `helpers` are columns that may be mapped beside the feed's own; `web_events.py` resolves them. `derived`: as in
    `read_options`. `derive(value, options, source)` returns SQL for derived feed columns; `value(column)` is the SQL of
    a typed feed column, null if it is not mapped.
    """

    feed: Feed
    summary: str
    derive: Derive
    derived: Mapping[str, tuple[str, ...]]
    helpers: tuple[str, ...] = ()


def _orders(value: Values, options: FileOptions, source: str) -> Mapping[str, str]:
    quantity = f"coalesce({value('quantity')}, 1)"
    amount = f"coalesce({value('amount')}, TRY_CAST({quantity} * {value('unit_price')} AS DECIMAL(18, 4)))"
    kind = f"coalesce({value('type')}, 'charge')"
    return {
        "quantity": f"CAST(abs({quantity}) AS DECIMAL(18, 4))",
        "unit_price": f"abs({value('unit_price')})",
        "amount": f"abs({amount})",
        "tax": f"coalesce(abs({value('tax')}), 0)",
        "fee": f"coalesce({value('fee')}, 0)",
        "currency": f"upper(coalesce({value('currency')}, {literal(options.currency)}))",
        "type": f"CASE WHEN {amount} < 0 AND {kind} = 'charge' THEN 'refund' ELSE {kind} END",
        "status": f"coalesce({value('status')}, 'succeeded')",
    }


def _events(value: Values, options: FileOptions, source: str) -> Mapping[str, str]:
    found = {"is_bot": f"coalesce({value('is_bot')}, false)"}
    if options.pageview:
        names = ", ".join(map(literal, options.pageview))
        found["event"] = f"CASE WHEN trim({value('event')}) IN ({names}) THEN 'pageview' ELSE {value('event')} END"
    return found


def _requests(value: Values, options: FileOptions, source: str) -> Mapping[str, str]:
    currency = f"coalesce({value('currency')}, {literal(options.currency)})"
    return {
        "service": f"coalesce({value('service')}, {literal(source)})",
        "currency": f"CASE WHEN {value('cost')} IS NOT NULL THEN upper({currency}) END",
    }


def _vitals(value: Values, options: FileOptions, source: str) -> Mapping[str, str]:
    return {}


def _figures(value: Values, options: FileOptions, source: str) -> Mapping[str, str]:
    money = ", ".join(literal(name) for name, unified in PLATFORM_METRICS.items() if unified.unit == "money")
    currency = f"upper(coalesce({value('currency')}, {literal(options.currency)}))"
    return {
        "currency": f"CASE WHEN {value('metric')} IN ({money}) THEN {currency} ELSE '' END",
        **{name: f"coalesce({value(name)}, '')" for name in DIMENSIONS},
    }


SHAPES: tuple[Shape, ...] = (
    Shape(
        feed=ORDERS,
        summary="orders, refunds and other money movements from CSV, Parquet or JSON lines",
        derive=_orders,
        derived={"amount": ("unit_price",), "currency": (), "type": (), "status": ()},
    ),
    Shape(
        feed=EVENTS,
        summary="page views and product events from CSV, Parquet or JSON lines",
        derive=_events,
        derived={"is_bot": ()},
        helpers=("url", "referrer", "user_agent", "ip"),
    ),
    Shape(
        feed=REQUESTS,
        summary="calls of services and providers from CSV, Parquet or JSON lines",
        derive=_requests,
        derived={"service": ()},
    ),
    Shape(
        feed=VITALS,
        summary="web-vital samples from CSV, Parquet or JSON lines",
        derive=_vitals,
        derived={},
    ),
    Shape(
        feed=PLATFORM_METRIC_ROWS,
        summary="figures of days that somebody has counted already, from CSV, Parquet or JSON lines",
        derive=_figures,
        derived={"currency": (), **dict.fromkeys(DIMENSIONS, ())},
    ),
)
