"""docs/itip.md, made from the code's own table: `make itip-table` writes it, this file holds it true.

Each line of the page is a probe that was really made: for every method, component and part that the account has in a meeting,
the message that its organizer, a guest and a passer-by would send meets `decide`. Where scenario scripts reach the same row of
the table, they are named beside it, with what it came to there.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.ical.address import Address, address
from gateway.ical.event import CalendarObject
from gateway.itip import freebusy
from gateway.itip.decide import TABLE, Row, decide
from gateway.itip.model import Certainty, Context, Decision, Message, Method, Policy, Role, Verdict
from gateway.itip.parse import METHODS, Refusal
from gateway.itip.roles import role

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "itip.md"
BEGIN, END = "<!-- made by `make itip-table` -->", "<!-- end of what is made -->"
ALICE, BOB, CAROL, DAVE = "alice@example.com", "bob@example.net", "carol@example.net", "dave@example.org"
WHO: Mapping[Role, str] = {Role.ORGANIZER: ALICE, Role.ATTENDEE: BOB, Role.STRANGER: DAVE}
PARTS: Mapping[Role, str] = {
    Role.ORGANIZER: "organizes it",
    Role.ATTENDEE: "is a guest",
    Role.STRANGER: "is neither",
}
MALLORY = "mallory@evil.example"
FROM_ATTENDEES = frozenset({Method.REPLY, Method.COUNTER, Method.REFRESH})
SHOWN = 2  # scripts named per line


def load(name: str) -> ModuleType:
    """A file beside this one; tests are no package."""
    spec = importlib.util.spec_from_file_location(f"page_of_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


STAGE = load("conftest")
NOW: datetime = STAGE.NOW


# --- the probes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Place:
    """A row of the page."""

    method: Method
    kind: str
    role: Role

    def __str__(self) -> str:
        return f"{self.method}-{self.kind}-{self.role}"


PLACES = tuple(
    Place(method=method, kind=kind, role=role)
    for method in Method
    for kind in METHODS
    if method in METHODS[kind]
    for role in Role
)


def day(number: int) -> str:
    return f"{NOW + timedelta(days=number):%Y%m%dT%H%M%SZ}"


def body(place: Place, method: Method | None, sender: str) -> str:
    """A message of that method as that sender would write it; without a method: what the calendar holds."""
    changes = method in {Method.REQUEST, Method.CANCEL, Method.ADD, Method.PUBLISH}
    moved = method in {Method.COUNTER, Method.ADD}
    lines = [f"BEGIN:{place.kind}", "UID:u", f"DTSTAMP:{day(-1 if method else -9)}"]
    if place.kind != "VFREEBUSY":
        lines += [f"SEQUENCE:{2 if changes else 1}", "SUMMARY:A"]
    lines.append(f"ORGANIZER:mailto:{ALICE}")
    guests = [BOB, CAROL]
    if method in FROM_ATTENDEES:
        guests = [sender]
    elif method is Method.PUBLISH:
        guests = []
    said = ";PARTSTAT=ACCEPTED" if method is Method.REPLY and place.kind != "VFREEBUSY" else ""
    lines += [f"ATTENDEE{said}:mailto:{one}" for one in guests]
    if method is not Method.REFRESH:
        lines.append(f"DTSTART:{day(9 if moved else 8)}")
        end = {"VEVENT": "DTEND", "VTODO": "DUE", "VFREEBUSY": "DTEND"}.get(place.kind)
        lines += [f"{end}:{day(10 if moved else 9)}"] if end else []
    return "\n".join([*lines, f"END:{place.kind}"])


def probe(place: Place, sender: str, *, known: bool) -> Decision | Refusal:
    """What comes of it, with the meeting in the calendar or without."""
    message = STAGE.Stage().read(place.method, body(place, place.method, sender), sender)
    if isinstance(message, Refusal):
        return message
    stored = STAGE.Stage().object(body(place, None, ALICE)) if known else None
    context = Context(
        owner=frozenset({address(WHO[place.role])}),
        now=NOW,
        arrived=NOW,
        verdict=Verdict(sender=address(sender), certainty=Certainty.PROVEN),
        policy=Policy(publish=True, freebusy="all"),
        free_busy=(),
    )
    return decide(stored, message, context)


def told(found: Decision | Refusal) -> str:
    return f"{found.outcome}: `{found.reason}`"


def cells(place: Place) -> tuple[str, ...]:
    """The organizer, a guest, a passer-by about a meeting that the calendar holds; then the rightful one, a passer-by of none."""
    guest = BOB if place.role is not Role.ATTENDEE else CAROL
    rightful = guest if place.method in FROM_ATTENDEES else ALICE
    known = () if place.kind == freebusy.KIND else (True,)
    about = [told(probe(place, one, known=True)) for one in (ALICE, guest, MALLORY) for _ in known]
    return (
        *(about or ["-"] * 3),
        *(told(probe(place, one, known=False)) for one in (rightful, MALLORY)),
    )


# --- the scripts, and where each of them comes by --------------------------------------------------------------------

Met = dict[Place, dict[str, list[str]]]


@cache
def met() -> Met:
    """Every scenario script, played; which rows of the table it reached, with what it came to."""
    player = load("test_scripts")
    found: Met = {}
    script = ""

    def recorded(stored: CalendarObject | None, message: Message, context: Context) -> Decision:
        decision = decide(stored, message, context)
        place = Place(
            method=message.method, kind=message.object.kind, role=part_of(stored, message, context.owner)
        )
        reasons = found.setdefault(place, {}).setdefault(script, [])
        reasons += [str(decision.reason)] if str(decision.reason) not in reasons else []
        return decision

    STAGE.decide, before = recorded, STAGE.decide
    try:
        for path in player.SCRIPTS:
            script, play = path.stem, player.Play(STAGE.Stage())
            for _, words, text, _ in player.steps(path.read_text()):
                play.step(words, text)
    finally:
        STAGE.decide = before
    return found


def part_of(stored: CalendarObject | None, message: Message, owner: frozenset[Address]) -> Role:
    if stored is None and message.method is Method.REPLY:
        return Role.ORGANIZER
    return role(stored if stored is not None else message.object, owner)


def shown_by(place: Place) -> str:
    """The scripts of this row that tell most; without one it is this page's own probe that shows it."""
    scripts = met().get(place, {})
    best = sorted(scripts, key=lambda one: (-len(scripts[one]), one))[:SHOWN]
    return "; ".join(f"[{one}](../tests/itip/scripts/{one}.txt)" for one in sorted(best)) or "-"


