"""Golden letters of every kind and language, of every method and sender, read by models of the programs that must understand them.

`GOLDEN=write pytest tests/imip/test_golden.py` writes tests/imip/letters anew; read the difference before you commit it.
KIND.eml is an English letter to the octet, LANGUAGE/KIND.txt what a reader sees of it, METHOD.txt from whom it comes.
"""

from __future__ import annotations

import email
import os
import re
from collections.abc import Callable, Iterator
from email import policy
from email.message import EmailMessage, Message
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gateway.ical.tree import parse
from gateway.imip.letter import Reader
from gateway.imip.links import LinkTokens
from gateway.imip.lint import faults, warnings
from gateway.imip.write import LetterParts, write
from gateway.itip.model import Method, Reason
from gateway.ports import Letter
from gateway.render.letters import KINDS

HERE = Path(__file__).parent / "letters"
MODES = ("user", "agent", "on-behalf")
METHODS = {
    "REQUEST": "invitation",
    "CANCEL": "cancellation",
    "REPLY": "reply",
    "DECLINECOUNTER": "proposal-declined",
    "REFRESH": "refresh",
}
LETTERS = (
    *KINDS,
    "answered-coming",
    *(f"booking-{one}" for one in ("accepted", "partly", "waits", "hours", "duration")),
)
NEVER_SENT = {Method.ADD, Method.COUNTER, Method.PUBLISH}  # SPEC 4.6; a proposal is made on our page
SIGNED = LinkTokens(keys=(b"a secret of the tests",), url="https://cal.example.org")

Composed = Callable[..., LetterParts | Reason]


@pytest.fixture(scope="session")
def every(cases: dict[str, Letter], notices: dict[str, Letter]) -> dict[str, Letter]:
    return cases | notices


def sent(composed: Composed, letter: Letter, **options: object) -> bytes:
    parts = composed(letter, signed=SIGNED, **options)
    assert isinstance(parts, LetterParts), parts
    return write(parts).content


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def assert_golden(name: str, content: bytes) -> None:
    path = HERE / name
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    assert content == path.read_bytes()


# --- what a reader sees ----------------------------------------------------------------------------------------------


class Words(HTMLParser):
    """An HTML letter without its looks: tags and attributes that carry meaning, one text a line."""

    KEPT = ("lang", "dir", "href", "scope")
    MUTE = frozenset({"style", "title"})
    FILLER = dict.fromkeys(map(ord, "\u2007\ufeff\u034f"), " ")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._muted = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._muted = tag in self.MUTE
        kept = [f'{name}="{value}"' for name, value in attrs if name in self.KEPT]
        if kept or tag in {"h1", "h2", "s", "bdi"}:
            self.lines.append(f"<{' '.join([tag, *kept])}>")

    def handle_endtag(self, tag: str) -> None:
        self._muted = False

    def handle_data(self, data: str) -> None:
        words = " ".join(data.translate(self.FILLER).split())
        if words and not self._muted:
            self.lines.append(words)


def shown(content: bytes) -> bytes:
    """The fields that people see, the text, and the words of the HTML."""
    message = read(content)
    fields = [f"{name}: {message[name]}" for name in ("From", "Reply-To", "To", "Subject") if message[name]]
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None and html is not None
    pieces = ("\n".join(fields), text.get_content().strip(), "\n".join(Words(html.get_content()).lines))
    return ("\n\n======\n\n".join(pieces) + "\n").encode()


def parts_of(content: bytes) -> list[tuple[str, bytes]]:
    """The calendar parts, decoded."""
    found = [
        one for one in read(content).walk() if "calendar" in str(one["Content-Type"]) or one.get_filename()
    ]
    return [(one.get_content_type(), one.get_payload(decode=True)) for one in found]


