"""Figures in German: sentences, titles, alt texts and axes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup
from display_samples import ERRORS, REVENUE, USERS, WINDOW, result, series, value
from test_figures import every
from test_sentences import said, spike

from messages import english_left, readable
from tidings.analysis.parts import Cause, Group
from tidings.display import cards, show
from tidings.language import Language, language_of, speak, speaking
from tidings.metrics.result import Field
from tidings.query.explanation import Explanation
from tidings.window import add_days

SALES = replace(REVENUE, title="Nettoumsatz", definition="Brutto minus Erstattungen.")
FAILED = replace(ERRORS, title="Fehlerrate")
SERIOUS = Explanation(
    value(0.004, 0.0018, FAILED, "ratio", unusual=True),
    replace(WINDOW, start=add_days(WINDOW.start, 16), end=add_days(WINDOW.start, 17)),
    0.0652,
    0.0018,
    "service",
    Cause(("api",), 0.06, 1.0, (Group(61 / 406, 406),), (Group(0.0015, 11_306),), 0.6),
)


@pytest.fixture(autouse=True)
def german() -> None:
    speak(language_of("de"))


def test_a_finding_is_a_german_sentence() -> None:
    assert said(SERIOUS) == [
        "Fehlerrate: Anstieg um 0,22 Prozentpunkte auf 0,40 % (schlechter), von 0,18 % in den 28 Tagen davor; nach dem "
        "bisherigen Verlauf kommt das in weniger als 1 von 1.000 Zeiträumen vor. Der größte Teil davon: 19. Juni 2026: "
        "6,52 % statt 0,18 %, die ganze Differenz aus Dienst api (15,0 % von 406 Zeilen, zuvor 0,15 %)."
    ]
    assert said(spike(replace(SALES, action="")))[0].startswith(
        "Nettoumsatz (15.–16. Juni 2026): 1.714 statt 1.049, 92,0 %"
    )


def test_one_and_several_agree() -> None:
    quiet = [
        Explanation(value(110, 100, SALES, unusual=False)),
        Explanation(value(9, 9, USERS, "count", unusual=False)),
    ]
    assert said(quiet[0])[0].startswith("Nichts Ungewöhnliches: 1 Kennzahl hat sich nicht stärker bewegt als bisher.")
    assert said(*quiet)[0].startswith("Nichts Ungewöhnliches: 2 Kennzahlen haben sich nicht stärker bewegt als bisher.")
    young = replace(quiet[0], value=value(110, 100, SALES), is_known=False)
    assert "Ob diese Änderung üblich ist, lässt sich nicht sagen" in " ".join(said(young))


def test_the_comparison_stands_in_the_right_case() -> None:
    day = replace(WINDOW, start=add_days(WINDOW.end, -1))
    windows = [
        (WINDOW, WINDOW.previous()),
        (day, day.previous()),
        (day, day.same_weekdays()),
        (WINDOW, WINDOW.year_before()),
        (WINDOW, WINDOW.shift(-40)),
    ]
    shown = [cards.spoken(replace(value(110, 100, SALES, window=w), before_window=before)) for w, before in windows]
    assert [text.partition(" gegenüber ")[2] for text in shown] == [
        "den 28 Tagen davor",
        "dem Tag davor",
        "denselben Wochentagen davor",
        "denselben Wochentagen ein Jahr zuvor",
        "dem Zeitraum 24. Apr.\u2009–\u200921. Mai 2026",
    ]


def test_what_no_source_brings_is_said_in_german_and_recorded_as_programs_know_it() -> None:
    absent = value(None, None, SALES, why="no source has orders or events")
    shown = show.cards([value(3, 2, USERS, "count"), absent])
    assert "Nicht gezeigt (keine Quelle liefert Bestellungen oder Ereignisse): Nettoumsatz." in shown.html
    assert shown.record()["figures"][1]["why"] == "no source has orders or events"


@pytest.mark.parametrize("name", sorted(every("Käse & Brot")))
def test_every_figure_is_wholly_german(name: str) -> None:
    figure = every("Käse & Brot")[name]
    page = readable(str(figure.html))
    # The query and the metric of these samples have English names of their own.
    own = {"Net revenue", "From", "To", "Error rate", "Months later"}
    assert english_left(page) - own == set()
    assert english_left(BeautifulSoup(f'<p aria-label="{figure.alt}"></p>', "html.parser")) - own == set()


def test_a_total_and_others_are_found_in_any_language() -> None:
    split = result(
        [("Total", 100), ("DE", 70), ("(unknown)", 20), ("others (3)", 10)],
        Field("country", "Country"),
        Field("n", "Net revenue", "count"),
    )
    shown = show.ranking(split)
    page = BeautifulSoup(str(shown.html), "html.parser")
    assert [row.th.text for row in page.select("tbody tr")] == ["Gesamt", "DE", "(unbekannt)", "Übrige (3)"]
    assert page.select_one(".td-total").th.text == "Gesamt"
    assert page.select_one(".td-others").th.text == "Übrige (3)"
    assert shown.title == "DE: Nettoumsatz 70, 70,0\u202f% des Gesamtwerts"


def test_axes_have_marks_months_and_scales_of_the_language() -> None:
    def labels(most: float) -> set[str]:
        page = BeautifulSoup(str(show.trend(series(lambda i: most * i / 27, SALES)).html), "html.parser")
        return {text.text for text in page.select_one("svg").select("text")}

    assert {"0", "2.000", "4.000", "8. Juni", "29. Juni"} <= labels(4000)
    assert {"1\u202fMio.", "2\u202fMio."} <= labels(2_500_000)
    assert "0,20" in labels(1.2)
    with speaking(Language()):
        assert {"2k", "4k", "8 Jun", "29 Jun"} <= labels(4000)


def test_an_analysts_own_chart_has_the_marks_as_well() -> None:
    altair = pytest.importorskip("altair")
    rows = [{"x": n, "v": n * 1500.5} for n in range(4)]
    chart = altair.Chart(altair.Data(values=rows)).mark_line().encode(x="x:Q", y="v:Q")
    from tidings.display import own

    labels = set(re.findall(r"<text[^>]*>([^<]+)</text>", str(own.figure(chart).html)))
    assert "4.000" in labels
    assert "0,5" in labels


def test_the_digest_is_the_same_in_every_language() -> None:
    items = [value(1234.5, 1000, REVENUE), value(None, 3, ERRORS, "ratio")]
    in_german = show.digest(items).text
    with speaking(Language()):
        assert show.digest(items).text == in_german
