"""Personal data leave URLs, text and properties: metric definitions 11."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depth import examples
from tidings.enrich.redaction import redact, redact_addresses, redact_properties, redact_query

NAMES = [
    "email", "e-mail", "mail", "phone", "tel", "mobile", "password", "passwd", "pwd", "pass", "token", "access_token",
    "refresh_token", "id_token", "auth", "authorization", "api_key", "apikey", "key", "secret", "session", "sessionid",
    "sid", "code", "otp", "ssn", "mc_eid", "_hsenc", "_hsmi", "mkt_tok", "vero_id", "oly_enc_id",
    "ck_subscriber_id", "name", "firstname", "first_name", "lastname", "last_name",
    "address", "dob",
]  # fmt: skip
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.Zm9v-_x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 1 user info
        ("https://joe:pw@x.example/a", "https://x.example/a"),
        ("https://joe@x.example", "https://x.example"),
        ("ftp://u:p@ss@x.example/", "ftp://x.example/"),  # up to the last @ before the path
        ("https://x.example/@joe", "https://x.example/@joe"),  # a path is no user info
        # 2 parameters, in place
        ("/p?b=1&TOKEN=abc&a=2#x", "/p?b=1&TOKEN=[redacted]&a=2#x"),
        ("/p#access_token=abc&x=1", "/p#access_token=[redacted]&x=1"),
        ("/p?token=a%26b;c", "/p?token=[redacted]"),  # the whole value
        ("/p?token=&x=1", "/p?token=&x=1"),  # nothing to hide
        ("/p?tokens=abc&monkey=1", "/p?tokens=abc&monkey=1"),  # other names
        ("/p?e%2Dmail=x&access%5ftoken=y", "/p?e%2Dmail=[redacted]&access%5ftoken=[redacted]"),
        ("/p?next=%2Flogin%3Ftoken%3Dabc%26p%3D2&q=1", "/p?next=%2Flogin%3Ftoken%3D[redacted]%26p%3D2&q=1"),
        ('see "https://x.example/?key=abc" there', 'see "https://x.example/?key=[redacted]" there'),
        ("token=abc", "token=abc"),  # not in a URL
        # 3 e-mail
        ("to joe.o'neil+x@mail.example.com.", "to [email]."),
        ("/u/joe%40x.example/edit", "/u/[email]/edit"),
        ("/p?u=mailto%3Ajoe%2540x.example", "/p?u=mailto%3A[email]"),
        ("jörg@straße.example", "[email]"),
        ("/img/logo@2x.png", "/img/logo@2x.png"),  # a picture for dense screens
        ("/npm/vue@3.2.1/dist", "/npm/vue@3.2.1/dist"),
        # 4 tokens
        (f"jwt {JWT}, ok", "jwt [token], ok"),
        # 5 cards
        ("card 4111111111111111.", "card [card]."),
        ("4111 1111 1111 1111 and 5500-0000-0000-0004", "[card] and [card]"),
        ("order 12345 4111 1111 1111 1111", "order 12345 [card]"),  # groups around it stay
        ("/p?c=4111%201111%201111%201111", "/p?c=[card]"),
        ("4111111111111112", "4111111111111112"),  # fails the Luhn test
        ("4111  1111  1111  1111", "4111  1111  1111  1111"),  # two spaces
        ("41111111111111111111", "41111111111111111111"),  # 20 digits
        ("378282246310005", "[card]"),  # 15 digits
        ("4222222222222", "[card]"),  # 13 digits
        # 6 phones
        ("call +49 (30) 123-4567!", "call [phone]!"),
        ("tel:+4930.1234567", "tel:[phone]"),
        ("/p?q=%2B49301234567", "/p?q=[phone]"),
        ("+1234567", "+1234567"),  # 7 digits
        ("+1234567890123456", "+1234567890123456"),  # 16 digits
        ("555-123-4567, 555.123.4567, 555 123 4567", "[phone], [phone], [phone]"),
        ("(555) 123-4567", "[phone]"),
        ("5551234567", "5551234567"),  # an order id
        ("1431857103", "1431857103"),  # a timestamp
        ("2015-05-17 10:05:03", "2015-05-17 10:05:03"),
        # 7 addresses
        ("from 83.149.9.216.", "from [ip]."),
        ("/p?ip=%2083.149.9.216", "/p?ip=%20[ip]"),
        ("256.1.1.1 and 1.2.3.4.5", "256.1.1.1 and 1.2.3.4.5"),  # no addresses
        ("Chrome/120.0.0.0 Safari/537.36", "Chrome/120.0.0.0 Safari/537.36"),  # what every Chrome says
        ("/host/10.1.2.3", "/host/[ip]"),
        # the order of the steps
        ("https://a:b@x.example/?email=joe@x.example&u=joe@y.example", "https://x.example/?email=[redacted]&u=[email]"),
    ],
)  # fmt: skip
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_list(name: str) -> None:
    assert redact(f"/p?a=1&{name.upper()}=Zed9&b=2") == f"/p?a=1&{name.upper()}=[redacted]&b=2"
    assert redact_query(f"{name}=Zed9") == f"{name}=[redacted]"
    assert redact_properties({name.title(): 9}) == {name.title(): "[redacted]"}


def test_properties_are_walked() -> None:
    given_ = {"plan": "pro", "n": 4111111111111111, "who": {"Name": {"a": 1}, "at": ["x joe@x.example", 5, None]}}
    assert redact_properties(given_) == {
        "plan": "pro",
        "n": 4111111111111111,  # a number is no text
        "who": {"Name": "[redacted]", "at": ["x [email]", 5, None]},
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for 2001:db8::8a2e:370:7334, proxy", "for [ip], proxy"),
        ("[::1]:80", "[[ip]]:80"),
        ("17/May/2015:10:05:03 a::Perl", "17/May/2015:10:05:03 a::Perl"),
    ],
)
def test_addresses_of_version_six(text: str, expected: str) -> None:
    assert redact_addresses(text) == expected


@pytest.mark.parametrize("text", ["http://+49 30 1234567@x", "http://h&token=a/b&x@y"])
def test_what_a_later_step_lays_open_goes_too(text: str) -> None:
    """Only with the phone or the token replaced does the user info become visible."""
    assert redact(text).startswith("http://") and "@" not in redact(text)
    assert redact(redact(text)) == redact(text)


PIECES = st.sampled_from(
    ["@", "%40", "://", "http", "?", "&", "#", "=", "token", "key", ".", "+", "-", " ", "(", ")", "%20", "%2B", "%3F",
     "%3D", "eyJ", "a", "x.de", "1.2.3.4", "4111", "1111", "555", "123", "4567", "/", "[email]", "[redacted]", "%", "0"]
)  # fmt: skip


@settings(deadline=None, max_examples=examples(100, 400))
@given(st.lists(PIECES, max_size=16).map("".join) | st.text())
def test_redacting_again_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@settings(deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=("Nd",), blacklist_characters="@%=&?#;"), max_size=200))
def test_text_without_findings_stays(text: str) -> None:
    if "eyJ" not in text:
        assert redact(text) == text


def luhn_completed(digits: str) -> str:
    """Digits with their check digit, by trying all ten: the sum of definitions of ISO/IEC 7812-1."""
    table = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]
    for last in "0123456789":
        number = digits + last
        total = sum(table[int(d)] if i % 2 else int(d) for i, d in enumerate(reversed(number)))
        if total % 10 == 0:
            return number
    raise AssertionError(digits)


@settings(deadline=None)
@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from(["", " ", "-"]))
def test_every_card_is_found_and_its_neighbours_stay(digits: str, separator: str) -> None:
    number = luhn_completed(digits)
    shown = separator.join(number[i : i + 4] for i in range(0, len(number), 4))
    assert redact(f"pay {shown} now") == "pay [card] now"
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert redact(f"pay {wrong} now") == f"pay {wrong} now"


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_properties_redacted_again_are_the_same(value: Any) -> None:
    once = redact_properties({"a": value})
    assert redact_properties(once) == once
