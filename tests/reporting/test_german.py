"""A German report of the sample, and German pages of sections that fail: no English of ours is left for a reader."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup
from section_notebooks import FAILING, GOOD, notebook

from messages import english_left, readable, texts_of
from tidings.delivery.compose import compose
from tidings.display import show
from tidings.language import in_force, language_of, speaking
from tidings.metrics.registry import get
from tidings.metrics.result import Value
from tidings.reporting.disclosure import disclosed
from tidings.reporting.finished import finished_run
from tidings.reporting.record import NotebookRecord, item_of
from tidings.reporting.run import run
from tidings.settings import load_settings
from tidings.window import Window, Zone

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
OPENED = "from tidings.book import Book\nbook = Book.open(days=days)"


@pytest.fixture(scope="module")
def german(sample_workbook: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the weekly report, run with locale = "de" in the settings."""
    folder = Path(shutil.copytree(sample_workbook, tmp_path_factory.mktemp("german") / "workbook"))
    file = folder / "pyproject.toml"
    file.write_text(file.read_text().replace('currency = "EUR"', 'currency = "EUR"\nlocale = "de"'))
    settings = load_settings(folder)
    return run(settings, "weekly", {}, now=datetime(2026, 7, 2, tzinfo=UTC)).index.parent


@pytest.fixture(scope="module")
def failed(workbook) -> Path:
    """The folder of a German report of a section that works and one that fails."""
    settings = workbook(commerce=(OPENED, *GOOD), web_traffic=notebook((OPENED, *FAILING), title="Web traffic"))
    (settings.root / "pyproject.toml").write_text('[tool.tidings]\ntimezone = "Europe/Berlin"\n')
    report = 'title = "Weekly report"\nlocale = "de"\nsections = ["web_traffic", "commerce"]\n'
    report += '[[variant]]\nname = "7 Tage"\nparameters = { days = 7 }\n[[variant]]\nname = "14 Tage"\n'
    (settings.schedules / "weekly.toml").write_text(report + "parameters = { days = 14 }\n")
    return run(settings, "weekly", {}, now=NOW).index.parent


def test_no_english_of_ours_is_left_on_the_sample(german: Path) -> None:
    pages = sorted(german.glob("*.html"))
    assert len(pages) == 7
    assert {page.name: left for page in pages if (left := list(english_left(readable(page.read_text()))))} == {}


def test_no_sentence_is_half_english(german: Path) -> None:
    """Of what nobody marked as a message no list knows; its small words give it away."""
    words = "the of and with from against which this these rows days is are has before by until not for than its"
    small = re.compile(rf"(?i)\b({'|'.join(words.split())})\b")
    for page in german.glob("*.html"):
        soup = readable(page.read_text())
        # Names of products and pages and the words of reviews are data.
        for tag in soup.select("table, svg, [aria-label^='Daten: '], .td-title, .figure-links"):
            tag.decompose()
        assert [text for text in texts_of(soup) if small.search(text) and "Course:" not in text] == [], page.name


def test_what_is_made_of_a_finished_run_speaks_its_language(german: Path) -> None:
    settings = load_settings(german.parents[2])
    run = finished_run(replace(settings, locale="en"), str(german))
    message = compose(replace(settings, locale="en"), run, key="k", recipient="a@b.example", at=NOW, sent_at=NOW)
    assert run.locale == "de"
    assert [section.record.title for section in run.sections][:2] == ["Überblick für die Leitung", "Website-Verkehr"]
    assert message.subject.startswith("Wochenbericht, ")
    # Whoever asked goes on in a language of their own.
    assert in_force().code == "en"


def test_no_english_of_ours_is_left_where_something_failed(failed: Path) -> None:
    # Figures of these notebooks have titles of their own, which are not ours.
    own = {"Commerce", "Net revenue", "Product", "Day"}
    pages = sorted(failed.glob("*.html"))
    assert {page.name: left for page in pages if (left := set(english_left(readable(page.read_text()))) - own)} == {}
    page = BeautifulSoup((failed / "web_traffic.html").read_text(), "html.parser")
    assert page.select_one(".failure-title").text == "Dieser Abschnitt konnte nicht fertiggestellt werden"
    assert page.select_one("h2 .not-run").text == "nicht ausgeführt"
    assert "1 seiner 2 Abschnitte konnte nicht" in (failed / "commerce.html").read_text()


