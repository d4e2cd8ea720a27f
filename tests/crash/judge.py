"""What a run promised (SPEC 9), compared with what is there; each miss is one line."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any

from sqlalchemy import select

from gateway.store import schema
from tests.crash.mails import ALICE, DAVE
from tests.crash.sink import Letter
from tests.crash.stories import Organized, Story
from tests.crash.world import ANCHOR, Run


def misses(run: Run, stories: list[Story]) -> list[str]:
    """Everything that is not as it must be; empty: the run is good."""
    journal, jobs, held, files = asyncio.run(_state(run))
    gone = {one.uid for one in stories if not one.there}  # an answer to a meeting that is gone waits for it
    faults = [f"a job was left: {one}" for one in jobs if one["state"] != "waiting" or one["uid"] not in gone]
    faults += [f"held: {one}" for one in held]
    faults += [f"{files} files of bodies were left"] if files else []
    waiting = {one["message_id"] for one in jobs if one["state"] == "waiting"}
    faults += _mails(run, journal, waiting)
    faults += _calendar(run, stories)
    faults += _letters(run, stories)
    return faults


async def _state(run: Run) -> tuple[list[Any], list[Any], list[Any], int]:
    async with run.store() as store:
        journal = await store.db.read(lambda conn: conn.execute(select(schema.journal)).all())
        held = await store.db.read(lambda conn: conn.execute(select(schema.held)).all())
        jobs = await store.queue.list_jobs()
        await store.queue.sweep(9e9)
        left = len(list((run.nodes[0].folder / "state").glob("content/*")))
        return list(journal), jobs, list(held), left


def _mails(run: Run, journal: list[Any], waiting: set[str]) -> list[str]:
    """Each mail that got 250 has come to one end, and the journal tells it."""
    faults = []
    told: dict[str, list[Any]] = {}
    for line in journal:
        if line.kind == "mail" and line.outcome != "parked":
            told.setdefault(line.message_id, []).append(line)
    for name, contents in run.acked.items():
        wanted = len(set(contents))
        lines = told.get(name, told.get(name.strip("<>"), []))
        outcomes = [(line.outcome, line.reason) for line in lines]
        if len(lines) + (name in waiting) != wanted:
            faults.append(f"{name}: {wanted} mails taken, {len(lines)} told: {outcomes}")
        if any(line.outcome == "failed" and line.reason != "malformed-calendar" for line in lines):
            faults.append(f"{name}: failed: {outcomes} {[line.notes for line in lines]}")
    return faults


def _calendar(run: Run, stories: list[Story]) -> list[str]:
    faults = []
    texts = [text for text, _ in run.objects().values() if f"UID:{ANCHOR}\n" not in text]
    for story in stories:
        found = [text for text in texts if f"UID:{story.uid}\n" in text]
        if len(found) != story.there:
            faults.append(f"{story.uid}: in the calendar {len(found)} times instead of {int(story.there)}")
            continue
        who = DAVE if isinstance(story, Organized) else ALICE
        for name, value in story.expected.items() if found else ():
            pattern = (
                rf"(?m)^ATTENDEE[^:\n]*PARTSTAT=([A-Z-]+)[^:\n]*:mailto:{who}"
                if name == "PARTSTAT"
                else rf"(?m)^{name}:(.*)"
            )
            here = re.findall(pattern, found[0])
            if here != [value]:
                faults.append(f"{story.uid}: {name} is {here}, not {value}:\n{found[0]}")
    strange = len(texts) - sum(story.there for story in stories)
    return [*faults, f"{strange} more objects in the calendar than there should be"] if strange else faults


def _letters(run: Run, stories: list[Story]) -> list[str]:
    """Every change is told under one Message-ID, always in the same octets; again only where nobody knew that it had left."""
    faults = []
    by_change: dict[tuple[str, str, str, str], set[str]] = {}
    by_name: dict[str, list[Letter]] = {}
    for one in run.sink.letters:
        by_change.setdefault(_change(one), set()).add(one.message_id)
        by_name.setdefault(one.message_id, []).append(one)
    due = {one for story in stories for one in story.letters}
    may = due.union(*(story.others for story in stories))
    faults += [f"never left: {one}" for one in sorted(due - set(by_change))]
    faults += [f"should not have left: {one}" for one in sorted(set(by_change) - may)]
    faults += [f"told twice: {one}: {ids}" for one, ids in by_change.items() if len(ids) > 1]
    for name, copies in by_name.items():
        first = min(one.at for one in copies)
        excused = sum(one.lost for one in copies) + sum(at >= first - 1 for at in run.kills)
        if len(copies) - 1 > excused:
            faults.append(f"{name} left {len(copies)} times, {excused} of them excused")
        if len({one.content for one in copies}) > 1:
            faults.append(f"{name} left in {len({one.content for one in copies})} forms")
    return faults


def _change(one: Letter) -> tuple[str, str, str, str]:
    return one.uid, one.recipient, one.method, "" if one.method == "CANCEL" else one.facts


def summary(run: Run) -> str:
    copies = Counter(one.message_id for one in run.sink.letters)
    again = sum(copies.values()) - len(copies)
    faults = sum(count for name, count in run.proxy.counts.items() if name != "none")
    return (
        f"{sum(map(len, run.acked.values()))} mails, {len(copies)} letters ({again} again), "
        f"{sum(run.proxy.counts.values())} requests ({faults} disturbed), {len(run.kills)} kills"
    )
