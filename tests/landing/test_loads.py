"""Loads of user files: their order, what is rejected and why, and taking one out again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tidings.errors import SourceError, UsageError
from tidings.intake.dropping import drop, loads_of, undo
from tidings.intake.overlapping import overlap_sentences
from tidings.landing import store as landing_module
from tidings.landing.rejections import by_day, commonest, kinds_of, reasons_in
from tidings.landing.store import Landing, landed_files
from tidings.ledger.store import Ledger
from tidings.settings import Settings
from tidings.sources.source import Pull, Pulled, open_sources
from tidings.warehouse.build import build
from tidings.warehouse.reader import Warehouse

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
COLUMNS = {"order_id": "order", "ts": "date", "amount": "total"}
HEADER = "order,date,total\n"


class Shop:
    """A workbook with one source of order files."""

    def __init__(self, root: Path, **options: Any) -> None:
        table = {"kind": "orders", "path": "*.csv", "columns": COLUMNS, **options}
        self.settings = Settings(root=root, sources={"shop": table})
        self.root = root

    def write(self, name: str, *rows: str) -> None:
        (self.root / name).write_text(HEADER + "".join(f"{row}\n" for row in rows))

    def pull(self, now: datetime = NOW, *, again: bool = False) -> list[Pulled]:
        (source,) = open_sources(self.settings)
        return list(source.pull(Landing(self.settings.raw), Pull(now, again=again)))

    def amounts(self) -> list[tuple[str, float]]:
        """What a build counts."""
        build(self.settings)
        with Warehouse.open(self.settings) as warehouse:
            rows = warehouse.query(warehouse.table("stg_orders")).to_pylist()
        return sorted((row["order_id"], float(row["amount"])) for row in rows)

    def partitions(self) -> list[str]:
        files = landed_files(self.settings.raw)
        return [f"{file.partition}{' (quarantined)' * file.load.quarantined}" for file in files]

    def said(self) -> list[str]:
        return overlap_sentences(self.settings.raw, "shop", "orders")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_of_two_exports_of_one_pull_the_one_that_reaches_further_is_the_later(shop: Shop) -> None:
    # By name november comes first.
    shop.write("nov.csv", "1,2026-10-31T10:00,12", "2,2026-11-02T10:00,5")
    shop.write("oct.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    assert shop.partitions() == ["oct.csv", "nov.csv"]
    assert shop.amounts() == [("1", 12), ("2", 5)]
    assert shop.said() == [
        "oct.csv and nov.csv disagree about 1 row (such as order_id 1): what nov.csv says counts, as it came later."
    ]


def test_landing_again_does_not_change_which_load_is_later(shop: Shop) -> None:
    shop.write("b.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    shop.write("a.csv", "1,2026-10-31T10:00,12")
    shop.pull(NOW + DAY)
    assert shop.amounts() == [("1", 12)], "a.csv came a day later"
    shop.pull(NOW + 2 * DAY, again=True)
    assert shop.partitions() == ["b.csv", "a.csv"] and shop.amounts() == [("1", 12)]
    # A changed mapping lands everything again, too; a changed file is a new load.
    changed = replace(shop.settings, sources={"shop": {**shop.settings.sources["shop"], "timezone": "Europe/Berlin"}})
    shop.settings = changed
    shop.pull(NOW + 3 * DAY)
    assert shop.partitions() == ["b.csv", "a.csv"]
    shop.write("b.csv", "1,2026-10-31T10:00,13")
    shop.pull(NOW + 4 * DAY)
    assert shop.amounts() == [("1", 13)]


def test_the_same_file_under_two_names_counts_once_and_pull_says_so(shop: Shop) -> None:
    shop.write("orders.csv", "1,2026-10-31T10:00,10", "1,2026-10-31T10:00,10")
    (shop.root / "orders (1).csv").write_bytes((shop.root / "orders.csv").read_bytes())
    shop.pull()
    assert shop.amounts() == [("1", 10), ("1", 10)], "two equal lines of one file are two"
    assert shop.said() == ["orders (1).csv and orders.csv have 2 rows in common (such as order_id 1): counted once."]


def test_daily_exports_of_the_last_thirty_days_count_each_order_once(shop: Shop) -> None:
    first = datetime(2026, 10, 1, 10)
    orders = [f"{n},{first + n * DAY:%Y-%m-%dT%H:%M},{n}" for n in range(40)]
    for day in range(30, 40):
        shop.write(f"export-{day}.csv", *orders[day - 30 : day])
    shop.pull()
    assert shop.amounts() == sorted((str(n), float(n)) for n in range(39))


def test_charges_of_one_order_at_two_times_both_count_and_are_named(shop: Shop) -> None:
    shop.write("a.csv", "1,2026-10-30T10:00,10")
    shop.write("b.csv", "1,2026-11-02T10:00,10")
    shop.pull()
    assert shop.amounts() == [("1", 10), ("1", 10)]
    (said,) = shop.said()
    assert said.startswith("a.csv and b.csv both have 1 charge of the same order at different times")
    assert "both count" in said and "line_id" in said


def test_a_row_of_the_future_is_rejected_and_does_not_say_how_far_the_data_reach(shop: Shop) -> None:
    tomorrow, later = NOW + DAY, NOW + 2 * DAY + timedelta(minutes=1)
    shop.write("a.csv", "1,2026-10-07T10:00,1", "2,2062-10-07T10:00,1", f"3,{later:%Y-%m-%dT%H:%M},1")
    (pulled,) = shop.pull()
    assert (pulled.rows, pulled.rejected) == (1, 2)
    (landed,) = landed_files(shop.settings.raw)
    # The end of the day of the last row that is not mistyped.
    assert landed.load.complete_until == datetime(2026, 10, 8, tzinfo=UTC)
    reasons = pq.read_table(landed.rejected_path)["reason"].to_pylist()
    assert reasons[0] == "ts: '2062-10-07 10:00:00' is more than 2 days after the pull (of 2026-11-28)"
    # Two days are allowed: a zone that is not set, a clock that is wrong.
    shop.write("a.csv", f"1,{tomorrow:%Y-%m-%dT%H:%M},1")
    assert shop.pull()[0].rejected == 0


def test_a_time_that_there_cannot_be_is_one_rejected_row(shop: Shop) -> None:
    times = ("infinity", "9999-12-31", "2200-01-01", "1899-12-31")
    shop.write("a.csv", "1,2026-10-07T10:00,1", *(f"2,{time},1" for time in times))
    (pulled,) = shop.pull()
    assert (pulled.rows, pulled.rejected) == (1, len(times))
    assert shop.amounts() == [("1", 1)]


def test_a_file_none_of_whose_rows_can_be_used_fails_with_the_reasons_and_what_to_set(shop: Shop) -> None:
    shop.write("good.csv", "7,2026-11-01T10:00,7")
    (shop.root / "german.csv").write_text("order;date;total\n1;05.10.2026 10:00;1.234,50\n2;16.10.2026 11:30;12,00\n")
    with pytest.raises(SourceError) as failed:
        shop.pull()
    said = str(failed.value)
    assert "None of the 2 rows of german.csv can be used" in said
    assert "such as '1.234,50'" in said and "such as '05.10.2026 10:00'" in said
    assert "With decimal = ',' and time_format = '%d.%m.%Y %H:%M' all 2 can be used" in said
    assert shop.amounts() == [("7", 7)], "the other file is landed"
    # It is not forgotten: the next pull fails again, and the rejected rows are kept.
    with pytest.raises(SourceError, match=r"None of the 2 rows of german\.csv"):
        shop.pull()
    assert shop.partitions() == ["german.csv (quarantined)", "good.csv"]
    # With the proposed settings it is landed correctly.
    (shop.root / "good.csv").unlink()
    options = {"decimal": ",", "time_format": "%d.%m.%Y %H:%M"}
    shop.settings = replace(shop.settings, sources={"shop": {**shop.settings.sources["shop"], **options}})
    shop.pull()
    assert shop.partitions() == ["german.csv", "good.csv"]
    assert shop.amounts() == [("1", 1234.5), ("2", 12), ("7", 7)]


def test_what_a_file_held_before_stays_when_its_new_rows_cannot_be_used(shop: Shop) -> None:
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    shop.write("a.csv", "1,yesterday,10")
    with pytest.raises(SourceError, match=r"None of the 1 rows"):
        shop.pull()
    assert shop.amounts() == [("1", 10)]


def test_a_file_that_loses_more_than_a_tenth_says_what_to_do(shop: Shop) -> None:
    shop.write("a.csv", *(f"{n},2026-10-{n:02d},1" for n in range(1, 9)), "9,13.10.2026,1", '10,14.10.2026,"1,5"')
    (pulled,) = shop.pull()
    assert pulled.messages[0].startswith("2 rows of a.csv were rejected, each with its reason: data/raw/shop")
    assert pulled.messages[1] == "a.csv loses 20% of its 10 rows."
    assert any("such as '13.10.2026'" in message for message in pulled.messages)
    # Nothing reads both: the options concerned are named.
    assert "`time_format`" in pulled.messages[-1]


def test_an_ambiguous_day_is_reported_and_not_guessed(shop: Shop) -> None:
    shop.write("a.csv", "1,03/04/2026,5")
    with pytest.raises(SourceError, match=r"'03/04/2026' may be 4 March 2026 .* or 3 April 2026 .*: set time_format"):
        shop.pull()


def test_a_row_of_another_century_counts_and_is_named(shop: Shop) -> None:
    shop.write("a.csv", "1,1926-10-07,1", "2,2026-10-05,1", "3,2026-10-06,1")
    (pulled,) = shop.pull()
    assert pulled.rows == 3
    assert pulled.messages == (
        "1 row of a.csv up to 1926-10-07, then none until 2026-10-05: check whether the year is right.",
    )
    # Many old rows and a long pause are a history, not a typing error.
    shop.write("a.csv", "1,2010-10-07,1", "2,2010-10-08,1", "3,2026-10-06,1")
    assert shop.pull()[0].messages == ()


def test_a_lost_load_names_its_file_and_what_to_do(shop: Shop) -> None:
    shop.write("a.csv", "1,2026-10-07,1")
    shop.pull()
    (landed,) = landed_files(shop.settings.raw)
    landed.path.unlink()
    with pytest.raises(SourceError) as lost:
        build(shop.settings)
    assert "(of a.csv) is lost" in str(lost.value)
    assert "Run: tidings pull shop --again." in str(lost.value)
    assert f"tidings drop shop --load {landed.load.id} --yes" in str(lost.value)
    drop(shop.settings, "shop", loads_of(shop.settings, "shop", None), NOW)
    assert shop.amounts() == []


def test_reasons_that_differ_only_in_the_cell_are_one() -> None:
    assert kinds_of("amount: 'a; b' is not a number; ts: 'x' is not a time") == [
        ("amount: is not a number", "a; b"),
        ("ts: is not a time", "x"),
    ]
    (most, other) = commonest([("amount: '1,5' is not a number", 3), ("amount: 'joe@x.example' is not a number", 2),
                               ("order_id: is missing", 1)])  # fmt: skip
    assert str(most) == "5 rows: amount: is not a number, such as '1,5'"
    assert str(other) == "1 row: order_id: is missing"
    # Cells are shown redacted.
    assert commonest([("amount: 'joe@x.example' is not a number", 1)])[0].example == "[email]"


def test_rejected_rows_are_of_the_day_of_the_row_before_them(shop: Shop) -> None:
    shop.write("a.csv", "1,x,1", "2,2026-10-01,1", "3,x,1", "4,2026-10-02,1", "5,2026-10-02,1", "6,2026-10-02,x")
    shop.pull()
    (landed,) = landed_files(shop.settings.raw)
    assert landed.rejected_path is not None
    found = by_day(landed.path, landed.time, landed.rejected_path)
    counted = sorted((row["day"].day, row["reason"].split(":")[0], row["rows"], row["of"]) for row in found)
    # Line 2 before the first, line 4 after it; one landed row on the 1st, two on the 2nd.
    assert counted == [(1, "", 0, 1), (1, "ts", 2, 2), (2, "", 0, 2), (2, "amount", 1, 1)]
    assert [reason.rows for reason in reasons_in(landed.rejected_path)] == [2, 1]


def test_a_load_is_dropped_and_not_landed_again_until_it_is_let(shop: Shop) -> None:
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.write("b.csv", "2,2026-11-01T10:00,20")
    shop.pull()
    first, second = loads_of(shop.settings, "shop", None)
    assert (first.load.partition, first.first, first.last) == ("a.csv", *[datetime(2026, 10, 31, 10, tzinfo=UTC)] * 2)
    assert loads_of(shop.settings, "shop", second.load.id[:6]) == [second]
    assert loads_of(shop.settings, "shop", "b.csv") == [second], "by the name of the file, too"
    drop(shop.settings, "shop", [second], NOW)
    assert shop.amounts() == [("1", 10)]
    _, kept_out = shop.pull()
    assert kept_out.skipped and "b.csv was dropped on 2026-11-28 and is not landed again" in kept_out.messages[0]
    shop.pull(again=True)
    assert shop.amounts() == [("1", 10)], "not even with --again"
    assert undo(shop.settings, "shop") == ["b.csv"]
    shop.pull()
    assert shop.amounts() == [("1", 10), ("2", 20)]
    with pytest.raises(UsageError, match="No file of shop is kept out"):
        undo(shop.settings, "shop")


def test_a_file_that_was_dropped_and_mended_is_landed(shop: Shop) -> None:
    shop.write("a.csv", "1,2026-10-31T10:00,1000")
    shop.pull()
    drop(shop.settings, "shop", loads_of(shop.settings, "shop", None), NOW)
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    assert shop.amounts() == [("1", 10)]


def test_what_is_not_there_is_not_dropped(shop: Shop) -> None:
    with pytest.raises(UsageError, match="Nothing is landed of a source 'shop'"):
        loads_of(shop.settings, "shop", None)
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    with pytest.raises(SourceError, match="There is no load 'zzz'"):
        loads_of(shop.settings, "shop", "zzz")


@pytest.mark.parametrize("dies_at", ["commit", "_sweep"])
def test_a_drop_that_is_killed_is_done_or_not(shop: Shop, dies_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.pull()

    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(landing_module, dies_at, die)
        with pytest.raises(Killed):
            drop(shop.settings, "shop", loads_of(shop.settings, "shop", None), NOW)
    # Before the manifest is replaced nothing has happened; after it everything has: leftovers are debris.
    assert shop.amounts() == ([("1", 10)] if dies_at == "commit" else [])
    names = {path.name for path in (shop.settings.raw / "shop" / "orders").iterdir()}
    assert "manifest.json" in names and not any(name.startswith(".manifest") for name in names)


def test_a_manifest_of_an_older_version_is_read(shop: Shop, tmp_path: Path) -> None:
    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.pull()
    file = shop.settings.raw / "shop" / "orders" / "manifest.json"
    table = json.loads(file.read_text())
    del table["dropped"]
    for load in table["loads"]:
        del load["received_at"], load["covers"]
    file.write_text(json.dumps(table))
    assert shop.amounts() == [("1", 10)]
    assert loads_of(shop.settings, "shop", None)[0].load.received_at is None


def test_pulls_name_what_two_files_have_in_common(shop: Shop) -> None:
    from tidings.intake.pulling import pull_sources

    shop.write("a.csv", "1,2026-10-31T10:00,10")
    shop.write("b.csv", "1,2026-10-31T10:00,10")
    silent: Callable[[str, str, int, int], None] = lambda *_: None  # noqa: E731
    (outcome,) = pull_sources(shop.settings, open_sources(shop.settings), Pull(NOW), silent)
    assert outcome.messages[-1] == "a.csv and b.csv have 1 row in common (such as order_id 1): counted once."
    assert Ledger(shop.settings.ledger).pulls()[0].messages == outcome.messages
