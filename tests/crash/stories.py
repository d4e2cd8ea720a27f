"""What people do in a run, step by step, and what must be there of it in the end: the model.

A story is one meeting. Its steps come in order, those of different stories interleaved at random; a step that cannot be
done yet (the meeting is not in the calendar, the letter has not come) is tried again later.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.crash import mails
from tests.crash.mails import ALICE, CAROL, DAVE, ERIN
from tests.crash.sink import Letter

LATER = False  # what a step gives that could not be done yet


class World(Protocol):
    """What a story can do."""

    def post(self, name: str, content: bytes, sender: str) -> None:
        """Send until it is taken, as a mail server does."""

    def read(self, uid: str) -> tuple[str, str] | None:
        """The text and the ETag of the meeting in Alice's calendar."""

    def save(self, uid: str, text: str, etag: str) -> bool:
        """False when somebody was faster. ETag "": a new one; text "": gone."""

    def sent(self, uid: str) -> list[Letter]: ...


@dataclass
class Story:
    uid: str
    chance: random.Random
    expected: dict[str, str] = field(default_factory=dict)  # property -> value in the end
    letters: set[tuple[str, str, str, str]] = field(default_factory=set)  # that must have left
    others: set[tuple[str, str, str, str]] = field(default_factory=set)  # that may have left
    there: bool = False  # whether it is in the calendar

    def steps(self, world: World) -> Iterator[bool]:
        """Each `next` is a step; LATER: not yet."""
        raise NotImplementedError

    def edited(self, world: World, change: str, value: str) -> bool:
        """The user's program sets a property of what is there; the line of the user himself for PARTSTAT."""
        found = world.read(self.uid)
        if found is None:
            return LATER
        text, etag = found
        if change == "PARTSTAT":
            text = re.sub(
                rf"(?m)^(ATTENDEE[^:\n]*?);PARTSTAT=[A-Z-]+([^:\n]*:mailto:{ALICE})",
                rf"\1;PARTSTAT={value}\2",
                text,
            )
            text = re.sub(rf"(?m)^(ATTENDEE[^:\n]*?);RSVP=TRUE([^:\n]*:mailto:{ALICE})", r"\1\2", text)
        else:
            text = re.sub(rf"(?m)^{change}:.*\n", "", text).replace(
                "END:VEVENT", f"{change}:{value}\nEND:VEVENT", 1
            )
        return world.save(self.uid, text, etag)


class Invited(Story):
    """Carol invites Alice, changes her mind, cancels; Alice files it, and answers."""

    def steps(self, world: World) -> Iterator[bool]:
        dice = self.chance
        versions, answers = dice.randint(1, 3), dice.choice([(), ("ACCEPTED",), ("TENTATIVE", "DECLINED")])
        filed, hours, sent = False, 0, []
        for number in range(versions):
            hours += dice.choice([0, 1])
            sent.append(self._request(number, hours, big=dice.random() < 0.1))
            world.post(*sent[-1])
            yield True
            if dice.random() < 0.3:
                name, content, sender = dice.choice(sent)
                world.post(
                    name, b"X-Route: %d\r\n" % number + content, sender
                )  # another copy of the same message
                yield True
            if dice.random() < 0.3 and not filed:
                while not self.edited(world, "CATEGORIES", "Mine"):
                    yield LATER
                filed = True
                yield True
        self.there = True
        self.expected = {"SUMMARY": f"v{versions - 1}", "SEQUENCE": str(versions - 1)}
        self.expected |= {"CATEGORIES": "Mine"} if filed else {}
        if not answers and dice.random() < 0.4:
            world.post(*self._cancel(versions, hours))
            self.expected |= {"STATUS": "CANCELLED", "SEQUENCE": str(versions)}
            yield True
        for answer in answers:
            while not self._is_settled(world, versions - 1) or not self.edited(world, "PARTSTAT", answer):
                yield LATER
            self.expected["PARTSTAT"] = answer
            self.others |= self.letters
            self.letters = {(self.uid, CAROL, "REPLY", answer)}
            yield True

    def _is_settled(self, world: World, version: int) -> bool:
        found = world.read(self.uid)
        return found is not None and f"SUMMARY:v{version}\n" in found[0]

    def _request(self, number: int, hours: int, *, big: bool) -> tuple[str, bytes, str]:
        people = (f"ORGANIZER:mailto:{CAROL}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{ALICE}")
        text = mails.calendar(
            self.uid,
            f"SUMMARY:v{number}",
            *people,
            method="REQUEST",
            hours=hours,
            sequence=number,
            second=number,
        )
        name = f"{self.uid}-{number}"
        return name, mails.mail(name, CAROL, text, method="REQUEST", size=400_000 if big else 0), CAROL

    def _cancel(self, number: int, hours: int) -> tuple[str, bytes, str]:
        people = (f"ORGANIZER:mailto:{CAROL}", f"ATTENDEE:mailto:{ALICE}")
        text = mails.calendar(self.uid, *people, method="CANCEL", hours=hours, sequence=number, second=number)
        name = f"{self.uid}-cancel"
        return name, mails.mail(name, CAROL, text, method="CANCEL"), CAROL


