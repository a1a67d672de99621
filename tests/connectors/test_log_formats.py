"""Real-world log lines: read correctly or rejected with the right reason, and no name kept."""

from __future__ import annotations

import json
import random
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidings.connectors.access_log.clients import clients
from tidings.connectors.access_log.rejects import scrubbed
from tidings.errors import SourceError
from tidings.landing.store import Landing, landed_files
from tidings.settings import load_settings
from tidings.sources.source import Pull, Pulled, open_sources

NOW = datetime(2026, 11, 28, 21, 0, tzinfo=UTC)
AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
REST = f'[20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 512 "https://www.bing.com/" "{AGENT}"'


Rows = list[dict[str, Any]]


def landed(
    root: Path, *lines: str, site: str = "shop.example"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Pulled]:
    (root / "access.log").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[tool.tidings]\nsite = "shop.example"\n[tool.tidings.sources.web]\nkind = "access_log"\npath = "access.log"\n'
    )
    return pulled(root)


def pulled(root: Path) -> tuple[Rows, Rows, Pulled]:
    settings = load_settings(root)
    (source,) = open_sources(settings)
    (reported,) = source.pull(Landing(settings.raw), Pull(NOW))
    files = landed_files(settings.raw)
    rows = pa.concat_tables([pq.read_table(file.path) for file in files]).to_pylist()
    rejected = [row for file in files if file.rejected_path for row in pq.read_table(file.rejected_path).to_pylist()]
    return rows, rejected, reported


def on_disk(root: Path) -> str:
    """Everything stored, decoded: columns are compressed in the files."""
    tables = [pq.read_table(file).to_pylist() for file in sorted((root / "data").rglob("*.parquet"))]
    others = [file.read_bytes() for file in (root / "data").rglob("*") if file.is_file()]
    return repr(tables) + repr(others)


@pytest.mark.parametrize("case", ["log-user-with-blank", "log-forwarded-for", "log-vhost"])
def test_the_cases(tmp_path: Path, shared_cases: Path, case: str) -> None:
    root = tmp_path / "book"
    shutil.copytree(shared_cases / case, root)
    rows, rejected, _ = pulled(root)
    assert len(rows) == len((root / "access.log").read_text().splitlines())
    assert not rejected
    assert {row["host"] for row in rows} == {"shop.example"}
    assert len({row["visitor_id"] for row in rows}) == len(rows)
    assert not re.search("anna|berg|k17|Shop Ltd", on_disk(root))


