"""The examples of README and docs/sources/ are executed; a block that no test executes fails."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomlkit

from fakes.databases import postgres_folder, postgresql
from fakes.mail_server import MailServer
from fakes.pulling import QuickClock, Workbook
from fakes.search_console import FakeSearchConsole
from tidings.book import Book
from tidings.cli import main as cli
from tidings.display import own
from tidings.intake import pulling
from tidings.landing.store import landed_files
from tidings.ledger.alert_log import AlertEvent, AlertLog, alerts_of
from tidings.metrics.metric import Thresholds
from tidings.settings import load_settings
from tidings.sources.api import pulling as api
from tidings.sources.api.source import ApiSource
from tidings.sources.clock import Clock
from tidings.sources.source import open_sources
from tidings.window import days_between
from workbook_folders import ROOT, make_workbook

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
_FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
DOCS = [Path("README.md"), *sorted(file.relative_to(ROOT) for file in (ROOT / "docs" / "sources").glob("*.md"))]


@dataclass(frozen=True)
class Block:
    """A fenced block: below which heading it stands, in which language, and what it says."""

    heading: str
    language: str
    text: str


def blocks(file: Path) -> list[Block]:
    """All fenced blocks of a document of the checkout, from the top."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = []
    for match in _FENCED.finditer(text):
        # A comment in an example looks like a heading.
        before = _FENCED.sub("", text[: match.start()])
        heading = re.findall(r"^#+ (.*)$", before, re.MULTILINE)[-1]
        found.append(Block(heading, match["language"], textwrap.dedent(match["text"])))
    assert len(found) * 2 == len(re.findall(r"^ *```", text, re.MULTILINE)), f"{file} has a fence that is not closed"
    return found


class Reader:
    """Somebody who follows README in a workbook of their own."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.own: Mapping[str, str] = {}
        """Changes to a settings block for the test: system paths and addresses."""
        self.said = ""
        self.names: dict[str, Any] = {}
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setattr(cli, "_now", lambda: NOW)
        self.root = root
        monkeypatch.chdir(root)
        # `tidings explore` sets it for the process that it becomes.
        monkeypatch.setenv("TIDINGS_ROOT", str(root))

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        do = {"toml": self._settings, "ini": self._env, "console": self._console, "python": self._python}
        assert block.language in do, f"below '{block.heading}': nothing here executes {block.language or 'plain'} text"
        do[block.language](block.text)

    def _settings(self, text: str) -> None:
        """Write tables into pyproject.toml; a table that is there is gone on with. A report or rules of alerts are a
        file of their own."""
        if "alert" in tomllib.loads(text):
            (self.root / "alerts.toml").write_text(text, encoding="utf-8")
            return
        if "title" in tomllib.loads(text):
            # Its sources would be pulled on a day of another year than this one's.
            text = text.replace("pull = true\n", "")
            (self.root / "schedules" / "sales.toml").write_text(text, encoding="utf-8")
            return
        for said, ours in self.own.items():
            assert said in text, said
            text = text.replace(said, ours)
        file = self.root / "pyproject.toml"
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        _merge(document, tomlkit.parse(text))
        file.write_text(tomlkit.dumps(document), encoding="utf-8")

    def _env(self, text: str) -> None:
        file = self.root / ".env"
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")

    def _console(self, text: str) -> None:
        lines = text.splitlines()
        assert lines[0].startswith("$ "), text
        shown: list[str] = []
        for line in lines:
            if line.startswith("$ "):
                shown = []
                self.said = "".join(self._command(words) for words in _commands(line.removeprefix("$ ")))
            else:
                shown.append(line)
                assert re.search(_shown(shown), self.said, re.DOTALL), f"{shown} is not in: {self.said}"

    def _command(self, words: list[str]) -> str:
        program, *rest = words
        if program == "make":
            return self._make(*rest)
        assert program == "tidings", f"nothing here executes {program}"
        if rest == ["explore"]:
            return self._explore()
        self._monkeypatch.setattr(sys, "argv", words)
        try:
            cli.main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        said = self._capsys.readouterr()
        assert code == 0, f"{words}: {said.out} {said.err}"
        return said.out

    def _make(self, target: str) -> str:
        """By the Makefile itself; the packages are installed already."""
        command = ["make", "--old-file=.venv/.installed", target]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _explore(self) -> str:
        """JupyterLab takes the place of the command: with what it would be started."""
        started: list[list[str]] = []
        self._monkeypatch.setattr("os.execv", lambda program, arguments: started.append(arguments))
        self._monkeypatch.setattr(sys, "argv", ["tidings", "explore"])
        cli.main()
        (arguments,) = started
        assert arguments[:3] == [sys.executable, "-m", "jupyterlab"]
        assert (
            f"--ServerApp.root_dir={self.root}" in arguments and "--LabApp.default_url=/lab/tree/notebooks" in arguments
        )
        return self._capsys.readouterr().out

    def _python(self, text: str) -> None:
        """In the notebook that README names, after a parameter was changed and all cells were run."""
        notebook = json.loads((self.root / "notebooks" / "commerce.ipynb").read_text(encoding="utf-8"))
        cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        names: dict[str, Any] = {}
        for cell in [cells[0].replace("days: int = 28", "days: int = 90"), *cells[1:], text]:
            exec(cell, names)
        self.names = {**names, **self.names}


def _merge(into: Any, new: Mapping[str, Any]) -> None:
    for name, value in new.items():
        if isinstance(value, Mapping) and name in into:
            _merge(into[name], value)
        else:
            into[name] = value


def _commands(line: str) -> Iterator[list[str]]:
    """The commands of a line, as a shell takes it apart."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, "&&"]:
        if word == "&&":
            yield command
            command = []
        else:
            assert not set(word) & set("|;<>&"), f"nothing here executes {line}"
            command.append(word)


