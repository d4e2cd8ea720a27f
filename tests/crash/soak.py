"""Ten minutes at half of what the machine can do, while everything around misbehaves: what a process holds stays the same.

    python -m tests.crash.soak --seconds 600

First the limit is measured for a few seconds, then half of it is sent: new versions of a fixed set of meetings, answers to
meetings of Alice's, plain mail, mail that nobody can read, and clients that hang up in the middle. The calendar server is
behind the proxy of the crash suite, the mail server behind the sink that loses its 250. Memory, descriptors, threads and the
database are looked at every few seconds; the middle of the last third may not lie above that of the second by more than
GROWTH and ROOM. A row in the end: what was sent, and what was held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import smtplib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import mails as load
from bench.stage import Gateway, Peer, free_port
from tests.crash import mails
from tests.crash.mails import ALICE, CAROL, DAVE
from tests.crash.proxy import Proxy
from tests.crash.sink import Sink

MEETINGS, OWN = 300, 20
PEOPLE = 8
LOOK_EVERY = 5.0  # seconds
KEEP = "1m"  # how long the journal and sent letters stay: shorter than the run
GROWTH = 0.10
ROOM = {"memory_mb": 6.0, "descriptors": 8.0, "threads": 2.0, "database_mb": 2.0}  # beside GROWTH


@dataclass
class Sender:
    """Who sends: the next mail of the plan to the daemon's port, by way of one kept connection."""

    port: int
    chance: random.Random
    versions: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    refused: int = 0
    hung_up: int = 0

    def next_mail(self) -> tuple[str, bytes]:
        dice = self.chance.random()
        self.sent += 1
        name = f"soak-{id(self)}-{self.sent}"
        if dice < 0.70:
            uid = f"soak-{self.chance.randrange(MEETINGS)}-{self.port}"
            self.versions[uid] = version = self.versions.get(uid, 0) + 1
            return CAROL, load.invitation(uid, moved=version, size=self.chance.choice([5_500, 5_500, 60_000]))
        if dice < 0.85:
            return DAVE, _reply(name, self.chance)
        if dice < 0.95:
            return CAROL, load.plain(name, 6_000)
        return CAROL, mails.poison(name, self.sent)

    def work(self, rate: float, until: float) -> None:
        """Mails at this rate, as far as they are taken; what is not taken is not sent again."""
        begun, first = time.monotonic(), self.sent
        client: smtplib.SMTP | None = None
        while (now := time.monotonic()) < until:
            due = begun + (self.sent - first) / rate
            if due > now:
                time.sleep(min(due - now, 1.0))
                continue
            sender, content = self.next_mail()
            try:
                client = client or smtplib.SMTP("127.0.0.1", self.port, timeout=30)
                if self.chance.random() < 0.01:
                    _hang_up(client, sender, content)
                    client, self.hung_up = None, self.hung_up + 1
                    continue
                client.sendmail(sender, [ALICE], content)
            except (OSError, smtplib.SMTPException):
                self.refused += 1
                client = None
        if client is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                client.quit()