@pytest.mark.parametrize(
    ("prefix", "host", "address"),
    [
        ("203.0.113.9 - -", "", "203.0.113.9"),
        ("203.0.113.9 - anna berg", "", "203.0.113.9"),
        (r"203.0.113.9 - \"k17 [x] \"", "", "203.0.113.9"),
        ("203.0.113.9 - /C=DE/O=Shop Ltd/CN=x", "", "203.0.113.9"),
        ("203.0.113.9 - Berg, Anna", "", "203.0.113.9"),  # a comma in a name makes no list
        ("203.0.113.9 anna.berg -", "", "203.0.113.9"),  # the name of RFC 1413 is no host
        ("203.0.113.9", "", "203.0.113.9"),  # formats without names
        # lists: the first is the client, however they are written
        ("203.0.113.9, 10.0.0.7 - -", "", "203.0.113.9"),
        ("203.0.113.9,10.0.0.7,10.0.0.8 - -", "", "203.0.113.9"),
        ("203.0.113.9 , 10.0.0.7 - anna", "", "203.0.113.9"),
        ('"203.0.113.9, 10.0.0.7" - -', "", "203.0.113.9"),
        ("203.0.113.9:49152, 10.0.0.7 - -", "", "203.0.113.9"),  # Azure writes ports
        ("[2001:db8::1]:49152, 10.0.0.7 - -", "", "2001:db8::1"),
        ("::ffff:203.0.113.9 - -", "", "203.0.113.9"),  # an IPv4 address in its other form
        ("unknown, 203.0.113.9 - -", "", "203.0.113.9"),  # the first that is an address
        ("203.0.113.9 10.0.0.7 - -", "", "203.0.113.9"),  # the server's own peer behind the list
        ("- 203.0.113.9 - -", "", "203.0.113.9"),  # of which there is none
        ("- - -", "", "-"),
        ("unknown - -", "", "-"),
        # a host in front
        ("shop.example 203.0.113.9 - -", "shop.example", "203.0.113.9"),
        ("www.shop.example:443 203.0.113.9 - anna berg", "shop.example", "203.0.113.9"),
        ("shop.example 203.0.113.9, 10.0.0.7 - -", "shop.example", "203.0.113.9"),
        ("shop.example - - -", "shop.example", "-"),
        ("localhost ::1 - -", "localhost", "::1"),
        (r"m\xC3\xBCller.example 203.0.113.9 - -", "müller.example", "203.0.113.9"),  # as nginx writes it
        ("198.51.100.1:80 203.0.113.9 - -", "198.51.100.1", "203.0.113.9"),  # the bare address was asked for
        ("203.0.113.9 shop.example -", "shop.example", "203.0.113.9"),  # lighttpd's default
        # names of lines in place of addresses
        ("p5dc.dip0.provider.example - -", "", "p5dc.dip0.provider.example"),
        ("shop.example p5dc.dip0.provider.example - -", "shop.example", "p5dc.dip0.provider.example"),
        ("unix: - -", "", "unix:"),
        # behind a header
        ("<190>Nov 20 10:00:00 web1 nginx: 203.0.113.9 - -", "", "203.0.113.9"),
        ("2026-11-20T10:00:00+00:00 web1 nginx[7]: shop.example 203.0.113.9 - -", "shop.example", "203.0.113.9"),
        ("web-1  | 203.0.113.9 - -", "", "203.0.113.9"),
    ],
)
def test_the_client_of_a_line(tmp_path: Path, prefix: str, host: str, address: str) -> None:
    (client,) = clients([prefix], "shop.example")
    assert client is not None
    assert (client.host, client.address) == (host, address)
    assert not re.search("anna|berg|k17|CN=", client.names, re.IGNORECASE)
    (row,), rejected, _ = landed(tmp_path, f"{prefix} {REST}")
    assert not rejected
    assert (row["path"], row["channel"]) == ("/a", "Organic Search")
    assert (row["visitor_id"] is None) == (address == "-")  # an unknown client is not a visitor
    assert not re.search("anna|k17|Shop Ltd|203[.]0", on_disk(tmp_path), re.IGNORECASE)


def test_where_hosts_stand_in_front_an_address_in_front_is_a_host() -> None:
    """Scanners request the bare address: nginx writes it where other lines have the host."""
    asked, bare = clients(["shop.example 203.0.113.9 - -", "198.51.100.1 203.0.113.9 - -"], "")
    assert asked and bare
    assert (asked.address, bare.host, bare.address) == ("203.0.113.9", "198.51.100.1", "203.0.113.9")