def test_the_language_is_named_and_the_figures_are_of_its_readers(german: Path) -> None:
    page = BeautifulSoup((german / "commerce.html").read_text(), "html.parser")
    assert page.html["lang"] == "de"
    assert page.select_one("h1").text == "Verkauf"
    card = page.select_one(".td-card")
    assert card.select_one(".td-label").text == "Nettoumsatz"
    # 1.234 or 987,65, and never 1,234.
    assert re.fullmatch(r"(\d{1,3}(\.\d{3})*|\d{1,3},\d\d)\u202fEUR", card.select_one(".td-value").text)
    assert re.search(r"in den 28 Tagen davor", card.select_one(".td-delta").text)


def test_charts_are_german_for_those_who_see_and_those_who_hear(german: Path) -> None:
    page = BeautifulSoup((german / "executive_overview.html").read_text(), "html.parser")
    box = page.select_one(".td-vega")
    assert box["aria-label"].startswith("Liniendiagramm, Nettoumsatz je Woche, ")
    labels = {text.text for text in box.select("svg text")}
    assert any(
        re.fullmatch(r"\d+\. (Jan|Feb|Apr|Aug|Sept|Okt|Nov|Dez)\.|\d+\. (März|Mai|Juni|Juli)", t) for t in labels
    )
    assert not any(re.search(r"\d[,k]\d{3}|\dk", label) for label in labels)


def test_what_programs_read_stays_as_it_is(german: Path) -> None:
    manifest = json.loads((german / "run.json").read_text())
    assert (manifest["title"], manifest["status"]) == ("Weekly report", "done")
    page = BeautifulSoup((german / "commerce.html").read_text(), "html.parser")
    links = [link["href"] for link in page.select("a[download]")]
    kept, numbers = b64decode, []
    for link in links:
        head, _, data = link.partition(",")
        text = kept(data).decode("utf-8-sig") if head.endswith(";base64") else unquote(data)
        numbers += [cell for row in list(csv.reader(io.StringIO(text)))[1:] for cell in row[1:]]
    # A point before the decimals, no marks between thousands.
    plain = [cell for cell in numbers if re.fullmatch(r"-?\d+\.\d+", cell)]
    assert plain
    assert not [cell for cell in numbers if re.fullmatch(r"-?\d{1,3}(\.\d{3})*,\d+", cell)]
    record = json.loads((german / "notebooks" / "commerce.ipynb").read_text())
    figures = [
        figure["value"]
        for cell in record["cells"]
        for output in cell.get("outputs", ())
        for figure in output.get("data", {}).get("application/vnd.tidings.v1+json", {}).get("figures", ())
        if figure["value"] is not None
    ]
    assert figures
    assert all(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", value) for value in figures)


def test_a_public_page_hides_what_sources_lack_in_german_too() -> None:
    why = "shop liefert Bestellungen nur bis 2026-06-20"
    window = Window.last(28, NOW, Zone())
    with speaking(language_of("de")):
        known = Value(get("net_revenue"), "EUR", window, 110, 100, window.previous())
        whole = replace(known, before=None, why_no_change=why)
        part = replace(known, part="shop liefert Bestellungen ohne 2 nie eingelesene Tage")
        output = {"data": show.cards([whole, part])._repr_mimebundle_()}
        record = NotebookRecord("commerce", "Verkauf", (item_of(output),), {}, None)
        (cards,) = disclosed(record, ["net_revenue"]).items
    assert "keine Änderung bekannt" in cards.html
    assert "von einem Teil dieser Tage" in cards.html
    assert "shop" not in f"{cards.html} {cards.text} {cards.alt}"


def test_a_report_may_have_its_own_language(failed: Path) -> None:
    # The settings of this workbook say nothing of it.
    assert 'lang="de"' in (failed / "index.html").read_text()
    assert "Wochenbericht" in (failed / "index.14-tage.html").read_text()
