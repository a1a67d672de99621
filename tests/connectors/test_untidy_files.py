# ruff: noqa: E501 - inputs are shown as they are
"""Files as people have them, and as accidents leave them: each row is landed or rejected, no file stops another."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import zipfile
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tidings.errors import SourceError
from tidings.landing.store import Landing, landed_files
from tidings.settings import Settings
from tidings.sources.source import Pull, Pulled, open_sources

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = {"order_id": "Invoice", "ts": "Date", "amount": "Total"}
ALL = {**COLUMNS, "customer_id": "Customer", "country": "Country"}


def pull(root: Path, path: str, **table: Any) -> tuple[list[Pulled], str]:
    """The messages of a pull on its files, and its error."""
    sources = {"shop": {"kind": "orders", "path": path, "columns": COLUMNS, **table}}
    (source,) = open_sources(Settings(root=root, currency="EUR", sources=sources))
    pulled: list[Pulled] = []
    try:
        for each in source.pull(Landing(root / "data" / "raw"), Pull(NOW)):
            pulled.append(each)
    except SourceError as error:
        return pulled, str(error)
    return pulled, ""


def landed(root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    files = landed_files(root / "data" / "raw")
    rejected = [file.rejected_path for file in files if file.rejected_path]
    rows = [row for file in files for row in pq.read_table(file.path).to_pylist()]
    return rows, [row for path in rejected for row in pq.read_table(path).to_pylist()]


def orders(root: Path) -> list[tuple[str, Decimal]]:
    return [(row["order_id"], row["amount"]) for row in landed(root)[0]]


TWO = [("1", Decimal("12.5")), ("2", Decimal(3))]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("sep=;\nInvoice;Date;Total\n1;2026-11-01;12.50\n2;2026-11-02;3\n", id="Excel's own line"),
        pytest.param('"sep=;"\r\nInvoice;Date;Total\r\n1;2026-11-01;12.50\r\n2;2026-11-02;3\r\n', id="quoted"),
        pytest.param("\ufeffSEP=\t\nInvoice\tDate\tTotal\n1\t2026-11-01\t12.50\n2\t2026-11-02\t3\n", id="tab"),
        pytest.param("Invoice,Date,Total\r1,2026-11-01,12.50\r2,2026-11-02,3\r", id="CR line ends"),
        pytest.param(
            "# ----\n# All web site data\n# 20261101-20261120\n# ----\n\nInvoice,Date,Total\n1,2026-11-01,12.50\n2,2026-11-02,3\n",
            id="a preamble with #",
        ),
        pytest.param(
            "Sales report\nNov 1, 2026 - Nov 20, 2026\nInvoice,Date,Total\n1,2026-11-01,12.50\n2,2026-11-02,3\n",
            id="a preamble of prose",
        ),
        pytest.param("\n\nInvoice,Date,Total\n1,2026-11-01,12.50\n2,2026-11-02,3\n", id="empty lines first"),
        pytest.param(
            "\ufeff Invoice ,Date\u00a0, Total\u200b\n1,2026-11-01,12.50\n2,2026-11-02,3\n", id="blanks in the header"
        ),
        pytest.param("#,Invoice,Date,Total\n1,1,2026-11-01,12.50\n2,2,2026-11-02,3\n", id="a column called #"),
        pytest.param("Invoice,Date,Total,,\n1,2026-11-01,12.50,,\n2,2026-11-02,3,,,,\n", id="empty cells too many"),
        pytest.param("Invoice,Date,Total,Note,Note\n1,2026-11-01,12.50,a,b\n2,2026-11-02,3,,\n", id="a name twice"),
        pytest.param("Invoice,Date,Total\r\n1,2026-11-01,12.50\r\n2,2026-11-02,3", id="no last line end"),
        pytest.param('Invoice|Date|Total\n"1"|2026-11-01|"12.50"\n2|2026-11-02|3\n', id="pipes"),
    ],
)
def test_tables_of_text_as_programs_write_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8", newline="")
    _, failed = pull(tmp_path, "a.csv")
    assert failed == ""
    assert orders(tmp_path) == TWO
    assert landed(tmp_path)[1] == []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert [row["_line"] for row in landed(tmp_path)[0]] == [
        number for number, line in enumerate(lines, 1) if "2026-11-0" in line
    ]


def test_trailing_cells_may_be_left_out_but_not_of_what_is_required(tmp_path: Path) -> None:
    text = "Invoice,Date,Total,Customer,Country\n1,2026-11-01,12.50,k,DE\n2,2026-11-02,3\n3,2026-11-02\n4,2026-11-02,5,k,DE\n"
    (tmp_path / "a.csv").write_text(text)
    pull(tmp_path, "a.csv", columns=ALL)
    assert [(row["order_id"], row["customer_id"]) for row in landed(tmp_path)[0]] == [
        ("1", "k"),
        ("2", None),
        ("4", "k"),
    ]
    assert [row["reason"] for row in landed(tmp_path)[1]] == ["2 values where the header has 5 columns"]


def test_a_last_line_that_is_cut_off_is_not_a_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Invoice,Date,Total,Customer\n1,2026-11-01,12.50,k\n2,2026-11-02,3")
    pull(tmp_path, "a.csv")
    assert [order for order, _ in orders(tmp_path)] == ["1"], "3 may be the beginning of 31.75"
    assert "is the file cut off?" in landed(tmp_path)[1][0]["reason"]


def test_a_footer_of_totals_is_rejected_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Invoice,Date,Total\n1,2026-11-01,12.50\n2,2026-11-02,3\nTotal,,15.50\n")
    pull(tmp_path, "a.csv")
    assert orders(tmp_path) == TWO
    assert [row["reason"] for row in landed(tmp_path)[1]] == ["ts: is missing"]


def quoted(*lines: str) -> str:
    return "Invoice,Date,Total,Note\n" + "".join(f"{line}\n" for line in lines)


ROWS = [f"{n},2026-11-0{n},{n},note {n}" for n in range(1, 10)]


def with_line(number: int, line: str, *more: tuple[int, str]) -> list[str]:
    rows = [*ROWS]
    for at, text in ((number, line), *more):
        rows[at - 1] = text
    return rows


@pytest.mark.parametrize(
    ("lines", "lost"),
    [
        # Two quotes in last cells: lines 3 to 8 are one value for every CSV reader.
        (with_line(3, '3,2026-11-03,3,"note 3', (8, '8,2026-11-08,8,note 8"')), {3, 8}),
        (with_line(3, '3,2026-11-03,3,"note 3', (4, '4,2026-11-04,4,note 4"')), {3, 4}),
        (with_line(2, '"2,2026-11-02,2,note 2', (7, '7",2026-11-07,7,note 7')), {2, 7}),
        (with_line(3, '3,2026-11-03,3,"note 3', (8, '8,2026-11-08,8,"note 8')), {3, 8}),
        (with_line(5, '5,2026-11-05,5,5" disc'), set()),
        (with_line(9, '9,2026-11-09,9,"never closed'), {9}),
        (with_line(4, '4,2026-11-04,4,"a ""quoted"" word"'), set()),
    ],
)
def test_a_stray_quote_costs_its_own_line(lines: list[str], lost: set[int], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(quoted(*lines))
    pull(tmp_path, "a.csv")
    rows, rejected = landed(tmp_path)
    assert len(rows) + len(rejected) == 9
    assert {row["line"] - 1 for row in rejected} <= lost
    assert {int(row["order_id"]) for row in rows} >= set(range(1, 10)) - lost


@pytest.mark.parametrize(
    "cell",
    ["two\nlines", "a, b, c\nand, so, on", "\n\n\n", "Smith, 12\nMain Street 7, 10115, Berlin", 'said ""no""\nand left', "x\n" * 150],
)  # fmt: skip
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_values_of_several_lines_are_values(cell: str, place: str, tmp_path: Path) -> None:
    order = {"first": "{c},{i},{d},{t}", "middle": "{i},{c},{d},{t}", "last": "{i},{d},{t},{c}"}[place]
    lines = [order.format(i="Invoice", d="Date", t="Total", c="Note")]
    lines += [order.format(i=n, d=f"2026-11-0{n}", t=n, c=f'"{cell}"' if n == 3 else f"note {n}") for n in range(1, 6)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    pull(tmp_path, "a.csv")
    rows, rejected = landed(tmp_path)
    assert [row["order_id"] for row in rows] == ["1", "2", "3", "4", "5"], rejected
    assert json.loads(rows[2]["_record"])["Note"] == cell.replace('""', '"')


def test_a_value_longer_than_python_reads_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        quoted('1,2026-11-01,1,"' + "long\n" * 100 + "x" * 300_000 + '"', "2,2026-11-02,2,")
    )
    pull(tmp_path, "a.csv")
    assert [order for order, _ in orders(tmp_path)] == ["1", "2"]


OBJECT = {"Invoice": "1", "Date": "2026-11-01", "Total": 12.5, "items": [{"Invoice": 9}, {"Invoice": 8}]}
SECOND = {**OBJECT, "Invoice": "2", "Total": 3}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ending", ["json", "json.gz"])
def test_a_list_of_objects_is_read(indent: int | None, ending: str, tmp_path: Path) -> None:
    text = json.dumps([OBJECT, SECOND], indent=indent).encode()
    (tmp_path / f"a.{ending}").write_bytes(gzip.compress(text) if ending.endswith("gz") else text)
    assert pull(tmp_path, f"a.{ending}")[1] == ""
    assert orders(tmp_path) == TWO
    assert [row["_line"] for row in landed(tmp_path)[0]] == [1, 2]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "broken",
    ['{"Invoice": "7", "Date": }', '{"Invoice": "7"', '{"Invoice": "7" "Date": 1}', "7", '{"Invoice": "7", "x": ' + "[" * 9000 + "]" * 9000 + "}"],
    ids=["no value", "not closed", "no comma", "a number", "deep"],
)  # fmt: skip
def test_a_broken_element_costs_itself(broken: str, indent: int | None, tmp_path: Path) -> None:
    marked = json.dumps([OBJECT, {**OBJECT, "Invoice": "BROKEN"}, SECOND], indent=indent)
    first = marked.index("{", marked.index('"Invoice": 8'))
    start, end = first, marked.rindex("}", 0, marked.index("{", marked.index('"Invoice": 8', first))) + 1
    assert '"BROKEN"' in marked[start:end]
    (tmp_path / "a.json").write_text(marked[:start] + broken + marked[end:])
    pull(tmp_path, "a.json")
    assert orders(tmp_path) == TWO
    assert len(landed(tmp_path)[1]) == 1


def test_json_of_any_depth_and_numbers_of_any_length(tmp_path: Path) -> None:
    lines = [json.dumps(OBJECT), *('{"Invoice": "d", "Date": "2026-11-01", "Total": 1, "x": ' + "[" * n + "]" * n + "}" for n in (50, 400, 2_000, 200_000))]  # fmt: skip
    lines += ['{"Invoice": 5, "Date": "2026-11-01", "Total": ' + "9" * 4000 + "}", json.dumps(SECOND)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    pull(tmp_path, "a.jsonl")
    rows, rejected = landed(tmp_path)
    assert [row["order_id"] for row in rows] == ["1", "d", "d", "2"]
    deep = "the line is nested more than 500 deep"
    assert sorted(row["reason"][-40:] for row in rejected)[-2:] == [deep[-40:]] * 2
    assert len(rejected) == 3


def as_zip(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            # Not the time of day, which would be in the name of the test.
            archive.writestr(zipfile.ZipInfo(name), "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("b.xlsx", as_zip("xl/workbook.xml"), "b.xlsx is an Excel workbook. Save it as CSV"),
        ("b.csv", as_zip("[Content_Types].xml", "xl/workbook.xml"), "it holds an Excel workbook, not text. Save it as CSV"),
        ("b.csv", as_zip("mimetype", "content.xml"), "it holds an OpenDocument spreadsheet, not text. Save it as CSV"),
        ("b.csv", as_zip("a.csv"), "it holds a ZIP archive, not text. Unpack it"),
        ("b.csv", b"PK\x03\x04broken", "it holds a damaged ZIP archive"),
        ("b.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "b.xls is an Excel workbook. Save it as CSV"),
        ("b.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old kind, not text. Save it as CSV"),
        ("b.csv.gz", gzip.compress(as_zip("xl/workbook.xml"), mtime=0), "b.csv.gz holds a ZIP archive, not text"),
        ("b.csv", b"%PDF-1.7", "it holds a PDF"),
        ("b.csv", b"\r\n<!DOCTYPE html><title>Sign in", "it holds a web page"),
        ("b.csv", b"SQLite format 3\x00", 'Read it with kind = "database"'),
        ("b.csv", b"ARROW1\x00\x00", "Write it as Parquet"),
        ("b.csv", b"BZh9", "it holds bzip2, not text. Unpack it"),
        ("b.zip", b"PK\x03\x04", "b.zip is a ZIP archive"),
        ("b.doc", b"x", "b.doc has the ending '.doc', which does not say what it holds"),
        ("b.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "b.parquet cannot be read as Parquet"),
        ("b.csv.gz", gzip.compress(b"Invoice,Date,Total\n" * 9999, mtime=0)[:-40], "b.csv.gz cannot be unpacked"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_table_is_named_and_the_others_land(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    for other in ("a.csv", "c.csv"):
        (tmp_path / other).write_text("Invoice,Date,Total\n1,2026-11-01,12.50\n")
    (tmp_path / name).write_bytes(content)
    _, failed = pull(tmp_path, "*.*")
    assert said in failed
    assert len(orders(tmp_path)) == 2


def test_folders_dead_links_and_names_that_are_not_utf8_do_not_stop_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("Invoice,Date,Total\n1,2026-11-01,12.50\n")
    (folder / "b.csv").mkdir()
    (folder / "c.csv").symlink_to(folder / "nowhere")
    Path(os.fsdecode(os.fsencode(folder) + b"/d\xff\n.csv")).write_text("Invoice,Date,Total\n2,2026-11-01,1\n")
    os.mkfifo(folder / "e.csv")
    _, failed = pull(tmp_path, "in/*.csv")
    assert [order for order, _ in orders(tmp_path)] == ["1"]
    for said in (
        "in/b.csv is a folder",
        "in/c.csv cannot be opened",
        r"The name of in/d\xff\x0a.csv is not UTF-8",
        "in/e.csv is not a file",
    ):
        assert said in failed
    assert pull(tmp_path, "in")[1] == "in is a folder. To read the files in it, write path = 'in/*.csv'."


def test_an_unreadable_file_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("Invoice,Date,Total\n1,2026-11-01,12.50\n")
    opened = Path.open

    def refused(self: Path, *args: Any, **options: Any) -> Any:
        if self.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return opened(self, *args, **options)

    monkeypatch.setattr(Path, "open", refused)
    assert pull(tmp_path, "*.csv")[1].startswith("a.csv cannot be opened: Permission denied.")
    assert len(orders(tmp_path)) == 1


@pytest.mark.parametrize(
    ("encoding", "option"),
    [("utf-8", {}), ("utf-8-sig", {}), ("utf-8-sig", {"encoding": "cp1252"}), ("utf-16", {}), ("utf-32", {}),
     ("utf-16-le", {"encoding": "utf-16-le"}), ("latin-1", {"encoding": "latin-1"}), ("cp1252", {"encoding": "cp1252"}),
     ("shift_jis", {"encoding": "shift_jis"})],
)  # fmt: skip
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_encodings_by_their_mark_or_by_option(encoding: str, option: dict[str, str], form: str, tmp_path: Path) -> None:
    name = "日本" if encoding == "shift_jis" else "Müller"
    text = f"Invoice,Date,Total\n{name},2026-11-01,1\n"
    if form == "jsonl":
        text = json.dumps({"Invoice": name, "Date": "2026-11-01", "Total": 1}, ensure_ascii=False) + "\n"
    (tmp_path / f"a.{form}").write_bytes(text.encode(encoding))
    assert pull(tmp_path, f"a.{form}", **option)[1] == ""
    assert orders(tmp_path) == [(name, Decimal(1))]


@pytest.mark.parametrize(
    ("encoding", "bad"), [("utf-8", b"\xff"), ("cp1252", b"\x81"), ("utf-16", b"\x00\xdc"), ("shift_jis", b"\xff")]
)
def test_bytes_that_are_not_in_the_encoding_cost_their_line(encoding: str, bad: bytes, tmp_path: Path) -> None:
    lines = [f"{n},2026-11-01,{n}\n" for n in range(1, 31)]
    text = ("Invoice,Date,Total\n" + "".join(lines)).encode(encoding)
    (tmp_path / "a.csv").write_bytes(
        text.replace(
            "\n3,2026".encode(encoding).removeprefix(b"\xff\xfe"),
            "\n".encode(encoding).removeprefix(b"\xff\xfe") + bad + ",2026".encode(encoding).removeprefix(b"\xff\xfe"),
        )
    )
    pull(tmp_path, "a.csv", encoding=encoding)
    rows, rejected = landed(tmp_path)
    assert [row["order_id"] for row in rows] == [str(n) for n in range(1, 31) if n != 3]
    assert len(rejected) == 1


# Seeded, so that each run tries the same: bytes changed, cut, lines swapped, doubled, quotes and brackets put in.
def mutated(text: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    out = bytearray(text)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out)) if out else 0
        kind = rng.randrange(7)
        if kind == 0 and out:
            out[at] = rng.randrange(256)
        elif kind == 1:
            out[at:at] = rng.choice(
                [b'"', b'""', b'"\n', b",", b";", b"\n", b"\r", b"\x00", b"{", b"}", b"]", b"[", b"\\", b"\xff"]
            )
        elif kind == 2:
            del out[at : at + rng.randint(1, 30)]
        elif kind == 3:
            lines = out.split(b"\n")
            rng.shuffle(lines[1:])
            a, b = (rng.randrange(len(lines)) for _ in range(2))
            lines[a], lines[b] = lines[b], lines[a]
            out = bytearray(b"\n".join(lines))
        elif kind == 4:
            del out[at:]
        elif kind == 5:
            out[at:at] = out[at : at + rng.randint(1, 60)]
        else:
            out[at : at + 1] = b"\xed\xa0\xbd"
    return bytes(out)


def csv_text(delimiter: str) -> str:
    rows = [["Invoice", "Date", "Total", "Note"]]
    rows += [[f"o{n}", f"2026-11-{n % 20 + 1:02d}", f"{n}.25", f'"note {n}"' if n % 3 else "plain"] for n in range(60)]
    return "".join(delimiter.join(row) + "\n" for row in rows)


@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 60), marks=pytest.mark.proof)], ids=["few", "many"])
@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "json", "json.gz", "parquet"])
def test_whatever_happens_to_a_file_nothing_is_lost_silently(form: str, seeds: range, tmp_path: Path) -> None:
    objects = [
        {"Invoice": f"o{n}", "Date": f"2026-11-{n % 20 + 1:02d}", "Total": n + 0.25, "Note": f"note {n}"}
        for n in range(60)
    ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(objects), sink)
    texts = {
        "csv": csv_text(",").encode(),
        "tsv": csv_text("\t").encode(),
        "jsonl": "".join(json.dumps(each) + "\n" for each in objects).encode(),
        "json": json.dumps(objects, indent=1).encode(),
        "parquet": sink.getvalue(),
    }
    base = form.removesuffix(".gz")
    for seed in seeds:
        root = tmp_path / f"{form}{seed}"
        root.mkdir()
        content = mutated(texts[base], seed)
        if form.endswith(".gz"):
            content = gzip.compress(content) if seed % 2 else mutated(gzip.compress(texts[base]), seed)
        (root / f"a.{form}").write_bytes(content)
        (root / f"b.{base}").write_bytes(texts[base])
        pulled, failed = pull(root, "*.*")
        partitions = {each.partition: each for each in pulled}
        assert partitions[f"b.{base}"].rows == 60, "the other file is landed completely"
        one = partitions.get(f"a.{form}")
        assert (one is None) == bool(failed), "it is landed, or reported"
        if one is None:
            assert f"a.{form}" in failed
        elif base in ("csv", "tsv") and (form == base or seed % 2):
            rows_of_lines(root, texts_of(content, form), f"a.{form}")
        elif base == "jsonl" and (form == base or seed % 2):
            lines = [line for line in texts_of(content, form).split(b"\n") if line.strip()]
            assert one.rows + one.rejected == len(lines), seed
        elif base == "parquet":
            assert one.rows + one.rejected == pq.read_metadata(root / "a.parquet").num_rows
        elif base == "json" and (form == base or seed % 2):
            assert one.rows + one.rejected >= 1
            unharmed = [
                each
                for each in objects
                if json.dumps(each, indent=1).encode().replace(b"\n", b"\n ") in texts_of(content, form)
            ]
            assert one.rows >= min(len(unharmed), 60) - 3, seed


def texts_of(content: bytes, form: str) -> bytes:
    return gzip.decompress(content) if form.endswith(".gz") else content


def rows_of_lines(root: Path, content: bytes, partition: str) -> None:
    """Each non-empty line except the header is in one row, landed or rejected, or inside a landed value."""
    (file,) = [file for file in landed_files(root / "data" / "raw") if file.partition == partition]
    rows = pq.read_table(file.path).to_pylist()
    rejected = pq.read_table(file.rejected_path).to_pylist() if file.rejected_path else []
    seen: Counter[int] = Counter()
    for row in rows:
        height = sum(str(value).count("\n") for value in json.loads(row["_record"]).values())
        seen.update(range(row["_line"], row["_line"] + height + 1))
    for row in rejected:
        values = (
            json.loads(row["record"])
            if row["record"].startswith("{") and row["record"].endswith("}")
            else {"": row["record"]}
        )
        height = sum(str(value).count("\n") for value in values.values())
        seen.update(range(row["line"], row["line"] + height + 1))
    lines = content.split(b"\n")
    filled = {n for n, line in enumerate(lines, 1) if line.strip(b"\r")}
    assert [line for line, times in seen.items() if times > 1] == []
    assert len(filled - set(seen)) == 1, ("all but the header", partition, content)


def test_an_amount_may_name_its_own_currency_and_no_other(tmp_path: Path) -> None:
    lines = [
        "1,2026-11-01,€ 5,",
        "2,2026-11-01,$5,",
        "3,2026-11-01,$5,cad",
        "4,2026-11-01,-5.00 USD,USD",
        "5,2026-11-01,9 EUR,",
    ]
    (tmp_path / "a.csv").write_text("Invoice,Date,Total,Cur\n" + "".join(f"{line}\n" for line in lines))
    pull(tmp_path, "a.csv", columns={**COLUMNS, "currency": "Cur"})
    found = [(row["order_id"], row["type"], row["amount"], row["currency"]) for row in landed(tmp_path)[0]]
    assert found == [
        ("1", "charge", 5, "EUR"),
        ("3", "charge", 5, "CAD"),
        ("4", "refund", 5, "USD"),
        ("5", "charge", 9, "EUR"),
    ]
    assert [row["reason"] for row in landed(tmp_path)[1]] == ["amount: '$5' is not in EUR"]


def test_a_percentage_is_a_figure_and_no_amount(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Invoice,Date,Total\n1,2026-11-01,19%\n")
    pull(tmp_path, "a.csv")
    assert [row["reason"] for row in landed(tmp_path)[1]] == ["amount: '19%' is a percentage"]
    (tmp_path / "f.csv").write_text("day,what,n\n2026-11-01,crash_rate,1.2%\n")
    pull(tmp_path, "f.csv", kind="platform_metrics", columns={"ts": "day", "metric": "what", "value": "n"})
    assert Decimal("0.012") in [row.get("value") for row in landed(tmp_path)[0]]


def test_lists_are_no_text_for_helpers_either(tmp_path: Path) -> None:
    lines = [{"ts": "2026-11-01", "event": "e", "url": ["/a"]}, {"ts": "2026-11-01", "event": "e", "url": "/a"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    pull(tmp_path, "a.jsonl", kind="events", columns={"ts": "ts", "event": "event", "url": "url"})
    assert [row["path"] for row in landed(tmp_path)[0]] == ["/a"]
    assert [row["reason"] for row in landed(tmp_path)[1]] == ["url: is a list or an object, not text"]
    table = pa.table({"ts": ["2026-11-01"] * 2, "event": ["e", "e"], "url": pa.array([["/b"], None]), "agent": [1, 2]})
    pq.write_table(table, tmp_path / "a.parquet")
    pull(
        tmp_path,
        "a.parquet",
        kind="events",
        columns={"ts": "ts", "event": "event", "url": "url", "user_agent": "agent"},
    )
    assert "url: '[/b]' is a list or an object, not text" in [row["reason"] for row in landed(tmp_path)[1]]


def test_a_parquet_file_may_have_anything_in_columns_that_nobody_reads(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Invoice": ["1"],
            "Date": pa.array([datetime(2026, 11, 1, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")),
            "Total": pa.array([Decimal("12.50")], pa.decimal256(50, 2)).cast(pa.decimal128(20, 2)),
            "wide": pa.array([Decimal("12.50")], pa.decimal256(50, 2)),
            "took": pa.array([1_000], pa.duration("ms")),
            "many": pa.array([[{"a": [b"\xff"]}]]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert pull(tmp_path, "a.parquet")[1] == ""
    (row,) = landed(tmp_path)[0]
    assert (row["ts"], row["amount"]) == (datetime(2026, 11, 1), Decimal("12.5"))
    assert json.loads(row["_record"])["wide"] == "12.50", "it was 209715200"
