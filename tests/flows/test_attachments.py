"""A guest without a login gets what is attached to his meeting, as long as it is, and nothing that is not."""

from __future__ import annotations

import re

import pytest

from gateway.errors import BackendUnavailable
from gateway.flows.attachments import Attachments, _file_name
from gateway.flows.feed import Feed
from gateway.ports import Document, Sent, Visit

BOB, CAROL = "bob@example.net", "carol@example.com"
HREF = "/alice/calendar/m1.ics"
KEEPER = "https://cal.example.org"
PLACE = f"{KEEPER}/dav/alice/Attachments"
AGENDA = f"ATTACH;MANAGED-ID=a1;FILENAME=agenda.pdf;SIZE=14;FMTTYPE=application/pdf:{PLACE}/a1"
PLAN = f"ATTACH;MANAGED-ID=b2;FILENAME=plan.txt:{PLACE}/b2"
PDF = Document(content=b"%PDF-1.4 hello", kind="application/pdf")


def links(world, to: str = BOB) -> list[str]:
    """Of the last letter's calendar part."""
    return re.findall(r"^ATTACH[^:\n]*:(.*)$", world.got(to)[-1].calendar, re.MULTILINE)


@pytest.fixture
async def attached(world, say):
    """Alice's meeting with Bob and Carol has an agenda and a plan; what the links of Bob's letter name."""
    world.calendars.keeper = KEEPER
    world.calendars.documents = {f"{PLACE}/a1": PDF, f"{PLACE}/b2": Document(content=b"plan")}
    world.save(say.meeting(guests=f"{BOB} {CAROL}"))
    world.edit(HREF, ("SUMMARY:Lunch", f"SUMMARY:Lunch\r\n{AGENDA}\r\n{PLAN}"))
    await world.drain()
    world.token = re.fullmatch(r"http://pages/a/([^/]+)/1", links(world)[0])[1]  # type: ignore[index]
    world.served = Attachments(opener=world.rsvp._opener, calendars=world.seen, pages=world.rsvp._pages)
    return world


async def fetched(world, number: int = 1, token: str = "") -> Document | None:
    return await world.served.fetch(Visit(token=token or world.token), number)


async def test_the_letter_links_to_it_in_its_calendar_and_in_its_words(attached):
    token = attached.token
    assert links(attached) == [f"http://pages/a/{token}/1", f"http://pages/a/{token}/2"]
    letter = attached.got(BOB)[-1]
    assert "MANAGED-ID" not in letter.calendar and "FILENAME=agenda.pdf" in letter.calendar
    words = letter.content.replace(b"=\r\n", b"")
    assert f"http://pages/a/{token}/1".encode() in words and PLACE.encode() not in words
    assert links(attached, CAROL)[0] != links(attached)[0], "each guest has his own"
    assert "MANAGED-ID=a1" in attached.text(HREF), "the organizer's copy keeps its own"


async def test_a_server_that_manages_none_is_left_alone(world, say):
    world.save(say.meeting())
    world.edit(HREF, ("SUMMARY:Lunch", f"SUMMARY:Lunch\r\n{AGENDA}"))
    await world.drain()
    assert links(world) == [f"{PLACE}/a1"]


async def test_a_server_that_does_not_answer_keeps_no_letter_back(world, say):
    world.calendars.keeper = KEEPER
    world.save(say.meeting())
    world.edit(HREF, ("SUMMARY:Lunch", f"SUMMARY:Lunch\r\n{AGENDA}"))
    world.outbox.answers.append(Sent(state="deferred", code=451))
    await world.settle()
    world.calendars.fail("profile", BackendUnavailable("away"))
    world.clock.forward(hours=1)
    await world.work()
    assert links(world) == [f"{PLACE}/a1"]


