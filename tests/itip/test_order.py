"""Newer, same, older: a row per rule of SPEC 4.1."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.address import Address
from gateway.itip.model import Context, Mark, MarkKey, Reason
from gateway.itip.order import (
    Order,
    Stamp,
    Standing,
    compare_attendee,
    compare_organizer,
    digest,
    dump,
    load,
    stamp,
)

T = datetime(2029, 1, 1, tzinfo=UTC)
ALICE = Address("alice@example.com")


def at(minute: int) -> datetime:
    return T + timedelta(minutes=minute)


def mark(sequence: int | None = 1, minute: int | None = 10, content: str = "", **more: Any) -> Mark:
    dtstamp = at(minute) if minute is not None else None
    return Mark(sequence=sequence, dtstamp=dtstamp, digest=content or f"{sequence}/{minute}", **more)


def said(
    sequence: int | None = 1, minute: int | None = 10, content: str = "", mail: int | None = None
) -> Stamp:
    """What a component says is a function of its keys, unless told."""
    return Stamp(
        sequence=sequence,
        dtstamp=at(minute) if minute is not None else None,
        digest=content or f"{sequence}/{minute}",
        mail_date=at(mail) if mail is not None else None,
    )


ORGANIZER_ROWS = [
    ("nothing is known", None, said(), Order.NEWER, None),
    ("a higher SEQUENCE wins over an older DTSTAMP", mark(1, 10), said(2, 5), Order.NEWER, None),
    (
        "a lower SEQUENCE loses against a newer DTSTAMP",
        mark(2, 10),
        said(1, 20),
        Order.OLDER,
        Reason.OLDER_SEQUENCE,
    ),
    ("equal SEQUENCE: the newer DTSTAMP", mark(1, 10), said(1, 11), Order.NEWER, None),
    ("equal SEQUENCE: the older DTSTAMP", mark(1, 10), said(1, 9), Order.OLDER, Reason.OLDER_DTSTAMP),
    ("equal keys, equal content", mark(), said(), Order.SAME, Reason.DUPLICATE),
    ("an absent SEQUENCE is unknown, not zero", mark(5, 10), said(None, 11), Order.NEWER, None),
    ("an unknown SEQUENCE in the ledger", mark(None, 10), said(0, 9), Order.OLDER, Reason.OLDER_DTSTAMP),
    ("an absent DTSTAMP, other content, no dates", mark(1, 10, "a"), said(1, None, "b"), Order.NEWER, None),
    (
        "equal keys: the later mail",
        mark(content="z", mail_date=at(1)),
        said(content="a", mail=2),
        Order.NEWER,
        None,
    ),
    (
        "equal keys: the earlier mail",
        mark(content="a", mail_date=at(2)),
        said(content="z", mail=1),
        Order.OLDER,
        Reason.OLDER_DTSTAMP,
    ),
    (
        "equal keys, no dates: the digest",
        mark(content="b"),
        said(content="a"),
        Order.OLDER,
        Reason.OLDER_DTSTAMP,
    ),
]


@pytest.mark.parametrize(
    ("why", "known", "new", "order", "reason"), ORGANIZER_ROWS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_an_organizers_word_is_ordered(
    why: str, known: Mark | None, new: Stamp, order: Order, reason: Reason | None
) -> None:
    rank = compare_organizer(known, new)
    assert (rank.order, rank.reason) == (order, reason), why


def test_what_is_decided_by_less_than_its_keys_is_noted() -> None:
    assert compare_organizer(mark(content="a"), said(content="b")).note == "same-keys-other-content"
    assert not compare_organizer(mark(), said(2)).note


ATTENDEE_ROWS = [
    ("his first answer", None, (), said(), Order.NEWER),
    ("his later answer", mark(1, 10), (), said(1, 11), Order.NEWER),
    ("an older answer", mark(1, 10), (), said(1, 9), Order.OLDER),
    ("the same answer", mark(), (), said(), Order.SAME),
    ("a later answer to a lower SEQUENCE counts by its DTSTAMP", mark(2, 10), (), said(1, 11), Order.NEWER),
    ("the same answer, of which another arrival counts", mark(1, 10, "a"), (), said(1, 12, "a"), Order.SAME),
    (
        "no SEQUENCE, a clock ahead: no later than it came",
        None,
        (Mark(reset_dtstamp=at(20)),),
        replace(said(None, 30), arrived=at(19)),
        Order.OLDER,
    ),
    ("one DTSTAMP: the higher SEQUENCE", mark(1, 10), (), said(2, 10, "b"), Order.NEWER),
    ("below the reset", None, (mark(reset_sequence=2),), said(1, 99), Order.OLDER),
    ("at the reset", None, (mark(reset_sequence=2),), said(2, 1), Order.NEWER),
    ("no SEQUENCE, before the reset", None, (Mark(reset_dtstamp=at(20)),), said(None, 19), Order.OLDER),
    ("no SEQUENCE, after the reset", None, (Mark(reset_dtstamp=at(20)),), said(None, 21), Order.NEWER),
    ("a reset alone is no answer", Mark(reset_sequence=1), (), said(1), Order.NEWER),
]


@pytest.mark.parametrize(
    ("why", "known", "resets", "new", "order"), ATTENDEE_ROWS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_an_attendees_word_is_ordered(
    why: str, known: Mark | None, resets: tuple[Mark, ...], new: Stamp, order: Order
) -> None:
    assert compare_attendee(known, resets, new).order is order, why


def ledger(**marks: Mark) -> dict[MarkKey, Mark]:
    """organizer, request, cancel: of the master; with an A in front: of instance A."""
    return {
        MarkKey(recurrence_id="A" if name.startswith("A_") else "", party=name.removeprefix("A_")): one
        for name, one in marks.items()
    }


OFF = mark(2, 20, "c", cancelled=True, organizer=ALICE)

REQUEST_ROWS = [
    ("new", {}, "", said(), Order.NEWER),
    (
        "an instance below the floor of a full REQUEST",
        ledger(organizer=mark(1, 10)),
        "A",
        said(9, 9),
        Order.OLDER,
    ),
    (
        "an instance above it, whatever its SEQUENCE",
        ledger(organizer=mark(5, 10)),
        "A",
        said(0, 11),
        Order.NEWER,
    ),
    ("after a CANCEL by SEQUENCE", ledger(organizer=OFF), "", said(3, 30), Order.NEWER),
    ("before a CANCEL, content unknown", ledger(organizer=OFF), "", said(1, 10), Order.CANCELLED),
    (
        "before a CANCEL, content known",
        ledger(organizer=OFF, request=mark(1, 10)),
        "",
        said(1, 10),
        Order.SAME,
    ),
    (
        "before a CANCEL, newer content",
        ledger(organizer=OFF, request=mark(1, 10)),
        "",
        said(1, 15),
        Order.CANCELLED,
    ),
    (
        "before a CANCEL, older content",
        ledger(organizer=OFF, request=mark(1, 10)),
        "",
        said(0, 5),
        Order.OLDER,
    ),
    ("with the keys of a CANCEL", ledger(organizer=OFF), "", said(2, 20, "r"), Order.CANCELLED),
    ("an instance before the CANCEL of all", ledger(organizer=OFF), "A", said(1, 15), Order.CANCELLED),
    ("an instance after the CANCEL of all", ledger(organizer=OFF), "A", said(1, 25), Order.NEWER),
    ("after a CANCEL, lower SEQUENCE, newer DTSTAMP", ledger(organizer=OFF), "", said(0, 30), Order.NEWER),
]


@pytest.mark.parametrize(
    ("why", "marks", "key", "new", "order"), REQUEST_ROWS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_request_stands_to_the_ledger(
    why: str, marks: dict[MarkKey, Mark], key: str, new: Stamp, order: Order
) -> None:
    assert Standing(marks, ALICE).request(key, new, proven=True).order is order, why


def test_only_a_proven_organizer_makes_a_cancelled_meeting_anew_with_a_lower_sequence() -> None:
    standing = Standing(ledger(organizer=OFF, request=mark(1, 10)), ALICE)
    assert standing.request("", said(0, 30), proven=False).reason is Reason.OLDER_SEQUENCE
    assert standing.request("", said(0, 30), proven=True).note == "lower-sequence-after-cancel"


def test_a_tombstone_binds_only_its_organizer() -> None:
    standing = Standing(ledger(organizer=OFF), Address("mallory@evil.example"))
    assert standing.request("", said(0, 1), proven=False).order is Order.NEWER


CANCEL_ROWS = [
    ("of a live copy, higher SEQUENCE", ledger(organizer=mark(1, 10)), "", said(2, 20), Order.NEWER),
    (
        "of a live copy, the same SEQUENCE and DTSTAMP",
        ledger(organizer=mark(1, 10)),
        "",
        said(1, 10, "c"),
        Order.NEWER,
    ),
    ("of a live copy, lower SEQUENCE", ledger(organizer=mark(3, 30)), "", said(2, 20), Order.OLDER),
    ("repeated", ledger(organizer=OFF), "", said(2, 20, "c"), Order.SAME),
    (
        "repeated after the meeting was made anew",
        ledger(organizer=mark(0, 30), cancel=OFF),
        "",
        said(2, 20, "c"),
        Order.SAME,
    ),
    ("of an instance below the floor", ledger(organizer=mark(1, 10)), "A", said(9, 9), Order.OLDER),
    ("of an instance above it", ledger(organizer=mark(1, 10)), "A", said(2, 11), Order.NEWER),
    (
        "of an instance that was changed later",
        ledger(organizer=mark(1, 10), A_organizer=mark(4, 40)),
        "A",
        said(2, 20),
        Order.OLDER,
    ),
]


@pytest.mark.parametrize(
    ("why", "marks", "key", "new", "order"), CANCEL_ROWS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_cancel_stands_to_the_ledger(
    why: str, marks: dict[MarkKey, Mark], key: str, new: Stamp, order: Order
) -> None:
    assert Standing(marks, ALICE).cancellation(key, new).order is order, why


EVENT = """BEGIN:VEVENT
UID:u
DTSTAMP:20290101T000000Z
{}
DTSTART:20290105T100000Z
SUMMARY:A title that is so long that some programs will fold it and some programs will not
END:VEVENT"""


def test_a_digest_does_not_depend_on_folding_or_the_order_of_lines(stage: Any) -> None:
    one = stage.object(EVENT.format("SEQUENCE:1")).master
    other = stage.object(
        EVENT.format("SEQUENCE:1").replace("some programs will fold", "some programs\r\n  will fold")
    ).master
    assert digest(one) == digest(other)
    assert digest(one) == digest(one.with_children(reversed(one.children)))
    assert digest(one) != digest(stage.object(EVENT.format("SEQUENCE:2")).master)


@pytest.mark.parametrize(
    ("line", "sequence"),
    [("SEQUENCE:7", 7), ("X-A:1", None), ("X-MICROSOFT-CDO-APPT-SEQUENCE:3", 3), ("SEQUENCE:many", None)],
)
def test_a_sequence_is_found_where_products_put_it(stage: Any, line: str, sequence: int | None) -> None:
    of = stage.object(EVENT.format(line))
    assert stamp(of, "", Context(owner=frozenset(), now=T)).sequence == sequence


def test_a_dtstamp_far_in_the_future_counts_as_of_its_arrival(stage: Any) -> None:
    of = stage.object(EVENT.format("SEQUENCE:1"))
    said = stamp(of, "", Context(owner=frozenset(), now=T, arrived=T - timedelta(days=4)))
    assert (said.dtstamp, said.arrived) == (T - timedelta(days=4), None)


def test_a_dtstamp_a_little_ahead_counts_as_it_was_said(stage: Any) -> None:
    of = stage.object(EVENT.format("SEQUENCE:1"))
    early = T - timedelta(days=1)
    said = stamp(of, "", Context(owner=frozenset(), now=T, arrived=early))
    assert (said.dtstamp, said.arrived) == (T, early)
    assert said.mark().arrived == early


moments = st.none() | st.datetimes(timezones=st.just(UTC))
marks_ = st.builds(
    Mark,
    sequence=st.none() | st.integers(0, 99),
    dtstamp=moments,
    digest=st.text(max_size=5),
    mail_date=moments,
    arrived=moments,
    reset_sequence=st.none() | st.integers(0, 99),
    reset_dtstamp=moments,
    cancelled=st.booleans(),
    organizer=st.none() | st.just(ALICE),
    partstat=st.sampled_from(["", "ACCEPTED"]),
)


@given(marks_)
def test_a_mark_survives_the_ledger(one: Mark) -> None:
    assert load(json.loads(json.dumps(dump(one)))) == one


stamps = st.builds(
    Stamp,
    sequence=st.none() | st.integers(0, 3),
    dtstamp=st.none() | st.integers(0, 3).map(at),
    digest=st.sampled_from(["a", "b", "c"]),
    mail_date=st.none() | st.integers(0, 3).map(at),
)


@given(one=stamps, other=stamps)
def test_of_two_words_one_is_newer_whichever_comes_first(one: Stamp, other: Stamp) -> None:
    if one.digest == other.digest:
        other = one  # a digest holds the keys
    forth, back = compare_organizer(one.mark(), other).order, compare_organizer(other.mark(), one).order
    assert {forth, back} in ({Order.NEWER, Order.OLDER}, {Order.SAME})
