"""Mails as real products write them go through SMTP and land in the calendar as they should.

The corpus is shared data; three mails of our own, shaped after Outlook, Google and Apple, show the same without it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from gateway.ical import times
from gateway.ical.address import Address
from gateway.ical.event import CalendarObject, parse_object, partstat
from gateway.imip.read import read

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MAILS = Path(__file__).parent / "mails"
STORED, UPDATED, RECORDED = "invitation-stored", "invitation-updated", "answer-recorded"
Component = tuple[str, str]  # SUMMARY; DTSTART as an instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The mails about one meeting, and what an account's calendar holds after the last of them."""

    product: str
    why: str  # what it shows that others do not
    to: str
    uid: str
    mails: tuple[
        tuple[str, str], ...
    ]  # (file, reason that its message ends with), in the order of their sending
    shown: Component | None = None  # of the master; None: the calendar holds nothing
    people: Mapping[str, str]  # PARTSTAT of those whom the story is about
    status: str = ""
    overrides: Mapping[str, Component] | None = None
    guest: str = ""  # the meeting is the account's own, and stood in its calendar before; whom it invites


STORIES = (
    Story(
        product="Android",
        why="base64 without charset, tab folding, MAILTO: in capitals; one account of two recipients",
        to="thomas.cataldo@blue-mind.net",
        uid="c59aa4cb-8515-4696-bb74-1b3e8711cb45",
        mails=(("android/bluemind__android.invite.new", STORED),),
        shown=("Bbq", "2012-07-06T10:00Z"),
        people={
            "thomas.cataldo@blue-mind.net": "NEEDS-ACTION",
            "nicolas.lascombes@blue-mind.net": "NEEDS-ACTION",
        },
    ),
    Story(
        product="Android",
        why="REPLY: yes, then no; the summary of an answer changes nothing",
        to="thomas.cataldo@blue-mind.net",
        uid="6C5861338FC94376B376095E9884760B00000000000000000000000000000000",
        mails=(
            ("android/bluemind__android.reply.accept", RECORDED),
            ("android/bluemind__android.reply.decline", RECORDED),
        ),
        shown=("Ours", "2030-01-02T03:04Z"),
        people={"david.phan@blue-mind.net": "DECLINED"},
        guest="david.phan@blue-mind.net",
    ),
    Story(
        product="Apple iOS",
        why="REPLY of the iPhone, quoted-printable",
        to="tom@willow.vmw",
        uid="b84ce20",
        mails=(("apple-ios/bluemind__ios.reply.accept", RECORDED),),
        shown=("Ours", "2030-01-02T03:04Z"),
        people={"admin@willow.vmw": "ACCEPTED"},
        guest="admin@willow.vmw",
    ),
    Story(
        product="Apple iCal",
        why="the calendar is an attachment, its method stands in the object only; a name in latin-1",
        to="unittest@tine20.org",
        uid="48560E48-9DE3-41F1-8F03-7607C67F7A8F",
        mails=(("apple-ical/tine__mac_invitation", STORED),),
        shown=("Einladung", "2011-11-29T06:15Z"),
        people={"unittest@tine20.org": "NEEDS-ACTION", "pwulf@tine20.org": "ACCEPTED"},
    ),
    Story(
        product="BlueMind",
        why="a series, inline and attached as application/ics: one message",
        to="test@bm.lan",
        uid="a0746e3224bbc66f386084eb7d854c75a9a99d4f",
        mails=(("bluemind/bluemind__invitation_recurrence", STORED),),
        shown=("tous les jeudis", "2015-10-29T18:00Z"),
        people={"test@bm.lan": "NEEDS-ACTION", "david.phan@bm.lan": "ACCEPTED"},
    ),
    Story(
        product="Exchange Online",
        why="a Windows time zone from 1601, a Teams link, SEQUENCE 2 at first sight",
        to="invited.user@dreggn.at",
        uid="040000008200E00074C5B7101A82E00800000000136FA0289733D801000000000000000010000000C549007592DD854BB2CDFD45E6D0F061",
        mails=(("exchange/mutt-itip__outlook-invite", STORED),),
        shown=("Test", "2022-03-14T15:00Z"),
        people={"invited.user@dreggn.at": "NEEDS-ACTION"},
    ),
    Story(
        product="Google",
        why="alternative within mixed, the same again as invite.ics; to our own domain, from our own domain",
        to="bob@example.org",
        uid="69d4c40b4a274636bf23517938df9673@example.org",
        mails=(("google/mail__request_google", STORED),),
        shown=("Imip Testing", "2025-02-20T18:00Z"),
        people={"bob@example.org": "NEEDS-ACTION", "alice@example.org": "ACCEPTED"},
    ),
    Story(
        product="iCloud",
        why="From is noreply@, ORGANIZER an address of iCloud's: nobody but a person can tell that they are one",
        to="karim@nilas.com",
        uid="65BEB44C-9B9F-4DE3-BA5F-8153629CA077",
        mails=(("calendarserver/sync-engine__raw_message_with_ical_invite", "sender-not-organizer"),),
        people={},
    ),
    Story(
        product="Kolab / Roundcube",
        why="Sabre's serialization, 8bit",
        to="test1@kolab.org",
        uid="39946D057115AA1B6A273693CF95D35C-24397012EEE1180F",
        mails=(("kolab-roundcube/kube__invitation", STORED),),
        shown=("test1234", "2019-08-01T08:00Z"),
        people={"test1@kolab.org": "NEEDS-ACTION"},
    ),
    Story(
        product="Meetup",
        why="PUBLISH, to an account that takes none",
        to="c.weiss@metaways.de",
        uid="event_wsftpypqbzb@meetup.com",
        mails=(("meetup/tine__meetup", "publish-off"),),
        people={},
    ),
    Story(
        product="Outlook",
        why="a time zone that goes by the name of a continent and tells its own rules; no PARTSTAT",
        to="recipient@proton.local",
        uid="040000008200E00074C5B7101A82E008000000003080B2796B37D9010000000000000000100000001236CD1CD93CA9449C6FF1AC4DEAC44E",
        mails=(("outlook/proton-bridge__testdata.invite", STORED),),
        shown=("Testing calendar invite", "2023-02-03T00:30Z"),
        people={"recipient@proton.local": "NEEDS-ACTION"},
    ),
    Story(
        product="Outlook for Mac",
        why="invited, moved, called off; a time zone named by four cities with commas",
        to="tom@willow.vmw",
        uid="A93D8AAF-53FE-40D1-990B-C056E13727F2",
        mails=(
            ("outlook-mac/bluemind__outlook.invite.new", STORED),
            ("outlook-mac/bluemind__outlook.invite.update", "invitation-rescheduled"),
            ("outlook-mac/bluemind__outlook.invite.cancel", "meeting-cancelled"),
        ),
        shown=("Réunion depuis outlook", "2012-05-28T13:00Z"),
        people={"tom@willow.vmw": "NEEDS-ACTION"},
        status="CANCELLED",
    ),
    Story(
        product="OpenPaaS (Sabre)",
        why="without DTSTAMP: the mail's Date stands in for it",
        to="ddolcimascolo@linagora.com",
        uid="d41ce126-5e9c-45a6-a979-4bc5db77914e",
        mails=(("sabre-linagora/james-project__invitationEmailFromOP", STORED),),
        shown=("test event", "2016-07-06T09:00Z"),
        people={"ddolcimascolo@linagora.com": "NEEDS-ACTION"},
    ),
    Story(
        product="Thunderbird",
        why="a series without VERSION and PRODID; one instance renamed, then moved",
        to="receiver@example.com",
        uid="02e79b96",
        mails=(
            ("thunderbird/comm-central__repeat-event", STORED),
            ("thunderbird/comm-central__exception-minor", UPDATED),
            ("thunderbird/comm-central__exception-major", "invitation-rescheduled"),
        ),
        shown=("Repeat Event", "2022-03-16T11:00Z"),
        people={"receiver@example.com": "NEEDS-ACTION", "sender@example.com": "ACCEPTED"},
        overrides={"20220317T110000Z": ("Repeat Event", "2022-03-17T05:00Z")},
    ),
    Story(
        product="Thunderbird",
        why="multipart/signed, text in UTF-8",
        to="titi@devenv.dev.bluemind.net",
        uid="431a8c17-b60a-451e-88d3-ba75ef1d2bf4",
        mails=(("thunderbird/bluemind__mailWithImip-signed", STORED),),
        shown=("test accentué avec invité", "2023-03-01T12:45Z"),
        people={"titi@devenv.dev.bluemind.net": "NEEDS-ACTION"},
    ),
    Story(
        product="Tine 2.0",
        why="inline and attached differ a little: one message; and a year 2111",
        to="tine20admin@caldav.net",
        uid="4f0162146d61cb2c06cbe2abf94636f4526abe16",
        mails=(("tine20/tine__calendar_request", STORED),),
        shown=("test mit extern", "2111-11-21T12:00Z"),
        people={"tine20admin@caldav.net": "NEEDS-ACTION", "l.kneschke@caldav.org": "ACCEPTED"},
    ),
    Story(
        product="Yahoo",
        why="VTIMEZONE behind the event, STATUS twice; invited by an address that is no ATTENDEE: for information",
        to="raph.ouazana@linagora.com",
        uid="5014513f-1026-4b58-82cf-80d4fc060bbe",
        mails=(("yahoo/james-project__yahooInvitation", STORED),),
        shown=("Test from Yahoo", "2017-01-27T14:00Z"),
        people={"rouazana@linagora.com": "NEEDS-ACTION"},
    ),
    Story(
        product="Zimbra",
        why="the guest's side",
        to="rcpt@zimbra.com",
        uid="5baee2a1-9064-4356-9b3c-f56b02050088",
        mails=(("zimbra/zm-mailbox__bug-69862-invite", STORED),),
        shown=("from ajax 1", "2012-04-24T23:00Z"),
        people={"rcpt@zimbra.com": "NEEDS-ACTION"},
    ),
    Story(
        product="Outlook 2010",
        why="the organizer's side: a REPLY without ORGANIZER",
        to="test@zimbra.com",
        uid="5baee2a1-9064-4356-9b3c-f56b02050088",
        mails=(("outlook/zm-mailbox__bug-69862-reply", RECORDED),),
        shown=("Ours", "2030-01-02T03:04Z"),
        people={"rcpt@zimbra.com": "ACCEPTED"},
        guest="rcpt@zimbra.com",
    ),
)