class Organized(Story):
    """Alice invites Dave and Erin, changes the meeting, cancels it; Dave answers."""

    def steps(self, world: World) -> Iterator[bool]:
        dice = self.chance
        people = [f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}" for one in (DAVE, ERIN)]
        text = mails.calendar(self.uid, "SUMMARY:v0", f"ORGANIZER:mailto:{ALICE}", *people)
        while not world.save(self.uid, text, ""):
            yield LATER
        self.there = True
        self._tells("v0")
        yield True
        for number in range(1, dice.randint(1, 3)):
            while not self.edited(world, "SUMMARY", f"v{number}"):
                yield LATER
            self._tells(f"v{number}")
            yield True
        if dice.random() < 0.6:
            while not [
                one for one in world.sent(self.uid) if one.recipient == DAVE and one.method == "REQUEST"
            ]:
                yield LATER
            answer = dice.choice(["ACCEPTED", "DECLINED"])
            world.post(*self._reply(answer))
            self.expected["PARTSTAT"] = answer
            yield True
        if dice.random() < 0.3:
            while "PARTSTAT" in self.expected and f"PARTSTAT={self.expected['PARTSTAT']}" not in str(
                world.read(self.uid)
            ):
                yield LATER  # an answer to what is gone would wait for it
            while {one.recipient for one in world.sent(self.uid)} != {DAVE, ERIN}:
                yield LATER
            while (found := world.read(self.uid)) is None or not world.save(self.uid, "", found[1]):
                yield LATER
            self.there = False
            self.others |= self.letters
            self.letters = {(self.uid, one, "CANCEL", "") for one in (DAVE, ERIN)}
            yield True

    def _tells(self, version: str) -> None:
        self.expected["SUMMARY"] = version
        self.others |= self.letters
        self.letters = {(self.uid, one, "REQUEST", version) for one in (DAVE, ERIN)}

    def _reply(self, answer: str) -> tuple[str, bytes, str]:
        people = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT={answer}:mailto:{DAVE}")
        text = mails.calendar(self.uid, *people, method="REPLY", second=7200)
        name = f"{self.uid}-reply"
        return name, mails.mail(name, DAVE, text, method="REPLY"), DAVE


class Poisoned(Story):
    """A mail that cannot be read. Nothing comes of it but a line in the journal."""

    def steps(self, world: World) -> Iterator[bool]:
        world.post(self.uid, mails.poison(self.uid, self.chance.randrange(100)), CAROL)
        yield True


def stories(chance: random.Random, count: int, name: str) -> list[Story]:
    kinds = chance.choices([Invited, Organized, Poisoned], [5, 4, 1], k=count)
    return [kind(f"{name}-{number}", random.Random(chance.random())) for number, kind in enumerate(kinds)]
