"""What nobody touched goes out as it came; any bytes give a tree or the one error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.tree import Component, Limits, Property, parse, prop, text_prop, write


def calendar(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()


def first(*lines: str) -> Property:
    return parse(calendar(*lines)).properties[0]


SAMPLE = calendar(
    "VERSION:2.0",
    "begin:vevent",
    "X-A:1",
    "SUMMARY;LANGUAGE=de:a\\, b",
    "X-B:2",
    'ATTENDEE;CN="Doe, J";PartStat=accepted:MAILTO:b@x',
    "GARBAGE",
    "X-A:3",
    "BEGIN:VALARM ",
    "END:VALARM",
    "DTSTART:20270310T100000Z",
    "end:vevent",
)


def test_an_untouched_tree_is_written_as_it_came() -> None:
    assert write(parse(SAMPLE)) == SAMPLE


def test_a_change_touches_one_line_only() -> None:
    tree = parse(SAMPLE)
    event = tree.components[0]
    attendee = event.first("ATTENDEE")
    assert attendee is not None
    changed = tree.replace(event, event.replace(attendee, attendee.with_params(PARTSTAT="DECLINED")))
    before, after = SAMPLE.split(b"\r\n"), write(changed).split(b"\r\n")
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        (
            b'ATTENDEE;CN="Doe, J";PartStat=accepted:MAILTO:b@x',
            b'ATTENDEE;CN="Doe, J";PARTSTAT=DECLINED:MAILTO:b@x',
        )
    ]


PARAMETERS = [
    ('A;CN="Doe, J; X: y":v', {"CN": ("Doe, J; X: y",)}, "v"),
    ("A;CN=\"a ^'q^' b^nc ^^d\":v", {"CN": ('a "q" b\nc ^d',)}, "v"),
    ("A;CN=a^xb:v", {"CN": ("a^xb",)}, "v"),
    ('A;CN="a \\"b\\" c":mailto:b@x', {"CN": ('a "b" c',)}, "mailto:b@x"),
    ('A;CN="a \\"b; c\\"";ROLE=CHAIR:mailto:b@x', {"CN": ('a "b; c"',), "ROLE": ("CHAIR",)}, "mailto:b@x"),
    ('A;CN="AD\\";ROLE=CHAIR:v', {"CN": ("AD\\",), "ROLE": ("CHAIR",)}, "v"),
    ("A;CN=Doe\\, J:v", {"CN": ("Doe, J",)}, "v"),
    ("A;CN=Doe, J:v", {"CN": ("Doe, J",)}, "v"),
    ('A;MEMBER="mailto:a@x","mailto:b@x":v', {"MEMBER": ("mailto:a@x", "mailto:b@x")}, "v"),
    ("A;RSVP:mailto:b@x", {"RSVP": ("",)}, "mailto:b@x"),
    ("A;SENT-BY=mailto:s@x:mailto:o@x", {"SENT-BY": ("mailto:s@x",)}, "mailto:o@x"),
    ("A;SENT-BY=mailto:s@x;CN=b:mailto:o@x", {"SENT-BY": ("mailto:s@x",), "CN": ("b",)}, "mailto:o@x"),
    ("A;ALTREP=https://x/y;CN=b:o", {"ALTREP": ("https://x/y",), "CN": ("b",)}, "o"),
    ("A;CN='Bob':v", {"CN": ("'Bob'",)}, "v"),
    ("A;CN=“Bob”:v", {"CN": ("“Bob”",)}, "v"),
    ('A;TZID="Eastern:20270310T100000', {"TZID": ("Eastern",)}, "20270310T100000"),
    (
        "A;TZID=(UTC+01:00) Amsterdam, Berlin:20270310T100000",
        {"TZID": ("(UTC+01:00) Amsterdam, Berlin",)},
        "20270310T100000",
    ),
    ('A;SCHEDULE-STATUS="2.0,1.2":v', {"SCHEDULE-STATUS": ("2.0,1.2",)}, "v"),
    ("A;X-P=;L=de:v", {"X-P": ("",), "L": ("de",)}, "v"),
]


@pytest.mark.parametrize(("line", "params", "value"), PARAMETERS)
def test_parameters_are_read_as_they_were_meant(
    line: str, params: dict[str, tuple[str, ...]], value: str
) -> None:
    found = first(line)
    assert {item.name: item.values for item in found.params} == params
    assert found.value == value


@pytest.mark.parametrize(("line", "params", "value"), PARAMETERS)
def test_parameters_survive_being_written_anew(
    line: str, params: dict[str, tuple[str, ...]], value: str
) -> None:
    found = first(line)
    again = first(found.with_params(X_NEW="1").line).with_params(X_NEW=None)
    assert again == found


def test_a_doubled_parameter_keeps_both_until_it_is_set() -> None:
    found = first("A;CN=a;CN=b:v")
    assert found.param_values("CN") == ("a", "b")
    assert found.with_params(CN="c").param_values("CN") == ("c",)


def test_text_loses_its_escapes_and_keeps_stray_backslashes() -> None:
    assert first(r"S:a\, b\; c\\ d\ne\N \" C:\temp").text == 'a, b; c\\ d\ne\n " C:\\temp'


def test_a_built_line_cannot_smuggle_a_second_one() -> None:
    evil = "a\r\nATTENDEE:mailto:m@x"
    event = Component("VEVENT", [text_prop("SUMMARY", evil, X_P=evil), prop("X-RAW", evil)])
    again = parse(write(Component("VCALENDAR", [event])))
    assert again.components[0].all("ATTENDEE") == ()
    assert again.components[0].text("SUMMARY") == "a\nATTENDEE:mailto:m@x"


def test_folding_cuts_at_75_octets_and_never_inside_a_character() -> None:
    lines = write(Component("VCALENDAR", [text_prop("SUMMARY", "ü€😀" * 60)])).split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert all(line.decode() is not None for line in lines)


def test_a_character_folded_in_its_middle_is_whole_again() -> None:
    data = calendar("SUMMARY:M?nchen").replace(b"?", b"\xc3\r\n \xbc")
    tree = parse(data)
    assert tree.text("SUMMARY") == "München"
    assert write(tree) == data


def test_bytes_that_are_no_utf_8_survive() -> None:
    data = calendar("SUMMARY:M?nchen").replace(b"?", b"\xfc")
    tree = parse(data)
    assert write(tree) == data
    found = tree.properties[0]
    assert b"\xfc" in write(tree.put(found.with_params(X="1")))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\r\n"])
def test_line_ends_of_other_systems_become_crlf(end: str) -> None:
    assert write(parse(SAMPLE.replace(b"\r\n", end.encode()))) == SAMPLE


REPAIRS = [
    (b"\xef\xbb\xbf" + calendar("A:1"), calendar("A:1")),
    (b"Hello,\r\n" + calendar("A:1") + b"\r\n-- \r\nsent from phone\r\n", calendar("A:1")),
    (calendar("A:1") + calendar("A:2"), calendar("A:1")),
    (calendar("BEGIN:VEVENT", "A:1"), calendar("BEGIN:VEVENT", "A:1", "END:VEVENT")),
    (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nA:1", calendar("BEGIN:VEVENT", "A:1", "END:VEVENT")),
    (
        calendar("BEGIN:VEVENT", "A:1", "END:VTODO", "B:1"),
        calendar("BEGIN:VEVENT", "A:1", "END:VEVENT", "B:1"),
    ),
]


@pytest.mark.parametrize(("data", "repaired"), REPAIRS)
def test_a_broken_frame_is_repaired(data: bytes, repaired: bytes) -> None:
    assert write(parse(data)) == repaired


@pytest.mark.parametrize("data", [b"", b"BEGIN:VCARD\r\nEND:VCARD\r\n", b"\x00" * 100, b"VERSION:2.0"])
def test_what_is_no_calendar_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedCalendar):
        parse(data)


BOMBS = [
    (calendar("A:" + "x" * 1_100_000), "too-large"),
    (calendar("A:" + "x" * 70_000), "too-large"),
    (calendar(*["BEGIN:VEVENT", "END:VEVENT"] * 2001), "too-many-components"),
    (calendar(*["BEGIN:X"] * 11), "too-deep"),
    (calendar("BEGIN:VEVENT", *["ATTENDEE:a"] * 1001, "END:VEVENT"), "too-many-attendees"),
    (calendar(*["A:"] * 50_001), "too-large"),
]


@pytest.mark.parametrize(("data", "code"), BOMBS)
def test_every_limit_has_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        parse(data)
    assert caught.value.code == code


def test_a_long_value_in_short_lines_is_within_the_limits() -> None:
    data = write(Component("VCALENDAR", [prop("ATTACH", "A" * 500_000)]))
    assert len(parse(data).value("ATTACH") or "") == 500_000
    with pytest.raises(LimitExceeded):
        parse(data, Limits(bytes=1000))


def test_put_replaces_in_place_and_add_stays_before_subcomponents() -> None:
    event = parse(SAMPLE).components[0]
    assert [p.value for p in event.put(prop("X-A", "9")).all("X-A")] == ["9"]
    assert event.put(prop("X-A", "9")).children[0].name == "X-A"
    names = [child.name for child in event.add(prop("NEW", "1")).children]
    assert names.index("NEW") == names.index("VALARM") - 1


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=60)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=120)
PROPERTIES = st.builds(
    lambda name, text, params: text_prop(name, text).with_params(**params),
    st.sampled_from(["SUMMARY", "X-A", "COMMENT"]),
    WORDS.map(lambda text: "".join(c for c in text if c >= " " and c != "\x7f")),
    st.dictionaries(st.sampled_from(["CN", "X_P", "LANGUAGE"]), VALUES, max_size=2),
)


@given(
    st.recursive(
        st.builds(Component, st.just("VEVENT"), st.lists(PROPERTIES, max_size=4)),
        lambda inner: st.builds(
            Component, st.just("X-C"), st.lists(st.one_of(PROPERTIES, inner), max_size=3)
        ),
        max_leaves=4,
    )
)
def test_what_was_written_is_read_back(component: Component) -> None:
    tree = Component("VCALENDAR", [component])
    assert parse(write(tree)) == tree


@given(st.binary(max_size=300))
def test_any_bytes_give_a_tree_or_the_one_error(data: bytes) -> None:
    check_total(data)
    check_total(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + data)


@given(
    st.lists(
        st.sampled_from(
            [
                "BEGIN:VEVENT",
                "END:VEVENT",
                "END:VCALENDAR",
                "A;",
                'B="',
                ":",
                ";CN=",
                "\r",
                "\n",
                "\r\n ",
                "mailto:",
                "\\",
                '"',
                ",",
                "(UTC+01:00)",
                "ü",
                "\udc80",
            ]
        ),
        max_size=30,
    )
)
def test_any_sequence_of_tokens_gives_a_fixed_point(tokens: list[str]) -> None:
    check_total(b"BEGIN:VCALENDAR\r\n" + "".join(tokens).encode("utf-8", "surrogateescape"))


def check_total(data: bytes) -> None:
    try:
        tree = parse(data)
    except MalformedCalendar:
        return
    once = write(tree)
    assert parse(once) == tree
    assert write(parse(once)) == once
    for component in (tree, *tree.components):
        for found in component.properties:
            assert found.text is not None
            assert found.address is not None
            assert found.params is not None