def unspoken(parts: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Without what a room says."""
    return [(kind, re.sub(rb"COMMENT;LANGUAGE=(?:[^\r]|\r\n )+\r\n", b"", data)) for kind, data in parts]


# --- every kind in every language ------------------------------------------------------------------------------------


def test_every_kind_of_letter_is_golden(every: dict[str, Letter]) -> None:
    assert {letter.letter.summary["kind"] for letter in every.values()} == set(KINDS)
    assert set(LETTERS) <= set(every)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_is_the_golden_one(kind: str, every: dict[str, Letter], composed: Composed) -> None:
    assert_golden(f"{kind}.eml", sent(composed, every[kind]))


@pytest.mark.parametrize("language", ["de", "ja", "ar"])
@pytest.mark.parametrize("kind", LETTERS)
def test_a_letter_in_another_language_is_the_golden_one(
    kind: str, language: str, every: dict[str, Letter], composed: Composed
) -> None:
    """Only the words differ: but for a room's own, the calendar parts are octet for octet those of the English letter."""
    letter = every[kind]
    content = sent(composed, letter, reader=Reader(language=language, zone="Europe/Berlin"))
    assert_golden(f"{language}/{kind}.txt", shown(content))
    assert faults(content, notice=not letter.letter.method) == ()
    english = parts_of((HERE / f"{kind}.eml").read_bytes())
    assert unspoken(parts_of(content)) == unspoken(english)


# --- every method from every sender ----------------------------------------------------------------------------------


def from_each(letter: Letter, composed: Composed) -> Iterator[tuple[str, bytes]]:
    ours = letter.letter.sender.rpartition("@")[2]
    for mode in MODES:
        options = (
            {"domains": (ours,)} if mode == "user" else {"domains": ("ours.example",), "from_foreign": mode}
        )
        yield mode, sent(composed, letter, **options)


def test_there_is_a_letter_of_every_method_that_is_sent() -> None:
    assert set(METHODS) == {str(one) for one in set(Method) - NEVER_SENT}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_comes_from_whom_the_mode_says(
    method: str, every: dict[str, Letter], composed: Composed
) -> None:
    letter = every[METHODS[method]]
    assert letter.letter.method == method
    told = []
    for mode, content in from_each(letter, composed):
        head, _, _ = content.partition(b"\r\nMIME-Version")
        told.append(
            f"--- {mode}\n".encode() + head.replace(b"\r\n", b"\n") + b"\n\n" + parts_of(content)[0][1]
        )
        assert faults(content) == ()
    assert_golden(f"{method}.txt", b"\n".join(told))
    refused = composed(letter, domains=("ours.example",), from_foreign="refuse")
    assert refused is Reason.FROM_REFUSED


# --- reader models ---------------------------------------------------------------------------------------------------

KNOWN_TO_NEXTCLOUD = ("REQUEST", "REPLY", "CANCEL")
Seen = tuple[str, bytes] | None  # the method that it acts upon, and the calendar text


def data_of(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def method_in(data: bytes) -> str:
    found = re.search(rb"^METHOD:(\w+)\r$", data, re.MULTILINE)
    return found[1].decode() if found else ""


def outlook_sees(message: Message) -> Seen:
    """MS-STANOICAL 2.4: the first child and what is below it, exactly text/calendar, no attachment, methods equal."""
    first = message.get_payload(0)
    assert isinstance(first, Message)
    for part in first.walk():
        if part.get_content_type() == "text/calendar" and part.get_content_disposition() != "attachment":
            data = data_of(part)
            return (method_in(data), data) if method_in(data) == part.get_param("method") else None
    return None


def nextcloud_sees(message: Message) -> Seen:
    """nextcloud/mail goes by the `method` parameter, and knows three."""
    for part in message.walk():
        if part.get_content_type() == "text/calendar" and part.get_param("method") in KNOWN_TO_NEXTCLOUD:
            return str(part.get_param("method")), data_of(part)
    return None


def thunderbird_sees(message: Message) -> Seen:
    """Any text/calendar in an alternative, the last the best; METHOD of the parameter, else of the object."""
    for part in message.walk():
        children = part.get_payload() if part.get_content_type() == "multipart/alternative" else []
        for child in reversed([one for one in children if isinstance(one, Message)]):
            if child.get_content_type() == "text/calendar":
                method = str(child.get_param("method") or method_in(data_of(child)))
                return (method, data_of(child)) if method else None
    return None


def gromox_sees(message: Message) -> Seen:
    """Exchange's heir: in an alternative calendar wins, a disposition other than inline makes a file, no charset ASCII."""
    for part in message.walk():
        if part.get_content_type() == "text/calendar" and part.get_content_disposition() in {None, "inline"}:
            data = data_of(part)
            text = data.decode(part.get_content_charset("us-ascii"))
            return method_in(text.encode()), data
    return None


def fastmail_sees(message: Message) -> Seen:
    """The last of text/calendar, application/ics and *.ics, if it has METHOD and UID."""
    found: Seen = None
    for part in message.walk():
        named = (part.get_filename() or "").endswith(".ics")
        if named or part.get_content_type() in {"text/calendar", "application/ics"}:
            data = data_of(part)
            found = (method_in(data), data) if method_in(data) and b"\r\nUID:" in data else found
    return found


def phone_sees(message: Message) -> Seen:
    """iOS over EAS, and people: the attachment named invite.ics."""
    for part in message.walk():
        if part.get_content_disposition() == "attachment" and part.get_filename() == "invite.ics":
            return method_in(data_of(part)), data_of(part)
    return None


READERS = (outlook_sees, nextcloud_sees, thunderbird_sees, gromox_sees, fastmail_sees, phone_sees)


def assert_read_by_all(content: bytes, letter: Letter) -> None:
    method = letter.letter.method
    readers = [one for one in READERS if one is not nextcloud_sees or method in KNOWN_TO_NEXTCLOUD]
    ((seen, data),) = {one(email.message_from_bytes(content)) or ("", b"") for one in readers}
    assert seen == method
    assert data.startswith(b"BEGIN:VCALENDAR\r\n") and data.endswith(b"END:VCALENDAR\r\n")


@pytest.mark.parametrize("kind", LETTERS)
def test_every_reader_sees_the_meeting_of_a_golden_letter(kind: str, every: dict[str, Letter]) -> None:
    """With its method, in equal octets; in a notice none of them sees a meeting."""
    content, letter = (HERE / f"{kind}.eml").read_bytes(), every[kind]
    if letter.letter.method:
        assert_read_by_all(content, letter)
    else:
        assert {one(email.message_from_bytes(content)) for one in READERS} == {None}


@pytest.mark.parametrize("method", METHODS)
def test_every_reader_sees_the_meeting_from_every_sender(
    method: str, every: dict[str, Letter], composed: Composed
) -> None:
    letter = every[METHODS[method]]
    for _, content in from_each(letter, composed):
        assert_read_by_all(content, letter)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_golden_letter_has_no_fault(kind: str, every: dict[str, Letter]) -> None:
    content = (HERE / f"{kind}.eml").read_bytes()
    assert faults(content, notice=not every[kind].letter.method) == ()
    assert all(warnings(parse(data), len(data)) == () for _, data in parts_of(content))
    assert b"\n" not in content.replace(b"\r\n", b"") and b"\r" not in content.replace(b"\r\n", b"")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert len(content) < 100_000


@pytest.mark.parametrize("kind", LETTERS)
def test_every_parser_of_python_finds_no_defect(kind: str, every: dict[str, Letter]) -> None:
    content = (HERE / f"{kind}.eml").read_bytes()
    words = ["multipart/alternative", "text/plain", "text/html"]
    tree = ["multipart/mixed", *words, "text/calendar", "application/ics"]
    for chosen in (policy.compat32, policy.default, policy.SMTP):
        parts = list(email.message_from_bytes(content, policy=chosen).walk())
        assert [one.defects for one in parts] == [[]] * len(parts)
        assert [one.get_content_type() for one in parts] == (tree if every[kind].letter.method else words)


@pytest.mark.parametrize("kind", LETTERS)
def test_a_notice_goes_out_with_the_null_sender(
    kind: str, every: dict[str, Letter], composed: Composed
) -> None:
    """Its bounce is nobody's news; an iTIP letter's comes home (SPEC 3.4)."""
    letter = every[kind]
    parts = composed(letter)
    assert isinstance(parts, LetterParts)
    assert bool(parts.envelope_sender) == bool(letter.letter.method)
    if not letter.letter.method:
        assert parts.auto_submitted == "auto-generated"
        assert faults(write(parts).content) != ()  # a notice is no letter about a meeting
