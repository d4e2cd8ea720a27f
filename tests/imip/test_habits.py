"""Every quirk has its name, its sample mail, its note and, where a standard forbids it, its switch."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import config as configuration
from gateway.config.reader import QUIRKS
from gateway.errors import MalformedCalendar
from gateway.flows.explain import Calendars, explain
from gateway.flows.sorting import Addressed, owner_of, sort_out
from gateway.ical.event import parse_object
from gateway.ical.tree import DEFAULT_LIMITS
from gateway.imip.habits import NAMES, PREFIX, SWITCHES, read_calendar
from gateway.imip.read import read
from gateway.imip.tolerated import TOLERATED
from gateway.itip.decide import decide
from gateway.itip.model import Certainty, Context, Remove, Store, Verdict
from gateway.wiring import meaning

NOW = datetime(2026, 11, 21, tzinfo=UTC)
FAMILIES = sorted((Path(__file__).parent / "quirks").iterdir())
CONFIG = configuration.parse(
    '[gateway]\ndomains = ["example.org"]\n[[account]]\naddress = "alice@example.org"\nusername = "alice"\n'
)


def name_of(family: Path) -> str:
    return family.name.partition("-")[2]


def expected(family: Path) -> dict[str, Any]:
    return tomllib.loads((family / "expect.toml").read_text())


def told(family: Path, *off: str) -> dict[str, Any]:
    """What `explain` says of the one message in the sample, its sender being certain."""
    kept = family / "stored.ics"
    story = explain(
        (family / "mail.eml").read_bytes(),
        accounts=configuration.accounts_of(CONFIG),
        settings=replace(meaning.receive_settings(CONFIG), quirks_off=frozenset(off)),
        policy=meaning.policy_of(CONFIG),
        now=NOW,
        as_address="alice@example.org",
        calendars=Calendars(parse_object(kept.read_bytes()) if kept.exists() else None),
        certainty=Certainty.PROVEN,
    )
    (message,) = story["messages"]
    return dict(message)


def calendar(family: Path, *off: str) -> str:
    """What stands in the calendar afterwards, unfolded; "" when nothing is written."""
    accounts = configuration.accounts_of(CONFIG)
    account = accounts.find("alice@example.org")
    assert account is not None
    mail = read((family / "mail.eml").read_bytes())
    verdict = Verdict(sender=mail.sender, certainty=Certainty.PROVEN)
    to = ((account, account.address),)
    (one,) = sort_out(mail, verdict, to, quirks_off=frozenset(off))  # type: ignore[arg-type]
    if not isinstance(one, Addressed):
        return ""
    kept = family / "stored.ics"
    stored = parse_object(kept.read_bytes()) if kept.exists() else None
    context = Context(owner=owner_of(accounts, account), now=NOW, verdict=verdict, mail_date=mail.date)
    change = decide(stored, one.message, context).change
    assert not isinstance(change, Remove)
    return change.object.data.decode().replace("\r\n ", "") if isinstance(change, Store) else ""


def quirks_in(message: dict[str, Any]) -> set[str]:
    codes = (str(note["code"]) for note in message["notes"])
    return {code.removeprefix(PREFIX) for code in codes if code.startswith(PREFIX)}


def test_every_quirk_has_one_sample_and_every_sample_says_why_it_exists() -> None:
    assert [name_of(family) for family in FAMILIES] == list(NAMES)
    for family in FAMILIES:
        assert len((family / "why.txt").read_text()) > 40, family.name


@pytest.mark.parametrize("family", FAMILIES, ids=name_of)
def test_a_quirk_is_noted_and_the_message_understood(family: Path) -> None:
    wanted, message = expected(family), told(family)
    assert quirks_in(message) == {name_of(family), *wanted.get("also", ())}
    assert {key: message[key] for key in ("outcome", "reason") if key in wanted} == {
        key: wanted[key] for key in ("outcome", "reason") if key in wanted
    }
    assert message["method"] == wanted.get("method", message["method"])
    assert f"received-{wanted['grade']}" in [note["code"] for note in message["notes"]]
    text = calendar(family)
    assert [one for one in wanted.get("shows", ()) if one not in text] == []
    assert [one for one in wanted.get("hides", ()) if one in text] == []


@pytest.mark.parametrize("family", [one for one in FAMILIES if name_of(one) in SWITCHES], ids=name_of)
def test_a_quirk_that_is_off_is_not_understood_any_more(family: Path) -> None:
    wanted, message = expected(family)["off"], told(family, name_of(family))
    assert name_of(family) not in quirks_in(message)
    assert (message["outcome"], message["reason"]) == (wanted["outcome"], wanted["reason"])
    text = calendar(family, name_of(family))
    assert [one for one in wanted.get("shows", ()) if one not in text] == []
    assert [one for one in wanted.get("hides", ()) if one in text] == []


@pytest.mark.parametrize("family", [one for one in FAMILIES if name_of(one) not in SWITCHES], ids=name_of)
def test_what_no_standard_forbids_has_no_switch(family: Path) -> None:
    assert "off" not in expected(family)
    assert told(family, name_of(family)) == told(family)


def test_the_configuration_knows_exactly_the_switches() -> None:
    assert QUIRKS == SWITCHES
    text = '[gateway]\ndomains = ["example.org"]\n[inbound]\nquirks_off = ["microsoft-sequence"]\n'
    assert meaning.receive_settings(configuration.parse(text)).quirks_off == {"microsoft-sequence"}
    with pytest.raises(Exception, match="upper-case-mailto"):
        configuration.parse(text.replace("microsoft-sequence", "upper-case-mailto"))


def test_every_quirk_is_documented_once_with_what_its_switch_does() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "quirks.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(NAMES)
    for name, _, off in rows:
        assert (off == "cannot") is (name not in SWITCHES), name
        rule = TOLERATED.get(name)
        if rule is not None and not rule.legal:
            assert off.startswith("Refused.") is (rule.without is None), name


LINES = st.sampled_from(
    [
        "BEGIN:VEVENT",
        "END:VEVENT",
        "BEGIN:VTIMEZONE",
        "END:VTIMEZONE",
        "METHOD:reply",
        "UID:1",
        'TZID:"x"',
        "RECURRENCE-ID:20261201",
        "RECURRENCE-ID:x",
        "DTSTART;TZID=(UTC+01:00) Berlin:20261201T100000",
        "DTSTART;TZID='Europe/Berlin':20261201T100000",
        "ATTENDEE;EMAIL=a@b.c;CN=d@e.f:/x",
        "ATTENDEE;X-RESPONSE-COMMENT=x:MAILTO:a%20b@c",
        "X-MICROSOFT-CDO-APPT-SEQUENCE:²",
    ]
)


@given(
    st.lists(LINES, max_size=25), st.frozensets(st.sampled_from(NAMES)), st.sampled_from(["\r\n", "\r\r\n"])
)
def test_any_mixture_gives_a_calendar_or_the_one_error(
    lines: list[str], off: frozenset[str], end: str
) -> None:
    data = end.join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()
    try:
        found, notes = read_calendar(data, DEFAULT_LIMITS, NOW, off=off)
    except MalformedCalendar:
        return
    assert found.name == "VCALENDAR"
    assert not {note.code.removeprefix(PREFIX) for note in notes} & off & set(SWITCHES)
