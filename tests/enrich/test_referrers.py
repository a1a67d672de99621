"""The table of known hosts beside a public list of search engines, social networks and AI assistants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tidings.enrich.referrers import category_of, source_of

# Where the list and the binding table differ: file, source of ours.
DIFFERENT = {
    ("SearchEngines.yml", "chatgpt"),  # the list has AI assistants among the search engines, too
    ("SearchEngines.yml", "perplexity"),
    ("SearchEngines.yml", "facebook"),
    ("SearchEngines.yml", "translate.google.com"),  # who has a page translated has not searched for it
    ("Socials.yml", "google"),  # Google+
    ("Socials.yml", "youtube"),  # the table has a category video
    ("Socials.yml", "vimeo"),
    ("AIAssistants.yml", "baidu"),  # assistants on hosts below a search engine's
    ("AIAssistants.yml", "google"),
    ("AIAssistants.yml", "x"),
}


def hosts(file: Path) -> Iterator[str]:
    for entries in yaml.safe_load(file.read_text(encoding="utf-8")).values():
        for entry in entries:
            urls = entry["urls"] if isinstance(entry, dict) else [entry]
            yield from (str(url).partition("/")[0].lower().removeprefix("www.") for url in urls)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "category", "agreeing"),
    [("SearchEngines.yml", "search", 50), ("Socials.yml", "social", 41), ("AIAssistants.yml", "ai", 6)],
)
def test_agrees_with_the_list(shared_data: Path, name: str, category: str, agreeing: int) -> None:
    known = [(host, source) for host in hosts(shared_data / "referrers" / name) if (source := source_of(host))]
    different = {(name, source) for _, source in known if category_of(source) != category}
    assert different == {pair for pair in DIFFERENT if pair[0] == name}
    assert sum(category_of(source) == category for _, source in known) == agreeing


def test_unknown_names_have_no_category() -> None:
    assert source_of("example.org") is None
    assert category_of("example.org") == "none"
