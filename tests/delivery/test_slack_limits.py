"""Slack's limits hold for any text and any number of figures."""

from __future__ import annotations

import html
import json
from dataclasses import replace

from channel_samples import figure, item, message, section
from hypothesis import given
from hypothesis import strategies as st

from fakes.receivers import slack_faults
from tidings.delivery.channels.slack import cut, payload
from tidings.enrich.characters import plain
from tidings.reporting.index import ReportFinding

# Entities, characters of two units, line ends, and what an encoder cannot take.
_PIECES = st.sampled_from(
    ["&", "<", ">", "😀", "a", "ü", "\n", " ", "|", "*", "\ud800", "\x00", "\u202e", "<!channel>"]
)
_SHORT = st.lists(_PIECES, max_size=30).map("".join)
_TEXTS = st.one_of(_SHORT, st.builds(lambda text, times: text * times, _SHORT, st.sampled_from([1, 50, 400])))
_FIGURES = st.builds(
    lambda title, value, why: figure("m", value, title=title, why=why),
    _TEXTS,
    st.sampled_from([None, "1", "1e20", "-0.0001", "no number"]),
    _TEXTS,
)
_SECTIONS = st.builds(
    lambda title, figures, times: replace(
        section(
            "one",
            *(
                item("cards", *({**each, "metric": f"m{n}{at}"} for n, each in enumerate(figures)))
                for at in range(times)
            ),
        ),
        title=title,
    ),
    _TEXTS,
    st.lists(_FIGURES, max_size=4),
    st.sampled_from([1, 7]),
)


@given(
    texts=st.lists(_TEXTS, min_size=4, max_size=4),
    lists=st.lists(st.builds(lambda texts, times: texts * times, st.lists(_TEXTS, max_size=3), st.integers(1, 60))),
    records=st.lists(_SECTIONS, max_size=3),
    times=st.sampled_from([1, 30]),
)
def test_any_message_is_within_every_limit(
    texts: list[str], lists: list[list[str]], records: list[object], times: int
) -> None:
    lines = [*lists, [], [], [], []]
    made = payload(
        message(
            title=texts[0],
            subject=texts[1],
            period=texts[2],
            address=f"https://example.com/{'x' * len(texts[3])}/",
            alerts=tuple(lines[0]),
            gaps=tuple(lines[1]),
            notes=tuple(lines[2]),
            findings=tuple(ReportFinding(text, "", ()) for text in lines[3]),
            records=tuple(records * times),
        )
    )
    assert slack_faults(made) == []
    written = json.dumps(made, ensure_ascii=False)
    written.encode()
    assert "<!" not in written and "<@" not in written


@given(_TEXTS, st.integers(1, 200))
def test_a_cut_text_is_a_beginning_with_no_character_or_entity_halved(text: str, most: int) -> None:
    made = cut(text, most)
    assert len(made.encode("utf-16-le")) // 2 <= most
    whole = plain(text.strip())
    shown = html.unescape(made)
    assert shown == whole or (shown.endswith("…") and whole.startswith(shown[:-1]))
