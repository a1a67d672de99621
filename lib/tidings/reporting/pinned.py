"""A run, fixed before any work, and its result: the values that all steps of a run pass on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tidings.language import ENGLISH, say_count
from tidings.reporting.report import Parameter, Variant
from tidings.settings import Settings
from tidings.warehouse.rows import ALL_ROWS, Rows

if TYPE_CHECKING:
    from tidings.reporting.open_alerts import OpenAlert
    from tidings.window import Zone

RunProgress = Callable[[str, int, int], None]
RunStatus = Literal["done", "partly", "failed"]
SEPARATOR = "~"
_LONGEST = 80
_OLD_DAYS = 2
_UNSAFE = re.compile(r"[^\w.=+-]+", re.ASCII)


@dataclass(frozen=True)
class Public:
    """What may leave for anybody: metrics by name, for a breakdown also its column, as "orders by country"."""

    figures: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One run, fixed before any work: every section reads this build as of this instant.

    `slot` names the run's folder (`slot_of`). `parameters` are those given, in their declared types. Instants are
    aware. With `is_latest` it was asked as of the end of the data. A run with variants is one value for each:
    `variants` are all of them, `suffix` says which this is. `rows` are the only ones it reads; with `public` its pages
    are for anybody. `alerts` are those that were open when it began, `locale` is the language of its pages.
    """

    id: str
    report: str
    title: str
    slot: str
    as_of: datetime
    parameters: Mapping[str, Parameter]
    build: str
    version: str
    sections: tuple[str, ...]
    started_at: datetime
    zone: Zone
    is_latest: bool = False
    suffix: str = ""
    variants: tuple[Variant, ...] = ()
    rows: Rows = ALL_ROWS
    public: Public | None = None
    alerts: tuple[OpenAlert, ...] = ()
    locale: str = ENGLISH

    @property
    def pages(self) -> tuple[str, ...]:
        """The names of its sections' pages and notebooks, in order."""
        return tuple(f"{section}{self.suffix}" for section in self.sections)

    @property
    def variant(self) -> str:
        """The name of its variant; empty where there are none."""
        return next((variant.name for variant in self.variants if variant.suffix == self.suffix), "")

    def folder(self, settings: Settings) -> Path:
        """The folder of its pages."""
        return settings.reports / self.report / self.slot

    def notebooks(self, settings: Settings) -> Path | None:
        """Where executed notebooks and `run.json` lie that are not published with the pages; None: beside them."""
        return private_folder(settings, self.folder(settings)) if self.public else None

    @property
    def day(self) -> str:
        """The slot without the parameters."""
        return self.slot.partition(SEPARATOR)[0]

    @property
    def as_of_label(self) -> str:
        """`as_of` for a reader, in the report's zone."""
        return f"{_label(self.as_of, self.zone)} {self.zone.name}"

    @property
    def started_label(self) -> str:
        """The start for a reader, in the report's zone."""
        return _label(self.started_at, self.zone)

    @property
    def age_note(self) -> str:
        """Where the report stands at the end of the data and that is days ago: a sentence that says so."""
        # Imported here because it takes half a second, in which the forkserver imports as well.
        from tidings.window import days_since

        days = int(days_since(self.as_of, self.started_at))
        if not self.is_latest or days < _OLD_DAYS:
            return ""
        return say_count(
            days,
            "The data end {days} day before this run of {start}: nothing newer was landed.",
            "The data end {days} days before this run of {start}: nothing newer was landed.",
            days=days,
            start=self.started_label,
        )


def private_folder(settings: Settings, pages: Path) -> Path:
    """Where notebooks and manifest lie of a public run with these pages."""
    return settings.root / "data" / "private" / pages.parent.name / pages.name


@dataclass(frozen=True)
class SectionResult:
    """The result of one section: status done or failed, wall seconds, the error in one sentence.

    `page` names its page and notebook: with variants a section has several.
    """

    section: str
    page: str
    status: Literal["done", "failed"]
    seconds: float
    error: str


@dataclass(frozen=True)
class RunResult:
    """The result of a run: `done`, `partly` (some sections failed), `failed` (all did)."""

    run: Run
    title: str
    status: RunStatus
    seconds: float
    index: Path
    sections: tuple[SectionResult, ...]
    warnings: tuple[str, ...]


def status_of(results: tuple[SectionResult, ...]) -> RunStatus:
    """The status of a run with these sections."""
    failed = sum(result.status == "failed" for result in results)
    return "done" if not failed else "failed" if failed == len(results) else "partly"


def slot_of(
    as_of: datetime,
    zone: Zone,
    other: Mapping[str, Parameter],
    *,
    is_latest: bool,
    rows: Rows = ALL_ROWS,
    public: Public | None = None,
) -> str:
    """The folder of a run within its report's: `2026-07-01`, or `2026-07-01~days=90_segment=country=DE`.

    `latest` gives its local day, whatever the hour; any other time of day is part of the name. `other` are parameters
    that differ from the report's. If a value has characters unfit for a name, or the name would be long, it ends in
    digits of a hash. Rows are named by such digits alone, and for a public run so are the parameters: whoever may see
    the name need not know them.
    """
    local = as_of.astimezone(zone.info)
    is_day = is_latest or as_of == zone.first_instant(local.date())
    day = f"{local:%Y-%m-%d}" if is_day else f"{local:%Y-%m-%dT%H%M%S}".removesuffix("00")
    if public is not None:
        held = [sorted(public.figures), rows.to_text(), sorted(other.items())]
        return f"{day}{SEPARATOR}public-{hashlib.sha256(json.dumps(held).encode()).hexdigest()[:16]}"
    bound = f"{SEPARATOR}rows-{rows.digest}" if rows else ""
    if not other:
        return f"{day}{bound}"
    asked = "_".join(f"{name}={_text(value)}" for name, value in sorted(other.items()))
    safe = _UNSAFE.sub("-", asked)
    if safe == asked and len(safe) <= _LONGEST:
        return f"{day}{SEPARATOR}{safe}{bound}"
    exact = hashlib.sha256(json.dumps(dict(other), sort_keys=True).encode()).hexdigest()[:8]
    return f"{day}{SEPARATOR}{safe[:_LONGEST].rstrip('-')}{SEPARATOR}{exact}{bound}"


def _label(at: datetime, zone: Zone) -> str:
    # Imported here for the same reason.
    from tidings.window import label_instant

    return label_instant(at, zone)


def _text(value: Parameter) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
