"""Whole letters: who they are from, in which thread, in whose language and on whose clock, and what no text can do to them."""

from __future__ import annotations

import email
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ical.address import address
from gateway.ical.event import CalendarObject, parse_object
from gateway.ical.tree import parse
from gateway.imip.letter import Reader, outsider, spoken_to
from gateway.imip.links import LinkTokens, Purpose
from gateway.imip.lint import faults
from gateway.imip.tokens import Tokens
from gateway.imip.write import LetterParts, write
from gateway.itip.changes import changes
from gateway.itip.model import Context, Reason
from gateway.itip.summary import dump
from gateway.ports import Letter, OutgoingMail

Composed = Callable[..., LetterParts | Reason]


def sent(composed: Composed, letter: Letter, **options: object) -> OutgoingMail:
    parts = composed(letter, **options)
    assert isinstance(parts, LetterParts), parts
    return write(parts)


def read(mail: OutgoingMail) -> EmailMessage:
    message = email.message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


# --- in whose language -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "language"),
    [
        ("ATTENDEE;LANGUAGE=fr-CA:mailto:BOB@example.net\r\nSUMMARY;LANGUAGE=de:Plan\r\n", "fr-CA"),
        ("ATTENDEE;LANGUAGE=fr:mailto:carol@example.com\r\nSUMMARY;LANGUAGE=de:Plan\r\n", "de"),
        ("ATTENDEE:mailto:bob@example.net\r\nSUMMARY:LANGUAGE=de\r\n", ""),
    ],
)
def test_a_guest_is_spoken_to_as_his_invitation_says(
    written: str, language: str, a_letter: Callable[..., Letter]
) -> None:
    text = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:u\r\n{written}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert spoken_to(replace(a_letter().letter, calendar=text.encode())) == language


def test_a_guest_whose_invitation_says_no_language_has_that_of_his_domain_else_a_guess(
    a_letter: Callable[..., Letter],
) -> None:
    letter, by_domain = a_letter(recipient="bob@Example.FR"), {"example.fr": "fr"}
    assert outsider(letter, by_domain=by_domain, organizer="de") == Reader(language="fr")
    assert outsider(letter, by_domain={}, organizer="de") == Reader(language="de", guessed=True)
    text = letter.letter.calendar.replace(b"SUMMARY:", b"SUMMARY;LANGUAGE=ja:")
    said = replace(letter, letter=replace(letter.letter, calendar=text))
    assert outsider(said, by_domain=by_domain, organizer="de") == Reader(language="ja")
    chosen = replace(said, language="pl", zone="Asia/Tokyo")
    assert outsider(chosen, by_domain=by_domain, organizer="de") == Reader(language="pl", zone="Asia/Tokyo")


# --- notices ---------------------------------------------------------------------------------------------------------


def test_a_meeting_in_a_notice_is_a_fault(cases: dict[str, Letter], composed: Composed) -> None:
    assert faults(sent(composed, cases["invitation"]).content, notice=True) != ()


# --- what is attached behind the organizer's login -------------------------------------------------------------------

KEEPER = "https://cal.example.org"
AGENDA = f"{KEEPER}/dav/alice/Attachments/a1"
PUBLIC = LinkTokens(keys=(b"a secret of the tests",), url="https://pages.example.org")


@pytest.fixture
def with_agenda(a_letter: Callable[..., Letter]) -> Callable[..., Letter]:
    def make(keeper: str = KEEPER, method: str = "REQUEST", **changes: object) -> Letter:
        letter = a_letter(method=method, **changes)
        text = letter.letter.calendar.replace(
            b"END:VEVENT", f"ATTACH;MANAGED-ID=a1;FILENAME=agenda.pdf:{AGENDA}\r\nEND:VEVENT".encode()
        )
        return replace(letter, keeper=keeper, letter=replace(letter.letter, calendar=text))

    return make


def attachments(parts: LetterParts | Reason) -> list[str]:
    assert isinstance(parts, LetterParts), parts
    return [one.value for one in parse(parts.calendar).subcomponents("VEVENT")[0].all("ATTACH")]


