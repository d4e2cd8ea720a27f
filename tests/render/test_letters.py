"""Letters as their readers see them: the words of each kind, both schemes, every direction, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from gateway.imip.fields import Mailbox
from gateway.imip.letter import Links, Reader, Sheet, Worded
from gateway.itip.model import Attached, Facts, Guest, Said, Summary, When
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, KINDS, Letters
from gateway.render.templates import Templates

MakeSheet = Callable[..., Sheet]
At = Callable[..., When]

LINKS = Links(
    accept="https://gw.example/r/T?a=yes",
    tentative="https://gw.example/r/T?a=maybe",
    decline="https://gw.example/r/T?a=no",
    mail="calendar+aTOKEN@example.org",
)


def summary(kind: str, meeting: Facts) -> Summary:
    before = replace(meeting, location="Room 1")
    return Summary(kind=kind, now=meeting, before=before, changed=("location",), partstat="ACCEPTED")


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "subject", "first"),
    [
        ("invitation", "Invitation: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "You are invited"),
        ("update", "Updated: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "The meeting has changed"),
        ("cancellation", "Cancelled: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "Cancelled"),
        (
            "removed",
            "No longer invited: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)",
            "No longer invited",
        ),
        ("reply", "Accepted: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "Accepted"),
        ("freebusy", "Busy times: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "Busy times"),
        ("refresh", "Once more: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)", "Please send again"),
    ],
)
def test_a_letter_says_at_once_what_it_is(
    kind: str, subject: str, first: str, meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    worded = letters.render(sheet(summary(kind, meeting)))
    assert worded.subject == subject and worded.text.splitlines()[0] == first
    assert worded.language == "en"


@pytest.mark.parametrize(
    ("partstat", "subject", "sentence"),
    [
        ("ACCEPTED", "Accepted: ", "Bob has accepted."),
        ("DECLINED", "Declined: ", "Bob has declined."),
        ("TENTATIVE", "Maybe: ", "Bob may come."),
        ("DELEGATED", "Delegated: ", "Bob sends somebody else."),
        ("NEEDS-ACTION", "Answer: ", "Bob has not decided yet."),
        ("X-ODD", "Answer: ", "Bob has not decided yet."),
    ],
)
def test_an_answer_names_who_gave_it(
    partstat: str, subject: str, sentence: str, meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    told = Summary(
        kind="reply",
        now=replace(meeting, comment="Ten minutes late"),
        partstat=partstat,
        attendee=Guest(address="bob@example.net", name="Bob"),
    )
    worded = letters.render(sheet(told))
    assert (
        worded.subject.startswith(subject) and sentence in worded.text and "> Ten minutes late" in worded.text
    )


def test_a_delegation_says_in_whose_place(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    dan = Guest(address="dan@example.com", name="Dan", partstat="DELEGATED", sends="bob@example.net")
    bob = Guest(address="bob@example.net", stands_for="dan@example.com")
    told = Summary(kind="delegation", now=replace(meeting, guests=(bob, dan)))
    assert "Alice Liddell invites you to this meeting in place of Dan." in letters.render(sheet(told)).text
    from_dan = sheet(told, sender=Mailbox(address="dan@example.com", name="Dan"))
    assert "Dan asks you to come to this meeting in their place." in letters.render(from_dan).text
    answer = Summary(
        kind="reply", now=replace(meeting, guests=(bob, dan)), partstat="DELEGATED", attendee=dan
    )
    assert "Dan sends bob@example.net instead." in letters.render(sheet(answer)).text


def test_several_answers_are_told_in_one_letter(
    meeting: Facts, sheet: MakeSheet, letters: Letters, at: At
) -> None:
    bob = Guest(address="bob@example.net", name="Bob", partstat="ACCEPTED")
    one = Said(guest=bob, comment="Ten minutes late")
    two = Said(guest=replace(bob, partstat="DECLINED"), date=at("2026-11-30 15:00"))
    alone = letters.render(sheet(Summary(kind="answers", now=meeting, answers=(one,))))
    assert alone.subject.startswith("Accepted: ") and "> Ten minutes late" in alone.text
    both = letters.render(sheet(Summary(kind="answers", now=meeting, answers=(one, two))))
    assert both.subject.startswith("2 answers: Quarterly planning")
    assert (
        "✓ Bob has accepted.\n  > Ten minutes late\n✕ Bob has declined.\n  Mon, 30 Nov 2026, 15:00\n"
        in both.text
    )
    many = letters.render(sheet(Summary(kind="answers", now=meeting, answers=(one,) * 90)))
    assert "and 70 more" in many.text and "and 70 more" in many.html and len(many.html) < 100_000
    polish = letters.render(sheet(Summary(kind="answers", now=meeting, answers=(one,) * 5), language="pl"))
    assert polish.subject.startswith("5 odpowiedzi: ")


def test_nothing_that_a_stranger_wrote_but_his_address_is_told(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    eve = Guest(address="eve@evil.example", name="Your bank https://evil.example", partstat="ACCEPTED")
    told = Summary(kind="stranger", now=meeting, attendee=eve)
    worded = letters.render(sheet(told, sender=Mailbox(address="eve@evil.example", name="Your bank")))
    assert "eve@evil.example has answered, but is not on the guest list." in worded.text
    said = worded.subject + worded.text + worded.html + worded.author
    assert "bank" not in said and "https://evil" not in said and "eve@" not in worded.subject


def test_a_letter_in_a_guessed_language_says_in_english_what_it_is(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    guess = {lang: Reader(language=lang, zone="Europe/Berlin", guessed=True) for lang in ("ar", "en", "")}
    told = Summary(kind="invitation", now=meeting)
    arabic = letters.render(
        sheet(told, reader=guess["ar"], links=replace(LINKS, page="https://gw.example/r/T"))
    )
    line = "In English: Invitation: Quarterly planning (Mon, 23 Nov 2026, 15:00 CET)"
    assert f"{line}\nhttps://gw.example/r/T?lang=en\n" in arabic.text
    assert '<div lang="en" dir="ltr"' in arabic.html and f"{line}</a>" in arabic.html
    sure = letters.render(sheet(told, language="ar", links=LINKS))
    english = [letters.render(sheet(told, reader=guess[one])) for one in ("en", "")]
    assert all("In English" not in one.text + one.html for one in (sure, *english))


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        ("invitation", {}, "Alice Liddell invites you to a meeting."),
        ("invitation", {"rule": "FREQ=WEEKLY"}, "Alice Liddell invites you to a series of meetings."),
        (
            "invitation",
            {"recurrence": "2026-11-23 15:00"},
            "Alice Liddell invites you to one date of a series.",
        ),
        ("invitation", {"kind": "VTODO"}, "Alice Liddell asks you to take on this task."),
        (
            "update",
            {"recurrence": "2026-11-23 15:00"},
            "has changed this date of the series. The others stay as they are.",
        ),
        ("cancellation", {"rule": "FREQ=WEEKLY"}, "has cancelled the whole series."),
        ("cancellation", {"recurrence": "2026-11-23 15:00"}, "has cancelled this date of the series."),
        ("removed", {}, "has taken you off the guest list."),
    ],
)
def test_a_letter_says_how_much_of_a_series_it_means(
    kind: str,
    changes: dict[str, str],
    sentence: str,
    meeting: Facts,
    sheet: MakeSheet,
    letters: Letters,
    at: At,
) -> None:
    values: dict[str, object] = dict(changes)
    if "recurrence" in changes:
        values["recurrence"] = at(changes["recurrence"])
    now = replace(meeting, **values)  # type: ignore[arg-type]
    assert sentence in letters.render(sheet(summary(kind, now))).text


def test_a_series_shows_its_rule_and_its_next_dates(
    meeting: Facts, sheet: MakeSheet, letters: Letters, at: At
) -> None:
    dates = tuple(at(f"2026-11-{day} 15:00") for day in (23, 30))
    series = replace(meeting, rule="FREQ=WEEKLY", next_dates=dates, skipped=(at("2026-12-07 15:00"),))
    worded = letters.render(sheet(Summary(kind="invitation", now=series)))
    assert "  Every week on Monday\n" in worded.text and "  Mon, 30 Nov 2026, 15:00\n" in worded.text
    assert "Not on\n  Mon, 7 Dec 2026, 15:00\n" in worded.text and "Not on</th>" in worded.html


def test_an_answer_that_no_longer_counts_is_asked_for_again(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    before = replace(meeting, guests=(Guest(address="bob@example.net", partstat="ACCEPTED"),))
    told = Summary(kind="update", now=meeting, before=before, changed=("location",))
    assert "please answer again" in letters.render(sheet(told)).text
    kept = Summary(kind="update", now=before, before=before, changed=("location",))
    assert "please answer again" not in letters.render(sheet(kept)).text


def test_an_optional_guest_is_told_so(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    now = replace(meeting, guests=(Guest(address="bob@example.net", role="OPT-PARTICIPANT"),))
    assert "Your attendance is optional." in letters.render(sheet(Summary(kind="invitation", now=now))).text


def test_a_long_guest_list_is_cut_and_counted(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    guests = tuple(Guest(address=f"g{number}@example.com") for number in range(500))
    worded = letters.render(sheet(Summary(kind="invitation", now=replace(meeting, guests=guests))))
    assert "and 480 more" in worded.text and "and 480 more" in worded.html and len(worded.html) < 100_000


def test_a_task_is_due(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    now = replace(meeting, kind="VTODO", start=None)
    text = letters.render(sheet(Summary(kind="invitation", now=now))).text
    assert "Due\n  Monday, 23 November 2026\n  16:30\n" in text


def test_a_letter_without_title_and_time_is_still_one(sheet: MakeSheet, letters: Letters) -> None:
    bare = Facts(kind="VEVENT", uid="u", sequence=0)
    for kind in KINDS:
        worded = letters.render(sheet(Summary(kind=kind, now=bare)))
        assert "(no title)" in worded.subject and "(no title)" in worded.html


def test_answers_have_links_only_where_there_are_some(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    told = Summary(kind="invitation", now=meeting)
    without, with_links = letters.render(sheet(told)), letters.render(sheet(told, links=LINKS))
    assert "gw.example" not in without.html + without.text
    for one in (LINKS.accept, LINKS.tentative, LINKS.decline, LINKS.mail):
        assert one in with_links.text and one.replace("&", "&amp;") in with_links.html
    assert "do not forward" in with_links.text


def test_german_speaks_german(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    worded = letters.render(sheet(summary("update", meeting), language="de"))
    assert worded.language == "de" and worded.subject.startswith(
        "Geändert: Quarterly planning (Mo., 23. Nov. 2026"
    )
    assert '<html lang="de" dir="ltr">' in worded.html and worded.author == "Alice Liddell über Kalender"


def test_a_laid_out_description_is_shown_and_its_words_where_there_is_no_other(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    laid_out = replace(
        meeting, styled="<p>Bring <b>keys</b></p><img src=https://spy.example>", description=""
    )
    worded = letters.render(sheet(summary("invitation", laid_out)))
    assert "<p>Bring <b>keys</b></p>" in worded.html and "spy" not in worded.html + worded.text
    assert "Description\n  Bring keys\n" in worded.text


@pytest.mark.parametrize("one", ["x", "字", "&"])
def test_no_mail_program_cuts_a_letter(one: str, meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    """Gmail does so at about 102 kB."""
    long = replace(
        meeting,
        title=one * 10_000,
        location=one * 10_000,
        description=f"{one * 3000}\n" * 300,
        guests=tuple(Guest(address=f"{one}{n}@example.net", name=one * 500) for n in range(5_000)),
    )
    worded = letters.render(sheet(summary("invitation", long)))
    assert len(worded.html.encode()) < 100_000 and "\n  …\n" in worded.text


def test_documents_conferences_and_a_deputy_are_named(
    meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    told = replace(
        meeting,
        labels=("Video <room>", ""),
        attached=(Attached(url="https://files.example.org/1", name="plan.pdf"), Attached(url="ftp://a/b")),
        organizer=replace(meeting.organizer, deputy="eva@example.org"),
    )
    worded = letters.render(sheet(summary("invitation", told)))
    assert "Join\n  Video <room>\n  https://video.example.org/j/83424\n  tel:" in worded.text
    assert "Attachments\n  plan.pdf\n  https://files.example.org/1\n" in worded.text
    assert "eva@example.org on behalf of Alice Liddell" in worded.text
    assert "Video &lt;room&gt;" in worded.html and 'href="https://files.example.org/1"' in worded.html


# --- HTML ------------------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """Tags, attributes, and whether they nest."""

    VOID = {"meta", "br", "link", "img", "hr"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(params=[*KINDS, "invitation-links"])
def html(request: pytest.FixtureRequest, meeting: Facts, sheet: MakeSheet, letters: Letters) -> str:
    kind = request.param.partition("-")[0]
    links = LINKS if "-" in request.param else Links()
    return letters.render(sheet(summary(kind, replace(meeting, comment="Sorry")), links=links)).html


def test_the_tree_of_tags_is_whole(html: str) -> None:
    seen = Seen(html)
    assert seen.wrong == [] and seen.open == []


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    tags = Seen(html).tags
    assert not {tag for tag, _ in tags} & {
        "img",
        "link",
        "script",
        "iframe",
        "object",
        "video",
        "svg",
        "form",
    }
    assert not re.search(r"url\(|@import|@font-face|src=|background=", html)
    addresses = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert all(one.startswith(("https://", "http://", "mailto:")) for one in addresses)


def test_no_reference_to_a_character_is_escaped_twice(html: str) -> None:
    """The inbox would show it beside the subject."""
    assert not re.search(r"&amp;(#\d+|[a-z]+);", html)


def test_layout_is_not_read_aloud_as_data(html: str) -> None:
    tables = [attributes for tag, attributes in Seen(html).tags if tag == "table"]
    cells = [attributes for tag, attributes in Seen(html).tags if tag == "th"]
    assert all(one.get("role") == "presentation" or "class" in one or "style" in one for one in tables)
    assert all(one.get("scope") == "row" for one in cells)


def test_language_and_direction_stand_where_webmail_keeps_them(html: str) -> None:
    found = [
        attributes for tag, attributes in Seen(html).tags if tag in {"html", "div"} and "lang" in attributes
    ]
    assert len(found) == 2 and all((one["lang"], one["dir"]) == ("en", "ltr") for one in found)


def test_headings_begin_with_one_title(html: str) -> None:
    headings = [tag for tag, _ in Seen(html).tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1


def test_no_text_is_smaller_than_people_can_read(html: str) -> None:
    sizes = [int(one) for one in re.findall(r"font-size:(\d+)px", html)]
    assert min(size for size in sizes if size > 1) >= 12 and 16 in sizes


def test_both_schemes_are_declared(html: str) -> None:
    assert '<meta name="color-scheme" content="light dark">' in html and "prefers-color-scheme: dark" in html


def test_old_values_carry_the_word_was(meeting: Facts, sheet: MakeSheet, letters: Letters) -> None:
    html = letters.render(sheet(summary("update", meeting))).html
    assert "was <del><bdi>Room 1</bdi></del>" in html


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_pair_of_colours_can_be_read(scheme: str, sources: dict[str, str]) -> None:
    block = re.search(rf"set {scheme} = (\{{.*?\}}) %", sources["mail/style.html"], re.DOTALL)
    assert block is not None
    palette = dict(re.findall(r'"(\w+)": "(#[0-9a-f]{6})"', block[1]))
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("card", "page")]
    for tone in ("news", "change", "yes", "maybe", "no"):
        pairs += [(tone, f"{tone}_bg"), (tone, "card")]
    assert all(contrast(palette[one], palette[two]) >= 4.5 for one, two in pairs)


def test_right_to_left_is_mirrored(meeting: Facts, sheet: MakeSheet, sources: dict[str, str]) -> None:
    spoken = catalogues({"ar": b'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'})
    letters = Letters(Templates(sources, filters=FILTERS), spoken)
    worded = letters.render(sheet(summary("update", meeting), language="ar"))
    assert '<html lang="ar" dir="rtl">' in worded.html and "text-align:left" not in worded.html
    assert "\u2068Quarterly planning\u2069" in worded.subject


# --- hostile ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_a_meeting_can_add_markup(
    kind: str, meeting: Facts, sheet: MakeSheet, letters: Letters
) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=y>{{ 1 }}\u202e'
    guest = Guest(address=f"a@b.example{evil}", name=evil)
    now = replace(
        meeting,
        title=evil,
        description=evil,
        location=evil,
        url="https://a.example/" + evil,
        conference=(evil, "javascript:alert(1)", "data:text/html,x"),
        organizer=guest,
        guests=(guest,),
        comment=evil,
        status=evil,
        rule=evil,
    )
    told = Summary(
        kind=kind, now=now, before=meeting, changed=tuple(Facts.__dataclass_fields__), attendee=guest
    )
    html = letters.render(sheet(told)).html
    assert not {"script", "img"} & {tag for tag, _ in Seen(html).tags}
    assert "javascript:" not in html and "data:" not in html and "\u202e" not in html
    assert Seen(html).wrong == []


def test_a_language_that_we_do_not_have_is_the_gateways_own(
    sources: dict[str, str], spoken: dict[str, object], meeting: Facts, sheet: MakeSheet
) -> None:
    letters = Letters(Templates(sources, filters=FILTERS), spoken, language="nl")  # type: ignore[arg-type]
    for asked, language in (("fi", "nl"), ("", "nl"), ("de-AT", "de")):
        worded = letters.render(sheet(summary("invitation", meeting), language=asked))
        assert worded.language == language


def test_a_place_is_shown_on_the_map_of_the_operators_choice(
    sources: dict[str, str], spoken: dict[str, object], meeting: Facts, sheet: MakeSheet
) -> None:
    def made(place: str, map_url: str = "https://map.example/?q={place}&z=1") -> Worded:
        letters = Letters(Templates(sources, filters=FILTERS), spoken, map_url=map_url)  # type: ignore[arg-type]
        return letters.render(sheet(summary("invitation", replace(meeting, location=place))))

    there = made('1 "Main" Street/2 & Ängelholm')
    link = "https://map.example/?q=1%20%22Main%22%20Street%2F2%20%26%20%C3%84ngelholm&z=1"
    assert link in there.text and link.replace("&", "&amp;") in there.html
    for worded in (made("https://meet.example/room"), made(""), made("Room 4", map_url="")):
        assert "map" not in worded.text and "on a map" not in worded.html


def test_what_the_law_asks_for_stands_at_the_foot(
    sources: dict[str, str], spoken: dict[str, object], meeting: Facts, sheet: MakeSheet
) -> None:
    imprint = ("Example Ltd <office>", "1 Main Street")
    letters = Letters(Templates(sources, filters=FILTERS), spoken, imprint=imprint)  # type: ignore[arg-type]
    for kind in ("invitation", "bounced"):
        worded = letters.render(sheet(summary(kind, meeting)))
        foot = worded.text.partition("\n-- \n")[2]
        assert "Example Ltd <office>\n1 Main Street\n" in foot
        assert "Example Ltd &lt;office&gt;" in worded.html and Seen(worded.html).wrong == []
