"""Listings for analysts: the metrics of the workbook and the tables of a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidings.display.tables import table
from tidings.errors import UsageError, suggest
from tidings.metrics.registry import registry
from tidings.metrics.result import Field, Provenance, Result
from tidings.warehouse.reader import Warehouse

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Listing(Mapping[str, Any]):
    """Entries by name, shown as a table; the error for an unknown name suggests the nearest one."""

    what: str
    entries: Mapping[str, Any] = field(hash=False)
    result: Result = field(hash=False)

    def __getitem__(self, name: str) -> Any:
        if name not in self.entries:
            raise UsageError(f"There is no {self.what} '{name}'.", suggest(name, self.entries))
        return self.entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return repr(self.result)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return table(self.result)._repr_mimebundle_()

    def to_pandas(self) -> pd.DataFrame:
        """One row per entry."""
        return self.result.to_pandas()


def metrics_listing() -> Listing:
    """Every metric."""
    metrics = registry()
    fields = (
        Field("name", "Metric"),
        Field("title", "Title"),
        Field("unit", "Unit"),
        Field("kind", "Kind"),
        Field("definition", "Definition"),
    )
    rows = tuple((m.name, m.title, m.unit, m.kind, m.definition) for m in metrics.values())
    return Listing("metric", metrics, Result("Metrics", fields, rows, Provenance((), {}, "")))


def tables_listing(warehouse: Warehouse) -> Listing:
    """Every table of a build."""
    fields = (
        Field("name", "Table"),
        Field("grain", "A row is"),
        Field("rows", "Rows", "count"),
        Field("last_row_at", "Last row at (UTC)"),
    )
    infos = dict(sorted(warehouse.tables.items()))
    rows = tuple(
        (
            name,
            info.grain,
            info.rows,
            None if info.last_row_at is None else f"{info.last_row_at:%Y-%m-%d %H:%M}",
        )
        for name, info in infos.items()
    )
    return Listing("table", infos, Result("Tables", fields, rows, Provenance((), {}, warehouse.build_id)))
