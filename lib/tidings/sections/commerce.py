"""What the section on commerce asks: why revenue moved, who comes back, what sells, when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import ibis

from tidings.analysis.retention import retention_counts, retention_grid
from tidings.analysis.rfm import rfm, rfm_segments
from tidings.analysis.waterfall import CUSTOMERS, Part, Sales, Side, sales_by_customers, waterfall
from tidings.book import Book
from tidings.display import formats
from tidings.metrics.answer import Answer, Field, growth
from tidings.metrics.measures import distinct, money
from tidings.window import Window

COHORT_DAYS = 365
_NET = "Net revenue of the whole history"
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def cohorts(book: Book, days: int = COHORT_DAYS) -> Answer:
    """Buyers by the month of their first purchase, and how many bought again in each month after (definitions 2).

    `first_time`, `on`: purchases are succeeded charges with an amount above zero and a customer; refunds and
    cancelled documents are none. Cohorts are the whole months that the last `days` days touch.
    """
    orders = book.mart("fct_orders")
    bought = orders.filter(orders.gross > 0)
    events = bought.select(user_id="customer_id", event=ibis.literal("purchase"), day=bought.local_ts.date())
    window = Window.last(days, book.as_of, book.zone)
    counts = retention_counts(events, window, "month", type="first_time")
    grid = retention_grid(book.lens.rows(counts), window, "month")
    rows = []
    for cohort in grid.cohorts:
        for k, rate in enumerate(cohort.rates):
            state = _state(cohort.period.start, k, rate, cohort.size, grid.incomplete)
            rows.append((cohort.period.label, cohort.size, k, cohort.returned[k], rate, state))
    fields = (
        Field("cohort", "First purchase"),
        Field("size", "Customers", "count"),
        Field("interval", "Months later", "count"),
        Field("returned", "Bought again", "count"),
        Field("rate", "Share", "ratio"),
        Field("state", "State"),
    )
    origin = book.lens.provenance(book.lens.sql[-1:], ["fct_orders"], len(rows))
    return Answer("Customers by first purchase", fields, tuple(rows), origin)


def products(book: Book, top: int = 12) -> Answer:
    """Articles by net revenue in the window: charged lines minus lines that came back, each by its own date."""
    lines = book.mart("fct_order_lines")
    lines = lines.filter(lines.status == "succeeded", lines.type.isin(("charge", "refund", "chargeback")))
    windows = [w for w in (book.window, book.before) if w is not None]
    lines = lines.filter(ibis.or_(*(w.holds(lines.ts) for w in windows)))
    signed = ibis.ifelse(lines.type == "charge", lines.net, -lines.net)
    now = book.window.holds(lines.ts)
    found = lines.group_by(product=ibis.coalesce(lines["product"], lines.product_id, "(unknown)")).aggregate(
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
    answer = book.ask("Products", fields, found.order_by(ibis.desc("net_revenue"), "product").limit(top))
    alike = book.compares("fct_order_lines")
    changed = tuple(
        (p, now, then if alike else None, growth(now, then if alike else None), *rest)
        for p, now, then, *rest in answer.rows
    )
    shown = (*answer.fields[:3], Field("change", "Change", "ratio"), *answer.fields[3:])
    return Answer(answer.title, shown, changed, answer.provenance)


def week_hours(book: Book) -> Answer:
    """Orders by local weekday and hour of the window, all 168 cells."""
    orders = book.mart("fct_orders")
    orders = orders.filter(book.window.holds(orders.ts))
    counted = orders.group_by(
        weekday=orders.local_ts.day_of_week.index().cast("int64"), hour=orders.local_ts.hour().cast("int64")
    ).aggregate(orders=orders.count())
    fields = (Field("weekday", "Weekday", "count"), Field("hour", "Hour", "count"), Field("orders", "Orders", "count"))
    answer = book.ask("Orders by weekday and hour", fields, counted)
    found = {(weekday, hour): count for weekday, hour, count in answer.rows}
    # An hour without an order is none only where somebody would know of one.
    silent = 0 if book.covers("fct_orders") else None
    rows = tuple(
        (name, f"{hour:02d}", found.get((weekday, hour), silent))
        for weekday, name in enumerate(_WEEKDAYS)
        for hour in range(24)
    )
    named = (Field("weekday", "Weekday"), Field("hour", "Local hour"), Field("orders", "Orders", "count"))
    return Answer(answer.title, named, rows, answer.provenance)


def received(book: Book) -> Answer:
    """From landed rows to figures: what the whole history before `as_of` holds, and what of it counts where."""
    lines = book.mart("fct_order_lines")
    known = lines.customer_id.nullif("").notnull()
    back = lines.type.isin(("refund", "chargeback"))
    rest = lines.status == "succeeded"
    signed = ibis.ifelse(lines.type == "charge", lines.net, -lines.net)
    moved = lines.type.isin(("charge", "refund", "chargeback")) & rest
    facts = {
        "Lines": lines.count(),
        "Order numbers, refunds and cancellations included": distinct(lines.order_id),
        "Lines that give money back": lines.count(where=back),
        "Lines pending, failed or canceled (in no revenue)": lines.count(where=~rest),
        "Lines with a customer": lines.count(where=known),
        "Customers": distinct(lines.customer_id),
        _NET: money(lines, signed, moved),
    }
    row = book.lens.rows(lines.aggregate(**{f"f{n}": value for n, value in enumerate(facts.values())}))[0]
    shown = [
        (name, formats.full(row[f"f{n}"], book.currency if name == _NET else "count")) for n, name in enumerate(facts)
    ]
    rejected = [(f"Rows rejected by {source}", count) for source, count in book.rejected("orders").items() if count]
    origin = book.lens.provenance(book.lens.sql[-1:], ["fct_order_lines"], row["f0"], money=True)
    fields = (Field("what", "What the data hold"), Field("number", "Number", "figure"))
    named = [(f"{name}, {book.currency}" if name == _NET else name, text) for name, text in shown]
    return Answer("From rows to figures", fields, tuple(named + rejected), origin)


def _state(start: date, k: int, rate: float | None, size: int, incomplete: tuple[tuple[date, int], ...]) -> str:
    if (start, k) in incomplete:
        return "incomplete"
    return "future" if rate is None and size else "complete"


def segments(book: Book) -> Answer:
    """Customers by recency, frequency and money, one row per segment (definitions 10), over the whole history."""
    orders = book.mart("fct_orders")
    bought = orders.select(
        "customer_id",
        day=orders.local_ts.date(),
        amount=orders.gross * orders.fx,
        refunded_amount=orders.refunded * orders.fx,
    )
    found = rfm_segments(rfm(bought.filter(bought.amount.notnull()), book.zone.day_of(book.as_of)))
    fields = (
        Field("segment", "Segment"),
        Field("customers", "Customers", "count"),
        Field("monetary", "Net revenue", "money"),
        Field("recency", "Days since last order", "number"),
        Field("frequency", "Orders per customer", "number"),
    )
    return book.ask("Customer segments", fields, found)


def what_changed(book: Book) -> Answer:
    """Net revenue of the window before, the parts of its change, and net revenue now; the parts add up exactly.

    No rows where the book compares with nothing, or with days that are not covered alike (C14).
    """
    fields = (Field("part", "Part"), Field("amount", "Amount", book.currency))
    if book.before is None or not book.compares("fct_transactions"):
        notes = book.value("net_revenue").provenance
        return Answer("What changed in net revenue", fields, (), replace(notes, sql=(), rows=None))
    start = len(book.lens.sql)
    old, new = _side(book, book.before), _side(book, book.window)
    parts = waterfall(old, new)
    lines = [
        (book.before.label, old.net),
        *((_named(part), part.amount) for part in parts),
        (book.window.label, new.net),
    ]
    shown = [line for n, line in enumerate(lines) if line[1] != 0 or n in (0, len(lines) - 1)]
    origin = book.lens.provenance(
        book.lens.sql[start:], ["fct_orders", "fct_transactions"], sum(s.orders for s in new.sales.values()), money=True
    )
    return Answer("What changed in net revenue", fields, tuple(shown), origin)


def _named(part: Part) -> str:
    words = f"{part.kind}, {part.customers.removesuffix(' customers')}" if part.customers else part.kind
    return words.capitalize()


def _side(book: Book, window: Window) -> Side:
    orders = book.mart("fct_orders")
    orders = orders.filter(window.holds(orders.ts), orders.fx.notnull())
    sales = sales_by_customers(orders.mutate(gross=orders.gross * orders.fx))
    groups = {row["customers"]: Sales(row["orders"], row["gross"]) for row in book.lens.rows(sales)}
    back = book.amounts(("refunds", "chargebacks"), [window])
    return Side(
        {name: groups[name] for name in CUSTOMERS if name in groups},
        refunds=Decimal(back["refunds", window] or 0),
        chargebacks=Decimal(back["chargebacks", window] or 0),
    )
