"""What the file of a report may say of when and for whom, and the sentence for what it may not."""

from __future__ import annotations

from datetime import time

import pytest

from tidings.errors import SettingsError
from tidings.scheduling.schedule import load_plan

HEAD = "[[schedule]]\n"
WHOM = '[[audience]]\nname = "board"\nchannels = ["mail"]\nto = ["ann@example.com"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + 'cron = "0 8 * *"', "line 3, [[schedule]] 1: cron '0 8 * *' does not have five fields."),
        (HEAD + 'cron = "0 0 8 * * mon"', "cron '0 0 8 * * mon' does not have five fields."),
        (HEAD + 'cron = "0 25 * * *"', "cron '0 25 * * *' cannot be used: Bad hour."),
        (HEAD + 'cron = "0 8 31 2 *"', "cron '0 8 31 2 *' cannot be used"),
        (HEAD, "[[schedule]] 1: says neither cron nor on."),
        (HEAD + 'cron = "0 8 * * *"\non = "first business day"', "has both cron and on."),
        (HEAD + 'cron = "0 8 * * *"\ntimezone = "Europe/Berlni"', "Did you mean 'Europe/Berlin'?"),
        (
            HEAD + 'cron = "0 8 * * *"\nwait_for = ["shopp"]',
            "wait_for names an unknown source 'shopp'. Did you mean 'shop'?",
        ),
        (HEAD + 'cron = "0 8 * * *"\ndeadline = "soon"', 'deadline must be a time such as "15 min"'),
        (HEAD + 'cron = "0 8 * * *"\ncatchup = "all"', "unknown key 'catchup'. Did you mean 'catch_up'?"),
        ((HEAD + 'cron = "0 8 * * *"\n') * 2, "[[schedule]] 2: has the name 'main' of another."),
        (WHOM.replace("mail", "mial"), "channels names 'mial', which is not there. Did you mean 'mail'?"),
        (WHOM.replace("ann@example.com", "ann"), "to has 'ann', which is no address."),
        (WHOM.replace("ann@", "ann\\r\\nBcc: x@"), "which is no address."),
        (WHOM + 'sections = ["comerce"]', "Did you mean 'commerce'?"),
        (WHOM + 'schedules = ["monday"]', "schedules names 'monday', which is not there."),
        (
            WHOM + 'only_if = "net_revenu < 1"',
            "only_if names an unknown metric 'net_revenu'. Did you mean 'net_revenue'?",
        ),
        (WHOM + "only_if = \"__import__('os')\"", "is not a condition."),
        (WHOM + 'quiet = "late"', "quiet must be hours of a day"),
        (WHOM + "public = true", "is public and lists no figures."),
        (WHOM + 'figures = ["visitors"]', "lists figures and is not public."),
        (WHOM.replace('to = ["ann@example.com"]', ""), "has no recipients for mail."),
        (WHOM + WHOM.replace("board", "Board"), "[[audience]] 2: has the name 'Board' of another."),
        (
            '[[audience]]\nname = "owners"\nchannels = ["chat"]\n'
            'recipients = { table = "dim_users", address = "email", rows = ["shop"] }',
            "binds rows by recipient, and chat has one message for all.",
        ),
    ],
)
def test_refused_with_the_line_and_what_is_meant(world, text: str, said: str) -> None:
    world.report(text)
    with pytest.raises(SettingsError) as refused:
        load_plan(world.settings, "weekly")
    assert "schedules/weekly.toml line" in str(refused.value) and said in str(refused.value)


def test_what_is_written_is_what_is_read(world) -> None:
    world.report(
        HEAD + 'name = "early"\ncron = "0 8 * * mon"\ntimezone = "America/New_York"\ncatch_up = "all"\npull = true\n'
        'wait_for = "shop"\ndeadline = "90 min"\nat_deadline = "hold"\nretries = 3\ntime_limit = "1.5 h"\n'
        'jitter = "30 s"\non_time = "1 day"\npause_after = 4\nkeep = 5\n'
        + WHOM
        + 'attach = ["pdf", "xlsx"]\nquiet = "22:00-07:30"\ndomains = "example.com"\nschedules = ["early"]\n'
    )
    plan = load_plan(world.settings, "weekly")
    [schedule] = plan.schedules
    assert (schedule.id, schedule.zone.name, schedule.deadline, schedule.time_limit, schedule.jitter) == (
        "weekly/early", "America/New_York", 5400.0, 5400.0, 30.0,
    )  # fmt: skip
    assert (schedule.on_time, schedule.wait_for, schedule.at_deadline, schedule.keep) == (86400.0, ("shop",), "hold", 5)
    [audience] = plan.audiences
    assert (audience.quiet, audience.attach, audience.domains) == (
        (time(22), time(7, 30)), ("pdf", "xlsx"), ("example.com",),
    )  # fmt: skip
    assert plan.audiences_of("early") == (audience,) and plan.audiences_of("other") == ()
