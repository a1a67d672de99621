"""The name of a report's folder: its local day, and what was asked otherwise than its schedule does."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime

from tidings.reporting.schedule import Parameter
from tidings.window import Zone

_LONGEST = 80
_UNSAFE = re.compile(r"[^\w.=+-]+", re.ASCII)


def slot_of(as_of: datetime, zone: Zone, other: Mapping[str, Parameter], *, is_latest: bool) -> str:
    """The folder of a report within its schedule's: `2026-07-01`, or `2026-07-01_days=90_segment=country=DE`.

    `latest` stands for the local day that it falls on, whatever the hour; any other time of day is named. `other` are
    the parameters that are not as the schedule sets them. Where a value has characters that a name should not have, or
    the name would be long, it ends in some digits of what was really asked.
    """
    local = as_of.astimezone(zone.info)
    is_day = is_latest or as_of == zone.first_instant(local.date())
    day = f"{local:%Y-%m-%d}" if is_day else f"{local:%Y-%m-%dT%H%M%S}".removesuffix("00")
    if not other:
        return day
    asked = "_".join(f"{name}={_text(value)}" for name, value in sorted(other.items()))
    safe = _UNSAFE.sub("-", asked)
    if safe == asked and len(safe) <= _LONGEST:
        return f"{day}_{safe}"
    exact = hashlib.sha256(json.dumps(dict(other), sort_keys=True).encode()).hexdigest()[:8]
    return f"{day}_{safe[:_LONGEST].rstrip('-')}~{exact}"


def _text(value: Parameter) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
