"""Remarks on rows that the user should know: values a vendor has added, and its own qualifications of its numbers.

A vendor adds names whenever it likes. A row with an unknown one is landed as it is, stays out of metrics that would
have to guess its meaning, and is counted and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

_REPORTED = 5
_LONGEST = 80


@dataclass(frozen=True, order=True)
class Remark:
    """A remark on rows: `text`, what is `counted`, and what `becomes` of it."""

    text: str
    counted: str
    becomes: str


@dataclass(frozen=True)
class Vocabulary:
    """The known values of a feed's column, compared by `plain`; null and empty values always pass.

    `what` names such a value in a sentence, `becomes` says what its rows are used for. The sentence counts `counted`,
    by the column `quantity` if given, else by rows. With `last_word` only the last word has to be known.
    """

    column: str
    known: frozenset[str]
    what: str
    becomes: str = "in no figure"
    counted: str = "records"
    quantity: str = ""
    last_word: bool = False

    def remarks(self, rows: pa.Table) -> Counter[Remark]:
        """How often unknown values occur."""
        found: Counter[Remark] = Counter()
        if self.column not in rows.column_names:
            return found
        often = rows[self.quantity] if self.quantity in rows.column_names else None
        for each in pc.unique(rows[self.column]).to_pylist():
            name = plain(str(each or ""))
            if not name or (name.rpartition(" ")[2] if self.last_word else name) in self.known:
                continue
            mine = pc.equal(rows[self.column], pa.scalar(each, rows.schema.field(self.column).type))
            if often is None:
                count = int(pc.sum(mine).as_py() or 0)
            else:
                count = int(pc.sum(pc.filter(often, mine)).as_py() or 0)
            found[Remark(f"unknown {self.what} '{_shown(each)}'", self.counted, self.becomes)] += count
        return found


@dataclass(frozen=True)
class Notice:
    """A column in which a vendor qualifies its own numbers: true, or a text that replaces {} in `text`."""

    column: str
    text: str
    becomes: str
    counted: str = "rows"

    def remarks(self, rows: pa.Table) -> Counter[Remark]:
        """How often it occurs."""
        found: Counter[Remark] = Counter()
        values = rows[self.column].value_counts().to_pylist() if self.column in rows.column_names else ()
        for each in values:
            if each["values"]:
                text = self.text.replace("{}", _shown(each["values"]))
                found[Remark(text, self.counted, self.becomes)] += each["counts"]
        return found


def _shown(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def plain(text: str) -> str:
    """A name normalised for comparison: lower case, single spaces, any kind of hyphen or apostrophe."""
    for one, other in (("\u2010", "-"), ("\u2011", "-"), ("\u2012", "-"), ("\u2013", "-"), ("\u2019", "'")):
        text = text.replace(one, other)
    return " ".join(text.lower().split())


def names(*texts: str) -> frozenset[str]:
    """Known values, normalised for comparison."""
    return frozenset(plain(text) for text in texts)


def reported(endpoint: str, remarks: Mapping[Remark, int]) -> Iterable[str]:
    """A sentence for each remark, the most common first, and one for the rest if there are too many."""
    most = sorted(remarks.items(), key=lambda item: (-item[1], item[0]))
    for each, count in most[:_REPORTED]:
        yield f"{endpoint}: {each.text}: {count:,} {each.counted}, {each.becomes}."
    if len(most) > _REPORTED:
        rest = sum(count for _, count in most[_REPORTED:])
        more = len(most) - _REPORTED
        yield f"{endpoint}: {more} more of the kind, {rest:,} times. Look for a newer version of Tidings."