def _hang_up(client: smtplib.SMTP, sender: str, content: bytes) -> None:
    client.mail(sender)
    client.rcpt(ALICE)
    client.docmd("DATA")
    client.send(content[: len(content) // 2])
    client.close()


def _reply(name: str, chance: random.Random) -> bytes:
    answer = chance.choice(["ACCEPTED", "DECLINED", "TENTATIVE"])
    people = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT={answer}:mailto:{DAVE}")
    text = mails.calendar(f"own-{chance.randrange(OWN)}", *people, method="REPLY", second=3600)
    return mails.mail(name, DAVE, text, method="REPLY")


def measured(pid: int, state: Path) -> dict[str, float]:
    """What the process and its state hold now."""
    status = Path(f"/proc/{pid}/status").read_text()
    facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        "memory_mb": int(facts["VmRSS"].split()[0]) / 1024,
        "threads": float(facts["Threads"]),
        "descriptors": float(len(os.listdir(f"/proc/{pid}/fd"))),
        "database_mb": _used(state / "gateway.sqlite3") / 1e6,
    }


def _used(database: Path) -> float:
    """Bytes of the pages that hold something, without the digests of the last two hours, which are many by design."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as conn:
        size, pages, free = (
            conn.execute(f"PRAGMA {one}").fetchone()[0]
            for one in ("page_size", "page_count", "freelist_count")
        )
        digests = conn.execute("SELECT count(*) FROM accepted").fetchone()[0]
    return float((pages - free) * size - digests * 300)


def risen(looks: list[dict[str, float]]) -> list[str]:
    """What the last third holds more of than the second."""
    third = len(looks) // 3
    found = []
    for name, room in ROOM.items():
        before, after = (
            statistics.median(one[name] for one in part)
            for part in (looks[third : 2 * third], looks[2 * third :])
        )
        if after > before * (1 + GROWTH) + room:
            found.append(f"{name}: {before:.1f} -> {after:.1f}")
    return found


@contextlib.contextmanager
def world(folder: Path, seed: int) -> Iterator[tuple[Gateway, Proxy, Sink, Peer]]:
    peer = Peer("caldav", folder)
    chance = random.Random(seed)
    proxy = Proxy(peer.port, free_port(), random.Random(chance.random())).start()
    sink = Sink(free_port(), random.Random(chance.random())).start()
    with httpx.Client(base_url=f"http://127.0.0.1:{peer.port}") as client:
        for number in range(OWN):
            people = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{DAVE}")
            client.put(f"/alice/calendar/own-{number}.ics", content=mails.calendar(f"own-{number}", *people))
    gateway = Gateway(
        folder / "gateway",
        caldav=proxy.url,
        smarthost=f"smtp://127.0.0.1:{sink.port}",
        general=f'keep = "{KEEP}"',
    )
    try:
        yield gateway, proxy, sink, peer
    finally:
        gateway.stop()
        proxy.stop()
        sink.stop()
        peer.stop()


async def _send(senders: list[Sender], rate: float, seconds: float) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(asyncio.to_thread(one.work, rate / len(senders), until) for one in senders))


def soak(folder: Path, *, seconds: float, seed: int) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The looks, and what was sent."""
    with world(folder, seed) as (gateway, proxy, sink, _):
        senders = [Sender(gateway.port, random.Random(seed * 100 + number)) for number in range(PEOPLE)]
        begun = time.monotonic()
        asyncio.run(_send(senders, 10_000.0, min(10.0, seconds / 10)))  # as fast as they can
        gateway.drained()
        limit = sum(one.sent for one in senders) / (time.monotonic() - begun)
        proxy.stormy = sink.stormy = True
        looks: list[dict[str, float]] = []

        async def run() -> None:
            sending = asyncio.create_task(_send(senders, limit / 2, seconds))
            while not sending.done():
                await asyncio.wait([sending], timeout=LOOK_EVERY)
                looks.append(measured(gateway.pid, gateway.folder / "state"))
                print(" ".join(f"{name} {value:.1f}" for name, value in looks[-1].items()), flush=True)
            await sending

        asyncio.run(run())
        proxy.stormy = sink.stormy = False
        told = {
            "limit": limit,
            "sent": float(sum(one.sent for one in senders)),
            "refused": float(sum(one.refused for one in senders)),
            "hung_up": float(sum(one.hung_up for one in senders)),
            "disturbed": float(sum(count for fault, count in proxy.counts.items() if fault != "none")),
        }
        return looks, told


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="imip-soak-") as place:
        looks, told = soak(Path(place), seconds=options.seconds, seed=options.seed)
    print(" ".join(f"{name} {value:.0f}" for name, value in told.items()))
    third = len(looks) // 3
    for name in ROOM:
        parts = (looks[third : 2 * third], looks[2 * third :])
        print(name, *(f"{statistics.median(one[name] for one in part):.1f}" for part in parts))
    found = risen(looks)
    print("risen: " + ", ".join(found) if found else "flat")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
