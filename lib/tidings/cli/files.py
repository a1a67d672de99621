"""The verbs for a user's own files: `add` one as a source, `drop` wrong loads."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from tidings.errors import TidingsError, UsageError
from tidings.settings import Settings

CLOCK = "tidings.clock"
"""The key under which the command line passes on the clock."""


def _now() -> datetime:
    now: datetime = click.get_current_context().meta[CLOCK]()
    return now


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the source; by default from the name of the file.")
@click.option(
    "--kind", help="What its rows are: orders, events, requests, vitals or platform_metrics; by default the best match."
)
@click.option("--yes", is_flag=True, help="Write the table without asking.")
@click.pass_obj
def add(settings: Settings, file: Path, name: str | None, kind: str | None, yes: bool) -> None:
    """Look at a file, show its first rows as understood, and add it to the settings.

    Nothing is landed. What the file alone does not show is listed, not guessed.
    """
    from tidings.intake.adding import described, propose, write

    proposal = propose(settings, file, name, kind, _now())
    click.echo(described(proposal))
    if proposal.trial is None:
        raise UsageError(f"{file} was not added.", "Name its --kind, or rename its columns as `tidings catalog` shows.")
    if yes and proposal.trial.rejected and not proposal.trial.rows.num_rows:
        raise TidingsError(
            f"{file} was not added: none of its rows can be used this way.",
            "Leave out --yes, then set what is listed above.",
        )
    if not yes and not click.confirm("\nAdd this to pyproject.toml?"):
        click.echo("Nothing was changed.")
        return
    write(settings, proposal)
    click.echo(f"Added the source {proposal.name}. Next: tidings check && tidings pull {proposal.name}")


@click.command()
@click.argument("source")
@click.option("--load", "wanted", metavar="ID", help="One load, by its id or file; by default all of the source.")
@click.option("--yes", is_flag=True, help="Do it; without this it only shows what would be dropped.")
@click.option("--undo", is_flag=True, help="Let dropped files be landed again by the next pull.")
@click.pass_obj
def drop(settings: Settings, source: str, wanted: str | None, yes: bool, undo: bool) -> None:
    """Take out loads of a source, one or all; without --yes only show them.

    A dropped file is not landed again until it changes, or until --undo. What came from a server is requested again by
    the next pull.
    """
    from tidings.intake import dropping

    if undo:
        names = dropping.undo(settings, source)
        click.echo(f"The next pull lands again: {', '.join(names)}.")
        return
    found = dropping.loads_of(settings, source, wanted)
    click.echo(dropping.listed(found) or f"{source} has no loads in force.")
    if not found:
        return
    rows = sum(listed.load.rows for listed in found)
    loads = "1 load" if len(found) == 1 else f"{len(found):,} loads"
    if not yes:
        click.echo(f"This would drop {loads} with {rows:,} rows. To do it, add --yes.")
        return
    dropping.drop(settings, source, found, _now())
    click.echo(f"Dropped {loads} with {rows:,} rows. Next: tidings build")
    if any(listed.is_file for listed in found):
        click.echo(f"The next pull does not land these files again; to allow it: tidings drop {source} --undo")
    if not all(listed.is_file for listed in found):
        click.echo("What came from a server is requested again by the next pull.")
