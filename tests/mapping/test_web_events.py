"""Event files: URL, referrer, user agent and address are resolved, and nobody stays recognisable."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tidings.errors import SettingsError, SourceError
from tidings.landing.store import Landing, landed_files
from tidings.settings import Settings, load_settings
from tidings.sources.source import Pull, open_sources

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
WEB = {"ts": "at", "event": "what", "url": "url", "referrer": "ref", "user_agent": "ua", "ip": "ip"}


def pull(root: Path, path: str, *, geoip: Path | None = None, **options: Any) -> None:
    table = {"web": {"kind": "events", "path": path, **options}}
    (source,) = open_sources(Settings(root=root, site="shop.example", sources=table, geoip=geoip))
    list(source.pull(Landing(root / "data" / "raw"), Pull(NOW, again=True)))


def rows(root: Path) -> list[dict[str, Any]]:
    files = [landed.path for landed in landed_files(root / "data" / "raw")]
    return [
        {**row, "properties": None if row["properties"] is None else dict(row["properties"])}
        for file in files
        for row in pq.read_table(file).to_pylist()
    ]


def hit(**fields: Any) -> dict[str, Any]:
    return {
        "at": "2026-11-20T10:00:00Z",
        "what": "pageview",
        "url": "https://www.shop.example/a/?utm_source=fb&email=jo@x.example",
        "ref": "https://www.google.de/search?q=x",
        "ua": FIREFOX,
        "ip": "192.0.2.7",
        **fields,
    }


def write(root: Path, form: str, hits: list[dict[str, Any]]) -> str:
    name = f"hits.{form}"
    if form == "jsonl":
        (root / name).write_text("\n".join(json.dumps(each) for each in hits), encoding="utf-8")
    else:
        frame = pd.DataFrame(hits)
        frame.to_csv(root / name, index=False) if form == "csv" else frame.to_parquet(root / name, index=False)
    return name


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_web_hit_is_resolved(tmp_path: Path, form: str) -> None:
    hits = [
        hit(plan="pro", price="9"),
        hit(url="https://shop.example/b", ref="https://shop.example/a", ua="Googlebot/2.1", plan="", price=None),
        hit(url="/c?gclid=1", ref=None, ua=IPHONE, plan="x", price="1"),
    ]
    pull(tmp_path, write(tmp_path, form, hits), columns=WEB)
    first, second, third = rows(tmp_path)
    assert (first["path"], first["host"], first["referrer_host"]) == ("/a", "shop.example", "google.de")
    # utm_source wins over the referrer; its alias is resolved (5.2); facebook is social (5.3).
    assert (first["source"], first["medium"], first["channel"]) == ("facebook", "(none)", "Organic Social")
    assert (first["device"], first["browser"], first["os"], first["is_bot"]) == ("desktop", "Firefox", "Linux", False)
    assert first["properties"] == {"plan": "pro", "price": "9"}
    # A referrer on the own site is no referrer; a bot is known by its agent.
    assert (second["source"], second["channel"], second["is_bot"]) == ("(direct)", "Direct", True)
    assert second["properties"] == {}, "empty fields are not properties"
    assert (third["path"], third["source"], third["medium"], third["device"]) == ("/c", "google", "cpc", "mobile")


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_no_address_and_no_secret_of_a_url_reaches_the_disk(tmp_path: Path, form: str) -> None:
    hits = [
        hit(),
        hit(ip="2001:db8::7", url="https://jo:pw@shop.example/x?token=s3cret"),
        hit(at="never", ip="192.0.2.9"),  # a row that is rejected
        hit(card="4111 1111 1111 1111", password="hunter2", mail_to="jo@x.example"),
    ]
    pull(tmp_path, write(tmp_path, form, hits), columns=WEB)
    found = rows(tmp_path)
    assert len(found) == 3
    landed = landed_files(tmp_path / "data" / "raw")
    (rejected,) = pq.read_table(str(landed[0].rejected_path)).to_pylist()
    stored = repr(found[:2]) + repr(rejected)
    for secret in ("192.0.2", "2001:db8", "s3cret", "jo@x", ":pw@"):
        assert secret not in stored, secret
    # The record keeps the rest of the URL, and shows that something was removed.
    assert json.loads(found[0]["_record"])["url"] == "https://www.shop.example/a/?utm_source=fb&email=[redacted]"
    assert json.loads(found[1]["_record"])["ua"] == FIREFOX
    assert json.loads(rejected["record"])["at"] == "never"
    properties = found[2]["properties"]
    assert properties["card"] == "[card]"
    assert properties["password"] == "[redacted]"
    assert properties["mail_to"] == "[email]"


def test_visitors_get_a_pseudonym_of_the_day_from_address_and_agent(tmp_path: Path) -> None:
    hits = [hit(), hit(at="2026-11-20T11:00:00Z"), hit(ua=IPHONE), hit(ip="192.0.2.8"), hit(ip=None)]
    pull(tmp_path, write(tmp_path, "jsonl", hits), columns=WEB)
    same, again, other_agent, other_address, nobody = (row["visitor_id"] for row in rows(tmp_path))
    assert same == again
    assert len({same, other_agent, other_address}) == 3
    assert nobody is None, "without an address there is no visitor (C6)"


def test_a_visitor_id_that_the_file_has_is_kept(tmp_path: Path) -> None:
    name = write(tmp_path, "jsonl", [hit(visitor="v1"), hit(visitor="")])
    pull(tmp_path, name, columns={**WEB, "visitor_id": "visitor"})
    kept, made = (row["visitor_id"] for row in rows(tmp_path))
    assert kept == "v1"
    assert made
    assert made != "v1"


@pytest.mark.data
def test_the_country_comes_from_the_address_unless_the_file_says_it(tmp_path: Path, shared_data: Path) -> None:
    name = write(tmp_path, "jsonl", [hit(ip="193.0.6.139", land=None), hit(ip="193.0.6.139", land="FR")])
    pull(
        tmp_path,
        name,
        columns={**WEB, "country": "land"},
        geoip=shared_data / "geoip" / "country_ipv4_cc0.mmdb",
    )
    assert [row["country"] for row in rows(tmp_path)] == ["NL", "FR"]


def test_campaign_columns_count_like_utm_parameters(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "t,e,p,s,m\n2026-07-01,pageview,/a/?x=1,newsletter,email\n2026-07-01,pageview,/,,\n"
    )
    pull(tmp_path, "e.csv", columns={"ts": "t", "event": "e", "path": "p", "source": "s", "medium": "m"})
    first, second = rows(tmp_path)
    assert (first["path"], first["source"], first["medium"], first["channel"]) == ("/a", "newsletter", "email", "Email")
    assert (second["source"], second["medium"], second["channel"]) == ("(direct)", "(none)", "Direct")


def test_fields_inside_of_objects_are_read_and_the_rest_are_properties(tmp_path: Path) -> None:
    event = {
        "ts": 1782894600,
        "name": "signup",
        "user": {"id": 7.0, "email": "jo@x.example"},
        "properties": {"plan": "pro", "seats": 3, "trial": True, "tags": ["a"], "none": None},
        "v": 2,
    }
    (tmp_path / "e.jsonl").write_text(json.dumps(event))
    pull(tmp_path, "e.jsonl", columns={"ts": "ts", "event": "name", "user_id": "user.id", "value": "properties.seats"})
    (row,) = rows(tmp_path)
    assert (row["user_id"], row["value"], row["is_bot"]) == ("7", 3, False)
    assert row["properties"] == {
        "plan": "pro",
        "trial": "true",
        "tags": '["a"]',
        "user": '{"email":"[email]"}',
        "v": "2",
    }


def test_a_json_column_named_properties_is_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text('ts,name,props,more\n2026-07-01,a,"{""x"": 1}",y\n2026-07-01,a,not json,\n')
    pull(tmp_path, "e.csv", columns={"ts": "ts", "event": "name", "properties": "props"})
    assert [row["properties"] for row in rows(tmp_path)] == [{"more": "y", "x": "1"}, {}]


def test_a_field_named_twice_in_one_line_rejects_that_line_only(tmp_path: Path) -> None:
    line = '{"ts": "2026-07-01", "e": "a", "x": 1}'
    (tmp_path / "e.jsonl").write_text(f"{line}\n{line[:-1]}, " + '"x": 2}\n' + line)
    pull(tmp_path, "e.jsonl", columns={"ts": "ts", "event": "e"})
    assert [row["_line"] for row in rows(tmp_path)] == [1, 3]


def test_an_address_cannot_be_a_visitor(tmp_path: Path) -> None:
    name = write(tmp_path, "jsonl", [hit()])
    with pytest.raises(SourceError, match=r"holds addresses.*Map it as ip = 'ip'"):
        pull(tmp_path, name, columns={"ts": "at", "event": "what", "visitor_id": "ip"})


@pytest.mark.parametrize(
    ("case", "column", "expected"),
    [
        ("hosts-idn", "channel", ["Direct"]),  # one host in two spellings is internal
        ("hosts-idn", "referrer_host", [None]),
        ("paths-encoded", "path", ["/größe"] * 4),  # one page
        ("referrers-apps", "channel", ["Email", "Organic Search", "Organic Social"]),
    ],
)
def test_the_cases(tmp_path: Path, shared_cases: Path, case: str, column: str, expected: list[str | None]) -> None:
    root = tmp_path / "book"
    shutil.copytree(shared_cases / case, root)
    settings = load_settings(root)
    (source,) = open_sources(settings)
    list(source.pull(Landing(settings.raw), Pull(NOW)))
    assert [row[column] for row in rows(root)] == expected


def test_hosts_that_a_file_has_are_hosts_in_one_spelling(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "t,e,p,h,r\n"
        "2026-07-01,pageview,/gr%C3%B6%C3%9Fe/,https://WWW.xn--mller-kva.example:8080/x,www.google.de\n"
        "2026-07-01,pageview,/größe,müller.example,help.shop.example\n"  # from the site itself
        "2026-07-01,pageview,/gr%c3%b6%c3%9fe,M%C3%BCller.example.,\n"
    )
    pull(tmp_path, "e.csv", columns={"ts": "t", "event": "e", "path": "p", "host": "h", "referrer_host": "r"})
    found = rows(tmp_path)
    assert {(row["path"], row["host"]) for row in found} == {("/größe", "müller.example")}
    # A referrer of which only the host is known is as good for the source as a full one.
    assert [(row["referrer_host"], row["source"], row["channel"]) for row in found] == [
        ("google.de", "google", "Organic Search"),
        (None, "(direct)", "Direct"),
        (None, "(direct)", "Direct"),
    ]


def test_names_that_count_as_page_views(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text(
        "t,e\n"
        "2026-07-01,page_view\n2026-07-01, screen_view \n2026-07-01,pageview\n2026-07-01,catalog\n2026-07-01,it's\n"
    )
    names = ["page_view", "screen_view", "it's"]
    pull(tmp_path, "e.csv", columns={"ts": "t", "event": "e"}, pageview=names)
    # The name itself counts as well, any other stays; the record keeps the original name.
    assert [row["event"] for row in rows(tmp_path)] == ["pageview", "pageview", "pageview", "catalog", "pageview"]
    assert json.loads(rows(tmp_path)[0]["_record"])["e"] == "page_view"


@pytest.mark.parametrize("given", [["page_view", 3], 5, [""], {"a": "b"}])
def test_names_of_page_views_are_checked(tmp_path: Path, given: object) -> None:
    with pytest.raises(SettingsError, match=r"web\] pageview must be a name or a list of names.*screen_view"):
        pull(tmp_path, "e.csv", columns={"ts": "t", "event": "e"}, pageview=given)


def test_only_events_have_page_views(tmp_path: Path) -> None:
    sources = {"calls": {"kind": "requests", "path": "e.csv", "columns": {"ts": "t"}, "pageview": "x"}}
    with pytest.raises(SettingsError, match="unknown key 'pageview'"):
        open_sources(Settings(root=tmp_path, sources=sources))


def test_what_campaigns_say_of_people_is_redacted(tmp_path: Path) -> None:
    name = write(tmp_path, "jsonl", [hit(url="/?utm_source=jo%40x.example&utm_term=%2B49+30+1234567&utm_campaign=May")])
    pull(tmp_path, name, columns=WEB)
    (row,) = rows(tmp_path)
    assert (row["source"], row["term"], row["campaign"]) == ("[email]", "[phone]", "may")


@pytest.mark.parametrize(
    "site", ["https://www.Shop.example/de?x", "shop.example:8443", "SHOP.EXAMPLE/", "shop.example"]
)
def test_a_site_may_be_set_as_a_url(tmp_path: Path, site: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.tidings]\nsite = "{site}"\n')
    assert load_settings(tmp_path).site == "shop.example"


@pytest.mark.parametrize(
    "site", ["shop example", "ftp://shop.example", "a.example, b.example", "https://", "*.shop.example"]
)
def test_a_site_that_is_not_a_host_is_rejected(tmp_path: Path, site: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.tidings]\nsite = "{site}"\n')
    with pytest.raises(SettingsError, match=r"site is '.*', which names no host\. Write the host alone"):
        load_settings(tmp_path)
