"""A model is a function: its name is the table it makes, its parameter names the tables it reads.

A parameter `*prefix_` reads every table whose name begins with `prefix_`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import ibis.expr.types as ir

from tidings.errors import GraphError
from tidings.schema import Column, Contract


@dataclass(frozen=True)
class Model:
    """A table of the warehouse and how it is made from others.

    A name in `reads` that ends with `*` stands for every table whose name begins so; `known_models` fills them in.
    """

    name: str
    contract: Contract
    function: Callable[..., ir.Table] = field(compare=False)
    reads: tuple[str, ...]
    doc: str

    @property
    def layer(self) -> str:
        """`staging`, which makes rows of rows, or `marts`; by its name, as a workbook names its modules as it likes."""
        return "staging" if self.name.startswith(("stg_", "platform_metrics_")) else "marts"


def model(
    *, grain: str, key: tuple[str, ...], columns: Mapping[str, Column], fresh_hours: float | None = None
) -> Callable[[Callable[..., ir.Table]], Model]:
    """Declare a function from Ibis tables to one Ibis table as the model of its name.

    Raises:
        GraphError: the function has no docstring, or its key is not among its columns.
    """

    def declare(function: Callable[..., ir.Table]) -> Model:
        name = function.__name__
        doc = inspect.getdoc(function)
        if not doc:
            raise GraphError(f"Model {name} has no docstring.", "Say in one line what a row stands for.")
        unknown = [column for column in key if column not in columns]
        if unknown:
            raise GraphError(f"Model {name} names {unknown} as key but not as columns.", "Declare them.")
        return Model(
            name=name,
            contract=Contract(grain, key, columns, fresh_hours),
            function=function,
            reads=tuple(
                f"{name}*" if parameter.kind is parameter.VAR_POSITIONAL else name
                for name, parameter in inspect.signature(function).parameters.items()
            ),
            doc=doc,
        )

    return declare
