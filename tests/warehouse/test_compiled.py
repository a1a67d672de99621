"""The SQL of models is kept per version of the code, so that a fresh process does not make it again."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest

import tidings.warehouse.compiled
from tidings.models.contracts import declared
from tidings.models.graph import known_models
from tidings.models.model import Model, model
from tidings.schema import Column
from tidings.warehouse import duckdb
from tidings.warehouse.compiled import root_schemas, sql_of

SCHEMAS = {**root_schemas(), **{model.name: declared(model.contract) for model in known_models()}}
VITALS = next(model for model in known_models() if model.name == "stg_vitals")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept yet, as in a fresh checkout."""
    monkeypatch.setattr(tidings.warehouse.compiled, "kept_folder", lambda: tmp_path / "kept")
    _fresh_process(monkeypatch)
    return tmp_path / "kept"


def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidings.warehouse.compiled, "_compiled", {})


def _count(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is compiled from now on."""
    asked: list[object] = []
    make = duckdb.compile_sql
    monkeypatch.setattr(duckdb, "compile_sql", lambda expression: asked.append(expression) or make(expression))
    return asked


def test_a_fresh_process_takes_what_another_made(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    made = sql_of(VITALS, SCHEMAS)
    (file,) = (path for path in folder.rglob("*") if path.is_file())
    assert file.read_text(encoding="utf-8") == made
    asked = _count(monkeypatch)
    _fresh_process(monkeypatch)
    assert sql_of(VITALS, SCHEMAS) == made and asked == []


def test_every_character_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # Models trim white space, which the SQL spells out: a carriage return read as a line break is another model.
    written = r"SELECT TRIM(name, ' {}') FROM t".replace("{}", "\t\n\r\v\f é")
    monkeypatch.setattr(duckdb, "compile_sql", lambda _: written)
    assert sql_of(VITALS, SCHEMAS) == written
    _fresh_process(monkeypatch)
    assert sql_of(VITALS, SCHEMAS) == written


def test_other_code_and_other_columns_are_compiled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    sql_of(VITALS, SCHEMAS)
    asked = _count(monkeypatch)
    _fresh_process(monkeypatch)
    more = ibis.schema({**SCHEMAS["raw_vitals"], "extra": "string"})
    sql_of(VITALS, {**SCHEMAS, "raw_vitals": more})
    assert len(asked) == 1
    _fresh_process(monkeypatch)
    monkeypatch.setattr(tidings.warehouse.compiled, "_loaded_code", lambda: "edited")
    sql_of(VITALS, SCHEMAS)
    assert len(asked) == 2


def test_models_that_the_hash_of_the_code_does_not_cover_are_not_kept(folder: Path) -> None:
    def own(value: int) -> Model:
        @model(grain="a sample", key=("n",), columns={"n": Column("int64", "N")})
        def stg_vitals(raw_vitals: ibis.Table) -> ibis.Table:
            """A row per sample."""
            return raw_vitals.select(n=ibis.literal(value))

        return stg_vitals

    # Of one name in one module: only one of them could have been kept.
    assert "1" in sql_of(own(1), SCHEMAS) and "2" in sql_of(own(2), SCHEMAS)
    assert not folder.exists()


def test_where_nothing_can_be_kept_it_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tidings.warehouse.compiled, "kept_folder", lambda: tmp_path / "file" / "kept")
    assert "raw_vitals" in sql_of(VITALS, SCHEMAS)


def test_only_the_last_versions_stay(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for number in range(7):
        _fresh_process(monkeypatch)
        monkeypatch.setattr(tidings.warehouse.compiled, "_loaded_code", lambda name=f"v{number}": name)
        sql_of(VITALS, SCHEMAS)
    kept = {path.name for path in folder.iterdir()}
    assert kept == {"v3", "v4", "v5", "v6"}
