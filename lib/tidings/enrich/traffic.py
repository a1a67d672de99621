"""Attribution of a visit: path, source, medium and channel of a landing URL (metric definitions 4 and 5)."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from tidings.enrich.hosts import is_host, is_within, shown
from tidings.enrich.paths import normalised
from tidings.enrich.referrers import category_of, source_of, source_of_app

_MISSING: Final = frozenset({"", "(not set)", "(none)", "null"})
_PAID_CLICKS: Final = ("gclid", "gbraid", "wbraid", "dclid", "msclkid")
_CLICK_SOURCES: Final[Mapping[str, str]] = {
    "gclid": "google",
    "gbraid": "google",
    "wbraid": "google",
    "dclid": "google",
    "msclkid": "bing",
    "fbclid": "facebook",
    "ttclid": "tiktok",
    "twclid": "x",
    "li_fat_id": "linkedin",
}
_UTM: Final = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
_PARAMETERS: Final = frozenset({*_UTM, *_CLICK_SOURCES})
_ALIASES: Final[Mapping[str, str]] = {
    "fb": "facebook",
    "ig": "instagram",
    "twitter": "x",
    "yt": "youtube",
    "hn": "hackernews",
}
_PAID: Final = re.compile(r".*cp.*|ppc|retargeting|paid.*", re.DOTALL)
_SHOP: Final = re.compile(r"(?:[^a-df-z]|^)shop|shopping")
_SOCIAL: Final = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_DISPLAY: Final = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_MAIL: Final = ("email", "e-mail", "e_mail", "e mail", "newsletter")
_URL: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#\\]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.IGNORECASE | re.DOTALL,
)
_APPS: Final = ("android-app", "ios-app")


@dataclass(frozen=True, slots=True)
class Traffic:
    """One landing: its page and the source it is attributed to; null if missing, all except path and query lower
    case.
    """

    path: str | None
    query: str | None
    host: str | None
    referrer_host: str | None
    source: str
    medium: str
    channel: str
    campaign: str | None
    content: str | None
    term: str | None


class _Url(NamedTuple):
    scheme: str
    host: str | None
    path: str
    query: str | None


def normalise_path(url: str) -> str:
    """The path of a URL or request target as `paths.normalised`: no query and no fragment (4)."""
    return _split(url).path


def resolve(url: str | None, referrer: str | None, site: str, given: Mapping[str, str | None] | None = None) -> Traffic:
    """The traffic of one landing (metric definitions 4, 5.1 to 5.3). Pure; never raises.

    `url` is a full URL or a request target; `site` is the host whose links are internal (empty: the URL's own).
    `given` holds utm or click-id parameters known apart from the URL, by parameter name; they win over its query.
    """
    landing = _split(url) if url is not None else None
    own = shown(site) or (landing.host if landing else None)
    parameters = _parameters(landing.query if landing else None, given or {})
    referrer_host, referrer_source = _external(referrer, own or "")
    utm_source, utm_medium, campaign, content, term = (parameters.get(name) for name in _UTM)

    from_referrer = utm_source is None and referrer_host is not None
    clicked = next((name for name in _CLICK_SOURCES if name in parameters), None)
    if utm_source is not None:
        source = _named_source(utm_source)
    elif referrer_host is not None:
        source = referrer_source
    else:
        source = _CLICK_SOURCES[clicked] if clicked else "(direct)"

    paid_click = any(name in parameters for name in _PAID_CLICKS)
    if utm_medium is not None:
        medium = utm_medium
    elif paid_click:
        medium = "cpc"
    elif from_referrer:
        medium = "organic" if category_of(source) == "search" else "referral"
    else:
        medium = "(none)"

    paid = paid_click if utm_medium is None else bool(_PAID.fullmatch(utm_medium))
    return Traffic(
        path=landing.path if landing else None,
        query=landing.query if landing else None,
        host=(landing.host if landing else None) or own or None,
        referrer_host=referrer_host,
        source=source,
        medium=medium,
        channel=_channel(source, utm_source, utm_medium, campaign or "", paid=paid, from_referrer=from_referrer),
        campaign=campaign,
        content=content,
        term=term,
    )


def _split(url: str) -> _Url:
    # urllib's urlsplit raises on stray brackets and takes the request target "//x" for a host: logs contain both.
    match = _URL.fullmatch(url.strip())
    if match is None:  # pragma: no cover - every part is optional, so the pattern matches any text
        return _Url("", None, "/", None)
    scheme, authority = (match["scheme"] or "").lower(), match["authority"] or ""
    host = authority.strip().lower() if scheme in _APPS else shown(authority)
    return _Url(scheme, host or None, normalised(match["path"]), match["query"] or None)


def _clean(value: str | None) -> str | None:
    text = (value or "").strip().lower()
    return None if text in _MISSING else text


def _parameters(query: str | None, given: Mapping[str, str | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    pairs = [*given.items(), *parse_qsl(query or "", keep_blank_values=True)]
    for name, value in pairs:
        key, text = name.strip().lower(), _clean(value)
        if key in _PARAMETERS and text is not None:
            found.setdefault(key, text)
    return found


@functools.lru_cache(maxsize=65_536)
def _external(referrer: str | None, own: str) -> tuple[str | None, str]:
    """Host (or package) and source of a referrer; null if there is none, or if it is the site's own."""
    url = _split(referrer) if referrer else None
    if url is None or url.host is None:
        return None, ""
    if url.scheme in _APPS:
        return url.host, source_of_app(url.host)
    if url.scheme not in ("http", "https") or not is_host(url.host) or is_within(url.host, own):
        return None, ""
    return url.host, source_of(url.host) or url.host


def _named_source(value: str) -> str:
    return _ALIASES.get(value) or source_of(value) or value


def _channel(
    source: str, utm_source: str | None, utm_medium: str | None, campaign: str, *, paid: bool, from_referrer: bool
) -> str:
    category, medium = category_of(source), utm_medium or ""
    shopping = category == "shopping" or bool(_SHOP.search(campaign))
    mail = any(word in text for word in _MAIL for text in (source, medium))
    push = medium.endswith("push") or "mobile" in medium or "notification" in medium or source == "firebase"
    direct = utm_medium is None and (source == "(direct)" or utm_source == "direct")
    rules = (
        ("Cross-network", "cross-network" in campaign),
        ("Paid Shopping", paid and shopping),
        ("Paid Search", paid and category == "search"),
        ("Paid Social", paid and category == "social"),
        ("Paid Video", paid and category == "video"),
        ("Display", medium in _DISPLAY),
        ("Paid Other", paid),
        ("Organic Shopping", shopping),
        ("Organic Social", category == "social" or medium in _SOCIAL),
        ("Organic Video", category == "video" or "video" in medium),
        ("AI Assistants", category == "ai" or medium == "ai-assistant"),
        ("Organic Search", category == "search" or medium == "organic"),
        ("Email", category == "email" or mail),
        ("Affiliates", medium in ("affiliate", "affiliates")),
        ("Audio", medium == "audio"),
        ("SMS", source == "sms" or medium == "sms"),
        ("Mobile Push", push),
        ("Referral", medium in ("referral", "app", "link") or from_referrer),
        ("Direct", direct),
    )
    return next((name for name, holds in rules if holds), "Unassigned")
