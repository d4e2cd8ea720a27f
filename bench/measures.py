"""What is measured. Each measure runs everything that it compares, one after the other, in each round."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from bench.stage import (
    ROOT,
    Door,
    Gateway,
    Peer,
    Postfix,
    Watched,
    cpu,
    load,
    memory,
    peak,
    postgresql,
    until,
)

Figures = dict[str, float]
Measure = Callable[[Path, float], Figures]


@contextmanager
def running(*things: Peer | Gateway | Postfix) -> Iterator[None]:
    try:
        yield
    finally:
        for one in reversed(things):
            one.stop()


def _spent(pid: int, work: Callable[[], object]) -> float:
    before = cpu(pid)
    work()
    return cpu(pid) - before


def intake(folder: Path, scale: float) -> Figures:
    """Mail at the door: 50 connections, 5.5 KB, committed with SQLite FULL; Postfix; an aiosmtpd that stores nothing."""
    count = int(2000 * scale)
    words = ("--connections", "50", "--count", str(count))
    sink, postfix = Peer("aiosmtpd", folder), Postfix(folder / "postfix")
    gateway = Door(folder / "gateway", caldav="http://127.0.0.1:1/")
    found: Figures = {}
    with running(sink, postfix, gateway):
        for name, place in (("gateway", gateway), ("postfix", postfix), ("aiosmtpd", sink)):
            load(place.port, "--connections", "10", "--count", "100", "--name", f"warm-{name}")
            time.sleep(1.0)
            before = cpu(place.pid)
            found[f"{name}_rate"] = load(place.port, *words, "--name", name)["rate"]
            if name == "postfix":
                postfix.drained()
            found[f"{name}_cpu_us"] = 1e6 * (cpu(place.pid) - before) / count
    return found | {
        "rate_over_postfix": found["gateway_rate"] / found["postfix_rate"],
        "rate_over_aiosmtpd": found["gateway_rate"] / found["aiosmtpd_rate"],
    }


def passing(folder: Path, scale: float) -> Figures:
    """Mail without a calendar part that is passed on to the next hop: CPU per mail, small and large."""
    small, large = int(1000 * scale), max(4, int(10 * scale))
    sink = Peer("sink", folder)
    listener = f'after = "relay"\nrelay_to = "smtp://127.0.0.1:{sink.port}"'
    gateway = Gateway(folder / "gateway", caldav="http://127.0.0.1:1/", listener=listener)
    plain = ("--kind", "plain")
    with running(sink, gateway):

        def some(count: int, size: int, name: str) -> None:
            load(
                gateway.port,
                *plain,
                "--connections",
                "10",
                "--count",
                str(count),
                "--size",
                str(size),
                "--name",
                name,
            )
            gateway.drained()

        some(50, 6_000, "warm")
        idle = _spent(gateway.pid, gateway.drained)
        begun = time.monotonic()
        six = _spent(gateway.pid, lambda: some(small, 6_000, "six"))
        seconds = time.monotonic() - begun
        ten = _spent(gateway.pid, lambda: some(large, 10_000_000, "ten"))
    return {
        "6kb_cpu_us": 1e6 * max(0.0, six - idle) / small,
        "10mb_cpu_ms": 1e3 * max(0.0, ten - idle) / large,
        "6kb_rate_with_drain": small / seconds,
    }


def large(folder: Path, scale: float) -> Figures:
    """Twenty mails of 24 MB at once through a relaying listener: the most memory that the daemon ever had."""
    sink, null = Peer("sink", folder), Peer("caldav", folder)
    listener = f'after = "relay"\nrelay_to = "smtp://127.0.0.1:{sink.port}"'
    gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{null.port}/", listener=listener)
    words = ("--connections", "20", "--count", "20", "--size", str(int(24_000_000 * scale)))
    with running(sink, null, gateway):
        before = peak(gateway.pid)
        for kind in ("plain", "invitation"):
            load(gateway.port, "--kind", kind, *words, "--name", kind)
        gateway.drained()
        return {"before_mb": before, "peak_mb": peak(gateway.pid)}


def _end_to_end(gateway: Gateway, count: int, name: str) -> tuple[float, float]:
    """Invitations per second until the last one is in the calendar, and CPU seconds of the gateway for each."""
    before, begun = cpu(gateway.pid), time.monotonic()
    load(gateway.port, "--connections", "20", "--count", str(count), "--name", name)
    _worked_off(gateway)
    return count / (time.monotonic() - begun), (cpu(gateway.pid) - before) / count


def _worked_off(gateway: Gateway) -> None:
    """Asked of the daemon itself, since a command costs more than many mails."""

    def nothing_left() -> bool:
        if gateway.counts:
            with urlopen(gateway.counts) as reply:
                return int(reply.read()) >= gateway.expected
        with urlopen(f"http://127.0.0.1:{gateway.web}/metrics") as reply:
            text = reply.read().decode()
        return _counted(text, "calendar_written") >= gateway.expected

    until(nothing_left, "invitations in the calendar", 3600)


def _counted(page: str, event: str) -> float:
    lines = (line for line in page.splitlines() if line.startswith(f"imip_gateway_{event}_total{{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def end_to_end(folder: Path, scale: float) -> Figures:
    """SMTP in, calendar written: one process, a CalDAV server that costs nothing."""
    count = int(1000 * scale)
    null = Peer("caldav", folder)
    gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{null.port}/")
    gateway.counts = (
        f"http://127.0.0.1:{null.port}/bench/count"  # its own /metrics would cost what it is asked for
    )
    with running(null, gateway):
        rate, seconds = _measured(gateway, count)
        return {"rate": rate, "cpu_ms": 1e3 * seconds}


def _measured(gateway: Gateway, count: int) -> tuple[float, float]:
    """A warm-up, then `_end_to_end`."""
    gateway.expected += 100
    _end_to_end(gateway, 100, f"{gateway.folder.name}-warm{gateway.expected}")
    gateway.expected += count
    return _end_to_end(gateway, count, f"{gateway.folder.name}-run{gateway.expected}")


def answered(folder: Path, scale: float) -> Figures:
    """What follows where she accepts in her calendar program: the change is found, and one letter each leaves by SMTP."""
    count = int(500 * scale)
    null, sink = Peer("caldav", folder), Peer("sink", folder)
    caldav = f"http://127.0.0.1:{null.port}"
    gateway = Gateway(
        folder / "gateway",
        caldav=f"{caldav}/",
        smarthost=f"smtp://127.0.0.1:{sink.port}",
        watch='settle = "1s"\nburst = { events = 100000, within = "10m" }',
        user="bob",  # nobody hears of what is written for alice
    )
    gateway.counts = f"{caldav}/bench/count"
    with running(null, sink, gateway):
        _measured(gateway, count)
        gateway.command("sync")
        with urlopen(f"{caldav}/bob/calendar/") as reply:
            paths = reply.read().decode().split()
        for path in paths:
            with urlopen(f"{caldav}{path}") as reply:
                mine = reply.read().replace(b"CN=Alice;PARTSTAT=NEEDS-ACTION", b"CN=Alice;PARTSTAT=ACCEPTED")
            urlopen(Request(f"{caldav}{path}", data=mine, method="PUT")).close()
        return {"cpu_ms": 1e3 * _spent(gateway.pid, lambda: _answers(gateway, len(paths))) / len(paths)}


def _answers(gateway: Gateway, count: int) -> None:
    gateway.command("sync")

    def all_sent() -> bool:
        with urlopen(f"http://127.0.0.1:{gateway.web}/metrics") as reply:
            return _counted(reply.read().decode(), "letter_sent") >= count

    until(all_sent, "answers", 900, every=1.0)  # each question costs the daemon some milliseconds


def history(folder: Path, scale: float) -> Figures:
    """The same with a long past: a million lines of journal and 10 000 objects known, beside an empty database."""
    count = int(500 * scale)
    null = Peer("caldav", folder)
    young = Gateway(folder / "young", caldav=f"http://127.0.0.1:{null.port}/")
    old = Gateway(folder / "old", caldav=f"http://127.0.0.1:{null.port}/")
    with running(null, young, old):
        old.stop()
        _with_a_past(
            folder / "old" / "state" / "gateway.sqlite3", int(1_000_000 * scale), int(10_000 * scale)
        )
        old.start()
        fresh, aged = _measured(young, count)[1], _measured(old, count)[1]
    return {"young_cpu_ms": 1e3 * fresh, "old_cpu_ms": 1e3 * aged, "old_over_young": aged / fresh}


def _with_a_past(database: Path, lines: int, objects: int) -> None:
    columns = "time, job, origin, kind, outcome, reason, message_id, uid, recurrence_id, method, account, sender, certainty, notes, letters, mailed, harsh"
    now = int(time.time() * 1e6)
    told = (
        (
            now,
            "j",
            "j",
            "mail",
            "applied",
            "r",
            f"<{n}@x>",
            f"old-{n}",
            "",
            "REQUEST",
            "alice@example.org",
            "c",
            "likely",
            "[]",
            "[]",
            0,
            0,
        )
        for n in range(lines)
    )
    known = ((f"/alice/archive/old-{n}.ics", f"old-{n}", b"x" * 2000) for n in range(objects))
    with sqlite3.connect(database) as conn:
        conn.executemany(f"INSERT INTO journal ({columns}) VALUES ({','.join('?' * 17)})", told)
        conn.executemany(
            "INSERT INTO snapshot (account, href, collection, uid, etag, fingerprint, data, changed) "
            "VALUES ('alice@example.org', ?, '/alice/archive/', ?, 'e', 'f', ?, 0)",
            known,
        )
    conn.close()


def flat(folder: Path, scale: float) -> Figures:
    """Resident memory after some mails and after ten times as many."""
    count = int(1000 * scale)
    null = Peer("caldav", folder)
    gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{null.port}/")
    with running(null, gateway):
        _measured(gateway, count)
        few = memory(gateway.pid)
        _measured(gateway, 9 * count)
        return {"few_mb": few, "many_mb": memory(gateway.pid), "mails": float(gateway.expected)}


def processes(folder: Path, scale: float) -> Figures:
    """Two processes on one PostgreSQL beside one."""
    count = int(500 * scale)
    null, server = Peer("caldav", folder), postgresql()
    found: Figures = {}
    try:
        for number in (1, 2):
            general = f'database_url = "{server.url(server.create())}"\nprocesses = {number}'
            gateway = Gateway(
                folder / f"of{number}", caldav=f"http://127.0.0.1:{null.port}/", general=general
            )
            gateway.counts = f"http://127.0.0.1:{null.port}/bench/count"
            gateway.expected = int(urlopen(gateway.counts).read())
            with running(gateway):
                rate, seconds = _measured(gateway, count)
                found |= {f"rate_of_{number}": rate, f"cpu_ms_of_{number}": 1e3 * seconds}
    finally:
        null.stop()
        server.close()
    return found | {"two_over_one": found["rate_of_2"] / found["rate_of_1"]}


def latency(folder: Path, scale: float) -> Figures:
    """From the final dot to the PUT, one mail at a time, an idle gateway."""
    count = int(200 * scale)
    null = Peer("caldav", folder)
    gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{null.port}/")
    with running(null, gateway):
        gateway.expected = 50
        load(gateway.port, "--connections", "1", "--count", "50", "--name", "warm")
        _worked_off(gateway)
        urlopen(f"http://127.0.0.1:{null.port}/bench/written").read()
        words = ("--connections", "1", "--count", str(count), "--name", "run", "--pause", "0.05", "--dots")
        dots = load(gateway.port, *words)["dots"]
        gateway.expected += count
        _worked_off(gateway)
        put = [float(one) for one in urlopen(f"http://127.0.0.1:{null.port}/bench/written").read().split()]
    waits = sorted(1e3 * (there - here) for here, there in zip(dots, put, strict=True))  # type: ignore[call-overload]
    return {"p50_ms": waits[len(waits) // 2], "p99_ms": waits[int(len(waits) * 0.99)]}


def attendees(folder: Path, scale: float) -> Figures:
    """CPU of one REQUEST with 1 000 attendees, and of those with 100 and 10 for the slope."""
    count = int(20 * scale)
    null = Peer("caldav", folder)
    gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{null.port}/")
    found: Figures = {}
    with running(null, gateway):
        gateway.expected = 20
        load(gateway.port, "--connections", "1", "--count", "20", "--name", "warm")
        _worked_off(gateway)
        for guests in (10, 100, 990):
            gateway.expected += count
            words = (
                "--connections",
                "2",
                "--count",
                str(count),
                "--attendees",
                str(guests),
                "--name",
                f"a{guests}",
            )

            def some(words: tuple[str, ...] = words) -> None:
                load(gateway.port, *words)
                _worked_off(gateway)

            found[f"{guests}_attendees_cpu_ms"] = 1e3 * _spent(gateway.pid, some) / count
    return found


def radicale(folder: Path, scale: float) -> Figures:
    """Invitations through the gateway into a real Radicale, beside plain PUTs of the same objects, 16 connections each."""
    count = int(300 * scale)
    done = subprocess.run(
        [sys.executable, "-m", "bench.radicale", str(folder), str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


def loop(folder: Path, scale: float) -> Figures:
    """The longest turn of the event loop while large and small mails pass, and while invitations come, in ms of CPU."""
    sink, null = Peer("sink", folder), Peer("caldav", folder)
    relay = f'after = "relay"\nrelay_to = "smtp://127.0.0.1:{sink.port}"'
    found: Figures = {}
    with running(sink, null):
        for name, words, listener in (
            ("10mb", ("--kind", "plain", "--size", "10000000", "--connections", "2", "--count", "10"), relay),
            ("6kb", ("--kind", "plain", "--size", "6000", "--connections", "20", "--count", "300"), relay),
            ("invitation", ("--connections", "20", "--count", "300"), ""),
        ):
            gateway = Watched(folder / name, caldav=f"http://127.0.0.1:{null.port}/", listener=listener)
            with running(gateway):
                load(gateway.port, "--connections", "2", "--count", "20", "--name", f"warm-{name}")
                gateway.drained()
                gateway.begin()
                load(gateway.port, *words, "--name", name)
                gateway.drained()
                found[f"{name}_longest_ms"] = gateway.longest()
    return found


def watch(folder: Path, scale: float) -> Figures:
    """CPU of looking at a calendar where nothing changed, of 1, 100 and 5 000; and where one object did, of 100 and 10 000."""
    null = Peer("caldav", folder)
    with running(null):
        done = subprocess.run(
            [sys.executable, "-m", "bench.watching", str(folder), str(null.port), str(scale)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


def hostile(folder: Path, scale: float) -> Figures:
    """The CPU that the worst hostile part of 1 MiB costs until it has its outcome."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.hostile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


MEASURES: dict[str, Measure] = {
    "intake": intake,
    "passing": passing,
    "large": large,
    "end_to_end": end_to_end,
    "answered": answered,
    "history": history,
    "flat": flat,
    "processes": processes,
    "latency": latency,
    "attendees": attendees,
    "radicale": radicale,
    "loop": loop,
    "watch": watch,
    "hostile": hostile,
}
