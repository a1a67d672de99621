"""The HTML part of a mail: tables and inlined styles, as mail clients allow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import css_inline
from markupsafe import Markup

from tidings.delivery.mail.body import Body
from tidings.delivery.mail.text import MORE
from tidings.delivery.pictures import Picture
from tidings.display import theme
from tidings.language import in_force, say
from tidings.reporting.site import environment

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"\[\[([a-z0-9-]+)\]\]")
_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)
# Without the newest names: a value that Outlook cannot read makes it take Times.
_FONT = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def html_of(body: Body, sources: Mapping[Picture, str]) -> str:
    """The HTML part; `sources` says at which address each picture is, as in `cid:…`."""
    # Safe: the stylesheet is ours.
    page = (
        environment(_TEMPLATES)
        .get_template("mail.html.j2")
        .render(
            body=body,
            sources=sources,
            more=say(MORE),
            language=in_force().code,
            style=Markup(_style()),  # noqa: S704
        )
    )
    return _inliner().inline(page)


@cache
def _inliner() -> css_inline.CSSInliner:
    # At-rules cannot be inlined: those for phones and for dark grounds stay for the clients that read them.
    return css_inline.CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)


@cache
def _style() -> str:
    """The stylesheet with the theme's colours as they are, as clients do not know variables."""
    colours = {**theme.LIGHT, **{f"dark-{name}": colour for name, colour in theme.DARK.items()}, "font": _FONT}
    rules = (_TEMPLATES / "mail.css").read_text(encoding="utf-8")
    return _NAME.sub(lambda name: colours[name[1]], _COMMENT.sub("", rules))
