"""510 mails and calendar texts that real products wrote: each message in them ends as the golden table says, and with its why.

`make corpus` prints the table (file, producer, method, outcome, reason, repairs); `make corpus-golden` writes it to
tests/golden/corpus.tsv. What `imip-gateway explain --sender-certainty proven` says of each mail is what stands there; a bare
.ics goes through in a plain mail by the one who may send it. Answers, cancellations and proposals meet the newest REQUEST of the
same UID that the corpus has of an earlier version. Most mails were made anonymous by their publishers, not always
consistently: where the names in a mail contradict each other, the gateway must not believe it either.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from gateway import config as configuration
from gateway.errors import MalformedCalendar
from gateway.flows.explain import Calendars, explain
from gateway.ical import tree
from gateway.ical.address import Address, is_mail
from gateway.ical.event import CalendarObject, parse_object
from gateway.imip.read import Mail, read
from gateway.itip import parse, roles
from gateway.itip.model import Certainty, Message, Method, Outcome, Reason
from gateway.wiring import meaning

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]
GOLDEN, WHY = ROOT / "tests" / "golden" / "corpus.tsv", ROOT / "tests" / "golden" / "corpus-why.tsv"
HEAD = (
    "file",
    "producer",
    "method",
    "component",
    "after",
    "times",
    "outcome",
    "reason",
    "detail",
    "repairs",
    "why",
)
FOLLOW = frozenset({"REPLY", "CANCEL", "COUNTER", "DECLINECOUNTER", "ADD", "REFRESH"})
FROM_ATTENDEES = frozenset({"REPLY", "COUNTER", "REFRESH"})


def texts(mail: Mail) -> Iterable[tree.Component]:
    for part in mail.parts:
        try:
            yield tree.parse(part.data)
        except MalformedCalendar:
            continue


def people(found: Iterable[tree.Component], name: str) -> list[Address]:
    events = [event for one in found for event in one.components if event.name != "VTIMEZONE"]
    return [line.address for event in events for line in event.all(name)]


def recipient(mail: Mail) -> str:
    """Whose calendar the mail is for: of an answer the organizer, else a guest among those whom it was sent to."""
    found = list(texts(mail))
    organizers, guests = people(found, "ORGANIZER"), people(found, "ATTENDEE")
    if any((one.text("METHOD") or "").upper() in FROM_ATTENDEES for one in found):
        return next(filter(is_mail, organizers), next(iter(mail.to), "nobody@example.org"))
    both = [one for one in mail.to if one in guests and one not in organizers]
    others = [one for one in guests if is_mail(one) and one not in organizers]
    return next(iter([*both, *mail.to, *others]), "nobody@example.org")


def mailed(data: bytes) -> bytes:
    """A bare calendar text in the mail of the one who may send such a one; to whom, `recipient` finds in it."""
    found: list[tree.Component] = []
    with contextlib.suppress(MalformedCalendar):
        found = [tree.parse(data)]
    method = (found[0].text("METHOD") or "").upper() if found else ""
    organizers, guests = people(found, "ORGANIZER"), people(found, "ATTENDEE")
    answering = [one for one in guests if one not in organizers]
    senders = answering or guests if method in FROM_ATTENDEES else organizers
    sender = next(filter(is_mail, senders), "organizer@example.net")
    head = f"From: <{sender}>\r\nDate: Sat, 21 Nov 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    kind = f"Content-Type: text/calendar; charset=utf-8{f'; method={method}' if method else ''}\r\n"
    return f"{head}{kind}Content-Transfer-Encoding: 8bit\r\n\r\n".encode() + data


def told(content: bytes, stored: CalendarObject | None = None, account: str = "") -> list[dict[str, Any]]:
    """What `explain` says of each message in the mail, its sender being certain, to an account that takes publications."""
    account = account or recipient(read(content))
    config = configuration.parse(
        f'[gateway]\ndomains = ["{account.rpartition("@")[2]}"]\n'
        f'[[account]]\naddress = "{account}"\nusername = "x"\npublish = true\n'
    )
    story = explain(
        content,
        accounts=configuration.accounts_of(config),
        settings=meaning.receive_settings(config),
        policy=meaning.policy_of(config),
        now=NOW,
        as_address=account,
        calendars=Calendars(stored),
        certainty=Certainty.PROVEN,
    )
    found: list[dict[str, Any]] = story["messages"]
    return found


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A REQUEST of the corpus, as the calendars hold it once it was applied."""

    name: str
    object: CalendarObject

    def fits(self, one: Mapping[str, Any], mail: Mail) -> bool:
        """Whether this message can be about it: an answer by one of its guests, anything else by its organizer."""
        organizer, sender = self.object.organizer_prop, mail.sender
        if sender is None or organizer is None or self.object.kind != one["component"]:
            return False
        if one["method"] not in FROM_ATTENDEES:
            return sender in roles.identities(organizer)
        named = people(texts(mail), "ORGANIZER")
        invited = roles.attendee(self.object, frozenset({sender})) is not None
        return invited and (not named or bool(roles.identities(organizer) & set(named)))