def test_a_guest_gets_a_link_of_his_own_to_what_is_behind_a_login(
    with_agenda: Callable[..., Letter], composed: Composed
) -> None:
    letter = with_agenda()
    (url,) = attachments(composed(letter, signed=PUBLIC))
    place, token, number = url.rsplit("/", 2)
    assert (place, number) == ("https://pages.example.org/a", "1")
    assert PUBLIC.read(Purpose.ATTACHMENT, token, letter.created) == letter.sequence
    assert PUBLIC.read(Purpose.ANSWER, token, letter.created) is None


@pytest.mark.parametrize(
    ("changes", "signed"),
    [
        ({"keeper": ""}, PUBLIC),
        ({}, None),
        ({"method": "CANCEL"}, PUBLIC),
        ({"sender": "bob@example.org"}, PUBLIC),
    ],
    ids=["not announced", "no pages", "not asked", "not his meeting"],
)
def test_where_there_can_be_no_link_the_line_stays(
    changes: dict[str, str],
    signed: LinkTokens | None,
    with_agenda: Callable[..., Letter],
    composed: Composed,
) -> None:
    assert attachments(composed(with_agenda(**changes), signed=signed)) == [AGENDA]


# --- who, and in which thread ----------------------------------------------------------------------------------------


def test_an_organizer_of_ours_writes_himself(cases: dict[str, Letter], composed: Composed) -> None:
    mail = sent(composed, cases["invitation"])
    message = read(mail)
    assert message["From"] == "Alice Liddell <alice@example.org>"
    assert message["To"] == "Bob Müller <bob@example.net>"
    assert message["Reply-To"] is None
    assert mail.sender.startswith("calendar+b") and mail.sender.endswith("@example.org")


def test_an_agent_stands_in_for_a_foreign_organizer(
    cases: dict[str, Letter], composed: Composed, tokens: Tokens
) -> None:
    letter = cases["invitation-agent"]
    message = read(sent(composed, letter))
    assert message["From"] == "Carla Rossi via Calendar <calendar@example.org>"
    assert message["Reply-To"] == "Carla Rossi <carla@foreign.example>"
    parts = composed(letter)
    assert isinstance(parts, LetterParts)
    organizer = parse(parts.calendar).subcomponents("VEVENT")[0].first("ORGANIZER")
    assert organizer is not None
    assert organizer.address == tokens.organizer("carla@foreign.example", letter.letter.uid)
    assert (organizer.param("CN"), organizer.param("EMAIL")) == ("Alice Liddell", "carla@foreign.example")


def test_no_agent_stands_in_for_an_organizer_whose_invitation_a_guest_passes_on(
    cases: dict[str, Letter], composed: Composed
) -> None:
    letter = cases["invitation-agent"]
    delegator = replace(letter, letter=replace(letter.letter, sender="guest@foreign.example"))
    parts = composed(delegator)
    assert isinstance(parts, LetterParts)
    was = parse_object(letter.letter.calendar).organizer
    assert parse_object(parts.calendar).organizer == was


def test_an_agent_keeps_its_address_through_the_life_of_a_uid(
    cases: dict[str, Letter], composed: Composed
) -> None:
    one = composed(cases["invitation-agent"])
    two = composed(cases["invitation-agent"])
    assert isinstance(one, LetterParts) and isinstance(two, LetterParts) and one.calendar == two.calendar


def test_an_answer_keeps_the_organizer_that_it_answers(cases: dict[str, Letter], composed: Composed) -> None:
    parts = composed(cases["reply"])
    assert isinstance(parts, LetterParts)
    assert b"ORGANIZER;CN=Alice Liddell:mailto:alice@example.org\r\n" in parts.calendar
    assert parts.author.address == "calendar@example.org"
    assert parts.reply_to is not None and parts.reply_to.address == "bob@example.net"


def test_on_behalf_leaves_the_organizer_as_he_is(cases: dict[str, Letter], composed: Composed) -> None:
    parts = composed(cases["invitation-agent"], from_foreign="on-behalf")
    assert isinstance(parts, LetterParts) and b"mailto:carla@foreign.example\r\n" in parts.calendar


