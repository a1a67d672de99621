"""Options: what a table may hold, and the sentence on what it may not."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from tidings import options, settings
from tidings.errors import SettingsError
from tidings.options import Currency, OptionalText, Options, Text, Texts, Whole, ZoneName, known, read_options
from tidings.reporting import report
from tidings.sources.source import kinds


class Shop(Options, frozen=True):
    """A table with a key of each type."""

    name: Annotated[Text, "what it is called"]
    note: Annotated[OptionalText, "anything"] = ""
    sites: Annotated[Texts, "its sites"] = ()
    lists: Annotated[Texts, "what to pull", known(("refunds", "invoices"))] = ("refunds",)
    columns: Annotated[dict[str, Text], "a mapping", Meta(examples=["{ ts = 'Date' }"])] = {}  # noqa: RUF012
    week: Annotated[Literal["monday", "sunday"], "first day"] = "monday"
    size: Annotated[int | float, "how large"] = 1
    back: Annotated[Whole | None, "days"] = None
    end: Annotated[date | None, "last day"] = None
    hits: Annotated[bool, "one by one"] = False
    currency: Annotated[Currency, "of amounts"] = ""
    zone: Annotated[ZoneName, "of days"] = "UTC"


def read(**table: Any) -> Shop:
    return read_options("[shop]", {"name": "x", **table}, Shop)


def test_what_is_left_out_or_null_has_its_default() -> None:
    assert read(note=None) == Shop("x")


def test_values_are_typed() -> None:
    shop = read(sites="a", size=2, back=0, end="2026-05-01", currency="chf", columns={"ts": "t"})
    assert (shop.sites, shop.size, shop.back, shop.end) == (("a",), 2, 0, date(2026, 5, 1))
    assert (shop.currency, shop.columns) == ("CHF", {"ts": "t"})
    assert read(sites=["a", "b"], end=date(2026, 5, 1)).sites == ("a", "b")
    # A whole number stays one: its text is part of a fingerprint.
    assert isinstance(shop.size, int)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"nam": "x"}, "[shop] has an unknown key 'nam'. Did you mean 'name'?"),
        ({"name": None}, '[shop] has no name. Write name = "…": what it is called.'),
        ({"name": 3}, '[shop] name must be text, not 3. Write name = "…".'),
        ({"name": " "}, "[shop] name must be text, not ' '. Write name = \"…\"."),
        (
            {"sites": ["a", 1]},
            '[shop] sites must be a text or a list of texts, not [\'a\', 1]. Write sites = ["…", "…"].',
        ),
        ({"sites": [""]}, '[shop] sites must be a text or a list of texts, not [\'\']. Write sites = ["…", "…"].'),
        ({"lists": "refund"}, "[shop] lists names 'refund', which is not known here. Did you mean 'refunds'?"),
        ({"lists": ["x"]}, "[shop] lists names 'x', which is not known here. Known: invoices, refunds."),
        ({"columns": "a"}, "[shop] columns must be a table, not 'a'. Write columns = { ts = 'Date' }."),
        ({"columns": {"ts": "a", "id": 1}}, '[shop] columns.id must be text, not 1. Write id = "…".'),
        ({"week": "tuesday"}, '[shop] week must be "monday" or "sunday", not \'tuesday\'. Write week = "monday".'),
        ({"week": ["monday"]}, '[shop] week must be "monday" or "sunday", not [\'monday\']. Write week = "monday".'),
        ({"size": True}, "[shop] size must be a number, not True. Write size = 1."),
        ({"size": "1"}, "[shop] size must be a number, not '1'. Write size = 1."),
        ({"back": -1}, "[shop] back must be a whole number from 0 on, not -1. Write back = 1."),
        ({"back": 1.5}, "[shop] back must be a whole number from 0 on, not 1.5. Write back = 1."),
        ({"end": "soon"}, "[shop] end must be a date, not 'soon'. Write end = \"2026-07-01\"."),
        (
            {"end": datetime(2026, 5, 1, 12)},
            '[shop] end must be a date, not 2026-05-01 12:00:00. Write end = "2026-07-01".',
        ),
        ({"hits": "yes"}, "[shop] hits must be true or false, not 'yes'. Write hits = true."),
        ({"currency": "EURO"}, "[shop] currency must be an ISO code, not 'EURO'. Write currency = \"EUR\"."),
        (
            {"zone": "Europe/Berln"},
            "[shop] zone names 'Europe/Berln', which is not known here. Did you mean 'Europe/Berlin'?",
        ),
        ({"note": ["x" * 500]}, f'[shop] note must be text, not [\'{"x" * 78}…. Write note = "…".'),
    ],
)
def test_what_cannot_be_used_is_said(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(**table)
    assert str(error.value) == said


def test_every_key_says_what_it_is_for_and_how_it_is_written() -> None:
    tables = {name: kind.options for name, kind in kinds().items()}
    for table, kind in {**tables, "settings": settings._Table, "report": report._Table}.items():
        for field in msgspec.structs.fields(kind):
            said = options._said(field.type)
            assert all(said.get(part) for part in ("title", "examples", "help")), (table, field.name)
