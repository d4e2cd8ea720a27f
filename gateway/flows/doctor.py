"""What an administrator must know of one account: who sends, and for every trouble the one next step (SPEC 10.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from gateway.accounts import Account, Accounts
from gateway.errors import BackendRefused, BackendUnavailable, GatewayError, MalformedCalendar
from gateway.flows.sorting import owner_of
from gateway.flows.stored import read_stored
from gateway.ical.address import Address, address, domain, is_mail
from gateway.ical.event import CalendarObject, person
from gateway.ical.tree import Property
from gateway.itip import identity
from gateway.itip.model import Role
from gateway.itip.roles import identities, role
from gateway.ports import VANISHED, Calendars, Clock, Collection, ProfileFacts, Snapshots

PAST, AHEAD = timedelta(days=31), timedelta(days=92)  # the meetings that are looked at
NAMED = 3  # examples in one line
SHOWN = 10  # spellings of organizers

_SENDS: Final = {"gateway": "gateway", "inbound": "server", "nobody": "nobody"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One trouble; `code` is closed and documented."""

    code: str
    text: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Organizer:
    """What the last meetings have as ORGANIZER; `rule` by which it is the account (itip/identity), "" if it is not."""

    stands_as: str
    address: str  # whom that is taken for
    meetings: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One account (INTERFACE 7, `doctor --json`)."""

    account: str
    addresses: tuple[str, ...]
    calendars: tuple[str, ...] = ()
    profile: str = ""
    sends: str = "nobody"  # gateway | server | nobody
    known_as: tuple[str, ...] = ()  # what the server calls the account
    organizers: tuple[Organizer, ...] = ()  # the account itself, and who could be meant to be
    problems: tuple[Problem, ...] = ()
    provided: tuple[str, ...] = ()  # what the configuration vouches for, and we cannot see


class Doctor:
    """Looks, and changes nothing."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        calendars: Calendars,
        snapshots: Snapshots,
        clock: Clock,
        domains: Sequence[str],
    ) -> None:
        self._accounts = accounts
        self._calendars = calendars
        self._snapshots = snapshots
        self._clock = clock
        self._domains = frozenset(domains)

    async def examine(self, account: Account) -> Finding:
        """Everything of one account that can be told from here; a server that is silent is a finding too."""
        addresses = tuple(sorted(self._accounts.addresses(account), key=lambda one: one != account.address))
        try:
            facts = await self._calendars.profile(account)
            watched = await self._calendars.collections(account)
            known_as = await self._calendars.user_addresses(account)
        except (BackendUnavailable, BackendRefused) as error:
            return Finding(
                account=account.address, addresses=addresses, problems=(_no_server(account, error),)
            )
        meetings, troubles = await self._meetings(account)
        organizers = self._organizers(account, meetings)
        problems = [
            *_of_profile(facts),
            *await self._of_calendars(account, watched),
            *self._of_addresses(known_as),
            *troubles,
            *self._of_organizers(account, organizers, known_as),
            *(self._of_mailed(account, meetings) if facts.provided else ()),
            *await self._of_rounds(account),
        ]
        return Finding(
            account=account.address,
            addresses=addresses,
            calendars=tuple(one.path for one in watched),
            profile=facts.name,
            sends=_SENDS[facts.sends],
            known_as=known_as,
            organizers=organizers[:SHOWN],
            problems=tuple(problems),
            provided=facts.provided,
        )

    async def _of_calendars(self, account: Account, watched: Sequence[Collection]) -> list[Problem]:
        found = []
        if not watched:
            words = f"no calendar of the account fits watch = {list(account.watch)}"
            step = 'set watch = ["*"] for this account, or name a calendar that is there'
            found.append(Problem(code="nothing-watched", text=words, next_step=step))
        try:
            place = await self._calendars.invitations(account)
        except GatewayError as error:
            step = "make a calendar for events on the server, or name one as calendar of the account"
            return [*found, Problem(code="no-calendar", text=error.detail, next_step=step)]
        if not place.writable:
            words = f"invitations would go to {place.path}, which this login may not write"
            step = "grant the login write access, or name another calendar"
            found.append(Problem(code="read-only-calendar", text=words, next_step=step))
        return found

    async def _meetings(self, account: Account) -> tuple[list[CalendarObject], list[Problem]]:
        """What can be read of the last meetings, and that some cannot."""
        now = self._clock.now()
        broken, meetings = 0, []
        try:
            texts = await self._calendars.overlapping(account, now - PAST, now + AHEAD)
        except (BackendUnavailable, BackendRefused) as error:
            return [], [_no_server(account, error)]
        for text in texts:
            try:
                meetings.append(read_stored(text))
            except MalformedCalendar:
                broken += 1
        if not broken:
            return meetings, []
        words = f"objects that cannot be understood: {broken}; nothing is sent for them"
        step = "open them in a calendar program and save or delete them"
        return meetings, [Problem(code="malformed-calendar", text=words, next_step=step)]

    def _organizers(self, account: Account, meetings: Sequence[CalendarObject]) -> tuple[Organizer, ...]:
        """What stands for the account, and what might be meant to: no address at all, or one of our domains that is nobody's."""
        owner = owner_of(self._accounts, account)
        found: Counter[tuple[str, str, str]] = Counter()
        for one in meetings:
            line = one.organizer_prop
            if line is None:
                continue
            rule = identity.rule_of(line, owner)
            near = role(one, owner) is Role.STRANGER and self._may_be_ours(line)
            if rule is not None or near:
                found[identity.stands_as(line), str(person(line)), str(rule or "")] += 1
        return tuple(
            Organizer(stands_as=stands_as, address=who, meetings=count, rule=rule)
            for (stands_as, who, rule), count in sorted(found.items(), key=lambda one: (-one[1], one[0]))
        )

    def _may_be_ours(self, line: Property) -> bool:
        mails = [one for one in identities(line) if is_mail(one)]
        return not mails or any(self._ours(one) for one in mails)

    def _of_addresses(self, known_as: Sequence[str]) -> Iterator[Problem]:
        """An address of the server's that is not ours: programs take what they write into ORGANIZER from there."""
        mails = {one for one in map(address, known_as) if is_mail(one)}
        strange = sorted(one for one in mails if self._accounts.find(one) is None)
        if strange:
            yield Problem(
                code="server-knows-other-address",
                text=f"the server gives this account the address {_some(strange)}, by which it is not known here",
                next_step=f'if it is his own: aliases = ["{strange[0]}"] for this account; else correct it on the server',
            )

    def _of_mailed(self, account: Account, meetings: Sequence[CalendarObject]) -> Iterator[Problem]:
        owner = owner_of(self._accounts, account)
        ours = (one for one in meetings if role(one, owner) is Role.ORGANIZER)
        mailed = sorted({who for one in ours for who in _mailed_by_server(one)})
        yield from _of_second_sender(mailed)

    def _of_organizers(
        self, account: Account, found: Sequence[Organizer], known_as: Sequence[str]
    ) -> Iterator[Problem]:
        strange = sorted({Address(one.address) for one in found if not one.rule})
        nameless = [one for one in strange if not is_mail(one)]
        if nameless:
            called = f" (the server calls this account {_some(known_as)})" if known_as else ""
            yield Problem(
                code="organizer-without-address",
                text=f"meetings whose ORGANIZER is no mail address: {_some(nameless)}{called}; nobody is invited to them",
                next_step=f"in the calendar program enter {account.address} as mail address, or as name of the account (DAVx5)",
            )
        near = [one for one in strange if is_mail(one)]
        if near:
            yield Problem(
                code="organizer-not-ours",
                text=f"meetings organized by {_some(near)}, which is no address of this account; nobody is invited to them",
                next_step=f'if that is the same person: aliases = ["{near[0]}"] for this account',
            )

    def _ours(self, who: Address) -> bool:
        """An address of our domains that no account bears: those of other accounts are shared calendars."""
        return domain(who) in self._domains and self._accounts.find(who) is None

    async def _of_rounds(self, account: Account) -> list[Problem]:
        states = await self._snapshots.collections(account.address)
        found = [
            Problem(
                code="round-failed",
                text=f"the last round over {one.path} failed: {one.error}",
                next_step=f"imip-gateway sync {account.address}",
            )
            for one in states
            if one.error and one.error != VANISHED
        ]
        if not any(one.baseline for one in states):
            words = "no calendar of this account was ever read through; what is in it by then is never mailed"
            step = f"start the daemon, or imip-gateway sync {account.address}"
            found.append(Problem(code="never-looked-at", text=words, next_step=step))
        return found


