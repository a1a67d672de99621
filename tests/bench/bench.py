"""Measure speed, memory and page weight, each beside what it is compared with in the same run; writes bench.json.

`--quick` uses small data and one repetition, `--large` adds the whole run at size 10. Nothing here fails a build:
the table says what was wanted and what was measured.
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
NOW = datetime(2026, 7, 2, tzinfo=UTC)
SECTIONS = (
    *("executive_overview", "web_traffic", "commerce", "acquisition", "technical_performance", "source_health"),
)


@dataclass(frozen=True)
class Row:
    """One measurement: ours, what it is compared with, the ratio, and what was wanted."""

    what: str
    ours: str
    other: str = ""
    ratio: float | None = None
    wanted: str = ""
    is_met: bool | None = None


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def paired(ours: Callable[[], object], other: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Median seconds of both, run in turn after one warm-up each, and the median of the ratios pair by pair."""
    ours(), other()
    pairs = [(timed(ours), timed(other)) for _ in range(times)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def workbook(folder: Path, size: float) -> Path:
    from workbook_folders import SAMPLE_SETTINGS, make_workbook

    return make_workbook(folder, SAMPLE_SETTINGS.replace("size = 0.03", f"size = {size}"))


def command(*words: str, root: Path) -> tuple[float, float]:
    """Wall seconds and peak memory (MB, the largest process so far) of a command on a workbook."""
    env = {**os.environ, "TIDINGS_ROOT": str(root)}
    start = time.perf_counter()
    subprocess.run(words, check=True, env=env, capture_output=True, cwd=root)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def bench_landing(folder: Path, rows: int, times: int) -> list[Row]:
    """A CSV of order lines through the kind `orders`, beside the same typing and record written in DuckDB."""
    from tidings.landing.store import Landing
    from tidings.settings import Settings
    from tidings.sources.source import Pull, open_sources

    file = folder / "orders.csv"
    duckdb.sql(
        f"COPY (SELECT 'o' || (i // 3) AS number, (i % 3) + 1 AS line, "
        f"TIMESTAMP '2025-01-01' + INTERVAL (i) SECOND AS placed, 'c' || (i % 50000) AS customer, "
        f"'sku' || (i % 700) AS sku, 1 + i % 4 AS pieces, round(1 + (i % 997) / 10.0, 2) AS price, 'DE' AS country "
        f"FROM range({rows}) t(i)) TO '{file}' (HEADER)"
    )
    columns = {
        "order_id": "number",
        "line_id": "line",
        "ts": "placed",
        "customer_id": "customer",
        "product_id": "sku",
        "quantity": "pieces",
        "unit_price": "price",
        "country": "country",
    }
    source = {"kind": "orders", "path": "orders.csv", "currency": "EUR", "columns": columns}
    settings = Settings(root=folder, sources={"shop": source})
    (shop,) = open_sources(settings)

    def ours() -> None:
        shutil.rmtree(settings.raw, ignore_errors=True)
        list(shop.pull(Landing(settings.raw), Pull(NOW, again=True)))

    def direct() -> None:
        # The same work: typed columns, the amount, the record as received, zstd; without checks and line numbers.
        duckdb.sql(
            f"COPY (SELECT number, line, try_cast(placed AS TIMESTAMP) ts, customer, sku, "
            f"try_cast(pieces AS DECIMAL(18,4)) q, try_cast(price AS DECIMAL(18,4)) p, "
            f"try_cast(try_cast(pieces AS DECIMAL(18,4)) * try_cast(price AS DECIMAL(18,4)) AS DECIMAL(18,4)) amount, "
            f"country, to_json(t) AS record FROM read_csv('{file}', all_varchar = true, header = true) t) "
            f"TO '{folder / 'direct.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        )

    a, b, ratio = paired(ours, direct, times)
    landing = Row(
        f"land {rows:,} order lines (CSV)",
        f"{rows / a:,.0f} rows/s",
        f"{rows / b:,.0f} rows/s in DuckDB",
        1 / ratio,
        ">= 0.7",
        1 / ratio >= 0.7,
    )
    return [landing, bench_build(settings, rows, times)]


def bench_build(settings, rows: int, times: int) -> Row:  # type: ignore[no-untyped-def]
    """Building those lines: all tables, contracts checked, beside staging and the order marts written in SQL."""
    from tidings.landing.store import landed_files
    from tidings.warehouse.build import build

    (landed,) = landed_files(settings.raw)
    file = settings.root / "direct.duckdb"

    def ours() -> None:
        shutil.rmtree(settings.warehouse, ignore_errors=True)
        build(settings)

    def direct() -> None:
        file.unlink(missing_ok=True)
        with duckdb.connect(str(file)) as connection:
            connection.execute(
                f"CREATE TABLE lines AS SELECT * EXCLUDE (_record) FROM '{landed.path}' QUALIFY row_number() OVER "
                "(PARTITION BY order_id, type, line_id ORDER BY _line) = 1"
            )
            connection.execute(
                "CREATE TABLE moves AS SELECT order_id, type, status, currency, min(ts) ts,"
                " min(customer_id) customer_id,"
                " sum(amount) amount, sum(coalesce(tax, 0)) tax, sum(quantity) units, count(*) AS n FROM lines"
                " GROUP BY ALL"
            )
            connection.execute(
                "CREATE TABLE orders AS SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY ts) AS nth"
                " FROM moves WHERE type = 'charge' AND status = 'succeeded'"
            )
            connection.execute(
                "CREATE TABLE order_lines AS SELECT l.*, o.nth = 1 AS is_first"
                " FROM lines l LEFT JOIN orders o USING (order_id)"
            )

    a, b, ratio = paired(ours, direct, times)
    return Row(
        "build them (all tables, contracts)", f"{rows / a:,.0f} rows/s", f"{rows / b:,.0f} rows/s in SQL", 1 / ratio
    )


def bench_connectors(quick: bool) -> list[Row]:
    """Rows through a connector and its peak memory, by number of rows; six sources at once and in turn."""
    import connectors

    few = connectors.volume(1 if quick else 2)
    many = connectors.volume(2 if quick else 20)
    growth = many["peak"] / few["peak"]
    at_once, in_turn = connectors.six()
    shown = [f"{found['rows'] / found['seconds']:,.0f} rows/s, peak {found['peak']:,.0f} MB" for found in (few, many)]
    return [
        Row(f"pull {few['rows']:,.0f} rows through a connector", shown[0]),
        Row(
            f"pull {many['rows']:,.0f} rows through a connector",
            shown[1],
            f"peak of the {few['rows']:,.0f}: {few['peak']:,.0f} MB",
            growth,
            "<= 1.25",
            growth <= 1.25,
        ),
        Row(
            "pull six sources at once",
            f"{at_once:.1f} s",
            f"{in_turn:.1f} s one after the other",
            in_turn / at_once,
            ">= 4",
            in_turn / at_once >= 4,
        ),
    ]


def bench_queries(root: Path, times: int) -> list[Row]:
    """Each section's main query as the book runs it, beside the same SQL by hand, on the same build."""
    from tidings.book import Book
    from tidings.metrics.registry import get
    from tidings.query.evaluation import over_periods, over_windows
    from tidings.sections import commerce, technical_performance

    book = Book.open(root=root)
    backend = book.context.warehouse._build.backend.con
    now, then = book.window, book.before
    assert then is not None
    between = "ts >= TIMESTAMP '{}' AND ts < TIMESTAMP '{}'"
    inside = between.format(now.start_at.replace(tzinfo=None), now.end_at.replace(tzinfo=None))
    both = between.format(then.start_at.replace(tzinfo=None), now.end_at.replace(tzinfo=None))
    split = f"CASE WHEN {inside} THEN 0 ELSE 1 END"
    rates = " ".join(f"WHEN '{code}' THEN {rate}::DECIMAL(20,12)" for code, rate in book.context.rates.items())
    by_hand = {
        "executive_overview: money, two windows": (
            lambda: over_windows(book.context, [get("net_revenue"), get("refunds")], [now, then]),
            f"SELECT {split} w, sum(CASE type WHEN 'charge' THEN net ELSE -net END * (CASE currency {rates} END)) "
            "FILTER (type IN ('charge', 'refund', 'chargeback')), sum(net * (CASE currency " + rates + " END)) FILTER "
            f"(type = 'refund') FROM fct_transactions WHERE status = 'succeeded' AND {both} GROUP BY 1",
        ),
        "web_traffic: visitors and page views by day": (
            lambda: over_periods(book.context, [get("visitors"), get("pageviews")], now, "day"),
            "SELECT date_trunc('day', ts) d, count(DISTINCT visitor_id), count(*) FROM fct_events "
            f"WHERE NOT is_bot AND kind = 'pageview' AND {inside} GROUP BY 1",
        ),
        "web_traffic: visits by channel": (
            lambda: over_windows(book.context, [get("visits")], [now, then], lambda rows: rows.channel),
            f"SELECT {split} w, channel, count(*) FROM fct_sessions WHERE is_visit AND {both} GROUP BY 1, 2",
        ),
        "commerce: orders by weekday and hour": (
            lambda: commerce.week_hours(book),
            f"SELECT isodow(ts), hour(ts), count(*) FROM fct_orders WHERE {inside} GROUP BY 1, 2",
        ),
        "technical_performance: slowest endpoints": (
            lambda: technical_performance.slowest_endpoints(book),
            "SELECT service, endpoint, count(*), quantile_cont(latency_ms, 0.5), quantile_cont(latency_ms, 0.95), "
            f"quantile_cont(latency_ms, 0.99) FROM fct_requests WHERE endpoint IS NOT NULL AND latency_ms IS NOT NULL "
            f"AND {inside} GROUP BY 1, 2 HAVING count(*) >= 100 ORDER BY 5 DESC LIMIT 12",
        ),
    }
    rows = []
    for what, (ask, sql) in by_hand.items():
        start = len(book.context.sql)
        ask()
        made = book.context.sql[start:]
        # The engine's time alone, of all that the book asks for this answer.
        a, b, ratio = paired(
            lambda made=made: [backend.execute(query).to_arrow_table() for query in made],
            lambda sql=sql: backend.execute(sql).to_arrow_table(),
            max(times * 5, 7),
        )
        overhead = timed(ask) - a
        rows.append(
            Row(
                what,
                f"{a * 1000:.1f} ms (+{overhead * 1000:.0f} ms to compile)",
                f"{b * 1000:.1f} ms by hand",
                ratio,
                "<= 1.2",
                ratio <= 1.2,
            )
        )
    return rows


def bench_run(root: Path, times: int) -> list[Row]:
    """The weekly report, beside plain papermill and nbconvert over the same notebooks one after the other."""
    plain = root / "plain"
    plain.mkdir(exist_ok=True)

    def one_after_the_other() -> None:
        for section in SECTIONS:
            out = plain / f"{section}.ipynb"
            command(
                sys.executable, "-m", "papermill", f"notebooks/{section}.ipynb", str(out), "-k", "python3", root=root
            )
            command(sys.executable, "-m", "nbconvert", "--to", "html", str(out), root=root)

    ours = lambda: command(sys.executable, "-m", "tidings", "run", "weekly", root=root)  # noqa: E731
    a, b, ratio = paired(ours, one_after_the_other, times)
    return [
        Row("run weekly", f"{a:.1f} s", f"{b:.1f} s plain papermill + nbconvert", 1 / ratio, ">= 3", 1 / ratio >= 3)
    ]


def bench_variants(root: Path, times: int) -> list[Row]:
    """The weekly report in four variants, beside the report without them."""
    weekly = (root / "schedules" / "weekly.toml").read_text(encoding="utf-8")
    days = {"28 days": "28", "7 days": "7", "90 days": "90", "Year to date": '"year to date"'}
    variants = "".join(f'[[variant]]\nname = "{name}"\nparameters = {{ days = {n} }}\n' for name, n in days.items())
    (root / "schedules" / "four.toml").write_text(f"{weekly}\n{variants}", encoding="utf-8")
    four, one = (
        lambda name=name: command(sys.executable, "-m", "tidings", "run", name, root=root)
        for name in ("four", "weekly")
    )
    a, b, ratio = paired(four, one, times)
    return [Row("run four variants of weekly", f"{a:.1f} s", f"{b:.1f} s one", ratio, "< 2", ratio < 2)]


def bench_pages(root: Path) -> list[Row]:
    """Weight of each page, and when its charts are drawn in headless Chromium."""
    chromium = shutil.which("chromium")
    rows = []
    folder = next((root / "reports" / "weekly").iterdir())
    if chromium is None:
        print("no chromium on this machine: time until charts are drawn is not measured")
    for page in sorted(folder.glob("*.html")):
        weight = len(gzip.compress(page.read_bytes())) / 1e3
        drawn = _drawn(chromium, page) if chromium else None
        shown = f"{weight:.0f} KB gzipped" + ("" if drawn is None else f", drawn after {drawn:.2f} s")
        rows.append(
            Row(
                f"page {page.stem}",
                shown,
                wanted="< 150 KB gzipped, < 0.5 s",
                is_met=weight < 150 and (drawn is None or drawn < 0.5),
            )
        )
    return rows


def _drawn(chromium: str, page: Path) -> float:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        seconds = []
        for _ in range(3):
            tab = browser.new_context(offline=True).new_page()
            tab.goto(page.as_uri())
            tab.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            seconds.append(tab.evaluate("performance.now()") / 1000)
        browser.close()
    return statistics.median(seconds)


def bench_delivery(root: Path, recipients: int) -> list[Row]:
    """From a slot to accepted mails, by a mail server on this machine."""
    from bench.delivery import from_slot_to_mail, to_many

    shutil.rmtree(root / "schedules")
    (root / "schedules").mkdir()
    seconds, weight = from_slot_to_mail(root, SECTIONS)
    many, each, runs = to_many(root, recipients)
    return [
        Row("slot to mail accepted, six sections", f"{seconds:.1f} s"),
        Row("a mail with pictures, as sent", f"{weight:.0f} kB"),
        Row(f"slot to {recipients} mails, five parameter sets", f"{many:.1f} s, {runs} runs", f"{each:.0f} ms a mail"),
    ]


def bench_whole(root: Path, size: float) -> list[Row]:
    """Pull, build and run one after the other: wall time, and the largest process's peak memory."""
    rows, total = [], 0.0
    for words in (("pull",), ("build",), ("run", "weekly")):
        seconds, peak = command(sys.executable, "-m", "tidings", *words, root=root)
        total += seconds
        rows.append(Row(f"size {size:g}: {' '.join(words)}", f"{seconds:.1f} s, peak so far {peak:,.0f} MB"))
    return [*rows, Row(f"size {size:g}: all three", f"{total:.1f} s")]


def main() -> None:
    """Measure and print."""
    quick, large = "--quick" in sys.argv, "--large" in sys.argv
    times = 1 if quick else 3
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tidings-bench-") as name:
        folder = Path(name)
        (folder / "land").mkdir()
        small = workbook(folder / "small", 0.1 if quick else 1)
        for step, measure in {
            "the whole": lambda: bench_whole(small, 0.1 if quick else 1),
            "landing and building": lambda: bench_landing(folder / "land", 100_000 if quick else 1_000_000, times),
            "connectors": lambda: bench_connectors(quick),
            "queries": lambda: bench_queries(small, times),
            "the run": lambda: bench_run(small, times),
            "variants": lambda: bench_variants(small, times),
            "pages": lambda: bench_pages(small),
            "delivery": lambda: bench_delivery(small, 50 if quick else 500),
            **({"size 10": lambda: bench_whole(workbook(folder / "large", 10), 10)} if large else {}),
        }.items():
            print(f"measuring {step} ...", flush=True)
            rows += measure()
    print()
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = "" if row.is_met is None else ("met" if row.is_met else "MISSED")
        print(f"{row.what:<46} {row.ours:<34} {row.other:<36} {ratio:>6}  {row.wanted} {met}".rstrip())
    (ROOT / "bench.json").write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
