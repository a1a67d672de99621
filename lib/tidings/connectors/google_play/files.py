"""The monthly files that Google Play writes to a bucket: landed one by one, and again when rewritten."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote

import pyarrow.compute as pc

from tidings.connectors.google_play.records import FILES, HEADS, table
from tidings.errors import ResponseError
from tidings.landing.load_writer import LoadWriter
from tidings.landing.manifest import Input
from tidings.landing.store import Landing
from tidings.sources.api.days import doubtful
from tidings.sources.api.endpoint import ApiEndpoint
from tidings.sources.http.expected import FILE, JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client
from tidings.sources.records import typed
from tidings.sources.source import Pull, Pulled
from tidings.window import Zone, add_days, next_first_day, parse_date

_BATCH = 20_000
# Unchanged files with rejected rows that one pull fetches again.
_AGAIN = 20
OBJECTS = JsonObject(has={"kind": str}, may={"items": list, "nextPageToken": str})
"""An object list of Cloud Storage; an empty one has at least its kind."""


@dataclass(frozen=True)
class Object:
    """One file in the bucket; another `generation` means other content.

    `size` and `md5` (base64) are those of its bytes, where the bucket reports them.
    """

    name: str
    generation: str
    fields: Mapping[str, str]
    size: int | None = None
    md5: str = ""


def objects(client: Client, bucket: str, endpoint: ApiEndpoint) -> list[Object]:
    """The files of an endpoint, by name."""
    prefix, pattern = FILES[endpoint.name]
    asked = {"prefix": prefix, "maxResults": 1000, "fields": "kind,items(name,generation,size,md5Hash),nextPageToken"}

    def ask(token: str | None) -> Any:
        path = f"storage/v1/b/{quote(bucket, safe='')}/o"
        return client.get(path, {**asked, "pageToken": token or ""}, expects=OBJECTS).json()

    found = []
    for page in pages(ask, lambda page: page.get("nextPageToken") or None, f"files of {bucket}"):
        for item in page.get("items", ()):
            matched = pattern.fullmatch(str(item["name"]).removeprefix(prefix))
            if matched:
                size, md5 = item.get("size"), str(item.get("md5Hash") or "")
                known = (str(item["name"]), str(item["generation"]), matched.groupdict())
                found.append(Object(*known, None if size is None else int(size), md5))
    return sorted(found, key=lambda each: each.name)


def wanted(found: Iterable[Object], endpoint: ApiEndpoint, packages: Iterable[str], pull: Pull) -> list[Object]:
    """The files of the configured packages (none: all), within the endpoint's history."""
    chosen = frozenset(packages)
    since = pull.since or add_days(Zone(endpoint.zone).day_of(pull.now), -endpoint.history_days)
    first, last = f"{since:%Y%m}", f"{pull.until:%Y%m}" if pull.until else "999999"
    return [
        each
        for each in found
        if first <= each.fields["month"] <= last
        and (not chosen or each.fields.get("package") is None or _is_of(each.fields["package"], endpoint, chosen))
    ]


def _is_of(named: str, endpoint: ApiEndpoint, chosen: frozenset[str]) -> bool:
    """Whether a subscription file belongs to the package: names join package and product, and both may have
    underscores.
    """
    by_product = endpoint.name == "subscriptions" and any(named.startswith(f"{package}_") for package in chosen)
    return named in chosen or by_product


