"""A person is who the server says he is, in whatever spelling, and goes back to the calendar as he stood there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ical.address import Address
from gateway.ical.principals import Named, Person, Place, marked, named, place, places, spelled, strange
from gateway.ical.tree import DEFAULT_LIMITS, Property

BOB = Address("bob@example.org")


def text(*lines: str) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//EN", "BEGIN:VEVENT", "UID:1"]
    return "\r\n".join([*head, *lines, "END:VEVENT", "END:VCALENDAR", ""]).encode()


def knows(uri: str) -> Named:
    return lambda line: Person(address=BOB) if place(line.value) == place(uri) else None


@pytest.mark.parametrize(
    "uri",
    [
        "/principals/users/bob/",
        "/principals/users/bob",
        " /principals//users/./bob/ ",
        "/principals/users/%62ob/",
        "/principals/groups/../users/bob/",
        "/principals/users/bob/?a=b",
    ],
)
def test_the_spellings_of_a_path_are_one(uri: str) -> None:
    assert place(uri) == Place(host="", path="/principals/users/bob")


@pytest.mark.parametrize(
    ("uri", "host", "path"),
    [
        ("https://Cal.Example.org/p/bob/", "cal.example.org", "/p/bob"),
        ("HTTPS://cal.example.org:443/p/bob", "cal.example.org", "/p/bob"),
        ("http://cal.example.org:8008/p/bob", "cal.example.org:8008", "/p/bob"),
        ("https://cal.example.org/p/b%c3%b6b", "cal.example.org", "/p/b%C3%B6b"),
        ("https://cal.example.org/p/böb", "cal.example.org", "/p/b%C3%B6b"),
        ("//cal.example.org/p/bob/", "cal.example.org", "/p/bob"),
        (
            "URN:UUID:272C501F-366C-517D-8AF3-44C37777EF83",
            "",
            "urn:uuid:272c501f-366c-517d-8af3-44c37777ef83",
        ),
    ],
)
def test_scheme_host_port_and_escapes_have_one_spelling(uri: str, host: str, path: str) -> None:
    assert place(uri) == Place(host=host, path=path)


@pytest.mark.parametrize(
    "uri", ["mailto:bob@example.org", "bob@example.org", "/", "//", "https://x/", "invalid:nomail", ""]
)
def test_an_address_and_a_root_are_no_principal(uri: str) -> None:
    assert place(uri) is None


def test_case_matters_in_a_path() -> None:
    assert place("/principals/Bob/") != place("/principals/bob/")


def test_a_text_of_mail_addresses_is_not_looked_at_twice() -> None:
    plain = text(
        "ORGANIZER;CN=A:mailto:a@example.org", 'ATTENDEE;CN="B":MAILTO:b@example.org', "SUMMARY:ATTENDEE"
    )
    assert not strange(plain)
    assert named(plain, DEFAULT_LIMITS, knows("/p/bob")) is plain
    assert strange(text("ATTENDEE;CN=B:/principals/b/"))
    assert strange(text("ORGANIZER:urn:", " uuid:272c501f"))


def test_a_principal_is_named_inside_and_stands_in_the_calendar_as_before() -> None:
    here = text("ORGANIZER;CN=Bob:/principals/users/bob/", "ATTENDEE:https://cal/other/", "X-A:1")
    inside = named(here, DEFAULT_LIMITS, knows("/principals/users/bob"))
    assert b":mailto:bob@example.org" in inside.replace(b"\r\n ", b"")
    assert marked(inside)
    assert places(inside, DEFAULT_LIMITS) >= {Place(host="", path="/principals/users/bob")}
    assert spelled(inside, DEFAULT_LIMITS, knows("/principals/users/bob")) == here


def test_a_mark_that_somebody_else_made_puts_nobody_into_the_calendar() -> None:
    forged = text('ORGANIZER;X-IMIP-GATEWAY-STORED-AS="/principals/eve/":mailto:bob@example.org')
    assert spelled(forged, DEFAULT_LIMITS, knows("/principals/users/bob")) == text(
        "ORGANIZER:mailto:bob@example.org"
    )


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=60))
def test_whatever_stands_there_comes_back(uri: str) -> None:
    line = Property("ORGANIZER", "".join(uri.splitlines()))
    here = text(line.line)
    inside = named(here, DEFAULT_LIMITS, lambda one: Person(address=BOB))
    assert spelled(inside, DEFAULT_LIMITS, lambda one: Person(address=BOB)).replace(
        b"\r\n ", b""
    ) == here.replace(b"\r\n ", b"")
    place(uri)
