"""The verbs for finished runs: `export` one as PDF, spreadsheet or CSV, print one `value` of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from tidings.errors import UsageError
from tidings.language import speaking
from tidings.settings import Settings

if TYPE_CHECKING:
    from tidings.exports.writing import Kind
    from tidings.reporting.figures import Part

_SUFFIXES = {".pdf": "pdf", ".xlsx": "xlsx", ".zip": "csv"}


@click.command()
@click.argument("name", metavar="RUN|SECTION|REPORT")
@click.option(
    "--format", "kind", type=click.Choice(["pdf", "xlsx", "csv"]), help="By default what --to ends in, or pdf."
)
@click.option("--to", "target", type=click.Path(path_type=Path), help="File or folder; by default a file here.")
@click.option("--variant", default="", metavar="NAME", help="This variant of the report, not the first.")
@click.pass_obj
def export(settings: Settings, name: str, kind: str | None, target: Path | None, variant: str) -> None:
    """Write a finished run, or a section of it, to one file, and print its path.

    RUN is a run's id, its folder or a page in it, or report/slot; the name of a report or section is its latest run.

    \b
    tidings export weekly
    tidings export commerce --format xlsx --to revenue.xlsx
    tidings export weekly/2026-07-01 --format csv --to weekly.zip
    """
    from tidings.exports.writing import usual_name, write_export
    from tidings.reporting.finished import finished_run

    of_name = _SUFFIXES.get(target.suffix.lower()) if target is not None else None
    if kind and of_name and kind != of_name:
        raise UsageError(f"--format {kind} does not fit --to {target}.", f"Leave --format out for {of_name}.")
    run, wanted = finished_run(settings, name, variant), cast("Kind", kind or of_name or "pdf")
    usual = usual_name(run, wanted)
    # CSV may be a folder itself, then of its own name.
    inside = target is not None and target.is_dir() and wanted != "csv"
    file = Path(usual) if target is None else target / usual if inside else target
    with speaking(settings.language(run.locale)):
        click.echo(str(write_export(run, wanted, file)))


@click.command()
@click.argument("name", metavar="RUN|SECTION|REPORT")
@click.argument("metric")
@click.option(
    "--of",
    "part",
    type=click.Choice(["value", "change", "before"]),
    default="value",
    help="The value, its change relative to the value before (0.1 is 10 %, also of rates), or the value before.",
)
@click.option("--section", default="", metavar="NAME", help="As this section shows it.")
@click.option("--variant", default="", metavar="NAME", help="Of this variant of the report, not the first.")
@click.pass_obj
def value(settings: Settings, name: str, metric: str, part: Part, section: str, variant: str) -> None:
    """Print one figure of a finished run as a plain number, for scripts.

    What is not known is no number: exit code 1, and the reason on standard error.

    \b
    tidings value weekly net_revenue
    tidings value weekly/2026-07-01 net_revenue --of change
    """
    from tidings.reporting.figures import figure_of, required
    from tidings.reporting.finished import finished_run

    run = finished_run(settings, name, variant)
    click.echo(required(figure_of(run, metric, section), part))
