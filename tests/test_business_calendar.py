"""Fiscal year, business days and holidays as settings: from the file to windows, figures, the calendar's table."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tidings.book import Book
from tidings.business_calendar import calendar_of
from tidings.cli.checks import check
from tidings.display import show
from tidings.errors import SettingsError, WindowError
from tidings.settings import Settings, load_settings
from tidings.warehouse.build import build
from tidings.window import Calendar, Window, Zone, add_days
from workbooks import land

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SUNDAY_TO_THURSDAY = ("sunday", "monday", "tuesday", "wednesday", "thursday")


def days(*texts: str) -> list[date]:
    return [date.fromisoformat(text) for text in texts]


def whole(year: int) -> Window:
    return Window.between(date(year, 1, 1), date(year, 12, 31), NOW, Zone())


def workbook(root: Path, settings: str, closed: str | bytes | None = None) -> Settings:
    (root / "pyproject.toml").write_text(f'[tool.tidings]\ntimezone = "Europe/Berlin"\n{settings}\n')
    if closed is not None:
        (root / "data").mkdir(exist_ok=True)
        (root / "data" / "holidays.csv").write_bytes(closed if isinstance(closed, bytes) else closed.encode())
    return load_settings(root)


def calendar(holidays: str, business_days: tuple[str, ...] = ()) -> Calendar:
    return calendar_of(Settings(root=Path("/nowhere"), holidays=holidays, business_days=business_days))


def test_bavaria_in_2026() -> None:
    bavaria = calendar("DE-BY")
    assert list(bavaria.holidays_in(whole(2026))) == days(
        *("2026-01-01", "2026-01-06", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25"),
        *("2026-06-04", "2026-10-03", "2026-11-01", "2026-12-25", "2026-12-26"),
    )
    # Epiphany and Corpus Christi are kept in Bavaria, not in the whole of Germany.
    assert calendar("DE").holidays_in(whole(2026)).keys() < bavaria.holidays_in(whole(2026)).keys()
    assert (bavaria.holiday(date(2026, 1, 6)), bavaria.holiday(date(2026, 1, 7))) == ("Epiphany", "")
    # 261 weekdays, of which 9 are holidays; three holidays lie on a weekend.
    assert len(bavaria.business_days(whole(2026))) == 261 - 9
    assert bavaria.nth_business_day(date(2026, 1, 31), 3) == date(2026, 1, 7)  # 2nd, 5th, 7th: the 6th is Epiphany
    assert bavaria.nth_business_day(date(2026, 5, 31), 1) == date(2026, 5, 4)
    assert bavaria.next_business_day(date(2026, 4, 2)) == date(2026, 4, 7)  # over Easter
    assert bavaria.previous_business_day(date(2026, 12, 28)) == date(2026, 12, 24)


def test_the_united_states_rest_on_observed_days() -> None:
    states = calendar("US")
    assert states.holiday(date(2026, 11, 26)) == "Thanksgiving Day"  # the fourth Thursday
    assert states.is_business_day(date(2026, 11, 27))
    # The 4th of July is a Saturday in 2026, a Sunday in 2027.
    assert "observed" in states.holiday(date(2026, 7, 3)) and "observed" in states.holiday(date(2027, 7, 5))
    assert not states.is_business_day(date(2026, 7, 3))
    # Of the year after: New Year's Day of 2028 is a Saturday.
    assert "observed" in states.holiday(date(2027, 12, 31))
    assert states.nth_business_day(date(2026, 11, 1), -1) == date(2026, 11, 30)


@pytest.mark.parametrize(("country", "feast"), [("SA", "2026-09-23"), ("IL", "2026-09-21")])
def test_a_week_from_sunday_to_thursday(country: str, feast: str) -> None:
    with pytest.raises(SettingsError) as raised:
        calendar(country)
    assert f"The weekend of {country} is Friday and Saturday" in str(raised.value)
    assert 'business_days = ["monday", "tuesday", "wednesday", "thursday", "sunday"]' in str(raised.value)
    found = calendar(country, SUNDAY_TO_THURSDAY)
    (off,) = days(feast)  # National Day on a Wednesday, Yom Kippur on a Monday
    assert found.holiday(off) and not found.is_business_day(off)
    # Thursday the 10th is followed by Friday, Saturday; Sunday is worked, but for Rosh Hashanah.
    expected = date(2026, 9, 13) if country == "SA" else date(2026, 9, 14)
    assert found.next_business_day(date(2026, 9, 10)) == expected
    assert found.nth_business_day(date(2026, 2, 1), 1) == date(2026, 2, 1)  # a Sunday


def test_the_emirates_work_from_monday_to_friday() -> None:
    emirates = calendar("AE")
    assert emirates.holiday(date(2026, 12, 2)) == emirates.holiday(date(2026, 12, 3)) == "National Day"
    assert emirates.next_business_day(date(2026, 12, 1)) == date(2026, 12, 4)  # a Friday


def test_a_country_may_work_on_a_saturday() -> None:
    # China worked on Saturday, 14 February 2026, for the days of the new year.
    assert calendar("CN").is_business_day(date(2026, 2, 14))
    assert not calendar("CN").is_business_day(date(2026, 2, 21).replace(day=22))


@pytest.mark.parametrize(
    ("country", "outside"),
    # Of India the moving holidays are listed from 2001 to 2035 only, though the list answers for all years.
    [("IN", "2000-12-31"), ("IN", "2036-01-01"), ("NP", "2033-01-01"), ("DE", "1985-05-01"), ("LK", "2040-01-01")],
)
def test_a_day_of_no_known_year_is_refused(country: str, outside: str) -> None:
    (day,) = days(outside)
    with pytest.raises(WindowError, match=f"Whether {outside} is a holiday is not known: those of {country} are from"):
        calendar(country, SUNDAY_TO_THURSDAY).is_business_day(day)


@pytest.mark.parametrize("country", ["IN", "NP", "MU", "FJ", "SG", "LK"])
def test_what_is_known_has_the_moving_holidays_of_each_year(country: str) -> None:
    """The list leaves out what it has no date of, without a word: such a year would have far fewer days."""
    found = calendar(country, SUNDAY_TO_THURSDAY)
    assert found.known is not None
    years = range(max(found.known[0].year, 2001), found.known[1].year + 1)
    counts = [len(found.holidays_in(whole(year))) for year in years]
    assert min(counts) > 0.6 * max(counts), dict(zip(years, counts, strict=True))


def test_names_are_english_in_whatever_language_the_machine_speaks() -> None:
    code = (
        "from pathlib import Path; from datetime import date; from tidings.settings import Settings; "
        "from tidings.business_calendar import calendar_of as of; "
        "print(of(Settings(root=Path('/nowhere'), holidays='DE')).holiday(date(2026, 4, 3)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={"LANGUAGE": "de", "LANG": "de_DE.UTF-8"}, capture_output=True, text=True
    )
    assert (said.stdout.strip(), said.returncode) == ("Good Friday", 0), said.stderr


def test_the_list_of_holidays_is_read_only_where_a_setting_asks() -> None:
    code = (
        "import sys; from pathlib import Path; from tidings.settings import Settings; import tidings.book; "
        "from tidings.business_calendar import calendar_of; calendar_of(Settings(root=Path('/nowhere'))); "
        "sys.exit('holidays' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_own_closed_days_come_on_top(tmp_path: Path) -> None:
    # As a spreadsheet writes it: a mark at the beginning, other ends of lines, a name in quotes, an empty line.
    written = b'\xef\xbb\xbfDate,Name\r\n2026-12-24,"Christmas Eve, closed"\r\n\r\n2026-12-25,Closed\r\n'
    found = calendar_of(workbook(tmp_path, 'holidays = "DE"', written))
    window = Window.between(date(2026, 12, 24), date(2026, 12, 31), NOW, Zone())
    assert list(found.holidays_in(window).values())[:2] == ["Christmas Eve, closed", "Closed"]
    assert list(found.business_days(window)) == days("2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31")
    without = calendar_of(workbook(tmp_path, "", written))
    assert without.known is None and len(without.holidays) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("date,name\n2026-12-24,Eve\n24.12.2026,Eve\n", r"holidays.csv, line 3: '24.12.2026' is not a date"),
        ("date,name\n2026-02-29,Leap\n", r"line 2: '2026-02-29' is not a date"),
        ("date,name\n2026-12-24\n", r"line 2 is not a date and a name: 2026-12-24\."),
        ("date,name\n2026-12-24, \n", r"line 2 is not a date and a name"),
        ("date,name\n2026-12-24,Eve,closed\n", r"line 2 is not a date and a name.*in quotes"),
        ('date,name\n2026-12-23,"two\nlines"\n2026-12-24\n', r"line 4 is not a date and a name"),
        ("date,name\n2026-12-24,Eve\n\n2026-12-24,Again\n", r"line 4: 2026-12-24 is there twice"),
        ('date,name\n2026-12-24,"Eve\n', r"line 2: unexpected end of data"),
        ("date;name\n2026-12-24;Eve\n", r"does not begin with date,name"),
        ("", r"does not begin with date,name"),
        ("date,name\n2026-12-24,Fête\n".encode("latin-1"), r"holidays.csv is not UTF-8"),
    ],
)
def test_a_bad_line_of_own_closed_days_is_named(tmp_path: Path, content: str | bytes, said: str) -> None:
    settings = workbook(tmp_path, "", content)
    with pytest.raises(SettingsError, match=said):
        calendar_of(settings)
    (finding,) = [each for each in check(settings, NOW) if each.what == "calendar"]
    assert finding.level == "fail" and "holidays.csv" in finding.detail


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('fiscal_year_start = "Apil"', r"fiscal_year_start names 'Apil', .*Did you mean 'april'\?"),
        ("fiscal_year_start = 4", r"fiscal_year_start must be text, not 4\."),
        ('business_days = ["monday", "Tusday"]', r"business_days names 'Tusday', .*Did you mean 'tuesday'\?"),
        ("business_days = []", r"business_days must be a text or a list of one or more, not \[\]"),
        ('business_day = ["monday"]', r"unknown key 'business_day'.*Did you mean 'business_days'\?"),
        ('holidays = ["DE"]', r"holidays must be text"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        workbook(tmp_path, written)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("Germany", r"'Germany', which is no known country\. Did you mean 'DE'\?"),
        ("UK", r"Did you mean 'GB'\?"),
        ("ZZ", r"'ZZ', which is no known country\. Known: AD, "),
        ("DE-BAY", r"DE has no part 'BAY' with holidays of its own\. .*Or write 'DE'"),
        ("DE-Bayern", r"Did you mean 'DE-BY'\?"),
        ("US-Texass", r"US has no part 'Texass'"),
    ],
)
def test_an_unknown_country_or_part_is_named_by_check(tmp_path: Path, place: str, said: str) -> None:
    settings = workbook(tmp_path, f'holidays = "{place}"')
    with pytest.raises(SettingsError, match=said):
        calendar_of(settings)
    (finding,) = [each for each in check(settings, NOW) if each.what == "calendar"]
    assert finding.level == "fail" and place in finding.detail


def test_check_says_what_the_calendar_knows(tmp_path: Path) -> None:
    settings = workbook(tmp_path, 'fiscal_year_start = "april"\nholidays = "de-by"')
    (finding,) = [each for each in check(settings, NOW) if each.what == "calendar"]
    assert finding.level == "ok"
    assert "the fiscal year starts in April, holidays of de-by are known from 199" in finding.detail


@pytest.fixture(scope="module")
def easter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An order a day from 15 December to 30 April, so that both windows are covered."""
    root = tmp_path_factory.mktemp("easter")
    settings = workbook(
        root,
        'fiscal_year_start = "april"\nholidays = "DE-BY"',
        "date,name\n2026-04-20,<b>Inventory</b>\n2026-04-25,Market\n",
    )
    first = date(2025, 12, 15)
    orders = [
        {"order_id": str(n), "amount": 10, "country": "DE", "ts": datetime.combine(add_days(first, n), NOW.time())}
        for n in range(137)
    ]
    land(settings, "orders", orders, complete_until=datetime(2026, 4, 30, 22, tzinfo=UTC))
    build(settings)
    return root


