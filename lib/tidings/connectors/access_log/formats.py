"""Other log formats rewritten as the combined one: W3C (IIS, CloudFront), JSON, lines with a syslog header."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

from tidings.connectors.access_log.clients import HEADER

READ: Final = (
    "common and combined format (Apache, nginx, lighttpd, Traefik, HAProxy with `option httplog clf`), "
    "W3C with #Fields (IIS, CloudFront), JSON of Caddy, Traefik or nginx's own variable names"
)
_OCTET: Final = re.compile(r"(?<!\\)\\x")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Field names in JSON logs: Caddy, Traefik, nginx.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("ts", "StartUTC", "time_iso8601", "time_local", "time", "timestamp", "@timestamp"),
    "address": ("client_ip", "remote_ip", "remote_addr", "ClientHost"),
    "forwarded": ("http_x_forwarded_for",),
    "host": ("host", "RequestHost", "http_host", "server_name"),
    "request": ("request",),
    "method": ("method", "RequestMethod", "request_method"),
    "target": ("uri", "RequestPath", "request_uri"),
    "protocol": ("proto", "RequestProtocol", "server_protocol"),
    "status": ("status", "DownstreamStatus"),
    "bytes": ("size", "DownstreamContentSize", "body_bytes_sent", "bytes_sent"),
    "referrer": ("Referer", "request_Referer", "http_referer"),
    "agent": ("User-Agent", "request_User-Agent", "http_user_agent"),
}
_WRONG: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\w+\] |\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d "),
        "It is a line of an error log: name the access log.",
    ),
    (
        re.compile(r".*\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d+\] \S+ \S+/\S+ "),
        "HAProxy's own format has neither agent nor referrer: set `option httplog clf`, or read the web server's log.",
    ),
    (
        re.compile(r"(?:https?|h2|grpcs?|wss?) \d{4}-\d\d-\d\dT\S+ \S+/"),
        "The log of an AWS load balancer has no referrer: read the web server's log.",
    ),
    (re.compile(r"\{"), "The JSON has no time, address, request or status field that Tidings knows."),
    (
        re.compile(r".*\[[^\]]*\d\d:\d\d:\d\d[^\]+-]*\]"),
        "The time has no offset from UTC, as [20/Nov/2026:10:00:00 +0000] has.",
    ),
)
_TIMED: Final = re.compile(r".*\[[^\]]*\d\d:\d\d:\d\d[^\]]*\]")


class Formats:
    """Reads the lines of one file that are not in the common format; a `#Fields:` line defines the format of those
    below.

    `read` counts the lines read, by format.
    """

    def __init__(self) -> None:
        self._columns: list[str] = []
        self.read: Counter[str] = Counter()

    def rewritten(self, line: str) -> str | None:
        """The line in combined format, empty for a directive; null for a line in no known format."""
        if line.startswith("#"):
            return self._directive(line)
        if self._columns and not line.startswith("{"):
            return self._counted("W3C", self._from_columns(line))
        behind = line if line.startswith("{") else HEADER.sub("", line)
        return self._counted("JSON", _from_json(behind)) if behind.startswith("{") else None

    def _counted(self, form: str, line: str | None) -> str | None:
        self.read[form] += line is not None
        return line

    def _directive(self, line: str) -> str | None:
        name, mark, value = line.partition(":")
        if not mark or name not in ("#Fields", "#Version", "#Software", "#Date", "#Start-Date", "#End-Date", "#Remark"):
            return None
        if name == "#Fields":
            self._columns = value.split()
        return ""

    def _from_columns(self, line: str) -> str | None:
        values = line.split("\t") if "\t" in line else line.split(" ")
        if len(values) != len(self._columns):
            return None
        given = {
            name.lower(): value for name, value in zip(self._columns, values, strict=True) if value not in ("-", "")
        }
        stem, query = given.get("cs-uri-stem", ""), given.get("cs-uri-query")
        # IIS writes spaces as +, CloudFront encodes them.
        plus = "\t" not in line

        def field(name: str) -> str | None:
            value = given.get(name, "-")
            if name not in map(str.lower, self._columns):
                return None
            return (value.replace("+", " ") if plus else unquote(value)) if name == "cs(user-agent)" else value

        return _line(
            {
                "time": f"{given.get('date', '')}T{given.get('time', '')}Z",
                "address": given.get("c-ip"),
                "host": given.get("x-host-header") or given.get("cs-host") or given.get("cs(host)"),
                "method": given.get("cs-method"),
                "target": f"{stem}?{query}" if query else stem,
                "protocol": given.get("cs-version") or given.get("cs-protocol-version"),
                "status": given.get("sc-status"),
                "bytes": given.get("sc-bytes"),
                "referrer": field("cs(referer)"),
                "agent": field("cs(user-agent)"),
            }
        )


def why_not(line: str) -> str:
    """The reason why a line cannot be read."""
    found = next((reason for pattern, reason in _WRONG if pattern.match(line)), None)
    if found:
        return found
    if _TIMED.match(line):
        return "No quoted request, status and size follow the time: the line is cut off or in another format."
    return "There is no time as in [20/Nov/2026:10:00:00 +0000]: the line is cut off or in another format."


def _from_json(line: str) -> str | None:
    try:
        # Bytes that are not UTF-8 are written as \\xhh, which is not valid JSON.
        doc = json.loads(_OCTET.sub(r"\\\\x", line) if "\\x" in line else line, parse_int=str)
    except (ValueError, RecursionError):
        return None
    if not isinstance(doc, dict):
        return None
    inner = doc.get("request")
    places = [doc, *([inner] if isinstance(inner, dict) else [])]
    headers = inner.get("headers") if isinstance(inner, dict) else None
    places += [headers] if isinstance(headers, dict) else []
    found = {thing: _first(names, places) for thing, names in _NAMES.items()}
    for thing in ("referrer", "agent"):
        # Caddy writes all headers, the others only the configured ones: an empty one was not sent.
        if isinstance(headers, dict) or any(name in doc for name in _NAMES[thing]):
            found[thing] = found[thing] or "-"
    return _line(found | {"request": inner if isinstance(inner, str) else None})


def _first(names: tuple[str, ...], places: Sequence[Mapping[str, Any]]) -> Any:
    for name in names:
        for place in places:
            value = place.get(name)
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
                return value
    return None


def _line(found: Mapping[str, Any]) -> str | None:
    """The line with its address in quotes, which sets it apart from the host before it."""
    time, status = _time(found["time"]), str(found["status"] or "")
    if time is None or not found["address"] or not status.isdigit():
        return None
    address = found.get("forwarded") if found.get("forwarded") not in (None, "-") else found["address"]
    text = _text
    request = found.get("request") or " ".join(
        str(found[name]) for name in ("method", "target", "protocol") if found[name]
    )
    line = f'"{text(address)}" - - [{time}] "{text(request) or "-"}" {status} {found["bytes"] or "-"}'
    if found["referrer"] is not None or found["agent"] is not None:
        line += f' "{text(found["referrer"] or "-")}" "{text(found["agent"] or "-")}"'
    host = str(found["host"] or "")
    return f"{host} {line}" if host and not re.search(r'[\s"]', host) else line


def _text(value: Any) -> str:
    return _CONTROL.sub(" ", str(value)).replace("\\", "\\\\").replace('"', '\\"')


def _time(value: Any) -> str | None:
    """An instant as the combined format writes it or as ISO 8601 with an offset."""
    convert: Callable[[float], datetime] = lambda number: datetime.fromtimestamp(number, UTC)  # noqa: E731
    if not isinstance(value, str | int | float):
        return None
    try:
        if isinstance(value, int | float) or value.replace(".", "", 1).isdigit():
            return convert(float(value)).isoformat()
    except (ValueError, OverflowError, OSError):
        return None
    return value.replace(" ", "T") if value[:4].isdigit() else value or None
