"""The language in force: marks, days, words and plurals; that German has every message of ours."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from messages import LIB, Message, messages, metric_messages
from tidings.display import formats
from tidings.errors import SettingsError
from tidings.language import Language, in_force, language_of, say, say_as, say_count, speak, speaking
from tidings.metrics.registry import get
from tidings.settings import load_settings
from tidings.window import label_days, label_period

GERMAN = language_of("de")
MARKS = ("de", "de-AT", "de-CH", "en-GB", "en-US")
AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=3, allow_nan=False)


@given(code=st.sampled_from(MARKS), amount=AMOUNTS, unit=st.sampled_from(["count", "EUR", "JPY", "number"]))
def test_a_number_read_back_is_the_number(code: str, amount: Decimal, unit: str) -> None:
    language = language_of(code)
    with speaking(language):
        text = formats.full(amount, unit)
    # As people of that language read it; the sign is the same in all of them.
    read = parse_decimal(text.replace(formats.MINUS, "-"), locale=language.locale, strict=not text.startswith("−"))
    with speaking(Language()):
        plain = formats.full(amount, unit).replace("\u202f", "").replace(formats.MINUS, "-")
    assert read == Decimal(plain)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        # Ours: SI's narrow space, which no reader takes for a decimal mark.
        ("en", ["1\u202f234\u202f567.89", "24\u202f255\u202fEUR", "12.35M", "+4.5\u202f%", "99.60\u202f%", "0.948"]),
        ("en-GB", ["1,234,567.89", "EUR\u202f24,255", "12.35M", "+4.5\u202f%", "99.60\u202f%", "0.948"]),
        ("de", ["1.234.567,89", "24.255\u202fEUR", "12,35\u202fMio.", "+4,5\u202f%", "99,60\u202f%", "0,948"]),
        # In Austria and Switzerland the currency comes first.
        ("de-AT", ["1.234.567,89", "EUR\u202f24.255", "12,35\u202fMio.", "+4,5\u202f%", "99,60\u202f%", "0,948"]),
        ("de-CH", ["1’234’567.89", "EUR\u202f24’255", "12.35\u202fMio.", "+4.5\u202f%", "99.60\u202f%", "0.948"]),
    ],
)
def test_marks_and_places(code: str, expected: list[str]) -> None:
    with speaking(language_of(code)):
        assert [
            formats.full(Decimal("1234567.891"), "EUR"),
            str(formats.short(Decimal("24255.4"), "EUR")),
            str(formats.short(12_345_678, "count")),
            formats.percent(0.045),
            str(formats.short(Decimal("0.996"), "ratio")),
            str(formats.short(Decimal("0.9480"), "score")),
        ] == expected


def test_small_changes_are_none_and_zeros_go_in_every_language() -> None:
    with speaking(GERMAN):
        assert formats.percent(0.0001) == "±0,0\u202f%"
        assert formats.points(0.000001) == "±0,00\u202fProzentpunkte"
        assert formats.points(-0.0022) == "−0,22\u202fProzentpunkte"
        # Trailing zeros after the mark, and none of those before it.
        assert str(formats.short(Decimal("2.500"), "score")) == "2,5"
        assert str(formats.short(3_000_000, "count")) == "3\u202fMio."
        assert str(formats.short(Decimal("4.17"), "stars")) == "4,17\u202fSterne"


def test_days_and_periods() -> None:
    june, month = date(2026, 6, 15), date(2026, 6, 1)
    with speaking(GERMAN):
        assert label_days(june, date(2026, 6, 16)) == "15.–16. Juni 2026"
        assert label_days(date(2025, 12, 28), date(2026, 1, 3)) == "28. Dez. 2025\u2009–\u20093. Jan. 2026"
        assert label_days(june, june) == "15. Juni 2026"
        assert label_period(month, date(2026, 7, 1), "month") == "Juni 2026"
        assert label_period(date(2026, 4, 1), date(2026, 7, 1), "quarter") == "Q2 2026"
        assert in_force().weekdays[0] == "Mo"
    with speaking(language_of("en-US")):
        assert label_days(june, june) == "Jun 15, 2026"
    assert label_days(june, date(2026, 6, 16)) == "15 – 16 Jun 2026"


def test_one_and_many_in_both_languages() -> None:
    def rows(number: int) -> str:
        return say_count(number, "{n} row", "{n} rows", n=number)

    assert [rows(0), rows(1), rows(2)] == ["0 rows", "1 row", "2 rows"]
    with speaking(GERMAN):
        assert [rows(0), rows(1), rows(2)] == ["0 Zeilen", "1 Zeile", "2 Zeilen"]
        assert [formats.plural(n, "day") for n in (1, 28)] == ["1 Tag", "28 Tage"]


def test_what_has_no_message_is_english_and_braces_of_data_stay() -> None:
    with speaking(GERMAN):
        assert say("A sentence that nobody wrote, {n}.", n=3) == "A sentence that nobody wrote, 3."
        assert say("{not a name}") == "{not a name}"
        assert say("") == ""
        assert say("{title}: nothing to show.", title="{x}") == "{x}: nichts zu zeigen."


def test_a_metric_is_said_whole_or_sentence_by_sentence() -> None:
    english = get("stripe_refunds")
    with speaking(GERMAN):
        german = get("stripe_refunds")
        assert get("revenuecat_churn_rate").title == "Abwanderungsrate pro Tag, RevenueCat"
        assert get("shared_visits").title == "Besuche, eigene Dateien und Datenbanken"
    assert german.title == "Erstattungen, Stripe"
    assert german.definition == "Was Käufer zurückbekamen, positiv. Nach Angaben von Stripe."
    # What it computes is the same.
    assert (german.value, german.where, german.unit) == (english.value, english.where, english.unit)
    assert get("stripe_refunds") is english


def test_every_message_of_ours_is_there_in_german() -> None:
    """Translate what is listed in languages/de.po; a text that is data needs no message."""
    assert sorted(messages() - set(_held())) == []


def test_no_message_is_kept_that_nobody_says() -> None:
    assert sorted(set(_held()) - messages()) == []


def test_messages_have_the_names_of_their_english() -> None:
    for message, texts in _held().items():
        names = {name for _, name, _, _ in Formatter().parse(message.many or message.one) if name}
        for text in texts:
            assert {name for _, name, _, _ in Formatter().parse(text) if name} <= names, message
            # What stands beside other text keeps its spaces.
            assert (text[:1] == " ") == (message.one[:1] == " "), message
            assert (text[-1:] == " ") == (message.one[-1:] == " "), message
            assert message.one.endswith(".") <= text.endswith((".", ".</a>", "?")), message


def test_metrics_of_ours_are_said_in_german() -> None:
    """Each text of a metric, so that a new metric fails here until it is translated."""
    held = {message.one for message in _held() if not message.context}
    assert sorted(metric_messages() - held) == []


def test_numbers_in_german_texts_have_german_marks() -> None:
    for message, texts in _held().items():
        for text in texts:
            assert not re.search(r"\b\d\.\d{1,2}(?![\d)])", text), message


def test_a_workbook_says_it_its_own_way(tmp_path: Path) -> None:
    (tmp_path / "languages").mkdir()
    own = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "Net revenue"\nmsgstr "Erlöse"\n\n'
    own += 'msgid "How is the shop?"\nmsgstr "Wie läuft der Laden?"\n'
    (tmp_path / "languages" / "de.po").write_text(own, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.tidings]\nlocale = "de-AT"\n')
    settings = load_settings(tmp_path)
    speak(settings.language())
    # Its own first, then ours, then English; the marks are Austria's.
    assert get("net_revenue").title == "Erlöse"
    assert say("How is the shop?") == "Wie läuft der Laden?"
    assert get("orders").title == "Bestellungen"
    assert str(formats.short(1234, "EUR")) == "EUR\u202f1.234"
    assert in_force().code == "de-AT"
    speak(settings.language("en"))
    assert get("net_revenue").title == "Net revenue"


def test_another_language_needs_a_file_of_messages(tmp_path: Path) -> None:
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / "fr.po").write_text('msgid "Orders"\nmsgstr "Commandes"\n', encoding="utf-8")
    with speaking(language_of("fr", tmp_path / "languages")):
        assert get("orders").title == "Commandes"
        assert formats.full(1234, "count") == "1\u202f234"
        assert label_days(date(2026, 6, 3), date(2026, 6, 3)) == "3 juin 2026"
        # The scale stands in the message; without one it is English.
        assert say_as("scale", "M") == "M"


@pytest.mark.parametrize(
    ("locale", "file", "said"),
    [
        ("klingon", "", "'klingon' is not known"),
        ("fr", "", "no words for the locale 'fr'"),
        ("de_AT", "", "written as de-AT"),
        ("de", 'msgid "{n} row"\nmsgstr "{m} Zeile"\n', "{m}, which its English lacks"),
        ("de", "Orders = Bestellungen\n", "no file of messages"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_settings(tmp_path: Path, locale: str, file: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.tidings]\nlocale = "{locale}"\n')
    (tmp_path / "languages").mkdir()
    if file:
        (tmp_path / "languages" / f"{locale}.po").write_text(file)
    with pytest.raises(SettingsError, match=re.escape(said)):
        load_settings(tmp_path)


def _held() -> dict[Message, tuple[str, ...]]:
    with (LIB / "languages" / "de.po").open(encoding="utf-8") as file:
        catalogue = read_po(file, abort_invalid=True)
    found = {}
    for entry in catalogue:
        if entry.id:
            one, many = entry.id if isinstance(entry.id, tuple) else (entry.id, "")
            found[Message(one, many, entry.context or "")] = (
                entry.string if isinstance(entry.string, tuple) else (entry.string,)
            )
    return found