def test_refuse_lets_nothing_leave(cases: dict[str, Letter], composed: Composed) -> None:
    assert composed(cases["invitation-agent"], from_foreign="refuse") is Reason.FROM_REFUSED


def test_a_recipient_without_a_mailbox_gets_no_letter(
    a_letter: Callable[..., Letter], composed: Composed
) -> None:
    assert composed(a_letter(recipient="urn:uuid:1234")) is Reason.LETTER_FAILED


def test_the_first_letter_begins_a_thread(cases: dict[str, Letter], composed: Composed) -> None:
    message = read(sent(composed, cases["invitation"]))
    assert message["Message-ID"] == "<first@example.org>"
    assert message["In-Reply-To"] is None and message["References"] is None


def test_an_update_follows_the_first_letter(cases: dict[str, Letter], composed: Composed) -> None:
    message = read(sent(composed, cases["update"]))
    assert message["In-Reply-To"] == "<first@example.org>"
    assert message["References"] == "<first@example.org>"


def test_a_reply_answers_the_mail_that_invited(cases: dict[str, Letter], composed: Composed) -> None:
    message = read(sent(composed, cases["reply"]))
    assert message["In-Reply-To"] == "<request@other.example>"


@pytest.mark.parametrize(
    ("fields", "mark_all", "expected"),
    [
        ({}, False, None),
        ({}, True, "auto-generated"),
        ({"automatic": True}, False, "auto-generated"),
        ({"automatic": True, "in_reply_to": "<a@b.example>"}, False, "auto-replied"),
    ],
)
def test_only_automatic_letters_are_marked(
    fields: dict[str, object],
    mark_all: bool,
    expected: str | None,
    a_letter: Callable[..., Letter],
    composed: Composed,
) -> None:
    message = read(sent(composed, a_letter(**fields), mark_all=mark_all))
    assert message["Auto-Submitted"] == expected
    assert message["X-Imip-Gateway-Hop"] == "example.org"


# --- whose clock -----------------------------------------------------------------------------------------------------


def test_a_reader_of_another_zone_sees_both_clocks(cases: dict[str, Letter], composed: Composed) -> None:
    parts = composed(cases["invitation"], reader=Reader(language="en-GB", zone="America/Toronto"))
    assert isinstance(parts, LetterParts)
    assert "09:00 – 10:30" in parts.text and "15:00 – 16:30 (Berlin time, UTC+1)" in parts.text


def test_an_unknown_reader_sees_the_zone_of_the_event(cases: dict[str, Letter], composed: Composed) -> None:
    parts = composed(cases["invitation"], reader=Reader())
    assert isinstance(parts, LetterParts)
    assert "15:00 – 16:30" in parts.text and "Berlin time, UTC+1" in parts.text


# --- what itip decides, from a calendar to the mail ----------------------------------------------------------------

NOW = datetime(2026, 11, 10, tzinfo=UTC)
SINGLE = "DTSTART;TZID=Europe/Berlin:20261123T150000\nDTEND;TZID=Europe/Berlin:20261123T160000\n"
LATER = SINGLE.replace("20261123", "20261124")
WEEKLY = SINGLE + "RRULE:FREQ=WEEKLY;COUNT=5\n"
GUESTS = "".join(
    f"ATTENDEE;SCHEDULE-STATUS=1.1;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{one}\n"
    for one in ("bob@example.net", "carol@example.com")
)


def meeting(times: str, *, guests: str = GUESTS, kind: str = "VEVENT", further: str = "") -> CalendarObject:
    """A meeting as Alice's calendar program stored it, with what must not leave."""
    head = f"BEGIN:{kind}\nUID:u1@example.org\nDTSTAMP:20261101T080000Z\nSUMMARY:Plan\n"
    tail = (
        f"ORGANIZER;CN=Alice;SCHEDULE-AGENT=SERVER:mailto:alice@example.org\n{guests}"
        f"BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\nEND:{kind}\n"
    )
    body = f"{head}{times}{tail}" + (f"{head}{further}{tail}" if further else "")
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y\n{body}END:VCALENDAR\n"
    return parse_object(text.replace("\n", "\r\n").encode())


