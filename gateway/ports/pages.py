"""The pages behind the links of letters: what the web asks of the journeys, and what it shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.ports.calendars import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request. `languages` is Accept-Language as it came; `roams`: whoever asks has just opened links of many letters."""

    token: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    languages: str = ""
    roams: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A page, or the way to one (`location`, as a query of the same page)."""

    status: int
    html: str = ""
    location: str | None = None


class Links(Protocol):
    """What the letters about a meeting carry to be answered by."""

    async def revoke(self, account: str, uid: str, recipients: Collection[str] = ()) -> int:
        """Links and addresses of the letters so far, to these recipients or to all, lead nowhere; of how many letters."""
        ...


class Languages(Protocol):
    """What those read who are no accounts, and by which clock."""

    async def reads(self, address: str, language: str, *, chosen: bool, zone: str | None = None) -> None:
        """Whoever has this address reads this language, where he has not chosen it only if none is known of him, and this clock
        ("": that of each meeting; None: as before)."""
        ...


class Attachments(Protocol):
    """What letters link to that lies behind the organizer's login. No call raises for what a visitor sent."""

    async def fetch(self, visit: Visit, number: int) -> Document | None:
        """The attachment of this number, with its name; None where there is none."""
        ...

    async def show(self, visit: Visit) -> Shown:
        """The page that says so."""
        ...


class Pages(Protocol):
    """The pages of one kind of link. No call raises for what a visitor sent."""

    async def show(self, visit: Visit) -> Shown:
        """GET and HEAD: changes nothing, however often and by whomever it is asked (SPEC 7.1)."""
        ...

    async def take(self, visit: Visit) -> Shown:
        """POST: the form of the page came back."""
        ...

    async def calendar(self, visit: Visit) -> bytes | None:
        """The meeting as its guest may see it, for his calendar program; None where there is none."""
        ...
