"""Which table is made from which."""

from __future__ import annotations

import types

import pytest

from tidings import discovery
from tidings.errors import GraphError, SettingsError
from tidings.models.graph import Graph, known_models
from tidings.models.model import Model, model
from tidings.schema import Column
from tidings.warehouse.compiled import root_schemas


def _model(name: str, *reads: str) -> Model:
    source = f"def {name}({', '.join(reads)}):\n    'A row.'\n    return {reads[0].lstrip('*') if reads else None}\n"
    namespace: dict[str, object] = {}
    exec(source, namespace)
    return model(grain="row", key=("id",), columns={"id": Column("int64", "An id.")})(namespace[name])


def test_every_model_comes_after_what_it_reads() -> None:
    graph = Graph.of([_model("c", "b", "raw_x"), _model("b", "a"), _model("a", "raw_x")], ["raw_x"])
    assert list(graph.models) == ["a", "b", "c"]


def test_ancestors_and_lineage() -> None:
    graph = Graph.of(
        [_model("c", "b"), _model("b", "a"), _model("a", "raw_x"), _model("z", "raw_y")], ["raw_x", "raw_y"]
    )
    assert graph.ancestors("c") == {"b", "a", "raw_x"}
    assert graph.lineage("b") == (("a", ("raw_x",)), ("b", ("a",)))


def test_a_missing_table_is_named_with_the_nearest() -> None:
    with pytest.raises(
        GraphError, match=r"Model b reads the table row_x, which no model makes\. Did you mean 'raw_x'\?"
    ):
        Graph.of([_model("b", "row_x")], ["raw_x"])


def test_a_cycle_is_shown() -> None:
    with pytest.raises(GraphError, match=r"cycle: (a → b → a|b → a → b)"):
        Graph.of([_model("a", "b"), _model("b", "a")], [])


def test_a_model_may_not_take_the_name_of_a_raw_table() -> None:
    with pytest.raises(GraphError, match="raw_x has the name of a raw table"):
        Graph.of([_model("raw_x", "raw_y")], ["raw_x", "raw_y"])


def test_an_unknown_table_is_refused_with_the_nearest() -> None:
    graph = Graph.of([_model("fct_orders", "raw_x")], ["raw_x"])
    with pytest.raises(GraphError, match="Did you mean 'fct_orders'"):
        graph.ancestors("fct_order")


def _found_in(monkeypatch: pytest.MonkeyPatch, *modules: types.ModuleType) -> None:
    monkeypatch.setattr(discovery, "_modules", lambda _: modules)
    monkeypatch.setattr(discovery, "_discovered", discovery._discovered.__wrapped__)


def test_two_models_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = types.ModuleType("fake_models.one"), types.ModuleType("fake_models.two")
    one.a, two.a = _model("a", "raw_x"), _model("a", "raw_y")  # type: ignore[attr-defined]
    _found_in(monkeypatch, one, two)
    with pytest.raises(SettingsError, match=r"Two models are called a: in fake_models\.one and in fake_models\.two"):
        known_models("fake_models")


def test_the_models_of_the_workbook_fit_together() -> None:
    graph = Graph.of(known_models(), root_schemas())
    promised = (
        *("dim_date", "dim_fx", "dim_users", "fct_events", "fct_sessions", "fct_user_hours", "fct_transactions"),
        *("fct_orders", "fct_order_lines", "fct_requests", "fct_web_vitals"),
        *("stg_orders", "stg_events", "stg_requests", "stg_vitals", "stg_access"),
    )
    assert set(promised) <= set(graph.models)
    assert "raw_access" in graph.ancestors("fct_sessions")  # page views of access logs form sessions too


@pytest.mark.parametrize("found", known_models(), ids=lambda found: found.name)
def test_facts_have_an_instant_and_say_where_they_come_from(found: Model) -> None:
    if not found.name.startswith("fct_"):
        return
    assert found.contract.columns["ts"].type == "!timestamp(6)"
    if found.name == "fct_alerts":
        # What this workbook did, from no source; that nothing opened for long is as it should be.
        return
    assert found.contract.fresh_hours
    assert "_source" in found.contract.columns or found.name == "fct_user_hours"  # a user may come from several


def _package(monkeypatch: pytest.MonkeyPatch, *models: Model) -> None:
    """A package of models, as `known_models` finds one."""
    module = types.ModuleType("fake_models.all")
    for each in models:
        setattr(module, each.name, each)
    _found_in(monkeypatch, module)


def test_a_model_may_read_all_tables_of_one_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    partitions = [_model("figures_b", "raw_x"), _model("figures_a", "raw_x"), _model("not_figures_c", "raw_x")]
    _package(monkeypatch, _model("together", "raw_y", "*figures_"), *partitions)
    graph = Graph.of(known_models("fake_models"), ["raw_x", "raw_y"])
    # By name, so that the same models always make the same table, and in the place of the parameter.
    assert graph.models["together"].reads == ("raw_y", "figures_a", "figures_b")
    assert list(graph.models).index("together") > list(graph.models).index("figures_b")
    assert graph.ancestors("together") == {"figures_a", "figures_b", "raw_x", "raw_y"}


def test_a_model_that_reads_its_own_kind_is_a_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    _package(monkeypatch, _model("figures_all", "*figures_"), _model("figures_a", "raw_x"))
    with pytest.raises(GraphError, match="cycle: figures_all → figures_all"):
        Graph.of(known_models("fake_models"), ["raw_x"])


def test_where_none_begin_so_none_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    _package(monkeypatch, _model("together", "raw_y", "*figures_"))
    assert [each.reads for each in known_models("fake_models")] == [("raw_y",)]
