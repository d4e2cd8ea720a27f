"""How far a task is: each attendee says it of his part, the organizer's copy adds it up (SPEC 12.9).

An attendee says it by PARTSTAT, PERCENT-COMPLETE, STATUS and COMPLETED of his REPLY (RFC 5546 3.4.3). At the organizer it
stands on his ATTENDEE line, where each answer replaces the one before it, so that the order of arrival does not matter;
PERCENT-COMPLETE, COMPLETED and STATUS of the task are a function of these lines.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.ical import times
from gateway.ical.address import Address
from gateway.ical.event import partstat
from gateway.ical.tree import Component, Property, prop
from gateway.itip.roles import identities

PERCENT: Final = "X-IMIP-GATEWAY-PERCENT"
COMPLETED: Final = "X-IMIP-GATEWAY-COMPLETED"
PROGRESS: Final = ("PERCENT-COMPLETE", "COMPLETED", "STATUS")

_WORKING: Final = frozenset({"ACCEPTED", "TENTATIVE", "IN-PROCESS"})
_NO_PART: Final = frozenset({"DECLINED", "DELEGATED"})
_INSTANT: Final = re.compile(r"\d{8}T\d{6}Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a component says of it; nothing said and nothing done are the same."""

    percent: int = 0
    status: str = ""  # IN-PROCESS, COMPLETED, or "" for NEEDS-ACTION and for what is no progress
    completed: str = ""  # a UTC date-time, or ""

    @property
    def done(self) -> bool:
        return self.status == "COMPLETED" or self.percent == 100 or bool(self.completed)

    @property
    def started(self) -> bool:
        return self.done or self.percent > 0 or self.status == "IN-PROCESS"


def progress_of(task: Component | None) -> Progress:
    """The progress that a component tells; that of an event is none."""
    if task is None or task.name != "VTODO":
        return Progress()
    status = (task.value("STATUS") or "").strip().upper()
    completed = (task.value("COMPLETED") or "").strip()
    return Progress(
        percent=_percent(task.value("PERCENT-COMPLETE")),
        status=status if status in {"IN-PROCESS", "COMPLETED"} else "",
        completed=completed if _INSTANT.fullmatch(completed) else "",
    )


def fact(task: Component) -> str:
    """The task's progress and that of each attendee, in one canonical text; "" when there is none."""
    told = progress_of(task)
    shares = sorted(f"{line.address} {found}" for line in task.all("ATTENDEE") if (found := _share(line)))
    return " ".join((str(told.percent), told.completed, *shares)) if told.started or shares else ""


# --- at the organizer ------------------------------------------------------------------------------------------------


def answer(task: Component, told: str) -> str:
    """The PARTSTAT that a REPLY means: some programs say in STATUS alone that the work is done or under way."""
    progress = progress_of(task)
    if progress.done and told in {"", "NEEDS-ACTION", "ACCEPTED", "IN-PROCESS"}:
        return "COMPLETED"
    if progress.started and told in {"", "NEEDS-ACTION"}:
        return "IN-PROCESS"
    return told


def with_share(line: Property, reply: Component, at: datetime | None) -> Property:
    """An attendee's line with his progress as his REPLY, said `at`, tells it; what he said before is gone."""
    if reply.name != "VTODO":
        return line
    told = progress_of(reply)
    now = partstat(line)
    percent = 100 if now == "COMPLETED" else told.percent if now in _WORKING else 0
    said = times.utc_prop("COMPLETED", at).value if at is not None else None
    return line.with_params(
        X_IMIP_GATEWAY_PERCENT=str(percent) if percent else None,
        X_IMIP_GATEWAY_COMPLETED=(told.completed or said) if now == "COMPLETED" else None,
    )


def added_up(before: Component, task: Component, organizer: Property | None) -> Component:
    """The task with PERCENT-COMPLETE, COMPLETED and STATUS as its attendees' lines tell them.

    One attendee: they follow him. Several: the mean, and COMPLETED when all are. While none has told any progress they
    are the organizer's own.
    """
    if task.name != "VTODO" or (task.value("STATUS") or "").strip().upper() == "CANCELLED":
        return task
    his = identities(organizer) if organizer is not None else frozenset()
    lines = _sharers(task, his)
    if not any(_tells(line) for line in (*lines, *_sharers(before, his))):
        return task
    if lines and all(partstat(line) == "COMPLETED" for line in lines):
        last = max(line.param(COMPLETED) or "" for line in lines)
        return _with(task, Progress(percent=100, status="COMPLETED", completed=last))
    percent = sum(_share(line) for line in lines) // max(1, len(lines))
    working = any(_tells(line) for line in lines)
    return _with(task, Progress(percent=percent, status="IN-PROCESS" if working else "NEEDS-ACTION"))


def _with(task: Component, told: Progress) -> Component:
    task = task.put(prop("STATUS", told.status))
    task = _put_or_drop(task, "PERCENT-COMPLETE", str(told.percent) if told.percent else "")
    return _put_or_drop(task, "COMPLETED", told.completed)


def _put_or_drop(task: Component, name: str, value: str) -> Component:
    return task.put(prop(name, value)) if value else task.without(name)


def _sharers(task: Component, organizer: Set[Address]) -> tuple[Property, ...]:
    """Whose work it is: not the organizer's, nor his who declined, handed it on or is only told."""
    return tuple(
        line
        for line in task.all("ATTENDEE")
        if not identities(line) & organizer
        and partstat(line) not in _NO_PART
        and (line.param("ROLE") or "").upper() != "NON-PARTICIPANT"
    )


def _share(line: Property) -> int:
    """His percent. An answer that a new date has voided counts for nothing."""
    now = partstat(line)
    if now == "COMPLETED":
        return 100
    return _percent(line.param(PERCENT)) if now in _WORKING else 0


def _tells(line: Property) -> bool:
    return _share(line) > 0 or partstat(line) == "IN-PROCESS"


# --- at the attendee -------------------------------------------------------------------------------------------------


def own_answer(line: Property, now: Progress, was: Progress) -> str:
    """The PARTSTAT that the owner's copy of a task means; clients move STATUS and PERCENT-COMPLETE and leave PARTSTAT."""
    said = partstat(line)
    if now == was or said in _NO_PART:
        return said
    if now.started:
        return "COMPLETED" if now.done else "IN-PROCESS"
    return "ACCEPTED" if said in {"COMPLETED", "IN-PROCESS"} else said


def with_own_progress(told: Component, copy: Component | None, answer: str) -> Component:
    """What the organizer last said of a task, with the progress of the owner's copy in place of his (RFC 5546 4.5.4)."""
    if told.name != "VTODO":
        return told
    bare = told.without(*PROGRESS)
    if copy is None or answer not in {"IN-PROCESS", "COMPLETED"}:
        return bare
    own = progress_of(copy)
    lines = [prop("STATUS", answer)]
    if answer == "COMPLETED" or own.percent:
        lines.append(prop("PERCENT-COMPLETE", "100" if answer == "COMPLETED" else str(own.percent)))
    if answer == "COMPLETED" and own.completed:
        lines.append(prop("COMPLETED", own.completed))
    return bare.with_children((*bare.children, *lines))


def _percent(value: str | None) -> int:
    """RFC 5545 3.8.1.8: 0 to 100; what is none of these says nothing."""
    text = (value or "").strip()
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    return number if number <= 100 else 0


__all__ = [
    "COMPLETED",
    "PERCENT",
    "PROGRESS",
    "Progress",
    "added_up",
    "answer",
    "fact",
    "own_answer",
    "progress_of",
    "with_own_progress",
    "with_share",
]
