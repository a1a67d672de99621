"""The command line: verbs only. Exit codes: 0 done, 1 failed, 2 used wrongly, 75 waits, 130 Ctrl-C, 143 another signal.

The only place that reads the clock: everything below gets `now` or `as_of` as a parameter.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from tqdm import tqdm

from tidings.cli.alerting import alerts
from tidings.cli.clock import deliveries_, due, preview, schedule, send, serve, step
from tidings.cli.exporting import export, value
from tidings.cli.files import CLOCK, add, drop
from tidings.cli.rows import rows
from tidings.cli.status import status
from tidings.errors import TidingsError, UsageError, suggest, understood
from tidings.ledger.turn import turn
from tidings.secrets import Redactor
from tidings.settings import Settings, load_settings

if TYPE_CHECKING:
    from tidings.intake.pulling import Outcome
    from tidings.sources.source import Pulled

_GRACE_S = 10.0
_LEVELS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Verbs(click.Group):
    """A group that suggests verbs, and turns every error into one of ours."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; errors come out as sentences without secrets."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except Exception as error:
            settings = ctx.obj if isinstance(ctx.obj, Settings) else None
            known = understood(error, settings.root if settings else None) or _unknown(error, settings)
            if settings is not None and not isinstance(known, UsageError):
                redact = _redactor(settings)
                known.failed, known.remedy = redact(known.failed), redact(known.remedy)
            if known is error:
                raise
            raise known from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise UsageError(f"There is no command '{args[0]}'.", suggest(args[0], self.commands))
        return super().resolve_command(ctx, args)


class _Bars:
    """Progress as bars on a terminal, as one line per finished step elsewhere."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._what = ""

    def __call__(self, what: str, done: int, total: int) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None or what != self._what:
            self.close()
            self._bar = tqdm(total=total or None, desc=what, leave=False, file=sys.stderr, dynamic_ncols=True)
            self._what = what
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Lines:
    """One line per source being pulled, on a terminal; messages of finished ones stay above."""

    def __init__(self, names: Sequence[str]) -> None:
        self._bars: dict[str, tqdm] = {}
        if sys.stderr.isatty():
            for position, name in enumerate(names):
                self._bars[name] = tqdm(
                    bar_format="{desc}", desc=f"{name}: asking", position=position, leave=False, file=sys.stderr
                )

    def __call__(self, source: str, what: str, done: int, total: int) -> None:
        if source in self._bars:
            of = f" of {total:,}" if total else ""
            self._bars[source].set_description_str(f"{source}: {what} {done:,}{of}")

    def done(self, source: str, said: str) -> None:
        """Replace a source's line by its result."""
        if source in self._bars:
            self._bars.pop(source).close()
        tqdm.write(said, file=sys.stdout)
        sys.stdout.flush()

    def close(self) -> None:
        """Remove all lines from the screen."""
        for bar in self._bars.values():
            bar.close()


@contextmanager
def _lines(names: Sequence[str]) -> Iterator[_Lines]:
    lines = _Lines(names)
    try:
        yield lines
    finally:
        lines.close()


@contextmanager
def _progress() -> Iterator[_Bars]:
    bars = _Bars()
    try:
        yield bars
    finally:
        bars.close()


def _redactor(settings: Settings) -> Redactor:
    """The redactor of the workbook's secrets; without those of its sources if they cannot be opened."""
    try:
        from tidings.sources.credentials import credentials

        return credentials(settings).redactor
    except Exception:  # noqa: BLE001 - an error is being reported already: a second one must not replace it
        return Redactor(filter(None, map(settings.secret_value, settings.withheld())))


def _unknown(error: Exception, settings: Settings | None) -> TidingsError:
    """An unexpected error: its traceback goes, without secrets, into a file for a bug report."""
    reported = f"Tidings met an unexpected error: {type(error).__name__}: {str(error)[:300]}".rstrip(": ")
    if settings is None:
        return TidingsError(f"{reported}.", "Please report it.")
    file = settings.root / "data" / "crash.txt"
    try:
        file.write_text(_redactor(settings)("".join(traceback.format_exception(error))), encoding="utf-8")
    except OSError:
        return TidingsError(f"{reported}.", "Please report it.")
    return TidingsError(f"{reported}.", f"Please report it with {file}.")


def _now() -> datetime:
    return datetime.now(UTC)


@click.group(cls=_Verbs, context_settings=HELP)
@click.version_option(package_name="tidings", prog_name="tidings")
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the workbook; by default $TIDINGS_ROOT or here."
)
@click.pass_context
def tidings(ctx: click.Context, root: Path | None) -> None:
    """Pull data from where it lives, model it, and turn notebooks into reports.

    \b
    A day with it:  tidings pull && tidings build && tidings run weekly
    """
    ctx.meta[CLOCK] = _now
    if ctx.invoked_subcommand is not None:
        ctx.obj = load_settings(root)


