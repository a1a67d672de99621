"""Why rows were rejected, in few words: reasons that differ only in the cell they quote are one reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tidings.sources.redaction import redact

_SENTENCES = re.compile(r"; (?=\w+: )")
# A reason as `conversion.py` writes it: the column, the cell in quotes, what is wrong with it.
_CELL = re.compile(r"^(\w+: )'(.*?)'( (?:is|are|lies|was|has|cannot|does|holds)\b.*)$", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")
_SHOWN = 40


@dataclass(frozen=True)
class Reason:
    """One reason, how many rows it concerns, and the first cell that shows it, redacted (empty: it quotes none)."""

    kind: str
    rows: int
    example: str

    def __str__(self) -> str:
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{rows}: {self.kind}" + (f", such as '{self.example}'" if self.example else "")


def kinds_of(reason: str) -> list[tuple[str, str]]:
    """The reasons that a rejected row gives, each without the cell, and that cell."""
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
    """The reasons in a file of rejected rows, the commonest first; a row with two faults counts under both."""
    counts = pc.value_counts(pq.read_table(file, columns=["reason"])["reason"])
    return commonest((row["values"], row["counts"]) for row in counts.to_pylist())


def commonest(reasons: Iterable[tuple[str, int]]) -> list[Reason]:
    """Reasons as rows give them, counted, put together; the commonest first."""
    found: dict[str, Reason] = {}
    for reason, rows in reasons:
        for kind, cell in kinds_of(reason):
            before = found.get(kind)
            found[kind] = Reason(kind, rows + (before.rows if before else 0), before.example if before else shown(cell))
    return sorted(found.values(), key=lambda each: (-each.rows, each.kind))


def shown(cell: str) -> str:
    """A cell as it may be shown: redacted, one line, not too long."""
    text = " ".join(redact(cell).split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def options_against(reasons: Iterable[Reason], known: Mapping[str, str]) -> list[str]:
    """The options of a file source that have to do with such reasons."""
    wanted = []
    for reason in reasons:
        if "number" in reason.kind:
            wanted.append("decimal")
        if "time" in reason.kind or "date" in reason.kind:
            wanted += ["time_format", "timezone"]
        if "values where" in reason.kind or "quoted" in reason.kind:
            wanted.append("separator")
        if "the line is not" in reason.kind:
            wanted.append("encoding")
    return [option for option in dict.fromkeys(wanted) if option in known]
