"""Metrics of web-vital samples (metric definitions 8.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis.expr.types as ir

from tidings.metrics.measures import VITAL_BANDS, number_where, percentile, ratio
from tidings.metrics.metric import Condition, Metric, Number, Thresholds
from tidings.window import Window

CORE = ("LCP", "INP", "CLS")

_MART = "fct_web_vitals"
_SECTION = "technical_performance"
_NAMES = {
    "LCP": "Largest contentful paint",
    "INP": "Interaction to next paint",
    "CLS": "Cumulative layout shift",
    "FCP": "First contentful paint",
    "TTFB": "Time to first byte",
}
_ACTIONS = {
    "LCP": "Look at the slowest pages and devices: large images and late fonts first.",
    "INP": "Look at pages with forms and menus for long-running scripts.",
    "CLS": "Look for images, banners and fonts that load late and shift the page.",
    "FCP": "Look at time to first byte first, then at what blocks rendering.",
    "TTFB": "Look at the server's latency and the distance to the country.",
}


def _samples(vital: str) -> Condition:
    return lambda samples: samples.metric == vital


def _p75(vital: str) -> Metric:
    good, poor = VITAL_BANDS[vital]
    return Metric(
        name=f"{vital.lower()}_p75",
        title=f"{vital} p75",
        mart=_MART,
        kind="quantile",
        unit="score" if vital == "CLS" else "ms",
        where=_samples(vital),
        value=lambda samples: percentile(samples.value, 0.75),
        definition=f"{_NAMES[vital]}: 75th percentile of the samples, so three quarters of them were at least as good.",
        better="lower",
        thresholds=Thresholds(good=good, warn=poor),
        owner="engineering",
        caveat="Only of browsers that report it, so mostly without Safari. It cannot be averaged over pages.",
        action=_ACTIONS[vital],
        section=_SECTION,
    )


def _good_share(vital: str) -> Metric:
    good, _ = VITAL_BANDS[vital]
    return Metric(
        name=f"{vital.lower()}_good_share",
        title=f"{vital} good",
        mart=_MART,
        kind="ratio",
        unit="ratio",
        where=_samples(vital),
        value=lambda samples: ratio(number_where(samples.value <= good), samples.count()),
        definition=f"Share of {vital} samples up to {good:g}{'' if vital == 'CLS' else ' ms'}, the good band.",
        better="higher",
        thresholds=Thresholds(good=0.75, warn=0.5),
        owner="engineering",
        caveat="Of samples, not of visitors: visitors of many pages count more.",
        action=_ACTIONS[vital],
        section=_SECTION,
    )


def _vitals_by_page(samples: ir.Table, keep: Sequence[str]) -> ir.Table:
    p75 = {vital: percentile((samples.metric == vital).ifelse(samples.value, None), 0.75) for vital in CORE}
    return samples.group_by([*keep, "path"]).aggregate(**p75)


def _passing_share(pages: ir.Table) -> ir.FloatingScalar:
    known = pages.LCP.notnull() & pages.CLS.notnull()
    good = {vital: pages[vital] <= VITAL_BANDS[vital][0] for vital in CORE}
    passing = known & good["LCP"] & good["CLS"] & good["INP"].fill_null(True)
    return ratio(number_where(passing), number_where(known))


def _site_passes(values: Mapping[str, Number], _: Window) -> Number:
    p75 = {vital: values[f"{vital.lower()}_p75"] for vital in CORE}
    if p75["LCP"] is None or p75["CLS"] is None:
        return None
    return int(all(value is None or value <= VITAL_BANDS[vital][0] for vital, value in p75.items()))


lcp_p75 = _p75("LCP")
inp_p75 = _p75("INP")
cls_p75 = _p75("CLS")
fcp_p75 = _p75("FCP")
ttfb_p75 = _p75("TTFB")
lcp_good_share = _good_share("LCP")
inp_good_share = _good_share("INP")
cls_good_share = _good_share("CLS")
fcp_good_share = _good_share("FCP")
ttfb_good_share = _good_share("TTFB")

core_web_vitals = Metric(
    name="core_web_vitals",
    title="Core Web Vitals",
    inputs=tuple(f"{vital.lower()}_p75" for vital in CORE),
    combine=_site_passes,
    kind="quantile",
    unit="score",
    definition="1 when the p75 of LCP, INP and CLS are all good, else 0; only INP may be without samples.",
    better="higher",
    thresholds=Thresholds(good=1, warn=1),
    owner="engineering",
    caveat="All pages together, so one page with much traffic decides it. Pass or fail, nothing in between.",
    action="Look at which of the three fails, then at the failing pages.",
    section=_SECTION,
)

pages_passing = Metric(
    name="pages_passing",
    title="Pages passing Core Web Vitals",
    mart=_MART,
    kind="ratio",
    unit="ratio",
    where=lambda samples: samples.path.notnull(),
    regroup=_vitals_by_page,
    value=_passing_share,
    definition="Share of the pages with LCP and CLS samples whose p75 of LCP, INP and CLS are all good.",
    better="higher",
    thresholds=Thresholds(good=0.75, warn=0.5),
    owner="engineering",
    caveat="Every page has the same weight; a page with few samples passes or fails by chance.",
    action="Take the failing pages with the most page views first.",
    section=_SECTION,
)
