"""What every staging model does with a raw table: deduplicate (C7), give each row a key, turn empty ids into null.

A feed whose staging does only that needs no model: `default_staging` makes it.

Loads are ordered by `_pull`. Only rows that share a key with others are ranked: most do not, and
ranking all rows would cost as much again as reading them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

import ibis
import ibis.expr.types as ir

from tidings.feeds import Feed, feeds
from tidings.models.model import Model, model
from tidings.schema import Column, joined

ORIGIN: Mapping[str, Column] = {
    "_source": Column("!string", "Source that reported it."),
    "_partition": Column("!string", "Partition of the source: the input file, empty for an API."),
    "_pull": Column("!int64", "Ordinal of the load, later ones higher."),
    "_line": Column("!int64", "Position in the input, from 1."),
}
"""Where a row was landed; these lead to its raw record in data/raw."""

# As `enrich/pseudonyms.py` makes them.
_PSEUDONYM = "^[0-9a-f]{24}$"


def staging(feed: Feed) -> Callable[[Callable[..., ir.Table]], Model]:
    """Declare a function as the staging model of a feed, whose contract comes from the feed."""
    given = {name: column for name, column in feed.columns.items() if name != feed.row_key}
    key = Column("!string", feed.row_key_doc or f"Source, {feed.grain}.")
    return model(grain=feed.grain, key=(feed.row_key,), columns={feed.row_key: key, **given, **ORIGIN})


# Cached, since kept SQL is looked up by the function object.
@cache
def default_staging(name: str) -> Model:
    """The model `stg_<feed>` that only deduplicates."""
    feed = feeds()[name]

    def rows_that_count(raw: ir.Table) -> ir.Table:
        return first_per_key(raw, feed)

    rows_that_count.__doc__ = feed.staged_doc or feed.doc
    return replace(staging(feed)(rows_that_count), name=f"stg_{name}", reads=(f"raw_{name}",))


def first_per_key(raw: ir.Table, feed: Feed) -> ir.Table:
    """Rows deduplicated by the rules of the feed, each with a unique key (metric definitions C7).

    A row with a null in its key is keyed by its position in the input.
    """
    rows, named = _named(raw, feed)
    key = feed.row_key
    shown = [key, *(name for name in feed.columns if name != key), *ORIGIN]
    who = ["_source", *feed.key]
    identified = rows.filter(named)
    shared = _shared(identified, who)
    by_id = joined(rows["_source"], *(rows[name] for name in feed.key))
    once = identified.anti_join(shared, who).mutate(**{key: by_id}).select(shown)
    kept = _ranked(identified.semi_join(shared, who), feed).filter(ibis._.kept)
    nth = ibis.row_number().over(ibis.window(group_by=who, order_by="_line"))
    # Of several rows with one key in one load the first gets the plain key.
    kept = kept.mutate(nth=nth)
    kept = kept.mutate(**{key: by_id + ibis.ifelse(kept.nth == 0, "", "#" + kept["_line"].cast("string"))})
    found = once.union(kept.select(shown))
    if not _may_be_unnamed(feed):
        return found
    counted = _unnamed(rows.filter(~named), feed)
    # Names of sources have letters, digits, - and _ only: the character after one separates ids from positions.
    position = counted["_pull"].cast("string") + "." + counted["_line"].cast("string")
    counted = counted.mutate(**{key: counted["_source"] + f"#{feed.name}" + position})
    return found.union(counted.select(shown))


def overlaps(raw: ir.Table, feed: Feed) -> ir.Table:
    """Overlaps of the loads of one source: a row per pair of loads and outcome.

    Columns: `source`, `part` (the partition whose rows do not count), `by` (the one whose rows do), `state`, `rows`,
    `example` (first column of the key). `state` is `equal` (the same rows), `differ` (two versions) or `both` (the same
    thing at other times, so both count).
    """
    rows, named = _named(raw, feed)
    identified = rows.filter(named)
    who = ["_source", *feed.key]
    ranked = _ranked(identified.semi_join(_shared(identified, who), who), feed)
    found = [_pairs(ranked.filter(ranked["_pull"] != ranked.best), feed)]
    if _may_be_unnamed(feed):
        candidates = _candidates(rows.filter(~named), feed)
        found.append(_pairs(candidates.filter(~candidates.kept & (candidates["_pull"] != candidates.best)), feed))
        if feed.belongs:
            found.append(_also(candidates.filter(candidates.kept), feed))
    partitions = rows.select("_source", "_pull", "_partition").distinct()
    by = partitions.select(by_source="_source", by_pull="_pull", by="_partition")
    pairs = ibis.union(*found) if len(found) > 1 else found[0]
    joined = pairs.join(partitions, ["_source", "_pull"]).join(
        by, [ibis._["_source"] == by.by_source, ibis._.best == by.by_pull]
    )
    return joined.select("state", "rows", "example", "by", source="_source", partition="_partition")


def _named(raw: ir.Table, feed: Feed) -> tuple[ir.Table, ir.BooleanValue]:
    """The rows with empty ids as null, and the condition of a complete key."""
    ids = [name for name in feed.columns if name.endswith("_id") or name == "refund_of"]
    rows = raw.mutate(**{name: raw[name].nullif("") for name in ids})
    return rows, ibis.and_(*(rows[name].notnull() for name in feed.key))


def _may_be_unnamed(feed: Feed) -> bool:
    return any(name.endswith("_id") or not feed.columns[name].required for name in feed.key)


def _shared(rows: ir.Table, who: Sequence[str]) -> ir.Table:
    """Keys of more than one row."""
    times = rows.group_by(who).aggregate(times=rows.count())
    return times.filter(times.times > 1).select(who)


def _ranked(shared: ir.Table, feed: Feed) -> ir.Table:
    """Rows of shared keys, each with the load whose row wins (`best`), whether it is that row (`kept`), and whether
    that load has the same row (`agrees`)."""
    who = ["_source", *feed.key]
    stands = shared["_pull"].max() if feed.keeps == "later" else shared["_pull"].min()
    rows = shared.mutate(best=stands.over(ibis.window(group_by=who)))
    apart = [name for name in dict.fromkeys((*who, "_pull", *feed.apart)) if name not in who]
    nth = ibis.row_number().over(ibis.window(group_by=[*who, *apart], order_by="_line"))
    rows = rows.mutate(nth=nth)
    rows = rows.mutate(kept=(rows["_pull"] == rows.best) & (rows.nth == 0)).drop("nth")
    return _agreeing(rows, feed)


def _agreeing(rows: ir.Table, feed: Feed) -> ir.Table:
    same = ["_source", *feed.columns]
    there = (rows["_pull"] == rows.best).cast("int64").max().over(ibis.window(group_by=same))
    return rows.mutate(agrees=there == 1)


def _unnamed(rows: ir.Table, feed: Feed) -> ir.Table:
    """Rows without a key that count: those found in one load only, and of the others those that `_candidates` keeps."""
    group = _group(feed)
    alone = rows.anti_join(_in_several_loads(rows, group), group)
    kept = _candidates(rows, feed).filter(ibis._.kept)
    return alone.union(kept.select(alone.columns))


def _group(feed: Feed) -> list[str]:
    """Columns that rows without a key must share to be compared."""
    return ["_source", *(feed.belongs or (feed.time,))]


def _in_several_loads(rows: ir.Table, group: Sequence[str]) -> ir.Table:
    loads = rows.group_by(group).aggregate(first=rows["_pull"].min(), last=rows["_pull"].max())
    return loads.filter(loads.first < loads.last).select(group)


def _candidates(rows: ir.Table, feed: Feed) -> ir.Table:
    """Rows without a key that may be in several loads, with `kept`, `best` and `agrees` as in `_ranked`.

    The nth of equal rows is the same row in each load; that of the first load is kept. Where rows belong to something
    (an order, say), the latest load that has it and spans their time decides which rows exist.
    """
    group = _group(feed)
    found = rows.semi_join(_in_several_loads(rows, group), group)
    made = {f"same_{name}": ibis.ifelse(found[name].re_search(_PSEUDONYM), "", found[name]) for name in feed.pseudonyms}
    found = found.mutate(**made)
    same = ["_source", *made, *(name for name in feed.columns if name not in feed.pseudonyms)]
    found = found.mutate(
        nth=ibis.row_number().over(ibis.window(group_by=[*same, "_pull"], order_by="_line")),
        newest=found["_pull"].max().over(ibis.window(group_by=same)),
    )
    if feed.belongs:
        found = found.join(_latest_loads(rows, found, feed), [*group, feed.time])
        found = found.select(name for name in found.columns if not name.endswith("_right"))
    else:
        found = found.mutate(reported=found.newest)
    first = found["_pull"].min().over(ibis.window(group_by=[*same, "nth"]))
    found = found.mutate(first=first, agrees=found.newest >= found.reported)
    kept = found.agrees & (found["_pull"] == found.first)
    best = ibis.ifelse(found.agrees, found.first, found.reported)
    made_here = {"nth", "newest", "reported", "first", *made}
    # Not `drop`: with several columns its SQL differs each time.
    given = [name for name in found.columns if name not in made_here]
    return found.select(*given, kept=kept, best=best)


def _latest_loads(rows: ir.Table, candidates: ir.Table, feed: Feed) -> ir.Table:
    """For each thing and time, the latest load (`reported`) that has the thing and whose rows span the time."""
    group = _group(feed)
    time = rows[feed.time]
    spans = rows.group_by("_source", "_pull").aggregate(start=time.min(), end=time.max())
    having = candidates.select(*group, "_pull").distinct().join(spans, ["_source", "_pull"])
    having = having.select("start", "end", reported="_pull", **{f"h{n}": having[name] for n, name in enumerate(group)})
    asked = candidates.select(*group, feed.time).distinct()
    of = [asked[name] == having[f"h{n}"] for n, name in enumerate(group)]
    inside = asked.join(having, [*of, having.start <= asked[feed.time], asked[feed.time] <= having.end])
    return inside.group_by([*group, feed.time]).aggregate(reported=inside.reported.max())


def _pairs(rows: ir.Table, feed: Feed) -> ir.Table:
    """Rows that do not count, by load, the load that counts instead, and whether that has the same row."""
    state = ibis.ifelse(rows.agrees, "equal", "differ")
    example = rows[(feed.belongs or feed.key)[0]].cast("string")
    rows = rows.mutate(state=state, example=example)
    return rows.group_by(["_source", "_pull", "best", "state"]).aggregate(rows=rows.count(), example=rows.example.min())


def _also(kept: ir.Table, feed: Feed) -> ir.Table:
    """Things that count in two loads at different times: charges of one order in two exports, say."""
    group = _group(feed)
    other = kept.select(**{f"o{n}": kept[name] for n, name in enumerate(group)}, best="_pull", at=feed.time)
    other = other.filter(other.best.notnull())
    of = [kept[name] == other[f"o{n}"] for n, name in enumerate(group)]
    both = kept.drop("best").join(other, [*of, kept["_pull"] < other.best, kept[feed.time] != other["at"]])
    if "type" in group:
        both = both.filter(both["type"] == "charge")
    both = both.mutate(state=ibis.literal("both"), example=both[group[1]].cast("string"))
    return both.group_by(["_source", "_pull", "best", "state"]).aggregate(
        rows=both.example.nunique(), example=both.example.min()
    )
