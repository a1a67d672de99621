"""Web events: resolves the URL, referrer, user agent and address of a row, once per distinct value.

An address leaves this module as a country and a pseudonym only, a URL as path and traffic; URLs in the raw record are
redacted.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidings.enrich.geography import Places
from tidings.enrich.hosts import is_within, shown
from tidings.enrich.pseudonyms import Pseudonyms
from tidings.enrich.redaction import redact, redact_addresses, redact_properties
from tidings.enrich.traffic import normalise_path, resolve
from tidings.enrich.user_agents import describe
from tidings.mapping.statement import Plan

_UTM = {"utm_source": "source", "utm_medium": "medium", "utm_campaign": "campaign"}
_UTM |= {"utm_content": "content", "utm_term": "term"}
_TRAFFIC = ("path", "host", "referrer_host", "source", "medium", "channel", "campaign", "content", "term")
_HOSTS = ("host", "referrer_host")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_AGENT = ("device", "browser", "os", "is_bot")
# Characters that a text must contain for one of the redaction rules to apply.
_SUSPECT = r"[@=]|%3|40|eyJ|\d[\d .()-]{5,}\d|:.*:"
_remembered = functools.lru_cache(maxsize=100_000)


class WebRows:
    """Completes batches of one source's events, in the order of the file."""

    def __init__(self, plan: Plan, site: str, pseudonyms: Pseudonyms, places: Places | None) -> None:
        self._plan = plan
        self._site = site
        self._pseudonyms = pseudonyms
        self._places = places
        self._traffic = _remembered(functools.partial(_traffic, site=site))

    def complete(self, rows: pa.Table) -> pa.Table:
        """The rows with their helper columns resolved and removed."""
        helpers, given = self._plan.helpers, rows.schema.names
        for name in _HOSTS:
            if name in given:
                rows = _put(rows, name, _mapped(rows[name], _host), over=True)
        if "referrer_host" in given and "referrer" not in helpers:
            rows = self._with_outer_referrer(rows)
        reported = {*_UTM.values(), "referrer_host"} & {*given}
        if {"url", "referrer"} & {*helpers} or (reported and "channel" not in given):
            rows = self._with_traffic(rows)
        elif "path" in given:
            rows = _put(rows, "path", _mapped(rows["path"], _clean_path), over=True)
        if "user_agent" in helpers:
            rows = self._with_agent(rows)
        if "ip" in helpers:
            rows = self._with_visitor(rows)
        if "properties" in given:
            rows = _put(rows, "properties", _clean_properties(rows["properties"]), over=True)
        rows = _put(rows, "_record", self._records(rows), over=True)
        return rows.drop_columns([f"h_{helper}" for helper in helpers])

    def _with_outer_referrer(self, rows: pa.Table) -> pa.Table:
        """Referrers that are given as hosts: those of the site itself do not count (5.1)."""
        outer = functools.partial(_outer, site=self._site)
        return _put(rows, "referrer_host", _mapped(rows["referrer_host"], outer), over=True)

    def _with_traffic(self, rows: pa.Table) -> pa.Table:
        names = ["h_url" if "url" in self._plan.helpers else "path", "h_referrer", *_UTM.values()]
        keys = [_column(rows, name) for name in names]
        if "referrer" not in self._plan.helpers and "referrer_host" in rows.schema.names:
            # Only its host is known, which is enough for the source.
            keys[1] = pc.binary_join_element_wise("https://", rows["referrer_host"], "")
        found, places = _together(*keys)
        resolved = [self._traffic(key) for key in found]
        for name in _TRAFFIC:
            values = pa.array([each[name] for each in resolved], pa.string())
            # The utm columns have gone into the result; any other mapped column stays.
            over = name in _UTM.values() or name == "path"
            rows = _put(rows, name, values.take(places), over=over)
        return rows

    def _with_agent(self, rows: pa.Table) -> pa.Table:
        found = _dictionary(pc.fill_null(rows["h_user_agent"], ""))
        agents = [asdict(describe(text)) for text in found.dictionary.to_pylist()]
        for name in _AGENT:
            type_ = pa.bool_() if name == "is_bot" else pa.string()
            values = pa.array([agent[name] for agent in agents], type_).take(found.indices)
            over = name == "is_bot" and "is_bot" not in self._plan.options.columns
            rows = _put(rows, name, values, over=over)
        return rows

    def _with_visitor(self, rows: pa.Table) -> pa.Table:
        addresses = rows["h_ip"]
        if self._places is not None:
            country = self._places.country
            rows = _put(rows, "country", _mapped(addresses, country), over=False)
        known = pc.and_(pc.is_valid(addresses), pc.is_valid(rows["ts"]))
        agents = pc.fill_null(_column(rows, "h_user_agent"), "")
        found, of_rows = _together(addresses.filter(known), agents.filter(known))
        clients = [(address or "", agent or "") for address, agent in found]
        instants = rows["ts"].filter(known).cast(pa.int64()).to_numpy()
        named = self._pseudonyms.assign(instants, clients, of_rows.to_numpy().astype(np.int64))
        places = np.full(rows.num_rows, None, dtype=object)
        places[np.flatnonzero(known.to_numpy())] = named
        return _put(rows, "visitor_id", pa.array(places, pa.string()), over=False)

    def _records(self, rows: pa.Table) -> pa.ChunkedArray:
        """The raw records, with redacted URLs."""
        records = rows["_record"]
        for helper, name in self._plan.urls.items():
            values = _mapped(rows[f"h_{helper}"], _json_text)
            member = pc.binary_join_element_wise(f",{json.dumps(name)}:", values, "}", "")
            whole = pc.binary_join_element_wise(pc.utf8_slice_codeunits(records, 0, -1), member, "")
            # A line that was not JSON stays as it is; an object without members needs no comma.
            usable = pc.and_(pc.ends_with(records, "}"), pc.is_valid(member))
            records = pc.if_else(usable, pc.replace_substring(whole, "{,", "{", max_replacements=1), records)
        return records