OWN = (
    Story(
        product="Outlook",
        why="base64, W. Europe Standard Time, latin-1 around UTF-8, the organizer's alarm",
        to="alice@example.org",
        uid="040000008200E00074C5B7101A82E00800000000A0B1C2D3E4F5DB010000000000000000100000000102030405060708090A0B0C0D0E0F10",
        mails=(("outlook", STORED),),
        shown=("Budget für Frühjahr", "2031-07-10T08:00Z"),
        people={"alice@example.org": "NEEDS-ACTION"},
    ),
    Story(
        product="Google",
        why="inline in an alternative, and attached once more with an HTML description",
        to="alice@example.org",
        uid="4g0u1n2d3e4r5s6t7u8v9w0x1y@google.com",
        mails=(("google", STORED),),
        shown=("Coffee ; talk", "2031-03-12T16:00Z"),
        people={"alice@example.org": "NEEDS-ACTION", "gita@mail.example": "ACCEPTED"},
    ),
    Story(
        product="Apple",
        why="a series with an instance that differs, across the change to summer time; quoted-printable",
        to="alice@example.org",
        uid="6F1D2C3B-4A59-4877-9E6D-0A1B2C3D4E5F",
        mails=(("apple", STORED),),
        shown=("Standup ☕", "2031-03-03T14:30Z"),
        people={"alice@example.org": "NEEDS-ACTION", "ada@park.example": "ACCEPTED"},
        overrides={"20310310T133000Z": ("Standup ☕ later", "2031-03-10T15:00Z")},
    ),
)


