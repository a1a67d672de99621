"""Annotations, targets and thresholds that people write down: what is read, what is refused and where it is used."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.annotations import Annotation, Target, read_annotations, read_targets, target_of
from tidings.errors import SettingsError, WindowError
from tidings.metrics.metric import Thresholds
from tidings.metrics.registry import get
from tidings.metrics.thresholds import judged, own_thresholds
from tidings.settings import load_settings
from tidings.window import Period, Span, parse_span

NAMES = ("net_revenue", "error_rate")


def written(folder: Path, text: str) -> Path:
    file = folder / "said.csv"
    file.write_text(text, encoding="utf-8")
    return file


def period(first: date, end: date) -> Period:
    return Period(first, end, "day", "complete", "")


def test_annotations_are_read_oldest_first_and_none_without_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'day,text,kind\n2026-06-20,"Out, for an hour",outage\n\n2026-06-15,2.0,\n')
    assert read_annotations(file) == (
        Annotation(date(2026, 6, 15), "2.0"),
        Annotation(date(2026, 6, 20), "Out, for an hour", "outage"),
    )
    assert read_annotations(written(tmp_path, "day,text\n2026-06-15,2.0\n")) == (Annotation(date(2026, 6, 15), "2.0"),)
    assert read_annotations(tmp_path / "none.csv") == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("2026-06-15,x\n", "said.csv does not begin with day,text"),
        ("day,text\n2026-06-15,a\n15.6.2026,b\n", r"said.csv, line 3: '15.6.2026' is not a date"),
        ("day,text\n2026-06-15\n", "said.csv, line 2 is not a day and a text: 2026-06-15"),
        ("day,text\n2026-06-15,\n", "said.csv, line 2 is not a day and a text"),
        ("day,text\n2026-06-15,a,release\n2026-06-15,a,b,c\n", "said.csv, line 3 is not"),
        ("day,text,kind\n2026-06-15,a,relase\n", r"line 2: the kind 'relase' is not known. Did you mean 'release'"),
        ('day,text\n2026-06-15,"a\n', "said.csv, line 2: unexpected end of data"),
    ],
)
def test_a_bad_annotation_is_named_by_its_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_annotations(written(tmp_path, content))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("net_revenu,2026,1", "line 2: there is no metric 'net_revenu'. Did you mean 'net_revenue'"),
        ("net_revenue,2026-13,1", "line 2: '2026-13-01' is not a date"),
        ("net_revenue,June,1", "line 2: 'June' is not a period"),
        ("net_revenue,2026,many", "line 2: 'many' is not a number"),
        ("net_revenue,2026,nan", "line 2: 'nan' is not a number"),
        ("net_revenue,2026", "line 2 is not a metric and a period and an amount"),
        ("net_revenue,2026,1\nnet_revenue,2026,2", "line 3: net_revenue has a target for 2026 twice"),
    ],
)
def test_a_bad_target_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_targets(written(tmp_path, f"metric,period,amount\n{line}\n"), NAMES)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-q2", date(2026, 4, 1), date(2026, 6, 30)),
        ("2026-02", date(2026, 2, 1), date(2026, 2, 28)),
        (" 2026-06-15 ", date(2026, 6, 15), date(2026, 6, 15)),
    ],
)
def test_a_period_is_written_as_year_quarter_month_or_day(text: str, first: date, last: date) -> None:
    assert parse_span(text) == Span(first, last)


@pytest.mark.parametrize("text", ["", "26", "2026-Q5", "2026-6", "2026-02-30", "2026-06-15T00:00"])
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(WindowError):
        parse_span(text)


def test_the_shortest_target_of_a_day_counts() -> None:
    year, june = Target("m", parse_span("2026"), 3650.0, ""), Target("m", parse_span("2026-06"), 600.0, "")
    days = period(date(2026, 5, 31), date(2026, 6, 2))
    assert target_of([year, june], days, adds_up=True) == 10 + 20, "a day of the year, and one of June"
    assert target_of([year, june], days, adds_up=False) == (3650 + 600) / 2
    assert target_of([june], days, adds_up=True) is None, "31 May has none"


@given(st.floats(1, 1e6), st.integers(1, 12))
def test_the_days_of_a_month_have_its_target_together(amount: float, month: int) -> None:
    span = parse_span(f"2026-{month:02d}")
    target = [Target("m", span, amount, "")]
    first = span.first
    end = parse_span(f"{2026 + month // 12}-{month % 12 + 1:02d}").first
    assert target_of(target, period(first, end), adds_up=True) == pytest.approx(amount)


def test_own_thresholds_are_yours_and_one_fact_has_one_verdict() -> None:
    own = own_thresholds({"error_rate": (0.001, 0.002)})
    assert judged(get("error_rate"), own).thresholds == Thresholds(0.001, 0.002, "yours")
    assert judged(get("availability"), own).thresholds == Thresholds(0.999, 0.998, "yours")
    assert judged(get("apdex"), own).thresholds == get("apdex").thresholds
    assert own_thresholds({"availability": (0.99, 0.98)})["error_rate"] == Thresholds(0.01, 0.02, "yours")


@given(st.integers(0, 1000))
def test_availability_and_error_rate_never_disagree(errors: int) -> None:
    rate = errors / 1000
    assert get("error_rate").status(rate) == get("availability").status((1000 - errors) / 1000)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"error_rat": (0.1, 0.2)}, "error_rat: there is no such metric. Did you mean 'error_rate'"),
        ({"error_rate": (0.2, 0.1)}, "0.2 is good and 0.1 a warning, though lower is better"),
        (
            {"error_rate": (0.1, 0.2), "availability": (0.9, 0.8)},
            "of which one is 1 minus the other",
        ),
    ],
)
def test_thresholds_that_contradict_are_refused(given_: dict[str, tuple[float, float]], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        own_thresholds(given_)


def test_thresholds_are_read_from_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.tidings.thresholds]\nerror_rate = { good = 0.01, warn = 1 }\n")
    assert load_settings(tmp_path).thresholds == {"error_rate": (0.01, 1.0)}
    for bad, said in (
        ("{ good = 0.01 }", "error_rate has no warn"),
        ("{ good = 0.01, warm = 1 }", "unknown key 'warm'"),
        ('{ good = "low", warn = 1 }', "good must be a number"),
        ("0.01", "thresholds.error_rate must be a table"),
    ):
        file.write_text(f"[tool.tidings.thresholds]\nerror_rate = {bad}\n")
        with pytest.raises(SettingsError, match=said):
            load_settings(tmp_path)
