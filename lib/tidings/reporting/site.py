"""The layout of every page: head, styles, scripts, and a content security policy that forbids any request."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tidings.display import formats, theme
from tidings.language import in_force, say_count_markup, say_markup

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """A page from a template that extends `layout.html.j2`; all content is escaped unless it is Markup."""
    theme_script, page_script = _file("theme.js"), _file("page.js")
    return (
        environment()
        .get_template(template)
        .render(
            policy=_policy(theme_script, page_script),
            # Safe: our own files, whose hashes the policy names.
            style=Markup(f"{theme.stylesheet()}\n{_file('page.css')}"),  # noqa: S704
            theme_script=Markup(theme_script),  # noqa: S704
            page_script=Markup(page_script),  # noqa: S704
            version=version("tidings"),
            language=in_force().code,
            **content,
        )
    )


@cache
def environment(folder: Path = TEMPLATES) -> jinja2.Environment:
    """The templates of a folder, with escaping; a missing name is an error, not a gap in a report."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.globals |= words()
    return made


def words() -> dict[str, Any]:
    """What templates call to say something in the language in force; values are escaped."""
    return {"say": say_markup, "say_count": say_count_markup, "seconds": lambda seconds: formats.fixed(seconds, 1)}


@cache
def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _policy(*scripts: str) -> str:
    """The policy: nothing may be fetched, and only these scripts run."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