def meeting(story: Story) -> str:
    """The account's own meeting, as its calendar program put it there."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{story.uid}\r\nDTSTAMP:20010101T000000Z\r\nDTSTART:20300102T030400Z\r\nSUMMARY:Ours\r\n"
        f"ORGANIZER:mailto:{story.to}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{story.guest}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def component(of: CalendarObject, key: str) -> Component:
    part = of.component(key)
    assert part is not None
    begin = times.start(part, of.zones)
    assert begin is not None
    return part.text("SUMMARY") or "", f"{begin.instant().astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def expected(story: Story) -> dict[str, Any]:
    if story.shown is None:
        return {}
    return {
        "shown": story.shown,
        "people": dict(story.people),
        "cancelled": story.status == "CANCELLED",
        "overrides": dict(story.overrides or {}),
    }


def found(gateway: Any, user: str, story: Story) -> dict[str, Any]:
    """What the calendar holds, in the same words."""
    text = gateway.object(user, story.uid)
    if not text:
        return {}
    of = parse_object(text.encode())
    people = {who: of.attendee(Address(who)) for who in story.people}
    assert of.master is not None and "METHOD" not in text
    return {
        "shown": component(of, ""),
        "people": {who: partstat(line) if line is not None else None for who, line in people.items()},
        "cancelled": of.master.value("STATUS") == "CANCELLED",
        "overrides": {key: component(of, key) for key in of.overrides},
    }


def reasons(gateway: Any) -> dict[tuple[str, str], list[str]]:
    """(account, UID) -> how its messages ended, from the log."""
    told: dict[tuple[str, str], list[str]] = {}
    for line in gateway.log.read_text().splitlines():
        if "event=decision.made" in line:
            facts = dict(word.split("=", 1) for word in shlex.split(line) if "=" in word)
            told.setdefault((facts["account"], facts["uid"]), []).append(facts["reason"])
    return told


def play(gateway: Any, users: Mapping[str, str], stories: Sequence[Story], folder: Path) -> None:
    """Every story mail by mail, all stories at once."""
    for story in stories:
        if story.guest:
            gateway.put_new(users[story.to], story.uid, meeting(story))
    gateway.start()
    gateway.settle()  # the baseline
    for round_ in range(max(len(story.mails) for story in stories)):
        for story in stories:
            for name, _ in story.mails[round_ : round_ + 1]:
                content = (folder / f"{name}.eml").read_bytes()
                gateway.post(content, story.to, sender=str(read(content).sender))
        gateway.run("drain", "--timeout", "120")
    told = reasons(gateway)
    for story in stories:
        label = f"{story.product}: {story.why}"
        assert told.get((story.to, story.uid)) == [reason for _, reason in story.mails], label
        assert found(gateway, users[story.to], story) == expected(story), label


def test_mails_of_many_products_land_in_the_calendar_as_they_should(
    start: Callable[..., Any], shared: Path
) -> None:
    assert len({story.product for story in STORIES}) >= 10
    extra = ("one@some.de", "receiver@pm.me")
    users = {address: f"u{place}" for place, address in enumerate([*(s.to for s in STORIES), *extra])}
    addresses = {user: address for address, user in users.items()}
    gateway = start(users=sorted(users.values()), addresses=addresses, begun=False)
    folder = shared / "corpus" / "imip"
    play(gateway, users, STORIES, folder)

    # Zoom's file has no METHOD, Proton's no calendar in it: nothing is stored, and the reason is told.
    for to, name in zip(
        extra, ("zoom/tine__zoom_invite", "proton/proton-bridge__ics_attachment"), strict=True
    ):
        gateway.post((folder / f"{name}.eml").read_bytes(), to)
    gateway.run("drain", "--timeout", "60")
    assert [gateway.objects(users[to]) for to in extra] == [{}, {}]
    log = gateway.log.read_text()
    assert "reason=no-method" in log and "reason=malformed-calendar" in log
    (held,) = gateway.json("held", "list")
    assert (held["account"], held["reason"]) == ("karim@nilas.com", "sender-not-organizer")

    # Nobody has answered anything, so no letter may leave when the calendars are looked at.
    gateway.settle()
    assert gateway.letters() == []


@pytest.mark.slow
def test_mails_shaped_after_outlook_google_and_apple_land_in_the_calendar(start: Callable[..., Any]) -> None:
    gateway = start(begun=False)
    play(gateway, {"alice@example.org": "alice"}, OWN, MAILS)
    stored = gateway.object("alice", OWN[0].uid)
    assert "VALARM" not in stored, "the organizer's alarm is not ours"
    assert "TZID:W. Europe Standard Time" in stored
    series = parse_object(gateway.object("alice", OWN[2].uid).encode())
    assert series.master is not None and series.master.value("EXDATE") == "20310324T093000"
    gateway.settle()
    assert gateway.letters() == []
