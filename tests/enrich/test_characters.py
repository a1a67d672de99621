"""Unprintable characters: replaced at landing, in every source, and unable to forge a key before it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidings.display.figure import still
from tidings.enrich.characters import INSTEAD, plain, plain_column
from tidings.errors import SourceError
from tidings.feeds import EVENTS, REQUESTS
from tidings.landing.store import Landing, arrow_schema, landed_files
from tidings.mapping.web_events import _together
from tidings.settings import Settings
from tidings.sources.records import typed
from tidings.sources.source import Pull, open_sources

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BAD = [
    *map(chr, [*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x202D, 0x202E, 0xFFFE, 0xFFFF]),
    "\ud83d",
    "\udc00",
]
GOOD = ["\t", "\n", "\r", " ", "é", "§", "\u00a0", "\u200f", "€", "😀", "\ufeff"]


def test_which_characters_are_replaced() -> None:
    assert [plain(f"a{each}b") for each in BAD] == [f"a{INSTEAD}b"] * len(BAD)
    assert [plain(each) for each in GOOD] == GOOD


@given(st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8")))), st.integers(0, 3))
@example(["a\x00", None, "ok", "\x85", "\u202e", "\uffff"], 1)
def test_columns_are_cleaned_as_texts_are(texts: list[str | None], start: int) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())]).slice(start)
    assert plain_column(column).to_pylist() == [None if text is None else plain(text) for text in texts[start:]]
    maps = pa.chunked_array([pa.array([[(text or "", text)] for text in texts], pa.map_(pa.string(), pa.string()))])
    expected = [[(plain(text or ""), None if text is None else plain(text))] for text in texts]
    assert plain_column(maps).to_pylist() == expected


def landed(root: Path) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    files = landed_files(root / "data" / "raw")
    rejected = [file.rejected_path for file in files if file.rejected_path]
    rows = [row for file in files for row in pq.read_table(file.path).to_pylist()]
    return rows, [row for path in rejected for row in pq.read_table(path).to_pylist()]


def pull(root: Path, **table: object) -> None:
    settings = Settings(root=root, site="shop.example", currency="EUR", sources={"s": table})
    (source,) = open_sources(settings)
    assert len(list(source.pull(Landing(settings.raw), Pull(NOW)))) == 1


@pytest.mark.parametrize("escaped", [True, False])
def test_files_land_every_row_with_the_character_replaced(escaped: bool, tmp_path: Path) -> None:
    characters = BAD[:-2]
    if escaped:
        lines = [
            {"ts": "2026-11-01", "event": f"e{each}", "v": "v", "url": f"/?utm_source=a{each}", "ref": f"https://g.example/{each}"}
            for each in characters
        ]  # fmt: skip
        (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        lines = [f"2026-11-01,e{each},v,/?utm_source=a{each},https://g.example/{each}\n" for each in characters]
        (tmp_path / "a.csv").write_text("ts,event,v,url,ref\n" + "".join(lines), "utf-8", newline="")
    columns = {"ts": "ts", "event": "event", "visitor_id": "v", "url": "url", "referrer": "ref"}
    pull(tmp_path, kind="events", path="a.*", columns=columns)
    rows, rejected = landed(tmp_path)
    assert len(rows) + len(rejected) == len(characters)
    assert {row["event"] for row in rows} == {f"e{INSTEAD}"}
    assert not any(each in str(row) for row in (*rows, *rejected) for each in characters)


def test_rejected_rows_and_their_reasons_are_cleaned(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("ts,service,status\n2026-11-01,a\x1bb,x\x00y\n", "utf-8")
    with pytest.raises(SourceError, match="None of the 1 rows"):
        pull(tmp_path, kind="requests", path="a.csv", columns={"ts": "ts", "service": "service", "status": "status"})
    ((row),) = landed(tmp_path)[1]
    assert row["reason"] == f"status: 'x{INSTEAD}y' is not a whole number"
    assert row["record"] == r'{"ts":"2026-11-01","service":"a\u001Bb","status":"x\u0000y"}', "escaped: text of a text"


def test_records_of_an_api_are_cleaned(tmp_path: Path) -> None:
    records = [{"ts": NOW, "service": f"a{each}b"} for each in BAD]
    rows = typed(REQUESTS, records, lambda record: record, 1)
    landing = Landing(tmp_path / "data" / "raw")
    with landing.writer("api", "requests", REQUESTS, now=NOW) as draft:
        draft.add(rows.table)
        draft.reject(rows.lines, rows.reasons, rows.records)
    assert {row["service"] for row in landed(tmp_path)[0]} <= {f"a{INSTEAD}b", "a?b"}
    assert len(landed(tmp_path)[0]) == len(BAD)


def test_no_instant_outside_of_all_years_lands_whoever_lands_it(tmp_path: Path) -> None:
    times = [datetime(1899, 12, 31), datetime(2026, 7, 1), datetime(2200, 1, 1)]
    rows = [{"ts": at, "event": "e", "is_bot": False, "_line": n, "_record": "r"} for n, at in enumerate(times, 1)]
    with Landing(tmp_path / "data" / "raw").writer("s", "events", EVENTS, now=NOW) as draft:
        draft.add(pa.Table.from_pylist(rows, arrow_schema(EVENTS)))
    good, rejected = landed(tmp_path)
    assert [row["ts"] for row in good] == [datetime(2026, 7, 1)]
    assert [row["reason"] for row in rejected] == ["ts: lies outside of the years 1900 to 2199"] * 2


@given(st.lists(st.tuples(*[st.one_of(st.none(), st.text("ab\x1f\x00", max_size=2))] * 3), max_size=30))
def test_rows_are_distinguished_by_their_values_whatever_these_hold(rows: list[tuple[str | None, ...]]) -> None:
    columns = [pa.chunked_array([pa.array([row[at] for row in rows], pa.string())]) for at in range(3)]
    found, places = _together(*columns)
    assert [found[place] for place in places.to_pylist()] == rows
    assert len(found) == len(set(rows))


@pytest.mark.parametrize("text", ["".join(BAD[:31]), "\ufffe\uffff", "\x7f\x85", "a\tb\nc"])
def test_a_picture_is_drawn_whatever_a_label_holds(text: str) -> None:
    # The library ends the process, so that this test would not fail but vanish.
    spec = {
        "data": {"values": [{"a": text, "b": 1}]},
        "title": text,
        "mark": "bar",
        "encoding": {"x": {"field": "b", "type": "quantitative"}, "y": {"field": "a", "type": "nominal"}},
    }
    assert "<svg" in still(spec, "td-only")
