"""Rejected rows of a window, as sentences for the head of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tidings.language import say
from tidings.window import Window

_REPORTED = 3


def rejected_sentences(rejected: Iterable[Mapping[str, Any]], window: Window) -> tuple[str, ...]:
    """A sentence for each file or endpoint with rejected rows in the window, most rows first.

    Rows of an unknown day, of files that could not be used at all, are listed in every window.
    """
    counts: dict[tuple[str, str], Counter[str]] = {}
    reasons: dict[tuple[str, str], Counter[str]] = {}
    for row in rejected:
        if row["day"] is not None and not window.start <= row["day"] <= window.last_day:
            continue
        key = row["source"], row["partition"] or row["endpoint"]
        counts.setdefault(key, Counter()).update(rows=row["rows"], of=row["of"])
        reasons.setdefault(key, Counter())[row["reason"]] += row["rows"]
    found = sorted((key for key, count in counts.items() if count["rows"]), key=lambda key: (-counts[key]["rows"], key))
    reported = [_sentence(key, counts[key], reasons[key]) for key in found[:_REPORTED]]
    more = len(found) - len(reported)
    if more <= 0:
        return tuple(reported)
    return (*reported, say("and rows of {n} more: see the section on sources", n=more))


def _sentence(key: tuple[str, str], count: Counter[str], reasons: Counter[str]) -> str:
    source, partition = key
    reason, most = max(reasons.items(), key=lambda each: (each[1], each[0]))
    counts = {"n": f"{count['rows']:,}", "of": f"{count['of']:,}", "part": partition, "source": source}
    why = reason.rstrip(".")
    if most == count["rows"]:
        return say("{n} of {of} rows of {part} ({source}) were rejected, as {why}", **counts, why=why)
    return say("{n} of {of} rows of {part} ({source}) were rejected, mostly as {why}", **counts, why=why)
