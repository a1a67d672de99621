"""The head of a page says which rows of its own window could not be used."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from tidings.book import Book
from tidings.display.show import head  # noqa: F401 - the head that is looked at
from tidings.query.rejected import rejected_sentences
from tidings.settings import load_settings
from tidings.warehouse.build import build
from tidings.window import Window, Zone
from workbooks import NOW, at, land

WINDOW = Window.between(date(2026, 6, 1), date(2026, 6, 7), NOW, Zone("UTC"))


def row(day: int | None, reason: str, rows: int, of: int, partition: str = "access.log") -> dict[str, object]:
    when = None if day is None else date(2026, 6, day)
    return {
        "source": "web",
        "endpoint": "access",
        "partition": partition,
        "day": when,
        "reason": reason,
        "example": "",
        "rows": rows,
        "of": of,
    }


def test_rejected_rows_of_the_window_are_given_with_all_rows_of_their_file() -> None:
    rejected = [
        row(1, "", 0, 10),
        row(1, "no format", 3, 3),
        row(7, "no date", 1, 1),
        row(8, "no format", 500, 500),  # after the window
    ]
    assert rejected_sentences(rejected, WINDOW) == (
        "4 of 14 rows of access.log (web) were rejected, mostly as no format",
    )


def test_a_window_without_rejected_rows_says_nothing() -> None:
    assert rejected_sentences([row(1, "", 0, 10), row(8, "no format", 5, 5)], WINDOW) == ()


def test_rows_of_an_unknown_day_are_in_every_window() -> None:
    assert rejected_sentences([row(None, "no format", 5, 5)], WINDOW) == (
        "5 of 5 rows of access.log (web) were rejected, as no format",
    )


def test_the_worst_three_are_listed() -> None:
    many = [row(1, "bad", n, n, partition=f"{n}.csv") for n in range(1, 6)]
    reported = rejected_sentences(many, WINDOW)
    assert [sentence.split(" ", 1)[0] for sentence in reported] == ["5", "4", "3", "and"]


def test_the_head_of_a_page_carries_them(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\n")
    settings = load_settings(tmp_path)
    orders = [{"order_id": "o1", "amount": 1, "ts": at("2026-06-20"), "_line": 1}]
    land(settings, "orders", orders, rejected=["amount: '<b>' is not a number"], complete_until=NOW)
    build(settings)
    book = Book.open(as_of="2026-06-25", days=7, root=tmp_path)
    bundle = book._repr_mimebundle_()
    assert "1 of 2 rows of a.csv (shop) were rejected, as amount: is not a number" in str(bundle["text/plain"])
    before = Book.open(as_of="2026-06-15", days=7, root=tmp_path)
    assert "rejected" not in str(before._repr_mimebundle_()["text/plain"])
    assert before.window.end < at("2026-06-20").date() + timedelta(days=1)
