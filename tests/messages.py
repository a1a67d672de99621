"""Every message of ours: what the code marks, what metrics say of themselves, and the words it looks up by name.

And what of them is left in English where German is shown.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from typing import NamedTuple, get_args

import jinja2
from bs4 import BeautifulSoup
from jinja2 import nodes

from tidings.analysis.rfm import SEGMENT_OF
from tidings.discovery import discover
from tidings.display.fragments import Kind
from tidings.language import language_of, say, say_as, speaking
from tidings.metrics.metric import Metric
from tidings.metrics.platform import PLATFORMS
from tidings.metrics.words import messages_of
from tidings.models.model import Model
from tidings.platform_metrics import PLATFORM_METRICS
from tidings.query.behind import title_of_column
from tidings.query.covered import title_of
from tidings.reporting.notebook import paragraphs

ROOT = Path(__file__).resolve().parent.parent
LIB = ROOT / "lib" / "tidings"
# The argument that is a message, by the name of what is called; columns of results are looked up where they are shown.
_ONE = {"say": 0, "say_markup": 0, "message": 0, "Need": 1, "Field": 1, "Result": 0, "RetentionResult": 0}
_ONE |= {"FunnelResult": 0, "ask": 0}
_TWO = ("say_count", "say_count_markup")
_ELSEWHERE = ("cli", "sample", "connectors", "intake", "landing", "parsing", "mapping", "sources")
# What a notebook, a query or a program says is no text of a page.
_CODE = ("style", "script", "pre", "code", ".highlight", "dl.facts")
_FEWEST_LETTERS = 12
_GRAINS = ("Day", "Week", "Month", "Quarter", "Year")


class Message(NamedTuple):
    """A text, its form for many, and its context, each maybe empty."""

    one: str
    many: str = ""
    context: str = ""


def messages() -> frozenset[Message]:
    """All of them, each once."""
    return frozenset(found for found in _all() if any(letter.isalpha() for letter in found.one))


def metric_messages() -> frozenset[str]:
    """What metrics of ours say of themselves, as it is looked up."""
    return frozenset(text for metric in _metrics() for text in messages_of(metric))


def _all() -> Iterator[Message]:
    for file in sorted(LIB.rglob("*.py")):
        if file.relative_to(LIB).parts[0] not in _ELSEWHERE:
            yield from _of_code(ast.parse(file.read_text(encoding="utf-8")))
    for file in sorted(LIB.rglob("*.j2")):
        if file.stem != "catalog.html":
            yield from _of_template(file.read_text(encoding="utf-8"))
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "markdown":
                yield from map(Message, paragraphs("".join(cell["source"])))
    yield from map(Message, metric_messages())
    yield from _by_name()


def _of_code(tree: ast.AST) -> Iterator[Message]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in call.args]
        at = _ONE.get(name)
        if at is not None and len(texts) > at and isinstance(texts[at], str):
            yield Message(texts[at])
        elif name == "say_as" and all(isinstance(text, str) for text in texts[:2]):
            yield Message(texts[1], context=texts[0])
        elif name in _TWO and all(isinstance(text, str) for text in texts[1:3]):
            yield Message(texts[1], texts[2])
        elif name == "plural" and len(texts) == 2 and isinstance(texts[1], str):
            yield Message(f"{{n}} {texts[1]}", f"{{n}} {texts[1]}s")


def _of_template(source: str) -> Iterator[Message]:
    tree = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).parse(source)
    for call in tree.find_all(nodes.Call):
        name = getattr(call.node, "name", "")
        texts = [arg.value if isinstance(arg, nodes.Const) else None for arg in call.args]
        if name == "say" and isinstance(texts[0], str):
            yield Message(texts[0])
        elif name == "say_count" and isinstance(texts[1], str) and isinstance(texts[2], str):
            yield Message(texts[1], texts[2])


def _by_name() -> Iterator[Message]:
    """Words that are looked up by what the data, a grain or a state is called."""
    for grain in _GRAINS:
        for text in (grain, f"{grain} from", f"{grain}s later"):
            yield Message(text, context="period")
        yield Message(f"too few complete {grain.lower()}s to compare", context="too few")
        yield Message(f"median {grain.lower()} {{value}}", context="median of")
        yield Message(f"Error rate by service and {grain.lower()}", context="error rate")
    yield from (Message(letter, context="scale") for letter in "MBT")
    yield Message("stars", context="unit")
    yield from (Message(state, context="pull") for state in ("done", "failed", "partly", "interrupted", "never pulled"))
    states = ("open", "acknowledged", "resolved", "critical", "warning", "info")
    yield from (Message(state, context="alert") for state in states)
    yield from map(Message, ("done", "failed", "partly"))
    yield from (Message(kind.capitalize()) for kind in get_args(Kind))
    yield from (Message(name) for of_r in SEGMENT_OF.values() for name in of_r)
    yield from (Message(one.title) for one in PLATFORM_METRICS.values())
    yield from (
        Message(title_of(name)) for name in (*PLATFORM_METRICS, "orders", "events", "requests", "vitals", "fct_alerts")
    )
    yield from map(Message, PLATFORMS.values())
    yield Message("Weekly report")
    for what in ("Volume", "Price and mix"):
        yield from (Message(f"{what}, {who}") for who in ("new", "returning", "unknown"))
    yield from map(Message, ("Refunds", "Chargebacks"))
    # A finding may name a single row by its id.
    yield Message("order", context="column")
    for name in _columns():
        yield Message(name, context="column")
        yield Message(name.replace("_", " ").capitalize())
    yield from map(Message, _column_titles())


def _column_titles() -> set[str]:
    """Columns of the rows behind a figure."""
    return {
        title_of_column(name)
        for model in discover(Model, "model", "tidings.models").values()
        if model.name.startswith(("dim_", "fct_"))
        for name, column in model.contract.columns.items()
        if not column.personal and not name.startswith("_") and not name.endswith("_key")
    }


def _columns() -> set[str]:
    """The columns of marts by which a figure may be split: texts that do not name a row."""
    found = set()
    for model in discover(Model, "model", "tidings.models").values():
        if model.name.startswith(("dim_", "fct_")):
            found |= {
                name
                for name, column in model.contract.columns.items()
                if column.type.removeprefix("!") == "string"
                and not column.personal
                and not name.startswith("_")
                and not name.endswith(("_id", "_key"))
            }
    return found


@cache
def _metrics() -> tuple[Metric, ...]:
    return tuple(discover(Metric, "metric", "tidings.metrics").values())


def readable(html: str) -> BeautifulSoup:
    """A page or fragment without its code."""
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.select(", ".join(_CODE)):
        tag.decompose()
    return soup


def texts_of(soup: BeautifulSoup) -> list[str]:
    """What a reader sees or hears."""
    heard = [tag[name] for name in ("aria-label", "title", "alt") for tag in soup.find_all(attrs={name: True})]
    return [*soup.stripped_strings, *heard]


def english_left(soup: BeautifulSoup) -> set[str]:
    """Messages of ours that a reader of German finds in English on a page."""
    return english_in(texts_of(soup))


def english_in(texts: Sequence[str]) -> set[str]:
    """Messages of ours that a reader of German finds in English among texts."""
    shown, whole = set(texts), "\n".join(texts)
    # Names of feeds and events, as "orders", are data.
    return {
        message
        for message, pieces in _pieces().items()
        if (message in shown and not message.islower()) or any(piece in whole for piece in pieces)
    }


@cache
def _pieces() -> dict[str, list[str]]:
    """Messages that German says otherwise, each with the longer parts of it that are no names of values."""
    found = {}
    with speaking(language_of("de")):
        held = {one: say_as(one.context, one.one) if one.context else say(one.one) for one in messages()}
    for one, said in held.items():
        for text in filter(None, (one.one, one.many)) if said != one.one else ():
            try:
                literals = [literal.strip() for literal, *_ in Formatter().parse(text)]
            except ValueError:
                literals = [text]
            found[text] = [part for part in literals if len(part) >= _FEWEST_LETTERS and " " in part]
    return found