class Corpus:
    """The mails and calendar texts, and what became of each."""

    def __init__(self, folder: Path) -> None:
        with (folder / "MANIFEST.csv").open(newline="", encoding="utf-8") as manifest:
            listed = {row["file"]: row["producer"] for row in csv.DictReader(manifest)}
        self.producers = dict(sorted(listed.items()))
        self.contents = {name: self._content(folder / name) for name in self.producers}
        self.requests: dict[str, list[Invitation]] = {}
        for name, content in self.contents.items():
            for one in invitations(name, content):
                self.requests.setdefault(one.object.uid, []).append(one)

    @staticmethod
    def _content(path: Path) -> bytes:
        data = path.read_bytes()
        return data if path.suffix == ".eml" else mailed(data)

    def before(self, name: str, one: Mapping[str, Any]) -> Invitation | None:
        """The invitation that a message answers or takes back; of several the one that is called most like it."""
        mail = read(self.contents[name])
        others = [found for found in self.requests.get(one["uid"] or "", ()) if found.name != name]
        fitting = [found for found in others if found.fits(one, mail)]

        def unlike(found: Invitation) -> tuple[bool, int, str]:
            return found.object.master is None, -len(os.path.commonprefix([found.name, name])), found.name

        return min(fitting, key=unlike, default=None)

    def stories(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each message of the file, with the name of what was played before it."""
        for place, one in enumerate(told(self.contents[name])):
            known = self.before(name, one) if one["method"] in FOLLOW else None
            if known is None:
                yield "", one
                continue
            account = known.object.organizer or "" if one["method"] in FROM_ATTENDEES else ""
            yield known.name, told(self.contents[name], known.object, account)[place]

    def rows(self) -> Iterator[tuple[str, ...]]:
        for name, producer in self.producers.items():
            counted = Counter(cells(after, one) for after, one in self.stories(name))
            for (method, component, after, *rest), times in counted.items():
                row = (name, plain(producer), method, component, after, str(times), *rest)
                yield (*row, why(row))


def cells(after: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    details = [note["text"] for note in one["notes"] if note["code"] == "detail"]
    repairs = sorted({note["code"] for note in one["notes"]} - {"detail"})
    found = (one["method"] or "-", one["component"] or "-", after, one["outcome"], one["reason"])
    return (*found, plain("; ".join(details)), " ".join(repairs))


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def invitations(name: str, content: bytes) -> Iterator[Invitation]:
    mail = read(content)
    for found in texts(mail):
        for one in parse.messages(found, mail.sender):
            if (
                isinstance(one, Message)
                and one.method is Method.REQUEST
                and one.object.organizer_prop is not None
            ):
                yield Invitation(name=name, object=one.object)


def reasons_why() -> list[list[str]]:
    """(file pattern, reason, part of the detail or repairs, why); the first that fits speaks."""
    with WHY.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file, delimiter="\t") if row and not row[0].startswith("#")]


def why(row: tuple[str, ...]) -> str:
    """Why it does not simply become what its writer wanted; "" for what does."""
    name, method, outcome, reason, detail, repairs = row[0], row[2], *row[6:10]
    if outcome == Outcome.APPLIED:
        return ""
    for pattern, wanted, part, text in reasons_why():
        if fnmatch(name, pattern) and wanted in ("*", reason) and part in f"{method} {detail} {repairs}":
            return text
    return "?"


def table(corpus: Corpus) -> str:
    return "".join("\t".join(row) + "\n" for row in (HEAD, *corpus.rows()))


# --- what holds it true ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Corpus:
    return Corpus(shared / "corpus")


def test_every_message_of_the_corpus_ends_as_the_golden_table_says(corpus: Corpus) -> None:
    assert table(corpus).splitlines() == GOLDEN.read_text().splitlines(), (
        "run `make corpus-golden`, and read what changed"
    )


def golden() -> list[dict[str, str]]:
    head, *rows = (line.split("\t") for line in GOLDEN.read_text().splitlines())
    assert tuple(head) == HEAD
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_golden_table_has_one_outcome_and_a_reason_of_the_closed_list_in_every_line() -> None:
    for row in golden():
        assert Outcome(row["outcome"]) and Reason(row["reason"]), row
        assert all(re.fullmatch("[a-z][a-z-]*", one) for one in row["repairs"].split()), row
    assert len({row["file"] for row in golden()}) >= 510
    assert sum(row["reason"] == Reason.INVITATION_STORED for row in golden()) >= 150


def test_what_is_not_applied_says_why() -> None:
    for row in golden():
        assert (row["why"] == "") is (row["outcome"] == Outcome.APPLIED) and row["why"] != "?", row
        if row["outcome"] == Outcome.REFUSED:
            assert row["detail"] or row["reason"] != Reason.MALFORMED_CALENDAR, (
                f"refused without a word: {row}"
            )


def test_every_why_is_still_needed() -> None:
    given = {row["why"] for row in golden()}
    assert [row[3] for row in reasons_why() if row[3] not in given] == []


def test_two_calendar_texts_of_our_own_go_the_same_way() -> None:
    invitation = mailed(text("REQUEST", "ATTENDEE:mailto:bob@example.org"))
    answer = mailed(text("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org"))
    (known,) = invitations("invitation", invitation)
    (early,) = told(answer)
    (later,) = told(answer, known.object)
    assert told(invitation)[0]["reason"] == Reason.INVITATION_STORED
    assert known.fits(early, read(answer))
    assert [early["reason"], later["reason"]] == [Reason.UNKNOWN_UID, Reason.ANSWER_RECORDED]


def text(method: str, *lines: str) -> bytes:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", f"METHOD:{method}", "BEGIN:VEVENT", "UID:u")
    body = ("DTSTAMP:20290101T000000Z", "DTSTART:20290201T100000Z", "ORGANIZER:mailto:alice@example.net")
    return "\r\n".join([*head, *body, *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


# What answers and cancellations come to when the meeting that they speak of is in the calendar.
MEETING_CANCELLED = (
    "bluemind/bluemind__bm.invite.cancel",
    "bluemind/bluemind__bm.task.cancel",
    "outlook-mac/bluemind__outlook.invite.cancel",
    "thunderbird/comm-central__cancel-repeat-event",
    "thunderbird/comm-central__cancel-single-event",
    "tine20/tine__calendar_cancel",
)
# The one of them whose mail says by which other address he was invited.
INVITED_AS = {"bluemind/bluemind__bm4.mapi.reply.accept": "lucie.takvorian@blue-mind.net"}
NOT_BELIEVED = {
    # They answer from another address than the one that was invited.
    "bluemind/bluemind__bm4.mapi.reply.accept": "sender-not-attendee",
    "outlook/zm-selenium__bug25624att9322": "sender-not-attendee",
    "thunderbird/james-project__eml.calendar": "sender-not-attendee",
    "sabre-linagora/tmail-backend__emailWithAliceCancelEventIcsAttachment": "sender-not-organizer",
}


def meeting(uid: str, organizer: str, guest: str, *, kind: str) -> CalendarObject:
    return parse_object(
        (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:{kind}\r\n"
            f"UID:{uid}\r\nDTSTAMP:20010101T000000Z\r\nDTSTART:20010101T000000Z\r\n"
            f"ORGANIZER:mailto:{organizer}\r\nATTENDEE:mailto:{guest}\r\nEND:{kind}\r\nEND:VCALENDAR\r\n"
        ).encode()
    )


def test_every_answer_and_cancellation_of_the_corpus_finds_its_meeting(
    corpus: Corpus,
) -> None:
    seen: dict[str, str] = {}
    for path in corpus.producers:
        content, name = corpus.contents[path], path.removeprefix("imip/").removesuffix(".eml")
        early = [one for one in told(content) if path.endswith(".eml") and one["reason"] == "unknown-uid"]
        for one in early:
            sender = read(content).sender or ""
            answers = one["method"] == "REPLY"
            organizer, guest = (one["account"], sender) if answers else (sender, one["account"])
            known = meeting(one["uid"], organizer, INVITED_AS.get(name, guest), kind=one["component"])
            (later,) = [two for two in told(content, known) if two["component"]]
            seen[name] = later["reason"]
    cancelled = dict.fromkeys(MEETING_CANCELLED, "meeting-cancelled")
    assert seen == {**dict.fromkeys(seen, "answer-recorded"), **cancelled, **NOT_BELIEVED}
    assert len(seen) >= 23


if __name__ == "__main__":
    SHARED = Path(os.environ.get("GATEWAY_SHARED") or ROOT.parent / "shared")
    if not (SHARED / "corpus" / "MANIFEST.csv").exists():
        sys.exit("shared data absent: set GATEWAY_SHARED")
    found = table(Corpus(SHARED / "corpus"))
    if sys.argv[1:] == ["--golden"]:
        GOLDEN.write_text(found)
    else:
        sys.stdout.write(found)