def test_a_comparison_says_that_holidays_make_it_uneven(easter: Path) -> None:
    book = Book.open(root=easter, last="2026-04-30")
    # The market is on a Saturday, which makes no difference to business days.
    said = (
        "Holidays on business days: 3 in 3 – 30 Apr 2026 (Good Friday, 3 Apr 2026; Easter Monday, 6 Apr 2026; "
        "<b>Inventory</b>, 20 Apr 2026), none in 6 Mar – 2 Apr 2026."
    )
    value = book.value("orders")
    assert value.change is not None and said in value.provenance.notes
    before = book.series_before("orders")
    assert before is not None and said in before.provenance.notes
    assert said in book.split("orders", "country").provenance.notes
    shown = str(show.cards([value, book.value("gross_revenue")]).html)
    assert shown.count("Holidays on business days") == 1 and "<b>Inventory" not in shown
    assert "&lt;b&gt;Inventory" in shown
    # April to date against March to date; the week to date is 27 to 30 April, before it the one of the 20th.
    (week, month) = [note for note in book.to_date("orders").provenance.notes if note.startswith("Holidays")]
    assert week == (
        "Holidays on business days: none in 27 – 30 Apr 2026, 1 in 20 – 23 Apr 2026 (<b>Inventory</b>, 20 Apr 2026)."
    )
    assert "1 – 30 Apr 2026" in month and "none in 1 – 30 Mar 2026" in month


