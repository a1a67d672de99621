"""Path, source, medium and channel: metric definitions 4 and 5."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidings.enrich.hosts import compared, shown
from tidings.enrich.traffic import Traffic, normalise_path, resolve

SITE = "shop.example"
CHANNELS = {
    "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display", "Paid Other",
    "Organic Shopping", "Organic Social", "Organic Video", "AI Assistants", "Organic Search", "Email", "Affiliates",
    "Audio", "SMS", "Mobile Push", "Referral", "Direct", "Unassigned",
}  # fmt: skip


def landed(query: str = "", referrer: str | None = None) -> Traffic:
    return resolve(f"https://www.shop.example/p?{query}", referrer, SITE)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://shop.example/a/b/?x=1#y", "/a/b"),  # query, fragment and trailing slash go
        ("https://shop.example", "/"),  # an empty path is the root
        ("https://shop.example/", "/"),
        ("/a//", "/a"),  # all trailing slashes
        ("//", "/"),
        ("//a/b", "//a/b"),  # a request target is a path, never a host
        ("/Case/Kept", "/Case/Kept"),
        ("/x#/route?utm_source=fb", "/x"),
        ("?a=1", "/"),
        ("", "/"),
        ("http://[broken/x", "/x"),  # urllib would raise
        ("/a%20b", "/a b"),  # a space can be printed, so it is shown
        ("/a%20", "/a%20"),  # but not at an end, where nobody sees it
        ("/gr%C3%B6%C3%9Fe", "/größe"),  # the octets of UTF-8, ...
        ("/gr%c3%b6%c3%9fe/", "/größe"),  # in small letters, ...
        ("/grö%C3%9Fe", "/größe"),  # in part,
        ("/%67r%C3%B6%C3%9Fe", "/größe"),  # and an unreserved character encoded: one page
        ("/%7Ejo/%2D%2e%5F", "/~jo/-._"),  # all unreserved characters
        ("/a%2fb%3fc%23d", "/a%2Fb%3Fc%23d"),  # reserved ones mean something else, their digits are upper case
        ("/a%3bb;c", "/a%3Bb;c"),
        ("/100%25", "/100%25"),
        ("/100%", "/100%25"),  # a mark of encoding that encodes nothing is itself
        ("/%E9", "/%E9"),  # no UTF-8
        ("/%E2%80%8Bx%00", "/%E2%80%8Bx%00"),  # nothing that could be seen
        ("/user/{id}/[slug]", "/user/{id}/[slug]"),  # routes as apps name them
        ("/%F0%9F%98%80", "/😀"),
    ],
)
def test_path(url: str, path: str) -> None:
    assert normalise_path(url) == path
    assert resolve(url, None, SITE).path == path


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("WWW.Shop.Example:8080", "shop.example"),
        ("www.www.shop.example", "www.shop.example"),  # one leading www. only
        ("user:pw@shop.example.", "shop.example"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
    ],
)
def test_host(host: str, expected: str) -> None:
    assert shown(host) == expected


def test_no_url_is_not_a_page() -> None:
    traffic = resolve(None, None, SITE)
    assert (traffic.path, traffic.query, traffic.host) == (None, None, SITE)


@pytest.mark.parametrize(
    ("referrer", "host", "source", "medium", "channel"),
    [
        (None, None, "(direct)", "(none)", "Direct"),
        ("-", None, "(direct)", "(none)", "Direct"),
        ("https://www.shop.example/x", None, "(direct)", "(none)", "Direct"),  # internal
        ("https://help.shop.example/", None, "(direct)", "(none)", "Direct"),  # a subdomain is internal
        ("https://notshop.example/", "notshop.example", "notshop.example", "referral", "Referral"),  # whole labels
        ("ftp://files.example/", None, "(direct)", "(none)", "Direct"),  # not http(s)
        ("google.com", None, "(direct)", "(none)", "Direct"),  # no URL
        ("https:///x", None, "(direct)", "(none)", "Direct"),  # no host
        ("https://www.google.co.uk:443/search", "google.co.uk", "google", "organic", "Organic Search"),
        ("https://news.google.com.br/", "news.google.com.br", "google", "organic", "Organic Search"),
        ("https://google.info/", "google.info", "google.info", "referral", "Referral"),  # not a tld of the rule
        ("https://mail.google.com/", "mail.google.com", "gmail", "referral", "Email"),  # before google.<tld>
        ("https://gemini.google.com/app", "gemini.google.com", "gemini", "referral", "AI Assistants"),
        ("https://outlook.live.com/", "outlook.live.com", "outlook", "referral", "Email"),
        ("https://mail.yahoo.com/", "mail.yahoo.com", "yahoo mail", "referral", "Email"),
        ("https://de.search.yahoo.com/", "de.search.yahoo.com", "yahoo", "organic", "Organic Search"),
        ("https://www.yahoo.co.jp/", "yahoo.co.jp", "yahoo", "organic", "Organic Search"),
        ("https://t.co/abc", "t.co", "x", "referral", "Organic Social"),
        ("https://netflix.com/", "netflix.com", "netflix.com", "referral", "Referral"),  # ends with x.com, not a label
        ("https://m.youtube.com/", "m.youtube.com", "youtube", "referral", "Organic Video"),
        ("https://www.amazon.de/", "amazon.de", "amazon", "referral", "Organic Shopping"),
        ("https://www.ebay.co.uk/", "ebay.co.uk", "ebay", "referral", "Organic Shopping"),
        ("android-app://com.Reddit.frontpage/x", "com.reddit.frontpage", "reddit", "referral", "Organic Social"),
        ("android-app://www.app.example/", "www.app.example", "www.app.example", "referral", "Referral"),  # no host
        ("android-app://com.x.com/", "com.x.com", "com.x.com", "referral", "Referral"),  # nor one of x.com
        ("ios-app://284882215/fb", "284882215", "284882215", "referral", "Referral"),
        ("ios-app://com.linkedin.android", "com.linkedin.android", "linkedin", "referral", "Organic Social"),
        ("https://accounts.google.com/signin", "accounts.google.com", "accounts.google.com", "referral", "Referral"),
        ("https://1.docs.google.com/", "1.docs.google.com", "1.docs.google.com", "referral", "Referral"),
        ("https://mydocs.google.com/", "mydocs.google.com", "google", "organic", "Organic Search"),  # whole labels
        ("https://größe.example/", "größe.example", "größe.example", "referral", "Referral"),
        ("https://xn--gre-6ka8i.example/", "größe.example", "größe.example", "referral", "Referral"),
        ("https://gr%C3%B6%C3%9Fe.example/", "größe.example", "größe.example", "referral", "Referral"),
        ("https://two words.example/", None, "(direct)", "(none)", "Direct"),  # no host
        ("HTTPS://ChatGPT.com/", "chatgpt.com", "chatgpt", "referral", "AI Assistants"),
    ],
)
def test_referrer(referrer: str | None, host: str | None, source: str, medium: str, channel: str) -> None:
    traffic = landed(referrer=referrer)
    assert (traffic.referrer_host, traffic.source, traffic.medium, traffic.channel) == (host, source, medium, channel)


@pytest.mark.parametrize(
    ("package", "source", "channel"),
    [
        ("com.google.android.gm", "gmail", "Email"),
        ("com.google.android.googlequicksearchbox", "google", "Organic Search"),
        ("com.linkedin.android", "linkedin", "Organic Social"),
        ("com.facebook.katana", "facebook", "Organic Social"),
        ("com.facebook.orca", "facebook", "Organic Social"),
        ("com.instagram.android", "instagram", "Organic Social"),
        ("com.twitter.android", "x", "Organic Social"),
        ("com.reddit.frontpage", "reddit", "Organic Social"),
        ("com.pinterest", "pinterest", "Organic Social"),
        ("com.zhiliaoapp.musically", "tiktok", "Organic Social"),
        ("com.google.android.youtube", "youtube", "Organic Video"),
        ("com.microsoft.office.outlook", "outlook", "Email"),
        ("com.openai.chatgpt", "chatgpt", "AI Assistants"),
        ("com.google.android.apps.bard", "gemini", "AI Assistants"),
        ("ai.perplexity.app.android", "perplexity", "AI Assistants"),
        ("com.anthropic.claude", "claude", "AI Assistants"),
        ("com.other.app", "com.other.app", "Referral"),
    ],
)
@pytest.mark.parametrize("scheme", ["android-app", "IOS-APP"])
def test_every_app_of_the_table(scheme: str, package: str, source: str, channel: str) -> None:
    traffic = landed(referrer=f"{scheme}://{package}/https/x.example")
    assert (traffic.source, traffic.channel, traffic.referrer_host) == (source, channel, package)
    assert traffic.medium == ("organic" if channel == "Organic Search" else "referral")


# Each line of the table of 5.1: hosts, source, and the channel of a visit that such a host refers.
HOSTS = """
mail.google.com | gmail | Email
mail.yahoo.com | yahoo mail | Email
outlook.live.com outlook.office.com | outlook | Email
gemini.google.com | gemini | AI Assistants
chatgpt.com chat.openai.com | chatgpt | AI Assistants
claude.ai | claude | AI Assistants
perplexity.ai | perplexity | AI Assistants
copilot.microsoft.com | copilot | AI Assistants
accounts.google.com docs.google.com drive.google.com sites.google.com meet.google.com | own | Referral
groups.google.com calendar.google.com classroom.google.com translate.google.com | own | Referral
google.com google.de google.co.uk google.com.br | google | Organic Search
bing.com | bing | Organic Search
duckduckgo.com | duckduckgo | Organic Search
search.yahoo.com yahoo.com yahoo.co.jp | yahoo | Organic Search
ecosia.org | ecosia | Organic Search
search.brave.com | brave | Organic Search
baidu.com | baidu | Organic Search
yandex.ru yandex.com | yandex | Organic Search
facebook.com fb.com fb.me | facebook | Organic Social
instagram.com | instagram | Organic Social
t.co twitter.com x.com | x | Organic Social
linkedin.com lnkd.in | linkedin | Organic Social
reddit.com redd.it | reddit | Organic Social
news.ycombinator.com | hackernews | Organic Social
threads.net threads.com | threads | Organic Social
bsky.app | bluesky | Organic Social
pinterest.com pin.it | pinterest | Organic Social
tiktok.com | tiktok | Organic Social
youtube.com youtu.be | youtube | Organic Video
vimeo.com | vimeo | Organic Video
twitch.tv | twitch | Organic Video
amazon.com amazon.fr amazon.co.jp amazon.com.au | amazon | Organic Shopping
ebay.com ebay.it ebay.co.uk ebay.com.my | ebay | Organic Shopping
etsy.com | etsy | Organic Shopping
walmart.com | walmart | Organic Shopping
"""


@pytest.mark.parametrize("line", HOSTS.strip().splitlines())
def test_every_host_of_the_table(line: str) -> None:
    hosts, source, channel = (part.strip() for part in line.split("|"))
    for host in hosts.split():
        expected = host if source == "own" else source
        for written in (host, f"www.{host}", f"sub.{host}", host.upper(), f"{host}.:8443"):
            traffic = landed(referrer=f"https://{written}/x?utm_source=other")
            assert (traffic.channel, traffic.source) in ((channel, expected), (channel, f"sub.{expected}")), written
        # Part of a label is another host, below google.com at most.
        assert landed(referrer=f"https://not{host}/").source in (f"not{host}", "google", "yahoo")
        assert landed(referrer=f"https://{host}.attacker.example/").channel == "Referral"
        if source != "own":
            # A host and a source's name mean the same in utm_source (5.2).
            assert landed(f"utm_source={host}").source == landed(f"utm_source={source.replace(' ', '+')}").source


def test_own_links_in_any_spelling_are_internal() -> None:
    """The case hosts-idn: one host in two spellings."""
    for site in ("müller-shop.example", "xn--mller-shop-9db.example", "MÜLLER-Shop.example"):
        for host in (
            "müller-shop.example",
            "www.xn--mller-shop-9db.example",
            "m%C3%BCller-shop.example",
            "a.Müller-shop.example:80",
        ):
            assert resolve("/landing", f"https://{host}/cart", site).channel == "Direct"
        assert resolve("https://xn--mller-shop-9db.example/", None, site).host == "müller-shop.example"


@pytest.mark.parametrize(
    ("host", "ascii_form", "readable"),
    [
        ("i❤.ws", "xn--i-7iq.ws", "i❤.ws"),  # not allowed by IDNA 2008, used all the same
        ("xn--a-ecp.ru", "xn--a-ecp.ru", "xn--a-ecp.ru"),  # stands for a character that looks like two
        ("xn--99999999", "xn--99999999", "xn--99999999"),  # stands for nothing
        ("my_host.example", "my_host.example", "my_host.example"),
        ("a。b", "a.b", "a.b"),
    ],
)
def test_hosts_that_are_odd(host: str, ascii_form: str, readable: str) -> None:
    assert (compared(host), shown(host)) == (ascii_form, readable)


@settings(deadline=None)
@given(st.text())
def test_a_host_shown_is_the_same_host(host: str) -> None:
    assert shown(shown(host)) == shown(host)
    assert compared(shown(host)) == compared(host)


def test_without_a_site_the_host_of_the_url_is_the_site() -> None:
    assert resolve("https://www.a.example/x", "https://a.example/", "").referrer_host is None
    assert resolve("/x", "https://a.example/", "").referrer_host == "a.example"


@pytest.mark.parametrize(
    ("query", "source", "medium", "channel"),
    [
        # aliases, hosts and names in utm_source
        ("utm_source=FB", "facebook", "(none)", "Organic Social"),
        ("utm_source=ig", "instagram", "(none)", "Organic Social"),
        ("utm_source=twitter", "x", "(none)", "Organic Social"),
        ("utm_source=yt", "youtube", "(none)", "Organic Video"),
        ("utm_source=hn", "hackernews", "(none)", "Organic Social"),
        ("utm_source=m.facebook.com", "facebook", "(none)", "Organic Social"),
        ("utm_source=Google", "google", "(none)", "Organic Search"),
        ("utm_source=partner.example", "partner.example", "(none)", "Unassigned"),  # nobody referred
        ("utm_source=info@google.com", "info@google.com", "(none)", "Unassigned"),  # not a host
        # decoding
        ("utm_source=yahoo+mail", "yahoo mail", "(none)", "Email"),
        ("utm_source=%20Go%6Fgle%20", "google", "(none)", "Organic Search"),
        ("utm_source=&utm_source=bing", "bing", "(none)", "Organic Search"),  # the first that is not missing
        ("utm_source=(not+set)&utm_medium=%28none%29", "(direct)", "(none)", "Direct"),
        ("utm_source=null", "(direct)", "(none)", "Direct"),
        # click ids
        ("gclid=1", "google", "cpc", "Paid Search"),
        ("gclid=", "(direct)", "(none)", "Direct"),  # empty is missing
        ("gbraid=1", "google", "cpc", "Paid Search"),
        ("wbraid=1", "google", "cpc", "Paid Search"),
        ("dclid=1", "google", "cpc", "Paid Search"),
        ("msclkid=1", "bing", "cpc", "Paid Search"),
        ("fbclid=1", "facebook", "(none)", "Organic Social"),  # not paid by itself
        ("ttclid=1", "tiktok", "(none)", "Organic Social"),
        ("twclid=1", "x", "(none)", "Organic Social"),
        ("li_fat_id=1", "linkedin", "(none)", "Organic Social"),
        ("gclid=1&utm_medium=email", "google", "email", "Organic Search"),  # a medium the marketer wrote wins
        ("utm_source=facebook&gclid=1", "facebook", "cpc", "Paid Social"),
        # the table of channels, in its order
        ("utm_campaign=x-Cross-Network-y&gclid=1", "google", "cpc", "Cross-network"),
        ("utm_source=amazon&utm_medium=cpc", "amazon", "cpc", "Paid Shopping"),
        ("utm_source=google&utm_medium=cpc&utm_campaign=summer-shop", "google", "cpc", "Paid Shopping"),
        (
            "utm_source=google&utm_medium=cpc&utm_campaign=my+eshop",
            "google",
            "cpc",
            "Paid Shopping",
        ),  # e may stand before
        (
            "utm_source=google&utm_medium=cpc&utm_campaign=workshop",
            "google",
            "cpc",
            "Paid Search",
        ),  # no other letter may
        ("utm_source=google&utm_medium=ppc", "google", "ppc", "Paid Search"),
        ("utm_source=google&utm_medium=ppcx", "google", "ppcx", "Organic Search"),  # ppc only as a whole
        ("utm_source=facebook&utm_medium=paid-social", "facebook", "paid-social", "Paid Social"),
        ("utm_source=youtube&utm_medium=retargeting", "youtube", "retargeting", "Paid Video"),
        ("utm_source=adnet&utm_medium=cpm", "adnet", "cpm", "Display"),  # cpm is paid, display stands before paid other
        ("utm_source=adnet&utm_medium=banner", "adnet", "banner", "Display"),
        ("utm_source=adnet&utm_medium=cpa", "adnet", "cpa", "Paid Other"),
        ("utm_source=x1&utm_campaign=Shopping+week", "x1", "(none)", "Organic Shopping"),
        ("utm_source=x1&utm_medium=social+media", "x1", "social media", "Organic Social"),
        ("utm_source=x1&utm_medium=sm", "x1", "sm", "Organic Social"),
        ("utm_source=x1&utm_medium=myvideo2", "x1", "myvideo2", "Organic Video"),
        ("utm_source=claude", "claude", "(none)", "AI Assistants"),
        ("utm_source=x1&utm_medium=ai-assistant", "x1", "ai-assistant", "AI Assistants"),
        ("utm_source=docs.google.com", "docs.google.com", "(none)", "Unassigned"),
        ("utm_source=x1&utm_medium=organic", "x1", "organic", "Organic Search"),
        ("utm_source=weekly-newsletter", "weekly-newsletter", "(none)", "Email"),
        ("utm_source=x1&utm_medium=e_mail", "x1", "e_mail", "Email"),
        ("utm_source=x1&utm_medium=affiliates", "x1", "affiliates", "Affiliates"),
        ("utm_source=x1&utm_medium=audio", "x1", "audio", "Audio"),
        ("utm_source=sms", "sms", "(none)", "SMS"),
        ("utm_source=x1&utm_medium=sms", "x1", "sms", "SMS"),
        ("utm_source=x1&utm_medium=webpush", "x1", "webpush", "Mobile Push"),
        ("utm_source=x1&utm_medium=mobile-app", "x1", "mobile-app", "Mobile Push"),
        ("utm_source=firebase", "firebase", "(none)", "Mobile Push"),
        ("utm_source=x1&utm_medium=link", "x1", "link", "Referral"),
        ("utm_source=direct", "direct", "(none)", "Direct"),
        ("utm_source=direct&utm_medium=foo", "direct", "foo", "Unassigned"),
        ("utm_medium=foo", "(direct)", "foo", "Unassigned"),
    ],
)
def test_parameters(query: str, source: str, medium: str, channel: str) -> None:
    traffic = landed(query)
    assert (traffic.source, traffic.medium, traffic.channel) == (source, medium, channel)


def test_parameters_win_over_the_referrer_which_is_still_reported() -> None:
    traffic = landed("utm_source=partner&utm_campaign=Spring&utm_content=A&utm_term=Red+Shoes", "https://bing.com/")
    assert traffic.source == "partner"
    assert traffic.medium == "(none)"  # the source did not come from the referrer
    assert traffic.channel == "Unassigned"
    assert (traffic.campaign, traffic.content, traffic.term) == ("spring", "a", "red shoes")
    assert traffic.referrer_host == "bing.com"


def test_a_medium_beside_a_referrer_keeps_the_referrers_source() -> None:
    traffic = landed("utm_medium=foo", "https://blog.example/")
    assert (traffic.source, traffic.medium, traffic.channel) == ("blog.example", "foo", "Referral")


def test_parameters_in_the_fragment_do_not_count() -> None:
    assert resolve("/p#?utm_source=fb&gclid=1", None, SITE).source == "(direct)"


def test_given_parameters_win_over_the_query() -> None:
    traffic = resolve("/p?utm_source=bing", None, SITE, {"utm_source": "FB", "utm_medium": "", "gclid": None})
    assert (traffic.source, traffic.medium) == ("facebook", "(none)")


@settings(deadline=None)
@given(url=st.none() | st.text(), referrer=st.none() | st.text(), site=st.text())
def test_any_text_has_a_channel(url: str | None, referrer: str | None, site: str) -> None:
    traffic = resolve(url, referrer, site)
    assert traffic.channel in CHANNELS
    assert traffic.source and traffic.medium
    assert (traffic.path is None) == (url is None)


@settings(deadline=None)
@given(st.text())
@example("0 #")
def test_normalising_a_path_again_changes_nothing(url: str) -> None:
    path = normalise_path(url)
    assert path and normalise_path(path) == path
