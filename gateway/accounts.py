"""Addresses to accounts: who of the people that a mail speaks of is ours.

Pure: the accounts of the configuration stand here; look-ups in a directory are a port with its home in `store/directory`.
A mailbox has the same canonical form as `ical.address`: `local@domain`, lower case, the domain as A-labels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

DELIMITER = "+"
BOOKABLE = ("room", "resource")  # the kinds of accounts that answer by themselves

_SPACE = "".join(one for one in map(chr, range(0x3001)) if one.isspace())
_QUOTED_ATOM = re.compile(r'"([^\s"\\@<>(),:;\[\]]+)"\Z')


@dataclass(frozen=True, slots=True, kw_only=True)
class Freebusy:
    """Who may ask by mail when this account is busy, and how far ahead (SPEC 4.6)."""

    who: str = "domains"  # nobody | domains | known | all
    horizon: timedelta = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """How a room or resource answers (SPEC 8.2); persons have one too, unused."""

    mode: str = "accept-if-free"
    who: tuple[str, ...] = ()  # addresses or @domains; the reader puts our domains here when nothing is said
    window: timedelta = timedelta(days=180)
    max_duration: timedelta = timedelta(hours=8)
    hours: str = ""
    recurring: bool = True
    capacity: int = 0
    simultaneous: int = 1
    partial: bool = True
    owner: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One principal whose calendar we serve; the fields are the keys of `[[account]]` (INTERFACE 3)."""

    address: str
    aliases: tuple[str, ...] = ()
    name: str = ""
    kind: str = "person"  # person | room | resource | collection
    server: str = "main"
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""
    calendar: str = ""
    watch: tuple[str, ...] = ("*",)
    language: str = ""
    timezone: str = ""
    policy: str = ""
    delegates: tuple[str, ...] = ()
    publish: bool = False
    cancel: str = ""  # "" | mark | delete | delete-after:7d
    default_alarm: str = (
        ""  # a trigger of RFC 5545 3.8.6.3, such as -PT15M; written "-15m" in the configuration
    )
    guest_list: str = "full"  # full | self
    freebusy: Freebusy = Freebusy()
    booking: Booking = Booking()


class Accounts:
    """The accounts by every address that reaches them. The first of two that share an address wins."""

    def __init__(
        self,
        accounts: Iterable[Account],
        domains: Iterable[str],
        recipient_delimiter: str = DELIMITER,
        *,
        service_address: str,
    ) -> None:
        self._accounts = tuple(accounts)
        self._domains = frozenset(domain_name(one) for one in domains)
        self._delimiter = recipient_delimiter
        self._service = mailbox(service_address)
        self._addresses: Mapping[str, frozenset[str]] = {
            one.address: frozenset(map(mailbox, (one.address, *one.aliases))) for one in self._accounts
        }
        self._logins: dict[tuple[str, str], list[Account]] = {}
        self._delegated: dict[str, list[Account]] = {}
        for one in self._accounts:
            self._logins.setdefault((one.server, one.username), []).append(one)
            for delegate in one.delegates:
                self._delegated.setdefault(mailbox(delegate), []).append(one)
        self._by_address: dict[str, Account] = {}
        for one in self._accounts:
            for address in (one.address, *one.aliases):
                self._by_address.setdefault(mailbox(address), one)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts)

    def __len__(self) -> int:
        return len(self._accounts)

    def find(self, address: str) -> Account | None:
        """The account that a recipient address reaches, by alias or with a `+detail` too (SPEC 2.3)."""
        return self._by_address.get(self.invited_as(address))

    def invited_as(self, address: str) -> str:
        """The address of an account by which a recipient address reaches it, without detail; else the mailbox as it is."""
        whole = mailbox(address)
        if whole in self._by_address:
            return whole
        bare = self._without_detail(whole)[0]
        return bare if bare in self._by_address else whole

    def addresses(self, account: Account) -> frozenset[str]:
        """Every address of one account, canonical."""
        return self._addresses.get(account.address) or frozenset(
            map(mailbox, (account.address, *account.aliases))
        )

    def mates(self, account: Account) -> tuple[Account, ...]:
        """The other accounts with the same login."""
        behind = self._logins.get((account.server, account.username), ())
        return tuple(one for one in behind if one.address != account.address)

    def delegates(self, account: Account) -> frozenset[str]:
        """Every address of those who may act for the account."""
        known = ((one, self.find(one)) for one in account.delegates)
        return frozenset(
            address
            for one, found in known
            for address in (self.addresses(found) if found is not None else (mailbox(one),))
        )

    def represented_by(self, account: Account) -> tuple[Account, ...]:
        """In whose name the account may act: as a delegate, or as the login in whose home a shared calendar lies."""
        found = {one.address: one for one in self.mates(account) if one.calendar}
        for name in sorted(self.addresses(account)):
            found |= {one.address: one for one in self._delegated.get(name, ())}
        found.pop(account.address, None)
        return tuple(found.values())

    def is_gateway_address(self, address: str) -> str | None:
        """The token of `service+token@`, "" for the service address itself, None for anybody else's (SPEC 12.1)."""
        bare, detail = self._without_detail(mailbox(address))
        return detail if bare == self._service else None

    def known(self, address: str) -> bool:
        """Whether a listener takes mail for this recipient: an account, or the gateway itself."""
        return self.find(address) is not None or self.is_gateway_address(address) is not None

    def in_domains(self, address: str) -> bool:
        """Whether the address lies in one of the gateway's mail domains; compared whole, never by suffix."""
        return mailbox(address).rpartition("@")[2] in self._domains

    def _without_detail(self, whole: str) -> tuple[str, str]:
        local, at, domain = whole.rpartition("@")
        name, found, detail = local.partition(self._delimiter) if self._delimiter else (local, "", "")
        if not name or not found:
            return whole, ""
        return f"{name}{at}{domain}", detail


@lru_cache(maxsize=1024)  # of every mail the same few addresses are asked, several times each
def mailbox(text: str) -> str:
    """The canonical mailbox of an address as an envelope or a setting writes it (RFC 5321 4.1.2); never raises.

    No percent-decoding: in a mailbox `%` is a letter, in a `mailto:` URI (`ical.address`) it is not.
    """
    bare = text.lstrip("<>" + _SPACE).rstrip("<>." + _SPACE)
    local, at, domain = bare.rpartition("@")
    if not at:
        return bare.lower()
    if plain := _QUOTED_ATOM.match(local):
        local = plain[1]
    return f"{unicodedata.normalize('NFC', local).lower()}@{domain_name(domain)}"


def domain_name(text: str) -> str:
    """A domain as it stands in the DNS: lower case, A-labels (RFC 5891 4.4); what is no IDN stays as written."""
    lower = _rooted(text.strip().lower())
    if lower.isascii():
        return lower
    import idna  # late: `submit` must start in milliseconds and hardly ever meets such a domain

    try:
        return _rooted(idna.encode(lower, uts46=True).decode("ascii"))
    except (idna.IDNAError, UnicodeError):
        return lower


def _rooted(name: str) -> str:
    """Without the dot of the root (RFC 1034 3.1), however often it was written, and by whatever sign."""
    return name.rstrip("." + _SPACE)


__all__ = ["BOOKABLE", "DELIMITER", "Account", "Accounts", "Booking", "Freebusy", "domain_name", "mailbox"]