async def test_the_page_and_the_files_of_a_guest_link_to_it_too(attached):
    letter = attached.got(BOB)[-1].content.replace(b"=\r\n", b"").decode()
    visit = Visit(token=re.search(r"http://pages/r/([^?\s]+)\?a=3Dyes", letter)[1])  # type: ignore[index]
    shown = (await attached.rsvp.show(visit)).html
    assert f'href="http://pages/a/{attached.token}/1"' in shown and PLACE not in shown
    key = re.search(r'href="webcal://pages/c/([^/"]+)/event.ics"', shown)[1]  # type: ignore[index]
    feed = Feed(opener=attached.rsvp._opener, pages=attached.rsvp._pages)
    for text in (await attached.rsvp.calendar(visit), await feed.calendar(Visit(token=key))):
        unfolded = text.replace(b"\r\n ", b"")
        assert f":http://pages/a/{attached.token}/2".encode() in unfolded
        assert PLACE.encode() not in unfolded and b"MANAGED-ID" not in unfolded


async def test_the_document_comes_with_its_name(attached):
    found = await fetched(attached)
    assert found == Document(content=PDF.content, kind=PDF.kind, name="agenda.pdf")
    assert (await fetched(attached, 2)).content == b"plan"


@pytest.mark.parametrize("number", [0, -1, 3, 999])
async def test_no_other_number_is_anything(attached, number: int):
    assert await fetched(attached, number) is None


async def test_a_newer_version_at_another_place_is_followed_under_its_id_only(attached):
    moved = f"{KEEPER}/dav/alice/Elsewhere/a1"
    attached.calendars.documents[moved] = Document(content=b"new")
    attached.edit(HREF, (f"{PLACE}/a1", moved))
    assert (await fetched(attached)).content == b"new"
    attached.calendars.documents[f"{KEEPER}/dav/alice/calendar/m2.ics"] = Document(content=b"private")
    attached.edit(HREF, (moved, f"{KEEPER}/dav/alice/calendar/m2.ics"))
    assert await fetched(attached) is None


async def test_what_was_attached_later_is_behind_no_old_link(attached):
    attached.edit(HREF, ("MANAGED-ID=b2", "MANAGED-ID=c3"), (f"{PLACE}/b2", f"{PLACE}/c3"))
    attached.calendars.documents[f"{PLACE}/c3"] = Document(content=b"later")
    assert await fetched(attached, 2) is None


@pytest.mark.parametrize(
    "ending",
    [
        lambda world: world.edit(HREF, (f"{AGENDA}\r\n", "")),
        lambda world: world.calendars.remove(HREF),
        lambda world: world.calendars.documents.clear(),
        lambda world: world.edit(HREF, (f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{BOB}\r\n", "")),
        lambda world: world.clock.forward(days=100),
    ],
    ids=["taken off", "no meeting", "not there", "struck off", "over"],
)
async def test_what_is_no_more_is_not_had(attached, ending):
    ending(attached)
    assert await fetched(attached) is None


async def test_a_link_that_was_revoked_opens_nothing(attached):
    await attached.store.links.revoke("alice@example.org", "m1", {BOB})
    assert await fetched(attached) is None
    assert "attachment" not in attached.calendars.calls


async def test_its_key_opens_no_page_and_no_other_key_opens_it(attached):
    assert (await attached.rsvp.show(Visit(token=attached.token))).status == 404
    page = re.search(
        rb"http://pages/r/([^?\s]+)\?a=3Dyes", attached.got(BOB)[-1].content.replace(b"=\r\n", b"")
    )
    assert page is not None and await fetched(attached, token=page[1].decode()) is None
    assert (await attached.served.show(Visit(token="x"))).status == 404


async def test_trouble_of_the_server_is_said(attached):
    attached.calendars.fail("attachment", BackendUnavailable("away"))
    with pytest.raises(BackendUnavailable):
        await fetched(attached)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("agenda.pdf", "agenda.pdf"),
        ("Ablauf für Zoë.pdf", "Ablauf für Zoë.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        (".bashrc", "bashrc"),
        ("a\u202efdp.exe", "afdp.exe"),
        ("a\r\nSet-Cookie: b", "a Set-Cookie: b"),
        ("", "attachment"),
        ("..", "attachment"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("x" * 300, "x" * 120),
    ],
)
def test_a_file_has_a_name_and_no_place(told: str, name: str):
    assert _file_name(told) == name