def _shown(lines: list[str]) -> str:
    """A pattern for output as README shows it: `...` is anything, and how long a thing took is another time's."""
    escaped = [".*" if line == "..." else re.escape(line) for line in lines]
    return re.sub(r"\d+\\\.\d+\\ s", r"[\\d.]+ s", "\n".join(escaped)).replace(".*\n", ".*")


# What README takes for granted, by heading.


def _shortened(root: Path) -> None:
    """Sections of one question: what the others show is tested elsewhere."""
    for file in (root / "notebooks").glob("*.ipynb"):
        notebook = json.loads(file.read_text(encoding="utf-8"))
        head, (question, answer), digest = notebook["cells"][:3], notebook["cells"][5:7], notebook["cells"][-1]
        assert question["source"][0].startswith("## ") and "show." in "".join(answer["source"]), file
        notebook["cells"] = [*head, question, answer, digest]
        file.write_text(json.dumps(notebook), encoding="utf-8")


def _sample(reader: Reader, request: pytest.FixtureRequest) -> None:
    """The sample company, built."""
    shutil.copytree(request.getfixturevalue("sample_workbook"), reader.root, dirs_exist_ok=True)


def _alerted(reader: Reader, request: pytest.FixtureRequest) -> None:
    """The sample company with an alert that is open; of its few calls a day says too little to close it."""
    _sample(reader, request)
    opened = AlertEvent("Errors", "figure", "opened", NOW, date(2026, 6, 19), said="It was high.")
    AlertLog(load_settings(reader.root).ledger).add([opened])


def _fresh(reader: Reader, request: pytest.FixtureRequest) -> None:
    """A clone whose sample company is small, its packages installed, its report of one section of the six.

    What the others show is tested elsewhere.
    """
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert settings.count("size = 1.0\n") == 1
    settings = settings.replace("size = 1.0\n", "size = 0.01\ndays = 60\n")
    (reader.root / "pyproject.toml").write_text(settings, encoding="utf-8")
    file = reader.root / "schedules" / "weekly.toml"
    file.write_text(re.sub(r"sections = \[.*\]", 'sections = ["technical_performance"]', file.read_text("utf-8")))
    shutil.copy(ROOT / "Makefile", reader.root)
    (reader.root / "lib").mkdir()
    (reader.root / ".venv").symlink_to(sys.prefix)


