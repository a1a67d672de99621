"""Canaries in .env, in a key file and in the environment: never in the output or the files of a pull or a check."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.pulling import NOW, QuickClock, Workbook
from fakes.revenuecat import FakeRevenueCat
from fakes.search_console import FakeSearchConsole
from fakes.server import FakeApi, Reply, Request
from fakes.umami import PASSWORD, FakeUmami
from tidings.cli.checks import check
from tidings.errors import SettingsError
from tidings.intake.pulling import Outcome, pull_sources
from tidings.ledger.store import Ledger
from tidings.secrets import Secret
from tidings.settings import Settings, load_settings
from tidings.sources.source import Pull, open_sources
from workbook_folders import make_workbook

Command = Callable[..., tuple[int, str, str]]
ENVIRONMENT_KEY = "sk_canary_of_the_environment"


class Book:
    """Three running APIs and the workbook that is configured for them: a key file, .env, the environment."""

    def __init__(self, root: Path, fakes: dict[str, Any]) -> None:
        self.fakes = fakes
        tables = "".join(
            f"[tool.tidings.sources.{name}]\n"
            + "".join(f"{option} = {json.dumps(value)}\n" for option, value in fake.table().items())
            for name, fake in fakes.items()
        )
        self.root = make_workbook(root, f'[tool.tidings]\ntimezone = "UTC"\n{tables}')
        self.key_file = self.root / "google.json"
        account = fakes["search"].account_json()
        self.key_file.write_text(account, encoding="utf-8")
        variables = {"SEARCH_ACCOUNT": "google.json", **fakes["site"].environment("site")}
        self.dotenv = self.root / ".env"
        self.dotenv.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()), encoding="utf-8")
        for file in (self.key_file, self.dotenv):
            file.chmod(0o600)
        pem = json.loads(account)["private_key"].splitlines()
        # Any line of the key is as good as all of it.
        self.canaries = {PASSWORD, ENVIRONMENT_KEY, *pem[1:-1]}

    @property
    def tokens(self) -> set[str]:
        """Credentials that servers issued: found in recorded requests."""
        sent = {request.bearer for fake in self.fakes.values() for request in fake.asked}
        return {token for token in sent if token} | {
            request.form()["assertion"] for request in self.fakes["search"].asked if request.path == "/token"
        }

    @property
    def settings(self) -> Settings:
        return load_settings(self.root)

    def left(self) -> str:
        """Everything on disk except the two files that hold the secrets."""
        hidden = [(file, file.read_bytes()) for file in (self.key_file, self.dotenv)]
        for file, _ in hidden:
            file.unlink()
        try:
            return Workbook(self.root, {}, {}).everything()
        finally:
            for file, content in hidden:
                file.write_bytes(content)

    def assert_silent(self, *said: str) -> None:
        for canary in self.canaries | self.tokens:
            for text in (*said, self.left()):
                assert canary not in text, text[max(0, text.find(canary) - 200) :][:400]


def _fakes(epoch: Callable[[], float], now: datetime) -> dict[str, FakeApi]:
    # A day that is over in California, too, at any hour.
    day = datetime(now.year, now.month, now.day) - timedelta(days=2)
    clicks = {"site": "sc-domain:shop.example", "search_type": "web", "ts": day, "is_final": True}
    search = {"search_console_daily": [{**clicks, "clicks": 5, "impressions": 50, "position": 3.5}]}
    counted = {"pageviews": 5, "visitors": 4, "visits": 4, "bounces": 1, "seconds": 60}
    site = {"umami_daily": [{"website": "shop.example", "zone": "UTC", "ts": day, **counted}]}
    return {
        "search": FakeSearchConsole(search, epoch=epoch),
        "site": FakeUmami(site, epoch=epoch),
        "subscriptions": FakeRevenueCat({}, epoch=epoch),
    }


@pytest.fixture
def clock() -> QuickClock:
    return QuickClock()


@pytest.fixture
def book(tmp_path: Path, clock: QuickClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    fakes: dict[str, Any] = _fakes(clock.epoch, NOW)
    fakes["subscriptions"].key = ENVIRONMENT_KEY
    monkeypatch.setenv("SUBSCRIPTIONS_KEY", ENVIRONMENT_KEY)
    with ExitStack() as stack:
        for fake in fakes.values():
            stack.enter_context(fake.running())
        yield Book(tmp_path / "book", fakes)


def pulled(book: Book, clock: QuickClock, **order: Any) -> list[Outcome]:
    """Pull on the quick clock; sources run as in a real pull."""
    settings = book.settings
    sources = open_sources(settings)
    for source in sources:
        whole = source.pull
        # pull_sources gives each source a clock of its own, which really waits.
        source.pull = lambda landing, pull, whole=whole: whole(landing, _on(clock, pull))  # type: ignore[method-assign, misc]
    return list(pull_sources(settings, sources, Pull(NOW, **order), lambda *_: None))


def _on(clock: QuickClock, pull: Pull) -> Pull:
    return Pull(pull.now, pull.again, pull.since, pull.until, pull.progress, clock)


def shown(error: BaseException | None) -> str:
    """A traceback as the most talkative tools print it: with every local variable of every frame."""
    if error is None:
        return ""
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def _echo(request: Request) -> str:
    """What a careless server repeats of a request: everything."""
    return f"cannot use {dict(request.headers)!s} {request.body.decode()} {request.query!s}"


class _Careless:
    """Makes a fake respond with an error that repeats the request, except on token endpoints."""

    def __init__(self, fake: FakeApi, status: int, *, as_json: bool, tokens_too: bool) -> None:
        self._whole, self._status, self._as_json, self._tokens_too = fake.response, status, as_json, tokens_too

    def __call__(self, request: Request) -> Any:
        said = self._whole(request)
        if not self._tokens_too and request.path in ("/token", "/api/auth/login"):
            return said
        text = _echo(request)
        return Reply({"error": {"message": text}} if self._as_json else text, self._status), None


def test_a_pull_that_goes_well_leaves_no_canary(
    book: Book, clock: QuickClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcomes = pulled(book, clock, since=(NOW - timedelta(days=3)).date())
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert sum(outcome.rows for outcome in outcomes) > 0
    assert len(book.tokens) > 2, "they were really sent"
    book.assert_silent(caplog.text, *map(repr, outcomes))


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500])
@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("tokens_too", [True, False])
def test_servers_that_repeat_what_they_were_sent_are_not_quoted(
    book: Book,
    clock: QuickClock,
    caplog: pytest.LogCaptureFixture,
    status: int,
    as_json: bool,
    tokens_too: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    for fake in book.fakes.values():
        fake.response = _Careless(fake, status, as_json=as_json, tokens_too=tokens_too)
    outcomes = pulled(book, clock)
    assert all(outcome.error is not None for outcome in outcomes), "every one of them failed"
    reported = [outcome.reported() for outcome in outcomes]
    assert all(
        sentence and "does not know: " not in sentence.replace("form that Tidings does not know: ", "")
        for sentence in reported
    )
    findings = [str(finding) for finding in _checked(book, clock)]
    book.assert_silent(caplog.text, *reported, *findings, *(shown(outcome.error) for outcome in outcomes))
    entries = Ledger(book.settings.ledger).last_pulls()
    assert {entry.error for entry in entries.values()} == set(reported)


def _checked(book: Book, clock: QuickClock) -> list[Any]:
    settings = book.settings
    return [problem for source in open_sources(settings) for problem in source.check(_on(clock, Pull(NOW)))] + [
        source.warnings() for source in open_sources(settings)
    ]


def _set(book: Book, name: str, value: str) -> None:
    lines = [line for line in book.dotenv.read_text(encoding="utf-8").splitlines() if not line.startswith(f"{name}=")]
    book.dotenv.write_text("\n".join([*lines, f"{name}={value}", ""]), encoding="utf-8")


@pytest.mark.parametrize(
    "value",
    [
        "canary-wrong",
        "canary“curly”",
        "canary-" + "long" * 300,
        "~canary-nobody/key.json",
        '{"client_email": "canary@x.example"}',
        '{"client_email": "a@x.example", "private_key": "canary-key"}',
        '{"client_email": "a@x.example", "private_key": "-----BEGIN PRIVATE KEY-----\\ncanary\\n-----END"}',
        "-----BEGIN PRIVATE KEY-----\\ncanary\\n-----END PRIVATE KEY-----",
    ],
)
def test_wrong_credentials_are_not_quoted(
    book: Book, clock: QuickClock, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    for name in ("SEARCH_ACCOUNT", "SITE_USERNAME", "SITE_PASSWORD"):
        _set(book, name, value)
    monkeypatch.setenv("SUBSCRIPTIONS_KEY", value)
    outcomes = pulled(book, clock)
    reported = [outcome.reported() for outcome in outcomes]
    assert all(outcome.error is not None for outcome in outcomes)
    # Each is one of our messages, with a remedy: never an unexpected error.
    assert not any("does not know" in sentence for sentence in reported)
    findings = [str(finding) for finding in check(book.settings, NOW) if finding.what.startswith("source")]
    # An address is not a secret: consoles need it.
    for text in (*reported, *findings, *(shown(outcome.error) for outcome in outcomes), book.left()):
        assert "canary" not in text.replace("canary@x.example", "")


def test_a_dotenv_that_cannot_be_read_is_not_quoted(book: Book) -> None:
    book.dotenv.write_text("SITE_PASSWORD=canary-a\n\nKEY='-----BEGIN\ncanary-b\n", encoding="utf-8")
    with pytest.raises(
        SettingsError, match=r"Line 4 of \.env has no '='\. Write NAME=value; a key of several lines"
    ) as no:
        load_settings(book.root)
    assert "canary" not in _frames(no.value, "settings.py")
    book.dotenv.write_bytes("SITE_PASSWORD=canarý".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"\.env is not UTF-8") as no:
        load_settings(book.root)
    assert "canar" not in _frames(no.value, "settings.py")


def _frames(error: BaseException, file: str) -> str:
    """The frames of one file, with their variables: a test's own hold what it planted."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(str(frame.locals) for frame in lines.stack if frame.filename.endswith(file))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("export A=plain", "plain"),
        ("A = spaced ", "spaced"),
        ("A='quoted # no comment'", "quoted # no comment"),
        ('A="quoted"', "quoted"),
        # Mismatched quotes belong to the value.
        ("A=it's", "it's"),
        ('A=ends"', 'ends"'),
        ("A='", "'"),
        ("A=a=b==", "a=b=="),
        ("\ufeffA=after a byte order mark", "after a byte order mark"),
    ],
)
def test_what_a_line_of_dotenv_means(tmp_path: Path, line: str, value: str) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.tidings]\n", encoding="utf-8")
    (tmp_path / ".env").write_text(f"{line}\n# B=comment\n\n", encoding="utf-8")
    environment = load_settings(tmp_path).environment
    assert environment["A"] == value and "# B" not in environment
    assert repr(environment["A"]) == "'…'"


