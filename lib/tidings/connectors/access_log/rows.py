"""Fields of an access log as rows of the feed `access`: agents, traffic, countries, pseudonyms (no raw addresses)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tidings.connectors.access_log.rejects import shape
from tidings.enrich.geography import Places
from tidings.enrich.pseudonyms import Pseudonyms
from tidings.enrich.redaction import redact, redact_addresses, redact_query
from tidings.enrich.traffic import Traffic, resolve
from tidings.enrich.user_agents import Agent, describe

_REQUEST: Final = re.compile(r"(?P<method>[A-Za-z_-]{1,20}) (?P<target>.*?)(?: (?P<protocol>HTTP/\d(?:\.\d)?))?")
_ASSET: Final = re.compile(
    r".*\.(?:css|js|mjs|map|json|xml|txt|pdf|png|jpe?g|gif|svg|ico|webp|avif|bmp|tiff?|woff2?|ttf|otf|eot|zip|gz|tgz|bz2"
    r"|xz|7z|rar|tar|exe|dmg|deb|rpm|jar|iso|mp3|mp4|m4a|m4v|ogg|oga|ogv|wav|flac|webm|mov|avi|mkv|wasm|webmanifest"
    r"|csv|docx?|xlsx?|pptx?|rss|atom)|.*/favicon[^/]*",
    re.IGNORECASE | re.DOTALL,
)
# Servers write bytes that are not letters as \\xhh; in a URL they are %hh.
_ESCAPE: Final = re.compile(r"\\(?:x(?P<octet>[0-9A-Fa-f]{2})|(?P<sign>.))")
_SIGNS: Final = {"n": "%0A", "r": "%0D", "t": "%09", "b": "%08", "v": "%0B", "f": "%0C", "a": "%07"}
_TAIL: Final = re.compile(r'(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?')
_OWN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+')
_PLAIN: Final = re.compile(r'(?:[a-z_]{1,12}=)?"?(?:-|\.|\d{1,6}(?:\.\d{1,6})?|\[\w+\](?:, ?\[\w+\])*)"?')
_TRAFFIC: Final = ("referrer_host", "source", "medium", "channel", "campaign", "content", "term")


@dataclass(frozen=True, slots=True)
class _Landing(Traffic):
    """A request and its referrer as rows of the feed hold them."""

    method: str | None
    protocol: str | None
    is_document: bool


class Translator:
    """Turns parsed lines into rows; each distinct agent, request and address is processed once.

    `site` is the host whose links count as internal; without `places` the country is null.
    """

    def __init__(self, site: str, pseudonyms: Pseudonyms, places: Places | None) -> None:
        self._site = site
        self._pseudonyms = pseudonyms
        self._places = places
        self._landing = functools.lru_cache(maxsize=131_072)(self._resolve)

    def visitors(self, fields: pa.StructArray, ts: pa.Array) -> pa.StringArray:
        """The pseudonym of each line; lines of several files must come in time order (11)."""
        clients = _joined(fields.field("address"), fields.field("agent")).dictionary_encode()
        pairs = [tuple(client.split("\n")) for client in clients.dictionary.to_pylist()]
        codes = clients.indices.to_numpy().astype(np.int64)
        return pa.array(self._pseudonyms.assign(ts.cast(pa.int64()).to_numpy(), pairs, codes), pa.string())

    def rows(self, fields: pa.StructArray, ts: pa.Array, line: pa.Array) -> pa.Table:
        """Rows of the feed with `_line` and `_record`: the redacted line, with a pseudonym in place of the address."""
        # An unknown client is not a visitor (C6): otherwise a proxy that hides all of them would count as one.
        visitor = pc.if_else(pc.equal(fields.field("address"), "-"), None, self.visitors(fields, ts))
        landings = _mapped(
            _joined(fields.field("request"), fields.field("referrer"), fields.field("vhost")), self._landing
        )
        # The common format has no user agent, which is not the same as a client that sent none.
        reported = pc.not_equal(fields.field("agents"), "")
        agents = _mapped(pc.if_else(reported, fields.field("agent"), None), describe, Agent("other", None, None, False))
        status = _number(fields.field("status"))
        answered = pc.or_(pc.and_(pc.greater_equal(status, 200), pc.less(status, 300)), pc.equal(status, 304))
        is_page = pc.and_(pc.and_(pc.equal(landings["method"], "GET"), answered), landings["is_document"])
        return pa.table(
            {
                "ts": ts,
                "visitor_id": visitor,
                "method": landings["method"],
                "path": landings["path"],
                "query": landings["query"],
                "protocol": landings["protocol"],
                "status": status,
                # A dash means that no bytes were sent.
                "response_bytes": pc.fill_null(_number(fields.field("bytes")), 0),
                "is_page": pc.fill_null(is_page, False),
                "host": landings["host"],
                **{name: landings[name] for name in _TRAFFIC},
                "country": self._countries(fields.field("address")),
                "device": agents["device"],
                "browser": agents["browser"],
                "os": agents["os"],
                "is_bot": agents["is_bot"],
                "_line": line,
                "_record": _record(fields, visitor),
            }
        )

    def _countries(self, address: pa.StringArray) -> pa.Array:
        if self._places is None:
            return pa.nulls(len(address), pa.string())
        encoded = address.dictionary_encode()
        found = [self._places.country(value) for value in encoded.dictionary.to_pylist()]
        return pa.array(found, pa.string()).take(encoded.indices)

    def _resolve(self, key: str) -> _Landing:
        request, referrer, vhost = key.split("\n")
        parts = _REQUEST.fullmatch(request)
        host = vhost or None
        traffic = resolve(_unescaped(parts["target"]) if parts else None, _unescaped(referrer), self._site or vhost)
        return _Landing(
            method=parts["method"] if parts else None,
            path=_clean(traffic.path),
            query=_clean(redact_query(traffic.query)) if traffic.query else None,
            protocol=parts["protocol"] if parts else None,
            host=_clean(host or traffic.host),
            referrer_host=_clean(traffic.referrer_host),
            source=_clean(traffic.source) or "",
            medium=_clean(traffic.medium) or "",
            channel=traffic.channel,
            campaign=_clean(traffic.campaign),
            content=_clean(traffic.content),
            term=_clean(traffic.term),
            is_document=traffic.path is not None and not _ASSET.fullmatch(traffic.path),
        )


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(_octet, text) if "\\" in text else text


def _octet(match: re.Match[str]) -> str:
    sign = match["sign"]
    return f"%{match['octet']}" if sign is None else _SIGNS.get(sign) or f"%{ord(sign):02X}"


@functools.lru_cache(maxsize=65_536)
def _clean(text: str | None) -> str | None:
    return redact_addresses(redact(text)) if text is not None else None


def _record(fields: pa.StructArray, visitor: pa.StringArray) -> pa.StringArray:
    vhost = fields.field("vhost")
    return pc.binary_join_element_wise(
        pc.if_else(pc.equal(vhost, ""), "", pc.binary_join_element_wise(vhost, " ", "")),
        pc.fill_null(visitor, "-"),
        fields.field("names"),
        " [",
        fields.field("time"),
        '] "',
        _redacted(fields.field("request"), _clean),
        '" ',
        fields.field("status"),
        " ",
        fields.field("bytes"),
        _redacted(fields.field("tail"), _clean_tail),
        "",
    )


@functools.lru_cache(maxsize=65_536)
def _clean_tail(tail: str) -> str:
    match = _TAIL.match(tail)
    known = match.end() if match else 0
    # Fields that servers append have no known meaning: one may be a name.
    return f"{_clean(tail[:known]) or ''}{_OWN.sub(_harmless, tail[known:]) if tail[known:] else ''}"


def _harmless(match: re.Match[str]) -> str:
    field = _clean(match[0]) or ""
    return field if _PLAIN.fullmatch(field) else shape(field)


def _redacted(column: pa.StringArray, function: Callable[[str], str | None]) -> pa.StringArray:
    encoded = column.dictionary_encode()
    return pa.array([function(value) for value in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _number(column: pa.StringArray) -> pa.Int64Array:
    return pc.if_else(pc.equal(column, "-"), None, column).cast(pa.int64())


def _joined(*columns: pa.StringArray) -> pa.StringArray:
    # No line contains a line end, so it separates the fields safely.
    return pc.binary_join_element_wise(*columns, "\n")


def _mapped(column: pa.StringArray, function: Callable[[str], Any], blank: Any = None) -> dict[str, pa.Array]:
    """The attributes of `function(value)` as columns, computed once per distinct value; `blank` stands for null."""
    encoded = column.dictionary_encode()
    found = [function(value) for value in encoded.dictionary.to_pylist()]
    if blank is not None:
        found.append(blank)
    indices = pc.fill_null(encoded.indices, len(found) - 1)
    names = tuple(found[0].__dataclass_fields__) if found else ()
    return {
        name: pa.array(
            [getattr(item, name) for item in found], pa.bool_() if name.startswith("is_") else pa.string()
        ).take(indices)
        for name in names
    }
