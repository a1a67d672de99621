"""The truth about the sample: counted and summed while it is made, never read back from its rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from tidings.sample.company import Ints


class Tally:
    """Counts and sums by subject and name, collected month by month."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seen: defaultdict[tuple[str, str], list[Ints]] = defaultdict(list)
        self._facts: defaultdict[str, dict[str, Any]] = defaultdict(dict)

    def add(self, subject: str, name: str, number: int | np.integer[Any]) -> None:
        """Add to a count."""
        self._counts[subject][name] += int(number)

    def add_each(
        self, subject: str, name: str, labels: Iterable[str], values: Ints, numbers: Ints | None = None
    ) -> None:
        """Count the rows (or sum the numbers) of each label as `name.label`; `values` are indices in `labels`."""
        names = list(labels)
        # Sums of integers stay exact: np.bincount would add them up as floats.
        totals = np.zeros(len(names), np.int64)
        np.add.at(totals, values, 1 if numbers is None else numbers)
        for label, total in zip(names, totals, strict=True):
            self._counts[subject][f"{name}.{label}"] += int(total)

    def saw(self, subject: str, name: str, numbers: Ints) -> None:
        """Remember numbers whose distinct values are counted."""
        self._seen[subject, name].append(np.unique(numbers))

    def seen(self, subject: str, name: str) -> Ints:
        """The distinct numbers remembered so far."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *self._seen[subject, name]]))

    def note(self, subject: str, name: str, fact: object) -> None:
        """Record a fact that is neither a count nor a sum."""
        self._facts[subject][name] = fact

    def reported(self) -> dict[str, dict[str, Any]]:
        """Everything by subject; `name.label` becomes a table, cents (`…_cents`) decimal text."""
        found: dict[str, dict[str, Any]] = {}
        counts = {subject: dict(counter) for subject, counter in self._counts.items()}
        for subject, name in self._seen:
            counts.setdefault(subject, {})[name] = len(self.seen(subject, name))
        for subject, counter in counts.items():
            table = found.setdefault(subject, {})
            for full, number in counter.items():
                name, _, label = full.partition(".")
                is_money = name.endswith("_cents")
                value: object = str(Decimal(number).scaleb(-2)) if is_money else number
                name = name.removesuffix("_cents")
                if label:
                    table.setdefault(name, {})[label] = value
                else:
                    table[name] = value
        for subject, facts in self._facts.items():
            found.setdefault(subject, {}).update(facts)
        return found
