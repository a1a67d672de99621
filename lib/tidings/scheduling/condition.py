"""A condition over figures of a run, as `net_revenue.change < -10 % or any alert is open`: parsed, never run."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tidings.errors import SettingsError, suggest
from tidings.metrics.registry import registry

_OF = ("value", "change", "before")
_ALERT = "any_alert_is_open"
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Decimal, Decimal], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_FORM = 'Write it as only_if = "net_revenue.change < -10 % or any alert is open".'

Figures = Mapping[tuple[str, str], Decimal | None]
"""The figures of a run by metric and `value`, `change` (as a share of before) or `before`; null where unknown."""


@dataclass(frozen=True)
class Condition:
    """A condition: its text as written, and the figures that it needs, as (metric, which)."""

    text: str
    tree: ast.expr
    figures: tuple[tuple[str, str], ...]

    def holds(self, figures: Figures, *, has_alert: bool) -> bool | None:
        """Whether it holds; null where that hangs on a figure that is not known."""
        return _truth(self.tree, figures, has_alert)


def parse_condition(text: str, where: str) -> Condition:
    """A condition from text; `where` names its place in sentences.

    Raises:
        SettingsError: it is no condition, or names a figure that is not known here.
    """
    written = _PERCENT.sub(lambda found: str(Decimal(found[1]) / 100), text)
    written = re.sub(r"\bany alert is open\b", _ALERT, " ".join(written.split()))
    try:
        tree = ast.parse(written, mode="eval").body
        needed: dict[tuple[str, str], None] = {}
        _check(tree, needed)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SettingsError(f"{where} only_if '{text}' is not a condition.", _FORM) from None
    for metric, which in needed:
        if metric not in registry():
            raise SettingsError(f"{where} only_if names an unknown metric '{metric}'.", suggest(metric, registry()))
        if which not in _OF:
            raise SettingsError(f"{where} only_if asks for '{metric}.{which}'.", suggest(which, _OF))
    return Condition(text.strip(), tree, tuple(needed))


def _check(node: ast.expr, needed: dict[tuple[str, str], None]) -> None:
    """Refuse what is not a condition, and note its figures."""
    match node:
        case ast.BoolOp(values=values):
            for each in values:
                _check(each, needed)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check(operand, needed)
        case ast.Name(id=name) if name == _ALERT:
            pass
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            for side in (left, right):
                _check_number(side, needed)
        case _:
            raise ValueError(ast.dump(node))


def _check_number(node: ast.expr, needed: dict[tuple[str, str], None]) -> None:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check_number(operand, needed)
        case ast.Name(id=metric):
            needed[metric, "value"] = None
        case ast.Attribute(value=ast.Name(id=metric), attr=which):
            needed[metric, which] = None
        case _:
            raise ValueError(ast.dump(node))


def _truth(node: ast.expr, figures: Figures, has_alert: bool) -> bool | None:
    match node:
        case ast.BoolOp(op=op, values=values):
            found = [_truth(each, figures, has_alert) for each in values]
            decides = isinstance(op, ast.Or)
            return decides if decides in found else None if None in found else not decides
        case ast.UnaryOp(operand=operand):
            known = _truth(operand, figures, has_alert)
            return None if known is None else not known
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            one, other = _number(left, figures), _number(right, figures)
            return None if one is None or other is None else _COMPARISONS[type(op)](one, other)
        case _:
            return has_alert


def _number(node: ast.expr, figures: Figures) -> Decimal | None:
    match node:
        case ast.Constant(value=value):
            return Decimal(str(value))
        case ast.UnaryOp(operand=operand):
            known = _number(operand, figures)
            return None if known is None else -known
        case ast.Attribute(value=ast.Name(id=metric), attr=which):
            return figures.get((metric, which))
        case ast.Name(id=metric):
            return figures.get((metric, "value"))
        case _:
            raise ValueError(ast.dump(node))
