"""How the workbook is doing, for people and for Prometheus; the format is read by a strict grammar of our own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.cli.status import exposition, status_of, told
from tidings.ledger.alert_log import AlertEvent, AlertLog
from tidings.ledger.deliveries import Deliveries
from tidings.ledger.store import Ledger
from tidings.settings import Settings
from workbooks import NOW, land

REPORT = 'title = "Weekly"\nsections = ["commerce"]\n[[schedule]]\ncron = "0 8 * * mon"\n'
MONDAY = datetime(2026, 6, 29, 8, tzinfo=UTC)
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?\d+)")


def samples(text: str) -> dict[str, dict[str, int]]:
    """Families of the text format: each has HELP and TYPE once, then its samples together, no series twice."""
    assert text.endswith("\n") and not text.endswith("\n\n")
    found: dict[str, dict[str, int]] = {}
    lines = iter(text.splitlines())
    family = ""
    for line in lines:
        if line.startswith("# HELP "):
            family, doc = line.removeprefix("# HELP ").split(" ", 1)
            assert family not in found and doc and "\\" not in doc
            assert next(lines) == f"# TYPE {family} gauge"
            found[family] = {}
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        name, labels, value = sample.groups()
        assert name == family and (labels or "") not in found[family], line
        found[family][labels or ""] = int(value)
    return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(root=tmp_path, sources={"shop": {"kind": "orders"}, 'a"b\\c\n': {"kind": "orders"}, "new": {}})
    made.schedules.mkdir()
    made.notebooks.mkdir()
    (made.notebooks / "commerce.ipynb").write_text("{}")
    (made.schedules / "weekly.toml").write_text(REPORT)
    return made


def work(settings: Settings) -> None:
    land(settings, "orders", [{"order_id": "1", "amount": 10}], rejected=["no amount", "no amount"])
    ledger = Ledger(settings.ledger)
    for source, status in (("shop", "done"), ("shop", "failed"), ('a"b\\c\n', "done"), ("new", "partly")):
        ledger.finish_pull(ledger.start_pull(source, NOW), status, seconds=1)  # type: ignore[arg-type]
    ledger.finish_build(ledger.start_build(NOW), "done", seconds=1)
    ledger.finish_build(ledger.start_build(NOW), "failed", seconds=1)
    deliveries = Deliveries(ledger)
    deliveries.seen_until("weekly", "main", MONDAY)
    deliveries.add_slots("weekly", "main", [(MONDAY, MONDAY, "")], ["board"], MONDAY)
    deliveries.end_slot(deliveries.slots()[0], "failed", MONDAY, reason="The disk is full.")
    deliveries.count_failure("weekly", "main", 3, "it failed 3 times in a row")
    for number, end in enumerate(
        [{"late_seconds": 0.0}, {"late_seconds": 90.0}, {"late_seconds": 90.0, "gaps": ("shop",)}]
    ):
        deliveries.add_notice(f"n{number}", "ops", "mail", "ann@example.com", {}, MONDAY)
        entry = next(each for each in deliveries.deliveries() if each.key == f"n{number}")
        deliveries.settle(entry.id, "delivered", MONDAY, **end)
    deliveries.add_notice("old", "ops", "mail", "ann@example.com", {}, MONDAY)
    old = next(each for each in deliveries.deliveries() if each.key == "old")
    deliveries.settle(old.id, "unknown", datetime(2026, 5, 1, tzinfo=UTC))
    opened = {"value": Decimal(1), "severity": "critical"}
    log = AlertLog(settings.ledger)
    log.add([AlertEvent("Errors", "figure", "opened", NOW, NOW.date(), **opened)])  # type: ignore[arg-type]
    log.add([AlertEvent("Churn", "figure", "opened", NOW, NOW.date())])
    log.add([AlertEvent("Churn", "figure", "resolved", NOW, NOW.date())])


def test_prometheus_gets_every_figure(settings: Settings) -> None:
    work(settings)
    found = samples("\n".join(exposition(status_of(settings, NOW))) + "\n")
    weekly = 'report="weekly",schedule="main"'
    at = int(NOW.timestamp())
    # A pull that failed or was partly done is no success: the one before it counts.
    success = found.pop("tidings_source_last_success_timestamp_seconds")
    assert success == {'source="shop"': at, r'source="a\"b\\c\n"': at}
    assert found.pop("tidings_source_rejected_rows") == {'source="shop"': 2}
    assert found.pop("tidings_build_last_success_timestamp_seconds") == {"": at}
    assert found.pop("tidings_schedule_last_slot_timestamp_seconds") == {weekly: int(MONDAY.timestamp())}
    states = found.pop("tidings_schedule_last_slot_state")
    assert len(states) == 6 and [name for name, is_in in states.items() if is_in] == [f'{weekly},state="failed"']
    next_at = int(datetime(2026, 7, 6, 8, tzinfo=UTC).timestamp())
    assert found.pop("tidings_schedule_next_slot_timestamp_seconds") == {weekly: next_at}
    assert found.pop("tidings_schedule_paused") == {weekly: 1}
    # That of the slot failed; the one of 1 May is older than 30 days.
    ends = {"on_time": 1, "late": 1, "with_gap": 1, "skipped": 0, "failed": 1, "unknown": 0}
    assert found.pop("tidings_deliveries_30d") == {f'state="{name}"': many for name, many in ends.items()}
    assert found.pop("tidings_alerts_open") == {
        'severity="info"': 0,
        'severity="warning"': 0,
        'severity="critical"': 1,
    }
    assert found == {}


def test_people_read_the_same(settings: Settings) -> None:
    work(settings)
    text = "\n".join(told(status_of(settings, NOW)))
    for said in (
        "  shop: last pulled whole 1 Jul 2026, 00:00 (1 min ago), 2 rejected rows",
        "  new: never pulled whole",
        "Warehouse: last built 1 Jul 2026, 00:00",
        "  weekly/main: last slot 29 Jun 2026, 08:00: failed (The disk is full.)\n"
        "    paused: it failed 3 times in a row",
        "Deliveries of 30 days: 1 on time, 1 late, 1 with gap, 1 failed",
        "Open alerts: 1 critical",
    ):
        assert said in text
    assert "@" not in text, "no recipient"


def test_of_what_never_happened_there_is_no_sample_and_nothing_is_written(command, tmp_path: Path) -> None:
    tmp_path.joinpath("pyproject.toml").write_text('[tool.tidings.sources.shop]\nkind = "sample"\n')
    code, out, _ = command("status", "--prometheus", root=tmp_path)
    found = samples(out)
    assert code == 0
    assert found["tidings_source_last_success_timestamp_seconds"] == {}, "not 0, which would be 1970"
    assert found["tidings_source_rejected_rows"] == {}
    assert [file.name for file in tmp_path.iterdir()] == ["pyproject.toml"]