def _invoices(reader: Reader, request: pytest.FixtureRequest) -> None:
    """A file of the columns that the shop's has, in its types."""
    (reader.root / "inbox" / "online_retail").mkdir(parents=True)
    rows = [
        ("536365", datetime(2010, 12, 1, 8, 26), 17850, "85123A", "T-LIGHT HOLDER", 6, 2.55, "United Kingdom"),
        ("536365", datetime(2010, 12, 1, 8, 26), 17850, "71053", "LANTERN", 2, 3.39, "United Kingdom"),
        ("C581569", datetime(2011, 12, 9, 11, 58), 17850, "85123A", "T-LIGHT HOLDER", -1, 2.55, "United Kingdom"),
        ("581587", datetime(2011, 12, 9, 12, 50), None, "22138", "BAKING SET", 3, 4.95, "France"),
    ]
    names = ("InvoiceNo", "InvoiceDate", "CustomerID", "StockCode", "Description", "Quantity", "UnitPrice", "Country")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    pq.write_table(table, reader.root / "inbox" / "online_retail" / "2011.parquet")


def _log(reader: Reader, request: pytest.FixtureRequest) -> None:
    """A web server's log, and a list of addresses by which half of the world is Germany."""
    folder = reader.root / "var" / "log" / "nginx"
    folder.mkdir(parents=True)
    (folder / "access.log").write_text(
        '93.184.216.34 - - [01/Jul/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 512 "https://shop.example/" "Mozilla"\n'
        '203.0.113.9 - - [01/Jul/2026:10:00:05 +0000] "GET /b HTTP/1.1" 200 512 "-" "Mozilla"\n'
    )
    (reader.root / "data" / "country.mmdb").write_bytes(_country_file())
    reader.own = {"/var/log/nginx": str(folder)}


def _country_file() -> bytes:
    """The smallest file in MaxMind's format: addresses whose first bit is 0 are in Germany."""

    def text(value: str) -> bytes:
        return bytes([0x40 | len(value)]) + value.encode()

    def number(value: int, kind: int) -> bytes:
        return bytes([kind << 5 | 2]) + struct.pack(">H", value)

    tree = (1 + 16).to_bytes(3, "big") + (1).to_bytes(3, "big")
    data = b"\xe1" + text("country") + b"\xe1" + text("iso_code") + text("DE")
    facts = {"node_count": 6, "record_size": 5, "ip_version": 5, "binary_format_major_version": 5}
    values = {"node_count": 1, "record_size": 24, "ip_version": 4, "binary_format_major_version": 2}
    meta = b"".join(text(name) + number(values[name], kind) for name, kind in facts.items())
    meta += text("binary_format_minor_version") + b"\xa0" + text("database_type") + text("Country")
    meta += (
        text("languages")
        + b"\x00\x04"
        + text("description")
        + b"\xe0"
        + text("build_epoch")
        + b"\x04\x02"
        + struct.pack(">I", 1_780_000_000)
    )
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + bytes([0xE0 | 9]) + meta


def _search(reader: Reader, request: pytest.FixtureRequest) -> None:
    """Google's server, on this machine, and the key file that its console would have made."""
    whose = {"site": "sc-domain:shop.example", "search_type": "web", "is_final": True}
    days = [datetime(2026, 6, day) for day in (25, 26, 27)]
    rows = [{**whose, "ts": day, "clicks": 4, "impressions": 100, "position": 5.0} for day in days]
    split = {"country": {"country": "DE", "device": "mobile"}, "page": {"page": "/a"}, "query": {"query": "mugs"}}
    feeds = {f"search_console_{name}": [{**row, **more} for row in rows] for name, more in split.items()}
    fake = FakeSearchConsole({"search_console_daily": rows, **feeds}, epoch=NOW.timestamp)
    stack = fake.running()
    stack.__enter__()
    request.addfinalizer(lambda: stack.__exit__(None, None, None))
    (reader.root / "keys").mkdir()
    (reader.root / "keys" / "search.json").touch(mode=0o600)
    (reader.root / "keys" / "search.json").write_text(fake.account_json())
    reader.own = {"sites =": f'base_url = "{fake.url}"\nsites ='}
    whole, patched = api.chunks, request.getfixturevalue("monkeypatch")
    # A year of days is asked for, one by one, with a pause after each: a few of them say as much.
    patched.setattr(api, "chunks", lambda endpoint, *more: whole(replace(endpoint, history_days=6), *more))
    patched.setattr(pulling, "Clock", lambda now, stop: QuickClock(now))


