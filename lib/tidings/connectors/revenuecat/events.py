"""RevenueCat's webhooks, from files: JSON lines, one delivery each, as your own receiver stored them.

Webhook quirks. An event is delivered at least once, in no particular order; every delivery of it has the same `id`.
`event_timestamp_ms` is when it was generated, usually within a minute of what happened, for a cancellation within two
hours. New types and fields may appear at any time. Deliveries identify the buyer, with e-mail addresses among the
attributes: these are removed before anything is written. Sandbox purchases use the same webhook.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow as pa

from tidings.connectors.revenuecat.records import instant
from tidings.enrich.countries import alpha2
from tidings.errors import SourceError
from tidings.feeds.enums.revenuecat import COUNTED
from tidings.feeds.revenuecat_events import REVENUECAT_EVENTS_DELIVERIES
from tidings.landing.load_writer import LoadWriter
from tidings.landing.manifest import Input
from tidings.landing.store import Landing
from tidings.options import Options, SomeTexts
from tidings.parsing import files
from tidings.parsing.files import File, Scan
from tidings.parsing.sampling import beginning
from tidings.settings import Settings
from tidings.sources.inputs import passed_over, raise_failures
from tidings.sources.records import Record, typed
from tidings.sources.source import Endpoint, Pull, Pulled, SourceKind
from tidings.sources.trial import Trial, landed_trial

FORGOTTEN: Final = (
    *("app_user_id", "original_app_user_id", "aliases", "subscriber_attributes", "transferred_from", "transferred_to"),
    *("transaction_id", "original_transaction_id", "metadata"),
)
_DELIVERIES: Final = Endpoint("deliveries", REVENUECAT_EVENTS_DELIVERIES, REVENUECAT_EVENTS_DELIVERIES.doc)
_AS_POSTED: Final = "Write one delivery per line, as it was posted."
_NO_JSON: Final = "the line is not JSON"
_NO_DELIVERY: Final = "the line is not a delivery: it has no event"
# A line that cannot be parsed may identify the buyer, so it is not kept.
_NOT_KEPT: Final = "(see this line of the file)"


def parse_delivery(record: Record) -> Mapping[str, Any]:
    """An event of a webhook without anything that identifies the buyer."""
    kind = str(record["type"]).upper()
    needed = record.__getitem__ if kind in COUNTED else record.get
    environment, country, store = needed("environment"), record.get("country_code"), record.get("store")
    return {
        "event_id": record["id"],
        "ts": instant(record["event_timestamp_ms"]),
        "type": kind,
        "environment": str(environment).upper() if environment else None,
        "app": record.get("app_id"),
        "store": str(store).lower() if store else None,
        "product": record.get("product_id"),
        "new_product": record.get("new_product_id"),
        "country": alpha2(str(country)) if country else None,
        "period_type": str(needed("period_type") or "").upper() or None,
        "reason": record.get("cancel_reason") or record.get("expiration_reason"),
        "is_trial_conversion": record.get("is_trial_conversion") or False,
        "is_family_share": record.get("is_family_share") or False,
        "renewal_number": record.get("renewal_number"),
        "purchased_at": _instant_or_none(record.get("purchased_at_ms")),
        "expires_at": _instant_or_none(record.get("expiration_at_ms")),
        "price": record.get("price_in_purchased_currency"),
        "currency": record.get("currency"),
        "price_usd": record.get("price"),
        "tax_share": record.get("tax_percentage"),
        "commission_share": record.get("commission_percentage"),
    }


def _instant_or_none(value: Any) -> datetime | None:
    return None if value is None else instant(value)


@dataclass(frozen=True)
class RevenueCatEvents:
    """Files of webhook deliveries that patterns name; a changed file replaces its own rows."""

    name: str
    paths: tuple[str, ...]
    settings: Settings
    kind: str = "revenuecat_events"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return (_DELIVERIES,)

    def warnings(self) -> list[str]:
        return []

    def check(self, pull: Pull) -> list[str]:
        """Files that are missing or do not start with a delivery; one sentence each."""
        problems: list[str] = []
        try:
            unusable: list[SourceError] = []
            found = files.matching(self.settings.root, self._patterns(), unusable)
            problems += map(str, unusable)
            for file in found:
                try:
                    _check_form(file)
                    _, text, _ = next(files.lines(file, "utf-8"))
                    _, reason = _event(text or "")
                    if reason:
                        problems.append(
                            f"{file.name}, line 1: {reason}. Write one delivery per line, as it was posted."
                        )
                except SourceError as error:
                    problems.append(str(error))
        except SourceError as error:
            problems.append(str(error))
        return problems

    def preview(self, pull: Pull) -> Iterator[Trial]:
        """A trial of the first deliveries of each file."""
        try:
            found = files.matching(self.settings.root, self._patterns(), [])
        except SourceError:
            return
        for file in found:
            try:
                yield self._tried(file, pull)
            except SourceError as error:
                yield Trial(file.name, 0, 0, (), is_all=False, failed=str(error))

    def _tried(self, file: File, pull: Pull) -> Trial:
        _check_form(file)
        with tempfile.TemporaryDirectory(prefix="tidings-") as folder:
            cut, is_all = beginning(file, Path(folder), None, "utf-8")
            landing = Landing(Path(folder) / "raw")
            with landing.writer(self.name, _DELIVERIES.name, _DELIVERIES.feed, now=pull.now, is_file=True) as writer:
                _fill(writer, cut, files.scan(cut), pull)
            trial = landed_trial(file.name, landing, self.name, _DELIVERIES.feed, _DELIVERIES.name, is_all=is_all)
            return replace(trial, noun="deliveries")

    def pull(self, landing: Landing, pull: Pull) -> Iterator[Pulled]:
        """Land the files that are new or have changed. An unusable file does not stop the others.

        Raises:
            SourceError: no file, or files that cannot be used, each named; the others are landed.
        """
        failed: list[SourceError] = []
        for file in files.matching(self.settings.root, self._patterns(), failed):
            try:
                yield self._pull_file(file, landing, pull)
            except SourceError as error:
                failed.append(error)
        raise_failures(self.name, failed)

    def _pull_file(self, file: File, landing: Landing, pull: Pull) -> Pulled:
        _check_form(file)
        scan = files.scan(file)
        source_input = Input(file.name, scan.sha256)
        if known := passed_over(self.name, _DELIVERIES, file.name, source_input, landing, pull):
            return known
        with landing.writer(
            self.name,
            _DELIVERIES.name,
            _DELIVERIES.feed,
            now=pull.now,
            partition=file.name,
            source_input=source_input,
            is_file=True,
        ) as writer:
            why = _fill(writer, file, scan, pull)
            if writer.newest is not None:
                # The day of the last delivery may continue in a file that does not exist yet.
                writer.complete_until = min(writer.newest.replace(tzinfo=UTC), pull.now)
        if writer.rejected and not writer.rows:
            raise SourceError(
                f"None of the {writer.rejected} lines of {file.name} can be used: {why}.",
                f"{_AS_POSTED} For a list: jq -c '.[]'",
            )
        messages: tuple[str, ...] = ()
        if writer.rejected:
            where = f"data/raw/{self.name}/{_DELIVERIES.name}"
            messages = (f"{writer.rejected:,} lines of {file.name} were rejected, each with its reason, in {where}.",)
        pulled = Pulled(self.name, _DELIVERIES.name, _DELIVERIES.feed.name, writer.rows, writer.rejected)
        return replace(pulled, partition=file.name, messages=messages, remarks=writer.remarks)

    def _patterns(self) -> tuple[str, ...]:
        """The patterns; a folder stands for the files in it."""
        return tuple(f"{path}/*" if (self.settings.root / path).is_dir() else path for path in self.paths)


def _check_form(file: File) -> None:
    """Check that a file is JSON lines, by its name and its content.

    Raises:
        SourceError: it is not.
    """
    if file.form != "json":
        raise SourceError(
            f"{file.name} is not JSON lines by its name.",
            "Name it ….jsonl, one delivery per line, or leave it out of path.",
        )
    files.check_content(file)


def _fill(writer: LoadWriter, file: File, scan: Scan, pull: Pull) -> str:
    """Land the usable lines of a file and reject the others; returns the first reason for a rejection."""
    why = ""
    for first, texts in files.line_blocks(file, "utf-8"):
        events: list[Record] = []
        numbers: list[int] = []
        bad: list[tuple[int, str]] = []
        for number, line in enumerate(texts, first):
            if not line.strip():
                continue
            text, _ = files.shown(line)
            event, reason = (None, "the line is not utf-8") if text is None else _event(text)
            if event is None:
                bad.append((number, reason))
            else:
                events.append(event)
                numbers.append(number)
        rows = typed(_DELIVERIES.feed, events, parse_delivery, 0)
        table = rows.table
        if table.num_rows:
            position = table.schema.get_field_index("_line")
            writer.add(table.set_column(position, "_line", pa.array(numbers, pa.int64()).take(table["_line"])))
        if bad:
            writer.reject([number for number, _ in bad], [reason for _, reason in bad], [_NOT_KEPT] * len(bad))
        if rows.reasons:
            writer.reject([numbers[line] for line in rows.lines], rows.reasons, rows.records)
        why = why or next(iter([*(reason for _, reason in bad), *rows.reasons]), "")
        pull.progress(file.name, writer.rows + writer.rejected, scan.lines)
    return why


def _event(text: str) -> tuple[Record | None, str]:
    """The event of a delivery without anything that identifies the buyer, or the reason why there is none.

    A line may be the whole delivery or the event alone.
    """
    try:
        delivery = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None, _NO_JSON
    event = delivery.get("event", delivery) if isinstance(delivery, dict) else None
    if not isinstance(event, dict) or (event is delivery and "type" not in event):
        return None, _NO_DELIVERY
    # RevenueCat adds fields from time to time: drop whatever looks like an e-mail address.
    return {n: v for n, v in event.items() if n not in FORGOTTEN and not (isinstance(v, str) and "@" in v)}, ""


class RevenueCatEventsOptions(Options, frozen=True):
    path: Annotated[SomeTexts, "files, a folder or a pattern such as 'webhooks/*.jsonl', or a list of them"]


REVENUECAT_EVENTS: Final = SourceKind(
    name="revenuecat_events",
    summary="deliveries of RevenueCat's webhooks from files, JSON lines",
    options=RevenueCatEventsOptions,
    open=lambda name, options, settings: RevenueCatEvents(name, options.path, settings),
)
