"""Analytics reports of App Store Connect: Apple generates them repeatedly, each replacing the one before.

Apple starts generating them after one request with an administrator's key, and stops when nobody reads them. A report
of one processing day covers several days; for each day the newest processing date replaces all older ones, and rows may
disappear. Reports are deleted after 35 days. Report segments have URLs that are valid for five minutes and must be
fetched without a token.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from tidings.connectors.app_store.records import HEADS, REPORTS, table
from tidings.errors import ResponseError, SourceError, WindowError
from tidings.landing.load_writer import LoadWriter
from tidings.landing.manifest import Span
from tidings.landing.store import Landing
from tidings.sources.api.days import doubtful
from tidings.sources.api.endpoint import ApiEndpoint, day_instant
from tidings.sources.api.failures import together
from tidings.sources.http.expected import FILE, JsonObject
from tidings.sources.http.paging import pages
from tidings.sources.http.session import Client, Decision, Response
from tidings.sources.records import Record, typed
from tidings.sources.source import Pull, Pulled
from tidings.window import Zone, add_days, parse_date

DATA = JsonObject(has={"data": list}, may={"links": dict})
"""A JSON:API list of App Store Connect."""


class _UnusableError(ResponseError):
    """None of the rows of a day could be used; they are kept in quarantine."""


def listed(client: Client, path: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All items of a list, page by page."""

    def ask(url: str | None) -> Any:
        return client.get(url or path, None if url else asked, expects=DATA).json()

    for page in pages(ask, lambda page: page.get("links", {}).get("next"), path):
        yield from page["data"]


