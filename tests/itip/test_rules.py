"""SPEC 3.3, 3.4 and 4.1 row by row: who may say what, what may be answered, what is newer; and the test that shows each row.

`make itip-table` prints the table into docs/itip.md. A row names tests (`file::test`, `file::test[case]`) or scenario scripts.
What no other file shows stands below the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.ical.address import address
from gateway.itip.model import Certainty, Outcome, Reason

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

WHO, ANSWERED, NEWER = "3.3", "3.4", "4.1"
TITLES = {WHO: "Who may say what", ANSWERED: "What a machine may answer", NEWER: "What is newer"}


@dataclass(frozen=True, kw_only=True)
class Rule:
    spec: str
    says: str
    shown_by: tuple[str, ...]

    @property
    def title(self) -> str:
        return TITLES[self.spec]


DECIDE, RULES_, ORDER = "tests/itip/test_decide.py", "tests/itip/test_rules.py", "tests/itip/test_order.py"
GUEST, HOST = f"{DECIDE}::test_who_may_say_it_to_a_guest", f"{DECIDE}::test_who_may_say_it_to_the_organizer"
SURE = f"{DECIDE}::test_how_sure_we_are_decides_after_who_it_is"
ADDRESSES = "tests/itip/test_addresses.py"
ASKED = "tests/itip/test_freebusy.py::test_who_is_told"
ORGANIZERS, ATTENDEES = (
    f"{ORDER}::test_an_organizers_word_is_ordered",
    f"{ORDER}::test_an_attendees_word_is_ordered",
)
REQUESTS, CANCELS = (
    f"{ORDER}::test_a_request_stands_to_the_ledger",
    f"{ORDER}::test_a_cancel_stands_to_the_ledger",
)
MACHINES = "tests/itip/test_automatic.py"
COUNTERS = "tests/itip/test_counter.py"
CONVERGENCE = "tests/itip/test_convergence.py"
DEPUTIES = "tests/itip/test_deputies.py"


def rule(spec: str, says: str, *shown_by: str) -> Rule:
    return Rule(spec=spec, says=says, shown_by=shown_by)


RULES = (
    rule(WHO, "REQUEST: the organizer of the stored meeting", f"{GUEST}[an update by the organizer]"),
    rule(
        WHO, "REQUEST: a SENT-BY that stands in the stored meeting", f"{GUEST}[an update by a stored SENT-BY]"
    ),
    rule(
        WHO,
        "REQUEST, CANCEL: a configured delegate of the owner's",
        f"{GUEST}[a new meeting by a configured delegate]",
        f"{RULES_}::test_a_configured_delegate_speaks_for_the_organizer",
    ),
    rule(
        WHO,
        "a SENT-BY that a person once approved for this meeting",
        f"{RULES_}::test_a_secretary_who_was_approved_once_needs_nobody_again",
    ),
    rule(
        WHO,
        "another sender whom a person once approved for this meeting and this organizer",
        f"{DEPUTIES}::test_the_next_word_of_an_approved_sender_does_not_wait",
        f"{DEPUTIES}::test_an_approval_helps_nobody_else",
        f"{DEPUTIES}::test_an_approval_for_one_meeting_helps_in_no_other",
        f"{DEPUTIES}::test_an_approval_is_bound_to_the_organizer_for_whom_it_was_given",
    ),
    rule(
        WHO,
        "a SENT-BY in the message proves nothing",
        f"{GUEST}[an update by a SENT-BY of its own]",
        "attack_a_delegator_names_himself_the_secretary",
    ),
    rule(
        WHO,
        "REQUEST: no guest, no stranger",
        f"{GUEST}[an update by a guest]",
        f"{GUEST}[an update by a stranger]",
        f"{CONVERGENCE}::test_an_outsiders_message_never_changes_a_copy",
    ),
    rule(WHO, "CANCEL: the organizer of the stored meeting", f"{GUEST}[a CANCEL by the organizer]"),
    rule(
        WHO,
        "CANCEL: no guest, no stranger",
        f"{GUEST}[a CANCEL by a stranger]",
        "attack_a_fellow_guest_cancels",
        "attack_a_stranger_cancels",
    ),
    rule(
        WHO,
        "REPLY: one stored attendee, about himself",
        f"{HOST}[an answer]",
        f"{HOST}[an answer for a third person]",
        f"{HOST}[a stranger's answer for a guest]",
        "attack_a_reply_for_a_third_person",
    ),
    rule(
        WHO,
        "REPLY: an attendee under another address of his line",
        "tests/itip/test_answers.py::test_an_answer_under_a_principals_address_finds_its_line",
    ),
    rule(WHO, "REPLY: a member of an invited group", f"{HOST}[a member of an invited group]"),
    rule(
        WHO,
        "REPLY: an invitee's other address, once a person has said so for this meeting",
        f"{ADDRESSES}::test_an_answer_in_the_thread_of_our_letter_waits_once_and_is_the_invitees",
        f"{ADDRESSES}::test_who_is_not_sure_to_be_the_sender_never_profits_of_an_approval",
        f"{ADDRESSES}::test_an_approval_of_one_sender_helps_no_other",
        f"{ADDRESSES}::test_a_remembered_address_speaks_for_no_other_guest_and_in_no_other_meeting",
    ),
    rule(
        WHO,
        "REPLY: a stranger is the organizer's to decide",
        f"{HOST}[a stranger's answer for himself]",
        f"{DECIDE}::test_an_uninvited_guest_is_what_the_organizer_says",
    ),
    rule(
        WHO,
        "COUNTER: one stored attendee, in his own name, and the meeting stays as it is",
        "rfc5546_4_2_4_countering_an_event_proposal",
        f"{RULES_}::test_only_a_guest_proposes_another_time",
        f"{COUNTERS}::test_another_guests_line_in_a_proposal_moves_nobody",
        f"{COUNTERS}::test_nobody_unproven_proposes",
    ),
    rule(
        WHO,
        "ADD: the organizer of the stored meeting",
        f"{RULES_}::test_only_the_organizer_adds_publishes_and_turns_down",
    ),
    rule(
        WHO,
        "DECLINECOUNTER: the organizer of the stored meeting",
        f"{RULES_}::test_only_the_organizer_adds_publishes_and_turns_down",
        "rfc5546_4_2_4_countering_an_event_proposal",
        f"{COUNTERS}::test_a_proposal_of_ours_is_closed_by_the_organizers_no_and_by_nobody_elses",
    ),
    rule(
        WHO,
        "PUBLISH: the stored organizer, and never over a meeting to which people are invited",
        f"{RULES_}::test_only_the_organizer_adds_publishes_and_turns_down",
        "tests/itip/test_publishing.py::test_a_publication_replaces_nothing_but_an_older_one",
    ),
    rule(WHO, "REFRESH: one stored attendee, for himself", "refresh_at_the_organizer"),
    rule(WHO, "VFREEBUSY REQUEST: its own organizer, whom the owner lets ask", ASKED),
    rule(WHO, "VFREEBUSY REPLY: to a question of ours, and we ask none", "rfc5546_4_3_1_publish_busy_time"),
    rule(
        WHO,
        "UID unknown: the organizer that the message names, else held",
        f"{GUEST}[a new meeting by its organizer]",
        f"{GUEST}[a new meeting by somebody else]",
    ),
    rule(WHO, "nobody invites in the owner's own name", f"{GUEST}[a new meeting in the owner's own name]"),
    rule(
        WHO,
        "only the sender's own ATTENDEE line moves",
        "tests/itip/test_answers.py::test_only_the_answering_line_differs",
    ),
    rule(
        WHO,
        "a delegator's REPLY adds the one line that its DELEGATED-TO names",
        "tests/itip/test_answers.py::test_a_delegator_hands_his_place_on",
        "rfc5546_4_2_5_to_4_2_7_delegation",
    ),
    rule(
        WHO, "a delegate's REPLY before his delegator's is parked", f"{HOST}[a delegate before his delegator]"
    ),
    rule(WHO, "DELEGATED-FROM alone authorises nothing", f"{HOST}[a delegate of nobody]"),
    rule(
        WHO,
        "a delegator may pass a new invitation on, and changes no stored one",
        f"{GUEST}[an invitation passed on by the delegator]",
        "tests/itip/test_deputizing.py::test_what_a_delegator_passes_on_does_not_outrank_the_organizer",
    ),
    rule(WHO, "a component never changes its type", f"{DECIDE}::test_a_component_does_not_change_its_type"),
    rule(
        WHO,
        "another organizer is held, and approval moves the meeting to him",
        f"{GUEST}[an update by another organizer]",
        "rfc5546_4_2_11_replacing_the_organizer",
        "attack_the_organizer_is_taken_over",
    ),
    rule(WHO, "a contradicted sender is refused, whoever approves", SURE),
    rule(
        WHO,
        "an unknown sender follows policy: held, stored, or ignored",
        SURE,
        f"{RULES_}::test_an_unknown_sender_moves_nothing_whatever_he_sends",
    ),
    rule(
        ANSWERED,
        "what is automatic says so and names the gateway that sent it",
        "tests/imip/test_letter.py::test_only_automatic_letters_are_marked",
    ),
    rule(
        ANSWERED,
        "Auto-Submitted never prevents applying",
        f"{RULES_}::test_a_rooms_automatic_answer_counts_like_any_other",
    ),
    rule(
        ANSWERED,
        "nothing is answered to automatic mail, to a list, to the null sender",
        f"{MACHINES}::test_only_a_persons_own_mail_is_answered",
        f"{COUNTERS}::test_no_machine_is_declined_to",
        "refresh_at_the_organizer",
        "rfc5546_4_3_2_and_4_3_3_busy_time",
    ),
    rule(
        ANSWERED,
        "an automatic answer leaves once a day at most",
        f"{MACHINES}::test_once_a_day_is_enough",
        f"{COUNTERS}::test_a_meeting_that_takes_no_proposals_declines_once_a_day",
    ),
    rule(
        ANSWERED,
        "the organizer is told of one guest's proposals five times a day at most",
        f"{COUNTERS}::test_a_guest_is_told_of_five_times_a_day_and_his_last_word_still_counts",
    ),
    rule(
        ANSWERED,
        "a REQUEST repeated unchanged that wants an answer is answered again, a day later",
        "a_request_repeated",
    ),
    rule(
        ANSWERED,
        "nothing automatic for one of whom we are not sure",
        ASKED,
        f"{RULES_}::test_who_is_only_likely_gets_no_busy_time",
        f"{COUNTERS}::test_who_is_only_likely_proposes_and_is_not_declined_to_by_a_machine",
    ),
    rule(NEWER, "from the organizer: the higher SEQUENCE", ORGANIZERS),
    rule(NEWER, "then the newer DTSTAMP", f"{ORGANIZERS}[equal SEQUENCE: the newer DTSTAMP]"),
    rule(NEWER, "an absent SEQUENCE is unknown", f"{ORGANIZERS}[an absent SEQUENCE is unknown, not zero]"),
    rule(
        NEWER,
        "a DTSTAMP more than three days ahead of its arrival is not believed",
        f"{ORDER}::test_a_dtstamp_far_in_the_future_counts_as_of_its_arrival",
        "tests/itip/test_clocks.py::test_no_stamp_locks_out_what_a_right_clock_says_later",
        "attack_sequence_rollback",
    ),
    rule(
        NEWER,
        "a clock that runs ahead by less is followed in its own order",
        "tests/itip/test_clocks.py::test_one_clock_is_followed_however_late_its_mails_come",
        "wrong_elsewhere_clocks_that_run_ahead",
    ),
    rule(
        NEWER,
        "a message's DTSTAMP is never compared with that of the stored object",
        f"{RULES_}::test_the_stored_objects_own_dtstamp_decides_nothing",
    ),
    rule(
        NEWER,
        "a full REQUEST puts a floor under its instances",
        f"{REQUESTS}[an instance below the floor of a full REQUEST]",
        f"{CANCELS}[of an instance below the floor]",
    ),
    rule(
        NEWER,
        "across RECURRENCE-IDs only DTSTAMP is compared",
        f"{REQUESTS}[an instance above it, whatever its SEQUENCE]",
    ),
    rule(
        NEWER,
        "from an attendee: his last DTSTAMP",
        f"{ATTENDEES}[his later answer]",
        f"{ATTENDEES}[an older answer]",
    ),
    rule(
        NEWER,
        "an answer to what was reset since is stale, and the organizer sees it",
        f"{ATTENDEES}[below the reset]",
        "tests/itip/test_answers.py::test_an_answer_to_what_was_reset_is_stale_and_noted",
    ),
    rule(
        NEWER,
        "at the reset or above it an answer applies, though below the current SEQUENCE",
        f"{ATTENDEES}[at the reset]",
        f"{ATTENDEES}[a later answer to a lower SEQUENCE counts by its DTSTAMP]",
    ),
    rule(
        NEWER,
        "equal keys, equal content: a duplicate",
        f"{ORGANIZERS}[equal keys, equal content]",
        f"{CONVERGENCE}::test_a_message_met_twice_changes_nothing_the_second_time",
    ),
    rule(
        NEWER,
        "equal keys, other content: the mail's Date, then a digest, and noted",
        f"{ORGANIZERS}[equal keys: the later mail]",
        f"{ORGANIZERS}[equal keys, no dates: the digest]",
        f"{ORDER}::test_what_is_decided_by_less_than_its_keys_is_noted",
    ),
    rule(
        NEWER,
        "after a CANCEL a lower SEQUENCE with a newer DTSTAMP applies for the proven organizer",
        f"{REQUESTS}[after a CANCEL, lower SEQUENCE, newer DTSTAMP]",
        f"{ORDER}::test_only_a_proven_organizer_makes_a_cancelled_meeting_anew_with_a_lower_sequence",
    ),
    rule(
        NEWER,
        "against a live copy it is stale",
        f"{RULES_}::test_a_lower_sequence_is_stale_while_the_meeting_is_on",
    ),
    rule(
        NEWER,
        "a tombstone binds only its organizer, and only a proven one writes it",
        f"{ORDER}::test_a_tombstone_binds_only_its_organizer",
        "tests/itip/test_attendee.py::test_a_proven_cancel_of_an_unknown_meeting_offers_a_tombstone",
        f"{RULES_}::test_only_a_proven_cancel_of_an_unknown_meeting_is_remembered",
    ),
    rule(
        NEWER,
        "what comes early is parked and played again; its expiry is an outcome",
        "messages_that_come_early",
        "tests/flows/test_messages.py::test_an_answer_that_comes_early_is_parked_and_replayed_when_its_meeting_comes",
        "tests/flows/test_messages.py::test_an_answer_whose_meeting_never_comes_expires_with_an_outcome",
    ),
    rule(
        NEWER,
        "a REQUEST for one instance of an unknown meeting is stored, and merged when the master comes",
        "a_guest_of_single_occurrences",
    ),
    rule(
        NEWER,
        "any permutation and duplication of a history ends in the same calendar",
        f"{CONVERGENCE}::test_any_order_of_the_organizers_history_ends_in_the_same_copy",
        f"{CONVERGENCE}::test_any_order_of_answers_ends_in_the_same_meeting",
    ),
)


@pytest.mark.parametrize("one", RULES, ids=lambda one: f"{one.spec} {one.says}")
def test_every_rule_is_shown_by_a_test_that_exists(one: Rule) -> None:
    assert one.shown_by
    for name in one.shown_by:
        file, _, test = name.partition("::")
        if not test:
            assert (HERE / "scripts" / f"{file}.txt").exists(), name
            continue
        text = (ROOT / file).read_text()
        test, _, case = test.rstrip("]").partition("[")
        assert f"def {test}(" in text, name
        assert f'"{case}"' in text if case else True, name


# --- what no other file shows ----------------------------------------------------------------------------------------

ALICE, BOB, CAROL = "alice@example.com", "bob@example.net", "carol@example.net"
SECRETARY = 'ORGANIZER;SENT-BY="mailto:pa@example.com":mailto:alice@example.com'
PLAIN = "ORGANIZER:mailto:alice@example.com"


def event(*, sequence: int = 1, day: int = 1, organizer: str = PLAIN, guests: str = "") -> str:
    guests = guests or f"ATTENDEE:mailto:{BOB}\nATTENDEE:mailto:{CAROL}"
    return (
        f"BEGIN:VEVENT\nUID:u\nDTSTAMP:202901{day:02}T000000Z\nSEQUENCE:{sequence}\nDTSTART:20290205T100000Z\n"
        f"SUMMARY:version {day}\n{organizer}\n{guests}\nEND:VEVENT"
    )


def title(desk: Any) -> str:
    return desk.stored.master.value("SUMMARY")  # type: ignore[no-any-return]


def test_a_configured_delegate_speaks_for_the_organizer(stage: Any) -> None:
    desk = stage.desk(BOB, delegates=frozenset({address("pa@example.com")}))
    desk.meet(stage.message("REQUEST", event(), ALICE))
    assert (
        desk.meet(stage.message("REQUEST", event(sequence=2, day=2), "pa@example.com")).outcome
        is Outcome.APPLIED
    )
    assert title(desk) == "version 2"
    cancelled = desk.meet(stage.message("CANCEL", event(sequence=3, day=3), "pa@example.com"))
    assert cancelled.reason is Reason.MEETING_CANCELLED


def test_a_secretary_who_was_approved_once_needs_nobody_again(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(), ALICE))
    by_her = stage.message("REQUEST", event(sequence=2, day=2, organizer=SECRETARY), "pa@example.com")
    assert desk.meet(by_her).outcome is Outcome.HELD
    assert title(desk) == "version 1"
    assert desk.meet(by_her, approved=True).outcome is Outcome.APPLIED
    again = stage.message("REQUEST", event(sequence=3, day=3, organizer=SECRETARY), "pa@example.com")
    assert desk.meet(again).outcome is Outcome.APPLIED
    assert title(desk) == "version 3"


@pytest.mark.parametrize("sender", [CAROL, "mallory@evil.example", ALICE])
@pytest.mark.parametrize("method", ["ADD", "PUBLISH", "DECLINECOUNTER"])
def test_only_the_organizer_adds_publishes_and_turns_down(stage: Any, method: str, sender: str) -> None:
    desk = stage.desk(BOB, publish=True)
    guests = "X-NO-GUESTS:1" if method == "PUBLISH" else ""
    desk.meet(stage.message("PUBLISH" if guests else "REQUEST", event(guests=guests), ALICE))
    before = desk.stored.data
    said = event(sequence=2, day=2, guests=guests)
    if method == "ADD":
        said = said.replace("DTSTART:20290205", "DTSTART:20290206")
    decision = desk.meet(stage.message(method, said, sender))
    if sender == ALICE:
        assert decision.outcome in (Outcome.APPLIED, Outcome.UNCHANGED)
        assert (desk.stored.data != before) is (method != "DECLINECOUNTER")
    else:
        assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.SENDER_NOT_ORGANIZER)
        assert desk.stored.data == before


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        (BOB, Reason.PROPOSAL_KEPT),
        ("mallory@evil.example", Reason.SENDER_NOT_ATTENDEE),
        ("dave@example.org", Reason.SENDER_NOT_ATTENDEE),
    ],
)
def test_only_a_guest_proposes_another_time(stage: Any, sender: str, reason: Reason) -> None:
    desk = stage.desk(ALICE)
    desk.stored = stage.object(event())
    before = desk.stored.data
    said = event().replace("DTSTART:20290205T10", "DTSTART:20290205T12")
    assert desk.meet(stage.message("COUNTER", said, sender)).reason is reason
    assert desk.stored.data == before, "a proposal changes nothing"


@pytest.mark.parametrize("method", ["PUBLISH", "REQUEST", "ADD", "CANCEL", "DECLINECOUNTER"])
def test_an_unknown_sender_moves_nothing_whatever_he_sends(stage: Any, method: str) -> None:
    desk = stage.desk(BOB, publish=True)
    desk.meet(stage.message("REQUEST", event(), ALICE))
    before = desk.stored.data
    decision = desk.meet(stage.message(method, event(sequence=2, day=2), ALICE), Certainty.UNKNOWN)
    assert decision.outcome is not Outcome.APPLIED
    assert not decision.marks and not decision.outgoing and desk.stored.data == before


@pytest.mark.parametrize(
    "mail", [{"auto_submitted": "auto-replied"}, {"auto_submitted": "auto-generated"}], ids=str
)
def test_a_rooms_automatic_answer_counts_like_any_other(stage: Any, mail: Any) -> None:
    desk = stage.desk(ALICE)
    desk.stored, desk.mail = stage.object(event()), mail
    reply = event(guests=f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}")
    assert desk.meet(stage.message("REPLY", reply, BOB)).reason is Reason.ANSWER_RECORDED
    assert desk.stored.attendee(address(BOB)).param("PARTSTAT") == "ACCEPTED"


@pytest.mark.parametrize("certainty", [Certainty.LIKELY, Certainty.UNKNOWN])
def test_who_is_only_likely_gets_no_busy_time(stage: Any, certainty: Certainty) -> None:
    desk = stage.desk(BOB, freebusy="all")
    asks = (
        f"BEGIN:VFREEBUSY\nUID:f\nDTSTAMP:20290101T000000Z\n{PLAIN}\nATTENDEE:mailto:{BOB}\n"
        "DTSTART:20300102T000000Z\nDTEND:20300103T000000Z\nEND:VFREEBUSY"
    )
    decision = desk.meet(stage.message("REQUEST", asks, ALICE), certainty)
    assert decision.reason is Reason.NOT_AUTHENTICATED and not decision.outgoing


def test_the_stored_objects_own_dtstamp_decides_nothing(stage: Any) -> None:
    """RFC 5545 3.8.7.2: programs and servers set DTSTAMP to the last change of what they hold."""
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(), ALICE))
    stamped = desk.stored.data.replace(b"DTSTAMP:20290101T000000Z", b"DTSTAMP:20291231T000000Z")
    assert stamped != desk.stored.data
    desk.stored = stage.object(stamped.decode())
    assert desk.meet(stage.message("REQUEST", event(day=2), ALICE)).outcome is Outcome.APPLIED
    assert title(desk) == "version 2"


def test_a_lower_sequence_is_stale_while_the_meeting_is_on(stage: Any) -> None:
    desk = stage.desk(BOB)
    desk.meet(stage.message("REQUEST", event(sequence=3), ALICE))
    decision = desk.meet(stage.message("REQUEST", event(sequence=2, day=9), ALICE))
    assert (decision.outcome, decision.reason) == (Outcome.STALE, Reason.OLDER_SEQUENCE)
    assert title(desk) == "version 1"


@pytest.mark.parametrize("certainty", [Certainty.LIKELY, Certainty.UNKNOWN])
def test_only_a_proven_cancel_of_an_unknown_meeting_is_remembered(stage: Any, certainty: Certainty) -> None:
    assert not stage.desk(BOB).meet(stage.message("CANCEL", event(sequence=2), ALICE), certainty).marks
