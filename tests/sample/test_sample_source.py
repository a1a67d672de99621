"""The sample company as landed: the same every time, and equal to its truth, counted again in SQL by the
definitions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tidings.errors import SettingsError
from tidings.landing.store import Landing, landed_files, verify
from tidings.sample import land_sample
from tidings.sample.platforms import platform_feeds
from tidings.sample.source import TRUTH, Sample
from tidings.settings import Settings
from tidings.sources.source import Pull, Source, open_sources
from tidings.warehouse.reader import Warehouse

SIZE = 0.1
FEEDS = ("orders", "events", "requests", "vitals")
ENDPOINTS = (*FEEDS, *(feed.name for feed in platform_feeds()))
END = datetime(2026, 7, 1, tzinfo=UTC)

Sql = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workbook's raw folder with the sample in it, and the truth."""
    raw = tmp_path_factory.mktemp("sample") / "data" / "raw"
    return raw, land_sample(raw, size=SIZE)


@pytest.fixture(scope="module")
def truth(landed: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return landed[1]


@pytest.fixture(scope="module")
def sql(landed: tuple[Path, dict[str, Any]]) -> Sql:
    """Queries `all_<feed>` (every landed row) and `<feed>` (in force, each key once: metric definitions C7)."""
    con = duckdb.connect()
    keys = {"orders": "order_id, type, line_id", "events": "event_id", "requests": "request_id", "vitals": "sample_id"}
    for feed in FEEDS:
        partitions, seen = [], []
        for file in landed_files(landed[0]):
            if file.feed == feed:
                rows = f"SELECT *, {file.pull} AS pull FROM read_parquet('{file.path}')"
                partitions.append(rows)
                hidden = [
                    f"NOT (ts >= '{s.start:%Y-%m-%d %H:%M}' AND ts < '{s.end:%Y-%m-%d %H:%M}')" for s in file.hidden
                ]
                seen.append(rows + (" WHERE " + " AND ".join(hidden) if hidden else ""))
        con.execute(f"CREATE TABLE all_{feed} AS {' UNION ALL '.join(partitions)}")
        con.execute(
            f"CREATE TABLE {feed} AS SELECT * FROM ({' UNION ALL '.join(seen)}) "
            f"QUALIFY row_number() OVER (PARTITION BY {keys[feed]} ORDER BY pull DESC, _line) = 1"
        )
    con.execute("""
        CREATE TABLE hits AS
        SELECT *, sum(starts) OVER (PARTITION BY visitor_id ORDER BY ts, _line) AS session FROM (
            SELECT *, CASE WHEN ts - lag(ts) OVER w <= INTERVAL 1800 SECONDS THEN 0 ELSE 1 END AS starts
            FROM events WHERE NOT is_bot WINDOW w AS (PARTITION BY visitor_id ORDER BY ts, _line));
        CREATE TABLE sessions AS
        SELECT visitor_id, session, count(*) FILTER (event = 'pageview') AS views,
            min(ts) AS first, max(ts) AS last, any_value(country) AS country,
            arg_min(channel, (ts, _line)) FILTER (event = 'pageview') AS channel
        FROM hits GROUP BY ALL;
        CREATE TABLE documents AS
        SELECT order_id, type, status, any_value(customer_id) AS customer_id, any_value(refund_of) AS refund_of,
            any_value(currency) AS currency, any_value(origin) AS origin, min(ts) AS ts, sum(amount) AS amount,
            sum(tax) AS tax
        FROM orders GROUP BY ALL
    """)
    return lambda query: con.execute(query).fetchall()


def _hashes(raw: Path) -> dict[str, str]:
    return {f"{file.source}/{file.endpoint}/{file.pull}": file.load.sha256 for file in landed_files(raw)}


def _open(raw: Path, name: str = "sample", **options: Any) -> Source:
    (source,) = open_sources(Settings(root=raw, sources={name: {"kind": "sample", **options}}))
    return source


def _pull(raw: Path, **options: Any) -> list[tuple[str, int, bool]]:
    source = _open(raw, **{"size": 0.002, "days": 60, **options})
    pulled = source.pull(Landing(raw), Pull(END))
    return [(each.feed, each.rows, each.skipped) for each in pulled]


def test_same_options_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    truths = [land_sample(raw, size=0.002, days=60, seed=seed) for raw, seed in ((one, 5), (two, 5), (other, 6))]
    assert _hashes(one) == _hashes(two)
    assert truths[0] == truths[1]
    assert not set(_hashes(one).values()) & set(_hashes(other).values())


def test_a_pull_with_the_same_options_is_skipped_and_one_with_others_replaces_everything(tmp_path: Path) -> None:
    first = _pull(tmp_path)
    assert [skipped for *_, skipped in first] == [False] * len(ENDPOINTS)
    hashes = _hashes(tmp_path)
    assert _pull(tmp_path) == [(feed, rows, True) for feed, rows, _ in first], "same options: nothing is made"
    assert _hashes(tmp_path) == hashes
    for change in ({"size": 0.004}, {"seed": 3}, {"end": "2026-06-30"}):
        assert [skipped for *_, skipped in _pull(tmp_path, **change)] == [False] * len(ENDPOINTS)
        files = landed_files(tmp_path)
        assert not {file.load.sha256 for file in files} & set(hashes.values()), f"{change}: nothing old is left"
        assert len(files) == len(hashes), "as many loads as before: those of the other options are gone"
    verify(tmp_path)


def test_a_pull_that_was_killed_before_the_truth_is_done_again(tmp_path: Path) -> None:
    _pull(tmp_path)
    (tmp_path / "sample" / "truth.json").unlink()
    assert [skipped for *_, skipped in _pull(tmp_path)] == [False] * len(ENDPOINTS)
    assert (tmp_path / "sample" / "truth.json").is_file()


def test_the_data_are_complete_until_the_end_and_nothing_lies_after_it(landed: tuple[Path, Any], sql: Sql) -> None:
    until = {file.feed: file.load.complete_until for file in landed_files(landed[0])}
    moving = {feed for feed in until if feed.startswith("search_console")}
    assert {until[feed] for feed in until if feed not in moving} == {END}
    # Search Console itself reports which days still move: in California the 28th begins.
    assert {until[feed] for feed in moving} == {datetime(2026, 6, 28, 7, tzinfo=UTC)}
    for feed in FEEDS:
        ((first, last),) = sql(f"SELECT min(ts), max(ts) FROM all_{feed}")
        assert last < END.replace(tzinfo=None), feed
        assert first >= datetime(2024, 6, 30, 20), feed


def test_size_scales_the_rows(tmp_path: Path, truth: dict[str, Any]) -> None:
    quarter = land_sample(tmp_path, size=SIZE / 4)
    for feed, name in (("events", "events"), ("requests", "requests"), ("vitals", "samples")):
        assert truth[feed][name] / quarter[feed][name] == pytest.approx(4, rel=0.15), feed
    assert truth["events"]["events"] == pytest.approx(1_000_000 * SIZE, rel=0.1), "size 1 is a million events"


def test_hits_are_as_many_as_the_truth_says(sql: Sql, truth: dict[str, Any]) -> None:
    reported = truth["events"]
    ((received, rows, bots, views),) = sql(
        "SELECT (SELECT count(*) FROM all_events), count(*), count(*) FILTER (is_bot),"
        " count(*) FILTER (event = 'pageview' AND NOT is_bot) FROM events"
    )
    assert (rows, bots, views) == (reported["events"], reported["bot_hits"], reported["pageviews"])
    assert received == rows + reported["delivered_twice"]
    assert rows - bots == reported["people_hits"]
    assert 0.05 < bots / rows < 0.08
    by_event = dict(sql("SELECT event, count(*) FROM events WHERE NOT is_bot GROUP BY 1"))
    assert by_event == {event: number for event, number in reported["people_hits_by_event"].items() if number}


def test_sessions_by_the_1800_s_rule_are_the_visits_that_were_simulated(sql: Sql, truth: dict[str, Any]) -> None:
    reported = truth["events"]
    ((sessions, visits, bounces, length, visitors),) = sql("""
        SELECT count(*), count(*) FILTER (views > 0), count(*) FILTER (views = 1),
            sum(epoch_ms(last) - epoch_ms(first)) FILTER (views > 0),
            count(DISTINCT visitor_id) FILTER (views > 0) FROM sessions""")
    assert sessions == reported["sessions"]
    assert visits == reported["visits"]
    assert bounces == reported["bounces"]
    assert length == reported["visit_milliseconds"]
    assert visitors == reported["visitors"]
    assert sessions > visits, "some sessions are the app in the background"
    ((at_the_limit, longest),) = sql(
        "SELECT count(*) FILTER (gap = 1800), max(gap) FROM (SELECT epoch_ms(ts) / 1000 - epoch_ms(lag(ts) OVER"
        " (PARTITION BY visitor_id, session ORDER BY ts, _line)) / 1000 AS gap FROM hits)"
    )
    assert at_the_limit > 0, "a pause of exactly 1,800 s continues a session: the rule is tested at its limit"
    assert longest == 1800


def test_sources_of_visits_are_those_of_their_first_view(sql: Sql, truth: dict[str, Any]) -> None:
    channels = dict(sql("SELECT channel, count(*) FROM sessions WHERE views > 0 GROUP BY 1"))
    assert channels == {name: n for name, n in truth["events"]["visits_by_channel"].items() if n}
    assert {"Direct", "Organic Search", "AI Assistants", "Email", "Paid Search", "Referral"} <= set(channels)
    countries = dict(sql("SELECT country, count(*) FROM sessions WHERE views > 0 GROUP BY 1"))
    assert countries == {name: n for name, n in truth["events"]["visits_by_country"].items() if n}
    ((on_later_hits,),) = sql(
        "SELECT count(*) FROM (SELECT referrer_host, row_number() OVER (PARTITION BY visitor_id, session"
        " ORDER BY ts, _line) AS nth FROM hits) WHERE nth > 1 AND referrer_host IS NOT NULL"
    )
    assert on_later_hits == 0, "only a landing has a referrer from outside"


def test_users_have_visitors_of_their_own(sql: Sql, truth: dict[str, Any]) -> None:
    ((users, pairs, shared),) = sql("""
        SELECT count(DISTINCT user_id), count(DISTINCT (user_id, visitor_id)),
            (SELECT count(*) FROM (SELECT visitor_id FROM events WHERE user_id IS NOT NULL
             GROUP BY 1 HAVING count(DISTINCT user_id) > 1)) FROM events WHERE user_id IS NOT NULL""")
    assert (users, pairs) == (truth["events"]["users"], truth["events"]["users_x_devices"])
    assert pairs > users, "some come with two devices"
    assert shared == 0
    ((early,),) = sql("""
        SELECT count(*) FROM hits JOIN (SELECT user_id, min(ts) AS signed FROM hits WHERE event = 'signup' GROUP BY 1) s
        USING (user_id) WHERE ts < signed""")
    assert early == 0, "nobody is known before signing up"


def test_the_warehouse_finds_the_same(sample_workbook: Path) -> None:
    settings = Settings(root=sample_workbook)
    truth = json.loads((settings.raw / "sample" / TRUTH).read_text(encoding="utf-8"))
    with Warehouse.open(settings) as warehouse:
        sessions, orders = warehouse.table("fct_sessions"), warehouse.table("fct_orders")
        found = warehouse.query(
            sessions.aggregate(
                sessions=sessions.count(), visits=sessions.is_visit.sum(), bounces=sessions.is_bounce.sum()
            )
        ).to_pylist()[0]
        assert found == {name: truth["events"][name] for name in found}
        sold = warehouse.query(orders.aggregate(n=orders.count(), known=orders.customer_id.nunique())).to_pylist()[0]
        assert sold == {"n": truth["orders"]["orders"], "known": truth["orders"]["customers"]}


def test_money_is_as_the_truth_says(sql: Sql, truth: dict[str, Any]) -> None:
    reported = truth["orders"]
    kinds = {
        "orders": "type = 'charge' AND status = 'succeeded'",
        "refunds": "type = 'refund' AND status = 'succeeded'",
        "chargebacks": "type = 'chargeback' AND status = 'succeeded'",
        "pending": "type = 'charge' AND status = 'pending'",
        "failed": "type = 'charge' AND status = 'failed'",
        "canceled": "type = 'charge' AND status = 'canceled'",
        "orders_without_customer": "type = 'charge' AND status = 'succeeded' AND customer_id IS NULL",
    }
    for name, rule in kinds.items():
        ((number,),) = sql(f"SELECT count(*) FROM documents WHERE {rule}")
        assert number == reported[name], name
    for name, kind in (("gross", "orders"), ("refunded", "refunds"), ("charged_back", "chargebacks")):
        sums = dict(sql(f"SELECT currency, sum(amount - tax) FROM documents WHERE {kinds[kind]} GROUP BY 1"))
        assert {c: sums.get(c, 0) for c in reported[name]} == {c: Decimal(v) for c, v in reported[name].items()}, name
    net = dict(
        sql(
            "SELECT currency, sum((amount - tax) * CASE type WHEN 'charge' THEN 1 ELSE -1 END) FROM documents"
            " WHERE status = 'succeeded' GROUP BY 1"
        )
    )
    assert net == {currency: Decimal(value) for currency, value in reported["net"].items()}
    ((lines, received, customers),) = sql(
        "SELECT count(*), (SELECT count(*) FROM all_orders), count(DISTINCT customer_id) FILTER"
        " (type = 'charge' AND status = 'succeeded') FROM orders"
    )
    assert (lines, customers) == (reported["lines"], reported["customers"])
    assert (
        received
        == lines + reported["lines_delivered_twice"] + reported["lines_restated"] - reported["lines_missing_at_first"]
    )


def test_refunds_name_an_order_and_are_at_most_what_was_paid_except_for_goodwill(
    sql: Sql, truth: dict[str, Any]
) -> None:
    returned = sql("""
        SELECT r.order_id, r.type, r.amount, o.amount, r.ts > o.ts, r.currency = o.currency,
            r.customer_id IS NOT DISTINCT FROM o.customer_id
        FROM documents r LEFT JOIN documents o ON o.order_id = r.refund_of AND o.type = 'charge'
            AND o.status = 'succeeded' WHERE r.type IN ('refund', 'chargeback')""")
    assert len(returned) == truth["orders"]["refunds"] + truth["orders"]["chargebacks"] > 5
    assert all(paid is not None and later and same and own for _, _, _, paid, later, same, own in returned)
    above = [row for row in returned if row[2] > row[3]]
    assert len(above) == truth["orders"]["refunds_above_charge"]
    assert any(back < paid for _, kind, back, paid, *_ in returned if kind == "refund"), "some are partial"


def test_every_purchase_is_an_order_of_the_same_user_within_seconds(sql: Sql, truth: dict[str, Any]) -> None:
    pairs = sql("""
        SELECT o.order_id, e.user_id IS NOT DISTINCT FROM o.customer_id, epoch_ms(o.ts) - epoch_ms(e.ts),
            e.value = o.amount, o.currency = e.properties['currency'], e.country = l.country
        FROM events e FULL JOIN (SELECT * FROM documents WHERE type = 'charge' AND status <> 'failed'
            AND origin = 'web') o ON e.properties['order_id'] = o.order_id
        LEFT JOIN (SELECT DISTINCT order_id, country FROM orders) l ON l.order_id = o.order_id
        WHERE e.event = 'purchase' OR e.event IS NULL""")
    matched = [pair for pair in pairs if pair[2] is not None]
    assert all(same and 1000 <= after <= 5000 and value and currency and country
               for _, same, after, value, currency, country in matched)  # fmt: skip
    assert len(matched) == truth["events"]["people_hits_by_event"]["purchase"]
    assert len(pairs) - len(matched) == truth["people"]["purchases_lost_to_tracking_gap"]


def test_prices_taxes_and_coupons_hold_line_by_line(sql: Sql, truth: dict[str, Any]) -> None:
    changed = datetime.fromisoformat(truth["planted"]["price_change"]["from"]).replace(tzinfo=None)
    taxes = {"DE": 19, "US": 0, "GB": 20, "FR": 20, "AT": 20, "CH": Decimal("8.1"), "NL": 21, "ES": 21, "SE": 25}
    cent = Decimal("0.01")
    lines = sql("""
        SELECT o.product_id, o.quantity, o.unit_price, o.amount, o.tax, o.currency, o.country, o.ts,
            e.properties['coupon'] FROM orders o LEFT JOIN events e ON e.event = 'purchase'
            AND e.properties['order_id'] = o.order_id WHERE o.type = 'charge' AND o.status <> 'failed'""")
    reduced = 0
    for product, quantity, unit, amount, tax, currency, country, ts, coupon in lines:
        price = Decimal(truth["prices"][currency][product]["after" if ts >= changed else "before"])
        if coupon:
            price = (price * Decimal("0.85")).quantize(cent, ROUND_HALF_UP)
            reduced += 1
        assert (unit, amount) == (price, price * quantity)
        rate = Decimal(taxes[country]) / 100
        assert tax == (amount * rate / (1 + rate)).quantize(cent, ROUND_HALF_UP)
    assert 0 < reduced < len(lines) / 4
    courses = truth["prices"]["EUR"]
    assert courses["crs-report"] == {"before": "99.0", "after": "111.0"}, "99 x 1.12 in whole euros"
    assert courses["mug"]["before"] == courses["mug"]["after"]


def test_the_last_days_of_orders_were_reported_twice_and_differ(landed: tuple[Path, Any], sql: Sql) -> None:
    first, second = (file for file in landed_files(landed[0]) if file.endpoint == "orders")
    assert second.load.window is not None
    assert (second.load.window.start.date(), second.load.window.end) == (date(2026, 6, 24), END)
    assert first.hidden == (second.load.window,)
    ((fee_at_first, fee_now),) = sql(
        "SELECT sum(fee) FILTER (pull = 1), sum(fee) FILTER (pull = 2) FROM all_orders"
        " WHERE ts >= '2026-06-24' AND status <> 'failed'"
    )
    assert fee_at_first == 0 < fee_now


def test_calls_are_as_the_truth_says(sql: Sql, truth: dict[str, Any]) -> None:
    reported = truth["requests"]
    ((rows, errors, refused),) = sql(
        "SELECT count(*), count(*) FILTER (coalesce(status, 0) = 0 OR status >= 500),"
        " count(*) FILTER (status BETWEEN 400 AND 499) FROM requests"
    )
    assert (rows, errors, refused) == (reported["requests"], reported["errors"], reported["client_errors"])
    services = dict(sql("SELECT service, count(*) FROM requests GROUP BY 1"))
    assert services == reported["requests_by_service"]
    providers = dict(sql("SELECT coalesce(provider, 'own'), count(*) FROM requests GROUP BY 1"))
    assert providers == reported["requests_by_provider"]
    ((unpriced,),) = sql("SELECT count(*) FROM requests WHERE (cost IS NULL) <> (currency IS NULL)")
    assert unpriced == 0
    ((tokens, price),) = sql(
        "SELECT sum(tokens_in * 0.0000025 + tokens_out * 0.00001), sum(cost) FROM requests"
        " WHERE endpoint = '/chat' AND status = 200"
    )
    assert float(price) == pytest.approx(float(tokens)), "2.5 and 10 dollars per million tokens"


def test_vitals_are_as_the_truth_says(sql: Sql, truth: dict[str, Any]) -> None:
    assert dict(sql("SELECT metric, count(*) FROM vitals GROUP BY 1")) == truth["vitals"]["samples_by_metric"]


def test_what_was_received_says_what_the_columns_say(sql: Sql) -> None:
    for feed in FEEDS:
        names = [name for name, *_ in sql(f"DESCRIBE {feed}") if not name.startswith("_") and name != "pull"]
        for *values, record in sql(f"SELECT {', '.join(names)}, _record FROM {feed} USING SAMPLE 200 (reservoir, 1)"):
            said = json.loads(record, parse_float=str)
            reported = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            assert set(said) == set(reported)
            for name, value in reported.items():
                if isinstance(value, datetime):
                    assert datetime.fromisoformat(said[name]) == value
                elif isinstance(value, Decimal | float):
                    assert float(said[name]) == float(value)
                else:
                    assert said[name] == value, name


def test_a_short_or_empty_company_lands_too(tmp_path: Path) -> None:
    short = land_sample(tmp_path / "short", size=0.05, days=2)
    assert short["planted"] == {}, "nothing is planted that does not fit into the days"
    assert short["events"]["events"] > 0
    empty = land_sample(tmp_path / "empty", size=0.0001, days=1)
    assert empty["orders"].get("orders", 0) == 0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"size": 0}, "size 0 is not possible"),
        ({"size": "big"}, "size must be a number, not 'big'"),
        ({"size": True}, "size must be a number, not True"),
        ({"seed": -1}, "seed -1 is negative"),
        ({"seed": 1.5}, "seed must be a whole number, not 1.5"),
        ({"days": 0}, "cannot cover 0 days"),
        ({"end": 5}, "end must be a date, not 5"),
    ],
)
def test_options_that_cannot_be_used_are_rejected(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        _open(Path(), **table)


def test_options_as_toml_gives_them() -> None:
    source = _open(Path(), "demo", end=date(2026, 1, 1), days=30, size=2)
    assert isinstance(source, Sample)
    assert (source.name, source.options.end, source.options.days, source.options.size) == (
        "demo",
        date(2026, 1, 1),
        30,
        2,
    )
    assert [endpoint.name for endpoint in source.endpoints] == list(ENDPOINTS)
    with pytest.raises(SettingsError, match=r"end must be a date, not 'soon'\. Write end = \"2026-07-01\"\."):
        _open(Path(), end="soon")
