"""Guesses the feed and the options of an unknown file: a proposal with reasons, for the user to confirm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from tidings.errors import UsageError, suggest
from tidings.mapping.shapes import SHAPES
from tidings.mapping.statement import holds_addresses
from tidings.mapping.synonyms import COLUMNS, PLATFORM_METRIC_ROWS, likeness, plain
from tidings.parsing.inference import Marks, Times, currency_of, decimal_mark, filled, is_number, is_value, times
from tidings.parsing.reading import Head
from tidings.platform_metrics import PLATFORM_METRICS

What = Literal["time", "number", "text", "address", "empty"]
_MOST: Final = 0.8
_LIKE: Final = 0.3
_LINES: Final = ("line_id", "product_id", "product", "category", "quantity", "unit_price")
_VITALS: Final = ("LCP", "INP", "CLS", "FCP", "TTFB")
_NUMBERS: Final = (
    "quantity",
    "unit_price",
    "amount",
    "tax",
    "fee",
    "value",
    "latency_ms",
    "cost",
    "tokens_in",
    "tokens_out",
)
MONEY: Final = ("amount", "unit_price", "tax", "fee", "cost")
"""Columns whose cells may name a currency."""
_TEXTS: Final = ("product", "category", "currency", "event", "path", "url", "endpoint", "method", "metric")
# Columns with a fixed set of values.
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("charge", "refund", "chargeback", "payout", "transfer"),
    "status": ("succeeded", "pending", "failed", "canceled"),
}
_WHOLE: Final = {"orders": ("order_id", "ts", "amount"), "events": ("ts", "event"), "requests": ("ts", "status"),
                 "vitals": ("ts", "metric", "value"), "platform_metrics": ("ts", "metric", "value")}  # fmt: skip
_SHOWN: Final = 60
_FEW: Final = 4
_TOP_STATUS: Final = 599
_CLOCK: Final = re.compile(r"\d\d?:\d\d(:\d\d)?( ?[AaPp][Mm])?$")


@dataclass(frozen=True)
class Seen:
    """One column of a file: its name, its kind, its cells in the sample, and the share of rows that fill it."""

    name: str
    what: What
    values: tuple[str, ...]
    times: Times | None = None
    share: float = 1.0


@dataclass(frozen=True)
class Guess:
    """A proposal: the feed (null: none fits), the options of a source except its path, and messages.

    `doubts` are questions that only a person can answer; `lacks` is what keeps a file from fitting any feed.
    """

    kind: str | None
    options: Mapping[str, Any]
    columns: tuple[Seen, ...]
    doubts: tuple[str, ...] = ()
    lacks: str = ""
    left_out: tuple[str, ...] = ()
    marks: Marks = field(default_factory=lambda: Marks(None, ""))


def columns_of(head: Head) -> tuple[Seen, ...]:
    """The kind of each column of a file."""
    found = []
    for number, name in enumerate(head.names):
        kind, values = head.types[number], tuple(filled(row[number] for row in head.sample))
        if holds_addresses(name, number, head):
            found.append(Seen(name, "address", values))
        elif kind.startswith(("TIMESTAMP", "DATE")):
            found.append(Seen(name, "time", values, Times("", 1.0, "")))
        elif kind != "VARCHAR":
            number_like = kind.startswith(("DOUBLE", "FLOAT", "DECIMAL")) or "INT" in kind
            found.append(Seen(name, "number" if number_like else "text", values))
        else:
            share = len(values) / len(head.sample) if head.sample else 1.0
            found.append(replace(_seen(name, values), share=share))
    return tuple(found)


def _seen(name: str, values: tuple[str, ...]) -> Seen:
    if not values:
        return Seen(name, "empty", values)
    written = times(values)
    if written.share >= _MOST and not (written.form == "" and _is_plain_number(name, values)):
        return Seen(name, "time", values, written)
    numbers = sum(map(is_number, values))
    return Seen(name, "number" if numbers >= _MOST * len(values) else "text", values)


def _is_plain_number(name: str, values: Sequence[str]) -> bool:
    """True for numbers in the range of Unix times without such a name: ids, mostly."""
    return all(text.replace(".", "").isdigit() for text in values) and likeness(name, COLUMNS["orders"]["ts"]) < _LIKE


def marks_of(columns: Sequence[Seen]) -> Marks:
    """The decimal mark of the number columns together; if one proves it, no other leaves a doubt."""
    found = [decimal_mark(column.values) for column in columns if column.what == "number"]
    proved = {marks.decimal for marks in found if marks.decimal}
    if len(proved) == 1:
        return next(marks for marks in found if marks.decimal)
    if proved:
        one, other = (next(m.example for m in found if m.decimal == mark) for mark in (",", "."))
        return Marks(None, one, f"'{one}' has a decimal comma and '{other}' a decimal point: both cannot be read")
    return next((marks for marks in found if marks.doubt), Marks(None, ""))


def guess(
    head: Head,
    encoding: str = "utf-8",
    kind_given: str | None = None,
    *,
    pinned: Mapping[str, str] | None = None,
    defaults: Mapping[str, str] | None = None,
) -> Guess:
    """A proposal for a file by its first rows; of the feed `kind_given`, if any.

    `pinned` are columns that a person has mapped, kept if the file has them with suitable content; `defaults` constants
    that a person has set.

    Raises:
        UsageError: there is no such kind of file source.
    """
    if kind_given is not None and kind_given not in COLUMNS:
        raise UsageError(f"'{kind_given}' is not a kind of file source.", suggest(kind_given, COLUMNS))
    columns = columns_of(head)
    given = dict(defaults or {})
    tried = {kind: _mapped(kind, columns, pinned or {}) for kind in COLUMNS if kind_given in (None, kind)}
    scores = {kind: _score(kind, mapped) for kind, mapped in tried.items()}
    kind = max(scores, key=lambda each: scores[each])
    if scores[kind] <= 0:
        wide = _wide(columns, given.get("metric")) if kind_given in (None, "platform_metrics") else None
        if wide is None:
            return Guess(None, {}, columns, lacks=_lacking(tried, columns))
        kind, mapped, metric = "platform_metrics", *wide
        constants = {"metric": metric}
    else:
        mapped = tried[kind]
        constants = {"event": "pageview"} if kind == "events" and "event" not in mapped else {}
    known = {**constants, **{name: value for name, value in given.items() if name in _columns_of(kind)}}
    return _proposal(kind, mapped, known, columns, encoding)


def _proposal(
    kind: str, mapped: Mapping[str, Seen], defaults: Mapping[str, str], columns: Sequence[Seen], encoding: str
) -> Guess:
    doubts = []
    kept = dict(mapped)
    for column, known in _KNOWN.items():
        if kind == "orders" and column in kept and not _are(kept[column].values, known):
            values = ", ".join(f"'{value}'" for value in list(dict.fromkeys(kept[column].values))[:4])
            doubts.append(
                f"'{kept.pop(column).name}' holds {values}, none of which is a {column} that is known "
                f"({', '.join(known)}): all rows count, whatever it says, unless you take some out of the file"
            )
    if kind == "orders" and kept["ts"].share < 1:
        doubts.append(_first_lines(kept))
    options: dict[str, Any] = {"kind": kind}
    if encoding != "utf-8":
        options["encoding"] = encoding
    marks = marks_of([seen for column, seen in kept.items() if column in _NUMBERS])
    if marks.decimal == ",":
        options["decimal"] = ","
    if marks.doubt:
        doubts.append(marks.doubt)
    when = kept["ts"].times
    if when is not None and when.form:
        options["time_format"] = when.form
    if when is not None and when.doubt:
        doubts.append(when.doubt)
    clock = next((c for c in columns if c.what == "text" and c.values and all(map(_CLOCK.match, c.values))), None)
    if clock is not None:
        doubts.append(f"the time of day stands in a column of its own, '{clock.name}': only days are read")
    code, doubt = currency_of(_amounts(kept), marks.decimal or ".") if "currency" not in kept else (None, "")
    if code:
        options["currency"] = code
    if doubt:
        doubts.append(doubt)
    elif kind == "orders" and not code and "currency" not in kept:
        doubts.append("no column says the currency: set currency if it is not the workbook's")
    options["columns"] = {column: seen.name for column, seen in kept.items()}
    if defaults:
        options["defaults"] = dict(defaults)
    used = {seen.name for seen in kept.values()}
    rest = tuple(seen.name for seen in columns if seen.name not in used)
    return Guess(kind, options, tuple(columns), tuple(doubts), left_out=rest, marks=marks)


def _amounts(kept: Mapping[str, Seen]) -> list[str]:
    return [value for column in MONEY if column in kept for value in kept[column].values]


def _first_lines(kept: dict[str, Seen]) -> str:
    """The message on orders whose time is on their first line only; if totals are there too, further lines are left
    out.
    """
    when = kept["ts"]
    empty = f"'{when.name}' is empty in {1 - when.share:.0%} of the rows, which are rejected"
    if "amount" not in kept or kept["amount"].share > when.share:
        return f"{empty}: if these are further lines of an order, fill it in"
    for column in _LINES:
        kept.pop(column, None)
    return f"{empty}: amounts are totals of complete orders, so further lines add no money; products are left out"


def _columns_of(kind: str) -> tuple[str, ...]:
    """The columns of a feed, and what may be mapped beside them."""
    shape = next(shape for shape in SHAPES if shape.feed.name == kind)
    return (*shape.feed.columns, *shape.helpers)


def _mapped(kind: str, columns: Sequence[Seen], pinned: Mapping[str, str]) -> dict[str, Seen]:
    """Matches of feed columns and the file's columns by name and content; the most certain first."""
    pairs = []
    for column, known in COLUMNS[kind].items():
        for place, seen in enumerate(columns):
            like = likeness(seen.name, known)
            if like > _LIKE and _fits(column, seen):
                # A column that is filled in every row is the likelier match.
                pairs.append((like * (0.5 + seen.share / 2), -place, column, seen))
    named = {seen.name: seen for seen in columns}
    found = {
        column: named[name]
        for column, name in pinned.items()
        if column in _columns_of(kind) and name in named and _fits(column, named[name])
    }
    for _, _, column, seen in sorted(pairs, key=lambda pair: pair[:2], reverse=True):
        if column not in found and seen not in found.values():
            found[column] = seen
    if "ts" not in found:
        dated = [seen for seen in columns if seen.what == "time" and seen not in found.values()]
        if len(dated) == 1:
            found["ts"] = dated[0]
    return {column: found[column] for column in dict.fromkeys((*COLUMNS[kind], *found)) if column in found}


