"""A workbook's own `lib/`: its source, feed, table and metric are found like ours, also from the installed package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidings import discovery
from tidings.errors import SettingsError
from tidings.feeds import feeds
from tidings.settings import load_settings

SETTINGS = '[tool.tidings]\n[tool.tidings.sources.door]\nkind = "turnstile"\npeople = [3, 5]\n'
# Modules named as one likes: what they hold counts, not where.
DOORS = '''
"""A turnstile: how many came in."""

from __future__ import annotations

from datetime import UTC, datetime, time

import pyarrow as pa

from tidings.feeds.feed import Feed
from tidings.landing.load_writer import arrow_schema
from tidings.schema import Column
from tidings.sources.source import Endpoint, Pulled, SourceKind
from tidings.window import add_days, parse_date

COUNTS = Feed(
    name="turnstile_counts",
    doc="People who came in on one day.",
    key=("ts",),
    columns={
        "ts": Column("!timestamp(6)", "Midnight of the UTC day."),
        "people": Column("!int64", "People who came in.", minimum=0),
    },
)


class Turnstile:
    """One door."""

    kind = "turnstile"
    endpoints = (Endpoint("counts", COUNTS, "People by day."),)

    def __init__(self, name, table, settings):
        self.name, self.people = name, table["people"]

    def check(self, pull):
        return []

    def warnings(self):
        return []

    def pull(self, landing, pull):
        first = parse_date("2026-06-01")
        days = [datetime.combine(add_days(first, i), time()) for i, _ in enumerate(self.people)]
        rows = [{"ts": day, "people": n, "_line": i} for i, (day, n) in enumerate(zip(days, self.people), 1)]
        with landing.writer(self.name, "counts", COUNTS, now=pull.now) as writer:
            writer.add(pa.Table.from_pylist(rows, schema=arrow_schema(COUNTS)))
            writer.complete_until = add_days(days[-1], 1).replace(tzinfo=UTC)
        yield Pulled(self.name, "counts", COUNTS.name, len(rows))


KIND = SourceKind("turnstile", "people through a door", {"people": "how many came, by day"}, Turnstile)
'''
ROOMS = '''
"""Visits of the shop."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.metrics.measures import total
from tidings.metrics.metric import Metric
from tidings.models.model import model
from tidings.schema import Column


@model(
    grain="day",
    key=("ts",),
    columns={
        "ts": Column("!timestamp(6)", "Midnight of the UTC day."),
        "people": Column("!int64", "People who came in."),
        "_source": Column("!string", "Source that reported it."),
        "_line": Column("!int64", "Position in what was received."),
    },
)
def fct_visits(stg_turnstile_counts: ir.Table) -> ir.Table:
    """People who came into the shop, by day."""
    return stg_turnstile_counts.select(*fct_visits.contract.columns)


entries = Metric(
    name="entries",
    title="Entries",
    mart="fct_visits",
    kind="flow",
    unit="count",
    value=lambda rows: total(rows.people),
    definition="People who came through the door.",
)
'''
# A pull, two builds (the second after an edit), the catalogue and a figure, as a person has them, in one process.
SCRIPT = """
from pathlib import Path
import tidings
from tidings.cli.main import tidings as command
assert "site" in tidings.__file__, tidings.__file__
for words in (["pull"], ["build"], ["catalog", "entries"], ["catalog", "fct_visits"],
              ["catalog", "stg_turnstile_counts"], ["catalog"]):
    command.main(words, standalone_mode=False)
from tidings.book import Book
book = Book.open(days=2)
print("value", book.value("entries").value, book.window.start, book.window.end)
with Path("lib/turnstile/rooms.py").open("a") as file:
    file.write("# edited")
command.main(["build"], standalone_mode=False)
"""


def _own(root: Path, **modules: str) -> Path:
    """A workbook whose `lib/` holds the package `turnstile` of these modules."""
    (root / "lib" / "turnstile").mkdir(parents=True)
    (root / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    for name, source in modules.items():
        (root / "lib" / "turnstile" / f"{name}.py").write_text(source, encoding="utf-8")
    return root


@pytest.mark.slow
def test_from_pull_to_figure_with_the_built_wheel(root: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=root,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    workbook = _own(tmp_path / "workbook", doors=DOORS, rooms=ROOMS)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=workbook, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "door: 2 rows" in done.stdout
    assert "Entries (metric entries)" in done.stdout and "fct_visits (table)" in done.stdout
    assert "fct_visits" in (workbook / "reports" / "catalog.html").read_text(encoding="utf-8")
    # 3 on the first of June and 5 on the second.
    assert "value 8 2026-06-01 2026-06-03" in done.stdout
    assert done.stdout.count("Built ") == 2, "an edit of the workbook's own code makes another build"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process of its own, as far as a workbook's code goes; it is left as it was found."""
    monkeypatch.setattr(discovery, "_own", None)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("turnstile", "twice")]:
        del sys.modules[name]
    discovery._discovered.cache_clear()


def test_a_process_serves_one_workbook_with_code(own: None, tmp_path: Path) -> None:
    load_settings(_own(tmp_path / "a", doors=DOORS))
    assert "turnstile_counts" in feeds()
    load_settings(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"This process runs the code in .*a/lib: it cannot open .*b as well"):
        load_settings(tmp_path / "b")


def test_a_workbook_without_code_of_its_own_changes_nothing(own: None, tmp_path: Path) -> None:
    load_settings(_own(tmp_path / "a"))
    # An environment of Python lies in `lib/`, too.
    (tmp_path / "a" / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (tmp_path / "a" / "lib" / "python3.12" / "site-packages" / "x.py").write_text("1 / 0", encoding="utf-8")
    load_settings(tmp_path / "a")
    assert discovery.own_files() == {} and str(tmp_path / "a" / "lib") not in sys.path


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("turnstile/doors", "import nothing_of_that_name", r"turnstile\.doors in .* No module named 'nothing_of_that"),
        ("turnstile/doors", "def", r"turnstile\.doors in .* cannot be imported: invalid syntax"),
        ("json", "", r"The module json in .* has the name of one that is installed\. Rename it\."),
        ("twice", "from tidings.feeds.feed import Feed\nA = Feed('orders', '', (), {})", "Two feeds are called orders"),
    ],
)
def test_what_is_wrong_with_it_is_said(own: None, tmp_path: Path, name: str, source: str, said: str) -> None:
    _own(tmp_path)
    (tmp_path / "lib" / f"{name}.py").write_text(source, encoding="utf-8")
    load_settings(tmp_path)
    with pytest.raises(SettingsError, match=said):
        feeds()
