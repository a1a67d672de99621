"""What CONTRIBUTING.md shows is followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import ibis
import ibis.expr.types as ir

from tidings.contracts import declared
from tidings.model import Column, Model, model


def test_the_model_that_contributing_shows_can_be_built(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, object] = {"model": model, "Column": Column, "ir": ir}
    exec(source, names)
    example = names["fct_country_orders"]
    assert isinstance(example, Model)
    orders = ibis.memtable({"country": ["DE", "DE", None, "US"], "order_id": ["1", "2", "3", "4"]})
    made = example.function(orders).order_by("country").execute()
    # The order without a country belongs to none.
    assert made.to_dict("records") == [{"country": "DE", "orders": 2}, {"country": "US", "orders": 1}]
    assert set(made.columns) == set(declared(example.contract))
