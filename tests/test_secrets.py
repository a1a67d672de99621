"""No secret in any text, however it is quoted; and no page mangled by values that are plain words."""

from __future__ import annotations

import base64
import html
import json
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.secrets import MASK, Redactor, Secret
from tidings.settings import load_settings
from tidings.sources.credentials import credentials

QUOTED: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "json": json.dumps,
    "json of json": lambda value: json.dumps(json.dumps({"a": value})),
    "json, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "repr": repr,
    "html": html.escape,
    "url": lambda value: quote(value, safe=""),
    "url, small": lambda value: quote(value, safe="").lower(),
    "form": quote_plus,
    "url twice": lambda value: quote(quote(value, safe=""), safe=""),
    "hex": lambda value: value.encode().hex(),
    "hex, large": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 of upper": lambda value: base64.b64encode(value.upper().encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "basic": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "in the middle": lambda value: base64.b64encode(f'{{"k": "{value}", "n": 1}}'.encode()).decode(),
    "at 2 of 3": lambda value: base64.b64encode(f"ab{value}c".encode()).decode(),
    "in lines": lambda value: base64.encodebytes(f"x{value}yz".encode()).decode(),
    "coloured": lambda value: f"{value[:3]}\x1b[0;31m{value[3:]}\x1b[0m",
}
# The alphabet of keys, tokens and passwords, including the worst characters.
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=90)


@given(values, st.sampled_from(sorted(QUOTED)))
def test_no_form_of_a_secret_is_left(value: str, form: str) -> None:
    quoted = QUOTED[form](value)
    # Surrounded by characters that cannot belong to it.
    clean = Redactor([Secret(value)])(f"före … {quoted} … efter")
    assert MASK in clean
    for other in (quoted, *quoted.split()):
        assert len(other) < 12 or other not in clean
    assert clean.startswith("före … ") or form == "coloured"


@given(st.text(max_size=60), values)
def test_a_text_without_it_stays_as_it_is(text: str, value: str) -> None:
    small = text.lower()
    if not any(value[n : n + 4].lower() in small for n in range(len(value) - 3)):
        assert Redactor([Secret(value)])(text) == text


@given(st.text(string.ascii_letters + string.digits, min_size=30, max_size=80), st.integers(12, 29))
def test_a_long_one_that_was_cut_is_not_shown_in_part(value: str, kept: int) -> None:
    clean = Redactor([Secret(value)])(f"{value[:kept]}… and {value[:13]}...{value[-14:]}")
    assert value[:12].lower() not in clean.lower() and value[-14:] not in clean


PEM = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(f"MIIEvQ{n:02d}" + "Ab+/" * 14 for n in range(4)) + "\n-----END PRIVATE KEY-----\n"  # fmt: skip  # noqa: E501
ACCOUNT = json.dumps(
    {
        "type": "service_account",
        "project_id": "shop-4711",
        "private_key_id": "0123456789abcdef0123",
        "private_key": PEM,
        "client_email": "reader@shop.example",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
)


def test_what_of_a_key_file_is_hidden_and_what_people_need_is_not() -> None:
    redact = Redactor([Secret(ACCOUNT)])
    for quoted in (ACCOUNT, repr(ACCOUNT), repr(json.loads(ACCOUNT)), str(PEM.splitlines()), PEM.replace("\n", "\\n")):
        clean = redact(f"cannot use {quoted}")
        assert "MIIEvQ" not in clean and "0123456789abcdef" not in clean
    # Consoles need the address, and the server's is not a secret.
    assert redact("reader@shop.example at https://oauth2.googleapis.com/token") == (
        "reader@shop.example at https://oauth2.googleapis.com/token"
    )
    assert redact("a service_account of shop-4711") == "a service_account of shop-4711"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://bob:hunter22@db.example/shop", "password authentication failed: hunter22"),
        ("postgresql://bob:hunter22@db.example/shop", "cannot reach postgresql://bob:hunter22@db.example/shop"),
        ("postgresql://bob:hunter22@db.example/shop", "cannot reach postgresql://bob:hunt…"),
        ("postgresql://bob:hun%2Fter22@db.example/shop", "password hun/ter22"),
        ("postgresql://bob:hun/ter22#x@db.example/shop", "invalid port: hun/ter22#x"),
        ("mysql://db.example/shop?user=bob&password=hunter22", "Access denied hunter22"),
        # Too short to be hidden anywhere, not in its address.
        ("postgresql://bob:abc12@db.example/shop", "cannot reach bob:abc12@db.example"),
        ("/hunter22/begins-like-a-path", "401 for /hunter22/begins-like-a-path"),
    ],
)
def test_passwords_in_addresses(url: str, said: str) -> None:
    clean = Redactor([Secret(url)])(said)
    assert "hunt" not in clean and "ter22" not in clean and "abc12" not in clean
    assert MASK in clean


SETTINGS = """
[tool.tidings]
timezone = "Europe/Berlin"
site = "shop.example"

[tool.tidings.sources.ledger]
kind = "database"
feed = "orders"
table = "invoices"

[tool.tidings.sources.money]
kind = "stripe"

[tool.tidings.sources.search]
kind = "search_console"
sites = ["sc-domain:shop.example"]

[tool.tidings.sources.site]
kind = "umami"
base_url = "https://umami.example"

[tool.tidings.sources.broken]
kind = "no-such-kind"
"""


def test_every_source_is_known_and_plain_words_are_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "google.json").write_text(ACCOUNT, encoding="utf-8")
    given = {
        "LEDGER_URL": "postgresql://bob:pa55word@db/invoices",
        "MONEY_KEY": "/sk-begins-with-a-slash",
        "SEARCH_ACCOUNT": "google.json",
        "SITE_USERNAME": "viewer",
        "SITE_PASSWORD": "invoices",
        "BROKEN_ANYTHING": "of-a-source-that-cannot-be-opened",
        "OTHER_TOKEN": "called-like-a-secret",
        "SSH_AUTH_SOCK": str(tmp_path),
        "SHORT_KEY": "prod",
        "PLAIN_SECRET": "production",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(tmp_path)
    redact = credentials(settings).redactor
    for secret in ("pa55word", given["MONEY_KEY"], given["BROKEN_ANYTHING"], given["OTHER_TOKEN"], "MIIEvQ00Ab+/Ab+/"):
        assert redact(f"it said {secret} today") == f"it said {MASK} today"
    # A name, a word of the settings, a path, and common words.
    page = f"viewer saw invoices of google.json in {tmp_path} on prod, in production"
    assert redact(page) == page
    # Kernels get none of them.
    assert {"LEDGER_URL", "MONEY_KEY", "SEARCH_ACCOUNT", "SITE_PASSWORD", "OTHER_TOKEN"} <= settings.withheld()
    assert "PATH" not in settings.withheld()
