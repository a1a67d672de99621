"""Questions of the section on commerce: why revenue moved, who comes back, what sells, when."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from tidings import book_analyses as analyses
from tidings.analysis.rfm import rfm_segments
from tidings.analysis.waterfall import CUSTOMERS, UNKNOWN, Part, Sales, Side, sales_by_customers, waterfall
from tidings.book import Book
from tidings.book_analyses import Asked, RetentionResult
from tidings.display import formats
from tidings.language import in_force, message, say, say_as
from tidings.metrics.measures import distinct, in_report, money
from tidings.metrics.registry import get
from tidings.metrics.result import Field, Provenance, Result, joined, relative_change
from tidings.query.behind import Largest
from tidings.query.evaluation import Found, over_windows
from tidings.query.exchange import exchange_effect
from tidings.window import Window

COHORT_DAYS = 365
_NET = message("Net revenue, all time")
_ODD = {
    "refunded_above_charge": message("Orders with more refunded than charged (counted in full)"),
    "refund_of_unknown_order": message("Refunds of orders without a charge (origin unknown)"),
    "refunded_without_date": message("Orders with status refunded but no date (dated by their charge)"),
}
_NAMED = 5


def cohorts(book: Book, days: int = COHORT_DAYS) -> RetentionResult:
    """Buyers by the month of their first purchase, and how many bought again in each month after (definitions 2).

    With `first_time` and `on`. Purchases are succeeded charges above zero with a customer; refunds and cancelled
    documents are not. Cohorts are all calendar months that the last `days` days touch. Months without coverage are
    unknown.
    """
    orders = book.mart("fct_orders")
    bought = orders.filter(orders.gross > 0)
    events = bought.select(user_id="customer_id", event=ibis.literal("purchase"), day=bought.local_ts.date())
    asked = Asked(book.context, Window.last(days, book.as_of, book.zone))
    found = analyses.cohorts(asked, "fct_orders", events, period="month", type="first_time")
    titles = {
        "cohort": say("First purchase"),
        "size": say("Customers"),
        "interval": say_as("period", "Months later"),
        "returned": say("Bought again"),
    }
    fields = tuple(replace(field, title=titles.get(field.name, field.title)) for field in found.fields)
    return replace(found, title=say("Customers by first purchase"), fields=fields)


def products(book: Book, top: int = 12) -> Result:
    """Products by net revenue in the window: charged lines minus refunded lines, each by its own date."""
    lines = book.mart("fct_order_lines")
    lines = lines.filter(lines.status == "succeeded", lines.type.isin(("charge", "refund", "chargeback")))
    windows = [w for w in (book.window, book.before) if w is not None]
    lines = lines.filter(ibis.or_(*(w.holds(lines.ts) for w in windows)))
    lines = lines.mutate(product=ibis.coalesce(lines["product"], lines.product_id, "(unknown)"))
    signed = ibis.ifelse(lines.type == "charge", lines.net, -lines.net)
    now = book.window.holds(lines.ts)
    found = lines.group_by("product").aggregate(
        net_revenue=money(lines, signed, now),
        before=money(lines, signed, ~now),
        units=lines.quantity.sum(where=now & (lines.type == "charge")),
        buyers=distinct(lines.customer_id, now & (lines.type == "charge")),
    )
    fields = [
        Field("product", "Product"),
        Field("net_revenue", "Net revenue", "money"),
        Field("before", "Before", "money"),
        Field("units", "Units", "count"),
        Field("buyers", "Buyers", "count"),
    ]
    result = book.ask("Products", fields, found.order_by(ibis.desc("net_revenue"), "product").limit(top))
    same = book.compares("fct_order_lines")
    changed = tuple(
        (p, now, then if same else None, relative_change(now, then if same else None), *rest)
        for p, now, then, *rest in result.rows
    )
    shown = (*result.fields[:3], Field("change", "Change", "ratio"), *result.fields[3:])
    sold = lines.filter(now)
    worth = in_report(sold, cast(ir.DecimalValue, ibis.ifelse(sold.type == "charge", sold.net, -sold.net)))
    asked = Largest(sold, "fct_order_lines", worth, Field("worth_", "Net revenue", book.currency))
    ranked = Result(result.title, shown, changed, result.provenance)
    return book.leading().of_rows(ranked, asked, [{"product": str(row[0])} for row in changed])


def week_hours(book: Book) -> Result:
    """Orders by local weekday and hour of the window, all 168 cells."""
    orders = book.mart("fct_orders")
    orders = orders.filter(book.window.holds(orders.ts))
    counted = orders.group_by(
        weekday=orders.local_ts.day_of_week.index().cast("int64"), hour=orders.local_ts.hour().cast("int64")
    ).aggregate(orders=orders.count())
    fields = (Field("weekday", "Weekday", "count"), Field("hour", "Hour", "count"), Field("orders", "Orders", "count"))
    result = book.ask("Orders by weekday and hour", fields, counted)
    found = {(weekday, hour): count for weekday, hour, count in result.rows}
    # An hour without an order is 0 only on covered days.
    silent = 0 if book.covers("fct_orders") else None
    rows = tuple(
        (name, f"{hour:02d}", found.get((weekday, hour), silent))
        for weekday, name in enumerate(in_force().weekdays)
        for hour in range(24)
    )
    named = (Field("weekday", "Weekday"), Field("hour", "Local hour"), Field("orders", "Orders", "count"))
    return Result(result.title, named, rows, result.provenance)


def row_counts(book: Book) -> Result:
    """Row counts of all data before `as_of`, and what counts where."""
    lines = book.mart("fct_order_lines")
    known = lines.customer_id.nullif("").notnull()
    back = lines.type.isin(("refund", "chargeback"))
    rest = lines.status == "succeeded"
    signed = ibis.ifelse(lines.type == "charge", lines.net, -lines.net)
    moved = lines.type.isin(("charge", "refund", "chargeback")) & rest
    facts = {
        message("Lines"): lines.count(),
        message("Order numbers, including refunds and cancellations"): distinct(lines.order_id),
        message("Lines of refunds and chargebacks"): lines.count(where=back),
        message("Lines pending, failed or canceled (not in revenue)"): lines.count(where=~rest),
        message("Lines with a customer"): lines.count(where=known),
        message("Customers"): distinct(lines.customer_id),
        _NET: money(lines, signed, moved),
    }
    found = book.query(lines.aggregate(**{f"f{n}": value for n, value in enumerate(facts.values())}), money=True)
    (row,) = found.rows
    shown = [(name, _printed(row[f"f{n}"], book.currency if name == _NET else "count")) for n, name in enumerate(facts)]
    odd, origin_of_odd = _odd(book)
    rejected = [
        (say("Rows rejected by {source}", source=source), count)
        for source, count in book.rejected("orders").items()
        if count
    ]
    origin = replace(joined([found.provenance, origin_of_odd]), rows=row["f0"])
    fields = (Field("what", "What the data contains"), Field("number", "Number", "figure"))
    named = [(f"{say(name)}, {book.currency}" if name == _NET else say(name), text) for name, text in shown]
    return Result("From rows to metrics", fields, tuple(named + odd + rejected), origin)


def _printed(value: Any, unit: str) -> formats.Printed:
    return formats.Printed(formats.full(value, unit), value, unit)


def _odd(book: Book) -> tuple[list[tuple[str, str]], Provenance]:
    """Orders before `as_of` that look wrong: how many, with the first few order numbers; all are in the mart."""
    rows = book.mart("dim_order_anomalies").select("anomaly", "ts", "order_id")
    found = book.query(rows.order_by("anomaly", "ts", "order_id"))
    named = {kind: [row["order_id"] for row in found.rows if row["anomaly"] == kind] for kind in _ODD}
    lines = [
        (say(_ODD[kind]), f"{formats.full(len(ids), 'count')} ({', '.join(ids[:_NAMED])}{', …' * (len(ids) > _NAMED)})")
        for kind, ids in named.items()
        if ids
    ]
    return lines, found.provenance


def segments(book: Book) -> Result:
    """Customers by recency, frequency and money, one row per segment (definitions 10), over the whole history."""
    found = rfm_segments(analyses.scored_customers(book.context))
    fields = (
        Field("segment", "Segment"),
        Field("customers", "Customers", "count"),
        Field("monetary", "Net revenue", "money"),
        Field("recency", "Days since last order", "number"),
        Field("frequency", "Orders per customer", "number"),
    )
    result = book.ask("Customer segments", fields, found)
    return replace(result, rows=tuple((say(name), *rest) for name, *rest in result.rows))


def what_changed(book: Book) -> Result:
    """Net revenue of the window before, the parts of the change, and net revenue now; the parts add up exactly.

    No rows if the book compares with nothing, or if the two windows have different coverage (C14).
    """
    fields = (Field("part", "Part"), Field("amount", "Amount", book.currency))
    if book.before is None or not book.compares("fct_transactions"):
        notes = book.value("net_revenue").provenance
        return Result("What changed in net revenue", fields, (), replace(notes, sql=(), rows=None))
    parts_of = [get(name) for name in ("gross_revenue", "refunds", "chargebacks")]
    found = over_windows(book.context, parts_of, [book.before, book.window])
    origin = found.provenance(parts_of, book.window)
    if None in [found.value(metric, window) for metric in parts_of for window in (book.before, book.window)]:
        # A part without any rate is unknown, and so is its change.
        return Result("What changed in net revenue", fields, (), replace(origin, sql=(), rows=None))
    (old, of_old), (new, of_new) = (_side(book, window, found) for window in (book.before, book.window))
    # Of whom nothing is known comes last; where that is everybody, nobody is told apart.
    parts = sorted(waterfall(old, new), key=lambda part: part.customers == UNKNOWN)
    is_split = {*old.sales, *new.sales} != {UNKNOWN}
    lines = [
        (book.before.label, old.net),
        *((_named(part, is_split=is_split), part.amount) for part in parts),
        (book.window.label, new.net),
    ]
    shown = [line for n, line in enumerate(lines) if line[1] != 0 or n in (0, len(lines) - 1)]
    origin = joined([origin, of_old, of_new])
    effect = exchange_effect(book.context, get("net_revenue"), book.window, book.before)
    if effect:
        made = formats.signed(effect, book.currency)
        note = say(
            "Exchange rates alone: {amount}, beside this change and not in it, as all is converted at one rate.",
            amount=made,
        )
        origin = replace(origin, notes=(note, *origin.notes))
    orders = sum(sales.orders for sales in new.sales.values())
    return Result("What changed in net revenue", fields, tuple(shown), replace(origin, rows=orders))


def _named(part: Part, *, is_split: bool) -> str:
    is_said = part.customers and is_split
    words = f"{part.kind}, {part.customers.removesuffix(' customers')}" if is_said else part.kind
    return say(words.capitalize())


def _side(book: Book, window: Window, found: Found) -> tuple[Side, Provenance]:
    """Charges of a window by kind of customer, and its refunds and chargebacks."""
    charges = book.mart("fct_transactions")
    charges = charges.filter(
        window.holds(charges.ts), charges.status == "succeeded", charges.type == "charge", charges.fx.notnull()
    )
    orders = book.table("fct_orders")
    first = orders.filter(orders.is_first, window.holds(orders.ts)).select("_source", "order_id", "currency")
    first = first.mutate(is_first=ibis.literal(True))
    joint = charges.left_join(first, ["_source", "order_id", "currency"]).select(charges, first.is_first)
    paid = joint.group_by("_source", "order_id", "currency", "customer_id").aggregate(
        is_first=joint.is_first.fill_null(False).cast("int64").max() == 1, gross=money(joint, joint.net)
    )
    charged = book.query(sales_by_customers(paid), money=True)
    groups = {row["customers"]: Sales(row["orders"], row["gross"]) for row in charged.rows}
    side = Side(
        {name: groups[name] for name in CUSTOMERS if name in groups},
        refunds=Decimal(found.value(get("refunds"), window) or 0),
        chargebacks=Decimal(found.value(get("chargebacks"), window) or 0),
    )
    return side, charged.provenance
