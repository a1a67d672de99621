"""The verbs of `tidings alerts`, as typed."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tidings.cli import main as cli
from tidings.ledger.alert_log import AlertEvent, AlertLog

NOW = datetime(2026, 7, 1, 6, tzinfo=UTC)


@pytest.fixture
def workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\n", encoding="utf-8")
    monkeypatch.setenv("TIDINGS_ROOT", str(tmp_path))
    monkeypatch.setattr(cli, "_now", lambda: NOW)
    return tmp_path


def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["tidings", "alerts", *words])
    code: object = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_workbook_without_rules(
    workbook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed(capsys, monkeypatch) == (0, "No alert is open.\n")
    assert typed(capsys, monkeypatch, "evaluate") == (0, "There are no rules. To make some: tidings alerts init\n")
    assert typed(capsys, monkeypatch, "history") == (0, "There has been no alert.\n")
    code, said = typed(capsys, monkeypatch, "init")
    assert (code, "alerts.toml" in said, (workbook / "alerts.toml").is_file()) == (0, True, True)


def test_an_alert_from_open_to_muted(
    workbook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = AlertEvent("Errors", "figure", "opened", NOW, date(2026, 6, 30), said="It is high.", runbook="Look.")
    AlertLog(workbook / "data" / "ledger.sqlite").add([opened])
    code, said = typed(capsys, monkeypatch)
    assert code == 0 and said.splitlines() == [
        "warning   Errors: open",
        "          It is high. Since 30 Jun 2026.",
        "          Look.",
    ]
    assert typed(capsys, monkeypatch, "ack", "errors", "--by", "Ada") == (0, "Errors is acknowledged by Ada.\n")
    assert "Errors: acknowledged by Ada" in typed(capsys, monkeypatch)[1]
    assert typed(capsys, monkeypatch, "mute", "Errors", "--until", "2026-07-09")[1] == (
        "Errors is muted until 9 Jul 2026.\n"
    )
    assert "muted until 2026-07-09" in typed(capsys, monkeypatch, "history")[1]
    code, said = typed(capsys, monkeypatch, "ack", "Erors")
    assert (code, "Did you mean 'Errors'?" in said) == (2, True)


def test_a_rule_that_cannot_be_read_stops_the_evaluation_and_the_check_names_it(
    workbook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workbook / "alerts.toml").write_text('[[alert]]\nname = "E"\nmetric = "error_rat"\nabove = 1\n', encoding="utf-8")
    code, said = typed(capsys, monkeypatch, "evaluate")
    assert (code, "alerts.toml 'E' metric names 'error_rat'" in said) == (2, True)
    monkeypatch.setattr(sys, "argv", ["tidings", "check"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "FAIL alerts: alerts.toml 'E' metric names 'error_rat'" in capsys.readouterr().out


def test_there_must_be_a_build(
    workbook: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workbook / "alerts.toml").write_text('[[alert]]\nname = "E"\nmetric = "error_rate"\nabove = 1\n', encoding="utf-8")
    code, said = typed(capsys, monkeypatch, "evaluate")
    assert (code, "tidings build" in said) == (1, True)
