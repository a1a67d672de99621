"""Channels that post: what arrives, what each answer means, and that addresses stay secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from channel_samples import AT, figure, item, message, section

from fakes.receivers import Receiver, SlackReceiver, TeamsReceiver, WebhookReceiver, as_text, breaking
from tidings.delivery.channel import Channel, DeliveryError, open_channel
from tidings.delivery.channels.webhook import payload
from tidings.errors import SettingsError
from tidings.settings import Settings
from tidings.sources.http import transport

SECRET = "a-secret-that-signs"
CANARIES = ("canary-of-a-secret", SECRET)


def opened(kind: str, address: str, **options: Any) -> Channel:
    environment = {"CHAT_WEBHOOK": address, "CHAT_SECRET": SECRET, "CHAT_URL": address}
    channels = {"chat": {"kind": kind, **options}}
    return open_channel(Settings(root=Path("/nowhere"), channels=channels, environment=environment), "chat")


RECEIVERS: Mapping[str, Callable[[], Receiver]] = {
    "slack": SlackReceiver,
    "teams": TeamsReceiver,
    "webhook": lambda: WebhookReceiver(SECRET, AT.timestamp()),
}


@pytest.fixture(params=RECEIVERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def receiver(kind: str) -> Iterator[Receiver]:
    made = RECEIVERS[kind]()
    with made.running():
        yield made


def refused(channel: Channel, **more: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(message(**more), lambda: None)
    for canary in CANARIES:
        assert canary not in f"{caught.value} {caught.value.answer} {caught.value!r} {channel!r}"
    return caught.value


def test_a_message_arrives_once_and_is_offered_before_it_does(kind: str, receiver: Receiver) -> None:
    before: list[int] = []
    receipt = opened(kind, receiver.address).send(message(), lambda: before.append(len(receiver.asked)))
    assert (before, len(receiver.accepted), receipt.code) == ([0], 1, {"teams": 202}.get(kind, 200))
    text = as_text(receiver.accepted[0].body)
    for part in ("Weekly report", "29 Jun – 5 Jul 2026", "Search Console is missing", "Error rate is above 2 %."):
        assert part in text


@pytest.mark.parametrize(
    ("status", "outlook"),
    [
        (400, "permanent"),
        (401, "permanent"),
        (403, "permanent"),
        (404, "permanent"),
        (410, "permanent"),
        (413, "permanent"),
        (408, "temporary"),
        (429, "temporary"),
        (500, "temporary"),
        (503, "temporary"),
        (501, "permanent"),
        # A gateway has passed it on and nobody knows what became of it.
        (504, "unknown"),
    ],
)
def test_what_an_answer_means(kind: str, receiver: Receiver, status: int, outlook: str) -> None:
    receiver.fail("/", status, content=f"no_service at {receiver.address}")
    error = refused(opened(kind, receiver.address))
    assert (error.outlook, error.code, error.retry_after) == (outlook, status, None)
    assert error.answer.startswith("no_service at") and str(status) in str(error)
    if outlook == "permanent":
        assert error.remedy


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("7", 7.0), ("Mon, 06 Jul 2026 06:01:30 GMT", 90.0), ("soon", None), ("-5", 0.0)],
)
def test_a_wait_that_is_asked_for_is_passed_on(
    kind: str, receiver: Receiver, given: str, seconds: float | None
) -> None:
    receiver.fail("/", 429, Retry_After=given)
    error = refused(opened(kind, receiver.address))
    assert error.outlook == "temporary"
    assert error.retry_after == (None if seconds is None else pytest.approx(seconds, abs=5))


def test_a_redirect_is_not_followed_with_a_secret(kind: str, receiver: Receiver) -> None:
    receiver.fail("/", 307, Location="/elsewhere/canary-of-a-secret")
    error = refused(opened(kind, receiver.address))
    assert (error.outlook, len(receiver.asked), error.remedy) == (
        "permanent", 1, "It has moved: give the channel its new address.",
    )  # fmt: skip


@pytest.mark.parametrize(("moment", "outlook"), [("after", "unknown"), ("never", "unknown")])
def test_a_connection_that_breaks_after_the_message(
    kind: str, moment: str, outlook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "READ_S", 0.3)
    with breaking(moment) as (url, bodies):
        error = refused(opened(kind, f"{url}{Receiver.path}"))
        assert (error.outlook, error.code, len(bodies)) == (outlook, None, 1)
        assert "tidings send RUN --unknown" in error.remedy


def test_a_connection_that_breaks_in_the_middle_of_the_message_is_no_doubt(kind: str) -> None:
    """The server cannot have accepted what it never had."""
    # Larger than what the system buffers, so that the break is noticed while it is sent.
    big = tuple(f"{number} " + "x" * 300 for number in range(60_000))
    with breaking("before") as (url, _):
        channel = opened(kind, f"{url}{Receiver.path}")
        if kind == "webhook":
            assert refused(channel, lines=big).outlook == "temporary"
        else:
            # Small enough to be on its way at once: unknown is all that can be said.
            assert refused(channel).outlook == "unknown"


def test_nothing_listens(kind: str, receiver: Receiver) -> None:
    offered: list[int] = []
    channel = opened(kind, f"http://127.0.0.1:1{Receiver.path}")
    with pytest.raises(DeliveryError, match="nothing listens there") as caught:
        channel.send(message(), lambda: offered.append(1))
    assert (caught.value.outlook, offered) == ("temporary", [])
    assert "base_url" not in str(caught.value)


def test_what_cannot_be_written_down_is_not_sent(kind: str, receiver: Receiver) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        opened(kind, receiver.address).send(message(), full)
    assert receiver.accepted == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://hooks.example.com/canary-of-a-secret", "is not encrypted"),
        ("hooks.example.com/canary-of-a-secret", "is not an address"),
        ("https://hooks.example.com/canary-of-a-secret\nX: 1", "is not an address"),
        ("https://[canary-of-a-secret", "is not an address"),
        ("", "is not set"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(kind: str, address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        opened(kind, address)
    assert "canary" not in str(caught.value)
    assert "CHAT_WEBHOOK" in str(caught.value)


def test_a_notice_arrives(kind: str, receiver: Receiver) -> None:
    notice = message(
        records=(), findings=(), gaps=(), alerts=(), lines=("The weekly report failed.",), period="", address=""
    )
    opened(kind, receiver.address).send(notice, lambda: None)
    assert "The weekly report failed." in as_text(receiver.accepted[0].body)


# Slack


def test_slack_that_is_not_slack_is_not_believed() -> None:
    slack = SlackReceiver()
    with slack.running():
        slack.fail("/", 200, content="<html><title>Log in</title></html>")
        assert refused(opened("slack", slack.address)).outlook == "unknown"


def test_the_blocks_of_slack() -> None:
    slack = SlackReceiver()
    with slack.running():
        opened("slack", slack.address).send(message(), lambda: None)
    body = slack.accepted[0].body
    texts = [block["text"]["text"] for block in body["blocks"] if block["type"] in ("header", "section")]
    assert texts == [
        "Weekly report",
        "*Open alerts*\n• Error rate is above 2 %.",
        "*Incomplete*\n• Search Console is missing since 3 Jul 2026.",
        "*What changed?*\n• Net revenue &lt;rose&gt; &amp; rose.",
        "<https://reports.example.com/weekly/2026-07-06/commerce.html|Commerce>",
        "<https://reports.example.com/weekly/2026-07-06/web_traffic.html|Web traffic>\n"
        "This section could not be finished.",
    ]
    fields = next(block["fields"] for block in body["blocks"] if "fields" in block)
    assert [field["text"] for field in fields] == [
        "*Net revenue*\n4\u202f557\u202fEUR (+3.1\u202f%)",
        "*Orders*\n– (shop has orders for 1 – 5 Jun 2026)",
    ]
    assert body["blocks"][-1]["elements"][0]["url"] == message().address
    assert body["text"].startswith(message().subject)
    # What a traceback says may be anything.
    assert "NameError" not in as_text(body)


# Webhook


def test_the_json_of_a_webhook() -> None:
    receiver = WebhookReceiver(SECRET, AT.timestamp())
    with receiver.running():
        opened("webhook", receiver.address).send(message(recipient="ann@example.com"), lambda: None)
    body = receiver.accepted[0].body
    assert "ann@example.com" not in as_text(body)
    assert list(body) == [
        *("version", "id", "kind", "report", "slot", "as_of", "period", "title", "subject", "status", "address"),
        *("findings", "sections", "figures", "alerts", "gaps", "notes", "lines"),
    ]
    assert (body["version"], body["report"], body["slot"], body["as_of"], body["status"]) == (
        1, "weekly", "2026-07-06", "2026-07-06T06:00:00+00:00", "partly",
    )  # fmt: skip
    # Exact, and each once although findings and cards hold it.
    assert body["figures"] == [
        {
            "section": "commerce", "metric": "net_revenue", "title": "Net revenue", "value": "4557.1038", "unit": "EUR",
            "before": "4420.08", "change": 0.031, "window": {"from": "2026-06-29", "to": "2026-07-06"},
            "status": "none", "reason": None,
        },
        {
            "section": "commerce", "metric": "orders", "title": "Orders", "value": None, "unit": "count",
            "before": "4420.08", "change": 0.031, "window": {"from": "2026-06-29", "to": "2026-07-06"},
            "status": "none", "reason": "shop has orders for 1 – 5 Jun 2026",
        },
    ]  # fmt: skip


def test_a_repeat_is_the_same_message_with_a_young_signature() -> None:
    receiver = WebhookReceiver(SECRET, AT.timestamp())
    with receiver.running():
        channel = opened("webhook", receiver.address, idempotent=True)
        assert channel.is_repeatable
        first = message(id="weekly/grüße, 1")
        channel.send(first, lambda: None)
        receiver.now += 86_400
        assert refused(channel, id=first.id).code == 401
        later = replace(first, sent_at=datetime.fromtimestamp(receiver.now, UTC))
        assert channel.send(later, lambda: None).answer == '{"duplicate": true}'
    keys = {request.headers["Idempotency-Key"] for request in receiver.asked}
    assert (keys, len(receiver.accepted)) == ({"weekly/gr%C3%BC%C3%9Fe,%201"}, 1)


def test_to_a_receiver_that_drops_repeats_nothing_is_unknown() -> None:
    with breaking("after") as (url, _):
        assert refused(opened("webhook", f"{url}{Receiver.path}", idempotent=True)).outlook == "temporary"
        assert not opened("webhook", f"{url}{Receiver.path}").is_repeatable


def test_an_altered_body_is_not_signed() -> None:
    receiver = WebhookReceiver("another secret", AT.timestamp())
    with receiver.running():
        error = refused(opened("webhook", "", url=receiver.address))
    assert (error.code, error.remedy) == (
        401, "The receiver does not accept the signature: compare CHAT_SECRET with what it has.",
    )  # fmt: skip


def test_what_is_unknown_always_has_a_reason() -> None:
    ratio = figure("repeat_rate", None, unit="ratio", why="")
    made = payload(message(records=(section("shop", item("cards", ratio, figure("gone", None, why=""))),)))
    assert [one["reason"] for one in made["figures"]] == [
        "nothing to divide by in this window",
        "no data in this window",
    ]


def test_a_change_that_json_has_no_number_for_is_null() -> None:
    receiver = WebhookReceiver(SECRET, AT.timestamp())
    with receiver.running():
        rise = section("shop", item("cards", figure(change=float("inf"))))
        opened("webhook", receiver.address).send(message(records=(rise,)), lambda: None)
    assert receiver.accepted[0].body["figures"][0]["change"] is None


# Teams


def test_a_card_stays_within_28_kb_and_says_what_it_left_out() -> None:
    teams = TeamsReceiver()
    figures = [figure(f"metric_{number}", why="ü" * 300, value=None) for number in range(10)]
    many = tuple(section(f"section_{number}", item("cards", *figures)) for number in range(40))
    with teams.running():
        opened("teams", teams.address).send(message(records=many), lambda: None)
        opened("teams", teams.address).send(message(findings=(), alerts=("ü" * 400,) * 300), lambda: None)
    first, second = (one.body["attachments"][0]["content"]["body"] for one in teams.accepted)
    assert any("more sections" in run["text"] for part in first for run in part["inlines"])
    assert second[-1]["inlines"][0]["text"] == "… and more in the report"


def test_data_are_no_markdown_in_teams() -> None:
    teams = TeamsReceiver()
    with teams.running():
        opened("teams", teams.address).send(message(gaps=("[click](https://evil.example)",)), lambda: None)
    content = teams.accepted[0].body["attachments"][0]["content"]
    assert all(part["type"] == "RichTextBlock" for part in content["body"])
    assert json.dumps(content).count("evil.example") == 1


# Other services


def test_another_service_accepts_or_does_not(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("apprise"), "propagate", True)
    caplog.set_level(logging.DEBUG)
    slack = Receiver()
    with slack.running() as url:
        address = f"json://{url.removeprefix('http://')}/canary-of-a-secret"
        channel = opened("apprise", address)
        error = refused(channel)
        assert (error.outlook, "CHAT_URL" in error.remedy) == ("temporary", True)
        slack.fail("/canary", 200, content="{}")
        offered: list[int] = []
        assert channel.send(message(), lambda: offered.append(1)).answer == "accepted"
    assert offered == [1]
    sent = slack.asked[-1].json()
    assert sent["title"] == message().subject
    assert "Net revenue: 4\u202f557\u202fEUR (+3.1\u202f%)" in sent["message"]
    assert "canary" not in "".join(capfd.readouterr())
    assert [record for record in caplog.records if record.name == "apprise" and record.levelno > logging.DEBUG] == []


@pytest.mark.parametrize("address", ["nothing://canary-of-a-secret", "canary-of-a-secret", "json://a, json://b"])
def test_an_address_that_no_service_has(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError, match="CHAT_URL is not the address of one service") as caught:
        opened("apprise", address)
    assert "canary" not in str(caught.value) + "".join(capfd.readouterr())


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(SettingsError, match=r'pip install "tidings\[apprise\]"'):
        opened("apprise", "json://127.0.0.1")
