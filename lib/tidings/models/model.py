"""A model is a function: its name is the table it makes, its parameter names the tables it reads.

A parameter `*prefix_` reads every table whose name begins with `prefix_`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import ibis.expr.types as ir

from tidings.errors import GraphError
from tidings.schema import Column, Contract

Money = Literal["", "report", "day"]


@dataclass(frozen=True)
class AsOf:
    """What a report as of some instant sees of a table: rows whose `ts` is before it, with the values they had then.

    `instant`: a row may include later rows of other tables (an order its refunds). If there are any, `function`
    recomputes the rows from its parameters, tables limited to before `as_of`.
    `hour`: `function` gives finer rows for hours that `as_of` or the start of a local day splits.
    `day`: platform metrics, of which only complete days are visible, and one breakdown each.
    """

    unit: Literal["instant", "hour", "day"] = "instant"
    function: Callable[..., ir.Table] | None = field(default=None, compare=False)

    @property
    def reads(self) -> tuple[str, ...]:
        """The tables that `function` reads, by the names of its parameters."""
        return () if self.function is None else tuple(inspect.signature(self.function).parameters)


@dataclass(frozen=True)
class Model:
    """A table of the warehouse and how it is made from others.

    A name in `reads` that ends with `*` stands for every table with that prefix; `known_models` expands it.
    `money` is set on the model in which amounts first appear, not on those derived from it: `report` amounts are
    converted at one rate per currency for the whole report, `day` amounts at the rate of their day as well.
    """

    name: str
    contract: Contract
    function: Callable[..., ir.Table] = field(compare=False)
    reads: tuple[str, ...]
    doc: str
    as_of: AsOf = AsOf()
    money: Money = ""

    @property
    def layer(self) -> str:
        """`staging` or `marts`: taken from the model's name, since a workbook may name its modules freely."""
        return "staging" if self.name.startswith(("stg_", "platform_metrics_")) else "marts"


def model(
    *,
    grain: str,
    key: tuple[str, ...],
    columns: Mapping[str, Column],
    fresh_hours: float | None = None,
    as_of: AsOf = AsOf(),
    money: Money = "",
) -> Callable[[Callable[..., ir.Table]], Model]:
    """Declare a function from Ibis tables to one Ibis table as the model of its name.

    Raises:
        GraphError: the function has no docstring, or its key is not among its columns.
    """

    def declare(function: Callable[..., ir.Table]) -> Model:
        name = function.__name__
        doc = inspect.getdoc(function)
        if not doc:
            raise GraphError(f"Model {name} has no docstring.", "Say in one line what a row is.")
        unknown = [column for column in key if column not in columns]
        if unknown:
            raise GraphError(f"Model {name} has {unknown} in its key but not among its columns.", "Declare them.")
        return Model(
            name=name,
            contract=Contract(grain, key, columns, fresh_hours),
            function=function,
            reads=tuple(
                f"{name}*" if parameter.kind is parameter.VAR_POSITIONAL else name
                for name, parameter in inspect.signature(function).parameters.items()
            ),
            doc=doc,
            as_of=as_of,
            money=money,
        )

    return declare
