"""In whose name a letter leaves: chosen by domain, never by hope (SPEC 6.4).

| mode      | when                                   | From                               | ORGANIZER in the mail |
|-----------|----------------------------------------|------------------------------------|-----------------------|
| user      | the sender's domain is ours            | the sender                         | unchanged             |
| agent     | foreign, he organizes                  | "Name via Calendar" <service>      | service+TOKEN         |
| on-behalf | foreign, he answers, or so configured  | "Name via Calendar" <service>      | unchanged             |
| refuse    | foreign, so configured                 | nothing leaves                     |                       |

An address outside our domains in From would fail its owner's DMARC policy, and would be a lie. The sender is the organizer
(or guest) by the very address under which he stands in the meeting: an alias, the address of a shared calendar, the one for
whom a delegate saved it. A configured delegate whom the meeting names (SENT-BY) stands in Sender, in mode user alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from gateway.ical.address import address
from gateway.ical.tree import parse
from gateway.imip.fields import mail_domain
from gateway.imip.tokens import Tokens

ORGANIZERS = frozenset({"PUBLISH", "REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"})


class Mode(StrEnum):
    USER = "user"
    AGENT = "agent"
    ON_BEHALF = "on-behalf"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the mail says it is from; `organizer` is the address to stand in ORGANIZER, "" for the real one."""

    mode: Mode
    author: str
    reply_to: str = ""
    organizer: str = ""


def choose(sender: str, method: str, *, domains: Collection[str], from_foreign: str) -> Mode:
    """The mode for a sender; `from_foreign` is the configured one for those outside `domains`."""
    if mail_domain(sender) in {mail_domain(domain) for domain in domains}:
        return Mode.USER
    mode = Mode(from_foreign)
    # An attendee's answer keeps the ORGANIZER that it answers (RFC 5546 3.2.3): there is nothing to stand in for.
    return Mode.ON_BEHALF if mode is Mode.AGENT and method not in ORGANIZERS else mode


def identify(mode: Mode, sender: str, *, account: str, uid: str, tokens: Tokens) -> Identity:
    """The addresses that go with a mode."""
    if mode is Mode.USER:
        return Identity(mode=mode, author=sender)
    organizer = tokens.organizer(account, uid) if mode is Mode.AGENT else ""
    return Identity(mode=mode, author=tokens.service, reply_to=sender, organizer=organizer)


def deputy(calendar: bytes, sender: str, *, delegates: Collection[str], domains: Collection[str]) -> str:
    """RFC 5322 3.6.2, RFC 5545 3.2.18: who wrote it for the sender; "" when he did himself, or nobody knows the other."""
    if not delegates or b"SENT-BY" not in calendar.replace(b"\r\n ", b"").upper():
        return ""
    ours = {mail_domain(domain) for domain in domains}
    for part in parse(calendar).components:
        for line in (*part.all("ORGANIZER"), *part.all("ATTENDEE")):
            who = address(line.param("SENT-BY") or "") if line.address == sender else ""
            if who and who != sender and who in delegates and mail_domain(who) in ours:
                return who
    return ""


__all__ = ["Identity", "Mode", "choose", "deputy", "identify"]
