"""Input files of any kind: which ones a pull has to read, and what it reports of the others."""

from __future__ import annotations

from collections.abc import Sequence

from tidings.errors import SourceError
from tidings.landing.manifest import Input
from tidings.landing.store import Landing
from tidings.sources.source import Endpoint, Pull, Pulled


def passed_over(
    source: str,
    endpoint: Endpoint,
    partition: str,
    source_input: Input,
    landing: Landing,
    pull: Pull,
    *,
    is_all: bool = False,
) -> Pulled | None:
    """What a pull reports for a file that was dropped or is landed already; null if the file has to be read.

    `is_all`: the file is all the data there are at the time of the pull, so an unchanged one is complete up to now.
    """
    if gone := landing.dropped(source, endpoint.name).get(source_input.sha256):
        message = (
            f"{partition} was dropped on {gone.at:%Y-%m-%d} and is not landed again. To land it after all: "
            f"tidings drop {source} --undo, then pull."
        )
        return Pulled(source, endpoint.name, endpoint.feed.name, 0, 0, True, partition, (message,))
    landed = landing.unchanged(source, endpoint.name, partition, source_input)
    if landed is None or pull.again:
        return None
    if is_all:
        landing.confirm(source, endpoint.name, partition, pull.now)
    return Pulled(source, endpoint.name, endpoint.feed.name, landed.rows, landed.rejected, True, partition)


def raise_failures(source: str, failed: Sequence[SourceError]) -> None:
    """End a pull of files some of which cannot be used.

    Raises:
        SourceError: there are any; each is named.
    """
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise SourceError(f"{len(failed)} files of {source} cannot be used: " + " ".join(map(str, failed)))