OVERRIDE = "RECURRENCE-ID;TZID=Europe/Berlin:20261130T150000\n" + SINGLE.replace("20261123", "20261201")
ROADS = {
    "a new meeting": (None, meeting(SINGLE)),
    "a moved one": (meeting(SINGLE), meeting(LATER)),
    "a cancelled one": (meeting(SINGLE), None),
    "a guest less": (meeting(SINGLE), meeting(SINGLE, guests=GUESTS.partition("\n")[0] + "\n")),
    "a series": (None, meeting(WEEKLY)),
    "a moved date of a series": (meeting(WEEKLY), meeting(WEEKLY, further=OVERRIDE)),
    "a date less": (meeting(WEEKLY), meeting(WEEKLY + "EXDATE;TZID=Europe/Berlin:20261130T150000\n")),
    "a whole day": (None, meeting("DTSTART;VALUE=DATE:20261123\nDTEND;VALUE=DATE:20261124\n")),
    "a time in UTC": (None, meeting("DTSTART:20261123T140000Z\nDTEND:20261123T150000Z\n")),
    "a task": (None, meeting("DUE;TZID=Europe/Berlin:20261123T150000\n", kind="VTODO")),
}


@pytest.mark.parametrize("domains", [("example.org",), ("other.example",)], ids=["user", "agent"])
@pytest.mark.parametrize("road", ROADS)
def test_what_itip_sends_leaves_without_fault(
    road: str, domains: tuple[str, ...], a_letter: Callable[..., Letter], composed: Composed
) -> None:
    before, after = ROADS[road]
    context = Context(owner=frozenset({address("alice@example.org")}), now=NOW)
    outgoing = changes(before, after, context).outgoing
    assert outgoing
    for one in outgoing:
        letter = a_letter(
            method=str(one.method),
            sender=one.sender,
            recipient=one.recipient,
            calendar=one.object.data,
            summary=dump(one.summary),
        )
        assert faults(sent(composed, letter, domains=domains).content) == ()


# --- hostile ---------------------------------------------------------------------------------------------------------

