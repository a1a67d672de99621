"""The PDF: everything of the pages is in it, nothing else is, and what can go wrong with a browser."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import tempfile
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pypdf
import pytest
from bs4 import BeautifulSoup

from tidings.display import formats
from tidings.display.fragments import split_behind
from tidings.errors import RunError
from tidings.exports import pdf
from tidings.exports.pdf import write_pdf
from tidings.exports.printable import printable
from tidings.reporting.finished import finished_run
from tidings.reporting.run import run
from tidings.settings import load_settings

PAGE = """<!doctype html><html><head><title>{title}</title><style>p{{color:black}}</style>
<script>document.title = "run"</script></head><body class="page"><header class="top"><h1 id="main">{title}</h1></header>
<main aria-labelledby="main">{body}</main><footer>foot of {title}</footer></body></html>"""
TALL = "<p>line</p>" * 300


def write_page(folder: Path, name: str, title: str, body: str) -> Path:
    file = folder / f"{name}.html"
    file.write_text(PAGE.format(title=escape(title), body=body), encoding="utf-8")
    return file


def plain(text: str) -> str:
    """A text without blanks and ligatures, as two programs write them differently."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


@pytest.fixture
def chromium() -> None:
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium on this machine: nothing printed (Debian: apt-get install chromium)")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, empty at first."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a script in the place of Chromium."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(script: str) -> None:
        file = folder / "chromium"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


def test_ids_of_pages_are_kept_apart_and_links_between_them_lead_there(tmp_path: Path) -> None:
    index = write_page(
        tmp_path, "index", "Report", '<a href="a.html">A</a> <a href="a.html#x">x</a> <a href="b.html">B</a>'
    )
    body = '<p id="x">here</p><a href="#x">x</a><a href="notebooks/a.ipynb">the notebook</a><a href="https://a.example">w</a>'
    chart = '<svg viewBox="0 0 1 1"><clipPath id="c"></clipPath><g clip-path="url(#c)"></g></svg>'
    document, title = printable([index, write_page(tmp_path, "a", 'A "b" \\ </style>', body + chart)])
    soup = BeautifulSoup(document, "html.parser")
    assert title == "Report"
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert ids == ["p0", "p0-main", "p1", "p1-main", "p1-x", "p1-c"]
    # What leads to files that are not part of it leads nowhere: it would be a path of this machine.
    assert [link.get("href") for link in soup.find_all("a")] == [
        "#p1",
        "#p1-x",
        None,
        "#p1-x",
        None,
        "https://a.example",
    ]
    assert soup.find("g")["clip-path"] == "url(#p1-c)"
    assert [tag["aria-labelledby"] for tag in soup.find_all("main")] == ["p0-main", "p1-main"]
    assert not soup.find_all("script") and len(soup.find_all("style")) == 2
    # The title of a page ends neither the style nor its string.
    assert r'content:"A \22 b\22  \5c  \3c \2f style\3e "' in str(soup.find_all("style")[1])


@pytest.mark.browser
def test_several_pages_are_one_numbered_document(tmp_path: Path, chromium: None, temporary: Path) -> None:
    pages = [write_page(tmp_path, "index", "Report · 収入 (1)", "index"), write_page(tmp_path, "a", "Section A", TALL)]
    write_pdf(pages, tmp_path / "out" / "report.pdf")
    read = pypdf.PdfReader(tmp_path / "out" / "report.pdf")
    texts = [page.extract_text() for page in read.pages]
    assert read.metadata is not None and read.metadata.title == "Report · 収入 (1)"
    assert read.root_object["/MarkInfo"]["/Marked"].value is True  # type: ignore[index]
    assert [entry.title for entry in read.outline if not isinstance(entry, list)] == ["Report · 収入 (1)", "Section A"]
    assert len(texts) > 3
    for number, text in enumerate(texts, start=1):
        assert f"{number} / {len(texts)}" in text
        assert ("Section A" in text) is (number > 1)
    assert "".join(texts).count("line") == 300
    assert [text.count("foot of") for text in texts] == [0] * (len(texts) - 1) + [1]
    assert list(temporary.iterdir()) == []


@pytest.mark.browser
def test_nothing_is_fetched(tmp_path: Path, chromium: None) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Server)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        there = f"http://127.0.0.1:{server.server_port}"
        body = (
            f'<img src="{there}/a.png"><iframe src="{there}/b"></iframe><link rel="stylesheet" href="{there}/c.css">'
            f'<p style="background:url({there}/d.png)">text</p><script src="{there}/e.js"></script>'
            f'<img src="file:///etc/hostname"><object data="{there}/f"></object>'
        )
        write_pdf([write_page(tmp_path, "a", "A", body)], tmp_path / "a.pdf")
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []
    assert "text" in pypdf.PdfReader(tmp_path / "a.pdf").pages[0].extract_text()


def test_without_chromium_it_says_which_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pdf, "_APPS", ())
    with pytest.raises(RunError, match=r"Chromium, which is not installed.*apt-get.*dnf.*brew") as caught:
        write_pdf([write_page(tmp_path, "a", "A", "")], tmp_path / "a.pdf")
    assert caught.value.exit_code == 1


