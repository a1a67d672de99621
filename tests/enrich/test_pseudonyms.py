"""Pseudonyms, salts and truncated addresses: metric definitions 11."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.enrich.pseudonyms import Pseudonyms, Salts, truncate_address
from tidings.errors import SourceError

NOW = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
SECOND = 1_000_000
DAY = 86_400
TODAY = int(NOW.timestamp()) // DAY
ANNA, BERT = ("1.2.3.4", "Firefox"), ("1.2.3.5", "Firefox")


@pytest.fixture
def salts(tmp_path: Path) -> Salts:
    return Salts(tmp_path / "data" / "salts.json", NOW)


def ids(pseudonyms: Pseudonyms, hits: list[tuple[int, tuple[str, str]]]) -> list[str]:
    """The pseudonyms of hits given as (second since 1970, client)."""
    clients = sorted({client for _, client in hits})
    ts = np.array([second * SECOND for second, _ in hits], dtype=np.int64)
    return pseudonyms.assign(ts, clients, np.array([clients.index(client) for _, client in hits], dtype=np.int64))


def expected_ids(salts: Salts, hits: list[tuple[int, tuple[str, str]]]) -> list[str]:
    """The rule word by word: hit after hit, an id is kept for as long as hits follow within 1,800 s."""
    last: dict[tuple[str, str], tuple[int, str]] = {}
    found = {}
    for index in sorted(range(len(hits)), key=lambda i: hits[i][0]):
        second, client = hits[index]
        before, name = last.get(client, (-(10**9), ""))
        if second - before > 1800:
            name = ids(Pseudonyms(salts, "a"), [(second, client)])[0]
        last[client] = second, name
        found[index] = name
    return [found[index] for index in range(len(hits))]


def test_same_day_site_address_and_agent_give_the_same_id(salts: Salts) -> None:
    start = TODAY * DAY
    anna, later, bert, other_agent = ids(
        Pseudonyms(salts, "a.example"),
        [(start, ANNA), (start + 80_000, ANNA), (start, BERT), (start, ("1.2.3.4", "Chrome"))],
    )
    assert anna == later
    elsewhere = ids(Pseudonyms(salts, "b.example"), [(start, ANNA)])[0]
    tomorrow = ids(Pseudonyms(salts, "a.example"), [(start + DAY, ANNA)])[0]
    assert len({anna, bert, other_agent, elsewhere, tomorrow}) == 5
    assert all(len(name) == 24 and "1.2.3" not in name for name in (anna, bert))


def test_parts_do_not_run_into_each_other(salts: Salts) -> None:
    one, two = ids(Pseudonyms(salts, "a"), [(0, ("1.1.1.1", "1x")), (0, ("1.1.1.11", "x"))])
    assert one != two


@pytest.mark.parametrize(
    ("seconds", "same"),
    [
        ([-900, 900], [True, True]),  # exactly 1,800 s: the session goes on, the id is kept
        ([-900, 901], [True, False]),  # a longer pause: the id of the new day
        ([-900, 900, 2700, 4500], [True, True, True, True]),  # for as long as hits follow
        ([-900, 900, 2701], [True, True, False]),  # and no longer
        ([-900, 900, 2701, 2702], [True, True, False, False]),
        ([-5000, -3200, -1400, 400], [True, True, True, True]),
    ],
)
def test_a_session_keeps_its_id_over_midnight(salts: Salts, seconds: list[int], same: list[bool]) -> None:
    midnight = TODAY * DAY
    names = ids(Pseudonyms(salts, "a"), [(midnight + second, ANNA) for second in seconds])
    assert [name == names[0] for name in names] == same


def test_files_cut_at_midnight_make_no_difference(salts: Salts) -> None:
    midnight = TODAY * DAY
    pseudonyms = Pseudonyms(salts, "a")
    before = ids(pseudonyms, [(midnight - 900, ANNA), (midnight - 2000, BERT)])
    after = ids(pseudonyms, [(midnight + 60, ANNA), (midnight + 60, BERT)])
    assert after[0] == before[0]
    assert after[1] != before[1]  # 2,060 s later


HITS = st.lists(
    st.tuples(st.integers(-4, 4).map(lambda n: n * 900) | st.integers(-DAY, 2 * DAY), st.sampled_from([ANNA, BERT])),
    max_size=40,
)


@settings(deadline=None)
@given(hits=HITS, cut=st.integers(-DAY, 2 * DAY))
def test_the_rule_word_by_word_in_one_file_or_two(
    tmp_path_factory: pytest.TempPathFactory, hits: list[tuple[int, tuple[str, str]]], cut: int
) -> None:
    salts = Salts(tmp_path_factory.getbasetemp() / "salts.json", NOW)
    moved = [(second + (TODAY - 1) * DAY, client) for second, client in hits]
    expected = expected_ids(salts, moved)
    assert ids(Pseudonyms(salts, "a"), moved) == expected
    border = cut + (TODAY - 1) * DAY
    two = Pseudonyms(salts, "a")
    parts = [[hit for hit in moved if hit[0] < border], [hit for hit in moved if hit[0] >= border]]
    found = {hit: name for part in parts for hit, name in zip(part, ids(two, part), strict=True)}
    assert [found[hit] for hit in moved] == expected


def test_salts_are_random_private_and_shared_by_pulls(tmp_path: Path) -> None:
    file = tmp_path / "data" / "salts.json"
    first = Salts(file, NOW).of(TODAY)
    assert Salts(file, NOW).of(TODAY) == first
    assert Salts(tmp_path / "other.json", NOW).of(TODAY) != first
    assert len(first) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(file.parent.glob("*.tmp"))


def test_salts_older_than_48_hours_are_deleted(tmp_path: Path) -> None:
    file = tmp_path / "salts.json"
    salts = Salts(file, NOW)
    yesterday = salts.of(TODAY - 1)
    salts.of(TODAY)
    old = salts.of(TODAY - 2)  # its day began 69 hours before
    assert salts.of(TODAY - 2) == old  # but the files of one pull agree
    assert list(json.loads(file.read_text())) == ["2026-11-19", "2026-11-20"]
    assert Salts(file, NOW).of(TODAY - 2) != old
    assert Salts(file, NOW).of(TODAY - 1) == yesterday
    Salts(file, datetime(2026, 11, 21, 0, 0, tzinfo=UTC))  # exactly 48 hours after the 19th began
    assert list(json.loads(file.read_text())) == ["2026-11-19", "2026-11-20"]
    Salts(file, datetime(2026, 11, 21, 0, 1, tzinfo=UTC))
    assert list(json.loads(file.read_text())) == ["2026-11-20"]


def test_salts_of_old_days_never_reach_the_disk(tmp_path: Path) -> None:
    file = tmp_path / "salts.json"
    Salts(file, NOW).of(10_000)
    assert not file.exists()


@pytest.mark.parametrize("text", ["{", '{"2026-11-20": 5}', '{"2026-13-20": "00"}', "[]"])
def test_damaged_salts_are_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "salts.json"
    file.write_text(text)
    with pytest.raises(SourceError, match=r"salts\.json cannot be read.*Delete the file"):
        Salts(file, NOW)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("83.149.9.216", "83.149.9.0"),
        (" 83.149.9.216 ", "83.149.9.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:83.149.9.216", "83.149.9.0"),  # IPv4 in IPv6 clothes
        ("::1", "::"),
        ("83.149.9", None),
        ("example.org", None),
        ("", None),
        (None, None),
    ],
)
def test_truncated_addresses(address: str | None, expected: str | None) -> None:
    assert truncate_address(address) == expected
