"""What `[limits] expansion_*` says reaches every place where a series is expanded, and quirks are counted."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway import config as configuration
from gateway.errors import LimitExceeded
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import parse_object
from gateway.ical.tree import parse
from gateway.imip.habits import NAMES
from gateway.itip.changes import changes
from gateway.itip.decide import decide
from gateway.itip.model import Certainty, Context, Outcome, Reason, Verdict
from gateway.itip.parse import messages
from gateway.wiring import meaning

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CLOSE = Bounds(instances=5, years=1, steps=1_000)
SIX = ",".join(f"202612{day:02}T100000Z" for day in range(1, 7))


def series(say, **lines: str) -> str:
    return say.invitation(RRULE="FREQ=WEEKLY;COUNT=30", **lines)


def test_the_configuration_names_the_bounds():
    text = (
        '[gateway]\ndomains = ["example.org"]\n'
        "[limits]\nexpansion_instances = 5\nexpansion_years = 1\nexpansion_steps = 1000\n"
    )
    assert meaning.receive_settings(configuration.parse(text)).expansion == CLOSE
    plain = configuration.parse('[gateway]\ndomains = ["example.org"]\n')
    assert meaning.expansion(plain) == DEFAULT_BOUNDS


async def test_a_bomb_by_the_operators_measure_is_refused_before_anything_is_written(world, say, monkeypatch):
    receive = world.receive
    body = series(say, RDATE=SIX)
    assert await world.told(await world.mail("REQUEST", body)) == [("applied", "invitation-stored")]
    monkeypatch.setattr(receive, "_settings", replace(receive._settings, expansion=CLOSE))
    later = series(say, RDATE=SIX, SEQUENCE="1")
    assert await world.told(await world.mail("REQUEST", later)) == [("refused", "expansion-limit")]


RARE = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=20"  # far out, and many days are tried on the way
LEAP = {"DTSTART": "20280229T100000Z", "DTEND": "20280229T110000Z"}


def test_what_is_stored_is_looked_at_no_further_when_somebody_answers(say):
    stored = parse_object(
        say.calendar(
            say.invitation(guests="bob@example.net", organizer="alice@example.org", RRULE=RARE, **LEAP)
        )
    )
    answer = say.invitation(
        guests="bob@example.net",
        organizer="alice@example.org",
        RECURRENCE_ID="20600229T100000Z",
        DTSTART="20600229T100000Z",
        DTEND="20600229T110000Z",
    ).replace("NEEDS-ACTION", "ACCEPTED")
    (message,) = messages(parse(say.calendar(answer, "REPLY")), Address("bob@example.net"))
    context = Context(
        owner=frozenset({Address("alice@example.org")}),
        now=NOW,
        verdict=Verdict(sender=Address("bob@example.net"), certainty=Certainty.PROVEN),
    )
    found = decide(stored, message, context)
    assert (found.outcome, found.reason) == (Outcome.APPLIED, Reason.ANSWER_RECORDED)
    found = decide(stored, message, replace(context, bounds=CLOSE))
    assert (found.outcome, found.reason) == (Outcome.REFUSED, Reason.NO_SUCH_INSTANCE)


def test_what_is_stored_is_looked_at_no_further_when_it_is_changed(say):
    stored = parse_object(
        say.calendar(
            say.invitation(guests="bob@example.net", organizer="alice@example.org", RRULE=RARE, **LEAP)
        )
    )
    context = Context(owner=frozenset({Address("alice@example.org")}), now=NOW)
    assert changes(None, stored, context).outgoing
    with pytest.raises(LimitExceeded):
        changes(None, stored, replace(context, bounds=CLOSE))


async def test_each_quirk_of_a_mail_is_counted_and_told(world, say):
    body = say.invitation().replace("mailto:bob@", "MAILTO:bob@")
    before = counted(world)
    mail = await world.mail("REQUEST", body)
    assert counted(world) == before + 1
    (entry,) = await world.store.journal.story(mail)
    assert {"code": "quirk-upper-case-mailto"} in entry["notes"]
    assert "upper-case-mailto" in NAMES


def counted(world) -> float:
    page = world.receive._log.exposition().decode()
    found = re.search(r'imip_gateway_quirks_total\{quirk="upper-case-mailto"\} (\S+)', page)
    return float(found[1]) if found else 0.0
