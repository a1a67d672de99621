"""Access logs of web servers: files in the formats of `formats.READ` into the feed `access`."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc

from tidings.connectors.access_log.clients import clients, first_address
from tidings.connectors.access_log.formats import READ, Formats, why_not
from tidings.connectors.access_log.lines import (
    Lines,
    content_sha256,
    fields,
    first_instant,
    first_lines,
    forwarded,
    instants,
    read_lines,
)
from tidings.connectors.access_log.rejects import scrubbed
from tidings.connectors.access_log.rows import Translator
from tidings.enrich.geography import Places
from tidings.enrich.hosts import site_host
from tidings.enrich.pseudonyms import Pseudonyms, Salts
from tidings.errors import SourceError
from tidings.feeds import ACCESS
from tidings.landing.manifest import Input
from tidings.landing.rejections import Reason
from tidings.landing.store import Landing, LoadWriter
from tidings.mapping.options import PULL, Covers, read_covers
from tidings.options import Options, Text
from tidings.settings import Settings
from tidings.sources.inputs import passed_over
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.trial import ROWS, Trial
from tidings.window import Zone, end_of_local_day

_ENDPOINT: Final = Endpoint(name="access", feed=ACCESS, doc="Requests as the web server logged them.")
# The suffixes that rotation adds to a log's name: access.log.1, access.log.2.gz, access.log-20261120.
_ROTATED: Final = re.compile(r"(?:[.-]\d+)?(?:\.gz|\.zst)?$", re.IGNORECASE)
_NOBODY: Final = "The text before the time is not an address, a list of addresses, or a host followed by an address."
_NO_AGENTS: Final = (
    "The common format has neither user agents nor referrers: bots cannot be recognised, and every visit counts as "
    "direct."
)
_LINE: Final = 120
_NO_DATE: Final = "The time of the line is not a date between 1900 and 2199."


@dataclass(frozen=True)
class _Log:
    """A log file; `partition` names it by its first instant, which survives rotation."""

    path: Path
    name: str
    first: datetime | None

    @property
    def partition(self) -> str:
        return f"{self.name}@{self.first.isoformat()}Z" if self.first else self.name


@dataclass(frozen=True)
class _Taken:
    """Parsed lines: client, request, time and line number; the numbers of the rejected ones, and why."""

    asked: pa.StructArray
    ts: pa.Array
    number: pa.Array
    rejected: pa.Array
    reasons: list[str]
    records: list[str]


@dataclass(frozen=True)
class AccessLog:
    """The access logs matched by a path (with `*` and `?`); `site` is the host whose links count as internal."""

    name: str
    path: str
    site: str
    root: Path
    zone: Zone
    geoip: Path | None
    covers: str
    kind: str = "access_log"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (_ENDPOINT,)

    def warnings(self) -> list[str]:
        return []

    def check(self, pull: Pull) -> list[str]:
        """Missing files, files that are not logs, an unusable country file; one sentence each."""
        problems = []
        try:
            for path in self._paths():
                first_instant(path)
        except SourceError as error:
            problems.append(str(error))
        try:
            with self._places():
                pass
        except SourceError as error:
            problems.append(str(error))
        return problems

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """A trial of the first lines of each log, with the format they are in."""
        try:
            paths = self._paths()
        except SourceError:
            return
        for path in paths:
            name = Path(os.path.relpath(path, self.root)).as_posix()
            try:
                yield self._tried(name, path)
            except SourceError as error:
                yield Trial(name, 0, 0, (), is_all=False, failed=str(error))

    def _tried(self, name: str, path: Path) -> Trial:
        formats = Formats()
        lines, is_all = first_lines(path, ROWS)
        taken = self._taken(lines, formats)
        used = len(taken.asked)
        has_agents = used and pc.any(pc.not_equal(taken.asked.field("agents"), "")).as_py()
        forms = [form for form, count in formats.read.most_common() if count]
        if used > formats.read.total():
            forms.insert(0, "combined format" if has_agents else "common format")
        reasons: dict[str, Reason] = {}
        for reason, record in zip(taken.reasons, taken.records, strict=True):
            before = reasons.get(reason)
            first = before.example if before else record if len(record) <= _LINE else f"{record[: _LINE - 1]}…"
            reasons[reason] = Reason(reason.removesuffix("."), 1 + (before.rows if before else 0), first, "line")
        trial = Trial(
            name,
            used,
            len(taken.reasons),
            sorted(reasons.values(), key=lambda reason: -reason.rows),
            is_all,
            noun="lines",
            form=" and ".join(forms),
        )
        if not used:
            return replace(trial, advice=f"Supported formats: {READ}." if taken.reasons else "")
        days = pc.min_max(taken.ts).as_py()
        notes = () if has_agents else (_NO_AGENTS,)
        return replace(trial, days=(days["min"].date(), days["max"].date()), notes=notes)

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land the logs that are new or have grown, oldest first. A log that was only rotated is recognised and
        skipped.

        Raises:
            SourceError: no file, or one that is not a log; what was yielded before stays landed.
        """
        pseudonyms = Pseudonyms(Salts(self.root / "data" / "salts.json", pull.now), self.site or self.name)
        with self._places() as places:
            translator = Translator(self.site, pseudonyms, places)
            before: Path | None = None
            for log in self._logs():
                source_input = Input(log.name, content_sha256(log.path), self._mapping())
                is_all = self.covers == PULL
                known = passed_over(self.name, _ENDPOINT, log.partition, source_input, landing, pull, is_all=is_all)
                if known:
                    # A dropped log must not help to recognise anyone.
                    before = before if known.messages else log.path
                    yield known
                    continue
                if before is not None:
                    # A visitor still active when the previous log ended keeps the pseudonym of that session.
                    self._follow(before, translator)
                    before = None
                with landing.writer(
                    self.name,
                    _ENDPOINT.name,
                    ACCESS,
                    now=pull.now,
                    partition=log.partition,
                    source_input=source_input,
                    is_file=True,
                ) as writer:
                    messages = self._land(log, writer, translator, pull)
                rows = (writer.rows, writer.rejected)
                yield Pulled(self.name, _ENDPOINT.name, ACCESS.name, *rows, partition=log.partition, messages=messages)

    def _land(self, log: _Log, writer: LoadWriter, translator: Translator, pull: Pull) -> tuple[str, ...]:
        addresses: set[str] = set()
        sent, agents, formats, reasons = 0, False, Formats(), Counter[str]()
        for lines in read_lines(log.path):
            taken = self._taken(lines, formats)
            if taken.reasons:
                reasons.update(taken.reasons)
                writer.reject(taken.rejected, taken.reasons, taken.records)
            known = taken.asked
            if not len(known):
                continue
            rows = translator.rows(known, taken.ts, taken.number)
            writer.add(rows)
            addresses.update(known.field("address").unique().to_pylist())
            sent += pc.sum(rows["response_bytes"]).as_py()
            agents = agents or pc.any(pc.not_equal(known.field("agents"), "")).as_py()
            pull.progress(log.path.name, lines.read, lines.size)
        if writer.rejected and not writer.rows:
            # Raised before the load is committed: a file that is not a log may contain anything.
            raise _unread(log.path.name, reasons, self.name)
        writer.facts = {"addresses": len(addresses), "bytes": sent}
        if writer.newest is None:
            return (f"{log.path.name} is empty: nothing landed. If it stays so, correct path in the settings.",)
        end = end_of_local_day(writer.newest.replace(tzinfo=UTC), self.zone)
        writer.covers = "" if self.covers == PULL else self.covers
        writer.complete_until = pull.now if self.covers == PULL else min(end, pull.now)
        if not agents:
            return (f"{log.path.name}: {_NO_AGENTS}",)
        return ()

    def _taken(self, lines: Lines, formats: Formats) -> _Taken:
        """Parsed lines, each rejected one with its reason; blank lines are skipped."""
        number = pa.array(range(lines.first, lines.first + len(lines.text)), pa.int64())
        text, parsed = fields(lines.text, formats)
        ts = instants(parsed.field("time"))
        asked = self._asked(parsed)
        formed, dated, known = parsed.is_valid(), ts.is_valid(), asked.is_valid()
        usable = pc.and_(pc.and_(formed, dated), known)
        rejected = pc.and_not(pc.not_equal(pc.utf8_trim_whitespace(text), ""), usable)
        records = lines.text.filter(rejected).to_pylist()
        reasons = []
        if records:
            reasons = [
                why_not(record) if not is_formed else _NO_DATE if not is_dated else _NOBODY
                for record, is_formed, is_dated in zip(
                    records, formed.filter(rejected).to_pylist(), dated.filter(rejected).to_pylist(), strict=True
                )
            ]
        return _Taken(
            asked.filter(usable),
            ts.filter(usable),
            number.filter(usable),
            number.filter(rejected),
            reasons,
            [scrubbed(record) for record in records],
        )

    def _asked(self, parsed: pa.StructArray) -> pa.StructArray:
        """The fields with client and requested host instead of the text before the time; null without a client."""
        who = parsed.field("who").dictionary_encode()
        found = clients(who.dictionary.to_pylist(), self.site)
        host, address, names, inner = (
            pa.array([client and client[place] for client in found], type_).take(who.indices)
            for place, type_ in enumerate((pa.string(), pa.string(), pa.string(), pa.bool_()))
        )
        tail = parsed.field("tail")
        if pc.any(inner).as_py():
            # Behind a proxy nginx's own format has the client at the end of the line.
            lists = forwarded(tail).dictionary_encode()
            firsts = pa.array([first_address(text) for text in lists.dictionary.to_pylist()], pa.string())
            address = pc.if_else(pc.fill_null(inner, False), pc.coalesce(firsts.take(lists.indices), address), address)
        referrer, agent = parsed.field("referrer"), parsed.field("agent")
        # HAProxy leaves both empty if it does not know them; a dash means not sent.
        agents = pc.if_else(pc.equal(pc.binary_join_element_wise(referrer, agent, ""), ""), "", tail)
        columns = {
            "vhost": host,
            "address": address,
            "names": names,
            "agents": agents,
            **{
                name: parsed.field(name) for name in ("time", "request", "status", "bytes", "tail", "referrer", "agent")
            },
        }
        return pa.StructArray.from_arrays(list(columns.values()), list(columns), mask=pc.is_null(address))

    def _follow(self, path: Path, translator: Translator) -> None:
        """Read a log that is already landed, to restore the sessions that are open at its end."""
        formats = Formats()
        for lines in read_lines(path):
            _, parsed = fields(lines.text, formats)
            ts, asked = instants(parsed.field("time")), self._asked(parsed)
            usable = pc.and_(asked.is_valid(), ts.is_valid())
            translator.visitors(asked.filter(usable), ts.filter(usable))

    def _mapping(self) -> str:
        # A newer country file is no reason to land old logs again with other pseudonyms.
        options = json.dumps([self.site, self.zone.name, self.geoip is not None])
        return hashlib.sha256(options.encode()).hexdigest()

    def _places(self) -> AbstractContextManager[Places | None]:
        return Places(self.geoip) if self.geoip else nullcontext()

    def _paths(self) -> list[Path]:
        found = sorted(glob.glob(str(self.root / self.path), recursive=True))  # noqa: PTH207 - the path may be absolute
        paths = [path for path in map(Path, found) if path.is_file()]
        if not paths:
            raise SourceError(
                f"The source {self.name} finds no file at {self.path}.",
                f"Correct path in [tool.tidings.sources.{self.name}]; it counts from the folder of pyproject.toml.",
            )
        return paths

    def _logs(self) -> list[_Log]:
        logs = [
            _Log(path, _ROTATED.sub("", Path(os.path.relpath(path, self.root)).as_posix()), first_instant(path))
            for path in self._paths()
        ]
        return sorted(logs, key=lambda log: (log.first or datetime.max, log.name))  # noqa: DTZ901 - naive UTC