def _fits(column: str, seen: Seen) -> bool:
    if column == "ip":
        return seen.what == "address"
    if seen.what in ("address", "empty"):
        return False
    if column == "ts":
        return seen.what == "time"
    if column in _NUMBERS:
        return seen.what == "number"
    if column in _TEXTS:
        return seen.what == "text"
    return seen.what != "time"


def _score(kind: str, mapped: Mapping[str, Seen]) -> int:
    """The score of a feed; 0 if something essential is missing."""
    if "ts" not in mapped:
        return 0
    if kind == "orders":
        has_money = "amount" in mapped or {"quantity", "unit_price"} <= mapped.keys()
        is_more = {"unit_price", "customer_id", "product", "currency", "quantity", "tax", "product_id"} & mapped.keys()
        return 2 + len(mapped) if "order_id" in mapped and has_money and (is_more or len(mapped) > 2) else 0
    if kind == "events":
        is_visit = {"visitor_id", "user_id", "referrer", "user_agent", "ip"} & mapped.keys()
        is_event = "event" in mapped or {"url", "path"} & mapped.keys()
        return 1 + len(mapped) if is_event and is_visit and "amount" not in mapped else 0
    if kind == "requests":
        codes = mapped.get("status")
        is_http = codes is not None and all(v.isdigit() and int(v) <= _TOP_STATUS for v in codes.values)
        return len(mapped) if (is_http or "latency_ms" in mapped) and len(mapped) > 3 else 0
    if not {"metric", "value"} <= mapped.keys():
        return 0
    known = _VITALS if kind == "vitals" else tuple(PLATFORM_METRICS)
    return 20 if _are(mapped["metric"].values, known) else 0


