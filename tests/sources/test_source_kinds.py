"""Source kinds: discovery, and errors for settings that are not valid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tidings.connectors.files.source import FileSource
from tidings.errors import SettingsError
from tidings.feeds import ORDERS, feeds
from tidings.settings import Settings
from tidings.sources.source import kinds, open_sources


def _settings(**tables: dict[str, Any]) -> Settings:
    return Settings(root=Path(), sources=tables)


_ORDERS = {"kind": "orders", "path": "*.csv", "columns": {"order_id": "id", "ts": "date", "amount": "total"}}


def _mapped(**columns: object) -> dict[str, Any]:
    return {**_ORDERS, "columns": columns}


def test_every_file_kind_is_found_by_being_in_the_folder() -> None:
    assert {"orders", "events", "requests", "vitals", "access_log"} <= set(kinds())


def test_sources_open_in_the_order_of_the_settings_or_as_named() -> None:
    settings = _settings(b=_ORDERS, a=_ORDERS)
    assert [source.name for source in open_sources(settings)] == ["b", "a"]
    assert [source.name for source in open_sources(settings, ["a"])] == ["a"]
    (source,) = open_sources(settings, ["a"])
    assert source.kind == "orders"
    assert [endpoint.feed for endpoint in source.endpoints] == [feeds()["orders"]]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"kind": "order"}, "unknown kind 'order'. Did you mean 'orders'?"),
        ({"path": "x"}, "does not say its kind"),
        ({**_ORDERS, "pth": "x"}, "unknown key 'pth'. Did you mean 'path'?"),
        ({**_ORDERS, "path": ""}, "path must be a text or a list of one or more, not ''. Write path = "),
        ({**_ORDERS, "path": [1]}, "path must be a text or a list of one or more, not [1]"),
        (
            {**_ORDERS, "columns": {**_ORDERS["columns"], "amont": "x"}},
            "'amont', which is no column of the feed orders",
        ),
        ({**_ORDERS, "columns": {**_ORDERS["columns"], "amont": "x"}}, "Did you mean 'amount'?"),
        (
            {**_ORDERS, "columns": {"order_id": "id", "amount": "total"}},
            "leaves out ts, which the feed orders requires",
        ),
        (_mapped(order_id="id", ts="date"), "leaves out amount (or unit_price)"),
        (_mapped(order_id=1), "columns.order_id must be text"),
        ({**_ORDERS, "columns": "id"}, "columns must be a table"),
        ({**_ORDERS, "defaults": {"typ": "charge"}}, "defaults names 'typ'"),
        ({**_ORDERS, "currency": "EURO"}, "currency must be an ISO code, not 'EURO'"),
        ({**_ORDERS, "encoding": "utf-88"}, "encoding 'utf-88' is not known"),
        ({**_ORDERS, "decimal": ";"}, 'decimal must be "." or ",", not'),
        ({**_ORDERS, "encoding": 8}, "encoding must be text"),
    ],
)
def test_unusable_input_is_named_with_the_remedy(table: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_sources(_settings(shop=table))
    assert said in str(caught.value)
    assert "[tool.tidings.sources.shop]" in str(caught.value)


def test_a_mistyped_source_is_rejected_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError, match=r"no source 'shpo'.*Did you mean 'shop'"):
        open_sources(_settings(shop=_ORDERS), ["shpo"])


def test_a_mistyped_zone_is_rejected() -> None:
    with pytest.raises(SettingsError, match=r"sources\.shop.*Europe/Berln"):
        open_sources(_settings(shop={**_ORDERS, "timezone": "Europe/Berln"}))


def test_a_unit_price_and_a_default_serve_for_what_is_required() -> None:
    columns = {"order_id": "id", "unit_price": "price"}
    table = {**_ORDERS, "columns": columns, "defaults": {"ts": "2026-07-01"}}
    assert open_sources(_settings(shop=table))


@pytest.mark.parametrize(
    ("table", "fingerprint"),
    [
        (_ORDERS, "2a473261ab001970"),
        ({**_ORDERS, "decimal": "."}, "58c4231be7886d2b"),
        ({**_ORDERS, "defaults": {"type": "charge", "quantity": 1}}, "4da0ead2f1de51a2"),
        ({**_ORDERS, "path": ["other/*.csv"]}, "2a473261ab001970"),
    ],
)
def test_a_table_keeps_its_fingerprint(
    table: dict[str, Any], fingerprint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one would land every unchanged file of every workbook anew: it is made of the table as it is written,
    and of the words that the feed knows, which may become more.
    """
    for name, column in ORDERS.columns.items():
        monkeypatch.setitem(ORDERS.columns, name, replace(column, values=(), synonyms=()))  # type: ignore[arg-type]
    (source,) = open_sources(_settings(shop=table))
    assert isinstance(source, FileSource)
    assert source.options.fingerprint == fingerprint
