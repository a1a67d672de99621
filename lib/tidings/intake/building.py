"""A build with its entry in the ledger."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime

from tidings.errors import TidingsError, understood
from tidings.ledger.store import Ledger
from tidings.secrets import Redactor
from tidings.settings import Settings
from tidings.sources.source import Progress
from tidings.warehouse.build import BuildResult, build


def build_recorded(
    settings: Settings, now: datetime, redact: Redactor, progress: Progress
) -> tuple[BuildResult, float]:
    """Build the warehouse and enter that in the ledger, whatever comes of it; returns the result and wall seconds.

    Raises:
        TidingsError: as `build`.
    """
    ledger = Ledger(settings.ledger)
    number, start = ledger.start_build(now), time.monotonic()
    try:
        result = build(settings, progress=progress)
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        known = understood(error, settings.root) or TidingsError(type(error).__name__)
        with suppress(TidingsError):
            # On a full disk the ledger cannot be written either; the ended process then means the same.
            ledger.finish_build(
                number,
                "interrupted" if stopped else "failed",
                seconds=time.monotonic() - start,
                error="It was stopped." if stopped else redact(str(known)),
            )
        raise
    seconds = time.monotonic() - start
    ledger.finish_build(number, "done", seconds=seconds, build=result.build_id, rows=result.rows)
    return result, seconds
