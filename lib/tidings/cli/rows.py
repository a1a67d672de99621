"""The verb `rows`: what is behind a figure, printed or as CSV."""

from __future__ import annotations

from pathlib import Path

import click

from tidings.errors import UsageError
from tidings.settings import Settings

_PRINTED = 50


@click.command()
@click.argument("metric")
@click.option("--where", default="", metavar="SEGMENT", help="Only rows with these values, as country=DE.")
@click.option("--from", "first", default="", metavar="DATE", help="First local day; by default 28 days are taken.")
@click.option("--to", "last", default="", metavar="DATE", help="Last local day, included.")
@click.option("--as-of", default="latest", metavar="INSTANT", help="Without what came at this instant or later.")
@click.option("--timezone", default="", metavar="ZONE", help="Zone of the days; by default the workbook's.")
@click.option("--currency", default="", metavar="CODE", help="Currency of money; by default the workbook's.")
@click.option("--csv", "file", type=click.Path(path_type=Path, dir_okay=False), help="Write all of them to this file.")
@click.pass_obj
def rows(
    settings: Settings,
    metric: str,
    where: str,
    first: str,
    last: str,
    as_of: str,
    timezone: str,
    currency: str,
    file: Path | None,
) -> None:
    """Print the largest fifty rows behind a metric, or write all of them as CSV.

    Personal columns are left out; in JupyterLab `book.rows` has them.

    \b
    tidings rows net_revenue --where country=DE --from 2026-06-01 --to 2026-06-30
    tidings rows visits --where "source=google" --csv visits.csv
    """
    from tidings.book import Book
    from tidings.display.fragments import Table
    from tidings.display.tables import text_table
    from tidings.reporting.csv_link import csv_text

    book = Book.open(
        as_of, segment=where, timezone=timezone, currency=currency, root=settings.root, first=first, last=last
    )
    found = book.largest(metric, most=None if file is not None else _PRINTED)
    click.echo(f"{found.title}, {book.window.label}{f', {book.segment}' if book.segment else ''}")
    if file is None:
        if found.rows:
            click.echo(text_table(Table.of(found), _PRINTED))
    else:
        try:
            # The mark at the start tells Excel that it is UTF-8.
            file.write_text("\ufeff" + csv_text(Table.of(found).data()), encoding="utf-8", newline="")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from error
        click.echo(str(file))
    for note in found.provenance.notes:
        click.echo(f"  {note}")
