"""Effects planted in the sample company: found again at about their true size, as analyses are tested against them."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from tidings.sample.channels import origins
from tidings.sample.company import DAY, Bools, Company, Options, micros
from tidings.sample.hits import PAUSE
from tidings.sample.movements import CHARGE, REFUND
from tidings.sample.people import LEAVE_PER_WEEK, meet
from tidings.sample.prices import PRODUCTS
from tidings.sample.service import ROUTES, Service
from tidings.sample.simulation import Simulation
from tidings.sample.story import CAMPAIGNS, Story
from tidings.sample.truth import Tally
from tidings.sample.visits import REPEAT_DAYS, repeat_hazards
from tidings.sample.vitals import Vitals

SIGMAS = 4
"""By how many standard errors a share may miss; with a fixed seed a test either always passes or never."""


@pytest.fixture(scope="module")
def made() -> Simulation:
    """People, visits and trade at size 2, without the rows of the feeds."""
    return Simulation.of(Options(seed=3, size=2.0))


@pytest.fixture(scope="module")
def calls() -> dict[str, np.ndarray]:
    """Calls of the last 60 days at size 1."""
    return _columns(Service(*_recent(60)).rows(Tally()))


def _recent(days: int, size: float = 1.0) -> tuple[Company, Story]:
    company = Company(Options(seed=3, size=size, days=days))
    return company, Story(company)


def _columns(tables: object) -> dict[str, np.ndarray]:
    table = pa.concat_tables(tables)
    table = table.set_column(1, "ts", table["ts"].cast(pa.int64()))
    return {name: np.array(table[name].to_pylist()) for name in table.schema.names if name != "_record"}


def _near(hits: Bools, expected: float) -> bool:
    return abs(hits.mean() - expected) < SIGMAS * math.sqrt(expected * (1 - expected) / len(hits))


def test_customers_buy_again_with_the_hazards_of_their_cohort(made: Simulation) -> None:
    company, people, visits = made.company, made.people, made.visits
    hazards = repeat_hazards(company)
    known = people.is_user & people.is_customer
    bought = np.zeros((len(people), hazards.shape[1]), bool)
    again = visits.order > 1
    local_day = (visits.start[again] - company.midnights[people.market[visits.person[again]], 0]) // DAY
    bought[visits.person[again], (local_day - people.order_day[visits.person[again]] - 1) // REPEAT_DAYS] = True
    for interval in (0, 1, 5):
        at_risk = known & (people.order_day + (interval + 1) * REPEAT_DAYS < company.options.days - 1)
        cohort = np.searchsorted([month.last for month in company.months], people.order_day[at_risk])
        assert at_risk.sum() > 2000
        assert _near(bought[at_risk, interval], hazards[cohort, interval].mean()), interval
    assert hazards[-1, 0] > 1.2 * hazards[0, 0], "later cohorts are more loyal"
    assert np.all(np.diff(hazards, axis=1) < 0), "the chance falls with age"


def test_users_leave_with_the_same_hazard_every_week(made: Simulation) -> None:
    people = made.people
    users = people.is_user
    weeks = (people.leave_day[users] - people.signup_day[users]) // 7
    for week in (1, 4, 12):
        assert _near((weeks == week)[weeks >= week], LEAVE_PER_WEEK), week


def test_people_who_arrive_in_a_campaign_buy_more_often_by_its_lift() -> None:
    company = Company(Options(seed=3, size=10.0))
    story = Story(company)
    people = meet(company, story)
    arrived = company.start + people.day * DAY
    # The campaigns' own channels convert differently: the lift is judged on those who came as always.
    usual_way = np.array([not origin.campaign for origin in origins()])[people.origin] & (people.variant < 1)
    in_campaign = np.zeros(len(people), bool)
    for name in CAMPAIGNS:
        in_campaign |= story.during(name, arrived)
    lift = np.mean([story[name].effect for name in CAMPAIGNS])
    usual = people.is_customer[usual_way & ~in_campaign].mean()
    assert _near(people.is_customer[usual_way & in_campaign], usual * lift)
    assert not _near(people.is_customer[usual_way & in_campaign], usual)


def test_the_variant_changes_the_chance_to_buy_by_its_effect(made: Simulation) -> None:
    people, effect = made.people, made.story["checkout_test"].effect
    control, treated = (people.is_customer[people.variant == n] for n in (0, 1))
    assert abs(len(control) - len(treated)) < SIGMAS * math.sqrt(len(control) + len(treated)), "both are as large"
    assert _near(treated, control.mean() * effect)
    in_test = made.story.during("checkout_test", made.company.start + people.day * DAY)
    assert np.array_equal(in_test, people.variant >= 0)


def test_visits_of_a_person_are_further_apart_than_a_session_can_pause(made: Simulation) -> None:
    visits = made.visits
    order = np.lexsort((visits.start, visits.person))
    same = np.diff(visits.person[order]) == 0
    apart = np.diff(visits.start[order])[same]
    longest = 12_000_000_000
    assert apart.min() > longest + PAUSE


def test_days_follow_growth_week_and_year(made: Simulation) -> None:
    company, start = made.company, made.visits.start[made.visits.arrives]
    days = np.bincount((start - company.start) // DAY, minlength=company.options.days)
    first_year, second_year = days[:365].sum(), days[365:].sum()
    assert second_year / first_year == pytest.approx(2.2**0.5, rel=0.05), "doubles in about two years"
    weekend = company.weekdays >= 5
    assert days[weekend].mean() / days[~weekend].mean() == pytest.approx(0.87 / 1.052, rel=0.05)
    quiet = [n for n, day in enumerate(company.dates) if (day.month, day.day) == (12, 25)]
    assert all(days[n] < 0.75 * days[n - 28] for n in quiet)
    viral = made.story["viral_post"]
    assert days[(viral.start - company.start) // DAY] > 2.2 * days[(viral.start - company.start) // DAY - 7]


def test_people_come_in_their_own_evening(made: Simulation) -> None:
    visits, market = made.visits, made.people.market[made.visits.person]
    hour = (visits.start // 3_600_000_000) % 24
    berlin, new_york = (np.isin(hour[(market == n) & visits.arrives], (1, 2)).mean() for n in (0, 1))
    assert berlin == 0, "1 to 3 h in UTC is the depth of the night in Berlin"
    assert new_york > 0.1, "and the evening in New York"


def test_subjects_do_not_move_each_other(made: Simulation) -> None:
    company = Company(made.company.options)
    drawn = [company.rng("subscriptions", "2026-01").random(3) for _ in range(2)]
    company.rng("people", "2026-01").random(100)
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], company.rng("subscriptions", "2026-02").random(3))


def test_the_bad_batch_comes_back(made: Simulation) -> None:
    lines, batch = made.commerce.lines, made.story["bad_batch"]
    mug = next(n for n, product in enumerate(PRODUCTS) if product.id == "mug")
    sold = (lines.type == CHARGE) & (lines.status == 0)
    key = lines.prefix * 10**9 + lines.number
    returned = np.unique((lines.of_prefix * 10**9 + lines.of_number)[lines.type == REFUND])
    bad = np.unique(key[sold & batch.holds(lines.ts) & (lines.product == mug)])
    good = np.unique(key[sold & ~batch.holds(lines.ts)])
    assert len(bad) > 40
    assert _near(np.isin(bad, returned), batch.effect)
    assert np.isin(good, returned).mean() == pytest.approx(0.04, abs=0.01)


def test_the_outage_the_slow_down_and_the_errors_are_where_they_were_planted(calls: dict[str, np.ndarray]) -> None:
    story = _recent(60)[1]
    failed = np.array([status is None or status >= 500 for status in calls["status"]])
    own = calls["provider"] == None  # noqa: E711 - elementwise
    outage = story["api_outage"].holds(calls["ts"]) & (calls["service"] == "api")
    assert (outage & own).sum() > 30
    assert failed[outage & own].all()
    assert failed[outage & ~own].mean() < 0.2, "providers are reached all the while"
    burst = story["search_errors"].holds(calls["ts"]) & (calls["service"] == "search")
    assert _near(failed[burst], story["search_errors"].effect)
    assert failed[~outage & ~burst].mean() < 0.005

    chat = (calls["endpoint"] == "/chat") & (calls["status"] == 200)
    slow = story["llm_slowdown"].holds(calls["ts"])
    usual, slowed = (np.median(calls["latency_ms"][chat & rows]) for rows in (~slow, slow))
    assert slowed / usual == pytest.approx(story["llm_slowdown"].effect, rel=0.15)


def test_medians_of_routes_are_those_of_the_truth(calls: dict[str, np.ndarray]) -> None:
    hour = (calls["ts"] // 3_600_000_000) % 24
    for route in ROUTES[:5]:
        rows = (calls["service"] == route.service) & (calls["endpoint"] == route.endpoint) & (hour < 18)
        rows &= (calls["status"] == 200) & (calls["method"] == route.method)
        error = 1.2533 * route.sigma / math.sqrt(rows.sum())
        assert abs(math.log(np.median(calls["latency_ms"][rows]) / route.median_ms)) < SIGMAS * error, route


def test_product_pages_were_slower_until_they_were_repaired() -> None:
    company, story = _recent(60, size=2.0)
    seen = _columns(Vitals(company, story).rows(Tally()))
    slow = story["vitals_regression"].holds(seen["ts"])
    lcp = seen["metric"] == "LCP"
    product = np.char.startswith(seen["path"].astype(str), "/shop/")
    after = seen["ts"] >= story["vitals_regression"].end

    def p75(rows: Bools) -> float:
        return float(np.quantile(seen["value"][rows], 0.75))

    assert p75(lcp & product & slow) / p75(lcp & product & after) == pytest.approx(1.7, rel=0.08)
    assert p75(lcp & ~product & slow) / p75(lcp & ~product & after) == pytest.approx(1.0, rel=0.06)
    assert story["vitals_regression"].start == micros(datetime(2026, 5, 17))
