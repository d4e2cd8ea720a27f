"""Scenario scripts: `scripts/*.txt`, a line is a step, a `#` line names it.

    > account b@example.com [more addresses]       the desk that the next steps are about (kept by its first address)
    > policy on_unknown=ignore cancel=delete       of that desk
    > has                                          its calendar holds this (the owner's own edit, or what was there before)
    > busy                                         another meeting in its calendar, which takes the owner's time
    > saves                                        the owner's program saves this, and the gateway sees the change
    > loses                                        its calendar holds it no more, and nobody knows why
    > mail REQUEST from=a@example.com [certainty=unknown] [approved]     a message, with what follows as its components;
                                                   also [auto=auto-replied] [list] [null]: what kind of mail it is
    > again [certainty=...] [approved]             the last mail once more
    > expect applied invitation-stored             outcome and reason of the last mail
    > sends REQUEST b@example.com                  the last mail made us send this; its components follow, as under `calendar`
    > sends nothing
    > clock 1440                                   so many minutes pass
    > note stale-answer                            it left this note
    > calendar                                     what the calendar holds now; `> calendar nothing`

Under `calendar` each `VEVENT` or `VEVENT 19970801T210000Z` names a component; there are no others. The lines under it:
`NAME:value` or `NAME;PARAM=x:value` is there (with at least these parameters), `no NAME` or `no NAME:value` is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.ical.tree import Component, parse
from gateway.itip.freebusy import busy, stretch
from gateway.itip.model import Certainty

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

    def step(self, words: list[str], body: str) -> None:
        getattr(self, f"do_{words[0]}")(words[1:], body)

    def do_account(self, words: list[str], body: str) -> None:
        self.desk = self.desks.setdefault(words[0], self.stage.desk(*words))

    def do_policy(self, words: list[str], body: str) -> None:
        self.desk.policy = type(self.desk.policy)(**dict(word.split("=", 1) for word in words))

    def do_has(self, words: list[str], body: str) -> None:
        self.desk.stored = self.stage.object(body)

    def do_busy(self, words: list[str], body: str) -> None:
        self.desk.calendar = self.stage.object(body)

    def do_saves(self, words: list[str], body: str) -> None:
        self.last = self.desk.save(self.stage.object(body), self.stage.after(self.minutes))

    def do_loses(self, words: list[str], body: str) -> None:
        self.desk.stored = self.desk.base = None

    def do_mail(self, words: list[str], body: str) -> None:
        options = dict(word.partition("=")[::2] for word in words[1:])
        self.message = self.stage.message(words[0], body, options.get("from", ""))
        self._meet(options)

    def do_again(self, words: list[str], body: str) -> None:
        self._meet(dict(word.partition("=")[::2] for word in words))

    def _meet(self, options: dict[str, str]) -> None:
        self.desk.mail = {"auto_submitted": options.get("auto", ""), "is_list": "list" in options}
        self.desk.mail["null_sender"] = "null" in options
        if self.desk.calendar is not None:
            now = self.stage.after(self.minutes)
            within = stretch(now, now + timedelta(days=60))
            self.desk.mail["free_busy"] = busy([self.desk.calendar], self.desk.owner, within)
        self.last = self.desk.meet(
            self.message,
            Certainty(options.get("certainty", "proven")),
            approved="approved" in options,
            now=self.stage.after(self.minutes),
        )

    def do_clock(self, words: list[str], body: str) -> None:
        self.minutes += float(words[0])

    def do_sends(self, words: list[str], body: str) -> None:
        sent = {(str(one.method), str(one.recipient)): one.object for one in self.last.outgoing}
        if words == ["nothing"]:
            assert not sent, list(sent)
            return
        assert (words[0], words[1]) in sent, list(sent)
        if body:
            self._compare(sent[words[0], words[1]], body)

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

    def _compare(self, stored: Any, body: str) -> None:
        wanted: dict[str, list[str]] = {}
        key = ""
        for line in body.splitlines():
            if not line.startswith(" "):
                key = line.split()[1] if len(line.split()) > 1 else ""
                wanted[key] = []
            else:
                wanted[key].append(line.strip())
        held = {"": stored.master} if stored.master is not None else {}
        held |= dict(stored.overrides)
        assert set(wanted) == set(held), stored.data.decode()
        for key, lines in wanted.items():
            for line in lines:
                assert holds(held[key], line), f"{line!r} is not so in\n{stored.data.decode()}"


def holds(component: Component, line: str) -> bool:
    absent = line.startswith("no ")
    text = line[3:] if absent else line
    name = text.partition(":")[0].partition(";")[0]
    if name == text:
        there = any(child.name == name for child in component.children)
        return there != absent
    (like,) = parse(f"BEGIN:VCALENDAR\r\n{text}\r\nEND:VCALENDAR\r\n".encode()).properties
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