HOSTILE = [
    "Bob\r\nBcc: victim@example.com",
    "Bob\nContent-Type: text/html\n\n<script>alert(1)</script>",
    "evil\u202egnp.exe\u2066\x00\x07",
    "x" * 500,
    "=?utf-8?q?Bob?=",
    'Bob "the \\ builder", <boss@example.com>',
    "\U0001f4c5 名前 " * 40,
    "<b>&amp;</b>{{ 7*7 }} %(name)s %s",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_and_titles_stay_inside_their_field(
    text: str, a_letter: Callable[..., Letter], composed: Composed
) -> None:
    letter = a_letter({"title": text, "location": text, "description": text}, recipient_name=text)
    mail = sent(composed, letter)
    assert faults(mail.content) == ()
    message = read(mail)
    assert message["Bcc"] is None and message.get_all("To") is not None
    assert [one.addr_spec for one in message["To"].addresses] == ["bob@example.net"]
    assert not re.search("[\x00-\x1f\u202a-\u202e\u2066]", message["Subject"])
    html = message.get_body(("html",))
    assert html is not None and "<script" not in html.get_content() and "<b>" not in html.get_content()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(title=st.text(max_size=200), name=st.text(max_size=120), place=st.text(max_size=60))
def test_any_text_makes_a_letter_without_fault(
    title: str, name: str, place: str, a_letter: Callable[..., Letter], composed: Composed
) -> None:
    mail = sent(composed, a_letter({"title": title, "location": place}, recipient_name=name))
    assert faults(mail.content) == ()
    assert not mail.smtputf8


def test_script_and_file_links_are_dropped(a_letter: Callable[..., Letter], composed: Composed) -> None:
    bad = "javascript:alert(1) file:///etc/passwd data:text/html;base64,PGI+"
    letter = a_letter({"description": f"see {bad} end", "url": "javascript:alert(2)", "conference": (bad,)})
    parts = composed(letter)
    assert isinstance(parts, LetterParts)
    for text in (parts.text, parts.html):
        assert "javascript:" not in text and "file:" not in text and "data:" not in text and "end" in text


def test_an_idn_recipient_is_written_as_a_label(a_letter: Callable[..., Letter], composed: Composed) -> None:
    mail = sent(composed, a_letter(recipient="bob@bücher.example"))
    assert mail.recipient == "bob@xn--bcher-kva.example" and not mail.smtputf8
    assert b"<bob@xn--bcher-kva.example>" in mail.content


def test_a_local_part_beyond_ascii_needs_smtputf8(
    a_letter: Callable[..., Letter], composed: Composed
) -> None:
    mail = sent(composed, a_letter(recipient="jürgen@bücher.example"))
    assert mail.smtputf8 and "<jürgen@xn--bcher-kva.example>".encode() in mail.content


SIGNED = LinkTokens(keys=(b"a secret of the tests",), url="https://cal.example.org")


def test_an_invitation_is_answered_by_links_that_name_its_row(
    a_letter: Callable[..., Letter], composed: Composed
) -> None:
    letter = a_letter()
    parts = composed(letter, signed=SIGNED)
    assert isinstance(parts, LetterParts)
    page = SIGNED.link(Purpose.ANSWER, letter.sequence, letter.created)
    for answer in ("yes", "maybe", "no"):
        assert f"{page}?a={answer}" in parts.text and f"{page}?a={answer}" in parts.html
    assert f"{page}?answer=counter#propose" in parts.text and f"{page}?answer=counter" in parts.html
    assert b"cal.example.org/r/" not in parts.calendar, "a calendar part is passed on, and the link with it"
    task = composed(a_letter({"kind": "VTODO"}), signed=SIGNED)
    assert isinstance(task, LetterParts) and "?a=yes" in task.text and "counter" not in task.text + task.html


@pytest.mark.parametrize(("said", "takes"), [("TRUE", False), ("FALSE", True)])
def test_nobody_is_led_to_propose_what_the_organizer_does_not_take(
    a_letter: Callable[..., Letter], composed: Composed, said: str, takes: bool
) -> None:
    calendar = a_letter().letter.calendar
    line = f"X-MICROSOFT-DISALLOW-COUNTER:{said}\r\nEND:VEVENT".encode()
    parts = composed(a_letter(calendar=calendar.replace(b"END:VEVENT", line)), signed=SIGNED)
    assert isinstance(parts, LetterParts) and "?a=yes" in parts.text
    assert ("answer=counter" in parts.text + parts.html) is takes


@pytest.mark.parametrize(
    "changes", [{"method": "CANCEL"}, {"method": "REPLY"}, {"sender": "deputy@example.org"}, {"method": ""}]
)
def test_what_is_no_invitation_of_our_own_user_has_no_links(
    changes: dict[str, str], a_letter: Callable[..., Letter], composed: Composed
) -> None:
    parts = composed(a_letter(**changes), signed=SIGNED)
    assert isinstance(parts, LetterParts) and "cal.example.org/r/" not in parts.text + parts.html


def test_a_room_says_in_its_answer_what_its_letter_says(
    cases: dict[str, Letter], composed: Callable[..., LetterParts]
) -> None:
    """In the language of who reads it; a person's answer has no words of ours."""
    parts = composed(cases["booking"], reader=Reader(language="de", zone="Europe/Berlin"))
    said = "Room 4 ist zu dieser Zeit belegt. Der Termin bleibt, wie er ist."
    (event,) = parse(parts.calendar).subcomponents("VEVENT")
    assert [(one.text, one.param("LANGUAGE")) for one in event.all("COMMENT")] == [(said, "de")]
    assert parts.auto_submitted == "auto-replied"
    assert b"COMMENT" not in composed(cases["reply"]).calendar
