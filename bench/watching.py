"""CPU of watch rounds beside a null CalDAV server, with the parts of the daemon in this process; prints them as JSON.

python -m bench.watching FOLDER PORT SCALE
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from gateway import config as configuration
from gateway.ports import CollectionState, Snapshot
from gateway.wiring import parts

FEW, SOME, MANY = 1, 100, 5_000  # calendars
SMALL, LARGE = 100, 10_000  # objects of one
LOOKS, CHANGES, BEATS = 300, 50, 20


def configured(folder: Path, port: int, accounts: int) -> configuration.Config:
    folder.mkdir(parents=True)
    path = folder / "config.toml"
    people = "".join(
        f'[[account]]\naddress = "u{number}@example.org"\nusername = "u{number}of{folder.name}"\npassword = "demo"\n'
        for number in range(accounts)
    )
    path.write_text(
        f'[gateway]\ndomains = ["example.org"]\nstate_dir = "{folder}/state"\n'
        f'[[listener]]\nlisten = "127.0.0.1:1"\n[delivery]\nsmarthost = "maildir:{folder}/mail"\nstarttls = "never"\n'
        '[trust]\ntrusted_networks_are = "likely"\n[log]\nlevel = "error"\n[watch]\ninterval = "1h"\n'
        f'[[server]]\nname = "main"\nurl = "http://127.0.0.1:{port}/"\nprofile = "radicale"\n{people}'
    )
    path.chmod(0o600)
    return configuration.load(path)


async def spent(count: int, step: Callable[[], Awaitable[object]]) -> float:
    """CPU of one, in milliseconds."""
    before = time.process_time()
    for _ in range(count):
        await step()
    return 1e3 * (time.process_time() - before) / count


async def idle(folder: Path, port: int, accounts: int) -> tuple[float, float]:
    """CPU of one look at one calendar, and of the question whose turn it is, when it is nobody's."""
    async with parts.started(configured(folder, port, accounts)) as running:
        for one in running.accounts:
            await running.watch.all(one)  # discovery and first sight
        turns = itertools.cycle(running.accounts)
        look = await spent(max(LOOKS, accounts), lambda: running.watch.all(next(turns)))
        await running.rounds.beat()  # everybody, for the first time
        while running.rounds._running:
            await asyncio.sleep(0.01)
            await running.rounds.beat()
        return look, await spent(BEATS, running.rounds.beat)


def meeting(number: int, change: int) -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//bench//EN",
        "BEGIN:VEVENT",
        f"UID:m{number}",
        "DTSTAMP:20300101T000000Z",
        "DTSTART:20300301T100000Z",
        "DTEND:20300301T110000Z",
        f"SUMMARY:Planning {change}",
        "ORGANIZER:mailto:u0@example.org",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:u0@example.org",
        "ATTENDEE;RSVP=TRUE:mailto:guest@example.com",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines).encode()


async def changed(folder: Path, port: int, objects: int) -> float:
    """CPU from the look to the change that settles, of one object in a calendar of so many."""
    async with parts.started(configured(folder, port, 1)) as running:
        account = next(iter(running.accounts))
        await running.watch.all(account)
        (path,) = [one.path for one in await running.store.snapshots.collections()]
        known = [
            Snapshot(
                account=account.address,
                collection=path,
                href=f"{path}m{number}.ics",
                uid=f"m{number}",
                etag="old",
                fingerprint="f",
                data=meeting(number, 0),
            )
            for number in range(objects)
        ]
        state = CollectionState(account=account.address, path=path, token="token-1", baseline=True)
        await running.store.snapshots.synced(state, put=known)
        numbers = itertools.count()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", auth=("u0", "demo")) as client:
            total = 0.0
            for number in itertools.islice(numbers, CHANGES):
                await client.put(f"{path}m{number}.ics", content=meeting(number, 1))
                total += await spent(1, lambda: running.watch.all(account))
        assert len(await running.store.queue.list_jobs()) == CHANGES
        return total / CHANGES


async def main(folder: Path, port: int, scale: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, count in (("one", FEW), ("some", SOME), ("many", int(MANY * scale))):
        look, beat = await idle(folder / f"of{count}", port, count)
        found |= {f"idle_{name}_cpu_ms": look, f"beat_{name}_cpu_ms": beat}
    for name, count in (("small", SMALL), ("large", int(LARGE * scale))):
        found[f"changed_{name}_cpu_ms"] = await changed(folder / f"in{count}", port, count)
    return found | {
        "idle_growth": found["idle_many_cpu_ms"] / found["idle_some_cpu_ms"],
        "changed_growth": found["changed_large_cpu_ms"] / found["changed_small_cpu_ms"],
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=parts.loop_factory()) as runner:
        result = runner.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.write(json.dumps(result))