def _posted(reader: Reader, request: pytest.FixtureRequest) -> None:
    """The sample company, and the provider's mail server on this machine."""
    _sample(reader, request)
    server = MailServer(logins={"reports@example.com": "…"})
    stack = server.running()
    stack.__enter__()
    request.addfinalizer(lambda: stack.__exit__(None, None, None))
    reader.own = {'host = "smtp.example.com"': f'host = "127.0.0.1"\nport = {server.port}\nsecurity = "none"'}
    reader.names = {"server": server}


def _reported(reader: Reader) -> None:
    """The page is where the last line says."""
    assert (reader.root / reader.said.splitlines()[-1]).is_file()


def _sent(reader: Reader) -> None:
    """On Monday both get the report, once, however often somebody looks."""
    for minute in (0, 5):
        reader._monkeypatch.setattr(cli, "_now", lambda at=datetime(2026, 7, 6, 6, minute, tzinfo=UTC): at)
        reader.follow(Block("", "console", "$ tidings due"))
    mails = [kept.mail for kept in reader.names["server"].mailbox]
    assert [str(mail["To"]) for mail in mails] == ["ann@example.com", "bob@example.com"]
    assert all(str(mail["Subject"]).startswith("Sales, 8 Jun – 5 Jul 2026") for mail in mails)


def _seen(reader: Reader) -> None:
    """Both commands wrote their pages, with what they were asked."""
    (germany,) = reader.root.glob("reports/commerce/*/run.json")
    assert json.loads(germany.read_text())["parameters"]["segment"] == "country=DE"
    (march,) = reader.root.glob("reports/web_traffic/2026-03-01*/run.json")
    assert json.loads(march.read_text())["parameters"]["compare"] == "year"
    page = re.sub("[\\s\u2009\u202f]+", " ", march.with_name("web_traffic.html").read_text(encoding="utf-8"))
    assert "1 – 28 Feb 2026" in page, "the days before the day that was asked for"


def _chosen(reader: Reader) -> None:
    """Both variants lie in one folder, and the one alone in its own."""
    folders = {file.parent for file in reader.root.glob("reports/sales/*/index.html")}
    assert sorted(len(list(folder.glob("commerce*.html"))) for folder in folders) == [1, 2]
    (both,) = (folder for folder in folders if (folder / "commerce.germany-this-year.html").is_file())
    plain, germany = json.loads((both / "run.json").read_text())["variants"]
    assert (germany["parameters"]["segment"], germany["parameters"]["compare"]) == ("country=DE", "year")
    assert "segment" not in plain["parameters"]


def _followed(reader: Reader) -> None:
    """The rows behind a value are as many as it says, and there is a chart."""
    names = reader.names
    assert names["rows"].count().execute() == names["book"].value("net_revenue").provenance.rows > 0
    assert len(names["book"].raw("orders", names["rows"], limit=5).to_pandas()) == 5
    changed = own.figure(names["ours"] + names["budget"])
    assert changed.title and changed.spec is not None and "rule" in changed.alt
    assert sum(names["by_country"].to_pandas()["orders"]) == names["book"].table("fct_orders").count().execute()


def _aimed(reader: Reader) -> None:
    """Targets of May are a year's, those of June its own: 330 000 / 365 and 45 000 / 30 a day."""
    aimed, book = reader.names["aimed"], reader.names["book"]
    assert {round(float(amount), 2) for amount in aimed.targets} == {904.11, 1500.0}
    assert book.value("error_rate").metric.thresholds == Thresholds(0.005, 0.01, "yours")
    assert book.value("availability").metric.thresholds == Thresholds(0.995, 0.99, "yours")


def _translated(reader: Reader) -> None:
    (page,) = reader.root.glob("reports/commerce/*/commerce.html")
    assert '<html lang="de">' in page.read_text() and "Wie viel haben wir verkauft?" in page.read_text()


def _worked(reader: Reader) -> None:
    """The fiscal year of the settings, open on its weekdays but for Easter, May and Corpus Christi."""
    names = reader.names
    assert names["this_year"].start == date(2026, 4, 1)
    assert names["last"] == date(2026, 6, 30)
    weekdays = [day for day in days_between(date(2026, 4, 1), names["this_year"].last_day) if day.isoweekday() < 6]
    assert len(weekdays) - len(names["open_days"]) == 6


