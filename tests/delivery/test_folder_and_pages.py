"""Runs published to a folder: what stands there at each moment, and what never does."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from channel_samples import AT, Made, make_pages, message

from tidings.delivery.channel import Channel, DeliveryError, open_channel
from tidings.delivery.message import Message
from tidings.delivery.site import newest
from tidings.errors import SettingsError
from tidings.language import language_of, speaking
from tidings.ledger.lease import hold
from tidings.reporting.index import ReportFinding
from tidings.settings import Settings

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def pages(tmp_path: Path) -> Made:
    return partial(make_pages, tmp_path)


def opened(tmp_path: Path, kind: str, **options: Any) -> Channel:
    table = {"kind": kind, "path": "../out", **options}
    settings = Settings(root=tmp_path / "workbook", channels={"board": table}, public_address="https://r.example.com/x")
    return open_channel(settings, "board")


def there(folder: Path) -> list[str]:
    """The files, without the lock."""
    found = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(name for name in found if name != ".lock")


def run(made: Path, **more: Any) -> Message:
    at = datetime.fromisoformat(made.name[:10]).replace(tzinfo=UTC)
    return message(**{"folder": made, "slot": made.name, "at": at, "period": made.name, **more})


def send(channel: Channel, *messages: Message) -> None:
    for each in messages:
        channel.send(each, lambda: None)


@pytest.fixture(params=["folder", "pages"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_pages_are_published_without_notebooks_and_links_to_them(tmp_path: Path, pages: Made, kind: str) -> None:
    offered: list[bool] = []
    channel = opened(tmp_path, kind)
    assert channel.is_repeatable and not channel.is_personal
    channel.send(run(pages()), lambda: offered.append((tmp_path / "out" / "weekly").exists()))
    assert offered == [False]
    out = tmp_path / "out" / "weekly" / "2026-07-06"
    assert there(out) == ["commerce.html", "index.html"]
    index = (out / "index.html").read_text()
    assert "notebooks/" not in index and 'href="run.json"' not in index
    assert '<a href="commerce.html">Commerce</a> executed notebook <span class="td-hidden">of Commerce</span>' in index
    assert (tmp_path / "out" / "weekly" / "latest" / "commerce.html").read_text() == "<p>commerce of 2026-07-06</p>"


def test_notebooks_come_if_asked_for_and_never_to_the_public(tmp_path: Path, pages: Made, kind: str) -> None:
    channel = opened(tmp_path, kind, with_notebooks=True)
    everything = ["commerce.html", "index.html", "notebooks/commerce.ipynb", "run.json"]
    send(channel, run(pages()))
    assert there(tmp_path / "out" / "weekly" / "2026-07-06") == everything
    send(channel, run(pages(), is_public=True))
    assert there(tmp_path / "out" / "weekly" / "2026-07-06") == ["commerce.html", "index.html"]


def test_a_repeat_changes_nothing_and_a_new_run_leaves_nothing_old(tmp_path: Path, pages: Made, kind: str) -> None:
    channel = opened(tmp_path, kind)
    folder = pages(**{"old.html": "old"})
    send(channel, run(folder))
    once = {name: (tmp_path / "out" / name).read_bytes() for name in there(tmp_path / "out")}
    send(channel, run(folder))
    assert {name: (tmp_path / "out" / name).read_bytes() for name in there(tmp_path / "out")} == once
    (folder / "old.html").unlink()
    send(channel, run(folder))
    assert not [name for name in there(tmp_path / "out") if "old" in name]
    assert not [*(tmp_path / "out" / "weekly").glob(".*")]


@pytest.mark.parametrize(
    ("slots", "latest"),
    [
        (["2026-06-29", "2026-07-06"], "2026-07-06"),
        # A slot that was made up for later is not the latest.
        (["2026-07-06", "2026-06-29"], "2026-07-06"),
        (["2026-07-06", "2026-07-06T1800"], "2026-07-06T1800"),
        (["2026-07-06", "2026-07-13_days=90"], "2026-07-06"),
    ],
)
def test_latest_is_the_newest_slot(tmp_path: Path, pages: Made, kind: str, slots: Sequence[str], latest: str) -> None:
    send(opened(tmp_path, kind), *(run(pages(slot)) for slot in slots))
    assert newest(slots) == latest
    assert (tmp_path / "out/weekly/latest/commerce.html").read_text() == f"<p>commerce of {latest}</p>"
    assert {(tmp_path / "out/weekly" / slot / "index.html").is_file() for slot in slots} == {True}


def test_latest_is_a_copy_where_there_are_no_links(
    tmp_path: Path, pages: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = opened(tmp_path, "folder")
    send(channel, run(pages("2026-06-29")))
    assert (tmp_path / "out/weekly/latest").is_symlink()

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refused)
    (tmp_path / "out/weekly/latest").unlink()
    send(channel, run(pages("2026-07-06")), run(pages("2026-07-13")))
    assert not (tmp_path / "out/weekly/latest").is_symlink()
    assert (tmp_path / "out/weekly/latest/commerce.html").read_text() == "<p>commerce of 2026-07-13</p>"
    # Links are back, and a folder stands in their way.
    monkeypatch.undo()
    send(channel, run(pages("2026-07-20")))
    assert (tmp_path / "out/weekly/latest/commerce.html").read_text() == "<p>commerce of 2026-07-20</p>"


def test_a_reader_sees_a_whole_report_at_every_moment(tmp_path: Path, pages: Made, kind: str) -> None:
    channel = opened(tmp_path, kind)
    folder = pages()
    send(channel, run(folder))
    stop, broken = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            for name in ("index.html", "commerce.html"):
                if not (tmp_path / "out/weekly/2026-07-06" / name).is_file():
                    broken.append(name)

    reader = threading.Thread(target=read)
    reader.start()
    send(channel, *[run(folder)] * 20)
    stop.set()
    reader.join()
    assert broken == []


def test_what_cannot_be_published(tmp_path: Path, pages: Made, kind: str) -> None:
    channel = opened(tmp_path, kind)
    empty = tmp_path / "empty"
    empty.mkdir()
    for wrong, said in (
        (run(pages(), folder=None), "A notice has no pages"),
        (run(pages(), folder=empty), "There are no pages"),
        (run(pages(), report="../weekly"), "cannot name a folder"),
        (run(pages(), slot=""), "cannot name a folder"),
        (run(pages(), slot="latest"), "cannot name a folder"),
    ):
        with pytest.raises(DeliveryError, match=said) as caught:
            send(channel, wrong)
        assert caught.value.outlook == "permanent"
    assert not (tmp_path / "out").exists()


def test_a_place_that_takes_nothing_is_told_and_tried_again(tmp_path: Path, pages: Made, kind: str) -> None:
    (tmp_path / "out").write_text("a file")
    channel = opened(tmp_path, kind)
    assert len(channel.check()) == 1
    with pytest.raises(DeliveryError, match=r"channel board cannot write to .*out: ") as caught:
        send(channel, run(pages()))
    assert (caught.value.outlook, bool(caught.value.remedy)) == ("temporary", True)
    (tmp_path / "out").unlink()
    assert list(channel.check()) == []
    send(channel, run(pages()))


def test_two_processes_do_not_write_at_once(tmp_path: Path, pages: Made, kind: str) -> None:
    channel = opened(tmp_path, kind)
    send(channel, run(pages()))
    held = hold(tmp_path / "out" / ".lock")
    with pytest.raises(DeliveryError, match="Another process is writing") as caught:
        send(channel, run(pages()))
    os.close(held)
    assert caught.value.outlook == "temporary"
    send(channel, run(pages()))


def test_the_reports_themselves_are_no_place_to_publish_to(tmp_path: Path, kind: str) -> None:
    for path in ("reports", "reports/weekly", "../workbook/reports"):
        with pytest.raises(SettingsError, match="where the reports themselves are"):
            opened(tmp_path, kind, path=path)


# The site


def finding(text: str) -> tuple[ReportFinding, ...]:
    return (ReportFinding(text, "", ()),)


def test_the_site_leads_to_every_run(tmp_path: Path, pages: Made) -> None:
    days = [AT + timedelta(days=7 * number) for number in range(7)]
    weekly = [run(pages(f"{day:%Y-%m-%d}"), findings=finding("Revenue <b>rose</b>.")) for day in days]
    monthly = run(pages("2026-07-01"), report="monthly", title="Monthly & more", findings=())
    send(opened(tmp_path, "pages"), *weekly, monthly)
    out = tmp_path / "out"
    index = (out / "index.html").read_text()
    links = [link for link in re.findall(r'href="([^"#]+)"', index) if link != "feed.xml"]
    assert links == [
        *("monthly/", "monthly/2026-07-01/", "weekly/"),
        *(f"weekly/2026-0{day}/" for day in ("8-17", "8-10", "8-03", "7-27", "7-20")),
        "weekly/",
    ]
    assert all((out / link / "index.html").is_file() for link in links)
    assert "Monthly &amp; more" in index and "Revenue &lt;b&gt;rose&lt;/b&gt;." in index
    assert "All 7 of Weekly report" in index
    report = (out / "weekly/index.html").read_text()
    links = re.findall(r'href="([^"#]+)"', report)
    assert len(set(links)) == 10
    assert all((out / "weekly" / link).exists() for link in links)


def test_the_feed_is_valid(tmp_path: Path, pages: Made) -> None:
    channel = opened(tmp_path, "pages", title="Reports & more\x00")
    first = run(pages("2026-06-29"), findings=finding("A <b> & c\x0b."), subject="Week 27 \x1b[31m")
    send(channel, first, run(pages("2026-07-06"), title="W\x1b[31m"))
    file = tmp_path / "out" / "feed.xml"
    before = file.read_bytes()
    assert "\x1b" not in (tmp_path / "out" / "index.html").read_text()
    # Made again, a run is the same entry.
    send(channel, first)
    assert file.read_bytes() == before
    feed = ElementTree.fromstring(before)
    assert feed.tag == f"{ATOM}feed"
    # RFC 4287: exactly one of each, and an author.
    for parent in (feed, *feed.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (one,) = parent.findall(f"{ATOM}{name}")
            assert one.text
        assert datetime.fromisoformat(parent.findtext(f"{ATOM}updated", "")).tzinfo is not None
        assert parent.findtext(f"{ATOM}id", "").startswith("urn:uuid:")
        assert len([link for link in parent.iter(f"{ATOM}link") if link.get("rel") == "alternate"]) >= 1
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Reports & more\ufffd"
    entries = feed.findall(f"{ATOM}entry")
    assert len({entry.findtext(f"{ATOM}id") for entry in entries}) == 2
    assert [entry.findtext(f"{ATOM}updated") for entry in entries] == ["2026-07-06T00:00:00Z", "2026-06-29T00:00:00Z"]
    assert feed.findtext(f"{ATOM}updated") == "2026-07-06T00:00:00Z"
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"self": "https://r.example.com/x/feed.xml", "alternate": "https://r.example.com/x/"}
    assert entries[0].find(f"{ATOM}link").get("href") == "https://r.example.com/x/weekly/2026-07-06/"  # type: ignore[union-attr]


def test_the_site_says_of_a_run_what_its_pages_say_and_nothing_else(tmp_path: Path, pages: Made) -> None:
    secretive = run(pages(), recipient="ann@example.com", notes=("internal note",), alerts=("internal alert",))
    send(opened(tmp_path, "pages"), secretive)
    everything = "".join(
        (tmp_path / "out" / name).read_text() for name in there(tmp_path / "out") if "2026-07-06/" not in name
    )
    for canary in ("ann@example.com", "internal", str(tmp_path)):
        assert canary not in everything


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2, "runs": []}', '{"version": 1, "runs": [{"slot": "a"}]}'])
def test_a_state_of_something_else_is_not_overwritten(tmp_path: Path, pages: Made, content: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "site.json").write_text(content)
    with pytest.raises(DeliveryError, match=r"site\.json of the site is not one of this version"):
        send(opened(tmp_path, "pages"), run(pages()))
    assert (tmp_path / "out" / "site.json").read_text() == content


def test_a_site_that_was_killed_half_way_is_whole_after_a_repeat(
    tmp_path: Path, pages: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = opened(tmp_path, "pages")
    send(channel, run(pages("2026-06-29")))

    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    for step in ("_index", "_feed"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(f"tidings.delivery.site.{step}", kill)
            send(channel, run(pages("2026-07-06")))
        # What leads to a run comes after it.
        state = json.loads((tmp_path / "out/site.json").read_text())
        assert [one["slot"] for one in state["runs"]] == ["2026-06-29"]
    send(channel, run(pages("2026-07-06")))
    assert "weekly/2026-07-06/" in (tmp_path / "out/index.html").read_text()


def test_a_site_speaks_the_language_of_the_workbook_and_a_list_that_of_its_report(tmp_path: Path, pages: Made) -> None:
    settings = Settings(
        root=tmp_path / "workbook", channels={"board": {"kind": "pages", "path": "../out"}}, locale="de"
    )
    channel = open_channel(settings, "board")
    send(channel, *(run(pages(f"2026-07-0{day}")) for day in range(1, 8)))
    with speaking(language_of("de")):
        send(channel, run(pages("2026-07-08")))
    front = BeautifulSoup((tmp_path / "out" / "index.html").read_text(), "html.parser")
    assert (front.html["lang"], front.h1.text) == ("de", "Berichte")  # type: ignore[index, union-attr]
    assert "Das Neueste aus jedem Bericht" in front.text and "Alle 8: Weekly report" in front.text
    listed = BeautifulSoup((tmp_path / "out" / "weekly" / "index.html").read_text(), "html.parser")
    assert "Der neueste und alle davor" in listed.text and "8 veröffentlicht" in listed.text
    send(channel, run(pages("2026-07-09")))
    listed = BeautifulSoup((tmp_path / "out" / "weekly" / "index.html").read_text(), "html.parser")
    assert "The latest, and all before it" in listed.text
    assert "Das Neueste" in (tmp_path / "out" / "index.html").read_text()