def scrubbed(text: str) -> str:
    """A rejected row or its reason without addresses and secrets."""
    return redact_addresses(redact(text))


def _traffic(key: tuple[str | None, ...], *, site: str) -> dict[str, str | None]:
    url, referrer, *utm = key
    found = asdict(resolve(url, referrer, site, dict(zip(_UTM, utm, strict=True))))
    clean = {name: value if value is None else redact(value) for name, value in found.items()}
    return clean | {"path": _clean_path(url) if url is not None else None}


@_remembered
def _clean_path(url: str) -> str:
    return redact(normalise_path(url))


@_remembered
def _host(text: str) -> str | None:
    """The host of a column of hosts, hosts with ports, or full URLs."""
    name = re.split(r"[/?#\\]", _SCHEME.sub("", text.strip(), count=1), maxsplit=1)[0]
    return redact(shown(name)) or None


def _outer(host: str, *, site: str) -> str | None:
    return None if is_within(host, site) else host


@_remembered
def _json_text(text: str) -> str:
    return json.dumps(redact(text), ensure_ascii=False)


@_remembered
def _clean_text(text: str) -> str:
    return scrubbed(text)


def _clean_properties(properties: pa.ChunkedArray) -> pa.ChunkedArray:
    """Properties with sensitive names emptied and all text redacted."""
    chunks = [_clean_maps(chunk) for chunk in properties.chunks]
    return pa.chunked_array(chunks, pa.map_(pa.string(), pa.string()))


def _clean_maps(maps: pa.MapArray) -> pa.MapArray:
    keys, items = maps.keys.cast(pa.string()), maps.items.cast(pa.string())
    suspect = pc.fill_null(pc.match_substring_regex(items, _SUSPECT), False)
    if pc.any(suspect).as_py():
        items = pc.replace_with_mask(items, suspect, _mapped(items.filter(suspect), _clean_text))
    found = _dictionary(keys)
    emptied = [redact_properties({key: ""})[key] or None for key in found.dictionary.to_pylist()]
    items = pc.coalesce(pa.array(emptied, pa.string()).take(found.indices), items)
    return pa.MapArray.from_arrays(maps.offsets, keys, items, mask=maps.is_null())


def _dictionary(values: pa.Array | pa.ChunkedArray) -> pa.DictionaryArray:
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return whole.cast(pa.string()).dictionary_encode()


def _together(*columns: pa.ChunkedArray) -> tuple[list[tuple[str | None, ...]], pa.Array]:
    """The distinct rows of some text columns, and the index of each row; separators in values cannot cause a mix-up."""
    codes, sizes = [], []
    for column in columns:
        found = _dictionary(column)
        # Null counts as one more value.
        sizes.append([*found.dictionary.to_pylist(), None])
        codes.append(pc.fill_null(found.indices.cast(pa.int64()), len(found.dictionary)).to_numpy(zero_copy_only=False))
    if not codes[0].size:
        return [], pa.array([], pa.int64())
    number = codes[0]
    for code, size in zip(codes[1:], sizes[1:], strict=True):
        pairs = pa.array(number * len(size) + code).dictionary_encode()
        number = pairs.indices.to_numpy().astype(np.int64)
    encoded = pa.array(number).dictionary_encode()
    places = encoded.indices.to_numpy()
    # The row where each occurs first: written back to front, the first one stays.
    first = np.empty(len(encoded.dictionary), np.int64)
    first[places[::-1]] = np.arange(places.size)[::-1]
    values = [[size[at] for at in code[first]] for code, size in zip(codes, sizes, strict=True)]
    return list(zip(*values, strict=True)), encoded.indices


def _mapped(values: pa.Array | pa.ChunkedArray, function: Callable[[str], str | None]) -> pa.Array:
    """A function of text, called once per distinct value; null stays null."""
    found = _dictionary(values)
    return pa.array([function(each) for each in found.dictionary.to_pylist()], pa.string()).take(found.indices)


def _column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return rows[name] if name in rows.schema.names else pa.chunked_array([pa.nulls(rows.num_rows, pa.string())])


def _put(rows: pa.Table, name: str, values: Any, *, over: bool) -> pa.Table:
    """Set a column; existing values win unless `over`."""
    if name not in rows.schema.names:
        return rows.append_column(name, values)
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, name, values if over else pc.coalesce(rows[name], values))