def _retailed(reader: Reader) -> None:
    """6 x 2.55 + 2 x 3.39 + 3 x 4.95, less a refund of 2.55, in pounds, without conversion."""
    book = Book.open("2011-12-10", 374, "none", root=reader.root)
    net = book.value("net_revenue")
    assert (float(net.value or 0), net.unit) == (pytest.approx(34.38), "GBP")
    assert list(reader.root.glob("reports/commerce/*/commerce.html"))


def _bound(reader: Reader) -> None:
    """A book of German rows alone, with less revenue than all have and some of its own."""
    of_one, whole = reader.names["of_one"], Book.open(root=reader.root)
    countries = of_one.query(of_one.table("fct_orders").select("country").distinct()).rows
    assert [row["country"] for row in countries] == ["DE"]
    assert 0 < of_one.value("net_revenue").value < whole.value("net_revenue").value


def _logged(reader: Reader) -> None:
    for command in ("check", "pull"):
        reader.follow(Block("", "console", f"$ tidings {command}"))
    (file,) = landed_files(load_settings(reader.root).raw)
    landed = pq.read_table(file.path).select(["path", "country", "referrer_host"]).to_pylist()
    assert landed == [
        {"path": "/a", "country": "DE", "referrer_host": None},
        {"path": "/b", "country": None, "referrer_host": None},
    ]


def _searched(reader: Reader) -> None:
    book = Book.open("2026-06-28", 3, "none", root=reader.root)
    assert book.value("search_clicks").value == 12
    assert list(reader.root.glob("reports/acquisition/*/acquisition.html"))
    assert list(reader.root.glob("reports/source_health/*/source_health.html"))


def _silenced(reader: Reader) -> None:
    """Somebody has seen the alert, and nothing more is told of it until August."""
    (alert,) = alerts_of(AlertLog(load_settings(reader.root).ledger).events())
    assert (alert.state(date(2026, 7, 31)), alert.state(date(2026, 8, 1))) == (
        "muted until 2026-08-01",
        "acknowledged",
    )
    assert "Errors: muted until 2026-08-01" in reader.said


Set = Callable[[Reader, pytest.FixtureRequest], None]


