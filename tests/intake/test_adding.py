"""`tidings add FILE`: files as shops, banks and payment services export them, recognised or explained."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidings.errors import UsageError
from tidings.intake.adding import Proposal, described, propose, write
from tidings.settings import load_settings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PROJECT = '[tool.tidings]  # my shop\ncurrency = "EUR"\n\n[tool.other]\nkept = 1  # this, too\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def understood(root: Path, content: str, file: str = "export.csv", encoding: str = "utf-8", **more: Any) -> Proposal:
    (root / file).write_bytes(content.encode(encoding))
    return propose(load_settings(root), root / file, more.get("name"), more.get("kind"), NOW)


def test_a_german_export_in_another_encoding(root: Path) -> None:
    found = understood(
        root,
        "Bestellnummer;Bestelldatum;Kundennummer;Artikel;Menge;Einzelpreis;Währung\n"
        "1001;05.10.2026 10:00;K1;Größe M;2;1.234,50;EUR\n"
        "1002;16.10.2026 11:30;K2;Größe L;1;12,00;EUR\n",
        encoding="cp1252",
    )
    assert dict(found.table) == {
        "kind": "orders",
        "path": "export.csv",
        "encoding": "cp1252",
        "decimal": ",",
        "time_format": "%d.%m.%Y %H:%M",
        "columns": {
            "order_id": "Bestellnummer",
            "ts": "Bestelldatum",
            "customer_id": "Kundennummer",
            "product": "Artikel",
            "quantity": "Menge",
            "unit_price": "Einzelpreis",
            "currency": "Währung",
        },
    }
    assert found.trial is not None and (found.trial.rows.num_rows, found.trial.rejected) == (2, 0)
    text = described(found)
    assert "separated by semicolons" in text and "Größe M" in text and "1234.5" in text
    assert "To look at: letters beyond ASCII were taken for cp1252" in text


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Numéro de commande;Date de commande;Montant TTC;Devise", "A1;13/02/2026;12,50;EUR"),
        ("Número de pedido;Fecha;Importe;Moneda", "A1;13/02/2026;12,50;EUR"),
        ("Numero ordine;Data ordine;Importo;Valuta", "A1;13/02/2026;12,50;EUR"),
        ("Ordernummer;Besteldatum;Bedrag;Valuta", "A1;13/02/2026;12,50;EUR"),
        ("Transação;Data;Valor;Moeda", "A1;13/02/2026;12,50;BRL"),
        ("OrderID,OrderDate,TotalAmount,CurrencyCode", 'A1,13/02/2026,"12,50",EUR'),
    ],
)
def test_columns_are_known_in_several_languages(root: Path, header: str, row: str) -> None:
    found = understood(root, f"{header}\n{row}\n")
    assert set(found.table["columns"]) == {"order_id", "ts", "amount", "currency"}
    assert found.trial is not None and [float(x) for x in found.trial.rows["amount"].to_pylist()] == [12.5]


def test_a_discount_is_not_an_amount(root: Path) -> None:
    found = understood(root, "Order ID,Date,Discount Amount,Item Total,Currency\n1,2026-10-05,0.50,9.50,EUR\n")
    assert found.table["columns"]["amount"] == "Item Total"


def test_a_status_of_other_words_is_not_mapped_and_reported(root: Path) -> None:
    found = understood(
        root, "Order ID,Date,Amount,Status\n1,2026-10-05,9.50,Completed\n2,2026-10-06,1,Pending review\n"
    )
    assert "status" not in found.table["columns"]
    assert any("'Status' holds 'Completed', 'Pending review'" in doubt for doubt in found.guess.doubts)


def test_lines_whose_order_stands_on_the_first_of_them(root: Path) -> None:
    found = understood(
        root,
        "Name,Created at,Currency,Total,Lineitem quantity,Lineitem name,Lineitem price\n"
        "#1,2026-10-05 10:00:00 +0200,EUR,30.00,1,Mug,10.00\n"
        "#1,,,,2,Plate,10.00\n"
        "#2,2026-10-06 10:00:00 +0200,EUR,10.00,1,Mug,10.00\n",
    )
    # The totals are those of complete orders: with the lines, 30 + 20 would be counted for order 1.
    assert dict(found.table["columns"]) == {
        "order_id": "Name",
        "ts": "Created at",
        "amount": "Total",
        "currency": "Currency",
    }
    assert any("'Created at' is empty in 33% of the rows" in doubt for doubt in found.guess.doubts)


def test_days_that_may_be_in_two_months_are_left_to_the_user(root: Path) -> None:
    found = understood(
        root, 'Date,Time,Gross,Transaction ID\n10/09/2026,14:30:00,"1,500.00",A\n11/09/2026,9:00:00,9.99,B\n'
    )
    assert "time_format" not in found.table
    doubts = " ".join(found.guess.doubts)
    assert "'10/09/2026' may be" in doubts
    assert "the time of day stands in a column of its own, 'Time'" in doubts


def test_events_requests_and_platform_metrics_are_distinguished_from_orders(root: Path) -> None:
    hits = understood(root, "time,url,referrer,ip\n2026-10-05T10:00:00Z,/a,,81.2.3.4\n", "hits.csv")
    assert hits.table["kind"] == "events" and hits.table["columns"]["ip"] == "ip"
    assert hits.table["defaults"] == {"event": "pageview"}
    calls = understood(root, "ts,endpoint,method,status,ms\n2026-10-05T10:00:00Z,/a,GET,200,12\n", "calls.csv")
    assert calls.table["kind"] == "requests" and calls.table["columns"]["latency_ms"] == "ms"
    stats = understood(root, "Date,Visits,Orders\n2026-10-05,120,5\n", "stats.csv")
    assert (stats.table["kind"], stats.table["defaults"]) == ("platform_metrics", {"metric": "visits"})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("species,width\nsetosa,1.2\n", "no column holds times"),
        ("1.5,2.5\n3,4\n", "its first line (1.5, 2.5) is a row, no names"),
        (
            "date,price\n2026-10-05,4\n",
            "it has times ('date') and numbers ('price'), and nothing says what they are of",
        ),
        (
            "1001,2026-10-05,12.50,EUR\n1002,2026-10-06,3.00,EUR\n",
            "its first line (1001, 2026-10-05, 12.50, EUR) is a row",
        ),
        ("time,count\n2015/01/01 01:00:00,2\n", "and nothing says what they are of"),
        (" id  date  paid\n 1  20261005  3.00\n 2  20261006  4.00\n", "its columns are separated by spaces"),
        ("Shop Name,Date,Total\nMain Street,2026-10-05,4\n", "no column was recognised as order_id"),
    ],
)
def test_what_fits_nothing_says_what_it_lacks(root: Path, content: str, why: str) -> None:
    found = understood(root, content)
    assert found.trial is None and why in described(found)


def test_a_currency_beside_the_amounts_is_read(root: Path) -> None:
    found = understood(root, "Order ID,Date,Total\n1,2026-10-05,£12.50\n2,2026-10-06,GBP 3\n")
    assert found.table["currency"] == "GBP" and found.trial is not None and found.trial.used == 2
    found = understood(root, "Order ID,Date,Total\n1,2026-10-05,$12.50\n", "dollars.csv")
    assert "'$12.50' may be in USD or CAD or AUD or another currency: set currency" in described(found)


def test_a_header_that_comes_again_hides_nothing(root: Path) -> None:
    head = "Order ID,Date,Total\n"
    found = understood(root, f"{head}1,05.10.2026,12.50\n2,16.10.2026,3.00\n{head}3,17.10.2026,4.00\n")
    assert found.table["time_format"] == "%d.%m.%Y"
    assert found.trial is not None and (found.trial.used, found.trial.rejected) == (3, 1)


def test_addresses_are_never_shown(root: Path) -> None:
    found = understood(root, "time,url,ip,mail\n2026-10-05T10:00:00Z,/a,81.2.3.4,joe@x.example\n")
    assert "81.2.3.4" not in described(found) and "joe@x" not in described(found)


def test_the_table_is_added_and_all_else_stays(root: Path) -> None:
    found = understood(root, "Order ID,Date,Amount\n1,2026-10-05,9.50\n", "My Export (2).csv")
    assert found.name == "my_export_2"
    write(load_settings(root), found)
    text = (root / "pyproject.toml").read_text()
    assert "# my shop" in text and "kept = 1  # this, too" in text
    assert tomllib.loads(text)["tool"]["tidings"]["sources"]["my_export_2"] == {
        "kind": "orders",
        "path": "My Export (2).csv",
        "columns": {"order_id": "Order ID", "ts": "Date", "amount": "Amount"},
    }
    with pytest.raises(UsageError, match="is read by the source my_export_2 already"):
        propose(load_settings(root), root / "My Export (2).csv", None, None, NOW)


def test_no_source_is_overwritten_and_names_are_safe(root: Path) -> None:
    write(load_settings(root), understood(root, "Order ID,Date,Amount\n1,2026-10-05,9.50\n", "2026.csv"))
    assert list(load_settings(root).sources) == ["file_2026"]
    again = understood(root, "Order ID,Date,Amount\n2,2026-10-05,9.50\n", "2026.tsv")
    assert again.name == "file_2026_2"
    with pytest.raises(UsageError, match="There is a source file_2026 already"):
        understood(root, "Order ID,Date,Amount\n2,2026-10-05,9.50\n", "x.csv", name="file_2026")
    with pytest.raises(UsageError, match="cannot name a source"):
        understood(root, "Order ID,Date,Amount\n2,2026-10-05,9.50\n", "y.csv", name="../x")


def test_a_file_in_brackets_is_found_by_the_pull_that_follows(root: Path) -> None:
    found = understood(root, "Order ID,Date,Amount\n1,2026-10-05,9.50\n", "export [1].csv")
    write(load_settings(root), found)
    from tidings.landing.store import Landing
    from tidings.sources.source import Pull, open_sources

    settings = load_settings(root)
    (source,) = open_sources(settings)
    (pulled,) = source.pull(Landing(settings.raw), Pull(NOW))
    assert pulled.rows == 1
