"""What the owner of a calendar wants done with a message: a list of rules, of which the first that fits decides (SPEC 8.1).

    action = choose(rules, asked)                  which rule
    policy = policy_for(account, rules, ...)       what `itip` needs to know of it, before it decides
    govern(decision, policy)                       what the owner's hold, ignore or refuse makes of the decision

Rules say what the owner wants, never what a sender may: a rule cannot let pass what `itip` refused. One rule opens a
door: `verdict = "unknown"` names the senders that nobody vouches for, and its action replaces `[trust] on_unknown` for them.
So does `verdict = "likely"` with `store` for those who may book a room though they are not proven (SPEC 12.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

from gateway.accounts import BOOKABLE, Account
from gateway.config.values import some_time
from gateway.ical.address import Address, address, domain
from gateway.itip.model import Certainty, Decision, Method, Outcome, Policy, Reason, Verdict

ACTIONS: Final = ("store", "hold", "ignore", "refuse")
LATER: Final = (
    "accept",
    "decline",
    "tentative",
    "accept-if-free",
    "decline-if-busy",
    "tentative-if-free",
    "forward",
)


class Rule(Protocol):
    """One line of a `[[policy]]` list (INTERFACE 3), as `config.PolicyRule` is; an empty selector fits everything, of several values one must."""

    @property
    def sender(self) -> tuple[str, ...]: ...
    @property
    def domain(self) -> tuple[str, ...]: ...
    @property
    def method(self) -> tuple[str, ...]: ...
    @property
    def component(self) -> tuple[str, ...]: ...
    @property
    def verdict(self) -> tuple[str, ...]: ...
    @property
    def known(self) -> bool | None: ...
    @property
    def action(self) -> str: ...
    @property
    def notify(self) -> bool: ...
    @property
    def cancel(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What rules select by; "" and None: not known here, which fits no selector that names it."""

    sender: Address | None = None
    method: str = ""
    component: str = ""
    certainty: Certainty = Certainty.UNKNOWN
    known: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What the first fitting rule says; `rule` is its number from 1, 0 when none fits."""

    action: str = "store"
    notify: bool = False
    cancel: str = ""
    rule: int = 0
    by_certainty: bool = False  # it names senders of whom we are just that sure


def choose(rules: Iterable[Rule], asked: Asked) -> Action:
    """The first rule that fits; without one the message is stored."""
    for number, rule in enumerate(rules, 1):
        if fits(rule, asked):
            return Action(
                action=rule.action,
                notify=rule.notify,
                cancel=rule.cancel,
                rule=number,
                by_certainty=bool(rule.verdict),
            )
    return Action()


def fits(rule: Rule, asked: Asked) -> bool:
    """Whether every selector that the rule has fits."""
    sender = asked.sender
    selectors = (
        (rule.sender, lambda one: sender is not None and address(one) == sender),
        (rule.domain, lambda one: sender is not None and within(domain(sender), one)),
        (rule.method, lambda one: one.upper() == asked.method.upper()),
        (rule.component, lambda one: one.upper() == asked.component.upper()),
        (rule.verdict, lambda one: one.lower() == asked.certainty),
    )
    if rule.known is not None and rule.known is not asked.known:
        return False
    return all(not values or any(test(one) for one in values) for values, test in selectors)


def within(name: str, parent: str) -> bool:
    """Whether a domain is that domain or lies in it, label by label: evil-example.com is not in example.com."""
    wanted = domain(address(f"x@{parent.strip().lstrip('*.@')}")).split(".")
    labels = name.split(".")
    return bool(name) and wanted != [""] and labels[-len(wanted) :] == wanted


def policy_for(
    account: Account,
    rules: Iterable[Rule],
    *,
    sender: Address | None,
    method: Method | str,
    verdict: Verdict,
    defaults: Policy,
    component: str = "",
    known: bool | None = None,
) -> Policy:
    """What deciding needs to know of the owner's wishes: the account's settings over the defaults, and his rule for this."""
    action = choose(
        rules,
        Asked(
            sender=sender,
            method=str(method),
            component=component,
            certainty=verdict.certainty,
            known=known,
        ),
    )
    wanted = action.cancel or account.cancel
    cancel, cancel_after = cancel_of(wanted) if wanted else (defaults.cancel, defaults.cancel_after)
    unknown = verdict.certainty is Certainty.UNKNOWN and action.by_certainty
    opens = unknown and action.action in ("store", "hold", "ignore")
    likely = verdict.certainty is Certainty.LIKELY and action.by_certainty
    books = account.kind in BOOKABLE and account.booking.mode != "none"
    return replace(
        defaults,
        on_unknown=action.action if opens else defaults.on_unknown,
        cancel=cancel,
        cancel_after=cancel_after,
        publish=account.publish,
        default_alarm=account.default_alarm,
        delegates=frozenset(address(one) for one in account.delegates),
        guest_list=account.guest_list or defaults.guest_list,
        freebusy=account.freebusy.who,
        freebusy_horizon=account.freebusy.horizon,
        action=action.action,
        booking=account.booking if books else None,
        books_likely=likely and action.action == "store",
        timezone=account.timezone or defaults.timezone,
    )


def cancel_of(setting: str) -> tuple[str, timedelta]:
    """`cancel` of the configuration in its two parts: "delete-after:7d" is delete-after and seven days."""
    word, _, after = setting.partition(":")
    return word, some_time(after) if after else timedelta()


def govern(decision: Decision, policy: Policy) -> Decision:
    """The decision as the owner's rule leaves it. Only what would be applied can be held, ignored or refused."""
    if decision.outcome is not Outcome.APPLIED or policy.action not in ("hold", "ignore", "refuse"):
        return decision
    if policy.action == "hold":
        if policy.approved:
            return decision
        return Decision(
            outcome=Outcome.HELD, reason=Reason.POLICY, held_kind="mail", recurrence_id=decision.recurrence_id
        )
    outcome = Outcome.IGNORED if policy.action == "ignore" else Outcome.REFUSED
    return Decision(outcome=outcome, reason=Reason.POLICY, recurrence_id=decision.recurrence_id)


__all__ = [
    "ACTIONS",
    "LATER",
    "Action",
    "Asked",
    "Rule",
    "cancel_of",
    "choose",
    "fits",
    "govern",
    "policy_for",
    "within",
]