def _no_server(account: Account, error: GatewayError) -> Problem:
    if isinstance(error, BackendRefused):
        return Problem(
            code="login-refused",
            text=error.detail,
            next_step=f"check username and password_file of {account.address}, and the url of the server {account.server}",
        )
    return Problem(
        code="server-silent",
        text=error.detail,
        next_step=f"check that the server {account.server} runs, and its url",
    )


def _mailed_by_server(meeting: CalendarObject) -> set[str]:
    """Whom the server says that it has mailed (RFC 6638 3.2.9); where it schedules, we write no status ourselves."""
    lines = (line for component in meeting.components for line in component.all("ATTENDEE"))
    return {str(line.address) for line in lines if (line.param("SCHEDULE-STATUS") or "").startswith("1.1")}


def _of_second_sender(mailed: Sequence[str]) -> Iterator[Problem]:
    if mailed:
        yield Problem(
            code="second-sender",
            text=f"the server says that it mailed {_some(mailed)} itself (SCHEDULE-STATUS 1.1); guests get two mails",
            next_step="switch the mail of the server off, or set its profile to inbound",
        )


def _of_profile(facts: ProfileFacts) -> Iterator[Problem]:
    for text in facts.problems:
        yield Problem(
            code="who-sends",
            text=text,
            next_step="set the profile of the server as docs/servers.md says",
        )


def _some(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def findings_json(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """`doctor --json` (INTERFACE 7)."""
    return [asdict(one) for one in findings]


__all__ = ["Doctor", "Finding", "Organizer", "Problem", "findings_json"]
