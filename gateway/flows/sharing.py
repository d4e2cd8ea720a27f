"""Whose a calendar is: one that an account names as its own is no other's, and who saves in it organizes in its name.

A shared calendar has an address of its own: an account with the login of the one in whose home it lies, or with a login of
its own and the members as its delegates. One calendar has one account, or its guests would hear everything twice.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.accounts import Account, Accounts
from gateway.ical.address import Address
from gateway.ical.principals import place
from gateway.ports import Calendars, Collection, Principals

ALL = "*"


class Sharing:
    """Tells the calendars of one account from those of others behind the same login."""

    def __init__(self, calendars: Calendars, *, accounts: Accounts, principals: Principals) -> None:
        self._calendars = calendars
        self._accounts = accounts
        self._principals = principals

    async def foreign(self, account: Account) -> frozenset[str]:
        """The paths of collections that this login sees, and that are no calendars of the account."""
        mates, bosses = self._accounts.mates(account), self._masters(account)
        if not mates and not bosses:
            return frozenset()
        seen = await self._calendars.collections(replace(account, watch=(ALL,)))
        own = await self.own(account)
        if _everything(account, mates):
            taken = {path for mate in mates for path in await self._fitting(account, _names(mate))} - own
        else:
            taken = {one.path for one in seen} - own
        for boss in bosses:
            taken |= {one.path for one in seen if await self._is_of(one, boss)}
        return frozenset(taken)

    async def own(self, account: Account) -> frozenset[str]:
        """The paths of those that the account names."""
        return await self._fitting(account, _names(account))

    async def writers(self, account: Account, path: str) -> frozenset[Address]:
        """Who organizes in the account's name by saving in this collection."""
        if not account.calendar:
            return frozenset()
        mates = self._accounts.mates(account)
        people = {one for mate in mates for one in self._accounts.addresses(mate)}
        people |= self._accounts.delegates(account)
        people -= self._accounts.addresses(account)
        if not people or (mates and path not in await self.own(account)):
            return frozenset()
        return frozenset(Address(one) for one in people)

    def _masters(self, account: Account) -> tuple[Account, ...]:
        """Those with a calendar and a login of their own whose delegate the account is."""
        return tuple(
            one
            for one in self._accounts.represented_by(account)
            if one.calendar and one.server == account.server and one.username != account.username
        )

    async def _fitting(self, account: Account, names: tuple[str, ...]) -> frozenset[str]:
        if not names:
            return frozenset()
        return frozenset(one.path for one in await self._calendars.collections(replace(account, watch=names)))

    async def _is_of(self, collection: Collection, boss: Account) -> bool:
        if collection.path.rstrip("/") == boss.calendar.rstrip("/"):
            return True
        at = place(collection.owner)
        if at is None:
            return False
        return boss.address in (await self._principals.named(boss.server, {at.path})).get(at.path, ())


def _names(account: Account) -> tuple[str, ...]:
    told = tuple(one for one in account.watch if one != ALL)
    return (account.calendar, *told) if account.calendar else told


def _everything(account: Account, mates: tuple[Account, ...]) -> bool:
    """Whether all that nobody else names is the account's: not, where `watch` is left alone beside a mate without `calendar`."""
    if ALL not in account.watch:
        return False
    return not account.calendar or account.watch != (ALL,) or all(mate.calendar for mate in mates)


__all__ = ["Sharing"]
