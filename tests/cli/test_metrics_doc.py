"""docs/metrics.md is what the code means by its numbers."""

from __future__ import annotations

import re
from pathlib import Path

from metrics_doc import FILE, with_table

LIB = Path(__file__).resolve().parents[2] / "lib"
_REFERENCE = re.compile(r"(?:metric )?definitions? ((?:\d+(?:\.\d+)?)(?:(?:, | and )\d+(?:\.\d+)?)*)|\b(C\d{1,2})\b")


def test_it_lists_the_metrics_as_they_are() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert with_table(text) == text, "the metrics changed: make docs"


def test_every_definition_that_the_code_names_is_there() -> None:
    text = FILE.read_text(encoding="utf-8")
    known = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\b", text, flags=re.M)) | set(
        re.findall(r"^\| (C\d+) ", text, flags=re.M)
    )
    named = {
        number
        for file in LIB.rglob("*.py")
        for found in _REFERENCE.finditer(file.read_text(encoding="utf-8"))
        for number in re.findall(r"C?\d+(?:\.\d+)?", found[0])
    }
    assert {"C14", "7"} <= named
    assert named <= known