def test_nothing_is_said_where_holidays_do_not_make_a_difference(easter: Path) -> None:
    alone = Book.open(root=easter, last="2026-04-30", compare="none").value("orders")
    # 1 and 6 January, 25 December: each window has one on a business day, or neither has any.
    even = Book.open(root=easter, first="2026-02-09", last="2026-02-15").value("orders")
    for value in (alone, even):
        assert not any("olidays" in note for note in value.provenance.notes)


def test_a_comparison_with_days_that_nobody_knows_says_so(easter: Path) -> None:
    settings = load_settings(easter)
    known = calendar_of(settings).known
    assert known is not None
    book = Book.open(root=easter, last="2026-04-30")
    now, long_ago = book.window, book.between("1980-01-01", "1980-01-28")
    (note,) = book.context.compared(book.value("orders", now).provenance, (now, long_ago)).notes[-1:]
    assert note.startswith("Whether 1980-01-01 is a holiday is not known")


def test_windows_of_the_fiscal_year(easter: Path) -> None:
    book = Book.open(root=easter, last="2026-04-30")
    assert (book.fiscal_year_to_date().label, book.fiscal_quarter_to_date().label) == ("1 – 30 Apr 2026",) * 2
    assert book.fiscal_year().label == "1 Apr 2026 – 31 Mar 2027"
    assert book.fiscal_quarter("2026-03-31").label == "1 Jan – 31 Mar 2026"
    assert book.value("orders", window=book.fiscal_year_to_date()).value == 30
    assert book.value("orders", window=book.fiscal_quarter("2026-02-28")).value == 90
    assert book.calendar.fiscal(book.window.last_day, "quarter").label == "FY2027 Q1"
    # 22 weekdays, of which three are closed.
    assert len(book.calendar.business_days(book.fiscal_year_to_date())) == 19
    assert Book.open(root=easter, timezone="Asia/Tokyo").fiscal_year().zone.name == "Asia/Tokyo"