def test_behind_a_proxy_the_client_is_at_the_end_of_nginxs_own_format(tmp_path: Path) -> None:
    first = [f'10.0.0.7 - - {REST} "203.0.113.{n}, 10.0.0.9"' for n in (1, 2)]
    rows, _, _ = landed(tmp_path, *first, f'10.0.0.7 - - {REST} "-"', f'198.51.100.9 - - {REST} "203.0.113.1"')
    # Two clients, the proxy itself, and a client of its own that may write anything into that header.
    assert len({row["visitor_id"] for row in rows}) == 4
    assert "203.0.113" not in on_disk(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        f"203.0.113.9 - - {REST} 0.003 0.002 . \"-\" rt=1",  # custom fields after the line
        f"203.0.113.9 - - {REST}".replace('200 512', '200 512 1234'),  # and in between
        f"203.0.113.9 - - {REST} ",
        f"203.0.113.9 - - {REST}".replace("20/Nov/2026:10:00:00 +0000", "20/Nov/2026:12:30:00 +0230"),
        f"203.0.113.9 - - {REST}".replace("20/Nov/2026:10:00:00 +0000", "20/Nov/2026:10:00:00.000 +0000"),
        f"203.0.113.9 - - {REST}".replace("20/Nov/2026:10:00:00 +0000", "2026-11-20T10:00:00+00:00"),
        json.dumps({  # Caddy
            "level": "info", "ts": 1795168800.0, "logger": "http.log.access.log0", "msg": "handled request",
            "request": {"remote_ip": "203.0.113.9", "remote_port": "4711", "client_ip": "203.0.113.9",
                        "proto": "HTTP/2.0", "method": "GET", "host": "shop.example", "uri": "/a",
                        "headers": {"User-Agent": [AGENT], "Referer": ["https://www.bing.com/"]}},
            "user_id": "anna", "duration": 0.0009, "size": 512, "status": 200,
        }),
        json.dumps({  # nginx, variables by their names
            "time_iso8601": "2026-11-20T10:00:00+00:00", "remote_addr": "10.0.0.7", "remote_user": "anna berg",
            "http_x_forwarded_for": "203.0.113.9, 10.0.0.7", "request": "GET /a HTTP/1.1", "status": 200,
            "body_bytes_sent": 512, "http_referer": "https://www.bing.com/", "http_user_agent": AGENT,
        }),
        json.dumps({  # Traefik
            "ClientHost": "203.0.113.9", "ClientUsername": "anna", "StartUTC": "2026-11-20T10:00:00.0Z",
            "RequestMethod": "GET", "RequestPath": "/a", "RequestProtocol": "HTTP/1.1", "DownstreamStatus": 200,
            "DownstreamContentSize": 512, "request_Referer": "https://www.bing.com/", "request_User-Agent": AGENT,
        }),
        "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem "
        "cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-bytes time-taken\n"
        f"2026-11-20 10:00:00 10.0.0.1 GET /a - 443 SHOP\\anna 203.0.113.9 {AGENT.replace(' ', '+')} "
        "https://www.bing.com/ 200 0 512 31",
        "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
        "cs(Referer) cs(User-Agent) cs-uri-query x-host-header\n"
        + "\t".join(["2026-11-20", "10:00:00", "FRA2", "512", "203.0.113.9", "GET", "d1.cloudfront.net", "/a", "200",
                     "https://www.bing.com/", AGENT.replace(" ", "%20"), "-", "shop.example"]),
    ],
)  # fmt: skip
def test_formats_of_many_servers_say_the_same(tmp_path: Path, line: str) -> None:
    (row,), rejected, reported = landed(tmp_path, line)
    assert not rejected
    assert reported.messages == ()
    assert row["ts"] == datetime(2026, 11, 20, 10)
    assert (row["method"], row["path"], row["status"], row["response_bytes"]) == ("GET", "/a", 200, 512)
    assert (row["host"], row["source"], row["browser"], row["is_page"]) == ("shop.example", "bing", "Firefox", True)
    assert not re.search("anna|203[.]0", on_disk(tmp_path))


