"""Metrics in the reader's language: what is said of them is looked up whole, else sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from weakref import WeakKeyDictionary

from tidings.language import Language, in_force, say
from tidings.metrics.metric import Metric

_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z])")
_REPORTED = re.compile(r"As reported by (.+)\.")
_PER_DAY = " per day"
Metrics = Mapping[str, Metric]
_KEPT: WeakKeyDictionary[Language, tuple[Metrics, Metrics]] = WeakKeyDictionary()


def in_words(metrics: Metrics) -> Metrics:
    """The metrics with titles, definitions, caveats and actions in the language in force."""
    language = in_force()
    if not language.has_messages:
        return metrics
    held = _KEPT.get(language)
    if held is None or held[0] is not metrics:
        held = _KEPT[language] = metrics, {name: _translated(metric) for name, metric in metrics.items()}
    return held[1]


def messages_of(metric: Metric) -> list[str]:
    """The messages by which a metric is looked up, where none of its texts has a message as a whole."""
    what, _, platform = metric.title.rpartition(", ") if ", " in metric.title else (metric.title, "", "")
    sentences = [part for text in (metric.definition, metric.caveat, metric.action) for part in _SENTENCES.split(text)]
    names = [what.removesuffix(_PER_DAY), *filter(None, [platform])]
    return names + [part for part in sentences if part and not _REPORTED.fullmatch(part)]


def _translated(metric: Metric) -> Metric:
    return replace(
        metric,
        title=_title(metric.title),
        definition=_text(metric.definition),
        caveat=_text(metric.caveat),
        action=_text(metric.action),
    )


def _title(title: str) -> str:
    """A title; of a platform's metric it is the name of what is counted, and the platform's."""
    if (found := say(title)) != title:
        return found
    what, mark, platform = title.rpartition(", ")
    if mark:
        return f"{_title(what)}, {say(platform)}"
    if title.endswith(_PER_DAY):
        return say("{title} per day", title=_title(title.removesuffix(_PER_DAY)))
    return title


def _text(text: str) -> str:
    if (found := say(text)) != text:
        return found
    return " ".join(map(_sentence, _SENTENCES.split(text)))


def _sentence(text: str) -> str:
    reported = _REPORTED.fullmatch(text)
    if reported:
        names = say(" and ").join(map(say, reported[1].split(" and ", 1) if ", " not in reported[1] else [reported[1]]))
        return say("As reported by {names}.", names=names)
    return say(text)
