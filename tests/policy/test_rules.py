"""The first fitting rule decides, selectors are compared by label, and a rule opens only the door that it names."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.accounts import Account, Booking
from gateway.config import PolicyRule
from gateway.ical.address import Address
from gateway.itip.model import Certainty, Decision, Outcome, Policy, Reason, Remove, Verdict
from gateway.policy.rules import (
    ACTIONS,
    LATER,
    Action,
    Asked,
    choose,
    govern,
    policy_for,
    within,
)

BOSS = Address("boss@example.com")
ASKED = Asked(sender=BOSS, method="REQUEST", component="VEVENT", certainty=Certainty.PROVEN, known=True)

FITS = [
    (PolicyRule(), True),
    (PolicyRule(sender=("boss@example.com",)), True),
    (PolicyRule(sender=("mailto:Boss@Example.COM",)), True),
    (PolicyRule(sender=("other@example.com",)), False),
    (PolicyRule(sender=("other@example.com", "boss@example.com")), True),
    (PolicyRule(domain=("example.com",)), True),
    (PolicyRule(domain=("example.org",)), False),
    (PolicyRule(domain=("ample.com",)), False),
    (PolicyRule(method=("request",)), True),
    (PolicyRule(method=("CANCEL", "REPLY")), False),
    (PolicyRule(component=("VTODO",)), False),
    (PolicyRule(component=("vevent",)), True),
    (PolicyRule(verdict=("proven",)), True),
    (PolicyRule(verdict=("unknown", "likely")), False),
    (PolicyRule(known=True), True),
    (PolicyRule(known=False), False),
    (PolicyRule(domain=("example.com",), method=("REPLY",)), False),
]


@pytest.mark.parametrize(("rule", "expected"), FITS)
def test_a_rule_fits_when_all_its_selectors_do(rule: PolicyRule, expected: bool) -> None:
    assert (choose([rule], ASKED).rule == 1) is expected


@pytest.mark.parametrize(
    "rule", [PolicyRule(sender=("a@b.c",)), PolicyRule(domain=("b.c",)), PolicyRule(known=False)]
)
def test_what_is_not_known_fits_no_selector_that_asks_for_it(rule: PolicyRule) -> None:
    assert choose([rule], Asked()) == Action()


def test_the_first_fitting_rule_wins() -> None:
    rules = [
        PolicyRule(domain=("example.org",), action="refuse"),
        PolicyRule(method=("REQUEST",), action="hold", notify=True, cancel="delete"),
        PolicyRule(action="ignore"),
    ]
    assert choose(rules, ASKED) == Action(action="hold", notify=True, cancel="delete", rule=2)


def test_without_a_fitting_rule_the_message_is_stored() -> None:
    assert choose([], ASKED) == Action(action="store")


@pytest.mark.parametrize(
    ("name", "parent", "expected"),
    [
        ("example.com", "example.com", True),
        ("mail.example.com", "example.com", True),
        ("mail.example.com", "*.example.com", True),
        ("evilexample.com", "example.com", False),
        ("example.com", "mail.example.com", False),
        ("example.com.evil.net", "example.com", False),
        ("xn--bcher-kva.example", "Bücher.example", True),
        ("example.com", "", False),
        ("", "example.com", False),
        ("", "", False),
    ],
)
def test_domains_are_compared_label_by_label(name: str, parent: str, expected: bool) -> None:
    assert within(name, parent) is expected


ACCOUNT = Account(
    address="alice@example.org",
    delegates=("Aide@example.org",),
    publish=True,
    guest_list="self",
    default_alarm="-PT15M",
)


def made(certainty: Certainty, *rules: PolicyRule, defaults: Policy | None = None) -> Policy:
    return policy_for(
        ACCOUNT,
        rules,
        sender=BOSS,
        method="REQUEST",
        verdict=Verdict(sender=BOSS, certainty=certainty),
        defaults=defaults or Policy(past_events="mail", party_crasher="add"),
    )


def test_the_accounts_settings_stand_above_the_defaults() -> None:
    policy = made(Certainty.PROVEN)
    assert policy.delegates == {Address("aide@example.org")}
    assert (policy.publish, policy.guest_list, policy.default_alarm) == (True, "self", "-PT15M")
    assert (policy.past_events, policy.party_crasher, policy.cancel) == ("mail", "add", "mark")


def test_a_rule_may_say_how_a_cancellation_is_taken() -> None:
    policy = made(Certainty.PROVEN, PolicyRule(cancel="delete-after:8d"))
    assert (policy.cancel, policy.cancel_after) == ("delete-after", timedelta(days=8))


@pytest.mark.parametrize(
    ("rule", "on_unknown"),
    [
        (PolicyRule(action="store"), "hold"),  # the last line of every list opens nothing
        (PolicyRule(domain=("example.com",), action="store"), "hold"),
        (PolicyRule(verdict=("unknown",), action="store"), "store"),
        (PolicyRule(verdict=("unknown",), action="ignore"), "ignore"),
        (PolicyRule(verdict=("unknown",), action="refuse"), "hold"),
        (PolicyRule(verdict=("likely",), action="store"), "hold"),
    ],
)
def test_only_a_rule_that_names_the_unknown_lets_them_in(rule: PolicyRule, on_unknown: str) -> None:
    assert made(Certainty.UNKNOWN, rule).on_unknown == on_unknown
    assert made(Certainty.PROVEN, rule).on_unknown == "hold"


APPLIED = Decision(
    outcome=Outcome.APPLIED, reason=Reason.INVITATION_STORED, change=Remove(), recurrence_id="20261123"
)


@pytest.mark.parametrize(
    ("action", "outcome"),
    [("hold", Outcome.HELD), ("ignore", Outcome.IGNORED), ("refuse", Outcome.REFUSED)],
)
def test_the_owners_wish_takes_the_effect_away(action: str, outcome: Outcome) -> None:
    ruled = govern(APPLIED, Policy(action=action))
    assert (ruled.outcome, ruled.reason, ruled.change, ruled.outgoing) == (outcome, Reason.POLICY, None, ())
    assert ruled.recurrence_id == "20261123"


@pytest.mark.parametrize("action", ["store", *LATER])
def test_other_actions_leave_the_decision_as_it_is(action: str) -> None:
    assert govern(APPLIED, Policy(action=action)) is APPLIED


def test_what_a_person_approved_is_not_held_again() -> None:
    assert govern(APPLIED, Policy(action="hold", approved=True)) is APPLIED


def test_a_rule_never_lets_pass_what_was_refused() -> None:
    refused = Decision(outcome=Outcome.REFUSED, reason=Reason.SENDER_NOT_ORGANIZER)
    for action in ACTIONS:
        assert govern(refused, Policy(action=action)) is refused


@pytest.mark.parametrize(
    ("kind", "mode", "books"),
    [
        ("room", "accept-if-free", True),
        ("resource", "decline-always", True),
        ("room", "none", False),
        ("person", "accept-if-free", False),
        ("collection", "accept-if-free", False),
    ],
)
def test_rooms_and_resources_book_unless_they_are_told_not_to(kind: str, mode: str, books: bool) -> None:
    account = Account(address="room1@example.org", kind=kind, booking=Booking(mode=mode))
    assert (asked_of(account, Certainty.PROVEN).booking is not None) is books


@pytest.mark.parametrize(
    ("rule", "certainty", "books"),
    [
        (PolicyRule(verdict=("likely",)), Certainty.LIKELY, True),
        (PolicyRule(verdict=("unknown", "likely")), Certainty.LIKELY, True),
        (PolicyRule(), Certainty.LIKELY, False),
        (PolicyRule(verdict=("likely",), action="hold"), Certainty.LIKELY, False),
        (PolicyRule(verdict=("unknown",)), Certainty.UNKNOWN, False),
    ],
)
def test_only_a_rule_that_names_likely_senders_lets_them_book(
    rule: PolicyRule, certainty: Certainty, books: bool
) -> None:
    account = Account(address="room1@example.org", kind="room")
    assert asked_of(account, certainty, rule).books_likely is books


def test_a_room_lives_by_its_own_clock_or_by_that_of_the_gateway() -> None:
    here, there = (Account(address="room1@example.org", timezone=one) for one in ("", "Asia/Tokyo"))
    assert asked_of(here, Certainty.PROVEN).timezone == "Europe/Berlin"
    assert asked_of(there, Certainty.PROVEN).timezone == "Asia/Tokyo"


def asked_of(account: Account, certainty: Certainty, *rules: PolicyRule) -> Policy:
    return policy_for(
        account,
        rules,
        sender=BOSS,
        method="REQUEST",
        verdict=Verdict(sender=BOSS, certainty=certainty),
        defaults=Policy(timezone="Europe/Berlin"),
    )
