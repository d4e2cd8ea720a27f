"""135 mails that real products wrote: each message in them gets one outcome, and each that is not applied its true reason.

Most of the mails were made anonymous by their publishers, not always consistently: where the names in a mail contradict
each other, the gateway must not believe it either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway import config as configuration
from gateway.errors import MalformedCalendar
from gateway.flows.explain import explain
from gateway.ical import tree
from gateway.ical.address import is_mail
from gateway.ical.event import CalendarObject, parse_object
from gateway.imip.read import Mail, read
from gateway.itip.model import Certainty, Outcome, Reason
from gateway.wiring import meaning

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STORED = "invitation-stored"

# Everything that does not simply become an invitation in the calendar. Reason -> mails, in the order of docs/reasons.md.
EXCEPTIONS: Mapping[str, tuple[str, ...]] = {
    # No From field: nobody can be believed.
    "not-authenticated": (
        "exchange/kopano-core__kc-138-1",
        "exchange/kopano-core__kc-138-2",
        "google/data-hub-api__no_from_header",
        "sabre-linagora/james-project__related_in_alternative_multipart",
        "zimbra/zm-mailbox__Calendar_NewMeetingRequest_RsvpFalse",
        "zimbra/zm-mailbox__Calendar_NewMeetingRequest_RsvpTrue",
    ),
    # From is not the ORGANIZER: made anonymous, passed on by a colleague, or iCloud's noreply.
    "sender-not-organizer": (
        "bluemind/bluemind__not.imip.1",
        "calendarserver/sync-engine__raw_message_with_ical_invite",
        "exchange/data-hub-api__sample",
        "exchange/data-hub-api__sample-2",
        "exchange/data-hub-api__sample-3",
        "fixtures/libical__mail-examples",
        "fixtures/libical__test-data.no-error",
        "google/bluemind__google_attachment",
        "google/data-hub-api__bad_calendar_event_2",
        "google/data-hub-api__calendar_event_unconfirmed",
        "google/data-hub-api__email_contacts_unknown",
        "google/data-hub-api__email_not_sent_by_dit",
        "google/data-hub-api__email_not_sent_by_known_adviser",
        "google/data-hub-api__multiple_calendar_events",
        "misc-services/zm-selenium__parsingErrorWhileAcceptingInvite_Bug38564",
        "sabre-linagora/tmail-backend__emailWithIcsMissingAttendee",
        "sabre-linagora/tmail-backend__emailWithTwoInvalidIcsAttachments",
        "tine20/tine__invalidimip",
    ),
    # Test mails that a person wrote to himself.
    "self-sent": (
        "apple-ios/tine__iOSInvitation",
        "google/james-project__spam",
        "zimbra/zm-selenium__Bug81565.mime1",
        "zimbra/zm-selenium__CalendarHTMLBody",
        "zimbra/zm-selenium__CalendarPlainTextBody",
        "zimbra/zm-selenium__Invite_Message",
    ),
    # Answers and cancellations, while the calendar is empty (with the meeting in it: see ANSWERED).
    "unknown-uid": (
        "android/bluemind__android.reply.accept",
        "android/bluemind__android.reply.decline",
        "apple-ical/ccs-calendarserver__good_reply",
        "apple-ical/ccs-calendarserver__good_reply_future",
        "apple-ios/bluemind__ios.reply.accept",
        "apple-ios/bluemind__ios.reply.tentative",
        "bluemind/bluemind__bluemind.reply",
        "bluemind/bluemind__bm.invite.cancel",
        "bluemind/bluemind__bm.task.cancel",  # a task inline, and attached once more as an event
        "bluemind/bluemind__bm4.mapi.reply.accept",
        "outlook-mac/bluemind__outlook.invite.cancel",
        "outlook-mac/bluemind__outlook.reply.accept",
        "outlook-mac/bluemind__outlook.reply.decline",
        "outlook-mac/bluemind__outlook.reply.tentative",
        "outlook/zm-mailbox__bug-69862-reply",
        "outlook/zm-selenium__bug25624att9322",
        "sabre-linagora/tmail-backend__emailWithAliceCancelEventIcsAttachment",
        "thunderbird/comm-central__cancel-repeat-event",
        "thunderbird/comm-central__cancel-single-event",
        "thunderbird/james-project__eml.calendar",
        "thunderbird/tine__calendar_reply_accepted",
        "thunderbird/tine__calendar_reply_declined",
        "tine20/tine__calendar_cancel",
    ),
    # No ATTENDEE in an answer, no ORGANIZER in an invitation, no component, no calendar, a year with five digits.
    "malformed-calendar": (
        "apple-ical/ccs-calendarserver__reply_missing_attendee",
        "apple-ical/ccs-calendarserver__reply_missing_organizer",
        "exchange/james-project__charset",
        "exchange/james-project__charset2",
        "exchange/james-project__eml.calendar",
        "exchange/james-project__eml.calendar2",
        "fixtures/libical__complex-mime",
        "fixtures/libical__test-data.error",
        "google/data-hub-api__bad_calendar_event",
        "google/data-hub-api__no_calendar_event",
        "proton/proton-bridge__ics_attachment",
        "sabre-linagora/james-project__alternative.cal",
        "sabre-linagora/tmail-backend__emailWithIcsMissingOrginizer",
        "sabre-linagora/tmail-backend__emailWithIcsMissingVEVENT",
        "thunderbird/comm-central__messages.invite",
    ),
    "no-method": ("zoom/tine__zoom_invite",),
    # PUBLISH.
    "unsupported-method": (
        "fixtures/libical__test-data.2446",
        "meetup/tine__meetup",
        "thunderbird/comm-central__message-containing-event",
        "thunderbird/comm-central__message-non-invite",
        "zimbra/zm-selenium__email08.mime03",
        "zimbra/zm-selenium__email08.mime06",
    ),
    "unsupported-method " * 2: ("zimbra/zm-selenium__email08.mime", "zimbra/zm-selenium__email08.mime05"),
    "unsupported-method " * 7: ("zimbra/zm-selenium__createApptFromICSAttachment2_Bug27959",),
    # Passed on as a mail within a mail, or returned by a mail server.
    "forwarded": (
        "apple-ical/ccs-calendarserver__dsn_failure_with_ics",
        "exchange/zm-selenium__bug21013att6662",
        "zimbra/zm-mailbox__calendar-bounce",
        "zimbra/zm-selenium__email08.mime04",
    ),
}

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


def texts(mail: Mail) -> Iterable[tree.Component]:
    for part in mail.parts:
        try:
            yield tree.parse(part.data)
        except MalformedCalendar:
            continue


def recipient(mail: Mail) -> str:
    """Whose calendar the mail is for: of an answer the organizer, else a guest among those whom it was sent to."""
    found = list(texts(mail))
    events = [event for one in found for event in one.components if event.name != "VTIMEZONE"]
    organizers = [line.address for event in events for line in event.all("ORGANIZER")]
    guests = [line.address for event in events for line in event.all("ATTENDEE")]
    if any((one.text("METHOD") or "").upper() == "REPLY" for one in found):
        return next(filter(is_mail, organizers), next(iter(mail.to), "nobody@example.org"))
    both = [one for one in mail.to if one in guests and one not in organizers]
    others = [one for one in guests if is_mail(one) and one not in organizers]
    return next(iter([*both, *mail.to, *others]), "nobody@example.org")


def told(path: Path, stored: CalendarObject | None = None) -> list[dict[str, Any]]:
    """What `explain` says of each message in the mail, its sender being certain."""
    content = path.read_bytes()
    account = recipient(read(content))
    config = configuration.parse(
        f'[gateway]\ndomains = ["{account.rpartition("@")[2]}"]\n'
        f'[[account]]\naddress = "{account}"\nusername = "x"\n'
    )
    story = explain(
        content,
        accounts=configuration.accounts_of(config),
        settings=meaning.receive_settings(config),
        policy=meaning.policy_of(config),
        now=NOW,
        as_address=account,
        stored=stored,
        certainty=Certainty.PROVEN,
    )
    found: list[dict[str, Any]] = story["messages"]
    return found


@pytest.fixture(scope="module")
def corpus(shared: Path) -> dict[str, Path]:
    folder = shared / "corpus" / "imip"
    return {str(path.relative_to(folder).with_suffix("")): path for path in sorted(folder.rglob("*.eml"))}


@pytest.fixture(scope="module")
def stories(corpus: dict[str, Path]) -> dict[str, list[dict[str, Any]]]:
    return {name: told(path) for name, path in corpus.items()}


def test_every_message_of_the_corpus_has_one_outcome_and_a_reason_of_the_closed_list(
    stories: dict[str, list[dict[str, Any]]],
) -> None:
    assert len(stories) >= 130
    for name, messages in stories.items():
        assert messages, name
        for one in messages:
            assert Outcome(one["outcome"]) and Reason(one["reason"]), name
            assert all(re.fullmatch("[a-z][a-z-]*", note["code"]) for note in one["notes"]), name
            if one["outcome"] == Outcome.REFUSED:
                assert one["notes"], f"{name}: refused without saying what is wrong with it"


def test_every_mail_of_the_corpus_is_stored_but_for_the_exceptions_with_their_reasons(
    stories: dict[str, list[dict[str, Any]]],
) -> None:
    expected = {name: reasons.strip() for reasons, names in EXCEPTIONS.items() for name in names}
    assert set(expected) <= set(stories), "an exception that is no mail of the corpus"
    found = {name: " ".join(sorted(one["reason"] for one in messages)) for name, messages in stories.items()}
    assert found == {name: expected.get(name, STORED) for name in found}
    assert sum(STORED in reasons for reasons in found.values()) >= 50


def meeting(uid: str, organizer: str, guest: str, *, kind: str) -> CalendarObject:
    return parse_object(
        (
            f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:{kind}\r\n"
            f"UID:{uid}\r\nDTSTAMP:20010101T000000Z\r\nDTSTART:20010101T000000Z\r\n"
            f"ORGANIZER:mailto:{organizer}\r\nATTENDEE:mailto:{guest}\r\nEND:{kind}\r\nEND:VCALENDAR\r\n"
        ).encode()
    )


def test_every_answer_and_cancellation_of_the_corpus_finds_its_meeting(
    corpus: dict[str, Path], stories: dict[str, list[dict[str, Any]]]
) -> None:
    seen: dict[str, str] = {}
    for name, messages in stories.items():
        early = [one for one in messages if one["reason"] == "unknown-uid"]
        for one in early:
            sender = read(corpus[name].read_bytes()).sender or ""
            answers = one["method"] == "REPLY"
            organizer, guest = (one["account"], sender) if answers else (sender, one["account"])
            known = meeting(one["uid"], organizer, INVITED_AS.get(name, guest), kind=one["component"])
            (later,) = [two for two in told(corpus[name], known) if two["component"]]
            seen[name] = later["reason"]
    cancelled = dict.fromkeys(MEETING_CANCELLED, "meeting-cancelled")
    assert seen == {**dict.fromkeys(seen, "answer-recorded"), **cancelled, **NOT_BELIEVED}
    assert len(seen) >= 23
