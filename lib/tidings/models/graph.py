"""The graph of models: which table is made from which, found by reading the functions' parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from tidings.discovery import discover
from tidings.errors import GraphError, suggest
from tidings.feeds import feeds
from tidings.models.model import Model
from tidings.models.staging.landed import default_staging

STAGING = "tidings.models.staging"
MARTS = "tidings.models.marts"
PACKAGES = (STAGING, MARTS)


def known_models(*packages: str) -> tuple[Model, ...]:
    """Every model of the packages (by default ours) and of the workbook, sorted by name.

    With our own packages, a feed without a staging model of its own gets `default_staging`.

    Raises:
        SettingsError: two models of one name.
    """
    wanted = packages or PACKAGES
    found = dict(discover(Model, "model", *wanted))
    for name in feeds() if STAGING in wanted else ():
        found.setdefault(f"stg_{name}", default_staging(name))
    return tuple(_filled(found[name], found) for name in sorted(found))


def _filled(model: Model, names: Iterable[str]) -> Model:
    """The model with the tables that `prefix*` in its reads stands for, sorted by name."""
    if not any(table.endswith("*") for table in model.reads):
        return model
    reads: list[str] = []
    for table in model.reads:
        prefix = table.removesuffix("*")
        reads += sorted(name for name in names if name.startswith(prefix)) if table.endswith("*") else [table]
    return replace(model, reads=tuple(reads))


@dataclass(frozen=True)
class Graph:
    """Models in build order: each after all that it reads. `roots` are the tables that no model makes."""

    models: Mapping[str, Model]
    roots: frozenset[str]

    @classmethod
    def of(cls, models: Iterable[Model], roots: Iterable[str]) -> Graph:
        """Put models into build order, ties by name.

        Raises:
            GraphError: a model reads a table that no model makes, has the name of a root, or models read
                each other in a cycle.
        """
        by_name = {model.name: model for model in models}
        given = frozenset(roots)
        for model in by_name.values():
            if model.name in given:
                raise GraphError(f"Model {model.name} has the name of a raw table.", "Rename it.")
            for table in model.reads:
                if table not in by_name and table not in given:
                    raise GraphError(
                        f"Model {model.name} reads the table {table}, which no model makes.",
                        suggest(table, [*by_name, *given]),
                    )
        reads = {name: [table for table in by_name[name].reads if table in by_name] for name in sorted(by_name)}
        try:
            order = tuple(TopologicalSorter(reads).static_order())
        except CycleError as error:
            circle = " → ".join(reversed(error.args[1]))
            raise GraphError(f"Models read each other in a cycle: {circle}.", "Remove one of these reads.") from error
        return cls({name: by_name[name] for name in order}, given)

    def ancestors(self, table: str) -> frozenset[str]:
        """All tables that a table is made from, directly or indirectly, roots included.

        Raises:
            GraphError: no such table.
        """
        if table not in self.models and table not in self.roots:
            raise GraphError(f"There is no table {table}.", suggest(table, [*self.models, *self.roots]))
        seen: set[str] = set()
        ahead = [table]
        while ahead:
            model = self.models.get(ahead.pop())
            new = set(model.reads) - seen if model else set()
            seen |= new
            ahead.extend(new)
        return frozenset(seen)

    def lineage(self, table: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What a table is made from, as (table, tables it reads) in building order, the table itself last.

        Raises:
            GraphError: no such table.
        """
        wanted = self.ancestors(table) | {table}
        return tuple((name, model.reads) for name, model in self.models.items() if name in wanted)
