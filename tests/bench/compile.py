"""Measure what the six sections compile: queries, seconds of Ibis, seconds of the engine, length of the SQL.

    python tests/bench/compile.py WORKBOOK [LIB ...]

Each `LIB` (by default this checkout's) is measured in a process of its own, in turn, so that two states of the code
are compared in one sitting.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3


def run_section(notebook: Path) -> None:
    """Run the code cells of a section without a kernel."""
    names: dict[str, Any] = {}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec(compile(ast.parse("".join(cell["source"])), notebook.name, "exec"), names)


def measure() -> dict[str, float]:
    """Seconds, queries and characters of all sections, after a first round that imports and warms up."""
    from tidings.book import Book
    from tidings.warehouse import duckdb, reader

    spent = {"compile": 0.0, "engine": 0.0}
    made: list[str] = []
    plain_compile, plain_run = duckdb.compile_sql, reader.Warehouse.run

    def compile_sql(expression: Any) -> str:
        start = time.process_time()
        made.append(plain_compile(expression))
        spent["compile"] += time.process_time() - start
        return made[-1]

    def run(self: reader.Warehouse, sql: str, expression: Any) -> Any:
        start = time.process_time()
        found = plain_run(self, sql, expression)
        spent["engine"] += time.process_time() - start
        return found

    duckdb.compile_sql, reader.Warehouse.run = compile_sql, run  # type: ignore[method-assign]
    sections = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for notebook in sections:
        run_section(notebook)
    made.clear()
    spent.update(compile=0.0, engine=0.0)
    start = time.process_time()
    for notebook in sections:
        run_section(notebook)
    found = {"all_s": time.process_time() - start, **{f"{name}_s": s for name, s in spent.items()}}
    found |= {"queries": len(made), "characters": sum(map(len, made)), "longest": max(map(len, made))}
    book = Book.open()
    book.value("downloads")
    made.clear()
    spent.update(compile=0.0)
    (sql,) = book.value("downloads").provenance.sql
    return found | {"downloads_ms": 1000 * spent["compile"] / len(made), "downloads_characters": len(sql)}


def main() -> None:
    """Print the best of several rounds of each state of the code."""
    workbook, *libs = sys.argv[1:]
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for lib in libs or [str(ROOT / "lib")]:
            settings = {**os.environ, "TIDINGS_ROOT": workbook, "PYTHONPATH": lib, "TIDINGS_MEASURE": "1"}
            told = subprocess.run([sys.executable, __file__], env=settings, check=True, capture_output=True, text=True)
            found.setdefault(lib, []).append(json.loads(told.stdout.splitlines()[-1]))
    for lib, rounds in found.items():
        print(lib, json.dumps({name: round(min(each[name] for each in rounds), 3) for name in rounds[0]}, indent=1))


if __name__ == "__main__":
    if os.environ.get("TIDINGS_MEASURE"):
        print(json.dumps(measure()))
    else:
        main()