def _are(values: Sequence[str], known: Sequence[str]) -> bool:
    names = {name.lower() for name in known}
    return bool(values) and sum(value.lower() in names for value in values) >= _MOST * len(values)


def _wide(columns: Sequence[Seen], chosen: str | None) -> tuple[dict[str, Seen], str] | None:
    """A table with a day and one column per metric: the mapping for the first known metric, or for `chosen`."""
    day = next((seen for seen in columns if seen.what == "time"), None)
    for metric, known in PLATFORM_METRIC_ROWS.items():
        if chosen not in (None, metric):
            continue
        for seen in columns:
            if day is not None and seen.what == "number" and plain(seen.name) in known:
                return {"ts": day, "value": seen}, metric
    return None


def _is_aligned(seen: Seen) -> bool:
    """True if one column holds several, separated by spaces."""
    widths = {len(value.split()) for value in seen.values}
    return len(widths) == 1 and max(widths) > 1 and len(seen.name.split()) in widths


def _lacking(tried: Mapping[str, Mapping[str, Seen]], columns: Sequence[Seen]) -> str:
    if len(columns) == 1 and _is_aligned(columns[0]):
        above = ", and names in a first line" if all(map(is_value, columns[0].name.split())) else ""
        return f"its columns are separated by spaces, which is not supported: write commas or tabs between them{above}"
    if sum(is_value(seen.name) for seen in columns) * 2 >= len(columns):
        first = ", ".join(seen.name for seen in columns)
        return f"its first line ({first[:_SHOWN]}) is a row, no names: write a header line above it"
    day = next((seen.name for seen in columns if seen.what == "time"), None)
    if day is None:
        return "no column holds times, and every feed needs to know when"
    numbers = ", ".join(f"'{seen.name}'" for seen in columns if seen.what == "number")[:_SHOWN]
    kind = max(tried, key=lambda each: len({*_WHOLE[each]} & tried[each].keys()))
    if "platform_metrics" in tried and tried[kind].keys() <= {"ts", "unit_price", "amount", "value"} and numbers:
        return (
            f"it has times ('{day}') and numbers ({numbers}), and nothing says what they are of. If they count "
            'something by day, set kind = "platform_metrics", map value to one of them, and say what it is in '
            f"`defaults`: metric = one of {', '.join(list(PLATFORM_METRICS)[:_FEW])}, …"
        )
    lacking = [column for column in _WHOLE[kind] if column not in tried[kind]]
    docs = {shape.feed.name: shape.feed for shape in SHAPES}[kind].columns
    reported = "; ".join(f"{column} ({docs[column].doc.split(';')[0].rstrip('.')})" for column in lacking)
    return f"it comes nearest to {kind}, and no column was recognised as {reported or 'what such a row is about'}"
