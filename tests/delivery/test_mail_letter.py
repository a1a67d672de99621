"""A mail as bytes: its tree, its headers, what it refuses. Read back by the standard library's parser."""

from __future__ import annotations

import re
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_samples import chart, countries, message, notice, section, value

from tidings.delivery.channel import DeliveryError
from tidings.delivery.mail.letter import MOST_HTML, Sender, write_letter
from tidings.delivery.mail.text import MORE
from tidings.delivery.message import Message
from tidings.delivery.preview import write_preview
from tidings.display import show
from tidings.reporting.index import ReportFinding
from tidings.secrets import Secret

SENDER = Sender("reports@example.com", "Tidings")


def sent(given: Message, sender: Sender = SENDER) -> tuple[bytes, EmailMessage]:
    content = write_letter(given, sender).as_bytes()
    mail = cast(EmailMessage, message_from_bytes(content, policy=default))
    assert not [part.defects for part in mail.walk() if part.defects]
    return content, mail


def tree(part: Any) -> Any:
    kind = part.get_content_type()
    return (kind, [tree(inner) for inner in part.iter_parts()]) if part.is_multipart() else kind


def html_size(content: bytes) -> int:
    """Bytes of the HTML part as sent."""
    part = re.search(rb"Content-Type: text/html.*?\r\n\r\n(.*?)\r\n--=_", content, re.DOTALL)
    assert part is not None
    return len(part[1])


def test_text_comes_first_then_html_with_its_pictures() -> None:
    related = ("multipart/related", ["text/html", "image/png", "image/png"])
    content, mail = sent(message())
    assert tree(mail) == ("multipart/alternative", ["text/plain", related])
    assert [part.get_param("type") for part in mail.walk() if part.get_content_subtype() == "related"] == ["text/html"]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert content.isascii()


def test_attachments_stand_beside_both(tmp_path: Path) -> None:
    pdf, sheet = tmp_path / "weekly.pdf", tmp_path / "Zahlen für Ännchen.csv"
    pdf.write_bytes(b"%PDF-1.7 \xff\x00")
    sheet.write_text("a;b\n", encoding="utf-8")
    _, mail = sent(message(files=(pdf, sheet)))
    related = ("multipart/related", ["text/html", "image/png", "image/png"])
    both = ("multipart/alternative", ["text/plain", related])
    assert tree(mail) == ("multipart/mixed", [both, "application/pdf", "text/csv"])
    files = list(mail.iter_attachments())
    assert [file.get_filename() for file in files] == ["weekly.pdf", "Zahlen für Ännchen.csv"]
    assert files[0].get_payload(decode=True) == b"%PDF-1.7 \xff\x00"
    assert [file.get_content_disposition() for file in files] == ["attachment", "attachment"]


def test_attachments_too_large_or_not_there_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weekly.pdf"
    file.write_bytes(b"x" * 2001)
    with pytest.raises(DeliveryError, match=r"have 2\.001.kB, and 2.kB are allowed") as refused:
        write_letter(message(files=(file,)), replace(SENDER, largest=2000))
    assert refused.value.outlook == "permanent"
    with pytest.raises(DeliveryError, match=r"The attachment gone\.pdf cannot be read: it is not there"):
        write_letter(message(files=(tmp_path / "gone.pdf",)), SENDER)


def test_every_picture_is_named_and_used() -> None:
    _, mail = sent(message())
    page = str(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]
    pictures = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    ids = [str(part["Content-ID"]) for part in pictures]
    assert sorted(re.findall(r"cid:([^\"]+)", page)) == sorted(name.strip("<>") for name in ids)
    assert len(set(ids)) == len(ids) == 2
    assert {part.get_content_disposition() for part in pictures} == {"inline"}
    assert all(part.get_payload(decode=True).startswith(b"\x89PNG") for part in pictures)


