"""A static site of all runs that were published: an index, a page per report, a folder per run, `latest/`, a feed.

Addresses are folders, as `/weekly/2026-07-06/`. What was published before is kept in `site.json` beside the index; it
says nothing that the index does not.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta

from tidings.delivery.channel import DeliveryError
from tidings.delivery.message import Message
from tidings.delivery.stores import INDEX, Files, Store
from tidings.enrich.characters import plain
from tidings.language import Language, message, say, speaking
from tidings.options import OptionalText, Options, Text
from tidings.reporting.site import environment, render
from tidings.settings import Settings
from tidings.window import as_utc

LATEST = "latest"
STATE = "site.json"
FEED = "feed.xml"
_VERSION = 1
_NEWEST = 5
_MOST_ENTRIES = 50
_OURS = uuid.UUID("8c0c6a3e-52c4-5d1c-9a0a-6f4f6a1f6a57")
# What programs and analysts read: code, and what stands behind the pages.
_BEHIND = re.compile(r"(?:notebooks/|run\.json$)")
_LINK = re.compile(r'<a href="(?:notebooks/[^"]*|run\.json)"[^>]*>(.*?)</a>', re.DOTALL)
_ADDRESS = Meta(pattern=r"^(https?://[^\s?#]+)?\Z", title="an http address", examples=['"https://reports.example.com"'])


class SiteOptions(Options, frozen=True):
    """Options of every site."""

    title: Annotated[Text, "title of the site"] = message("Reports")
    address: Annotated[OptionalText, "where it can be read, for the feed; by default public_address", _ADDRESS] = ""
    with_notebooks: Annotated[bool, "executed notebooks and run.json as well"] = False


@dataclass(frozen=True)
class Site:
    """How a site is called and where it can be read (without a slash at its end, empty if unknown).

    `language` is that of its index; the list of a report speaks that of the run published last.
    """

    title: str
    address: str
    with_notebooks: bool
    language: Language = field(default_factory=Language)


@dataclass(frozen=True)
class Published:
    """A run in the site: `at` is an instant in ISO format, UTC."""

    report: str
    slot: str
    title: str
    subject: str
    period: str
    at: str
    findings: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where it stands from the root of the site, encoded."""
        return f"{quote(self.report)}/{quote(self.slot)}/"


def site_of(options: SiteOptions, settings: Settings) -> Site:
    """The site that options describe."""
    language = settings.language()
    with speaking(language):
        title = say(options.title)
    address = (options.address or settings.public_address).rstrip("/")
    return Site(title, address, options.with_notebooks, language)


def publish(message: Message, site: Site, store: Store, offered: Callable[[], None]) -> int:
    """Put a run into the site, what leads to it after it; returns how many runs the site has.

    `offered` is called just before anything is changed.

    Raises:
        DeliveryError: the message has no pages, or the store does not take them.
    """
    pages = pages_of(message, with_notebooks=site.with_notebooks)
    offered()
    with store.exclusive():
        runs = [run for run in _read(store) if (run.report, run.slot) != (message.report, message.slot)]
        runs.append(_published(message))
        # As a reader looks for them: by report, the newest first.
        runs.sort(key=lambda run: (run.at, run.slot), reverse=True)
        of_report = [run for run in runs if run.report == message.report]
        store.replace_folder(f"{message.report}/{message.slot}", pages)
        if newest(run.slot for run in of_report) == message.slot:
            store.replace_folder(f"{message.report}/{LATEST}", pages)
        store.write(f"{message.report}/{INDEX}", _index(site, of_report, one=True))
        store.write(FEED, _feed(site, runs))
        state = {"version": _VERSION, "runs": [vars(run) for run in runs]}
        store.write(STATE, (json.dumps(state, indent=1) + "\n").encode())
        with speaking(site.language):
            store.write(INDEX, _index(site, runs))
    return len(runs)


def pages_of(message: Message, *, with_notebooks: bool) -> Files:
    """The files of a run to be published, without links to what is not.

    Raises:
        DeliveryError: it has none, or no place.
    """
    if message.folder is None:
        raise DeliveryError(
            "A notice has no pages that could be published.",
            "Send notices to a channel of messages.",
            outlook="permanent",
        )
    for name in (message.report, message.slot):
        if not name or name.startswith(".") or "/" in name or name == LATEST:
            raise DeliveryError(f"'{name}' cannot name a folder.", "Rename the report.", outlook="permanent")
    # A public audience never gets code, whatever the option says.
    everything = with_notebooks and not message.is_public
    try:
        found = {file.relative_to(message.folder).as_posix(): file for file in sorted(message.folder.rglob("*"))}
        files = {
            name: file.read_bytes()
            for name, file in found.items()
            if file.is_file() and (everything or not _BEHIND.match(name))
        }
    except OSError as error:
        raise DeliveryError(
            f"The pages in {message.folder} cannot be read.", "Run the report again.", outlook="permanent"
        ) from error
    if INDEX not in files:
        raise DeliveryError(f"There are no pages in {message.folder}.", "Run the report again.", outlook="permanent")
    if everything:
        return files
    return {name: _unlinked(content) if name.endswith(".html") else content for name, content in files.items()}


def newest(slots: Iterable[str]) -> str:
    """The slot that `latest` stands for: one with parameters of its own only where there is no other."""
    every = sorted(slots)
    return max([slot for slot in every if not set("_~") & set(slot)] or every)


def _unlinked(page: bytes) -> bytes:
    return _LINK.sub(r"\1", page.decode("utf-8")).encode()


def _published(message: Message) -> Published:
    return Published(
        report=message.report,
        slot=message.slot,
        title=plain(message.title),
        subject=plain(message.subject),
        period=plain(message.period),
        at=as_utc(message.at).isoformat(timespec="seconds").replace("+00:00", "Z"),
        findings=tuple(plain(one.text) for one in message.findings),
    )


def _read(store: Store) -> list[Published]:
    content = store.read(STATE)
    if content is None:
        return []
    with suppress(ValueError, KeyError, TypeError):
        state = json.loads(content)
        if state["version"] == _VERSION:
            return [Published(**{**run, "findings": tuple(run["findings"])}) for run in state["runs"]]
    raise DeliveryError(
        f"The {STATE} of the site is not one of this version.",
        "Bring back the right one from a backup, or move it away: then the index begins anew.",
        outlook="permanent",
    )


def _index(site: Site, runs: Sequence[Published], *, one: bool = False) -> bytes:
    reports: dict[str, list[Published]] = {}
    for run in runs:
        reports.setdefault(run.report, []).append(run)
    groups: list[Mapping[str, Any]] = [
        {
            "name": name,
            "title": of_report[0].title or name,
            "address": f"{quote(name)}/",
            "runs": of_report if one else of_report[:_NEWEST],
            "count": len(of_report),
        }
        for name, of_report in sorted(reports.items(), key=lambda pair: (pair[1][0].title.casefold(), pair[0]))
    ]
    return render("site.html.j2", site=site, reports=groups, one=one, up="../" if one else "", feed=FEED).encode()


def _feed(site: Site, runs: Sequence[Published]) -> bytes:
    base = f"{site.address}/" if site.address else ""
    # The ids stay when the place is not known and when a run is published again.
    entries = [(run, f"{base}{run.path}", _id(f"{base}{run.path}")) for run in runs[:_MOST_ENTRIES]]
    template = environment().get_template("feed.xml.j2")
    return template.render(
        site=site, title=plain(site.title), base=base, feed=FEED, id=_id(base), updated=runs[0].at, entries=entries
    ).encode()


def _id(name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_OURS, name)}"
