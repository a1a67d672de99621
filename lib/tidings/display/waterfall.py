"""Waterfall charts: the parts of the change between two totals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tidings.currencies import places
from tidings.display import axes, formats, rows
from tidings.display.bars import NAME, down
from tidings.display.figure import Figure, chart, note
from tidings.display.fragments import Table
from tidings.errors import UsageError
from tidings.language import say
from tidings.metrics.result import Result

_NEGLIGIBLE = Decimal("0.08")  # parts below this share of the total are too small to be seen


def waterfall(result: Result, title: str | None = None, unusual: bool | None = None) -> Figure:
    """The parts between the first row and the last: amounts in the first column of numbers.

    The first and the last row are totals, those between are signed parts; parts of nothing are in the table only. If
    the parts are too small beside the totals, only they are drawn, from zero to the change. Gains and losses have
    colours of their own only if the change is `unusual` (`Value.unusual`). Without rows it is a note.

    Raises:
        UsageError: fewer than two rows, an amount missing, or parts that do not add up to the difference.
    """
    result = rows.in_words(result)
    if not result.rows:
        return note(say("{title}: nothing to compare with.", title=result.title))
    measure = rows.value_field(result)
    steps = rows.pairs(result, result.rows, measure)
    if len(steps) < 2 or not all(formats.is_number(amount) for _, amount in steps):
        raise UsageError(
            f"'{result.title}' is not a waterfall.", "Give the first total, the parts, and the last total."
        )
    names = [name for name, _ in steps]
    amounts = [Decimal(str(amount)) for _, amount in steps]
    start, parts, end = amounts[0], amounts[1:-1], amounts[-1]
    made = start + sum(parts)
    # Differences below the smallest coin do not matter.
    if abs(made - end) > Decimal(1).scaleb(-places(measure.unit)):
        raise UsageError(
            f"The parts of '{result.title}' do not add up: they lead from {start} to {made}, not to {end}.",
            "Compute the remainder as a part of its own.",
        )
    is_small = bool(parts) and max(map(abs, parts)) < _NEGLIGIBLE * max(abs(start), abs(end))
    falls = _falls(names, amounts, is_small, measure.unit, is_judged=unusual is True)
    edges = [0.0, *(edge for fall in falls for edge in (fall["v"], fall["to"]))]
    low, high = min(edges), max(edges)

    def draw(width: int) -> dict[str, Any]:
        axis, above, step, shift = down([fall["name"] for fall in falls], width)
        texts = [fall["text"] for fall in falls]
        scale = axes.with_room(low, high, width - (0 if above else NAME), texts, both=low < 0)
        x = {"type": "quantitative", "scale": scale, "axis": None}
        layers: list[dict[str, Any]] = [
            {
                "transform": [{"filter": {"field": "kind", "equal": kind}}],
                "mark": {"type": "bar", "style": f"bar-{kind}", "height": 18, "yOffset": shift},
                "encoding": {"x": {"field": "v", **x}, "x2": {"field": "to"}},
            }
            for kind in dict.fromkeys(fall["kind"] for fall in falls)
        ]
        for side, align, dx in (("right", "left", 6), ("left", "right", -6)):
            layers.append(
                {
                    "transform": [{"filter": f"isValid(datum.{side})"}],
                    "mark": {"type": "text", "style": "label", "align": align, "dx": dx, "dy": shift},
                    "encoding": {"x": {"field": side, **x}, "text": {"field": "text"}},
                }
            )
        line = {"x": {"datum": 0, **x}, "y": {"value": 0}, "y2": {"value": "height"}}
        layers += [{"mark": {"type": "rule", "style": "zero"}, "encoding": line}, *above]
        spec = {
            "data": {"values": falls},
            "height": {"step": step},
            "encoding": {"y": axis},
            "layer": layers,
        }
        return axes.sized(spec, width)

    listed = ", ".join(f"{n} {formats.signed(a, measure.unit)}" for n, a in zip(names[1:-1], parts, strict=True))
    unit = measure.unit if formats.is_currency(measure.unit) else ""
    return chart(
        title=title or _title(names, amounts, measure.unit, unusual),
        subtitle=" · ".join(filter(None, [result.title, unit])),
        alt=say(
            "Waterfall from {first} ({start}) to {last} ({end}): {parts}.",
            first=names[0],
            start=formats.short(start, measure.unit),
            last=names[-1],
            end=formats.short(end, measure.unit),
            parts=listed or say("no parts"),
        ),
        draw=draw,
        table=Table.of(result),
        provenance=result.provenance,
        notes=[say("Only the change is drawn: the parts are small beside the totals.")] if is_small else [],
        metrics=rows.metrics_of([measure]),
    )


def _falls(
    names: Sequence[str], amounts: Sequence[Decimal], is_small: bool, unit: str, *, is_judged: bool
) -> list[dict[str, Any]]:
    """The bars from top to bottom, each from where the one before ended."""
    start, end = amounts[0], amounts[-1]
    level = Decimal(0) if is_small else start
    falls = [] if is_small else [_fall(names[0], Decimal(0), start, "total", str(formats.short(start, unit)))]
    for name, amount in zip(names[1:-1], amounts[1:-1], strict=True):
        if amount:
            is_loud = is_judged and not _is_unknown(name)
            kind = ("up" if amount > 0 else "down") if is_loud else "quiet"
            falls.append(_fall(name, level, level + amount, kind, formats.signed(amount, unit)))
        level += amount
    if is_small:
        return [*falls, _fall(say("Change"), Decimal(0), level, "total", formats.signed(end - start, unit))]
    return [*falls, _fall(names[-1], Decimal(0), end, "total", str(formats.short(end, unit)))]


def _fall(name: str, start: Decimal, end: Decimal, kind: str, text: str) -> dict[str, Any]:
    """One bar; its label stands on the side that does not lead across the zero line."""
    low, high = sorted((start, end))
    side = {"left": float(low)} if high <= 0 and low < 0 else {"right": float(high)}
    return {"name": name, "v": float(start), "to": float(end), **side, "kind": kind, "text": text}


def _is_unknown(name: str) -> bool:
    """Whether nothing is known of the customers of a part, so that it is no cause."""
    return name.endswith(say(", unknown"))


def _title(names: Sequence[str], amounts: Sequence[Decimal], unit: str, unusual: bool | None) -> str:
    moved = formats.signed(amounts[-1] - amounts[0], unit)
    change = say("{change} from {first} to {last}", change=moved, first=names[0], last=names[-1])
    if unusual is False:
        change += say(", within usual variation")
    if len(names) == 2:
        return change
    parts = list(zip(names[1:-1], amounts[1:-1], strict=True))
    known = [part for part in parts if not _is_unknown(part[0])]
    name, amount = max(known or parts, key=lambda part: abs(part[1]))
    largest = {"name": rows.in_sentence(name), "amount": formats.signed(amount, unit)}
    if 0 < len(known) < len(parts):
        return f"{change}; {say('largest known part: {name}, {amount}', **largest)}"
    return f"{change}; {say('largest part: {name}, {amount}', **largest)}"