@tidings.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option("--since", metavar="DATE", help="Request the days from this one on, landed before or not.")
@click.option("--until", metavar="DATE", help="Request the days up to and including this one.")
@click.option("--again", is_flag=True, help="Land again also what has not changed.")
@click.pass_obj
def pull(settings: Settings, sources: tuple[str, ...], since: str | None, until: str | None, again: bool) -> None:
    """Land the data of all configured sources, or of those named, all at once.

    Without dates it requests what is new and what may have changed. A pull that was stopped continues where it was.
    """
    from tidings.intake.pulling import pull_sources
    from tidings.sources.source import Pull, open_sources
    from tidings.window import parse_date

    opened = open_sources(settings, dict.fromkeys(sources) or None)
    if not opened:
        raise UsageError("No source is configured.", "Add a [tool.tidings.sources.<name>] table to pyproject.toml.")
    order = Pull(_now(), again, since=parse_date(since) if since else None, until=parse_date(until) if until else None)
    if order.since and order.until and order.since > order.until:
        raise UsageError(f"--since {since} is after --until {until}.", "Exchange the two dates.")
    for sentence in dict.fromkeys((*settings.exposed(), *(each for source in opened for each in source.warnings()))):
        click.echo(f"  {sentence}", err=True)
    outcomes: list[Outcome] = []
    redact = _redactor(settings)
    with _turn(settings, "tidings pull"), _lines([source.name for source in opened]) as lines:
        for outcome in pull_sources(settings, opened, order, lines):
            outcomes.append(outcome)
            lines.done(outcome.source, redact(_reported(outcome)))
    unknown = next((o.error for o in outcomes if o.error and not isinstance(o.error, TidingsError)), None)
    if unknown is not None:
        raise unknown
    failed = sorted(outcome.source for outcome in outcomes if outcome.error)
    if failed:
        of = "1 source" if len(opened) == 1 else f"{len(opened)} sources"
        raise TidingsError(f"{len(failed)} of {of} failed or are incomplete: {', '.join(failed)}.", "See above.")


def _reported(outcome: Outcome) -> str:
    """The report on one source: its total, a line per endpoint, warnings."""
    # Of what is unchanged nothing was looked at anew.
    is_anew = not outcome.partitions or any(not partition.skipped for partition in outcome.partitions)
    rejected = f", {outcome.rejected:,} rejected" if outcome.rejected else ", none rejected" if is_anew else ""
    restated = f", {outcome.restated:,} days restated" if outcome.restated else ""
    rows = "1 row" if outcome.rows == 1 else f"{outcome.rows:,} rows"
    lines = [f"{outcome.source}: {rows}{rejected}{restated} ({outcome.seconds:.1f} s)"]
    if outcome.error is not None:
        lines = [f"{outcome.source}: {outcome.status}. {outcome.reported()}"]
    partitions: dict[tuple[str, bool], list[Pulled]] = {}
    for partition in outcome.partitions:
        partitions.setdefault((partition.endpoint, partition.skipped), []).append(partition)
    for (endpoint, skipped), group in partitions.items():
        # Files are listed one by one, days together.
        name = f" {group[0].partition}" if len(group) == 1 and group[0].partition else ""
        state = "unchanged, kept" if skipped else "landed"
        count = sum(partition.rows for partition in group)
        # What was rejected when it was landed is still missing.
        missing = sum(partition.rejected for partition in group) if skipped else 0
        state += f", {missing:,} rejected as before" if missing else ""
        lines.append(f"  {outcome.source}/{endpoint}{name}: {count:,} row{'' if count == 1 else 's'} {state}")
    return "\n".join([*lines, *(f"    {message}" for message in outcome.messages)])


@tidings.command()
@click.pass_obj
def build(settings: Settings) -> None:
    """Build a new warehouse from the landed data, check every contract, then switch to it."""
    from tidings.intake.building import build_recorded

    with _turn(settings, "tidings build"), _progress() as progress:
        result, seconds = build_recorded(settings, _now(), _redactor(settings), progress)
    for warning in result.warnings:
        click.echo(f"  {warning}")
    if result.unchanged:
        click.echo(f"Nothing new: build {result.build_id} is current.")
    else:
        click.echo(f"Built {result.build_id}: {result.tables} tables, {result.rows:,} rows ({seconds:.1f} s)")


@tidings.command()
@click.argument("name", metavar="REPORT|SECTION")
@click.option("-p", "--parameter", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable.")
@click.option("--variant", default="", metavar="NAME", help="Run this variant of the report alone.")
@click.pass_obj
def run(settings: Settings, name: str, pairs: tuple[str, ...], variant: str) -> None:
    """Run a report or a single section into HTML pages, and print their path.

    \b
    tidings run weekly
    tidings run commerce -p days=90 -p segment="country=DE"
    tidings run commerce -p days="year to date"
    """
    from tidings.reporting.run import run as run_report

    given = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"The parameter '{pair}' has no '='.", "Write it as name=value, as in -p days=90.")
        given[key.strip()] = value
    with _turn(settings, f"tidings run {name}"), _progress() as progress:
        result = run_report(settings, name, given, now=_now(), variant=variant, progress=progress)
    for section in result.sections:
        line = f"  {section.page}: {section.status} ({section.seconds:.1f} s)"
        click.echo(line + (f". {section.error}" if section.error else ""))
    for warning in result.warnings:
        click.echo(f"  {warning}", err=True)
    click.echo(f"{result.title}, {result.status} in {result.seconds:.1f} s:")
    click.echo(str(_near(result.index)))
    if result.status != "done":
        raise TidingsError(f"The run is {result.status}.", "The pages say which section failed and why.")


