"""Rules are read strictly: a sentence names the file, the rule and what to write."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tidings.alerts.rules import Rule, read_rules
from tidings.errors import SettingsError
from tidings.settings import Settings


def read(tmp_path: Path, *tables: str) -> tuple[Rule, ...]:
    text = "".join(f"[[alert]]\n{table}\n" for table in tables)
    (tmp_path / "alerts.toml").write_text(text, encoding="utf-8")
    return read_rules(Settings(root=tmp_path, sources={"shop": {"kind": "orders"}}))


def test_without_the_file_there_are_no_rules(tmp_path: Path) -> None:
    assert read_rules(Settings(root=tmp_path)) == ()


def test_a_rule_with_all_keys(tmp_path: Path) -> None:
    (found,) = read(
        tmp_path,
        'name = "Errors"\nmetric = "error_rate"\nabove = 0.02\nclear_below = 0.01\nfor = 2\ndays = 7\nminimum = 100\n'
        'severity = "critical"\ntell = "ops"\nowner = "ada"\nrunbook = "Look."\nmost_per_day = 1\n'
        'segment = "country=DE"',
    )
    assert found == Rule(
        *("Errors", "error_rate", "above", Decimal("0.02"), Decimal("0.01"), 7, "weekdays", "country=DE", 100, 2),
        *("critical", "ada", ("ops",), "Look.", 1),
    )


def test_who_owns_the_metric_owns_the_rule(tmp_path: Path) -> None:
    (found,) = read(tmp_path, 'name = "E"\nmetric = "error_rate"\nabove = 1')
    assert found.owner == "engineering"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "E"\nmetric = "error_rat"\nabove = 1', "alerts.toml 'E' metric names 'error_rat'.*error_rate"),
        (
            'name = "E"\nmetric = "error_rate"\nabov = 1',
            "alerts.toml 'E' has an unknown key 'abov'. Did you mean 'above'",
        ),
        ('name = "E"\nmetric = "error_rate"\nfro = 1', "unknown key 'fro'. Did you mean 'for'"),
        ('metric = "error_rate"\nabove = 1', "alerts.toml rule 1 has no name"),
        ('name = "E"\nabove = 1', "'E' looks at nothing"),
        ('name = "E"\nmetric = "error_rate"\nsource = "shop"\nabove = 1', "'E' has metric and source"),
        ('name = "E"\nmetric = "error_rate"', "'E' has no condition.*above"),
        ('name = "E"\nmetric = "error_rate"\nabove = 1\nbelow = 0', "'E' has above and below"),
        ('name = "E"\nmetric = "error_rate"\nabove = "2 %"', "'E' above must be a number, not '2 %'"),
        ('name = "E"\nmetric = "error_rate"\nabove = nan', "'E' above is not a number"),
        ('name = "E"\nmetric = "error_rate"\nabove = 1\nclear_above = 2', "clear_above, but above is over below"),
        ('name = "E"\nmetric = "error_rate"\nabove = 1\nclear_below = 2', "clear_below = 2 is over before it begins"),
        ('name = "E"\nmetric = "error_rate"\nchange_below = 0.2', "change_below cannot be 0.2.*-0.2"),
        ('name = "E"\nmetric = "error_rate"\nabove = 1\nfor = 0', "for must be a whole number from 1 on"),
        ('name = "E"\nmetric = "error_rate"\nabove = 1\nseverity = "bad"', "severity must be"),
        ('name = "E"\nmetric = "current_visitors"\nbelow = 1', "no values by day"),
        ('name = "S"\nsource = "shp"\nstale_for = 2', "source names 'shp'.*shop"),
        ('name = "S"\nsource = "shop"\nabove = 2', "'S' has above, which a source has not.*stale_for"),
        ('name = "S"\nsource = "shop"\nstale_for = 2\nfor = 2', "'S' has for, which a source has not"),
        ('name = "L"\nload = "shop"\nbelow = 50', "below is the share"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read(tmp_path, table)


def test_two_of_one_name(tmp_path: Path) -> None:
    one = 'name = "E"\nmetric = "error_rate"\nabove = 1'
    with pytest.raises(SettingsError, match=re.escape("alerts.toml 'e' is there twice.")):
        read(tmp_path, one, one.replace('"E"', '"e"'))


def test_a_broken_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("[[alert]]\nname = \n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"alerts\.toml is not valid TOML.*line 2"):
        read_rules(Settings(root=tmp_path))