class Analytics:
    """The analytics reports of one app, as one pull lands them."""

    def __init__(
        self, source: str, client: Client, landing: Landing, pull: Pull, endpoint: ApiEndpoint, app: str
    ) -> None:
        self._source = source
        self._client = client
        self._landing = landing
        self._pull = pull
        self._endpoint = endpoint
        self._app = app

    def land(self) -> Iterator[Pulled]:
        """Land what was processed since the last pull, one day and report at a time."""
        request = self._request()
        if request is None:
            message = (
                f"Apple generates no analytics reports of app {self._app}. They must be requested once, with a key of "
                "the role Admin: pull once with such a key; they arrive a day or two later."
            )
            yield self._pulled(self._app, messages=(message,))
            return
        failed: list[SourceError] = []
        for report in REPORTS:
            try:
                for id_ in self._report_ids(request, report):
                    yield from self._report(report, id_, failed)
            except ResponseError as error:
                # Other reports, and earlier days of this one, are not affected.
                failed.append(error)
        if failed:
            raise together(failed)

    def _report(self, report: str, id_: str, failed: list[SourceError]) -> Iterator[Pulled]:
        pull, partition = self._pull, f"{self._app} {report}"
        where = (self._source, self._endpoint.name)
        loads = [load for load in self._landing.loads(*where) if load.partition == partition]
        # Records that could not be used before may be usable by now.
        unused = [load for load in self._landing.quarantined(*where) if load.partition == partition]
        owed = {load.facts.get("processed", 0.0) for load in (*unused, *doubtful(loads))}
        held = {e.window.start.date(): e.facts.get("processed", 0.0) for e in loads if e.window}
        # Read the newest one again: it may have been landed in part.
        newest = 0.0 if pull.again or pull.since or pull.until else max(held.values(), default=0.0)
        for processed, instance in self._instances(id_):
            if _number(processed) < newest and _number(processed) not in owed:
                continue
            by_day, unusable = self._by_day(instance)
            for day, records in sorted(by_day.items()):
                is_asked_for = (pull.since or day) <= day <= (pull.until or day)
                # A newer report of the day is landed and must not be replaced by this one.
                if is_asked_for and _number(processed) >= held.get(day, 0.0):
                    try:
                        yield self._day(report, day, processed, records)
                    except _UnusableError as error:
                        failed.append(error)
                        yield self._pulled(partition, rejected=len(records))
            if unusable:
                _, reason = self._keep(report, processed, unusable, None)
                failed += [] if by_day else [_unusable(report, "no day", len(unusable), reason)]
                yield self._pulled(partition, rejected=len(unusable))

    def _by_day(self, instance: str) -> tuple[dict[date, list[Record]], list[Record]]:
        """The rows of a report by day, and those without a date."""
        by_day: dict[date, list[Record]] = {}
        unusable: list[Record] = []
        for row in self._rows(instance):
            try:
                by_day.setdefault(parse_date(row["Date"]), []).append(row)
            except (KeyError, WindowError):
                unusable.append(row)
        return by_day, unusable

    def _day(self, report: str, day: date, processed: str, records: Sequence[Record]) -> Pulled:
        window = Span(day_instant(day), day_instant(add_days(day, 1)))
        writer, reason = self._keep(report, processed, records, window)
        if not writer.rows:
            # What was landed of the day before stays in force.
            raise _unusable(report, str(day), len(records), reason)
        self._pull.progress(self._endpoint.name, writer.rows, 0)
        return self._pulled(
            f"{self._app} {report}",
            writer.rows,
            writer.rejected,
            restated=writer.restated_days,
            remarks=writer.remarks,
        )

    def _keep(
        self, report: str, processed: str, records: Sequence[Record], window: Span | None
    ) -> tuple[LoadWriter, str]:
        """Land the records of a day, or those without a date; returns the first reason why one could not be used."""
        endpoint = self._endpoint
        whose = {"app_id": self._app, "report": report, "processed": processed}
        numbered = [{**record, **whose, "row": number} for number, record in enumerate(records, start=1)]
        rows = typed(endpoint.feed, numbered, endpoint.parse, 1)
        with self._landing.writer(
            self._source,
            endpoint.name,
            endpoint.feed,
            now=self._pull.now,
            partition=f"{self._app} {report}",
            window=window,
        ) as writer:
            if rows.table.num_rows:
                writer.add(rows.table)
            writer.reject(rows.lines, rows.reasons, rows.records)
            writer.facts["processed"] = _number(processed)
            if window is not None:
                whole = day_instant(add_days(Zone().day_of(self._pull.now), -endpoint.lag_days))
                writer.complete_until = min(window.end, whole)
        return writer, next(iter(rows.reasons), "")

    def _pulled(self, partition: str, rows: int = 0, rejected: int = 0, **more: Any) -> Pulled:
        name = self._endpoint.name
        return Pulled(self._source, name, self._endpoint.feed.name, rows, rejected, partition=partition, **more)

    def _request(self) -> str | None:
        """The ongoing report request of the app, created if there is none; null if the key may not create it."""
        path = f"v1/apps/{self._app}/analyticsReportRequests"
        for _ in range(2):
            existing = self._client.get(path, {"filter[accessType]": "ONGOING"}, expects=DATA).json()
            for each in existing["data"]:
                if not each.get("attributes", {}).get("stoppedDueToInactivity"):
                    return str(each["id"])
            body = {
                "data": {
                    "type": "analyticsReportRequests",
                    "attributes": {"accessType": "ONGOING"},
                    "relationships": {"app": {"data": {"type": "apps", "id": self._app}}},
                }
            }
            # 409: it was created in the meantime.
            if self._client.post("v1/analyticsReportRequests", body=body, classify=_classify_request).status == 403:
                return None
        return None

    def _report_ids(self, request: str, report: str) -> Iterator[str]:
        name, category, _ = REPORTS[report]
        asked = {"filter[category]": category, "limit": 200}
        for each in listed(self._client, f"v1/analyticsReportRequests/{request}/reports", asked):
            if str(each["attributes"]["name"]).lower().endswith(name):
                yield str(each["id"])

    def _instances(self, report_id: str) -> list[tuple[str, str]]:
        """Processing date and id of the daily reports, oldest first, so that the newest is landed last."""
        asked = {"filter[granularity]": "DAILY", "limit": 200}
        found = listed(self._client, f"v1/analyticsReports/{report_id}/instances", asked)
        return sorted((str(each["attributes"]["processingDate"]), str(each["id"])) for each in found)

    def _rows(self, instance: str) -> Iterator[dict[str, str]]:
        for each in listed(self._client, f"v1/analyticsReportInstances/{instance}/segments", {"limit": 200}):
            attributes = each["attributes"]
            # The URL carries its own signature; a token would be rejected.
            body = self._client.get(str(attributes["url"]), auth=False, expects=FILE).body
            if (
                attributes.get("checksum")
                and hashlib.md5(body, usedforsecurity=False).hexdigest() != attributes["checksum"]
            ):
                raise ResponseError(f"A segment of the analytics report {instance} is damaged.", "Pull again.")
            yield from table(body, HEADS["analytics"])


def _unusable(report: str, what: str, rows: int, reason: str) -> _UnusableError:
    return _UnusableError(
        f"{rows} rows of the report on {report} of {what} could not be used: {reason}.",
        "Apple has changed the report; they are kept. Look for a newer version of Tidings.",
    )


def _number(processed: str) -> float:
    return float(processed.replace("-", ""))


def _classify_request(response: Response) -> Decision | None:
    return Decision("fine") if response.status in (403, 409) else None