def _turn(settings: Settings, what: str) -> AbstractContextManager[None]:
    """The turn of this command among those that need the whole machine."""
    return turn(settings.ledger.parent, what, lambda other: click.echo(f"Waiting for {other} to end.", err=True))


def _near(file: Path) -> Path:
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


@tidings.command("list")
@click.pass_obj
def list_(settings: Settings) -> None:
    """List reports, sections with their parameters, sources, and the latest runs."""
    from tidings.cli.catalog import overview

    click.echo(overview(settings, _now()))


@tidings.command()
@click.argument("name", required=False)
@click.pass_obj
def catalog(settings: Settings, name: str | None) -> None:
    """Write the catalogue of tables, metrics and sections as a page, or print one entry."""
    from tidings.cli.catalog import describe, write_catalog

    click.echo(describe(settings, name) if name else str(_near(write_catalog(settings))))


@tidings.command()
@click.option("--port", type=int, help="Port on this machine; by default the next free one from 8888.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening it.")
@click.pass_obj
def explore(settings: Settings, port: int | None, no_browser: bool) -> None:
    """Open JupyterLab on the sections."""
    arguments = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={settings.root}", "--ip=127.0.0.1"]
    arguments += [f"--ServerApp.port={port}"] if port else []
    # In a container every user is root; the server serves this machine only, and requires its token.
    arguments += ["--allow-root"] if os.geteuid() == 0 else []
    arguments += ["--no-browser"] if no_browser else [f"--LabApp.default_url=/lab/tree/{settings.notebooks.name}"]
    os.environ["TIDINGS_ROOT"] = str(settings.root)
    os.execv(sys.executable, arguments)  # noqa: S606


@tidings.command()
@click.pass_obj
def check(settings: Settings) -> None:
    """Check settings, landed files, models and reports, and whether each source responds.

    Nothing is changed. Each source gets its cheapest request; what is missing is named in the words of its console.
    """
    from tidings.cli.checks import check as check_workbook

    problems = warnings = 0
    for finding in check_workbook(settings, _now()):
        problems += finding.level == "fail"
        warnings += finding.level == "warn"
        detail = f": {finding.detail}" if finding.detail else ""
        click.echo(f"  {_LEVELS[finding.level]} {finding.what}{detail}")
    if problems:
        few = "thing needs" if problems == 1 else "things need"
        raise TidingsError(f"{problems} {few} attention.", "See above.")
    click.echo("Nothing prevents a pull; see the warnings." if warnings else "Everything is in order.")


for verb in (
    *(add, drop, due, serve, schedule, deliveries_, send, preview, step, status, export, value, alerts, rows),
):
    tidings.add_command(verb)


class _StoppedError(SystemExit):
    """The system or another program asked this one to end."""


def main() -> None:
    """Entry point: prints errors as one sentence and a remedy, never as a traceback."""
    _prepare()
    try:
        code = tidings.main(standalone_mode=False)
        # Here, not at interpreter exit, where Python could only print a traceback.
        sys.stdout.flush()
        if isinstance(code, int):
            # What a verb passed to ctx.exit.
            sys.exit(code)
    except TidingsError as error:
        _leave(f"tidings: {error}", error.exit_code)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        _leave("tidings: stopped. What was done stays; run the command again to continue.", 130)
    except _StoppedError as error:
        _leave("tidings: stopped by a signal. What was done stays; run the command again to continue.", error.code)
    except BrokenPipeError:
        # The reader of the output has closed the pipe.
        _leave("", 141)
    except OSError as error:
        _leave(f"tidings: {understood(error)}", 1)


def _prepare() -> None:
    """Make output printable in any terminal, and handle a request to end like Ctrl-C."""
    # Python has none if its parent closed them.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Log messages of libraries may quote their input; what matters of them is raised.
    logging.getLogger().addHandler(logging.NullHandler())
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # An ignored signal stays ignored: nohup.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    """End in order; at once if that takes long, as when the signal came while a lock was being taken."""
    del frame
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_DFL)
    last = threading.Timer(_GRACE_S, _end_at_once, [number])
    last.daemon = True
    last.start()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise _StoppedError(128 + number)


def _end_at_once(number: int) -> None:
    # The system releases its locks; the next process removes what it left in folders.
    os._exit(128 + number)


def _leave(said: str, code: object) -> NoReturn:
    """End with a sentence; output that cannot be written any more must not cause a traceback."""
    try:
        if said:
            click.echo(said, err=True)
        sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                os.dup2(null, stream.fileno())
    sys.exit(code if isinstance(code, int) else 1)
