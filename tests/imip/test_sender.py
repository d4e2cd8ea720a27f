"""From: nobody's name is used where his own domain does not sign for it."""

from __future__ import annotations

import pytest

from gateway.imip.sender import Mode, choose, deputy, identify
from gateway.imip.tokens import Tokens


@pytest.mark.parametrize(
    ("sender", "method", "from_foreign", "mode"),
    [
        ("alice@example.org", "REQUEST", "agent", Mode.USER),
        ("alice@EXAMPLE.org", "REPLY", "refuse", Mode.USER),
        ("alice@bücher.example", "REQUEST", "refuse", Mode.USER),
        ("alice@sub.example.org", "REQUEST", "agent", Mode.AGENT),
        ("alice@badexample.org", "REQUEST", "agent", Mode.AGENT),
        ("alice@foreign.example", "CANCEL", "agent", Mode.AGENT),
        ("alice@foreign.example", "REPLY", "agent", Mode.ON_BEHALF),
        ("alice@foreign.example", "COUNTER", "agent", Mode.ON_BEHALF),
        ("alice@foreign.example", "REQUEST", "on-behalf", Mode.ON_BEHALF),
        ("alice@foreign.example", "REPLY", "refuse", Mode.REFUSE),
    ],
)
def test_the_mode_follows_the_domain(sender: str, method: str, from_foreign: str, mode: Mode) -> None:
    domains = ("example.org", "xn--bcher-kva.example")
    assert choose(sender, method, domains=domains, from_foreign=from_foreign) is mode


def test_only_the_agent_stands_in_for_the_organizer() -> None:
    tokens = Tokens(secret=b"one", service="calendar@example.org")
    who = {
        mode: identify(mode, "carla@foreign.example", account="carla@foreign.example", uid="u", tokens=tokens)
        for mode in (Mode.USER, Mode.AGENT, Mode.ON_BEHALF)
    }
    assert [who[mode].author for mode in who] == ["carla@foreign.example", *["calendar@example.org"] * 2]
    assert [bool(who[mode].organizer) for mode in who] == [False, True, False]
    assert [bool(who[mode].reply_to) for mode in who] == [False, True, True]


BOSS, SUE = "boss@example.org", "sue@example.org"


@pytest.mark.parametrize(
    ("line", "delegates", "who"),
    [
        (f'ORGANIZER;SENT-BY="mailto:{SUE}":mailto:{BOSS}', {SUE}, SUE),
        (f'ORGANIZER;SENT-BY="MAILTO:Sue@Example.org";CN="{"B" * 60}":mailto:{BOSS}', {SUE}, SUE),
        (f'ATTENDEE;SENT-BY="mailto:{SUE}":mailto:{BOSS}', {SUE}, SUE),
        (f'ORGANIZER;SENT-BY="mailto:{SUE}":mailto:{BOSS}', (), ""),
        (f'ORGANIZER;SENT-BY="mailto:{SUE}":mailto:{BOSS}', {"tom@example.org"}, ""),
        (f'ORGANIZER;SENT-BY="mailto:{SUE}":mailto:other@example.org', {SUE}, ""),
        (f'ORGANIZER;SENT-BY="mailto:sue@example.com":mailto:{BOSS}', {"sue@example.com"}, ""),
        (f'ORGANIZER;SENT-BY="/principals/sue/":mailto:{BOSS}', {SUE}, ""),
        (f"ORGANIZER:mailto:{BOSS}", {SUE}, ""),
    ],
)
def test_only_a_delegate_of_ours_whom_the_meeting_names_wrote_for_the_sender(
    line: str, delegates: set[str], who: str
) -> None:
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *(line[at : at + 60] for at in range(0, len(line), 60))]
    text = "\r\n".join([*lines[:3], *(f" {one}" for one in lines[3:]), "END:VEVENT", "END:VCALENDAR", ""])
    assert deputy(text.encode(), BOSS, delegates=delegates, domains=["example.org"]) == who
