"""Known traffic sources by host or app, and their categories (metric definitions 5.1)."""

from __future__ import annotations

import functools
import re
from typing import Final, Literal

Category = Literal["search", "social", "video", "shopping", "email", "ai", "none"]

_TLD: Final = "<tld>"
_TLD_PATTERN: Final = r"(?:com|[a-z]{2}|com?\.[a-z]{2})"

# Google's services other than search: each is its own source.
_NO_SEARCH: Final = ("accounts", "docs", "drive", "sites", "meet", "groups", "calendar", "classroom", "translate")
_OWN: Final = ""
# Hosts, source, category. The first match wins: mail.google.com comes before google.<tld>.
_TABLE: Final[tuple[tuple[tuple[str, ...], str, Category], ...]] = (
    (("mail.google.com",), "gmail", "email"),
    (("mail.yahoo.com",), "yahoo mail", "email"),
    (("outlook.live.com", "outlook.office.com"), "outlook", "email"),
    (("gemini.google.com",), "gemini", "ai"),
    (("chatgpt.com", "chat.openai.com"), "chatgpt", "ai"),
    (("claude.ai",), "claude", "ai"),
    (("perplexity.ai",), "perplexity", "ai"),
    (("copilot.microsoft.com",), "copilot", "ai"),
    (tuple(f"{service}.google.com" for service in _NO_SEARCH), _OWN, "none"),
    ((f"google.{_TLD}",), "google", "search"),
    (("bing.com",), "bing", "search"),
    (("duckduckgo.com",), "duckduckgo", "search"),
    (("search.yahoo.com", "yahoo.com", "yahoo.co.jp"), "yahoo", "search"),
    (("ecosia.org",), "ecosia", "search"),
    (("search.brave.com",), "brave", "search"),
    (("baidu.com",), "baidu", "search"),
    (("yandex.ru", "yandex.com"), "yandex", "search"),
    (("facebook.com", "fb.com", "fb.me"), "facebook", "social"),
    (("instagram.com",), "instagram", "social"),
    (("t.co", "twitter.com", "x.com"), "x", "social"),
    (("linkedin.com", "lnkd.in"), "linkedin", "social"),
    (("reddit.com", "redd.it"), "reddit", "social"),
    (("news.ycombinator.com",), "hackernews", "social"),
    (("threads.net", "threads.com"), "threads", "social"),
    (("bsky.app",), "bluesky", "social"),
    (("pinterest.com", "pin.it"), "pinterest", "social"),
    (("tiktok.com",), "tiktok", "social"),
    (("youtube.com", "youtu.be"), "youtube", "video"),
    (("vimeo.com",), "vimeo", "video"),
    (("twitch.tv",), "twitch", "video"),
    ((f"amazon.{_TLD}",), "amazon", "shopping"),
    ((f"ebay.{_TLD}",), "ebay", "shopping"),
    (("etsy.com",), "etsy", "shopping"),
    (("walmart.com",), "walmart", "shopping"),
)

_APPS: Final[dict[str, str]] = {
    "com.google.android.gm": "gmail",
    "com.google.android.googlequicksearchbox": "google",
    "com.linkedin.android": "linkedin",
    "com.facebook.katana": "facebook",
    "com.facebook.orca": "facebook",
    "com.instagram.android": "instagram",
    "com.twitter.android": "x",
    "com.reddit.frontpage": "reddit",
    "com.pinterest": "pinterest",
    "com.zhiliaoapp.musically": "tiktok",
    "com.google.android.youtube": "youtube",
    "com.microsoft.office.outlook": "outlook",
    "com.openai.chatgpt": "chatgpt",
    "com.google.android.apps.bard": "gemini",
    "ai.perplexity.app.android": "perplexity",
    "com.anthropic.claude": "claude",
}
_CATEGORIES: Final[dict[str, Category]] = {source: category for _, source, category in _TABLE}


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    def pattern(entry: str) -> str:
        return re.escape(entry).replace(re.escape(_TLD), _TLD_PATTERN)

    return tuple(
        (re.compile(rf"(?:[\w-]+\.)*(?:{'|'.join(map(pattern, entries))})"), source) for entries, source, _ in _TABLE
    )


@functools.lru_cache(maxsize=65_536)
def source_of(host: str) -> str | None:
    """The known source of a host as `hosts.shown` returns it (whole labels compared), null if there is none (5.1)."""
    return next((source or host for pattern, source in _patterns() if pattern.fullmatch(host)), None)


def source_of_app(package: str) -> str:
    """The source of an app by its package or id; an unknown app is a source of its own (5.1)."""
    return _APPS.get(package, package)


def category_of(source: str) -> Category:
    """The category of a source name; `"none"` for an unknown one (5.1)."""
    return _CATEGORIES.get(source, "none")