def land(
    landing: Landing,
    client: Client,
    source: str,
    bucket: str,
    endpoint: ApiEndpoint,
    file: Object,
    packages: Iterable[str],
    pull: Pull,
    again: Container[str] = (),
) -> Pulled:
    """Land one file in place of its earlier content; skipped if unchanged.

    `again` are files to land even if unchanged. Financial files cover all apps of the account: only their rows of
    `packages` (none: all) are landed.

    Raises:
        ResponseError: none of its rows could be used; they are kept, and its earlier content stays in force.
    """
    feed = endpoint.feed
    digest = hashlib.sha256(f"{file.name} {file.generation} {file.size} {file.md5}".encode()).hexdigest()
    source_input = Input(file.name, digest, "")
    landed = landing.unchanged(source, endpoint.name, file.name, source_input)
    if landed and not (pull.again or pull.since or pull.until or file.name in again):
        return Pulled(source, endpoint.name, feed.name, landed.rows, landed.rejected, skipped=True, partition=file.name)
    path = f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(file.name, safe='')}"
    body = client.get(path, {"alt": "media", "generation": file.generation}, expects=FILE).body
    _check_whole(file, body)
    added = {
        "breakdown": file.fields.get("breakdown", ""),
        "month": file.fields["month"],
        "file": file.name.rpartition("/")[2],
    }
    records = [
        {**{name: value for name, value in row.items() if name not in endpoint.forget}, **added, "row": number}
        for number, row in enumerate(table(file.name, body, HEADS[endpoint.name]), start=1)
        if _is_wanted(row, frozenset(packages))
    ]
    reason = ""
    with landing.writer(
        source, endpoint.name, feed, now=pull.now, partition=file.name, source_input=source_input
    ) as writer:
        for start in range(0, len(records), _BATCH):
            rows = typed(feed, records[start : start + _BATCH], endpoint.parse, start + 1)
            if rows.reasons:
                reason = reason or rows.reasons[0]
                writer.reject(rows.lines, rows.reasons, rows.records)
            if rows.table.num_rows:
                writer.add(rows.table)
                _reach(writer, rows.table, endpoint, file.fields["month"], pull)
            pull.progress(endpoint.name, writer.rows, 0)
    if reason and not writer.rows:
        raise ResponseError(
            f"None of the {writer.rejected} rows of {file.name} could be used: {reason}.",
            "Google has changed the file; its rows are kept as received. Look for a newer version of Tidings.",
        )
    return Pulled(
        source,
        endpoint.name,
        feed.name,
        writer.rows,
        writer.rejected,
        partition=file.name,
        restated=writer.restated_days,
        remarks=writer.remarks,
    )


def doubted(landing: Landing, source: str, endpoint: ApiEndpoint) -> frozenset[str]:
    """Unchanged files to fetch again because some of their rows could not be used."""
    every = (*landing.loads(source, endpoint.name), *landing.quarantined(source, endpoint.name))
    return frozenset(load.partition for load in doubtful(every, _AGAIN))


def _check_whole(file: Object, body: bytes) -> None:
    md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    if (file.size is not None and file.size != len(body)) or (file.md5 and file.md5 != md5):
        raise ResponseError(
            f"The file {file.name} did not come as it is in the bucket ({len(body)} bytes).",
            "Nothing was landed of it; pull again.",
        )


def note_reach(landing: Landing, source: str, endpoint: ApiEndpoint, pull: Pull) -> None:
    """Move the coverage of unchanged files of rare events forward: no new generation means that nothing happened."""
    zone = Zone(endpoint.zone)
    with landing.writer(source, endpoint.name, endpoint.feed, now=pull.now, partition="listing") as writer:
        writer.complete_until = zone.first_instant(add_days(zone.day_of(pull.now), -endpoint.lag_days))


def _is_wanted(row: Mapping[str, str], chosen: frozenset[str]) -> bool:
    """Rows that name no app apply to all of them. Older financial files call the package a product."""
    named = row.get("package name") or row.get("package id") or row.get("product id")
    return not chosen or not named or named in chosen


def _reach(writer: LoadWriter, rows: Any, endpoint: ApiEndpoint, month: str, pull: Pull) -> None:
    """A file is complete up to its last row, or up to Google's usual delay: a day without events has no row."""
    zone = Zone(endpoint.zone)
    last = pc.max(rows[endpoint.feed.time]).as_py().replace(tzinfo=UTC)
    reported = add_days(parse_date(f"{last:%Y-%m-%d}"), 1)
    following = next_first_day(parse_date(f"{month[:4]}-{month[4:]}-01"), "month")
    written = min(following, add_days(zone.day_of(pull.now), -endpoint.lag_days))
    reached = min(zone.first_instant(max(reported, written)), pull.now)
    writer.complete_until = max(reached, writer.complete_until) if writer.complete_until else reached
