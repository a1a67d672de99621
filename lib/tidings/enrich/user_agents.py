"""Device, browser and operating system of a user agent (metric definitions 11); `bots.py` finds bots."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final, Literal

from ua_parser import Result, parse

from tidings.enrich.bots import is_bot

Device = Literal["desktop", "mobile", "tablet", "other"]

_NOT_HELD: Final = re.compile(
    r"smart-?tv|googletv|apple ?tv|android tv|\bAFT[A-Z]|\bBRAVIA|roku|hbbtv|web0?s.*tv|tizen.*tv|netcast|viera"
    r"|crkey|playstation|xbox|nintendo|oculus|\bquest\b|watch",
    re.IGNORECASE,
)
_TABLET: Final = re.compile(r"ipad|tablet|playbook|kindle|\bsilk/(?!.*mobile)|\bKF[A-Z]{2,4}\b", re.IGNORECASE)
_MOBILE: Final = re.compile(
    r"iphone|ipod|mobile|phone|blackberry|\bbb10\b|opera mini|symbian|midp|maemo", re.IGNORECASE
)
_DESKTOP: Final = re.compile(
    r"windows nt|windows 9|macintosh|mac_powerpc|x11|linux|cros|freebsd|openbsd", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Agent:
    """One user agent; browser and os are families without version, null if unknown to the rules."""

    device: Device
    browser: str | None
    os: str | None
    is_bot: bool


@functools.lru_cache(maxsize=65_536)
def describe(user_agent: str | None) -> Agent:
    """One user agent described by the uap-core rules; cached per distinct value. Pure; never raises."""
    text = (user_agent or "").strip()
    if text in ("", "-"):
        return Agent("other", None, None, is_bot=True)
    result = parse(text)
    return Agent(
        device=_device(text, result),
        browser=result.user_agent.family if result.user_agent else None,
        os=result.os.family if result.os else None,
        is_bot=_is_spider(result) or is_bot(text),
    )


def _is_spider(result: Result) -> bool:
    return result.device is not None and result.device.family == "Spider"


def _device(text: str, result: Result) -> Device:
    family = result.device.family if result.device else ""
    if _is_spider(result) or _NOT_HELD.search(text):
        return "other"
    if family == "iPad" or _TABLET.search(text):
        return "tablet"
    if _MOBILE.search(text):
        return "mobile"
    if "android" in text.lower():
        # Android writes "Mobile" for phones only.
        return "tablet"
    return "desktop" if _DESKTOP.search(text) else "other"
