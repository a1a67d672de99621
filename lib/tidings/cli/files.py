"""The verbs for people's own files: `add` one as a source, `drop` what was landed wrongly."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from tidings.errors import TidingsError, UsageError
from tidings.settings import Settings

CLOCK = "tidings.clock"
"""Where the command line leaves the clock that it alone reads."""


def _now() -> datetime:
    now: datetime = click.get_current_context().meta[CLOCK]()
    return now


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the source; else made of the file's name.")
@click.option("--kind", help="What its rows are: orders, events, requests, vitals or figures; else what fits best.")
@click.option("--yes", is_flag=True, help="Write the table without asking.")
@click.pass_obj
def add(settings: Settings, file: Path, name: str | None, kind: str | None, yes: bool) -> None:
    """Look at a file, show its first rows as understood, and add it to the settings.

    Nothing is landed by that. What cannot be known from the file alone is said, not guessed.
    """
    from tidings.intake.adding import described, propose, write

    proposal = propose(settings, file, name, kind, _now())
    click.echo(described(proposal))
    if proposal.trial is None:
        raise UsageError(f"{file} was not added.", "Name its --kind, or rename its columns as `tidings catalog` shows.")
    if yes and proposal.trial.rejected and not proposal.trial.rows.num_rows:
        raise TidingsError(
            f"{file} was not added: none of its rows can be used so.", "Leave out --yes, then set what is said above."
        )
    if not yes and not click.confirm("\nAdd this to pyproject.toml?"):
        click.echo("Nothing was changed.")
        return
    write(settings, proposal)
    click.echo(f"Added the source {proposal.name}. Next: tidings check && tidings pull {proposal.name}")


@click.command()
@click.argument("source")
@click.option("--load", "wanted", metavar="ID", help="One load, by its id or file; else all of the source.")
@click.option("--yes", is_flag=True, help="Do it; without this only what would go is shown.")
@click.option("--undo", is_flag=True, help="Let dropped files be landed again by the next pull.")
@click.pass_obj
def drop(settings: Settings, source: str, wanted: str | None, yes: bool, undo: bool) -> None:
    """Take out what was landed of a source, one load or all; without --yes only show it.

    A file that was dropped is not landed again until it changes, or until --undo. What was asked of a server is asked
    for again by the next pull.
    """
    from tidings.intake import dropping

    if undo:
        names = dropping.undo(settings, source)
        click.echo(f"The next pull lands again: {', '.join(names)}.")
        return
    found = dropping.loads_of(settings, source, wanted)
    click.echo(dropping.listed(found) or f"Nothing of {source} is in force.")
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
        click.echo(f"The next pull does not land these files again; to let it: tidings drop {source} --undo")
    if not all(listed.is_file for listed in found):
        click.echo("What was asked of a server is asked for again by the next pull.")