def test_headers() -> None:
    _, mail = sent(message(), replace(SENDER, name="Tidings für Ännchen", reply_to="ops@example.com"))
    assert dict(mail.items()) == {
        "From": "Tidings für Ännchen <reports@example.com>",
        "To": "ann@example.com",
        "Reply-To": "ops@example.com",
        "Subject": "Weekly report, 3 – 30 Jun 2026: Error rate ▲ +6.21\u202fpoints",
        "Date": "Wed, 01 Jul 2026 08:00:00 +0200",
        "Message-ID": mail["Message-ID"],
        "Auto-Submitted": "auto-generated",
        "List-Id": "<weekly.example.com>",
        "List-Unsubscribe": "<mailto:ops@example.com?subject=unsubscribe%20weekly>",
        "MIME-Version": "1.0",
        "Content-Type": mail["Content-Type"],
    }
    assert parsedate_to_datetime(mail["Date"]) == message().at


def test_the_same_message_is_the_same_bytes_and_another_has_another_id() -> None:
    first, mail = sent(message())
    assert sent(message())[0] == first
    assert re.fullmatch(r"<[0-9a-f]{32}@example\.com>", str(mail["Message-ID"]))
    assert "ann" not in str(mail["Message-ID"])
    assert sent(message(id="another"))[1]["Message-ID"] != mail["Message-ID"]


def test_one_click_unsubscribes_where_there_is_an_address_for_it() -> None:
    one_click = replace(SENDER, unsubscribe="https://reports.example.com/u/{token}", key=Secret("k" * 20))
    _, mail = sent(message(), one_click)
    found = re.fullmatch(
        r"<https://reports\.example\.com/u/([0-9a-f]{32})>, "
        r"<mailto:reports@example\.com\?subject=unsubscribe%20weekly>",
        str(mail["List-Unsubscribe"]),
    )
    assert found is not None
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for kind in ("html", "plain"):
        assert f"https://reports.example.com/u/{found[1]}" in str(mail.get_body((kind,)).get_content())  # type: ignore[union-attr]
    # It is of recipient and report, not of one mail; nobody guesses another's without the key.
    assert sent(message(id="the next week"), one_click)[1]["List-Unsubscribe"] == mail["List-Unsubscribe"]
    others = [
        (message(recipient="bob@example.com"), one_click),
        (message(report="monthly"), one_click),
        (message(), replace(one_click, key=Secret("other"))),
    ]
    assert all(found[1] not in str(sent(*other)[1]["List-Unsubscribe"]) for other in others)


@pytest.mark.parametrize(
    "text", ["Weekly\r\nBcc: eve@example.com", "Weekly\nX: y", "a\rb", "a\x00b", "a\u2028b", "\ud800"]
)
@pytest.mark.parametrize("where", ["subject", "title"])
def test_a_line_break_cannot_become_a_header(where: str, text: str) -> None:
    with pytest.raises(DeliveryError, match=rf"The {where} '.*' has a line break") as refused:
        write_letter(message(**{where: text}), SENDER)
    assert refused.value.outlook == "permanent"
    assert "\n" not in str(refused.value)
    with pytest.raises(DeliveryError, match="The name of the sender"):
        write_letter(message(), replace(SENDER, name=text))


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@example.com, eve@example.com",
        "Ann <ann@example.com>",
        "ann",
        "@example.com",
        "ann@",
        "a b@example.com",
        "ann@exa mple.com",
        "ann@-.com..",
        "a" * 250 + "@example.com",
        "",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(DeliveryError) as refused:
        write_letter(message(recipient=address or " "), SENDER)
    assert refused.value.outlook == "permanent"
    assert "\n" not in str(refused.value)


def test_addresses_in_other_letters() -> None:
    """A domain has a form in ASCII; what is before the @ has none, so that the whole header is UTF-8."""
    assert sent(message(recipient="ann@BÜCHER.example"))[1]["To"] == "ann@xn--bcher-kva.example"
    content, mail = sent(message(recipient="jörg@bücher.example"))
    assert "To: jörg@xn--bcher-kva.example\r\n".encode() in content
    assert mail["To"] == "jörg@xn--bcher-kva.example"


