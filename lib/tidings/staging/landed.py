"""What every staging model does with a raw table: a key, one row per key, empty ids as null."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from tidings.keys import joined
from tidings.model import Column
from tidings.sources.feeds import Feed

ORIGIN: Mapping[str, Column] = {
    "_source": Column("!string", "Source that said it."),
    "_part": Column("!string", "Part of the source: the input file, empty for an API."),
    "_pull": Column("!int64", "Ordinal of the landing, later ones higher."),
    "_line": Column("!int64", "Position in what was received, from 1."),
}
"""Where a row was landed; with these it can be found in data/raw as it was received."""


def staged(feed: Feed, key: str, key_doc: str, **changed: Column) -> dict[str, Column]:
    """The columns of a staging table: the key, the feed's columns, the origin."""
    given = {name: column for name, column in feed.columns.items() if name != key}
    return {key: Column("!string", key_doc), **given, **changed, **ORIGIN}


def first_per_key(raw: ir.Table, feed: Feed, key: str) -> ir.Table:
    """One row per key: of several landings the latest, inside it the first row (metric definitions C7).

    A row whose key has a null part is keyed by its position in the input, so equal rows without an id stay apart.
    """
    ids = [name for name in feed.columns if name.endswith("_id") or name == "refund_of"]
    rows = raw.mutate(**{name: raw[name].nullif("") for name in ids})
    identified = ibis.and_(*(rows[name].notnull() for name in feed.key))
    # Sources are named with letters, digits, - and _: the character after tells ids and positions apart.
    by_id = joined(rows["_source"], *(rows[name] for name in feed.key))
    position = rows["_pull"].cast("string") + "." + rows["_line"].cast("string")
    rows = rows.mutate(**{key: ibis.ifelse(identified, by_id, rows["_source"] + f"#{feed.name}" + position)})
    # Only rows that share a key are ranked: sorting all columns of all rows would cost as much again as reading them.
    times = rows.group_by(key).aggregate(times=rows.count())
    shared = rows.semi_join(times.filter(times.times > 1), key).select(key, "_pull", "_line")
    latest_first = ibis.window(group_by=key, order_by=[shared["_pull"].desc(), "_line"])
    shared = shared.mutate(nth=ibis.row_number().over(latest_first))
    rows = rows.anti_join(shared.filter(shared.nth > 0), [key, "_pull", "_line"])
    return rows.select(key, *(name for name in feed.columns if name != key), *ORIGIN)
