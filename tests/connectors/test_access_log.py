"""Access logs from file to landed rows: nothing lost, nobody recognisable."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.errors import SettingsError, SourceError
from tidings.landing.store import Landing, landed_files, verify
from tidings.settings import Settings
from tidings.sources.source import Pull, Pulled, open_sources

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"


def line(
    request: str = "GET / HTTP/1.1",
    *,
    at: str = "20/Nov/2026:10:00:00 +0000",
    address: str = "192.0.2.7",
    user: str = "-",
    status: str = "200",
    sent: str = "512",
    referrer: str = "-",
    agent: str = FIREFOX,
) -> str:
    return f'{address} - {user} [{at}] "{request}" {status} {sent} "{referrer}" "{agent}"'


class Workbook:
    """A workbook with one source of access logs in `logs/`."""

    def __init__(self, root: Path, **table: Any) -> None:
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir()
        sources = {"web": {"kind": "access_log", "path": "logs/*", **table}}
        self.settings = Settings(root=root, timezone="Europe/Berlin", site="shop.example", sources=sources)

    def write(self, *lines: str, name: str = "access.log") -> Path:
        file = self.logs / name
        file.write_text("".join(f"{text}\n" for text in lines), encoding="utf-8")
        return file

    def pull(self, now: datetime = NOW, *, again: bool = False) -> list[Pulled]:
        (source,) = open_sources(self.settings)
        return list(source.pull(Landing(self.settings.raw), Pull(now, again=again)))

    def rows(self) -> list[dict[str, Any]]:
        tables = [pq.read_table(landed.path) for landed in landed_files(self.settings.raw)]
        rows: list[dict[str, Any]] = pa.concat_tables(tables).to_pylist()
        return sorted(rows, key=lambda row: (row["ts"], row["_line"]))

    def rejected(self) -> list[dict[str, Any]]:
        paths = [landed.rejected_path for landed in landed_files(self.settings.raw)]
        return [row for path in paths if path for row in pq.read_table(path).to_pylist()]

    def landed(self, *lines: str) -> list[dict[str, Any]]:
        self.write(*lines)
        self.pull()
        return self.rows()


@pytest.fixture
def book(tmp_path: Path) -> Workbook:
    return Workbook(tmp_path)


@pytest.mark.data
def test_published_figures(tmp_path: Path, shared_data: Path) -> None:
    book = Workbook(tmp_path, path=str(shared_data / "apache_log" / "access.log.gz"), site="semicomplete.com")
    (pulled,) = book.pull()
    assert (pulled.rows, pulled.rejected) == (9_999, 1)
    (landed,) = landed_files(book.settings.raw)
    assert landed.load.facts == {"addresses": 1_753, "bytes": 2_747_282_505}
    table = pq.read_table(landed.path)
    statuses = {pair["values"]: pair["counts"] for pair in table["status"].value_counts().to_pylist()}
    assert {code: statuses[code] for code in (200, 304, 404, 301, 206, 500)} == {
        200: 9_125, 304: 445, 404: 213, 301: 164, 206: 45, 500: 3,
    }  # fmt: skip
    assert [row["line"] for row in book.rejected()] == [8_899]
    # The last line is of 2015-05-20 21:05 UTC, 23:05 in Berlin: the data cover that day of Berlin.
    assert landed.load.complete_until == datetime(2015, 5, 20, 22, 0, tzinfo=UTC)


def test_a_line_becomes_a_row(book: Workbook) -> None:
    (row,) = book.landed(
        line(
            "GET /Shoes/?utm_source=fb&utm_campaign=May&size=42 HTTP/2.0",
            at="01/Jan/2026:00:30:00 +0130",
            status="404",
            referrer="https://www.bing.com/search?q=x",
        )
    )
    visitor = row["visitor_id"]
    assert row == {
        "line_key": None,
        "ts": datetime(2025, 12, 31, 23, 0),  # 00:30 at +01:30
        "visitor_id": visitor,
        "method": "GET",
        "path": "/Shoes",
        "query": "utm_source=fb&utm_campaign=May&size=42",
        "protocol": "HTTP/2.0",
        "status": 404,
        "response_bytes": 512,
        "is_page": False,  # not answered
        "host": "shop.example",
        "referrer_host": "bing.com",
        "source": "facebook",
        "medium": "(none)",
        "channel": "Organic Social",
        "campaign": "may",
        "content": None,
        "term": None,
        "country": None,  # no country file
        "device": "desktop",
        "browser": "Firefox",
        "os": "Linux",
        "is_bot": False,
        "_line": 1,
        "_record": f'{visitor} - - [01/Jan/2026:00:30:00 +0130] "GET /Shoes/?utm_source=fb&utm_campaign=May&size=42 '
        f'HTTP/2.0" 404 512 "https://www.bing.com/search?q=x" "{FIREFOX}"',
    }


@pytest.mark.data
def test_country(book: Workbook, shared_data: Path) -> None:
    book.settings = Settings(
        root=book.root, geoip=shared_data / "geoip" / "country_ipv4_cc0.mmdb", sources=book.settings.sources
    )
    rows = book.landed(line(address="83.149.9.216"), line(address="192.0.2.7"), line(address="host.example"))
    assert [row["country"] for row in rows] == ["RU", None, None]


@pytest.mark.parametrize(
    ("request_line", "status", "is_page"),
    [
        ("GET /a HTTP/1.1", "200", True),
        ("GET /a.html HTTP/1.1", "204", True),
        ("GET /a HTTP/1.1", "304", True),  # the browser has it, the reader sees it
        ("GET /a HTTP/1.1", "301", False),
        ("GET /a HTTP/1.1", "500", False),
        ("HEAD /a HTTP/1.1", "200", False),
        ("POST /a HTTP/1.1", "200", False),
        ("GET /a/Site.CSS?v=1 HTTP/1.1", "200", False),
        ("GET /robots.txt HTTP/1.1", "200", False),
        ("GET /favicon.ico HTTP/1.1", "200", False),
        ("GET /report.pdf HTTP/1.1", "200", False),
        ("GET /a.js/about HTTP/1.1", "200", True),  # a folder of that name
        ("GET /?file=x.png HTTP/1.1", "200", True),  # only the path decides
        ("GET /nojs HTTP/1.1", "200", True),
    ],
)
def test_pages_and_assets(book: Workbook, request_line: str, status: str, is_page: bool) -> None:
    assert [row["is_page"] for row in book.landed(line(request_line, status=status))] == [is_page]


def test_unusual_lines_are_rows(book: Workbook) -> None:
    rows = book.landed(
        line("-", status="408", sent="-"),  # the client said nothing
        line(r"\x16\x03\x01", status="400"),  # TLS on the wrong port
        line(r"GET /say?\"hi\" HTTP/1.1", agent=r"Odd \"Browser\" 1"),
        line("GET //double HTTP/1.1"),
        line("GET /old", status="-"),  # HTTP/0.9, aborted
        "www.shop.example:443 " + line(referrer="https://shop.example/"),  # Apache's vhost_combined
        line(address="2001:db8::1") + ' "2001:db8::2, 192.0.2.9" rt=0.001',  # nginx with fields behind
    )
    assert [(row["method"], row["path"], row["status"], row["response_bytes"]) for row in rows] == [
        (None, None, 408, 0),
        (None, None, 400, 512),
        ("GET", "/say", 200, 512),
        ("GET", "//double", 200, 512),
        ("GET", "/old", None, 512),
        ("GET", "/", 200, 512),
        ("GET", "/", 200, 512),
    ]
    assert rows[5]["host"] == "shop.example"
    assert rows[6]["_record"].endswith('"[ip], [ip]" rt=0.001')
    assert book.rejected() == []


def test_missing_agents_are_bots_but_a_log_without_agents_is_not_all_bots(book: Workbook) -> None:
    rows = book.landed(line(agent="-"), line(agent=""), line(agent="Googlebot/2.1"))
    assert [row["is_bot"] for row in rows] == [True, True, True]
    book.write(line().partition(' "-"')[0], name="common.log")
    common = next(pulled for pulled in book.pull() if pulled.partition.startswith("logs/common.log"))
    assert common.messages == (
        "common.log: The common format has neither user agents nor referrers: bots cannot be recognised, and every "
        "visit counts as direct.",
    )
    (row,) = [row for row in book.rows() if row["_record"].endswith("200 512")]
    assert (row["is_bot"], row["device"], row["browser"]) == (False, "other", None)


def test_unusable_input_is_kept_with_line_and_reason(book: Workbook) -> None:
    book.write(
        line(),
        "",
        "garbage",
        line(at="31/Feb/2026:10:00:00 +0000"),
        line(at="20/Foo/2026:10:00:00 +0000"),
        line()[:-20],
        line(),
    )
    (pulled,) = book.pull()
    assert (pulled.rows, pulled.rejected) == (2, 4)
    assert [row["_line"] for row in book.rows()] == [1, 7]
    assert [(row["line"], row["reason"].partition(":")[0]) for row in book.rejected()] == [
        (3, "There is no time as in [20/Nov/2026"),
        (4, "The time of the line is not a date between 1900 and 2199."),
        (5, "The time of the line is not a date between 1900 and 2199."),
        (6, "No quoted request, status and size follow the time"),
    ]
    # Anything not known to be harmless is stored as its shape.
    assert book.rejected()[0]["record"] == "xxxxxxx"
    assert book.rejected()[3]["record"].startswith(
        '999.9.9.9 - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512 "-" "xxxxxxx/9.9 (x99; xxxxx'
    )


def test_bytes_that_are_not_utf8_are_kept_as_escapes(book: Workbook) -> None:
    text = line("GET /caf\xe9 HTTP/1.1").encode("latin-1") + b"\r\n" + line("GET /café HTTP/1.1").encode() + b"\n"
    (book.logs / "access.log").write_bytes(text)
    book.pull()
    # A server that logs the byte as an escape writes the same line.
    assert [row["path"] for row in book.rows()] == ["/caf%E9", "/café"]
    assert "GET /caf\\xe9" in book.rows()[0]["_record"]


SECRETS = {
    "address": "203.0.113.77",
    "second address": "198.51.100.23",
    "new address": "2001:db8:85a3::8a2e:370:7334",
    "name of a line": "p5dc2a1b7.dip0.provider.example",
    "user": "anna.muster",
    "e-mail": "anna@post.example",
    "encoded e-mail": "bert%40post.example",
    "parameter": "Zq9xKp4Lw",
    "json web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl",
    "card": "4111 1111 1111 1111",
    "phone": "+49 30 7654321",
}  # fmt: skip
PLANTED = [
    line(address=SECRETS["address"], user=SECRETS["user"]),
    line(address=SECRETS["new address"]) + f' "{SECRETS["new address"]}, {SECRETS["second address"]}"',
    line(address=SECRETS["name of a line"]),
    line(f"GET /u/{SECRETS['e-mail']}/x?u={SECRETS['encoded e-mail']}&token={SECRETS['parameter']} HTTP/1.1"),
    line(f"GET /x?utm_source={SECRETS['encoded e-mail']}&utm_term={SECRETS['json web token']} HTTP/1.1"),
    line(f"GET /x?utm_campaign={SECRETS['card'].replace(' ', '+')} HTTP/1.1"),
    line(f"GET /x?utm_content={SECRETS['phone'].replace('+', '%2B').replace(' ', '%20')} HTTP/1.1"),
    line(referrer=f"https://u:{SECRETS['parameter']}@{SECRETS['second address']}/?session={SECRETS['parameter']}"),
    line(referrer=f"https://[{SECRETS['new address']}]/#access_token={SECRETS['parameter']}"),
    line(agent=f"Reader ({SECRETS['e-mail']}; {SECRETS['phone']}; {SECRETS['second address']}; {SECRETS['card']})"),
]


@pytest.mark.parametrize("cut", [None, -2], ids=["landed", "rejected"])
def test_no_planted_secret_reaches_the_disk(book: Workbook, cut: int | None) -> None:
    """Each line in full, and truncated so that it is rejected: every byte and every value is checked."""
    book.write(line(), *[planted[:cut] for planted in PLANTED])
    (pulled,) = book.pull()
    assert (pulled.rows, pulled.rejected) == ((11, 0) if cut is None else (1, 10))
    seen = [repr(row) for row in [*book.rows(), *book.rejected()]]
    files = [file for file in (book.root / "data").rglob("*") if file.is_file()]
    assert len(files) >= 2
    seen += [file.read_bytes().decode("latin-1") for file in files]
    for what, secret in SECRETS.items():
        for form in (secret, secret.replace(" ", "+"), secret.replace(" ", "%20"), secret.replace("%40", "@")):
            assert not any(form in text for text in seen), what
    assert any("Reader ([email]; [phone]; [ip]; [card]" in text for text in seen) == (cut is None)


@pytest.mark.parametrize("packing", ["gzip", "two gzips", "zstd"])
def test_packed_logs_give_the_same_rows(book: Workbook, tmp_path: Path, packing: str) -> None:
    lines = [line(f"GET /{n} HTTP/1.1") for n in range(50)]
    text = "".join(f"{one}\n" for one in lines).encode()
    packed: dict[str, Callable[[], tuple[str, bytes]]] = {
        "gzip": lambda: ("access.log.gz", gzip.compress(text)),
        "two gzips": lambda: ("access.log.gz", gzip.compress(text[:700]) + gzip.compress(text[700:])),
        "zstd": lambda: ("access.log.zst", pa.compress(text, codec="zstd", asbytes=True)),
    }
    name, data = packed[packing]()
    (book.logs / name).write_bytes(data)
    book.pull()
    assert [row["path"] for row in book.rows()] == [f"/{n}" for n in range(50)]


def test_stretches_of_a_long_log_are_one_log(book: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    book.write(*[line(f"GET /{n} HTTP/1.1") for n in range(200)], "cut off")
    monkeypatch.setattr("tidings.connectors.access_log.lines._BLOCK", 1000)
    book.pull()
    assert [(row["_line"], row["path"]) for row in book.rows()] == [(n + 1, f"/{n}") for n in range(200)]
    assert [row["line"] for row in book.rejected()] == [201]
    assert len({row["visitor_id"] for row in book.rows()}) == 1


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        (
            "access.log",
            gzip.compress(b"x", mtime=0),
            r"access\.log does not match its name: it is gzip.*ends in \.gz",
        ),
        ("access.log.gz", b"plain\n", r"access\.log\.gz does not match its name.*ends in \.log"),
        (
            "access.log.gz",
            gzip.compress(line().encode() * 99, mtime=0)[:-30],
            r"access\.log\.gz cannot be read to its end",
        ),
        ("access.log", "text\n".encode("utf-16"), r"access\.log is encoded in UTF-16.*iconv"),
        (
            "orders.csv",
            b"id,ts\n1,2\n",
            r"None of the 2 lines of orders\.csv can be read\. There is no time.* combined.*web\] path",
        ),
    ],
)
def test_what_is_not_a_log_is_rejected_by_name(book: Workbook, name: str, data: bytes, sentence: str) -> None:
    (book.logs / name).write_bytes(data)
    with pytest.raises(SourceError, match=sentence):
        book.pull()
    assert landed_files(book.settings.raw) == []


def test_no_file_and_an_empty_file(book: Workbook) -> None:
    with pytest.raises(SourceError, match=r"web finds no file at logs/\*.*Correct path"):
        book.pull()
    assert len(open_sources(book.settings)[0].check(Pull(NOW))) == 1
    book.write()
    (pulled,) = book.pull()
    assert (pulled.rows, pulled.messages) == (
        0,
        ("access.log is empty: nothing landed. If it stays so, correct path in the settings.",),
    )
    assert open_sources(book.settings)[0].check(Pull(NOW)) == []


def test_wrong_options(tmp_path: Path) -> None:
    for table, sentence in (
        ({}, "has no path"),
        ({"path": 3}, "path must be text"),
        ({"path": "a", "pth": "b"}, "unknown key 'pth'"),
    ):
        book = Settings(root=tmp_path, sources={"web": {"kind": "access_log", **table}})
        with pytest.raises(SettingsError, match=sentence):
            open_sources(book)


def test_a_country_file_that_cannot_be_used_is_reported_before_anything_lands(book: Workbook) -> None:
    book.settings = Settings(root=book.root, geoip=book.root / "none.mmdb", sources=book.settings.sources)
    book.write(line())
    assert [problem for problem in open_sources(book.settings)[0].check(Pull(NOW)) if "none.mmdb" in problem]
    with pytest.raises(SourceError, match=r"none\.mmdb does not exist"):
        book.pull()
    assert landed_files(book.settings.raw) == []


def test_a_log_that_did_not_change_is_skipped_and_one_that_grew_is_replaced(book: Workbook) -> None:
    book.write(line())
    assert [pulled.skipped for pulled in book.pull()] == [False]
    visitor = book.rows()[0]["visitor_id"]
    assert [(pulled.skipped, pulled.rows) for pulled in book.pull()] == [(True, 1)]
    assert [pulled.skipped for pulled in book.pull(again=True)] == [False]
    book.write(line(), line("GET /next HTTP/1.1"))
    assert [(pulled.skipped, pulled.rows) for pulled in book.pull()] == [(False, 2)]
    assert [row["visitor_id"] for row in book.rows()] == [visitor, visitor]  # the day's salt is kept
    verify(book.settings.raw)


def test_rotation_neither_doubles_nor_loses(book: Workbook) -> None:
    monday, tuesday = line(at="16/Nov/2026:10:00:00 +0000"), line(at="17/Nov/2026:10:00:00 +0000")
    book.write(monday)
    book.pull()
    (book.logs / "access.log").rename(book.logs / "access.log.1")
    book.write(tuesday)
    assert [(pulled.partition[-22:], pulled.skipped) for pulled in book.pull()] == [
        ("g@2026-11-16T10:00:00Z"[-22:], True),
        ("g@2026-11-17T10:00:00Z"[-22:], False),
    ]
    (book.logs / "access.log.1").unlink()
    (book.logs / "access.log.2.gz").write_bytes(gzip.compress(f"{monday}\n".encode()))
    assert [pulled.skipped for pulled in book.pull()] == [True, True]
    (book.logs / "access.log.2.gz").unlink()  # the server deletes what is too old
    book.pull()
    assert [row["ts"].day for row in book.rows()] == [16, 17]


def test_a_session_over_midnight_keeps_its_id_over_files_and_pulls(book: Workbook) -> None:
    book.write(line(at="19/Nov/2026:23:50:00 +0000"), name="access-19.log")
    book.pull()
    book.write(
        line(at="20/Nov/2026:00:10:00 +0000"),  # 1,200 s later: the same session
        line(at="20/Nov/2026:01:10:00 +0000"),  # a later one
        name="access-20.log",
    )
    assert [pulled.skipped for pulled in book.pull()] == [True, False]
    last, first, later = (row["visitor_id"] for row in book.rows())
    assert first == last
    assert later != last


def test_data_are_complete_up_to_the_end_of_the_local_day_but_not_beyond_the_pull(book: Workbook) -> None:
    book.write(line(at="20/Nov/2026:10:00:00 +0000"), line(at="19/Nov/2026:10:00:00 +0000"))
    for now, until in (
        (datetime(2026, 11, 20, 12, 0, tzinfo=UTC), datetime(2026, 11, 20, 12, 0, tzinfo=UTC)),
        (datetime(2026, 11, 25, 12, 0, tzinfo=UTC), datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),  # midnight in Berlin
    ):
        book.pull(now, again=True)
        assert [landed.load.complete_until for landed in landed_files(book.settings.raw)] == [until]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([line().encode(), line()[:60].encode()]), max_size=8))
def test_every_line_is_a_row_or_rejected(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    book = Workbook(tmp_path_factory.mktemp("any"))
    data = b"\n".join([line().encode(), *lines])
    (book.logs / "access.log").write_bytes(data)
    (pulled,) = book.pull()
    assert pulled.rows + pulled.rejected == sum(
        bool(text.decode("utf-8", "backslashreplace").strip()) for text in data.split(b"\n")
    )
    assert pulled.rows == data.split(b"\n").count(line().encode())
