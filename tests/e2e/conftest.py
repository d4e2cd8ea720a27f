"""The harness of the end-to-end tests: real daemons, real Radicale, real mail, on free loopback ports.

A case reads like a story: `gateway.mail(...)`, `gateway.settle()`, `gateway.calendar("alice")`, `gateway.letters()`.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "demo"


def free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


def wait_for(check: Callable[[], object], process: subprocess.Popen[bytes], what: str, log: Path) -> None:
    """Bounded waiting for a process that we started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"{what} ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        with contextlib.suppress(OSError, httpx.HTTPError):
            if check():
                return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come up:\n{log.read_text()[-4000:]}")


class Radicale:
    """A Radicale of our own, with one calendar per user."""

    def __init__(self, folder: Path, users: Sequence[str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.users = users
        folder.mkdir(parents=True)
        (folder / "users").write_text("".join(f"{user}:{PASSWORD}\n" for user in users))
        (folder / "config").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder}/users\nhtpasswd_encryption = plain\n"
            f"[storage]\nfilesystem_folder = {folder}/collections\n[logging]\nlevel = warning\n"
        )
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.log = folder / "log"
        self.folder = folder
        self.restart()
        for user in users:
            with self.client(user) as client:
                client.request("MKCALENDAR", f"/{user}/calendar/").raise_for_status()

    def restart(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "radicale", "--config", str(self.folder / "config")],
                stdout=output,
                stderr=output,
                env=self.environment,
            )
        wait_for(lambda: httpx.get(self.url).status_code < 500, self.process, "radicale", self.log)

    def client(self, user: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=(user, PASSWORD), timeout=30)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Gateway:
    """One daemon with its state, its calendar server and its command line."""

    def __init__(
        self,
        folder: Path,
        radicale: Radicale,
        *,
        domain: str = "example.org",
        smarthost: str = "",
        more: str = "",
        trust: str = 'trusted_networks_are = "likely"',
        watch: str = 'interval = "1h"\nsettle = "0s"\nsettle_deleted = "0s"',
        addresses: Mapping[str, str] | None = None,
        general: str = "",
        maildir: Path | None = None,
    ) -> None:
        """`addresses`: of each user, where it is not simply `user@domain`; `general`: more of `[gateway]`."""
        self.folder = folder
        self.radicale = radicale
        self.domain = domain
        self.port = free_port()
        self.web = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.maildir = maildir or folder / "mail"
        addresses = addresses or {user: f"{user}@{domain}" for user in radicale.users}
        domains = sorted({address.rpartition("@")[2] for address in addresses.values()} | {domain})
        accounts = "".join(
            f'[[account]]\naddress = "{addresses[user]}"\nname = "{user.capitalize()} Test"\n'
            f'username = "{user}"\npassword = "{PASSWORD}"\n'
            for user in radicale.users
        )
        self.config = folder / "config.toml"
        self.config.write_text(
            f'[gateway]\ndomains = {json.dumps(domains)}\nstate_dir = "{folder}/state"\n{general}\n'
            f'[[listener]]\nlisten = "127.0.0.1:{self.port}"\n'
            f'[delivery]\nsmarthost = "{smarthost or f"maildir:{self.maildir}"}"\nstarttls = "never"\n'
            f"[trust]\n{trust}\n[watch]\n{watch}\n"
            f'[web]\nlisten = "127.0.0.1:{self.web}"\n'
            f'[[server]]\nname = "main"\nurl = "{radicale.url}"\n{accounts}{more}'
        )
        self.config.chmod(0o600)
        self.log = folder / "log"

    def start(self) -> Gateway:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "-c", str(self.config)],
                stdout=output,
                stderr=output,
                cwd=ROOT,
            )
        url = f"http://127.0.0.1:{self.web}/readyz"
        wait_for(lambda: httpx.get(url).status_code == 200, self.process, "the gateway", self.log)
        return self

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)

    def run(self, *words: str, stdin: bytes = b"", ok: Sequence[int] = (0,)) -> str:
        """One command of the command line; its standard output."""
        command, *rest = words
        done = subprocess.run(
            [sys.executable, "-m", "gateway", command, "-c", str(self.config), *rest],
            input=stdin,
            capture_output=True,
            cwd=ROOT,
            timeout=120,
            env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
        )
        output = done.stdout.decode() + done.stderr.decode()
        assert done.returncode in ok, f"{words} ended with {done.returncode}:\n{output}\n{self._tail()}"
        return done.stdout.decode()

    def json(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json"))

    def _tail(self) -> str:
        return self.log.read_text()[-6000:] if self.log.exists() else ""

    def mail(self, content: bytes | EmailMessage, *recipients: str, sender: str = "") -> None:
        """Hand a mail to the listener as the mail server would, and wait until it is worked off."""
        self.post(content, *recipients, sender=sender)
        self.run("drain", "--timeout", "60")

    def post(self, content: bytes | EmailMessage, *recipients: str, sender: str = "") -> None:
        """Hand a mail to the listener, and wait for nothing but its answer."""
        raw = content.as_bytes(policy=email.policy.SMTP) if isinstance(content, EmailMessage) else content
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as client:
            client.sendmail(sender, list(recipients), raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    def settle(self) -> None:
        """What a watch round and the settle time would bring by themselves, now."""
        self.run("sync")
        self.run("drain", "--settle", "--timeout", "60")

    def letters(self) -> list[EmailMessage]:
        """Everything that left into the Maildir, oldest first."""
        folder = self.maildir / "new"
        paths = (
            sorted(folder.iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name))
            if folder.exists()
            else []
        )
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]  # type: ignore[misc]

    def take_letters(self) -> list[EmailMessage]:
        """The letters since the last call."""
        found = self.letters()
        for path in (self.maildir / "new").glob("*"):
            path.unlink()
        return found

    def objects(self, user: str) -> dict[str, str]:
        """path -> calendar text of everything in the user's calendar, unfolded, LF."""
        with self.radicale.client(user) as client:
            listing = client.request("PROPFIND", f"/{user}/calendar/", headers={"Depth": "1"})
            paths = [part.split("<")[0] for part in listing.text.split("<href>")[1:]]
            paths = [path for path in dict.fromkeys(paths) if path.endswith(".ics")]
            return {path: unfold(client.get(path).text) for path in paths}

    def object(self, user: str, uid: str) -> str:
        found = [text for text in self.objects(user).values() if f"UID:{uid}\n" in text]
        assert len(found) <= 1, found
        return found[0] if found else ""

    def put(self, user: str, uid: str, text: str) -> None:
        """What the user's calendar client does when he saves."""
        path = next(
            (path for path, old in self.objects(user).items() if f"UID:{uid}\n" in old),
            f"/{user}/calendar/saved-{uid}.ics",  # a name that says nothing, as many clients give
        )
        with self.radicale.client(user) as client:
            client.put(
                path, content=text.encode(), headers={"Content-Type": "text/calendar"}
            ).raise_for_status()

    def put_new(self, user: str, uid: str, text: str) -> None:
        with self.radicale.client(user) as client:
            client.put(
                f"/{user}/calendar/saved-{uid}.ics",  # a name that says nothing, as many clients give
                content=text.encode(),
                headers={"Content-Type": "text/calendar"},
            ).raise_for_status()

    def reconfigure(self, *, smarthost: str) -> None:
        """Another smarthost, and a restart."""
        self.stop()
        text = self.config.read_text()
        self.config.write_text(text.replace(f"maildir:{self.maildir}", smarthost))
        self.start()

    def delete(self, user: str, uid: str) -> None:
        path = next(path for path, old in self.objects(user).items() if f"UID:{uid}\n" in old)
        with self.radicale.client(user) as client:
            client.delete(path).raise_for_status()


def unfold(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "")


@pytest.fixture(name="free_port")
def a_free_port() -> Callable[[], int]:
    return free_port


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start gateways, each with its own Radicale; all end with the test."""
    running: list[Gateway] = []

    def begin(
        name: str = "gateway", *, users: Sequence[str] = ("alice", "bob"), begun: bool = True, **settings: Any
    ) -> Gateway:
        radicale = settings.pop("radicale", None) or Radicale(tmp_path / f"{name}-radicale", users)
        gateway = Gateway(tmp_path / name, radicale, **settings)
        running.append(gateway)
        return gateway.start() if begun else gateway

    yield begin
    for gateway in running:
        gateway.stop()
        gateway.radicale.stop()


@pytest.fixture
def free() -> Callable[[], int]:
    """A port that nobody listens on."""
    return free_port


@pytest.fixture
def gateway(start: Callable[..., Gateway]) -> Gateway:
    """One gateway for alice and bob @example.org, letters into a Maildir, baseline taken."""
    found = start()
    found.settle()
    return found