def test_the_environment_has_the_last_word(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_PASSWORD", "another")
    assert book.settings.secret("SITE_PASSWORD").reveal() == "another"


# Keys in files


def test_a_key_is_text_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"
    home = tmp_path / "home"
    for folder in (home, tmp_path / "keys"):
        folder.mkdir()
        (folder / "a.p8").write_text(pem, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    given = {
        "BESIDE": "keys/a.p8",
        "HOME_FILE": "~/a.p8",
        "ABSOLUTE": str(home / "a.p8"),
        "WHOLE": pem,
        "ONE_LINE": pem.replace("\n", "\\n"),
        "JSON": '{"private_key": "a\\nb"}',
    }
    settings = Settings(root=tmp_path, environment=given)
    for name in ("BESIDE", "HOME_FILE", "ABSOLUTE", "WHOLE", "ONE_LINE"):
        assert settings.key(name).reveal().split() == pem.split(), name
    assert json.loads(settings.key("JSON").reveal()) == {"private_key": "a\nb"}
    assert repr(settings.key("WHOLE")) == "'…'" and f"{settings.key('WHOLE')}" == "…"
    assert "abc" not in repr(settings)


def test_files_that_others_may_read_are_warned_about(book: Book) -> None:
    assert [f for f in check(book.settings, NOW) if f.level == "warn"] == []
    for file in (book.key_file, book.dotenv):
        file.chmod(0o640)
    warnings = [(f.what, f.detail) for f in check(book.settings, NOW) if f.level == "warn"]
    assert warnings == [
        ("settings", ".env can be read by others on this machine. Run: chmod 600 .env"),
        ("source search", "google.json can be read by others on this machine. Run: chmod 600 google.json"),
    ]


def test_the_command_against_a_file_that_others_may_read_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, away = tmp_path / "book", tmp_path / "my keys"
    (root / "keys").mkdir(parents=True)
    away.mkdir()
    for file in (root / "keys" / "a.p8", away / "b.p8"):
        file.write_text("key", encoding="utf-8")
        file.chmod(0o644)
    settings = Settings(root=root, environment={"A": "keys/a.p8", "B": str(away / "b.p8"), "C": "x" * 5000, "D": "\0"})
    monkeypatch.chdir(root)
    warnings = settings.exposed("A", "B", "C", "D", "NONE")
    assert [warning.split()[0] for warning in warnings] == ["a.p8", "b.p8"]
    for warning in warnings:
        assert os.system(warning.partition("Run: ")[2]) == 0
    assert stat.S_IMODE((away / "b.p8").stat().st_mode) == 0o600
    assert settings.exposed("A", "B") == []


def test_a_secret_is_a_text_that_is_sent_but_not_shown() -> None:
    secret = Secret("canary")
    assert (secret, secret.reveal(), len(secret), hash(secret)) == ("canary", "canary", 6, hash("canary"))
    assert json.dumps({"a": secret}) == '{"a": "canary"}' and secret.encode() == b"canary"
    assert "canary" not in repr({"a": [secret]}) and "canary" not in f"{secret} {secret:>20}"


# On the command line


@pytest.fixture
def real_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    """As `book`, at the time that the command line reads from the machine's clock."""
    import time

    fakes: dict[str, Any] = _fakes(time.time, datetime.now(UTC))
    fakes["subscriptions"].key = ENVIRONMENT_KEY
    monkeypatch.setenv("SUBSCRIPTIONS_KEY", ENVIRONMENT_KEY)
    with ExitStack() as stack:
        for fake in fakes.values():
            stack.enter_context(fake.running())
        yield Book(tmp_path / "book", fakes)


def test_pull_and_check_on_the_command_line_tell_no_canary(
    real_book: Book, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    book = real_book
    # Three days are enough, and wait for no limit of a minute.
    pull = ("pull", "search", "site", "--since", (datetime.now(UTC) - timedelta(days=3)).date().isoformat())
    code, out, error = command(*pull, root=book.root)
    assert (code, error) == (0, "")
    assert "search: 1 row, none rejected" in out and "search/daily" in out
    checked = command("check", root=book.root)
    for fake in book.fakes.values():
        fake.response = _Careless(fake, 403, as_json=True, tokens_too=False)
    code, failed_out, failed = command(*pull, root=book.root)
    assert code == 1 and "2 of 2 sources failed or are incomplete: search, site." in failed
    assert failed_out.count("cannot use") >= 2, "what servers said is told, but for the secrets"
    code, check_out, _ = command("check", root=book.root)
    assert code == 1 and check_out.count("FAIL source") == 3
    book.assert_silent(out, failed_out, failed, check_out, checked[1], checked[2], caplog.text)


def test_a_broken_source_is_told_beside_a_good_one(real_book: Book, command: Command) -> None:
    book = real_book
    _set(book, "SITE_PASSWORD", "forgotten")
    since = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    code, out, error = command("pull", "search", "site", "--since", since, root=book.root)
    lines = out.splitlines()
    assert code == 1
    assert [line for line in lines if line.startswith("search: 1 row, none rejected (")]
    (failed,) = [line for line in lines if line.startswith("site: ")]
    assert failed.startswith("site: failed. site is refused: ") and "Umami › Settings" in failed
    assert failed.endswith("See SITE_KEY, SITE_USERNAME, SITE_PASSWORD in the environment or .env.")
    assert error == "tidings: 1 of 2 sources failed or are incomplete: site. See above.\n"
    assert {name: entry.status for name, entry in Ledger(book.settings.ledger).last_pulls().items()} == {
        "search": "done",
        "site": "failed",
    }
    # Once fixed, it continues where it stopped, and the exit code says that all is well.
    _set(book, "SITE_PASSWORD", PASSWORD)
    code, out, error = command("pull", "site", "--since", since, root=book.root)
    assert (code, error) == (0, "") and "site: " in out


def test_check_says_ok_warn_and_fail_with_remedies(real_book: Book, command: Command) -> None:
    book = real_book
    book.key_file.chmod(0o644)
    _set(book, "SITE_PASSWORD", "")
    code, out, error = command("check", root=book.root)
    lines = [line.strip() for line in out.splitlines()]
    assert code == 1 and error == "tidings: 1 thing needs attention. See above.\n"
    assert "ok   source search: search_console" in lines
    assert "ok   source subscriptions: revenuecat" in lines
    assert "WARN source search: google.json can be read by others on this machine. Run: chmod 600 google.json" in lines
    assert (
        "FAIL source site: The environment variable SITE_PASSWORD is not set. "
        "Set it, or write it into .env beside pyproject.toml." in lines
    )
    assert not [line for line in lines if line.startswith("Everything")]
    _set(book, "SITE_PASSWORD", PASSWORD)
    book.key_file.chmod(0o600)
    code, out, error = command("check", root=book.root)
    assert (code, error) == (0, "") and "Everything is in order." in out
    assert "WARN" not in out and "FAIL" not in out


def test_a_check_asks_all_sources_at_once_and_changes_nothing(book: Book) -> None:
    together = threading.Barrier(3)
    first: set[int] = set()

    def waiting(fake: FakeApi, whole: Callable[[Request], Any]) -> Callable[[Request], Any]:
        def result(request: Request) -> Any:
            if id(fake) not in first:
                first.add(id(fake))
                # One after the other, the first would wait for ever.
                together.wait(20)
            return whole(request)

        return result

    for fake in book.fakes.values():
        fake._lock = threading.RLock()
        fake.response = waiting(fake, fake.response)
    findings = [f for f in check(book.settings, NOW) if f.what.startswith("source ")]
    assert [f.level for f in findings] == ["ok"] * 3
    assert not book.settings.raw.exists() and not book.settings.ledger.exists()
