"""Reports as files: what is mistyped is named, with the nearest right thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.errors import UsageError
from tidings.reporting.report import Report, load_report, load_reports, report_names, section_names
from tidings.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(root=tmp_path)
    settings.notebooks.mkdir()
    settings.schedules.mkdir()
    for name in ("commerce", "web_traffic"):
        (settings.notebooks / f"{name}.ipynb").write_text("{}")
    return settings


def write(settings: Settings, text: str, name: str = "weekly") -> None:
    (settings.schedules / f"{name}.toml").write_text(text)


def test_a_report_keeps_the_order_of_its_sections(settings: Settings) -> None:
    write(settings, 'title = "Weekly"\nsections = ["web_traffic", "commerce"]\n[parameters]\ndays = 7\n')
    expected = Report("weekly", "Weekly", ("web_traffic", "commerce"), {"days": 7})
    assert load_report(settings, "weekly") == expected
    assert load_reports(settings) == (expected,)
    assert report_names(settings) == ("weekly",)
    assert section_names(settings) == ("commerce", "web_traffic")


def test_a_section_is_a_report_of_itself(settings: Settings) -> None:
    assert load_report(settings, "web_traffic") == Report("web_traffic", "Web traffic", ("web_traffic",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "W"\nsection = ["commerce"]\n', r"unknown key 'section'\. Did you mean 'sections'\?"),
        ('title = "W"\nsections = ["comerce"]\n', r"line 2 names an unknown section 'comerce'\. Did you mean 'commerce'"),
        ('title = "W"\nsections = ["commerce", "commerce"]\n', "'commerce' twice"),
        ('title = "W"\nsections = []\n', r"sections must be a list of notebooks, not \[\]"),
        ('title = "W"\nsections = "commerce"\n', "sections must be a list of notebooks, not 'commerce'"),
        ('sections = ["commerce"]\n', "has no title"),
        ('title = "W"\nsections = ["commerce"]\nparameters = 3\n', "parameters must be a table, not 3"),
        ('title = "W"\nsections = ["commerce"]\n[parameters]\nas_of = 2026-07-01\n', "dates and times in quotes"),
        ("title = W\n", "not valid TOML"),
    ],
)
def test_a_report_that_cannot_be_used_is_named_with_the_remedy(settings: Settings, text: str, said: str) -> None:
    write(settings, text)
    with pytest.raises(UsageError, match=said) as error:
        load_report(settings, "weekly")
    assert "weekly.toml" in str(error.value)


def test_an_unknown_name_is_answered_with_the_nearest(settings: Settings) -> None:
    write(settings, 'title = "W"\nsections = ["commerce"]\n')
    with pytest.raises(UsageError, match=r"'weekyl'\. Did you mean 'weekly'\?"):
        load_report(settings, "weekyl")


def test_a_name_is_not_a_path(settings: Settings) -> None:
    write(settings, 'title = "W"\nsections = ["commerce"]\n')
    with pytest.raises(UsageError, match="no report or section"):
        load_report(settings, "../schedules/weekly")
