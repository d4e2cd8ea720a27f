"""Scenario scripts: `scripts/*.txt`, a line is a step, a `#` line names it.

    > account b@example.com [more addresses]       the desk that the next steps are about (kept by its first address)
    > policy on_unknown=ignore cancel=delete       of that desk
    > books partial=no hours=Mo-Fr_08:00-18:00   it is a room, which example.com may book, with these keys besides
    > about the rest                             another UID of the same account, under any name; the desk starts with ""
    > has                                          its calendar holds this (the owner's own edit, or what was there before)
    > busy                                         another meeting in its calendar, which takes the owner's time
    > saves                                        the owner's program saves this, and the gateway sees the change
    > edits                                        the same, told as what changes: components as under `calendar`, a line there
                                                   takes the place of its like (an ATTENDEE keeps what it is not told), `no` takes out
    > deletes                                      the owner's program deletes it
    > loses                                        its calendar holds it no more, and nobody knows why
    > mail REQUEST from=a@example.com [certainty=unknown] [approved]     a message, with what follows as its components;
                                                   also [auto=auto-replied] [list] [null]: what kind of mail it is,
                                                   [date=20300101T090000Z]: and of when
    > again [certainty=...] [approved]             the last mail once more
    > arrives REQUEST b@example.com                what we sent him reaches his desk, which the next steps are about
    > expect applied invitation-stored             outcome and reason of the last mail
    > sends REQUEST b@example.com                  the last mail made us send this; its components follow, as under `calendar`
    > sends no REQUEST b@example.com             but not this
    > sends nothing
    > zone Europe/Paris                          the last of what was sent defines this TZID
    > clock 1440                                   so many minutes pass; `> clock 19970611T190000Z`: it is this late
    > note stale-answer                            it left this note
    > calendar                                     what the calendar holds now; `> calendar nothing`
    > tail                                         what lies in an object of its own, since it moved for good (SPEC 4.7)

Under `calendar` each `VEVENT` or `VEVENT 19970801T210000Z` names a component; there are no others. The lines under it:
`NAME:value` or `NAME;PARAM=x:value` is there (with at least these parameters), `no NAME` or `no NAME:value` is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts import Booking
from gateway.config.reader import BOOKING
from gateway.ical import linked
from gateway.ical.event import CalendarObject
from gateway.ical.tree import Component, Property, parse
from gateway.itip.freebusy import busy, stretch
from gateway.itip.model import Certainty, Decision, Message, Outgoing
from gateway.itip.parse import Refusal
from gateway.itip.significance import instance

SETTINGS: dict[str, object] = {"yes": True, "no": False, **{str(one): one for one in range(1, 100)}}
SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))


def steps(text: str) -> Iterator[tuple[str, list[str], str, str]]:
    """(what it is called, words, body, place)"""
    name, words, body, place = "", [], [], 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("#", ">")) and words:
            yield name, words, "\n".join(body), f"line {place}"
            words, body = [], []
        if line.startswith("#"):
            name = line[1:].strip()
        elif line.startswith(">"):
            words, place = line[1:].split(), number
        elif words and line.strip():
            body.append(line)
    if words:
        yield name, words, "\n".join(body), f"line {place}"


class Play:
    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.desks: dict[str, Any] = {}
        self.desk: Any = None
        self.last: Any = None
        self.message: Any = None
        self.minutes = 0.0
        self.letters: dict[tuple[str, str], Outgoing] = {}

    def step(self, words: list[str], body: str) -> None:
        getattr(self, f"do_{words[0]}")(words[1:], body)

    def do_account(self, words: list[str], body: str) -> None:
        self.desk = self.desks.setdefault(words[0], self.stage.desk(*words))

    def do_policy(self, words: list[str], body: str) -> None:
        self.desk.policy = type(self.desk.policy)(**dict(word.split("=", 1) for word in words))

    def do_books(self, words: list[str], body: str) -> None:
        told = (word.replace("_", " ").split("=", 1) for word in words)
        keys = {name: BOOKING.keys[name](SETTINGS.get(value, value)) for name, value in told}
        self.desk.policy = replace(self.desk.policy, booking=Booking(who=("@example.com",), **keys))

    def do_about(self, words: list[str], body: str) -> None:
        self.desk.turn_to(" ".join(words))

    def do_has(self, words: list[str], body: str) -> None:
        self.desk.stored = self.stage.object(body)

    def do_busy(self, words: list[str], body: str) -> None:
        self.desk.calendar = self.stage.object(body)

    def do_saves(self, words: list[str], body: str) -> None:
        self._save(self.stage.object(body))

    def do_edits(self, words: list[str], body: str) -> None:
        edited = self.desk.stored
        assert edited is not None, "there is nothing to edit"
        for key, lines in by_component(body).items():
            component = instance(edited, key)
            assert component is not None, f"no occurrence {key}"
            for line in lines:
                component = with_line(component, line)
            edited = edited.with_component(key, component)
        self._save(edited)

    def do_deletes(self, words: list[str], body: str) -> None:
        self._save(None)

    def _save(self, after: CalendarObject | None) -> None:
        self._done(self.desk.save(after, self.stage.after(self.minutes)))

    def _done(self, decision: Decision) -> None:
        self.last = decision
        self.letters |= {(str(one.method), str(one.recipient)): one for one in decision.outgoing}

    def do_loses(self, words: list[str], body: str) -> None:
        self.desk.stored = self.desk.base = None

    def do_mail(self, words: list[str], body: str) -> None:
        options = dict(word.partition("=")[::2] for word in words[1:])
        found = self.stage.read(words[0], body, options.get("from", ""))
        if isinstance(found, Refusal):
            self.last = Decision(outcome=found.outcome, reason=found.reason)
            return
        self.message = found
        self._meet(options)

    def do_again(self, words: list[str], body: str) -> None:
        self._meet(dict(word.partition("=")[::2] for word in words))

    def do_arrives(self, words: list[str], body: str) -> None:
        letter = self.letters[words[0], words[1]]
        self.desk = self.desks[words[1]]
        self.message = Message(method=letter.method, object=letter.object, sender=letter.sender)
        self._meet({})

    def _meet(self, options: dict[str, str]) -> None:
        self.desk.mail = {"auto_submitted": options.get("auto", ""), "is_list": "list" in options}
        self.desk.mail["null_sender"] = "null" in options
        if self.desk.calendar is not None:
            now = self.stage.after(self.minutes)
            within = stretch(now, now + timedelta(days=60))
            self.desk.mail["free_busy"] = busy([self.desk.calendar], self.desk.owner, within)
        self._done(
            self.desk.meet(
                self.message,
                Certainty(options.get("certainty", "proven")),
                approved="approved" in options,
                mail_date=moment(options["date"]) if "date" in options else None,
                now=self.stage.after(self.minutes),
            )
        )

    def do_clock(self, words: list[str], body: str) -> None:
        if words[0].endswith("Z"):
            self.minutes = (moment(words[0]) - self.stage.now).total_seconds() / 60
        else:
            self.minutes += float(words[0])

    def do_sends(self, words: list[str], body: str) -> None:
        sent = {(str(one.method), str(one.recipient)): one.object for one in self.last.outgoing}
        if words == ["nothing"]:
            assert not sent, list(sent)
            return
        if words[0] == "no":
            assert (words[1], words[2]) not in sent, list(sent)
            return
        assert (words[0], words[1]) in sent, list(sent)
        if body:
            self._compare(sent[words[0], words[1]], body)

    def do_zone(self, words: list[str], body: str) -> None:
        (sent, *_) = self.last.outgoing
        leaving = parse(sent.object.data)
        defined = [one.value("TZID") for one in leaving.components if one.name == "VTIMEZONE"]
        assert defined == words

    def do_expect(self, words: list[str], body: str) -> None:
        assert [str(self.last.outcome), str(self.last.reason)] == words

    def do_note(self, words: list[str], body: str) -> None:
        assert words[0] in {note.code for note in self.last.notes}

    def do_calendar(self, words: list[str], body: str) -> None:
        stored = self.desk.stored
        if words == ["nothing"]:
            assert stored is None
            return
        assert stored is not None, "the calendar holds nothing"
        self._compare(stored, body)

    def do_tail(self, words: list[str], body: str) -> None:
        tail = linked.parts(self.desk.stored)[1]
        assert tail is not None, "it is one object"
        self._compare(tail, body)

    def _compare(self, stored: Any, body: str) -> None:
        wanted = by_component(body)
        held = {"": stored.master} if stored.master is not None else {}
        held |= dict(stored.overrides)
        assert set(wanted) == set(held), stored.data.decode()
        for key, lines in wanted.items():
            for line in lines:
                assert holds(held[key], line), f"{line!r} is not so in\n{stored.data.decode()}"


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def by_component(body: str) -> dict[str, list[str]]:
    """The lines under each `VEVENT 19970801T210000Z`, by its key."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in body.splitlines():
        if not line.startswith(" "):
            key = line.split()[1] if len(line.split()) > 1 else ""
            found[key] = []
        else:
            found[key].append(line.strip())
    return found


