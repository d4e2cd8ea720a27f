"""What is measured, started and stopped: gateways, peers, a private Postfix; and the CPU that their processes used."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


def until(check: Callable[[], object], what: str, seconds: float = 120.0, every: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if check():
                return
        time.sleep(every)
    raise RuntimeError(f"{what}: not within {seconds:.0f} s")


def answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def family(pid: int) -> list[int]:
    """A process and everything below it."""
    found, left = [], [pid]
    while left:
        one = left.pop()
        found.append(one)
        with contextlib.suppress(OSError):
            left += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
    return found


def cpu(pid: int) -> float:
    """Seconds that a process and its children, living and dead, have used."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / TICK


def memory(pid: int) -> float:
    """Resident megabytes of the largest process of a family."""
    sizes = [0]
    for one in family(pid):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            sizes += [int(line.split()[1]) for line in lines if line.startswith("VmRSS")]
    return max(sizes) / 1024


def peak(pid: int) -> float:
    """The most megabytes that a process ever had resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


class Process:
    """One program that was started for a measurement."""

    def __init__(self, *words: str, log: Path) -> None:
        with log.open("ab") as output:
            self.running = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output)

    @property
    def pid(self) -> int:
        return self.running.pid

    def stop(self) -> None:
        self.running.terminate()
        try:
            self.running.wait(60)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


class Peer(Process):
    """A server of bench.peers."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.port = free_port()
        super().__init__(
            sys.executable, "-m", "bench.peers", kind, str(self.port), log=folder / f"{kind}.log"
        )
        until(lambda: answers(self.port), kind)


class Gateway(Process):
    """A daemon with one account, alice."""

    def __init__(
        self,
        folder: Path,
        *,
        caldav: str,
        smarthost: str = "",
        listener: str = "",
        general: str = "",
        watch: str = "",
        user: str = "alice",
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port, self.web = folder, free_port(), free_port()
        self.expected = 0  # calendar writes that a measure waits for
        self.counts = ""  # who counts them, when it is not the one process itself
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[gateway]\ndomains = ["example.org"]\nstate_dir = "{folder}/state"\n{general}\n'
            f'[[listener]]\nlisten = "127.0.0.1:{self.port}"\n{listener}\n'
            f'[delivery]\nsmarthost = "{smarthost or f"maildir:{folder}/mail"}"\nstarttls = "never"\n'
            f'[trust]\ntrusted_networks_are = "likely"\n[log]\nlevel = "error"\n[watch]\ninterval = "1h"\n{watch}\n'
            f'[web]\nlisten = "127.0.0.1:{self.web}"\n[[server]]\nname = "main"\nurl = "{caldav}"\nconnections = 16\nprofile = "radicale"\n'
            f'[[account]]\naddress = "alice@example.org"\nusername = "{user}"\npassword = "demo"\n'
        )
        self.config.chmod(0o600)
        self.start()

    def start(self) -> None:
        super().__init__(sys.executable, "-m", *self.words(), log=self.folder / "log")
        until(self.ready, "the gateway")
        self.command("sync")

    def words(self) -> tuple[str, ...]:
        return "gateway", "serve", "-c", str(self.config)

    def ready(self) -> bool:
        with urlopen(f"http://127.0.0.1:{self.web}/readyz") as reply:
            return bool(reply.status == 200)

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", words[0], "-c", str(self.config), *words[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def waiting(self) -> dict[str, Any]:
        return dict(json.loads(self.command("queue", "stats", "--json")))

    def drained(self, seconds: float = 600.0) -> None:
        def nothing_left() -> bool:
            stats = self.waiting()
            return not (stats["due"] or stats["leased"] or stats["letters_due"])

        deadline = time.monotonic() + seconds
        while not nothing_left():
            if time.monotonic() > deadline:
                raise RuntimeError("the queue was not worked off")
            time.sleep(0.2)


class Door(Gateway):
    """What the daemon takes mail with, and nobody who works it off."""

    def words(self) -> tuple[str, ...]:
        return "bench.door", str(self.config)


class Watched(Gateway):
    """A daemon whose turns of the event loop are looked at."""

    def words(self) -> tuple[str, ...]:
        return "bench.turns", str(self.config)

    def begin(self) -> None:
        self.running.send_signal(signal.SIGUSR1)
        time.sleep(0.2)

    def longest(self) -> float:
        """The longest turn since `begin`, in milliseconds of CPU; the daemon is stopped."""
        self.stop()
        return float((self.folder / "state" / "turns").read_text())


def load(port: int, *words: str) -> dict[str, float]:
    """One run of bench.load."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load", str(port), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout))


class Postfix:
    """A private Postfix that takes mail, queues it durably and discards it."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        etc, data = folder / "etc", folder / "data"
        for one in (etc, data, folder / "queue"):
            one.mkdir(parents=True)
        os.chmod(folder, 0o755)
        shutil.chown(data, "postfix")
        (etc / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {data}\n"
            "command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n"
            "setgid_group = postdrop\ninet_interfaces = 127.0.0.1\nmyhostname = mx.example.org\nmydestination =\n"
            f"relay_domains = example.org\nrelay_transport = discard\nmynetworks = 127.0.0.0/8\nmaillog_file = {data}/log\n"
            f"maillog_file_prefixes = {folder.parents[0]}\nalias_maps =\nalias_database =\n"
            "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"
            "default_process_limit = 100\nsmtpd_client_connection_count_limit = 0\n"
        )
        lines = [
            line if line.startswith("#") else line.replace(" y ", " n ")
            for line in Path("/etc/postfix/master.cf").read_text().splitlines()
            if not line.startswith("smtp      inet")
        ]
        (etc / "master.cf").write_text("\n".join([f"{self.port} inet n - n - - smtpd", *lines]) + "\n")
        self._run("start")
        until(lambda: answers(self.port), "Postfix")
        self.pid = int((folder / "queue" / "pid" / "master.pid").read_text())

    def _run(self, word: str) -> None:
        subprocess.run(["postfix", "-c", str(self.folder / "etc"), word], capture_output=True, check=False)

    def drained(self) -> None:
        until(
            lambda: not [*self.folder.glob("queue/active/*"), *self.folder.glob("queue/incoming/*")],
            "Postfix",
        )

    def stop(self) -> None:
        self._run("stop")


def postgresql() -> Any:
    """The server that the tests use, with fsync off: the database of the machine is not what is measured."""
    spec = importlib.util.spec_from_file_location("conftest", ROOT / "tests" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PostgreSQL()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="imip-bench-", dir=os.environ.get("BENCH_DIR")))
    place.chmod(0o755)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def machine() -> dict[str, str]:
    """What this ran on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown",
    )
    total = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "memory": f"{int(total) // 1_048_576} GiB",
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
    }


__all__ = [
    "Door",
    "Gateway",
    "Peer",
    "Postfix",
    "Process",
    "Watched",
    "answers",
    "cpu",
    "folder",
    "free_port",
    "load",
    "machine",
    "memory",
    "postgresql",
    "signal",
    "until",
]