def _listed(reader: Reader) -> None:
    """The visits of one source, with a head and without what names a visitor."""
    head, *rows = (reader.root / "visits.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows and head.startswith("Time,") and "isitor" not in head


WORLDS: Mapping[str, tuple[Set, Callable[[Reader], None]]] = {
    "Start": (_fresh, _reported),
    "Ten minutes with it": (_sample, _seen),
    "Variants that a reader can choose": (_sample, _chosen),
    "Down to the rows": (_sample, _listed),
    "Follow a number to its rows": (_sample, _followed),
    "For one shop, or for anybody": (_sample, _bound),
    "Orders, events, calls: CSV, Parquet, JSON lines": (_invoices, _retailed),
    "Web server access logs": (_log, _logged),
    "Fiscal year, business days, holidays": (_sample, _worked),
    "Alerts": (_alerted, _silenced),
    "Annotations, targets, thresholds": (_sample, _aimed),
    "On time, to whom it concerns": (_posted, _sent),
    "Language and figures": (_sample, _translated),
    "Stores, search, web analytics, subscriptions, payments: APIs": (_search, _searched),
}


def _checkout_settings() -> str:
    """The settings of the checkout, as README says to leave the sample company."""
    document = tomlkit.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    del document["tool"]["tidings"]["sources"]["sample"]
    return tomlkit.dumps(document)


HEADINGS = list(dict.fromkeys(block.heading for block in blocks(Path("README.md"))))


@pytest.mark.parametrize(
    "heading",
    # Several processes that begin at nothing, where the others find everything imported.
    [pytest.param(each, marks=[pytest.mark.proof, pytest.mark.slow] if each == "Start" else []) for each in HEADINGS],
)
def test_an_example_of_readme_is_followed_word_for_word(
    heading: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    assert heading in WORLDS, f"README shows something new below '{heading}': say in WORLDS what it needs and gives"
    given, gave = WORLDS[heading]
    reader = Reader(make_workbook(tmp_path / "workbook", _checkout_settings()), monkeypatch, capsys)
    given(reader, request)
    _shortened(reader.root)
    for block in blocks(Path("README.md")):
        if block.heading == heading:
            reader.follow(block)
    gave(reader)


def test_no_heading_is_waited_for_in_vain() -> None:
    assert set(WORLDS) == {block.heading for block in blocks(Path("README.md"))}


@pytest.mark.parametrize("file", DOCS[1:], ids=lambda file: file.stem)
def test_the_settings_of_a_sources_page_are_accepted(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each table with the secrets beside it makes a source that could be asked; there is no such account."""
    root = make_workbook(tmp_path / "workbook", _checkout_settings())
    found = blocks(file)
    assert {block.language for block in found} <= {"toml", "ini", "sql"}, "say here what is to be done with it"
    env = "".join(block.text for block in found if block.language == "ini")
    (root / ".env").touch(mode=0o600)
    (root / ".env").write_text(env, encoding="utf-8")
    for name in re.findall(r"=(keys/\S+)", env):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch(mode=0o600)
        (root / name).write_text(_key_file(root / name))
    tables = [block.text for block in found if block.language == "toml"]
    assert tables, f"{file} shows no table of settings"
    (root / "pyproject.toml").write_text(_checkout_settings() + "\n" + "\n".join(tables), encoding="utf-8")
    settings = load_settings(root)
    opened = open_sources(settings)
    assert [source.name for source in opened] == [
        name for text in tables for name in tomllib.loads(text)["tool"]["tidings"]["sources"]
    ]
    for source in opened:
        assert source.endpoints
        if isinstance(source, ApiSource):
            assert set(source.variables()) & set(settings.environment), source.variables()
            source.connect(Clock(NOW))
    used = {name for source in opened for name in settings.variables_of(source.name)}
    assert used == set(re.findall(r"^(\w+)=", env, re.MULTILINE)), "a variable that no source is named after"


def _key_file(file: Path) -> str:
    """What the vendor's console would have made."""
    if file.suffix == ".p8":
        from fakes.app_store import private_key

        return private_key()
    return FakeSearchConsole({}).account_json(token_uri="https://oauth2.googleapis.com/token")


@pytest.mark.server
def test_a_database_is_set_up_as_its_page_says(tmp_path: Path) -> None:
    """The statements make a user who may read what the table of settings asks for, and no more."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: docs/sources/database.md not executed")
    if postgres_folder() is None:
        pytest.skip("no PostgreSQL on this machine: docs/sources/database.md not executed")
    said = {block.language: block.text for block in blocks(Path("docs/sources/database.md"))}
    with postgresql() as server:
        with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        with psycopg.connect(server.url("shop", "postgres"), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE invoices "
                "(number text, line int, paid_at timestamptz, total numeric, updated_at timestamptz)"
            )
            connection.execute(
                "INSERT INTO invoices VALUES ('A1', 1, '2026-06-30 12:00+02', 19.90, '2026-06-30 12:00+02')"
            )
            connection.execute(said["sql"].replace("'…'", "'password'"))
        variable, _, url = said["ini"].strip().partition("=")
        table = tomllib.loads(said["toml"])["tool"]["tidings"]["sources"]["shop"]
        here = url.replace("db.example:5432", f"127.0.0.1:{server.port}")
        workbook = Workbook(tmp_path, table, {variable: here}, name="shop")
        assert workbook.check(NOW) == []
        workbook.pull(NOW)
    assert workbook.rows("orders", "order_id", "ts", "amount") == [("A1", datetime(2026, 6, 30, 10), Decimal("19.9"))]


_PLACES = {"FILE": "orders.csv", "[SOURCE]...": "shop", "[NAME]": "net_revenue", "K=V": "days=90"}


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.stem)
def test_every_command_in_the_text_is_one(file: Path) -> None:
    """A verb that is there, with options that it takes: a page that names an old one is found here."""
    text = _FENCED.sub("", (ROOT / file).read_text(encoding="utf-8"))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= targets
    for line in re.findall(r"`tidings ([^`]+)`", text):
        verb, *words = [_PLACES.get(word, word) for word in shlex.split(line)]
        command = cli.tidings.commands.get(verb)
        assert command is not None, f"tidings {line}"
        try:
            command.make_context(verb, list(words))
        except click.MissingParameter:
            # `tidings run` in a sentence is the verb; with words after it must be complete.
            assert not words, f"tidings {line}"
        except click.UsageError as error:
            pytest.fail(f"tidings {line}: {error.format_message()}")