@given(st.text(alphabet="Weekly rpot 3–0 äöü▲▼% \u202f漢字:=?_<>\"'(),;@", min_size=1, max_size=200))
def test_any_subject_arrives_as_it_was(subject: str) -> None:
    content, mail = sent(notice(subject=subject))
    assert " ".join(str(mail["Subject"]).split(" ")).strip(" ") == subject.strip(" ")
    assert max(map(len, content.split(b"\r\n"))) <= 998


def test_long_addresses_stay_whole() -> None:
    """A header that has no place to be folded at must not be encoded."""
    path = "u" * 300
    one_click = replace(SENDER, unsubscribe=f"https://reports.example.com/{path}/{{token}}", key=Secret("k"))
    content, mail = sent(message(), one_click)
    assert f"<https://reports.example.com/{path}/" in str(mail["List-Unsubscribe"])
    header = re.search(rb"List-Unsubscribe: (.*?)\r\n(?! )", content, re.DOTALL)
    assert header is not None and b"=?" not in header[1]
    domain = ".".join(["long" * 12] * 4)
    assert f"@{domain}>".encode() in sent(message(), Sender(f"reports@{domain}"))[0]


def test_a_mail_has_at_most_80_kb_of_html() -> None:
    """Of what nobody would foresee: long texts of letters that take twelve bytes each when they are sent."""
    long = "𝒳" * 600
    figures = [
        show.cards([value(n, 1) for n in range(6)]),
        *[chart(long) for _ in range(4)],
        show.ranking(countries(40), title=long),
    ]
    records = [section(f"section_{n}", *figures, title=long) for n in range(60)]
    full = message(
        records,
        title="𝒳" * 500,
        period=long,
        gaps=(long,) * 30,
        alerts=(long,) * 30,
        notes=(long,) * 30,
        findings=(ReportFinding(long, long, (("a", long),)),) * 3,
    )
    content, mail = sent(full)
    assert html_size(content) <= MOST_HTML
    for kind in ("html", "plain"):
        assert MORE in str(mail.get_body((kind,)).get_content())  # type: ignore[union-attr]
    # And of the usual there is nothing to leave out.
    content, mail = sent(message())
    assert html_size(content) < MOST_HTML // 3
    assert MORE not in str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]


def test_cards_and_findings_stay_when_sections_have_to_go() -> None:
    many = [section(f"section_{n}", show.cards([value(1), value(2)]), title="𝒳" * 150) for n in range(40)]
    content, mail = sent(message(many, notes=("x",)))
    page = str(mail.get_body(("html",)).get_content())  # type: ignore[union-attr]
    assert html_size(content) <= MOST_HTML
    assert "6.52" in page and "Key figures" in page


def test_a_notice_is_a_short_plain_mail() -> None:
    content, mail = sent(notice(lines=("The weekly report of 1 Jul 2026 failed. " * 5, "tidings deliveries --since x")))
    assert tree(mail) == "text/plain"
    text = str(mail.get_content())
    assert "tidings deliveries --since x" in text
    assert max(map(len, text.splitlines())) < 78
    assert "List-Unsubscribe" not in mail
    assert content.isascii()


def test_a_preview_is_the_mail_as_a_page_and_as_a_file(tmp_path: Path) -> None:
    page = write_preview(message(), tmp_path / "new")
    text = page.read_text(encoding="utf-8")
    assert "cid:" not in text and text.count("data:image/png;base64,") == 2
    mail = message_from_bytes((tmp_path / "new" / "mail.eml").read_bytes(), policy=default)
    assert mail["Subject"] == message().subject
    plain = write_preview(notice(lines=("<b>It</b> failed.",), recipient=""), tmp_path / "notice")
    assert "&lt;b&gt;It&lt;/b&gt; failed." in plain.read_text(encoding="utf-8")