def _unread(name: str, reasons: Counter[str], source: str) -> SourceError:
    ((commonest, _),) = reasons.most_common(1)
    return SourceError(
        f"None of the {reasons.total()} lines of {name} can be read. {commonest} Supported formats: {READ}.",
        f"Name an access log in [tool.tidings.sources.{source}] path.",
    )


class AccessLogOptions(Options, frozen=True):
    path: Annotated[Text, "a log or a pattern such as logs/access*, from the folder of pyproject.toml"]
    site: Annotated[Text, "host whose own links are internal; `site` of [tool.tidings] if not given"] = ""
    covers: Covers = None


def _open(name: str, options: AccessLogOptions, settings: Settings) -> AccessLog:
    where = f"[tool.tidings.sources.{name}]"
    zone = Zone(settings.timezone, settings.week_start)
    return AccessLog(
        name=name,
        path=options.path,
        site=site_host(options.site, where) if options.site else settings.site,
        root=settings.root,
        zone=zone,
        geoip=settings.geoip,
        covers=read_covers(where, options.covers, zone),
    )


ACCESS_LOG: Final = SourceKind(
    name="access_log",
    summary="access logs of a web server, common, combined, W3C or JSON, plain, .gz or .zst",
    options=AccessLogOptions,
    open=_open,
)
