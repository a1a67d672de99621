"""Files for other schedulers: each only ticks and calls the command line, so that zones and catch-up stay ours."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Literal, get_args

import jinja2

from tidings.errors import UsageError, suggest
from tidings.scheduling.schedule import load_plans
from tidings.settings import Settings
from tidings.sources.credentials import credentials

Target = Literal["cron", "systemd", "github", "airflow", "dagster"]
TARGETS: tuple[str, ...] = get_args(Target)
_FILES = {
    "cron": (("crontab.j2", "crontab"),),
    "systemd": (("tidings.service.j2", "tidings.service"), ("tidings.timer.j2", "tidings.timer")),
    "github": (("github.yml.j2", "tidings.yml"),),
    "airflow": (("airflow.py.j2", "tidings_airflow.py"),),
    "dagster": (("dagster.py.j2", "tidings_dagster.py"),),
}


def exported(settings: Settings, target: str, command: Path) -> dict[str, str]:
    """The files for another scheduler by name; `command` is the path of `tidings` on this machine.

    Raises:
        UsageError: there is no such scheduler.
        SettingsError: a report's file cannot be used as written.
    """
    if target not in _FILES:
        raise UsageError(f"Tidings writes nothing for '{target}'.", suggest(target, TARGETS))
    about = {
        "root": str(settings.root),
        "command": str(command),
        "plans": load_plans(settings),
        "sources": list(settings.sources),
        "secrets": sorted(credentials(settings).named),
        "install": _install(settings),
    }
    return {name: _environment().get_template(template).render(about) for template, name in _FILES[target]}


def _install(settings: Settings) -> str:
    if (settings.root / "requirements.lock").is_file():
        return "pip install --require-hashes --no-deps -r requirements.lock && pip install --no-deps ."
    return "pip install tidings"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        # None of these files is HTML: each value is quoted for the language it stands in.
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "sh": shlex.quote,
        # A per cent sign ends the command in a crontab.
        "cron": lambda text: text.replace("%", r"\%"),
        "unit": lambda text: text.replace("%", "%%"),
        "unit_word": lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"',
        "py": repr,
        "yaml": json.dumps,
        "id": lambda text: re.sub(r"\W", "_", text),
    }
    return environment