def with_line(component: Component, line: str) -> Component:
    """The component after an edit."""
    if line.startswith("no "):
        name, _, value = line[3:].partition(":")
        gone = [item for item in component.all(name) if not value or item.value == value]
        assert gone or component.subcomponents(name), f"{line!r}: not there"
        component = component.without_components(name)
        return component.with_children(child for child in component.children if child not in gone)
    new = line_of(line)
    for old in component.all(new.name):
        if new.name == "ATTENDEE" and old.value == new.value:
            told = {one.name: one.values for one in new.params}
            return component.replace(old, old.with_params(**told))
    several = new.name in {"ATTENDEE", "EXDATE", "RDATE"}
    return component.add(new) if several else component.put(new)


def line_of(text: str) -> Property:
    (found,) = parse(f"BEGIN:VCALENDAR\r\n{text}\r\nEND:VCALENDAR\r\n".encode()).properties
    return found


def holds(component: Component, line: str) -> bool:
    absent = line.startswith("no ")
    text = line[3:] if absent else line
    name = text.partition(":")[0].partition(";")[0]
    if name == text:
        there = any(child.name == name for child in component.children)
        return there != absent
    like = line_of(text)
    there = any(
        item.value == like.value and all(item.param_values(one.name) == one.values for one in like.params)
        for item in component.all(name)
    )
    return there != absent


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_plays_as_written(script: Path, stage: Any) -> None:
    play = Play(stage)
    for name, words, body, place in steps(script.read_text()):
        try:
            play.step(words, body)
        except AssertionError as error:
            raise AssertionError(f"{script.name} {place} ({name}): {error}") from error


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 10
