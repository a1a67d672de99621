"""Real PostgreSQL and MariaDB: all their types, the zones of their times, and errors."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fakes.databases import PASSWORD, QUOTED, Server, mariadb, postgres_folder, postgresql
from fakes.pulling import Workbook
from tidings.connectors.database import source as database
from tidings.errors import CredentialError, OutageError, SourceError

pytestmark = pytest.mark.server

COLUMNS = {"order_id": "no", "line_id": "line", "ts": "at", "amount": "total"}
TABLE = {"kind": "database", "feed": "orders", "table": "sales", "columns": COLUMNS}


class Shop:
    """A database that belongs to one test, and its administrator's session."""

    def __init__(self, server: Server, name: str) -> None:
        self.server, self.name = server, name

    def url(self, **partitions: Any) -> str:
        return self.server.url(**{"database": self.name, **partitions})

    def workbook(self, root: Path, url: str = "", **options: Any) -> Workbook:
        table = {key: value for key, value in {**TABLE, **options}.items() if value is not None}
        return Workbook(root, table, {"SHOP_URL": url or self.url()}, name="shop")


class PostgresShop(Shop):
    def run(self, *statements: str) -> None:
        import psycopg

        with psycopg.connect(self.server.url(self.name, "postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


class MariaShop(Shop):
    def run(self, *statements: str) -> None:
        import pymysql

        with pymysql.connect(host="127.0.0.1", port=self.server.port, user="root", autocommit=True) as connection:
            cursor = connection.cursor()
            cursor.execute(f"USE {self.name}")
            for statement in statements:
                cursor.execute(statement)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: PostgreSQL not checked")
    if postgres_folder() is None:
        pytest.skip("no PostgreSQL on this machine: not checked (Debian: apt-get install postgresql)")
    with postgresql() as server:
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
        yield server


@pytest.fixture(scope="session")
def maria_server() -> Iterator[Server]:
    pymysql = pytest.importorskip("pymysql", reason="pymysql is not installed: MariaDB not checked")
    if not Path("/usr/sbin/mariadbd").exists():
        pytest.skip("no MariaDB on this machine: not checked (Debian: apt-get install mariadb-server)")
    with mariadb() as server:
        with pymysql.connect(host="127.0.0.1", port=server.port, user="root", charset="utf8mb4") as connection:
            connection.cursor().execute(f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        yield server


_NUMBER = iter(range(10_000))


@pytest.fixture
def pg(postgres_server: Server) -> PostgresShop:
    name = f"shop{next(_NUMBER)}"
    PostgresShop(postgres_server, "postgres").run(f"CREATE DATABASE {name}")
    shop = PostgresShop(postgres_server, name)
    shop.run("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")
    return shop


@pytest.fixture
def maria(maria_server: Server) -> MariaShop:
    name = f"shop{next(_NUMBER)}"
    MariaShop(maria_server, "mysql").run(f"CREATE DATABASE {name}", f"GRANT SELECT ON {name}.* TO reader@'127.0.0.1'")
    return MariaShop(maria_server, name)


def orders(workbook: Workbook, *columns: str) -> list[Any]:
    return sorted(workbook.rows("orders", *(columns or ("order_id", "ts", "amount"))))


# PostgreSQL's types beside numbers and texts; each of these once stopped the whole source, mapped or not.
EXOTIC = {
    "uuid": "'6f9619ff-8b86-d011-b42d-00cf4fc964ff'",
    "inet": "'10.1.2.3'",
    "cidr": "'10.1.2.0/24'",
    "macaddr": "'08:00:2b:01:02:03'",
    "int4range": "'[1,5)'",
    "tstzrange": "'[2026-01-01,infinity)'",
    "int4multirange": "'{[1,2),[3,4)}'",
    "money": "1234.56",
    "point": "'(1,2)'",
    "polygon": "'((0,0),(1,1),(2,0))'",
    "interval": "'1 year 2 days 03:04:05'",
    "json": """'{"a": [1, null]}'""",
    "jsonb": """'{"a": {"b": 1e400}}'""",
    "xml": "'<a>1</a>'",
    "bytea": r"'\x00ff'",
    "bit(3)": "B'101'",
    "tsvector": "'a fat cat'",
    "uuid[]": "ARRAY['6f9619ff-8b86-d011-b42d-00cf4fc964ff'::uuid, NULL]",
    "inet[][]": "ARRAY[ARRAY['10.1.2.3'::inet]]",
    "money[]": "ARRAY[1::money]",
    "timestamptz[]": "ARRAY['infinity'::timestamptz, '0044-03-15 BC']",
    "date": "'infinity'",
    "timestamp": "'-infinity'",
    "timestamptz": "'294276-12-31'",
    "time with time zone": "'24:00:00-05'",
    "numeric": "'NaN'",
    "double precision": "'-Infinity'",
    "numeric(1000,500)": "10::numeric ^ 400",
    "oid": "4294967295",
    "pg_lsn": "'0/16B3748'",
    "mood": "'so so'",
    "cents": "5",
    "pair": "ROW(1, 'x')",
    '"char"': "'x'",
}


def test_no_type_stops_a_source_be_it_mapped_or_not(pg: PostgresShop, tmp_path: Path) -> None:
    columns = ", ".join(f"x{number} {type_}" for number, type_ in enumerate(EXOTIC))
    pg.run(
        "CREATE TYPE mood AS ENUM ('so so')",
        "CREATE DOMAIN cents AS numeric(10, 2) CHECK (VALUE > 0)",
        "CREATE TYPE pair AS (a int, b text)",
        f"CREATE TABLE sales (no text, line text, at timestamptz, total numeric, {columns})",
        f"INSERT INTO sales VALUES ('a', '1', '2026-11-01 10:00+00', 5, {', '.join(EXOTIC.values())})",
        f"INSERT INTO sales VALUES ('b', '1', '2026-11-01 10:00+00', 5, {', '.join(['NULL'] * len(EXOTIC))})",
    )
    # Not requested.
    workbook = pg.workbook(tmp_path / "plain")
    assert workbook.check() == []
    assert workbook.pull()[0].rejected == 0
    assert orders(workbook, "order_id") == [("a",), ("b",)]
    # Requested, as text.
    workbook = pg.workbook(tmp_path / "all", extra_columns="all")
    workbook.pull()
    record = next(row["_record"] for row in workbook.rows("orders") if row["order_id"] == "a")
    for text in ("6f9619ff", "[ip]", "[1,5)", '"x7":"1234.56"', "infinity", "+00 BC", "so so"):
        assert text in record
    # Each mapped to anything plausible: landed or rejected with a reason, and the source continues.
    for number, type_ in enumerate(EXOTIC):
        for wanted in (("line_id", "amount"), ("ts",))[number % 2]:
            workbook = pg.workbook(tmp_path / f"{number}{wanted}", columns={**COLUMNS, wanted: f"x{number}"})
            if type_ in ("inet",):
                # An address is not stored: reported before anything is landed.
                assert "holds addresses" in workbook.check()[0]
                continue
            with suppress(SourceError):
                workbook.pull()
            landed = len(workbook.rows("orders"))
            assert landed + len(workbook.rejected("orders")) == 2, (type_, wanted)


def test_unusable_values_cost_their_row_alone(pg: PostgresShop, tmp_path: Path) -> None:
    pg.run(
        "CREATE TABLE sales (no text, line text, at timestamptz, total numeric)",
        "INSERT INTO sales VALUES ('good', '1', '2026-11-01 10:00+02', 12.50)",
        "INSERT INTO sales VALUES ('nan', '1', '2026-11-01 10:00+02', 'NaN')",
        "INSERT INTO sales VALUES ('infinite', '1', 'infinity', 1)",
        "INSERT INTO sales VALUES ('huge', '1', '2026-11-01 10:00+02', 10::numeric ^ 300)",
    )
    workbook = pg.workbook(tmp_path)
    workbook.pull()
    # 10:00 at +02 is 08:00 UTC, wherever the server is.
    assert ("good", datetime(2026, 11, 1, 8), Decimal("12.5")) in orders(workbook)
    assert {"nan", "huge"}.isdisjoint(row[0] for row in orders(workbook))
    assert len(orders(workbook)) + len(workbook.rejected("orders")) == 4


def test_addresses_are_pseudonyms(pg: PostgresShop, tmp_path: Path) -> None:
    pg.run(
        "CREATE TABLE hits (at timestamptz, what text, who inet)",
        "INSERT INTO hits VALUES ('2026-11-01 10:00+00', 'pageview', '203.0.113.7'), "
        "('2026-11-01 10:01+00', 'pageview', '203.0.113.7/32'), ('2026-11-01 10:02+00', 'pageview', '2001:db8::1')",
    )
    columns = {"ts": "at", "event": "what", "ip": "who"}
    workbook = pg.workbook(tmp_path, feed="events", table="hits", columns=columns)
    workbook.pull()
    found = [row[0] for row in workbook.rows("events", "visitor_id")]
    # The first two are one visitor.
    assert len(found) == 3 and None not in found and len(set(found)) == 2
    assert "203.0.113" not in workbook.everything()


@pytest.mark.parametrize(
    ("zone", "wall"), [("UTC", datetime(2026, 7, 1, 10)), ("Europe/Berlin", datetime(2026, 7, 1, 8))]
)
def test_wall_clocks_are_read_in_the_sources_zone_and_instants_are_instants(
    pg: PostgresShop, maria: MariaShop, tmp_path: Path, zone: str, wall: datetime
) -> None:
    pg.run(
        "CREATE TABLE sales (no text, line text, wall timestamp, instant timestamptz, total money)",
        "INSERT INTO sales VALUES ('a', '1', '2026-07-01 10:00', '2026-07-01 10:00+00', 1234.56)",
    )
    maria.run(
        "CREATE TABLE sales (no text, line text, wall datetime(3), instant timestamp(6), total decimal(10,2))",
        "SET time_zone = '+00:00'",
        "INSERT INTO sales VALUES ('a', '1', '2026-07-01 10:00', '2026-07-01 10:00', 1234.56)",
    )
    for number, shop in enumerate((pg, maria)):
        for column, expected in {"wall": wall, "instant": datetime(2026, 7, 1, 10)}.items():
            workbook = shop.workbook(
                tmp_path / f"{number}{column}",
                columns={**COLUMNS, "ts": column},
                timezone=zone,
                # Both describe how texts are written, and these are not texts.
                decimal=",",
                time_format="%d.%m.%Y",
            )
            workbook.pull()
            assert orders(workbook) == [("a", expected, Decimal("1234.56"))]


def test_views_of_every_kind_and_schemas(pg: PostgresShop, tmp_path: Path) -> None:
    pg.run(
        "CREATE SCHEMA s",
        'CREATE TABLE s."Odd ""Table"" of 100%" (no text, line text, at date, total float8)',
        "INSERT INTO s.\"Odd \"\"Table\"\" of 100%\" VALUES ('a', '1', '2026-11-01', 0.1)",
        'CREATE VIEW v AS SELECT * FROM s."Odd ""Table"" of 100%"',
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM v",
        "CREATE TABLE parted (no text, line text, at date, total float4) PARTITION BY LIST (line)",
        "CREATE TABLE parted1 PARTITION OF parted FOR VALUES IN ('1')",
        "INSERT INTO parted SELECT * FROM v",
        "GRANT USAGE ON SCHEMA s TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA s TO reader",
    )
    for number, table in enumerate(['s.Odd "Table" of 100%', "v", "m", "parted", "public.m"]):
        workbook = pg.workbook(tmp_path / str(number), table=table)
        assert workbook.check() == []
        workbook.pull()
        assert orders(workbook) == [("a", datetime(2026, 11, 1), Decimal("0.1"))]
    for number, (table, reported) in enumerate(
        {"M": "Did you mean 'm'?", 'Odd "Table" of 100%': "Did you mean 's."}.items()
    ):
        assert reported in pg.workbook(tmp_path / f"x{number}", table=table).check()[0]


CURSORS = {
    "numeric(12,3)": [f"{number}.125" for number in (1, 2, 2, 2, 3, 4)],
    "bigint": ["1", "2", "2", "2", "9007199254740993", "9007199254740994"],
    "double precision": ["0.1", "0.2", "0.2", "0.2", "0.30000000000000004", "1e22"],
    "timestamptz": [f"'2026-11-0{day} 08:00:00.123456+00'" for day in (1, 2, 2, 2, 3, 4)],
    "timestamp": [f"'2026-11-0{day} 08:00:00.123456'" for day in (1, 2, 2, 2, 3, 4)],
    "date": [f"'2026-11-0{day}'" for day in (1, 2, 2, 2, 3, 4)],
    "text": ["'a'", "'b'", "'b'", "'b'", "'B'", "'ä'"],
    "uuid": [f"'0000000{n}-0000-7000-8000-000000000000'" for n in (1, 2, 2, 2, 3, 4)],
}


@pytest.mark.parametrize("type_", CURSORS)
def test_rows_at_the_border_of_a_chunk_are_landed_once(
    pg: PostgresShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    pg.run(f"CREATE TABLE sales (no text, line text, at timestamptz, total numeric, seen {type_})")
    for number, value in enumerate([*CURSORS[type_], "NULL"]):
        pg.run(f"INSERT INTO sales VALUES ('{number}', '1', '2026-11-01 10:00+00', 1, {value})")
    for size in (2, 3, 6):
        monkeypatch.setattr(database, "CHUNK_ROWS", size)
        workbook = pg.workbook(tmp_path / str(size), cursor="seen", lookback=0)
        pulled = workbook.pull()
        # The last has no place in the order: it is rejected.
        assert orders(workbook, "order_id") == [(str(number),) for number in range(6)]
        assert [partition.rejected for partition in pulled][-1] == 1
    pg.run(f"INSERT INTO sales VALUES ('new', '1', '2026-11-01 10:00+00', 1, {CURSORS[type_][-1]})")
    workbook.pull()
    assert {row[0] for row in orders(workbook, "order_id")} == {*(str(number) for number in range(6)), "new"}


@pytest.mark.parametrize(
    ("type_", "last"), [("timestamptz", "'infinity'"), ("numeric", "'NaN'"), ("float8", "'Infinity'")]
)
def test_a_cursor_without_an_end_blocks_nothing(pg: PostgresShop, tmp_path: Path, type_: str, last: str) -> None:
    first, then = ("'2026-11-10'", "'2026-11-11'") if type_ == "timestamptz" else ("5000", "5001")
    pg.run(
        f"CREATE TABLE sales (no text, line text, at timestamptz, total numeric, seen {type_})",
        f"INSERT INTO sales VALUES ('a', '1', '2026-11-01', 1, {first}), ('end', '1', '2026-11-01', 1, {last})",
    )
    workbook = pg.workbook(tmp_path, cursor="seen")
    workbook.pull()
    pg.run(f"INSERT INTO sales VALUES ('b', '1', '2026-11-01', 1, {then})")
    workbook.pull()
    assert {row[0] for row in orders(workbook, "order_id")} == {"a", "b", "end"}


def test_types_of_mariadb(maria: MariaShop, tmp_path: Path) -> None:
    maria.run(
        "SET sql_mode = ''",
        "CREATE TABLE sales (no varchar(9), line tinyint(1), at datetime, total float, y year, s set('a','b'), "
        "e enum('x','y'), b bit(40), t time, u bigint unsigned, bin binary(16), blb blob, js json, g point, d date, "
        "dec65 decimal(65,30), latin varchar(9) CHARACTER SET latin1, z timestamp NULL)",
        "INSERT INTO sales VALUES ('a', 1, '2026-11-01 10:00', 12345.67, 2026, 'a,b', 'y', b'101', '-838:59:59', "
        "18446744073709551615, 0xff00, 0xfffe, '{\"a\": 1}', POINT(1, 2), '2026-11-01', 1e34, 'größe', '2026-11-01')",
        "INSERT INTO sales (no, line, at, total, d) VALUES ('zero', 0, '0000-00-00', 1, '0000-00-00')",
        "INSERT INTO sales (no, line, at, total, d) VALUES ('month', 0, '2026-00-00', 1, '2026-11-00')",
    )
    workbook = maria.workbook(tmp_path, extra_columns="all", currency="EUR")
    workbook.pull()
    ((_, at, amount),) = orders(workbook)
    # A float has 24 bits: to the cent it is the original value, of which the server shows only six digits.
    assert (at, round(amount, 2)) == (datetime(2026, 11, 1, 10), Decimal("12345.67"))
    assert [re.split(" is n| lies outside", reason)[0] for reason, _ in workbook.rejected("orders")] == [
        "ts: '0000-00-00 00:00:00'",
        "ts: '2026-00-00 00:00:00'",
    ]
    record = workbook.rows("orders")[0]["_record"]
    for text in (
        '"y":"2026"',
        '"s":"a,b"',
        '"e":"y"',
        '"b":"5"',
        "-838:59:59",
        "18446744073709551615",
        '"blb":"0xfffe"',
    ):
        assert text in record
    for text in ("0xff00", "POINT(1 2)", "größe", "2026-10-31"):
        assert text in record


MARIA_CURSORS = {
    "decimal(30,9)": [f"{number}.5" for number in (1, 2, 2, 2, 3, 4)],
    "bigint unsigned": ["1", "2", "2", "2", "18446744073709551614", "18446744073709551615"],
    "timestamp(6)": [f"'2026-11-0{day} 08:00:00.123456'" for day in (1, 2, 2, 2, 3, 4)],
    "datetime": ["'0000-00-00'", *(f"'2026-11-0{day} 08:00:00'" for day in (2, 2, 2, 3, 4))],
    "year": ["2001", "2002", "2002", "2002", "2003", "2026"],
    "varchar(9)": ["'a'", "'b'", "'B'", "'b '", "'c'", "'ä'"],
    "enum('z','b','a')": ["'z'", "'b'", "'b'", "'b'", "'a'", "'a'"],
    "bit(8)": ["1", "2", "2", "2", "3", "4"],
}


@pytest.mark.parametrize("type_", MARIA_CURSORS)
def test_rows_at_the_border_of_a_chunk_are_landed_once_in_mariadb(
    maria: MariaShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    maria.run(
        "SET sql_mode = ''",
        f"CREATE TABLE sales (no text, line text, at datetime, total decimal(9,2), seen {type_} NULL)",
        *(
            f"INSERT INTO sales VALUES ('{number}', '1', '2026-11-01 10:00', 1, {value})"
            for number, value in enumerate([*MARIA_CURSORS[type_], "NULL"])
        ),
    )
    for size in (2, 3, 6):
        monkeypatch.setattr(database, "CHUNK_ROWS", size)
        workbook = maria.workbook(tmp_path / str(size), cursor="seen", lookback=0)
        pulled = workbook.pull()
        assert {row[0] for row in orders(workbook, "order_id")} == {str(number) for number in range(6)}
        assert [partition.rejected for partition in pulled][-1] == 1


@pytest.mark.parametrize("kind", ["pg", "maria"])
def test_what_goes_wrong_is_reported_in_one_sentence_without_a_secret(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    shop: Any = request.getfixturevalue(kind)
    at = "timestamptz" if kind == "pg" else "datetime"
    shop.run(
        f"CREATE TABLE sales (no varchar(9), line text, at {at}, total numeric)",
        "CREATE TABLE secret AS SELECT * FROM sales",
    )
    if kind == "pg":
        shop.run("REVOKE SELECT ON secret FROM reader")
    else:
        shop.run(
            f"CREATE OR REPLACE USER other@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON {shop.name}.sales TO other@'127.0.0.1'",
            f"GRANT INSERT ON {shop.name}.secret TO other@'127.0.0.1'",
        )
    limited = shop.url() if kind == "pg" else shop.url(user="other")
    slow = "SELECT pg_sleep(9)" if kind == "pg" else "SET STATEMENT max_statement_time=0.1 FOR SELECT SLEEP(9)"
    del slow
    cases: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
        "password": ({"url": shop.url(password="wr0ng-canary")}, CredentialError, "refuses the user or the password"),
        "user": ({"url": shop.url(user="nobody")}, CredentialError, "refuses the user or the password"),
        "database": ({"url": shop.url(database="nosuchdb")}, SourceError, "has no database of that name"),
        "down": ({"url": f"{shop.server.scheme}://u:{QUOTED}@127.0.0.1:1/x"}, OutageError, "does not answer"),
        "host": ({"url": f"{shop.server.scheme}://u:{QUOTED}@no.invalid/x"}, OutageError, "does not answer"),
        "table": ({"table": "sale"}, SourceError, "has no table 'sale'. Did you mean 'sales'?"),
        "column": (
            {"columns": {**COLUMNS, "amount": "totl"}},
            SourceError,
            "has no column 'totl', which the mapping reads for amount. Did you mean 'total'?",
        ),
        "cursor": ({"cursor": "lin"}, SourceError, "no column 'lin' to be the cursor. Did you mean 'line'?"),
        "right": (
            {"table": "secret", "url": limited},
            SourceError,
            "The table secret of shop cannot be read: its user lacks the right",
        ),
        "query": ({"table": None, "query": "SELECT nothing FROM sales"}, SourceError, "nothing"),
        "twice": ({"table": None, "query": "SELECT no, no FROM sales"}, SourceError, "no"),
        "write": ({"table": None, "query": "DELETE FROM sales"}, SourceError, "The query of shop cannot be read"),
    }
    for name, (options, error, reported) in cases.items():
        workbook = shop.workbook(tmp_path / name, **options)
        (said,) = workbook.check()
        with pytest.raises(error) as refused:
            workbook.pull()
        assert reported in said and reported in str(refused.value), name
        for text in (said, str(refused.value), workbook.everything()):
            assert "canary" not in text and "s3cr3t" not in text, name


def test_columns_that_the_user_may_not_see_are_no_matter(pg: PostgresShop, maria: MariaShop, tmp_path: Path) -> None:
    for number, (shop, at, who) in enumerate([(pg, "timestamptz", "reader"), (maria, "datetime", "part@'127.0.0.1'")]):
        shop.run(f"CREATE TABLE sales (no varchar(9), line text, at {at}, total numeric, iban text)")
        if shop is pg:
            shop.run("REVOKE SELECT ON sales FROM reader")
        else:
            shop.run(f"CREATE OR REPLACE USER {who} IDENTIFIED BY '{PASSWORD}'")
        shop.run(
            "INSERT INTO sales VALUES ('a', '1', '2026-11-01 10:00:00', 1, 'DE00')",
            f"GRANT SELECT (no, line, at, total) ON sales TO {who}",
        )
        workbook = shop.workbook(tmp_path / str(number), shop.url(user=who.partition("@")[0]))
        assert workbook.check() == []
        workbook.pull()
        assert [row[0] for row in orders(workbook, "order_id")] == ["a"]


def test_a_query_that_takes_too_long_is_reported(pg: PostgresShop, maria: MariaShop, tmp_path: Path) -> None:
    pg.run(f"ALTER ROLE reader IN DATABASE {pg.name} SET statement_timeout = '100ms'")
    maria.run(
        f"CREATE OR REPLACE USER hasty@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' WITH MAX_STATEMENT_TIME 0.1",
        f"GRANT SELECT ON {maria.name}.* TO hasty@'127.0.0.1'",
        "CREATE TABLE one AS SELECT 1 AS n UNION SELECT 2",
    )
    asked = "'a' AS no, '1' AS line, '2026-11-01' AS at, 1 AS total"
    queries = {
        pg.url(): f"SELECT {asked} FROM pg_sleep(5)",
        maria.url(user="hasty"): f"SELECT {asked}, SLEEP(5) AS s FROM one",
    }
    for number, (url, query) in enumerate(queries.items()):
        more = {"columns": {**COLUMNS, "origin": "s"}} if number else {}
        workbook = pg.workbook(tmp_path / str(number), url, table=None, query=query, **more)
        with pytest.raises(SourceError, match="The query of shop cannot be read: the server stopped the query"):
            workbook.pull()


def test_a_connection_cut_while_it_is_read_leaves_what_was_landed(
    pg: PostgresShop, maria: MariaShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHUNK_ROWS", 10)
    pg.run(
        "CREATE TABLE sales AS SELECT n AS id, n::text AS no, '1' AS line, timestamptz '2026-11-01 10:00+00' AS at, "
        "1 AS total FROM generate_series(1, 50) n"
    )
    maria.run(
        "CREATE TABLE sales AS SELECT seq AS id, CAST(seq AS CHAR) AS no, '1' AS line, "
        "TIMESTAMP'2026-11-01 10:00:00' AS at, 1 AS total FROM seq_1_to_50"
    )
    kills = (
        lambda: pg.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings'"),
        lambda: maria.run(
            "BEGIN NOT ATOMIC DECLARE found INT DEFAULT (SELECT MAX(id) FROM information_schema.processlist "
            "WHERE user = 'reader'); KILL found; END"
        ),
    )
    for number, (shop, kill) in enumerate(zip((pg, maria), kills, strict=True)):
        calls = 0

        def progress(what: str, done: int, total: int, kill: Any = kill) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                kill()
                time.sleep(0.2)

        workbook = shop.workbook(tmp_path / str(number), cursor="id", lookback=0)
        with pytest.raises(OutageError, match="was lost while the table sales was read") as refused:
            workbook.pull(progress=progress)
        assert "tidings pull shop" in str(refused.value)
        had = len(orders(workbook, "order_id"))
        assert 0 < had < 50
        workbook.pull()
        assert {int(row[0]) for row in orders(workbook, "order_id")} == set(range(1, 51))


def test_many_rows_are_read_as_they_come(pg: PostgresShop, maria: MariaShop, tmp_path: Path) -> None:
    pg.run(
        "CREATE TABLE sales AS SELECT n::text AS no, '1' AS line, timestamptz '2026-11-01 10:00+00' AS at, "
        "n / 100.0 AS total FROM generate_series(1, 60000) n"
    )
    maria.run(
        "CREATE TABLE sales AS SELECT CAST(seq AS CHAR) AS no, '1' AS line, TIMESTAMP'2026-11-01 10:00:00' AS at, "
        "seq / 100 AS total FROM seq_1_to_60000"
    )
    for number, shop in enumerate((pg, maria)):
        workbook = shop.workbook(tmp_path / str(number))
        (pulled,) = workbook.pull()
        assert (pulled.rows, pulled.rejected) == (60_000, 0)
        # 1 + … + 60,000 cents.
        assert sum(row[0] for row in workbook.rows("orders", "amount")) == Decimal("18000300")
