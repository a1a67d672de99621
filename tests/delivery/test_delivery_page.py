"""docs/delivery.md says of every channel what it is, its options and its secrets; and its example works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from channel_samples import AT, message

from tidings import discovery
from tidings.delivery.channel import ChannelKind
from tidings.delivery.channels.webhook import payload, signature
from tidings.secrets import Secret

PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"
HEADINGS = {
    "apprise": "Other services", "folder": "Folder", "pages": "Pages", "s3": "S3", "slack": "Slack", "teams": "Teams",
    "webhook": "Webhook",
}  # fmt: skip


def part(heading: str) -> str:
    return PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", HEADINGS)
def test_every_option_and_secret_is_explained(name: str) -> None:
    kind = discovery.discover(ChannelKind, "kind of channel", ChannelKind.PACKAGE)[name]
    listed = re.findall(r"^\| `(\w+)` \|.*\| [^|]+ \|$", part(HEADINGS[name]).split("\nA `POST`")[0], re.MULTILINE)
    assert sorted(listed) == sorted(field.name for field in msgspec.structs.fields(kind.options))
    (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"<CHANNEL>_(\w+)", row)) == set(kind.secrets)


def test_the_schema_is_that_of_the_page() -> None:
    made = payload(message())
    body, figure = part("Webhook").split("\nA figure:\n")
    for text, given in ((body.split("The body.")[1], made), (figure, made["figures"][0])):
        names = [
            name for row in re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
        ]
        assert sorted(names) == sorted(given)


def test_the_example_verifies_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", part("Webhook"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # the page's own example
    at = int(AT.timestamp())
    monkeypatch.setattr(names["time"], "time", lambda: at + 299)
    header = signature(Secret("key"), at, b'{"a": 1}')
    assert names["is_ours"]("key", header, b'{"a": 1}')
    assert not names["is_ours"]("key", header, b'{"a": 2}')
    assert not names["is_ours"]("other", header, b'{"a": 1}')
    monkeypatch.setattr(names["time"], "time", lambda: at + 301)
    assert not names["is_ours"]("key", header, b'{"a": 1}')
