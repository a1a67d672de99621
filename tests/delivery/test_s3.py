"""The site in a bucket, on a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from channel_samples import Made, make_pages, message

from fakes.server import FakeApi
from tidings.delivery.channel import Channel, DeliveryError, open_channel
from tidings.delivery.channels import s3
from tidings.delivery.message import Message
from tidings.errors import SettingsError
from tidings.settings import Settings

pytest.importorskip("moto.server")
KEY = "canary-of-an-access-key"
KEYS = {"BOARD_ACCESS_KEY_ID": "AKIACANARY0123456789", "BOARD_SECRET_ACCESS_KEY": KEY}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, request: pytest.FixtureRequest) -> Any:
    given = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    made = boto3.resource("s3", endpoint_url=endpoint, **given).Bucket(f"b{abs(hash(request.node.name))}")
    made.create()
    return made


@pytest.fixture
def pages(tmp_path: Path) -> Made:
    return partial(make_pages, tmp_path)


def opened(endpoint: str, bucket: str, environment: Any = KEYS, **options: Any) -> Channel:
    table = {"kind": "s3", "bucket": bucket, "endpoint": endpoint, "prefix": "reports/", **options}
    return open_channel(Settings(Path("/nowhere"), channels={"board": table}, environment=environment), "board")


def run(folder: Path, **more: Any) -> Message:
    at = datetime.fromisoformat(folder.name).replace(tzinfo=UTC)
    return message(**{"folder": folder, "slot": folder.name, "at": at, **more})


def keys(bucket: Any) -> list[str]:
    return [found.key for found in bucket.objects.all()]


def test_a_site_with_types_and_what_to_keep(endpoint: str, bucket: Any, pages: Made) -> None:
    channel = opened(endpoint, bucket.name)
    assert (list(channel.check()), channel.is_repeatable, channel.is_personal) == ([], True, False)
    receipt = channel.send(run(pages(**{"chart.png": "png"})), lambda: None)
    assert receipt.answer == f"run 2026-07-06 of 1 in {bucket.name}/reports"
    names = [
        f"weekly/{folder}/{name}"
        for folder in ("2026-07-06", "latest")
        for name in ("chart.png", "commerce.html", "index.html")
    ]
    assert keys(bucket) == sorted(
        f"reports/{name}" for name in (*names, "weekly/index.html", "feed.xml", "index.html", "site.json")
    )
    kept = {name: bucket.Object(f"reports/{name}").get() for name in ("index.html", "feed.xml", names[0])}
    assert [(one["ContentType"], one["CacheControl"]) for one in kept.values()] == [
        ("text/html; charset=utf-8", "no-cache"),
        ("application/atom+xml; charset=utf-8", "no-cache"),
        ("image/png", "no-cache"),
    ]


def test_what_leads_to_pages_comes_after_them_and_old_ones_go_last(
    endpoint: str, bucket: Any, pages: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel: Any = opened(endpoint, bucket.name, prefix="")
    folder = pages(**{"old.html": "old", "web.html": "web"})
    channel.send(run(folder), lambda: None)
    # A neighbour whose name begins the same.
    bucket.put_object(Key="weekly/2026-07-06_days=90/index.html", Body=b"other")
    (folder / "old.html").unlink()
    done: list[str] = []
    client = channel.store.client
    for name in ("put_object", "delete_object"):
        call = getattr(client, name)

        def noted(call: Any = call, name: str = name, **given: Any) -> Any:
            done.append(f"{name[:3]} {given['Key']}")
            return call(**given)

        monkeypatch.setattr(client, name, noted)
    channel.send(run(folder), lambda: done.append("offered"))
    assert done == [
        "offered",
        *(
            f"{what} weekly/{folder}/{name}.html"
            for folder in ("2026-07-06", "latest")
            for what, name in (("put", "commerce"), ("put", "web"), ("put", "index"), ("del", "old"))
        ),
        *("put weekly/index.html", "put feed.xml", "put site.json", "put index.html"),
    ]
    assert "weekly/2026-07-06_days=90/index.html" in keys(bucket)


def test_the_runs_of_before_stay(endpoint: str, bucket: Any, pages: Made) -> None:
    for slot in ("2026-07-06", "2026-06-29"):
        opened(endpoint, bucket.name).send(run(pages(slot)), lambda: None)
    index = bucket.Object("reports/index.html").get()["Body"].read().decode()
    assert index.index("weekly/2026-07-06/") < index.index("weekly/2026-06-29/")
    latest = bucket.Object("reports/weekly/latest/commerce.html").get()["Body"].read()
    assert latest == b"<p>commerce of 2026-07-06</p>"


def refused(channel: Channel, pages: Made) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(run(pages()), lambda: None)
    for secret in KEYS.values():
        assert secret not in f"{caught.value} {caught.value.answer} {channel!r}"
    return caught.value


def test_no_bucket(endpoint: str, pages: Made) -> None:
    channel = opened(endpoint, "none-of-that-name")
    error = refused(channel, pages)
    assert (error.outlook, error.code) == ("permanent", 404)
    assert "Make the bucket" in error.remedy
    (said,) = channel.check()
    assert "none-of-that-name" in said and "Make the bucket" in said


@pytest.mark.parametrize(
    ("status", "code", "outlook"),
    [
        (403, "AccessDenied", "permanent"),
        (403, "InvalidAccessKeyId", "permanent"),
        (403, "SignatureDoesNotMatch", "permanent"),
        (503, "SlowDown", "temporary"),
        (500, "InternalError", "temporary"),
        (429, "TooManyRequests", "temporary"),
    ],
)
def test_what_a_store_says(pages: Made, monkeypatch: pytest.MonkeyPatch, status: int, code: str, outlook: str) -> None:
    monkeypatch.setattr(s3, "TRIES", 1)
    store = FakeApi()
    with store.running() as url:
        content = f"<Error><Code>{code}</Code><Message>No {KEYS['BOARD_ACCESS_KEY_ID']}</Message></Error>".encode()
        store.fail("/", status, content=content, times=9)
        error = refused(opened(url, "b"), pages)
    assert (error.outlook, error.code, code in str(error)) == (outlook, status, True)


def test_no_network(pages: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "TRIES", 1)
    error = refused(opened("http://127.0.0.1:1", "b"), pages)
    assert (error.outlook, error.code) == ("temporary", None)
    assert "there is no connection (EndpointConnectionError)" in str(error)


def test_keys_come_from_the_environment_alone(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of another program")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of another program")
    with pytest.raises(SettingsError, match="BOARD_ACCESS_KEY_ID is not set"):
        opened(endpoint, "b", environment={})
    monkeypatch.setenv("AWS_PROFILE", "none-of-that-name")
    with pytest.raises(SettingsError, match="ProfileNotFound"):
        opened(endpoint, "b")


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(SettingsError, match=r'pip install "tidings\[s3\]"'):
        opened("", "b")