def test_the_table_of_days_knows_the_settings(easter: Path) -> None:
    book = Book.open(root=easter)
    rows = {row["day"]: row for row in book.query(book.table("dim_date")).rows}
    columns = ("fiscal_year", "fiscal_quarter", "is_business_day", "holiday")
    said = {day: tuple(rows[day][column] for column in columns) for day in rows}
    assert said[date(2026, 3, 31)] == (2026, 4, True, None)
    assert said[date(2026, 4, 3)] == (2027, 1, False, "Good Friday")
    assert said[date(2026, 4, 4)] == (2027, 1, False, None)  # a Saturday
    assert said[date(2026, 4, 20)] == (2027, 1, False, "<b>Inventory</b>")


def test_another_calendar_makes_another_build(tmp_path: Path) -> None:
    settings = workbook(tmp_path, 'holidays = "DE"')
    land(settings, "orders", [{"order_id": "1", "amount": 1, "ts": datetime(2026, 6, 1)}])
    first = build(settings)
    assert build(settings).unchanged
    for other in ('holidays = "DE"\nfiscal_year_start = "july"', 'holidays = "DE-BY"', ""):
        assert build(workbook(tmp_path, other)).build_id != first.build_id
    with_own = build(workbook(tmp_path, 'holidays = "DE"', "date,name\n2026-06-01,Closed\n"))
    assert with_own.build_id != first.build_id and not with_own.unchanged
