"""Who is active: metrics of users (metric definitions 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.types as ir

from tidings.metrics.measures import distinct
from tidings.metrics.metric import Metric, Need, Number
from tidings.metrics.values import divided
from tidings.window import Window

_MART = "fct_user_hours"
_USER = Need(("user_id",), "gives no user id", table="fct_events")
_NOT_PEOPLE = "Counts signed-in ids: visitors who never sign in are left out, and it does not show how much anyone did."
_LOOK = "Split it by country, device and channel, then check whether fewer users arrived or more left."


def _users(rows: ir.Table) -> ir.IntegerScalar:
    return distinct(rows.user_id)


def _user_days(rows: ir.Table) -> ir.IntegerScalar:
    # The day goes first: it has a fixed width, so two pairs never give the same text.
    return (rows.local_ts.date().cast("string") + rows.user_id.nullif("")).nunique()


def _per_day(values: Mapping[str, Number], window: Window) -> Number:
    return divided(values["user_days"], window.days)


def _daily_of_monthly(values: Mapping[str, Number], _: Window) -> Number:
    return divided(values["dau"], values["mau"])


def _daily_of_weekly(values: Mapping[str, Number], _: Window) -> Number:
    return divided(values["dau"], values["wau"])


active_users = Metric(
    name="active_users",
    title="Active users",
    mart=_MART,
    needs=(_USER,),
    kind="distinct",
    unit="count",
    value=_users,
    definition="Distinct users with at least one event in the window.",
    better="higher",
    owner="product",
    caveat=f"Depends on the length of the window; compare windows of equal length only. {_NOT_PEOPLE}",
    action=_LOOK,
    section="executive_overview",
)

dau = Metric(
    name="dau",
    title="Daily active users",
    mart=_MART,
    needs=(_USER,),
    kind="distinct",
    unit="count",
    value=_users,
    trailing_days=1,
    definition="Distinct users active on the local day; over a window, on its last day.",
    better="higher",
    owner="product",
    caveat=f"One day: weekdays differ, so compare it with the same weekday. {_NOT_PEOPLE}",
    action=_LOOK,
    section="executive_overview",
)

wau = Metric(
    name="wau",
    title="Weekly active users",
    mart=_MART,
    needs=(_USER,),
    kind="distinct",
    unit="count",
    value=_users,
    trailing_days=7,
    definition="Distinct users active in the 7 local days up to and including the day; over a window, its last day.",
    better="higher",
    owner="product",
    caveat=f"Starts before the window if that is shorter than 7 days. {_NOT_PEOPLE}",
    action=_LOOK,
    section="executive_overview",
)

mau = Metric(
    name="mau",
    title="Monthly active users",
    mart=_MART,
    needs=(_USER,),
    kind="distinct",
    unit="count",
    value=_users,
    trailing_days=30,
    definition="Distinct users active in the 30 local days up to and including the day; over a window, its last day.",
    better="higher",
    owner="product",
    caveat=f"30 trailing days, not a calendar month and not 28 days. {_NOT_PEOPLE}",
    action=_LOOK,
    section="executive_overview",
)

user_days = Metric(
    name="user_days",
    title="Active user-days",
    mart=_MART,
    needs=(_USER,),
    kind="flow",
    unit="count",
    value=_user_days,
    definition="Pairs of a user and a local day on which that user was active.",
    better="higher",
    owner="product",
    caveat="Not a number of people: a user active on ten days counts ten times.",
    action="Compare it with active users: more people, or the same people more often?",
    section="executive_overview",
)

average_dau = Metric(
    name="average_dau",
    title="Average daily active users",
    inputs=("user_days",),
    common_days=True,
    combine=_per_day,
    kind="ratio",
    unit="count",
    definition="Mean of daily active users over all local days of the window, days without active users included.",
    better="higher",
    owner="product",
    caveat=f"Over the days that the data covers. {_NOT_PEOPLE}",
    action=_LOOK,
    section="executive_overview",
)

dau_mau = Metric(
    name="dau_mau",
    title="Stickiness (DAU/MAU)",
    inputs=("dau", "mau"),
    combine=_daily_of_monthly,
    kind="ratio",
    unit="ratio",
    definition="Daily active users over monthly active users; over a window, on its last day.",
    better="higher",
    owner="product",
    caveat="Falls when many new users arrive, which is not bad by itself. One day, so weekdays differ.",
    action="Compare it by country and device, and look at what brings users back on days with a high value.",
    section="executive_overview",
)

dau_wau = Metric(
    name="dau_wau",
    title="Stickiness (DAU/WAU)",
    inputs=("dau", "wau"),
    combine=_daily_of_weekly,
    kind="ratio",
    unit="ratio",
    definition="Daily active users over weekly active users; over a window, on its last day.",
    better="higher",
    owner="product",
    caveat="If every user came once a week, its mean over the week would be 1/7. One day, so weekdays differ.",
    action="Compare it by country and device, and look at what brings users back on days with a high value.",
    section="executive_overview",
)