@pytest.mark.parametrize(
    ("request_line", "path", "query"),
    [
        (r"GET /gr\xc3\xb6\xc3\x9fe HTTP/1.1", "/größe", None),  # Apache and nginx escape octets
        ("GET /größe HTTP/1.1", "/größe", None),
        (r"GET /\"q\" HTTP/1.1", '/"q"', None),
        (r"GET /a\\b HTTP/1.1", r"/a\b", None),
        ("GET /a b HTTP/1.1", "/a b", None),
        ("GET /old", "/old", None),  # HTTP/0.9
        ("GET https://www.shop.example/a?x=1 HTTP/1.1", "/a", "x=1"),  # to a proxy
        (r"\x16\x03\x01\x02", None, None),  # TLS on the wrong port
        ("-", None, None),
        ("", None, None),
        ("  ", None, None),
        ("<BADREQ>", None, None),
    ],
)
def test_requests(tmp_path: Path, request_line: str, path: str | None, query: str | None) -> None:
    (row,), _, _ = landed(tmp_path, f"203.0.113.9 - - {REST.replace('GET /a HTTP/1.1', request_line)}")
    assert (row["path"], row["query"]) == (path, query)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2026/11/20 10:00:00 [error] 7#7: *1 open() failed, client: 203.0.113.9", "error log"),
        ("[Fri Nov 20 10:00:00.123456 2026] [core:error] [pid 7] [client 203.0.113.9:4711] AH1", "error log"),
        (
            '203.0.113.9:4711 [20/Nov/2026:10:00:00.123] fe be/s 0/0/0/0/0 200 5 - - ---- 1/1 0/0 "GET / HTTP/1.1"',
            "clf",
        ),
        (
            'https 2026-11-20T10:00:00.1Z app/lb/5 203.0.113.9:1 10.0.0.1:80 0 0 0 200 200 0 5 "GET /" "x"',
            "AWS",
        ),
        ('203.0.113.9 - - [20/Nov/2026 10:00:00] "GET / HTTP/1.1" 200 -', "no offset"),  # Python's own server
        ('{"level": "info", "msg": "serving"}', "JSON"),
        (f"<script> anna {REST}", "The text before the time"),
        (f"203.0.113.9 - anna {REST}".replace("20/Nov/2026", "20/Nov/0001"), "between 1900 and 2199"),
        (f"203.0.113.9 - anna {REST}"[:60], "cut off"),
        ("id,ts,name", "There is no time"),
    ],
)
def test_an_unreadable_line_gets_the_right_reason(tmp_path: Path, line: str, reason: str) -> None:
    rows, (refused,), _ = landed(tmp_path, f"203.0.113.1 - - {REST}", line)
    assert len(rows) == 1
    assert reason in refused["reason"]
    assert not re.search("anna|203[.]0|4711", on_disk(tmp_path))
    (tmp_path / "data").rename(tmp_path / "old")
    with pytest.raises(SourceError, match=reason):  # if a file contains nothing else the failure says it
        landed(tmp_path, line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            f"{REST.replace('https://www.bing.com/', 'https://x.example/?token=abc')} extra anna@x.example",
            f'[20/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 512 "https://x.example/?token=[redacted]" "{AGENT}" '
            "xxxxx xxxx@x.xxxxxxx",
        ),
        ("203.0.113.9 - anna berg [20/Nov/2026:10", "999.9.999.9 - xxxx xxxx [99/xxx/9999:99"),
        # A name may contain something that looks like a time and a request: only the text after the last time counts.
        (
            r'1.2.3.4 - x [20/Nov/2026:10:00:00 +0000] "GET /anna HTTP/1.1" [20/Nov/2026:10:00:00 +0000] "\x16" 400',
            r'9.9.9.9 - x [99/xxx/9999:99:99:99 +9999] "xxx /xxxx xxxx/9.9" [20/Nov/2026:10:00:00 +0000] "\x99" 400',
        ),
        ("Größe Ω٣", "xxxxx x9"),
    ],
)
def test_only_harmless_pieces_of_rejected_lines_are_kept(line: str, expected: str) -> None:
    assert scrubbed(line) == expected


NAMES = (
    "anna.berg",
    "Anna Berg",
    "k17berg",
    "/C=DE/CN=annaberg",
    r"\"annaberg \"",
    "annaberg [20/Nov/2026:10:00:00 +0000]",
)
ADDRESSES = ("203.0.113.77", "2001:db8:77::77", "203.0.113.77, 10.77.0.7", "203.0.113.77:4777")
PERSONAL = re.compile(r"anna|berg|203\.0\.113|2001:db8|10\.77|4777", re.IGNORECASE)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_lines_are_rows_or_rejected_and_nobody_is_named(tmp_path: Path, seed: int) -> None:
    """Names and addresses in all their places, lines truncated, doubled, joined and shuffled."""
    chance = random.Random(seed)
    lines = [f"203.0.113.1 - - {REST}"]
    for _ in range(400):
        address, name = chance.choice(ADDRESSES), chance.choice(NAMES)
        rest = REST + chance.choice(("", f' "{chance.choice(ADDRESSES)}"', " 0.1", ' "x" - -'))
        line = f"{chance.choice(('', '', 'shop.example ', '- '))}{address} - {name} {rest}"
        match chance.randrange(7):
            case 0:
                line = line[: chance.randrange(len(line))]
            case 1:
                at = chance.randrange(len(line))
                line = line[:at] + chance.choice('" [],\\-\x00\x1fé😀') + line[at:]
            case 2:
                at = chance.randrange(len(line))
                line = line[:at] + line[at + chance.randrange(1, 9) :]
            case 3:
                words = line.split(" ")
                chance.shuffle(words)
                line = " ".join(words)
            case 4:
                line = line.replace('"', "'", chance.randrange(1, 5))
            case 5:
                line = line + " " + line
        lines.append(line)
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    rows, rejected, reported = landed(tmp_path, *lines)
    assert reported.rows + reported.rejected == len(rows) + len(rejected) == len(lines)
    assert {row["_line"] for row in rows} | {row["line"] for row in rejected} == set(range(1, len(lines) + 1))
    found = [
        text for row in [*rows, *rejected] for text in row.values() if isinstance(text, str) and PERSONAL.search(text)
    ]
    assert found == []
