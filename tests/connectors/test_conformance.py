"""Every connector under every fault: no invalid response is accepted, and a later good pull gets everything."""

from __future__ import annotations

import gzip
import importlib
import inspect
import json
import pkgutil
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import fakes
from fakes.certificates import served
from fakes.company import fake_of
from fakes.conformance import CASES, Case
from fakes.pulling import QuickClock, Workbook, killed_at
from fakes.server import FakeApi, Reply
from tidings.errors import SettingsError, SourceError, TidingsError
from tidings.intake.pulling import pull_sources
from tidings.landing.store import landed_files
from tidings.ledger.store import Ledger
from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options
from tidings.sample.platforms import platforms
from tidings.settings import Settings
from tidings.sources.api import pulling as api
from tidings.sources.api.days import chunks
from tidings.sources.http import transport
from tidings.sources.source import Pull, open_sources

NOW = datetime(2026, 11, 18, 18, tzinfo=UTC)
PAGE = "<!DOCTYPE html><html><head><title>Please sign in</title></head><body>Sign in</body></html>"
# Some APIs have their token endpoint on another server; these have tests of their own.
ANY = r"^(?!/token$|/api/auth/login$)"
DAYS = 2
MOST = 60


@cache
def _reported(kind: str, days: int) -> Any:
    """The last days of the sample company, and what has no day: faults need an answer, not a history."""
    since = NOW.replace(tzinfo=None) - timedelta(days=days + 2)
    return {
        name: [row for row in rows if row.get("ts", NOW.replace(tzinfo=None)) >= since][-MOST:]
        for name, rows in platforms()[kind].reported(_apps()).items()
    }


@cache
def _apps() -> Apps:
    return Apps(Company(Options(size=0.02, end=date(2026, 11, 18), days=12)))


