"""The mail channel against a real server that refuses, delays, breaks, and demands TLS and logins."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mail_samples import message, notice

from fakes.certificates import certified
from fakes.mail_server import MailServer
from tidings.delivery.channel import DeliveryError, open_channel, opened_channel
from tidings.errors import SettingsError
from tidings.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")
PASSWORD = "hunter22-è"


def opened(server: MailServer | None = None, environment: dict[str, str] | None = None, **options: Any) -> Any:
    table = {
        "kind": "mail",
        "host": "127.0.0.1",
        "port": server.port if server else 587,
        "sender": "reports@example.com",
        "security": "none",
        **options,
    }
    return open_channel(Settings(Path("/nowhere"), channels={"mail": table}, environment=environment or {}), "mail")


def refused(act: Callable[[], object]) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        act()
    assert raised.value.__cause__ is None
    for text in (str(raised.value), raised.value.answer, repr(raised.value)):
        assert PASSWORD not in text and "\n" not in text
    return raised.value


class Offers:
    """Counts the calls, and how many mails the server had at each."""

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.had: list[int] = []

    def __call__(self) -> None:
        self.had.append(len(self.server.mailbox))


def test_a_mail_arrives_and_the_answer_is_kept() -> None:
    with MailServer().running() as server:
        mail, offered = opened(server), Offers(server)
        receipt = mail.send(message(), offered)
        mail.close()
    assert (receipt.code, receipt.answer) == (250, "2.0.0 OK: queued as X001")
    (kept,) = server.mailbox
    assert (kept.sender, kept.recipient) == ("reports@example.com", "ann@example.com")
    assert kept.mail["Subject"] == message().subject
    assert "6.52" in str(kept.mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert offered.had == [0]
    assert server.hellos == ["example.com"]
    assert (mail.is_personal, mail.is_repeatable) == (True, False)


def test_a_line_that_is_a_dot_does_not_end_the_mail() -> None:
    lines = ("One.", ".", "..two", "QUIT")
    with MailServer().running() as server:
        mail = opened(server)
        mail.send(notice(lines=lines), lambda: None)
        mail.close()
    assert str(server.mailbox[0].mail.get_content()).split() == list(lines)


def test_one_connection_serves_many_and_a_new_one_follows_its_end() -> None:
    with MailServer(most_for_a_connection=3).running() as server:
        mail = opened(server)
        for number in range(7):
            mail.send(notice(id=f"{number}"), lambda: None)
        mail.close()
        assert len({kept.id for kept in server.mailbox}) == len(server.mailbox) == 7
        assert server.connections == 3
        mail.send(notice(id="after close"), lambda: None)
        mail.close()
    assert len(server.mailbox) == 8


def test_a_channel_that_is_left_ends_its_connection() -> None:
    with MailServer().running() as server:
        table = {
            "kind": "mail",
            "host": "127.0.0.1",
            "port": server.port,
            "sender": "a@example.com",
            "security": "none",
        }
        with opened_channel(Settings(Path("/nowhere"), channels={"mail": table}), "mail") as mail:
            mail.send(notice(), lambda: None)
            assert server.ended == 0
        # The server has answered QUIT when `close` returns.
        assert server.ended == 1


def test_a_server_that_was_restarted_meanwhile_gets_the_next_mail() -> None:
    with MailServer().running() as server:
        mail = opened(server)
        mail.send(notice(), lambda: None)
    with MailServer(port=server.port).running() as restarted:
        mail.send(notice(id="next"), lambda: None)
        mail.close()
    assert len(restarted.mailbox) == 1


def test_one_of_three_is_refused_and_the_others_get_theirs() -> None:
    recipients = ("ann@example.com", "bob@example.com", "eve@example.com")
    with MailServer(refuse={"bob@example.com": "550 5.1.1 No such user"}).running() as server:
        mail, said, offered = opened(server), {}, Offers(server)
        for recipient in recipients:
            try:
                said[recipient] = mail.send(message(id=recipient, recipient=recipient), offered).code
            except DeliveryError as error:
                said[recipient] = (error.outlook, error.code, error.answer)
        mail.close()
    assert said == {
        "ann@example.com": 250,
        "bob@example.com": ("permanent", 550, "5.1.1 No such user"),
        "eve@example.com": 250,
    }
    assert [kept.recipient for kept in server.mailbox] == ["ann@example.com", "eve@example.com"]
    # What was refused was never offered.
    assert offered.had == [0, 1]


def test_greylisting_is_temporary_and_the_second_attempt_is_the_same_mail() -> None:
    with MailServer(greylist={"ann@example.com"}).running() as server:
        mail = opened(server)
        error = refused(lambda: mail.send(message(), lambda: None))
        assert (error.outlook, error.code) == ("temporary", 451)
        mail.send(message(), lambda: None)
        mail.close()
    assert len(server.mailbox) == 1


@pytest.mark.parametrize(
    ("cut", "outlook", "offers", "arrived"),
    [
        ("before DATA", "temporary", 0, 0),
        ("after the dot", "unknown", 1, 0),
        ("after it was taken", "unknown", 1, 1),
    ],
)
def test_a_connection_that_is_cut(cut: Any, outlook: str, offers: int, arrived: int) -> None:
    """Only after the end of the mail nobody knows: of the last two the sender cannot tell which it was."""
    with MailServer(cut=cut).running() as server:
        mail, offered = opened(server), Offers(server)
        error = refused(lambda: mail.send(message(), offered))
        assert (error.outlook, len(offered.had), len(server.mailbox)) == (outlook, offers, arrived)
        server.cut = ""
        mail.send(message(), offered)
        mail.close()
    assert server.connections == 2


def test_a_connection_that_is_cut_while_the_mail_is_sent(tmp_path: Path) -> None:
    """The end of the mail was never sent, so that it cannot have arrived. Large, as the system keeps some of it."""
    (tmp_path / "large.csv").write_bytes(b"1234567\n" * 2_000_000)
    with MailServer(cut="during DATA").running() as server:
        mail, offered = opened(server), Offers(server)
        error = refused(lambda: mail.send(message(files=(tmp_path / "large.csv",)), offered))
    assert (error.outlook, offered.had, server.mailbox) == ("temporary", [], [])


def test_a_server_that_never_answers() -> None:
    """Before the mail is sent that is temporary; after it nobody knows."""
    with MailServer(is_silent=True).running() as server:
        mail, offered = opened(server, timeout_seconds=1), Offers(server)
        error = refused(lambda: mail.send(message(), offered))
        assert (error.outlook, len(offered.had)) == ("unknown", 1)
        assert "nothing came within 1 s" in str(error)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mail = opened(port=silent.getsockname()[1], timeout_seconds=1)
        error = refused(lambda: mail.send(message(), lambda: None))
    assert error.outlook == "temporary"
    assert "does not respond: nothing came within 1 s" in str(error)


def test_no_server_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(lambda: opened(port=port).send(message(), lambda: None))
    assert (error.outlook, error.code) == ("temporary", None)
    assert f"The mail server 127.0.0.1:{port} does not respond: Connection refused." in str(error)
    assert opened(port=port).check() == [str(error)]


def test_no_server_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(lambda: opened(host="smtp.example.com").send(message(), lambda: None))
    assert error.outlook == "temporary"
    assert "smtp.example.com:587 is not found: Name or service not known." in str(error)


@pytest.mark.parametrize(
    ("command", "answer", "outlook"),
    [
        ("EHLO", "421 4.3.2 Closing", "temporary"),
        ("EHLO", "554 5.7.1 No service for you", "permanent"),
        ("MAIL", "451 4.3.0 Try later", "temporary"),
        ("MAIL", "553 5.1.8 Sender is not allowed", "permanent"),
        ("RCPT", "452 4.2.2 Mailbox is full", "temporary"),
        ("RCPT", "250 but this is no reply to a command", ""),
        ("DATA", "451 4.7.1 Not now", "temporary"),
        ("DATA", "554 5.5.1 No valid recipients", "permanent"),
        (".", "451 4.3.0 Try later", "temporary"),
        (".", "554 5.7.1 This is spam", "permanent"),
        (".", "354 What", "unknown"),
        (".", "nonsense", "unknown"),
    ],
)
def test_what_the_server_says_decides(command: str, answer: str, outlook: str) -> None:
    with MailServer(answers={command: answer}).running() as server:
        mail, offered = opened(server), Offers(server)
        if not outlook:
            # Nobody was taken as a recipient, which it says at DATA.
            assert refused(lambda: mail.send(message(), offered)).code == 503
            return
        error = refused(lambda: mail.send(message(), offered))
        mail.close()
    assert error.outlook == outlook
    assert answer in str(error) or outlook == "unknown"
    assert error.code == (None if outlook == "unknown" else int(answer[:3]))
    assert len(offered.had) == (command == ".")
    assert server.mailbox == []


def test_a_login() -> None:
    with MailServer(logins={"me": PASSWORD}).running() as server:
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me")
        assert mail.check() == []
        mail.send(message(), lambda: None)
        mail.close()
    assert len(server.mailbox) == 1


@pytest.mark.parametrize("echo", [False, True])
def test_a_wrong_password_is_permanent_and_shown_by_nobody(echo: bool) -> None:
    with MailServer(logins={"me": "another"}, echo=echo).running() as server:
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me")
        error = refused(lambda: mail.send(message(), lambda: None))
        assert (error.outlook, error.code) == ("permanent", 535)
        assert "Set MAIL_PASSWORD" in error.remedy
        assert ("[secret]" in error.answer) is echo
        (sentence,) = mail.check()
        assert PASSWORD not in sentence and "does not accept the login of 'me'" in sentence


def test_the_password_of_a_channel_is_named_after_it() -> None:
    table = {"kind": "mail", "host": "h", "sender": "a@example.com", "username": "me"}
    settings = Settings(Path("/nowhere"), channels={"to-board": table})
    with pytest.raises(SettingsError, match="TO_BOARD_PASSWORD is not set"):
        open_channel(settings, "to-board")


def test_a_server_that_demands_a_login() -> None:
    with MailServer(logins={"me": "x"}).running() as server:
        error = refused(lambda: opened(server).send(message(), lambda: None))
        assert (error.outlook, error.code) == ("permanent", 530)
        assert "Set username, and MAIL_PASSWORD" in error.remedy


def test_a_server_that_knows_no_login() -> None:
    with MailServer(answers={"EHLO": "250 mail.example"}).running() as server:
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me")
        error = refused(lambda: mail.send(message(), lambda: None))
    assert error.outlook == "permanent"
    assert "offers no login that Tidings has" in str(error)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_trusted(security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        certified("good") as (context, authority),
        MailServer(tls=context, is_implicit=security == "tls", logins={"me": PASSWORD}).running() as server,
    ):
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me", security=security)
        assert mail.check() == []
        mail.send(message(), lambda: None)
        mail.send(message(id="next"), lambda: None)
        mail.close()
    assert len(server.mailbox) == 2


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("what", ["unknown", "expired", "another name"])
def test_a_certificate_that_is_not(what: str, security: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        certified(what) as (context, authority),
        MailServer(tls=context, is_implicit=security == "tls", logins={"me": PASSWORD}).running() as server,
    ):
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me", security=security)
        error = refused(lambda: mail.send(message(), lambda: None))
    assert error.outlook == "permanent"
    assert "has a certificate that is not trusted" in str(error)
    assert server.mailbox == []


def test_without_starttls_nothing_is_sent_in_the_clear() -> None:
    with MailServer(logins={"me": PASSWORD}).running() as server:
        mail = opened(server, {"MAIL_PASSWORD": PASSWORD}, username="me", security="starttls")
        error = refused(lambda: mail.send(message(), lambda: None))
    assert error.outlook == "permanent"
    assert "does not offer STARTTLS" in str(error)


def test_a_server_that_demands_starttls() -> None:
    with certified("good") as (context, _), MailServer(tls=context).running() as server:
        error = refused(lambda: opened(server).send(message(), lambda: None))
    assert (error.outlook, error.code) == ("permanent", 530)


def test_tls_where_the_server_speaks_in_the_clear() -> None:
    with MailServer().running() as server:
        error = refused(lambda: opened(server, security="tls").send(message(), lambda: None))
    assert error.outlook == "permanent"
    assert 'Port 465 takes security = "tls"' in error.remedy


def test_in_the_clear_only_on_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("93.184.216.34", 25))
    with MailServer().running() as server:
        error = refused(lambda: opened(server).send(message(), lambda: None))
        assert error.outlook == "permanent"
        assert "would get all mail in the clear" in str(error)
        assert server.hellos == []
        mail = opened(server, insecure=True)
        mail.send(message(), lambda: None)
        mail.close()


def test_a_mail_larger_than_the_server_takes_is_not_begun() -> None:
    with MailServer(size=5000).running() as server:
        mail, offered = opened(server), Offers(server)
        error = refused(lambda: mail.send(message(), offered))
        assert error.outlook == "permanent"
        assert "takes mails of at most 5 kB, and this one has" in str(error).replace("\u202f", " ")
        mail.send(notice(), offered)
        mail.close()
    assert offered.had == [0]
    assert any(option.startswith("SIZE=") for option in server.mailbox[0].options)


def test_an_address_that_needs_utf8() -> None:
    with MailServer().running() as server:
        mail = opened(server)
        mail.send(message(recipient="jörg@bücher.example"), lambda: None)
        mail.close()
    assert server.mailbox[0].recipient == "jörg@xn--bcher-kva.example"
    assert server.mailbox[0].mail["To"] == "jörg@xn--bcher-kva.example"
    with MailServer(utf8=False).running() as server:
        error = refused(lambda: opened(server).send(message(recipient="jörg@example.com"), lambda: None))
    assert error.outlook == "permanent"
    assert "SMTPUTF8" in str(error)


def test_only_allowed_domains_get_mail() -> None:
    with MailServer().running() as server:
        mail = opened(server, domains=["example.com", "@BÜCHER.example"])
        error = refused(lambda: mail.send(message(recipient="ann@sub.example.com"), lambda: None))
        assert error.outlook == "permanent"
        assert "its domain is not allowed" in str(error)
        mail.send(message(recipient="ann@EXAMPLE.com"), lambda: None)
        mail.send(message(recipient="ann@bücher.example"), lambda: None)
        mail.close()
    assert server.connections == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sender": "reports"}, "sender: 'reports' is no mail address"),
        ({"reply_to": "x@y@z"}, "reply_to: 'x@y@z' is no mail address"),
        ({"port": 70000}, "port must be a port from 1 to 65535, not 70000"),
        ({"security": "ssl"}, 'security must be "starttls" or "tls" or "none"'),
        ({"unsubscribe": "http://example.com/{token}"}, "unsubscribe must be a short https address"),
        ({"unsubscribe": "https://example.com/"}, "unsubscribe must be a short https address"),
        ({"unsubscribe": "https://example.com/{token}>\r\nX: y"}, "unsubscribe must be a short https address"),
        ({"unsubscribe": "https://example.com/{token}"}, "MAIL_UNSUBSCRIBE_KEY is not set"),
        ({"hello": "a b"}, "hello must be a host name"),
        ({"domains": ["exa mple.com"]}, "domains: 'exa mple.com' is no domain"),
        ({"timeout_seconds": 0}, "timeout_seconds must be"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        opened(**options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("options", "port", "security"),
    [
        ({}, 587, "starttls"),
        ({"port": 465}, 465, "tls"),
        ({"security": "tls"}, 465, "tls"),
        ({"port": 2525}, 2525, "starttls"),
        ({"port": 465, "security": "starttls"}, 465, "starttls"),
    ],
)
def test_port_and_security_follow_from_each_other(options: dict[str, Any], port: int, security: str) -> None:
    table = {"kind": "mail", "host": "smtp.example.com", "sender": "reports@example.com", **options}
    mail: Any = open_channel(Settings(Path("/nowhere"), channels={"mail": table}), "mail")
    assert (mail._post._server.port, mail._post._server.security) == (port, security)
