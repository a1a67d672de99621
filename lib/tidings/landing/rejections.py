"""Summaries of rejections: reasons that differ only in the cell they quote count as one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.enrich.redaction import redact

_SENTENCES = re.compile(r"; (?=\w+: )")
# A reason as `conversion.py` writes it: the column, the cell in quotes, what is wrong with it.
_CELL = re.compile(r"^(\w+: )'(.*?)'( (?:is|are|lies|was|has|cannot|does|holds)\b.*)$", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")
_SHOWN = 40


@dataclass(frozen=True)
class Reason:
    """One reason, how many rows it concerns, and the first cell as an example, redacted (empty: it quotes none)."""

    kind: str
    rows: int
    example: str
    noun: str = "row"

    def __str__(self) -> str:
        rows = f"1 {self.noun}" if self.rows == 1 else f"{self.rows:,} {self.noun}s"
        return f"{rows}: {self.kind}" + (f", such as '{self.example}'" if self.example else "")


def kinds_of(reason: str) -> list[tuple[str, str]]:
    """The reasons in a rejected row's text, each without the cell, and that cell."""
    found = []
    for sentence in _SENTENCES.split(reason):
        cell = _CELL.match(sentence)
        if cell:
            found.append((cell[1].strip() + cell[3], cell[2]))
        else:
            quoted = _QUOTED.search(sentence)
            found.append((_QUOTED.sub("'…'", sentence), quoted[0].strip("'") if quoted else ""))
    return found


def reasons_in(file: Path) -> list[Reason]:
    """The reasons in a file of rejected rows, the most common first; a row with two faults counts under both."""
    counts = pc.value_counts(pq.read_table(file, columns=["reason"])["reason"])
    return commonest((row["values"], row["counts"]) for row in counts.to_pylist())


def by_day(landed: Path, time: str, rejected: Path) -> list[dict[str, Any]]:
    """The rejected rows of a load counted by day and reason: `day`, `reason`, `example`, `rows`, and `of`, all rows.

    A rejected row has no time of its own: its day is that of the landed row before it (at the beginning the first after
    it), null if nothing was landed. A row counts under the first of its reasons. Days without rejected rows are
    included with an empty reason.
    """
    bad = pq.read_table(rejected, columns=["line", "reason"])
    good = pq.read_table(landed, columns=["_line", time])
    days = good[time].cast(pa.timestamp("us")).cast(pa.date32())
    counts: dict[tuple[date | None, str], tuple[int, int, str]] = {}
    for row in pc.value_counts(days).to_pylist():
        counts[(row["values"], "")] = (0, row["counts"], "")
    kinds = pc.dictionary_encode(bad["reason"].combine_chunks())
    first = [kinds_of(reason)[0] for reason in kinds.dictionary.to_pylist()]
    places = _before(good["_line"].to_numpy(), bad["line"].to_numpy())
    its_days = [None] * len(bad) if places is None else days.take(pa.array(places)).to_pylist()
    for day, index in zip(its_days, kinds.indices.to_pylist(), strict=True):
        kind, cell = first[index]
        rows, of, example = counts.get((day, kind), (0, 0, ""))
        counts[(day, kind)] = (rows + 1, of + 1, example or shown(cell))
    return [
        {"day": day, "reason": kind, "example": example, "rows": rows, "of": of}
        for (day, kind), (rows, of, example) in counts.items()
    ]


def _before(lines: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
    """For each line the index of the last of `lines` before it; null if there is none."""
    if not len(lines):
        return None
    order = np.argsort(lines, kind="stable")
    return np.asarray(order[np.maximum(np.searchsorted(lines, asked, sorter=order) - 1, 0)], dtype=np.int64)


def commonest(reasons: Iterable[tuple[str, int]]) -> list[Reason]:
    """Reasons of rows counted and grouped, the most common first."""
    found: dict[str, Reason] = {}
    for reason, rows in reasons:
        for kind, cell in kinds_of(reason):
            before = found.get(kind)
            found[kind] = Reason(kind, rows + (before.rows if before else 0), before.example if before else shown(cell))
    return sorted(found.values(), key=lambda each: (-each.rows, each.kind))


def shown(cell: str) -> str:
    """A cell that is safe to show: redacted, one line, not too long."""
    text = " ".join(redact(cell).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def options_against(reasons: Iterable[Reason], known: Collection[str]) -> list[str]:
    """The options of a file source that may be behind such reasons."""
    options = []
    for reason in reasons:
        if "number" in reason.kind:
            options.append("decimal")
        if "time" in reason.kind or "date" in reason.kind:
            options += ["time_format", "timezone"]
        if "values where" in reason.kind or "quoted" in reason.kind:
            options.append("separator")
        if "the line is not" in reason.kind:
            options.append("encoding")
    return [option for option in dict.fromkeys(options) if option in known]
