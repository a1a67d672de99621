"""Overlaps of a source's files as sentences: which rows count once, and where two files disagree."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis

from tidings.enrich.redaction import redact
from tidings.feeds import Feed, feeds
from tidings.landing.store import landed_files
from tidings.models.staging.landed import overlaps
from tidings.warehouse.compiled import root_schemas
from tidings.warehouse.engine import RawFile
from tidings.warehouse.reader import ENGINE

_REPORTED = 5


def overlap_sentences(raw: Path, source: str, endpoint: str) -> list[str]:
    """Sentences on the files of an endpoint that share rows; empty if no two of them do.

    The rows are matched by the same rule by which a build counts them.
    """
    files = [file for file in landed_files(raw) if (file.source, file.endpoint) == (source, endpoint)]
    files = [file for file in files if file.load.received_at and file.load.rows]
    if len(files) < 2:
        return []
    feed = feeds()[files[0].feed]
    writer = ENGINE.write(None)
    try:
        name = f"raw_{feed.name}"
        types = {column: described.type.removeprefix("!") for column, described in feed.columns.items()}
        shown = [RawFile(file.path, file.source, file.partition, file.pull) for file in files]
        writer.raw_view(name, types, feed.time, shown)
        rows = writer.run(overlaps(ibis.table(root_schemas()[name], name=name), feed)).to_pylist()
    finally:
        writer.close()
    return _sentences(rows, feed)


def _sentences(rows: Iterable[dict[str, Any]], feed: Feed) -> list[str]:
    found = sorted(rows, key=lambda row: (row["state"] == "equal", -row["rows"], row["partition"], row["by"]))
    reported = [_sentence(row, feed) for row in found[:_REPORTED]]
    more = len(found) - len(reported)
    return [*reported, f"{more} more pairs of files share rows."] if more > 0 else reported


def _sentence(row: dict[str, Any], feed: Feed) -> str:
    partition, by, count = row["partition"], row["by"], row["rows"]
    rows = "1 row" if count == 1 else f"{count:,} rows"
    such = f" (such as {(feed.belongs or feed.key)[0]} {redact(row['example'])})" if row["example"] else ""
    if row["state"] == "equal":
        one, other = sorted((partition, by))
        return f"{one} and {other} have {rows} in common{such}: counted once."
    if row["state"] == "both":
        these = "1 charge" if count == 1 else f"{count:,} charges"
        return (
            f"{partition} and {by} both have {these} of the same order at different times{such}: both count. "
            "If they are one, map a line_id, or drop one of the files."
        )
    why = "came first" if feed.keeps == "first" else "came later"
    return f"{partition} and {by} disagree about {rows}{such}: what {by} says counts, as it {why}."
