"""A German report of the sample, and German pages of sections that fail: no English of ours is left for a reader."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import openpyxl
import pytest
from bs4 import BeautifulSoup
from section_notebooks import FAILING, GOOD, notebook

from messages import english_in, english_left, readable, texts_of
from tidings.delivery.channels import services, slack, teams
from tidings.delivery.compose import compose
from tidings.delivery.mail.letter import Sender, write_letter
from tidings.delivery.message import Message
from tidings.display import show
from tidings.exports.printable import printable
from tidings.exports.sheets import sheets_of
from tidings.exports.xlsx import write_xlsx
from tidings.language import Language, in_force, language_of, speaking
from tidings.metrics.registry import get
from tidings.metrics.result import Value
from tidings.reporting.disclosure import disclosed
from tidings.reporting.finished import finished_run
from tidings.reporting.record import NotebookRecord, item_of
from tidings.reporting.run import run
from tidings.scheduling.bindings import Binding
from tidings.scheduling.steps import gaps_for
from tidings.settings import load_settings
from tidings.window import Window, Zone

NOW = datetime(2026, 7, 1, 6, 0, tzinfo=UTC)
_WORDS = "the of and with from against which this these rows days is are has before by until not for than its"
SMALL = re.compile(rf"(?i)\b({'|'.join(_WORDS.split())})\b")
BOUND = Binding(rows={"brand": ["acme"]})
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


@pytest.mark.proof
def test_no_english_of_ours_is_left_on_the_sample(german: Path) -> None:
    pages = sorted(german.glob("*.html"))
    assert len(pages) == 7
    assert {page.name: left for page in pages if (left := list(english_left(readable(page.read_text()))))} == {}


@pytest.mark.proof
def test_no_sentence_is_half_english(german: Path) -> None:
    """Of what nobody marked as a message no list knows; its small words give it away."""
    for page in german.glob("*.html"):
        soup = readable(page.read_text())
        # Names of products and pages and the words of reviews are data.
        for tag in soup.select("table, svg, [aria-label^='Daten: '], .td-title, .figure-links"):
            tag.decompose()
        assert [text for text in texts_of(soup) if SMALL.search(text) and "Course:" not in text] == [], page.name


@pytest.mark.proof
def test_what_is_made_of_a_finished_run_speaks_its_language(german: Path) -> None:
    settings = load_settings(german.parents[2])
    run = finished_run(replace(settings, locale="en"), str(german))
    message = compose(replace(settings, locale="en"), run, key="k", recipient="a@b.example", at=NOW, sent_at=NOW)
    assert run.locale == "de"
    assert [section.record.title for section in run.sections][:2] == ["Überblick für die Leitung", "Website-Verkehr"]
    assert message.subject.startswith("Wochenbericht, ")
    # Whoever asked goes on in a language of their own.
    assert in_force().code == "en"


def composed(folder: Path, **more: object) -> tuple[Message, Language]:
    """The message of the run in a folder, and its language, which is in force when it is sent."""
    settings = load_settings(folder.parents[2])
    run = finished_run(settings, str(folder))
    given = {"gaps": (gaps_for(BOUND, ["shop failed"])), "recipient": "a@b.example", **more}
    language = settings.language(run.locale)
    with speaking(language):
        return compose(settings, run, key="k", at=NOW, sent_at=NOW, notes=["2 von 3"], **given), language  # type: ignore[arg-type]


def mailed(folder: Path) -> tuple[BeautifulSoup, str]:
    """Both parts of the mail of the run in a folder."""
    message, language = composed(folder)
    with speaking(language):
        mail = write_letter(replace(message, address="https://r.example/weekly/index.html"), Sender("r@b.example"))
    page, text = (mail.get_body((kind,)).get_content() for kind in ("html", "plain"))  # type: ignore[union-attr]
    return readable(page), text


def unwrapped(text: str) -> list[str]:
    """The lines of a text part without what stands before them, and all of it in one line."""
    return [*(re.sub(r"^[ -]*(\d\. |→ )?", "", line).strip() for line in text.splitlines()), " ".join(text.split())]


@pytest.mark.proof
def test_no_english_of_ours_is_left_in_a_mail(german: Path) -> None:
    page, text = mailed(german)
    assert page.html["lang"] == "de"
    assert english_left(page) == set()
    assert english_in(unwrapped(text)) == set()
    for said in (page.get_text("\n"), text):
        for wanted in (
            "Kennzahlen",
            "Was sich geändert hat",
            "Abbestellen",
            "Stand 1. Juli 2026, 06:00 UTC",
            "Abschnitte",
        ):
            assert wanted in said
        assert "Ein Teil der Daten ist nicht vollständig." in said
        assert re.search(r"weitere[n]? (Zeile|Spalte)n? auf der Seite\.", " ".join(said.split()))


@pytest.mark.proof
def test_no_sentence_of_a_mail_is_half_english(german: Path) -> None:
    page, text = mailed(german)
    for tag in page.select("table.grid"):
        tag.decompose()
    assert [said for said in texts_of(page) if SMALL.search(said)] == []
    # The table's rows are aligned by several blanks.
    assert [line for line in text.splitlines() if SMALL.search(line) and "   " not in line.strip()] == []


def test_no_english_of_ours_is_left_in_the_mail_and_the_posts_on_what_failed(failed: Path) -> None:
    own = {"Commerce", "Net revenue", "Product", "Day"}
    page, text = mailed(failed)
    assert english_left(page) | english_in(unwrapped(text)) <= own
    assert "- Website-Verkehr fehlt: fehlgeschlagen." in text
    message, language = composed(failed, alerts=["Fehler über 5 %."])
    with speaking(language):
        posts = slack.payload(message), json.loads(teams.body_of(message)), services.text_of(message)
    for post in posts:
        said = post.splitlines() if isinstance(post, str) else list(strings(post))
        assert english_in([line.strip("*• ") for text in said for line in text.splitlines()]) <= own
        whole = "\n".join(said)
        assert "Offene Warnungen" in whole and "Dieser Abschnitt konnte nicht fertiggestellt werden." in whole


def strings(held: object) -> Iterator[str]:
    """What a reader sees of a post."""
    if isinstance(held, dict):
        for name, inner in held.items():
            yield from [inner] if name in ("text", "title") and isinstance(inner, str) else strings(inner)
    elif isinstance(held, list):
        for inner in held:
            yield from strings(inner)


@pytest.mark.proof
def test_heads_and_names_of_a_spreadsheet_are_german(german: Path, tmp_path: Path) -> None:
    settings = load_settings(german.parents[2])
    run = finished_run(settings, str(german))
    with speaking(settings.language(run.locale)):
        write_xlsx(run, tmp_path / "run.xlsx")
        sheets = sheets_of(run)
    book = openpyxl.load_workbook(tmp_path / "run.xlsx")
    assert book.sheetnames[:4] == ["Inhalt", "Zahlen", "Definitionen", "Überblick für die Leitung 1"]
    assert book["Inhalt"]["A1"].value == "Wochenbericht"
    assert book["Inhalt"]["A6"].hyperlink.location == "'Zahlen'!A1"
    heads = [cell.value for name in book.sheetnames for cell in book[name][5] if cell.value]
    titles = [text for sheet in sheets for text in (sheet.name, sheet.title, sheet.about, *sheet.notes)]
    reasons = [row[9].value for row in book["Zahlen"].iter_rows(min_row=6) if row[9].value]
    definitions = [cell.value for row in book["Definitionen"].iter_rows(min_row=6) for cell in row[1:] if cell.value]
    assert "Warum nicht bekannt" in heads
    assert english_in([*heads, *titles, *reasons, *definitions]) == set()
    assert [text for text in (*reasons, *definitions) if SMALL.search(text)] == []
    # Numbers are numbers, whatever marks the reader's program shows.
    assert {type(row[3].value) for row in book["Zahlen"].iter_rows(min_row=6)} <= {int, float, type(None)}


@pytest.mark.proof
def test_the_document_for_paper_names_its_language(german: Path) -> None:
    document, title = printable([german / "index.html", german / "commerce.html"])
    assert BeautifulSoup(document, "html.parser").html["lang"] == "de"
    assert title.startswith("Wochenbericht")


def test_no_english_of_ours_is_left_where_something_failed(failed: Path) -> None:
    # Figures of these notebooks have titles of their own, which are not ours.
    own = {"Commerce", "Net revenue", "Product", "Day"}
    pages = sorted(failed.glob("*.html"))
    assert {page.name: left for page in pages if (left := set(english_left(readable(page.read_text()))) - own)} == {}
    page = BeautifulSoup((failed / "web_traffic.html").read_text(), "html.parser")
    assert page.select_one(".failure-title").text == "Dieser Abschnitt konnte nicht fertiggestellt werden"
    assert page.select_one("h2 .not-run").text == "nicht ausgeführt"
    assert "1 seiner 2 Abschnitte konnte nicht" in (failed / "commerce.html").read_text()


@pytest.mark.proof
def test_the_language_is_named_and_the_figures_are_of_its_readers(german: Path) -> None:
    page = BeautifulSoup((german / "commerce.html").read_text(), "html.parser")
    assert page.html["lang"] == "de"
    assert page.select_one("h1").text == "Verkauf"
    card = page.select_one(".td-card")
    assert card.select_one(".td-label").text == "Nettoumsatz"
    # 1.234 or 987,65, and never 1,234.
    assert re.fullmatch(r"(\d{1,3}(\.\d{3})*|\d{1,3},\d\d)\u202fEUR", card.select_one(".td-value").text)
    assert re.search(r"in den 28 Tagen davor", card.select_one(".td-delta").text)


@pytest.mark.proof
def test_charts_are_german_for_those_who_see_and_those_who_hear(german: Path) -> None:
    page = BeautifulSoup((german / "executive_overview.html").read_text(), "html.parser")
    box = page.select_one(".td-vega")
    assert box["aria-label"].startswith("Liniendiagramm, Nettoumsatz je Woche, ")
    labels = {text.text for text in box.select("svg text")}
    assert any(
        re.fullmatch(r"\d+\. (Jan|Feb|Apr|Aug|Sept|Okt|Nov|Dez)\.|\d+\. (März|Mai|Juni|Juli)", t) for t in labels
    )
    assert not any(re.search(r"\d[,k]\d{3}|\dk", label) for label in labels)


@pytest.mark.proof
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