class Served:
    """A fake with its workbook, and a clock for both on which waiting takes no time."""

    def __init__(self, case: Case, root: Path, days: int = DAYS) -> None:
        self.case = case
        self.clock = QuickClock(NOW)
        fake = fake_of(case.kind, _reported(case.kind, days), lambda: self.clock.epoch())
        assert fake is not None
        self.fake: Any = fake
        self.fake.tick = self._tick
        self.fake.clock_off = 0.0
        self.root = root
        self._stack = ExitStack()

    def _tick(self) -> None:
        self.clock._elapsed += 60

    def __enter__(self) -> Served:
        self._stack.enter_context(self.fake.running())
        self.table = {**self.fake.table(), **self.case.options}
        self.secrets = self.fake.environment("api")
        self.workbook = Workbook(self.root, self.table, self.secrets)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pull(self, **order: Any) -> str:
        """The message of a failing pull; empty if it succeeds."""
        self.clock = QuickClock(NOW)
        try:
            self.workbook.pull(NOW, self.clock, **order)
        except TidingsError as error:
            assert isinstance(error, SourceError | SettingsError), repr(error)
            return str(error)
        return ""

    def check(self) -> str:
        self.clock = QuickClock(NOW)
        return " ".join(self.workbook.source.check(Pull(NOW, clock=self.clock)))

    def rows(self) -> dict[str, list[str]]:
        """The rows in force by endpoint, without their position in the response."""
        names = sorted({file.endpoint for file in landed_files(self.workbook.settings.raw)})
        hidden = ("_line", "_record", "asked_at", "active_now", "processed")
        return {
            name: sorted(repr({k: v for k, v in row.items() if k not in hidden}) for row in rows)
            for name in names
            if (rows := self.workbook.rows(name))
        }

    def assert_silent(self, *texts: str) -> None:
        """No secret is in a text, nor in anything that was left on disk."""
        left = self.workbook.everything()
        for text in (*texts, left):
            # Anything that cannot be printed or stored would end the pull of all sources.
            assert (
                (text.encode() and not re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", text)) or text is left or not text
            )
            for value in (*self.secrets.values(), *{request.bearer for request in self.fake.asked}):
                for line in str(value).replace("\\n", "\n").splitlines():
                    secret = line.strip()
                    if len(secret) > 12 and not secret.startswith("-----"):
                        assert secret not in text


def _ask_for(monkeypatch: pytest.MonkeyPatch, days: int, **more: Any) -> None:
    """First pulls reach back so many days only."""
    monkeypatch.setattr(
        api,
        "chunks",
        lambda endpoint, *rest: chunks(replace(endpoint, history_days=min(days, endpoint.history_days), **more), *rest),
    )


@pytest.fixture(params=CASES, ids=lambda case: case.kind)
def served_case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """One connector, asked for a few days so that all faults take little time."""
    _ask_for(monkeypatch, days=DAYS)
    with Served(request.param, tmp_path) as served_:
        yield served_


# Faults


@dataclass(frozen=True)
class Fault:
    """A network fault: what it does to a fake at a path, and the expected message.

    `said` is a pattern; empty if the fault passes and the pull succeeds. `lists`: it has no effect on APIs that respond
    with bare lists. `is_checked`: it is permanent, so a check has to notice.
    """

    do: Callable[[Any, str], None]
    said: str = ""
    lists: bool = True
    is_checked: bool = True


def _status(status: int, content: Any, **headers: str) -> Callable[[Any, str], None]:
    return lambda fake, path: fake.fail(path, status, times=10_000, content=content, **headers)


def _altered(change: Callable[[Reply], Reply], times: int = 10_000) -> Callable[[Any, str], None]:
    return lambda fake, path: fake.alter(path, change, times=times)


def _half(reply: Reply) -> Reply:
    body = reply.bytes()
    return Reply(body[: len(body) // 2], reply.status, {"Content-Type": reply.type(), **reply.headers})


def _bomb(reply: Reply) -> Reply:
    return Reply(gzip.compress(b" " * (3 << 20)), 200, {"Content-Encoding": "gzip", "Content-Type": reply.type()})


def _clock_off(fake: Any, path: str) -> None:
    fake.clock_off = 3 * 86_400


DENIED = {"error": {"message": "denied", "code": 403}, "errors": [{"detail": "denied"}], "message": "denied"}


def _repeats(fake: Any, path: str) -> None:
    """As careless servers do: an error that quotes the request."""

    def quoting(reply: Reply) -> Reply:
        sent = f"cannot use {dict(fake.asked[-1].headers)}"
        return Reply({"error": {"message": sent}, "message": sent, "errors": [{"detail": sent}]}, 400)

    fake.alter(path, quoting, times=10_000)


ODD_TEXT = b'{"message": "odd \\ud83d \\u001b[31m\\u202e text", "error": {"message": "odd \\ud83d \\u001b[31m text"}}'
FAULTS = {
    "401": Fault(_status(401, DENIED), "answers 401: denied"),
    "403": Fault(_status(403, DENIED), "answers 403: denied"),
    "403 page": Fault(_status(403, PAGE), r"answers 403 with a web page \(Please sign in\), not with data.*firewall"),
    "403 text": Fault(
        _status(403, "Blocked by policy"), "does not look like the API's: it may come from a proxy or a firewall"
    ),
    "404 page": Fault(_status(404, PAGE), r"answers 404 with a web page"),
    "404 text": Fault(_status(404, "no such route"), r"answers 404: no such route"),
    "407": Fault(_status(407, "no"), r"answers 407: a proxy requires a user and a password"),
    "511": Fault(_status(511, PAGE), r"answers 511 with a web page"),
    "302": Fault(
        _status(302, "", Location="https://portal.example/login?u=1"), r"redirects to portal\.example\. .*log"
    ),
    "503": Fault(_status(503, PAGE), r"in 5 tries"),
    "500": Fault(_status(500, "oh"), r"in 5 tries"),
    "login page": Fault(_status(200, PAGE), r"answers 200 with a web page \(Please sign in\)"),
    "page of a type": Fault(_status(200, "Sign in", Content_Type="text/html"), r"answers 200 with a web page"),
    "empty": Fault(_status(200, ""), r"cannot be used: it is empty"),
    "null": Fault(_status(200, "null"), r"cannot be used|no table that Tidings knows"),
    "empty text": Fault(_status(200, '""'), r"cannot be used|no table that Tidings knows"),
    "empty list": Fault(_status(200, "[]"), r"cannot be used|no table that Tidings knows", lists=False),
    "other list": Fault(_status(200, "[1, null]"), r"cannot be used|no table that Tidings knows"),
    "other object": Fault(_status(200, '{"hello": "world"}'), r"cannot be used"),
    "error with 200": Fault(_status(200, '{"error": {"message": "maintenance"}}'), r"maintenance"),
    "other type": Fault(
        _altered(lambda r: Reply(r.bytes(), r.status, {"Content-Type": "image/png"})), "called image/png"
    ),
    "a part": Fault(_altered(lambda reply: replace(reply, status=206)), r"answers 206"),
    "half": Fault(_altered(_half), r"is not JSON|cut off|did not come as it is|cannot be used"),
    "cut for good": Fault(lambda fake, path: fake.cut(path, after=5, times=10_000), r"in 5 tries: .*cut off"),
    "reset for good": Fault(lambda fake, path: fake.reset(path, times=10_000), r"in 5 tries: .*(broken off|cut off)"),
    "head without end": Fault(lambda fake, path: fake.drip(path, "head", times=10_000), "still incomplete after 300 s"),
    "body without end": Fault(lambda fake, path: fake.drip(path, "body", times=10_000), "still incomplete after 300 s"),
    "bomb": Fault(_altered(_bomb), r"larger than 1 MB"),
    "odd text": Fault(_status(400, ODD_TEXT), r"odd"),
    "repeats the key": Fault(_repeats, r"answers 400: cannot use"),
    "clock": Fault(_clock_off, r"This machine's clock is 3 days behind that of 127\.0\.0\.1"),
    # Transient faults
    "429": Fault(lambda fake, path: fake.fail(path, 429, Retry_After="3"), is_checked=False),
    "500 twice": Fault(lambda fake, path: fake.fail(path, 500, times=2), is_checked=False),
    "breakdown": Fault(lambda fake, path: fake.cut(path, after=5, times=2), is_checked=False),
    "reset": Fault(lambda fake, path: fake.reset(path, times=2), is_checked=False),
}


def test_every_fake_is_in_the_list() -> None:
    """A connector with a fake but no entry here would not be tested."""
    found = set()
    for info in pkgutil.iter_modules(fakes.__path__):
        module = importlib.import_module(f"fakes.{info.name}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, FakeApi) and each.__module__ == module.__name__ and hasattr(each, "table"):
                found.add(info.name)
    assert found == {case.kind for case in CASES}


REFERENCE: dict[str, dict[str, list[str]]] = {}


def _reference(served: Served) -> dict[str, list[str]]:
    """The rows that a pull without a fault lands."""
    if served.case.kind not in REFERENCE:
        other = Served(served.case, served.root / "reference")
        with other:
            assert other.pull() == ""
            REFERENCE[served.case.kind] = other.rows()
    assert REFERENCE[served.case.kind]
    return REFERENCE[served.case.kind]


# Faults that look to the client as another one does.
SAME_TO_CLIENT = (
    "503",
    "empty text",
    "other list",
    "page of a type",
    "404 text",
    "511",
    "a part",
    "reset for good",
    "407",
)
# These are found by what all connectors share, so that a few of each are enough on every change.
SHARED = (*SAME_TO_CLIENT, "404 page", "other type", "head without end", "500 twice", "reset")
FAULTED = [
    pytest.param(
        case,
        name,
        id=f"{case.kind}-{name}",
        marks=pytest.mark.proof if name in SHARED and CASES[SHARED.index(name) % len(CASES)] is not case else (),
    )
    for case in CASES
    for name in FAULTS
]


@pytest.mark.parametrize(("served_case", "name"), FAULTED, indirect=["served_case"])
def test_a_fault_marks_nothing_as_done(served_case: Served, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    served, fault = served_case, FAULTS[name]
    expected = _reference(served)
    if name == "bomb":
        monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    path = served.case.data
    if not fault.lists and served.case.lists:
        path = f"^(?!.*({served.case.lists})).*({path})"
    fault.do(served.fake, path)
    said = served.pull()
    assert bool(said) == bool(fault.said), said
    if said:
        assert re.search(fault.said, said), said
        assert not re.search(r"does not know|Traceback|Error\b", said), said
        assert said.endswith((".", "…")), said
    landed = served.rows()
    for endpoint, rows in landed.items():
        # Anything that was landed is right: no fault was taken for other rows, or for none.
        assert set(rows) <= set(expected[endpoint]), endpoint
    served.assert_silent(said)
    served.fake.mend()
    served.fake.clock_off = 0.0
    # The very same pull again gets everything, without any option.
    assert served.pull() == ""
    assert served.rows() == expected


PULLED = ("403", "login page", "empty", "empty list", "error with 200", "half", "odd text")


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.said and name not in SAME_TO_CLIENT])
def test_a_fault_takes_nothing_away_and_a_check_notices_it(
    served_case: Served, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, fault = served_case, FAULTS[name]
    assert served.pull() == "" and served.check() == ""
    expected = served.rows()
    if name == "bomb":
        monkeypatch.setattr(transport, "MOST_BYTES", 1 << 20)
    fault.do(served.fake, ANY)
    noticed, said = served.check(), ""
    assert noticed
    if name in PULLED:
        said = served.pull(again=True)
        assert said
    # Nobody is told that a right lacks where something else is in the way.
    if name not in ("401", "403", "odd text", "403 text", "repeats the key"):
        assert "cannot read" not in noticed and "Users and" not in noticed, noticed
    assert served.rows() == expected
    served.assert_silent(said, noticed)
    served.fake.mend()
    served.fake.clock_off = 0.0
    assert served.check() == ""


# Credentials


@pytest.mark.parametrize("value", ["", "wrong-canary-credential", "canary“curly”"])
def test_a_credential_that_will_not_do_is_told_and_not_shown(served_case: Served, value: str) -> None:
    served = served_case
    served.workbook = Workbook(served.root, served.table, dict.fromkeys(served.secrets, value))
    said, noticed = served.pull(), served.check()
    for text in (said, noticed):
        where = served.workbook.source.console
        assert where in text or any(name in text for name in served.secrets), text
        assert "does not know" not in text
    assert served.rows() == {}
    for text in (said, noticed, repr(served.workbook.source), served.workbook.everything()):
        assert not value or value not in text


# Pulls that are stopped, tokens that end


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_a_pull_killed_on_the_way_goes_on(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Something to land before and after, whatever an endpoint's chunk is.
    _ask_for(monkeypatch, days=9, chunk_days=3)
    calls: list[str] = []
    with Served(case, tmp_path / "whole", days=9) as whole:
        assert whole.pull(progress=lambda what, *_: calls.append(what)) == ""
    for call in sorted({1, len(calls) // 2, len(calls)} - {0}):
        with Served(case, tmp_path / str(call), days=9) as served:
            with pytest.raises(KeyboardInterrupt):
                served.pull(progress=killed_at(call))
            for endpoint, rows in served.rows().items():
                assert set(rows) <= set(whole.rows()[endpoint]), endpoint
            served.fake.mend()
            assert served.pull() == ""
            assert served.rows() == whole.rows()


def test_a_token_that_ends_on_the_way_is_renewed(served_case: Served) -> None:
    served = served_case
    expected = _reference(served)

    def progress(what: str, done: int, total: int) -> None:
        served.fake.forget_tokens()
        served.clock._elapsed += 7200

    assert served.pull(progress=progress) == ""
    assert served.rows() == expected


def test_a_second_pull_changes_nothing(served_case: Served) -> None:
    served = served_case
    assert served.pull() == ""
    rows, asked = served.rows(), len(served.fake.asked)
    served.fake.mend()
    assert served.pull() == ""
    assert served.rows() == rows
    assert len(served.fake.asked) <= 2 * asked


# Servers that cannot be had


def _nameless(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("where", ["no such name", "nobody there", "expired", "unknown", "another name"])
def test_an_unreachable_server_is_reported_as_what_it_is(
    served_case: Served, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = served_case
    with ExitStack() as stack:
        if where == "no such name":
            real = socket.getaddrinfo
            monkeypatch.setattr(
                socket,
                "getaddrinfo",
                lambda host, *more, **named: (_nameless if "nowhere" in str(host) else real)(host, *more, **named),
            )
            url, expected, tries = "http://nowhere.example", "no server is called nowhere.example", 0
        elif where == "nobody there":
            with socket.create_server(("127.0.0.1", 0)) as listening:
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            expected, tries = "nothing listens there", 4
        else:
            url, authority = stack.enter_context(served_tls(where))
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
            expected = {
                "expired": "certificate has expired",
                "unknown": "(signed by itself|authority that this machine does not know)",
                "another name": "its certificate is for another",
            }[where]
            tries = 0
        base = re.sub(r"^https?://[^/]+", url, str(served.table["base_url"]))
        served.workbook = Workbook(served.root, {**served.table, "base_url": base}, served.secrets)
        for said in (served.check(), served.pull()):
            assert re.search(expected, said), said
            assert "cannot read" not in said and "refused:" not in said, "this says nothing about rights"
            # Errors that a retry does not fix are reported at once.
            assert len([wait for wait in served.clock.waited if wait >= 0.5]) == tries
        served.assert_silent(said)


def served_tls(what: str) -> Any:
    """A TLS server whose certificate is not acceptable, and the file of the trusted authority."""
    return served(what)


def test_one_faulty_source_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_for(monkeypatch, days=DAYS)
    with ExitStack() as stack:
        # Of each fault one source, and one without any.
        chosen = ["odd text", "login page", "half", "clock", "302", ""]
        partitions = [Served(case, tmp_path / case.kind) for case in CASES if case.kind in ("ga4", "umami", "stripe")]
        partitions += [
            Served(case, tmp_path / f"{case.kind}2") for case in CASES if case.kind in ("ga4", "umami", "stripe")
        ]
        tables, secrets = {}, {}
        for number, (fault, partition) in enumerate(zip(chosen, partitions, strict=True)):
            stack.enter_context(partition)
            tables[f"s{number}"] = partition.table
            secrets.update(partition.fake.environment(f"s{number}"))
            if fault:
                FAULTS[fault].do(partition.fake, partition.case.data)
        settings = Settings(root=tmp_path, sources=tables, environment=secrets)
        sources = open_sources(settings)
        for source, partition in zip(sources, partitions, strict=True):
            pull = source.pull
            source.pull = lambda landing, order, pull=pull, partition=partition: pull(
                landing, replace(order, clock=partition.clock)
            )  # type: ignore[method-assign, misc]
        outcomes = {o.source: o for o in pull_sources(settings, sources, Pull(NOW), lambda *_: None)}
        assert [name for name, outcome in sorted(outcomes.items()) if outcome.error is None] == ["s5"]
        noted = Ledger(settings.ledger).last_pulls()
        assert {name: bool(entry.error) for name, entry in noted.items()} == {f"s{n}": n != 5 for n in range(6)}
        for outcome in outcomes.values():
            assert "does not know" not in outcome.reported()
            json.dumps(outcome.reported()).encode()
