"""Sessions and visits (metric definitions 4 and 5.4): rows in, rows out, and an oracle."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depth import examples
from workbooks import at, only, run_models


def _hit(time: str, **more: Any) -> dict[str, Any]:
    return {"ts": at(time), "visitor_id": "v", "path": "/", **more}


def test_a_gap_of_exactly_1800_seconds_continues_and_a_microsecond_more_does_not() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00"), _hit("12:30"), _hit("13:00:00.000001")])
    assert only(rows, "session_key", "pageviews", "duration_s") == [
        ("shop:v:1", 2, 1800.0),
        ("shop:v:2", 1, 0.0),  # a single hit lasts 0 s
    ]


def test_midnight_campaign_and_referrer_do_not_split() -> None:
    rows = run_models(
        "fct_sessions",
        events=[
            _hit("2026-06-01T23:50", source="google", campaign="a", channel="Organic Search"),
            _hit("2026-06-02T00:10", source="x", campaign="b", channel="Organic Social"),
        ],
    )
    assert only(rows, "pageviews", "source", "campaign", "channel") == [(2, "google", "a", "Organic Search")]


def test_an_event_of_any_kind_keeps_a_session_going_but_ends_no_bounce() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00"), _hit("12:20", event="click"), _hit("12:45", event="buy")])
    # 12:45 is more than 1,800 s after the page view, but not after the click.
    assert only(rows, "pageviews", "events", "is_bounce", "duration_s") == [(1, 2, True, 2700.0)]


def test_a_reload_is_a_second_page_view_and_no_bounce() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00"), _hit("12:01")])
    assert only(rows, "is_bounce", "entry_page", "exit_page") == [(False, "/", "/")]


def test_a_visit_takes_source_and_entry_page_from_its_first_page_view() -> None:
    rows = run_models(
        "fct_sessions",
        events=[
            _hit("12:00", event="open", path="/event", source="event", country="FR"),
            _hit("12:01", path="/in", source="google", country="DE", term=None),
            _hit("12:02", path="/out", source="x", country="US", term="later"),
            _hit("12:03", event="close", path="/event"),
        ],
    )
    # A null of the first page view stays null: the later term is not the visit's.
    shown = only(rows, "entry_page", "exit_page", "source", "country", "term")
    assert shown == [("/in", "/out", "google", "DE", None)]
    assert only(rows, "ts", "last_ts") == [(at("12:00"), at("12:03"))]


def test_a_session_without_a_page_view_is_no_visit() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00", event="ping", source="app")])
    assert only(rows, "is_visit", "is_bounce", "pageviews", "entry_page", "exit_page", "source") == [
        (False, False, 0, None, None, "app")
    ]


def test_bots_and_hits_without_a_visitor_form_no_session_but_stay_events() -> None:
    hits = [_hit("12:00", is_bot=True), _hit("12:01", visitor_id=None), _hit("12:02", visitor_id=""), _hit("12:03")]
    assert only(run_models("fct_sessions", events=hits), "pageviews") == [(1,)]
    events = run_models("fct_events", events=hits)
    assert only(events, "_line", "session_key", "position") == [
        (1, None, None),
        (2, None, None),
        (3, None, None),
        (4, "shop:v:1", 1),
    ]


def test_page_views_of_access_logs_form_sessions_and_assets_do_not() -> None:
    log = [
        {"ts": at("12:00"), "visitor_id": "p", "path": "/"},
        {"ts": at("12:01"), "visitor_id": "p", "path": "/logo.png", "is_page": False},
        {"ts": at("12:02"), "visitor_id": "p", "path": "/about"},
    ]
    assert only(run_models("fct_sessions", access=log), "session_key", "pageviews", "exit_page", "duration_s") == [
        ("shop:p:1", 2, "/about", 120.0)
    ]
    assert only(run_models("fct_events", access=log), "event", "kind", "path", "value") == [
        ("pageview", "pageview", "/", None),
        ("pageview", "pageview", "/about", None),
    ]


def test_the_same_visitor_id_of_two_sources_is_two_visitors() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00"), _hit("12:01", _source="app")])
    assert only(rows, "session_key") == [("app:v:1",), ("shop:v:1",)]


def test_hits_at_one_instant_keep_the_order_of_the_input() -> None:
    rows = run_models("fct_sessions", events=[_hit("12:00", path=f"/{id_}", event_id=id_) for id_ in "zay"])
    assert only(rows, "entry_page", "exit_page") == [("/z", "/y")]  # neither by id nor by path


def test_the_last_known_user_of_a_session() -> None:
    hits = [_hit("12:00", user_id="u1"), _hit("12:01", user_id="u2"), _hit("12:02"), _hit("12:03", user_id="")]
    assert only(run_models("fct_sessions", events=hits), "user_id") == [("u2",)]


def test_time_to_the_next_page_view_skips_events() -> None:
    hits = [_hit("12:00"), _hit("12:00:10", event="click"), _hit("12:00:20.500"), _hit("12:00:30", event="click")]
    rows = run_models("fct_events", events=hits)
    assert only(rows, "position", "seconds_to_next_view") == [
        (1, 20.5),  # to the next page view, not to the click
        (2, None),  # an event has no time on page
        (3, None),  # the last page view of a visit has none
        (4, None),
    ]


Hit = tuple[int, int, bool]
"""Visitor, microseconds since noon, is a page view."""


def _oracle(hits: list[Hit]) -> list[tuple[str, int, int, float]]:
    """Sessions hit by hit, as the definition reads: (visitor, page views, hits, duration)."""
    found = []
    for visitor in {hit[0] for hit in hits}:
        own = sorted((hit[1], line, hit[2]) for line, hit in enumerate(hits) if hit[0] == visitor)
        session: list[tuple[int, int, bool]] = []
        for hit in [*own, None]:
            if session and (hit is None or hit[0] - session[-1][0] > 1_800_000_000):
                seconds = (session[-1][0] - session[0][0]) / 1e6
                found.append((f"v{visitor}", sum(one[2] for one in session), len(session), seconds))
                session = []
            if hit is not None:
                session.append(hit)
    return sorted(found)


@settings(max_examples=examples(6, 15), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            # Gaps around the limit are what can go wrong: multiples of 900 s, and one microsecond beside them.
            st.builds(lambda quarter, off: quarter * 900_000_000 + off, st.integers(0, 12), st.integers(0, 1)),
            st.booleans(),
        ),
        min_size=1,
        max_size=25,
    )
)
def test_sessions_are_those_of_the_definition(hits: list[Hit]) -> None:
    noon = datetime(2026, 6, 1, 12)
    events = [
        {
            "visitor_id": f"v{visitor}",
            "ts": noon + timedelta(microseconds=moment),
            "event": "pageview" if is_view else "click",
        }
        for visitor, moment, is_view in hits
    ]
    rows = run_models("fct_sessions", events=events)
    found = sorted((r["visitor_id"], r["pageviews"], r["pageviews"] + r["events"], r["duration_s"]) for r in rows)
    assert found == _oracle(hits)