def test_a_hanging_chromium_is_ended_with_all_it_started(tmp_path: Path, temporary: Path, fake) -> None:
    fake(f"sleep 600 & echo $! > {tmp_path}/pids; echo $$ >> {tmp_path}/pids; mkdir -p profile/deep; wait")
    with pytest.raises(RunError, match=r"did not print the pages within 0\.5 seconds, and was ended"):
        write_pdf([write_page(tmp_path, "a", "A", "")], tmp_path / "a.pdf", seconds=0.5)
    for process in (tmp_path / "pids").read_text().split():
        status = Path(f"/proc/{process}/status")
        # Where nobody is there to take note of its end it stays as a zombie.
        assert not status.exists() or "State:\tZ" in status.read_text()
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "a.pdf").exists()


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo '[12:0101/1.2:ERROR:a.cc(1)] No usable sandbox.' >&2; exit 1", r"exit code 1 \(No usable sandbox\)\."),
        ("kill -SEGV $$", "ended by SIGSEGV"),
        ("exit 0", "printed no whole file"),
        ("for a; do case $a in --print-to-pdf=*) printf '%%PDF-1.4 half' > ${a#*=};; esac; done", "no whole file"),
        (
            "for a; do case $a in --print-to-pdf=*) printf '%%PDF-1.4 /Title (Error) %%%%EOF' > ${a#*=};; esac; done",
            "something else than the page.*snap",
        ),
        (
            "for a; do case $a in --print-to-pdf=*) "
            "printf '%%PDF-1.4 /Title (A) /Producer (Skia/PDF m126) %%%%EOF' > ${a#*=};; esac; done",
            "Chromium 126 cannot print page numbers.*131",
        ),
    ],
)
def test_what_a_browser_did_not_print_leaves_what_was_there(
    tmp_path: Path, temporary: Path, fake, script: str, said: str
) -> None:
    fake(script)
    (tmp_path / "a.pdf").write_text("earlier")
    with pytest.raises(RunError, match=said):
        write_pdf([write_page(tmp_path, "a", "A", "")], tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_text() == "earlier"
    assert list(temporary.iterdir()) == []


def test_a_full_disk_is_named(tmp_path: Path, temporary: Path, fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("for a; do case $a in --print-to-pdf=*) printf '%%PDF-1.4 /Title (A) %%%%EOF' > ${a#*=};; esac; done")

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pdf.shutil, "copyfile", full)
    with pytest.raises(RunError, match=r"a\.pdf cannot be written: the disk is full"):
        write_pdf([write_page(tmp_path, "a", "A", "")], tmp_path / "a.pdf")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match="The PDF cannot be made: the disk is full"):
        write_pdf([tmp_path / "a.html"], tmp_path / "a.pdf")
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.pdf")) and not list(tmp_path.glob(".export*"))


def test_a_browser_gets_no_secret_of_the_environment_and_no_sandbox_only_as_root(
    tmp_path: Path, fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hunter22hunter22")
    fake(f'env > {tmp_path}/env; echo "$@" > {tmp_path}/arguments; exit 1')
    for user, is_without in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        with pytest.raises(RunError):
            write_pdf([write_page(tmp_path, "a", "A", "")], tmp_path / "a.pdf")
        assert "hunter22" not in (tmp_path / "env").read_text()
        assert ("--no-sandbox" in (tmp_path / "arguments").read_text()) is is_without


@pytest.mark.browser
@pytest.mark.proof
def test_every_figure_of_the_record_is_in_the_print_of_the_sample(
    sample_workbook: Path, tmp_path: Path, chromium: None
) -> None:
    settings = load_settings(sample_workbook)
    run(settings, "weekly", {}, now=datetime(2026, 7, 2, 6, tzinfo=UTC))
    made = finished_run(settings, "weekly")
    assert len(made.sections) == 6
    write_pdf(made.pages, tmp_path / "weekly.pdf")
    read = pypdf.PdfReader(tmp_path / "weekly.pdf")
    assert 15 <= len(read.pages) <= 45
    text = plain("".join(page.extract_text() for page in read.pages))
    figures = cells = 0
    for section in made.sections:
        # Each section alone, so that no figure is found in place of the same number elsewhere.
        write_pdf([section.page], tmp_path / "section.pdf")
        alone = plain("".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "section.pdf").pages))
        for item in section.record.items:
            if item.kind == "digest" or item.absent:
                continue
            for held in item.figures:
                if held["value"] is None:
                    continue
                shown = plain(str(formats.short(Decimal(held["value"]), held["unit"])))
                assert shown in alone and shown in text, (section.section, held)
                figures += 1
            if item.kind == "table" and not item.is_empty:
                shown_part = BeautifulSoup(str(split_behind(item.html).figure), "html.parser")
                for cell in shown_part.select("td, th"):
                    assert plain(cell.get_text()) in alone, (section.section, item.title, cell)
                    cells += 1
    assert figures > 40 and cells > 1000


@pytest.mark.browser
@pytest.mark.proof
def test_no_chart_of_the_sample_is_cut(sample_workbook: Path, browser, tmp_path: Path) -> None:
    """What may not break is not taller than a sheet, and no picture or table is wider than its text."""
    settings = load_settings(sample_workbook)
    run(settings, "weekly", {}, now=datetime(2026, 7, 2, 6, tzinfo=UTC))
    document, _ = printable(finished_run(settings, "weekly").pages)
    (tmp_path / "page.html").write_text(document, encoding="utf-8")
    # A4 without its margins, at 96 px an inch.
    width, height = round((210 - 28) / 25.4 * 96), round((297 - 30) / 25.4 * 96)
    page = browser.new_context(offline=True, viewport={"width": width, "height": height}).new_page()
    page.emulate_media(media="print")
    page.goto((tmp_path / "page.html").as_uri())
    found = page.evaluate(
        """() => [...document.querySelectorAll('.td-vega, .td-card, svg, table')].map(one => {
            const box = one.getBoundingClientRect()
            return [one.className.baseVal ?? one.className, box.right, box.height,
                    getComputedStyle(one).breakInside === 'avoid' || one.tagName === 'svg']
        })"""
    )
    assert sum("td-vega" in str(name) for name, *_ in found) >= 12
    assert [each for each in found if each[1] > width + 1] == []
    assert [each for each in found if each[3] and each[2] > height] == []
