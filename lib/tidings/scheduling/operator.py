"""Who runs the workbook is told of a failure once, and once that it is over."""

from __future__ import annotations

from typing import Annotated

from tidings.errors import SettingsError, suggest
from tidings.options import Options, Texts, read_options
from tidings.scheduling.steps import Bench
from tidings.settings import Settings

AUDIENCE = "operator"


class Operator(Options, frozen=True):
    """`[tool.tidings.operator]` as it is written."""

    channels: Annotated[Texts, "the channels by which failures are told"]
    to: Annotated[Texts, "addresses, where a channel needs them"] = ()


def operator_of(settings: Settings) -> Operator | None:
    """Who is told of failures; None where nobody is named.

    Raises:
        SettingsError: the table cannot be used as written.
    """
    if not settings.operator:
        return None
    read = read_options("[tool.tidings.operator]", settings.operator, Operator)
    for name in read.channels:
        if name not in settings.channels:
            raise SettingsError(
                f"[tool.tidings.operator] channels names '{name}', which is not there.",
                suggest(name, settings.channels),
            )
    return read


def fails(bench: Bench, streak: str, what: str, why: str) -> None:
    """Note a failure, and tell the operator if it is the first of its streak."""
    if bench.deliveries.streak(streak, True, bench.clock()) == "began":
        lines = [f"{what}: {bench.redact(why)}", "More: tidings deliveries", "You are told again when it works."]
        tell(bench, f"{streak} fails {bench.clock().isoformat()}", f"Failed: {what}", lines)


def works(bench: Bench, streak: str, what: str) -> None:
    """Note that something works, and tell the operator if it failed before."""
    if bench.deliveries.streak(streak, False, bench.clock()) == "ended":
        tell(bench, f"{streak} works {bench.clock().isoformat()}", f"Works again: {what}", [f"{what} works again."])


def tell(bench: Bench, key: str, subject: str, lines: list[str], to: Operator | None = None) -> None:
    """Enter a notice for the operator, or for others, in the ledger; it is sent with the deliveries."""
    operator = to or operator_of(bench.settings)
    if operator is None:
        return
    for name in operator.channels:
        for address in operator.to if bench.outbox.channel(name).is_personal else ("",):
            content = {"subject": " ".join(subject.split()), "lines": lines}
            bench.deliveries.add_notice(f"{key}\n{name}\n{address}", AUDIENCE, name, address, content, bench.clock())