# --- the page --------------------------------------------------------------------------------------------------------

HEAD = (
    "| Component | The account | known: its organizer | known: a guest | known: anybody else | unknown: who may | unknown: anybody else | Scripts |",
    "|---|---|---|---|---|---|---|---|",
)


def sentence(one: Callable[..., Any]) -> str:
    """The first line of what a function says of itself."""
    return (one.__doc__ or "").strip().split("\n", 1)[0]


def rules_of(method: Method) -> Iterator[str]:
    """Who may say it and what it does, as the rows of the table say it."""
    rows: dict[Row, list[str]] = {}
    for part in Role:
        rows.setdefault(TABLE[part, method], []).append(PARTS[part])
    for row, parts in rows.items():
        yield f"- The account {' or '.join(parts)}: {' '.join(said for one in (row.may, row.act) if (said := sentence(one)))}"


def lines_of(method: Method) -> Iterator[str]:
    same: dict[tuple[str, ...], list[str]] = {}
    for place in (one for one in PLACES if one.method is method):
        row = (PARTS[place.role], *cells(place), shown_by(place))
        same.setdefault(row, []).append(place.kind)
    for (part, *rest), kinds in same.items():
        yield f"| {', '.join(kinds)} | {' | '.join((part, *rest))} |"


def rules() -> Iterator[str]:
    table = load("test_rules").RULES
    for section in dict.fromkeys(one.spec for one in table):
        title = next(one.title for one in table if one.spec == section)
        yield from ("", f"### {title}", "", "| Rule | Shown by |", "|---|---|")
        for one in (each for each in table if each.spec == section):
            yield f"| {one.says} | {'; '.join(f'`{test}`' for test in one.shown_by)} |"


def made() -> str:
    """Everything between the two marks."""
    lines = [BEGIN]
    for method in Method:
        lines += ["", f"### {method}", "", *rules_of(method), "", *HEAD, *lines_of(method)]
    lines += ["", "## The rules, one by one", *rules(), "", END]
    return "\n".join(lines)


def page() -> str:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{made()}{rest.partition(END)[2]}"


# --- what holds it true ----------------------------------------------------------------------------------------------


def test_the_page_is_what_the_code_does() -> None:
    assert PAGE.read_text() == page(), "run `make itip-table`"


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_passer_by_moves_nothing(place: Place) -> None:
    """SPEC 3.3: one who is neither organizer nor guest changes no calendar and makes us write to nobody."""
    for known in (True, False):
        found = probe(place, MALLORY, known=known)
        if isinstance(found, Decision):
            assert found.change is None and not found.outgoing and not found.marks


@pytest.mark.parametrize("method", Method)
def test_every_row_of_the_table_says_who_may_and_what_it_does(method: Method) -> None:
    for part in Role:
        row = TABLE[part, method]
        assert sentence(row.may).endswith(".") and sentence(row.act).endswith("."), (part, method)


def test_every_method_that_somebody_may_send_is_played_by_a_script() -> None:
    played = {place.method for place in met()}
    refused = {method for method in Method if all("unsupported" in one for one in lines_of(method))}
    assert played | refused == set(Method)


if __name__ == "__main__":
    PAGE.write_text(page())
