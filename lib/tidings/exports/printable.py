"""Pages of a run as one document for paper: in reading order, numbered, without scripts and links to other files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from markupsafe import Markup

from tidings.errors import RunError, remedy_of

_LOCAL = re.compile(r"""url\((["']?)#""")
_OF_IDS = ("aria-labelledby", "aria-describedby", "aria-controls", "headers", "for")
_LINKS = ("href", "xlink:href")
_OUTSIDE = ("http:", "https:", "mailto:")
# What paper does not show: hidden there by the page's own styles, but it would make the file large.
_NOT_PRINTED = "script, style, details, nav.contents, nav.variants, .skip, .mode, .figure-links, .trail, svg.td-narrow"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_PAPER = """
@page{size:A4;margin:14mm 14mm 16mm;
  @bottom-left{font:7.5pt system-ui,sans-serif;color:#595959}
  @bottom-right{content:counter(page) " / " counter(pages);font:7.5pt system-ui,sans-serif;color:#595959}}
"""
_DOCUMENT = Markup(
    '<!doctype html>\n<html lang="{}"><head><meta charset="utf-8">\n'
    '<meta http-equiv="Content-Security-Policy" content="{}">\n<title>{}</title>\n{}<style>{}</style></head>\n'
    "<body>{}</body></html>\n"
)


def printable(pages: Sequence[Path]) -> tuple[str, str]:
    """The document of these pages, and its title, which is that of the first.

    Raises:
        RunError: a page cannot be read.
    """
    soups = [_read(page) for page in pages]
    titles = [_title(soup) for soup in soups]
    names = [page.name for page in pages]
    style = str(soups[0].find("style") or "")
    paper, parts = [_PAPER], []
    for number, (soup, title) in enumerate(zip(soups, titles, strict=True)):
        # A page name of its own lets each section stand in its own footers, and begins on a new sheet.
        paper.append(f"@page p{number}{{@bottom-left{{content:{_css_text(title)}}}}} .p{number}{{page:p{number}}}")
        parts.append(_part(soup, number, names, is_last=number == len(soups) - 1))
    # Safe: parts of our own pages, parsed and written escaped.
    body, safe_style = Markup("\n".join(parts)), Markup(style)  # noqa: S704
    language = str(soups[0].html.get("lang") or "en") if soups[0].html else "en"
    return _DOCUMENT.format(language, _POLICY, titles[0], safe_style, Markup("\n".join(paper)), body), titles[0]  # noqa: S704


def _read(page: Path) -> BeautifulSoup:
    try:
        return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise RunError(f"The page {page} cannot be read: {reason}.", remedy) from error


def _title(soup: BeautifulSoup) -> str:
    tag = soup.find("title")
    return " ".join(tag.get_text().split()) if tag is not None else ""


def _part(soup: BeautifulSoup, number: int, names: Sequence[str], *, is_last: bool) -> str:
    """The body of a page, its ids made different from those of the others."""
    body = soup.find("body")
    if not isinstance(body, Tag):
        return ""
    for tag in body.select(_NOT_PRINTED):
        tag.decompose()
    for foot in body.find_all("footer", recursive=False):
        if not is_last:
            foot.decompose()
    for tag in body.find_all(True):
        _rename(tag, number, names)
    body.name = "div"
    body["class"] = " ".join([*(body.get("class") or []), f"p{number}"])
    body["id"] = f"p{number}"
    return str(body)


def _rename(tag: Tag, number: int, names: Sequence[str]) -> None:
    if "id" in tag.attrs:
        tag["id"] = f"p{number}-{tag['id']}"
    for name in _OF_IDS:
        if name in tag.attrs:
            tag[name] = " ".join(f"p{number}-{each}" for each in str(tag[name]).split())
    for name, value in list(tag.attrs.items()):
        if name in _LINKS:
            target = _target(str(value), number, names)
            if target is None:
                # The path of a file on this machine would be printed into the document.
                del tag[name]
            else:
                tag[name] = target
        elif isinstance(value, str) and "url(" in value:
            tag[name] = _LOCAL.sub(rf"url(\g<1>#p{number}-", value)


def _target(address: str, number: int, names: Sequence[str]) -> str | None:
    """Where a link of a page leads in the document; None for other files."""
    if address.startswith(_OUTSIDE) or address.startswith("data:image/"):
        return address
    file, _, anchor = address.partition("#")
    if file:
        if unquote(file) not in names:
            return None
        number = names.index(unquote(file))
    return f"#p{number}-{anchor}" if anchor else f"#p{number}"


def _css_text(text: str) -> str:
    """A text as a string of CSS, in which nothing can end it."""
    return '"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in text) + '"'
