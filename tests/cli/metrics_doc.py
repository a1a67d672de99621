"""Write the table of metrics in `docs/metrics.md` anew: `make docs`."""

from __future__ import annotations

from pathlib import Path

from tidings.cli.catalog import metrics_table

FILE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- metrics -->\n", "<!-- end of metrics -->"


def with_table(text: str) -> str:
    """The document with the table as the registry is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{metrics_table()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    FILE.write_text(with_table(FILE.read_text(encoding="utf-8")), encoding="utf-8")
