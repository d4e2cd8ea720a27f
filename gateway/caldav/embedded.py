"""The embedded Radicale: a child process that serves the demo's accounts, and dies with us.

Radicale is GPL and stays a program of its own: it is started, never imported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from gateway.accounts import Account
from gateway.caldav.client import XML_TYPE, Connections, DavClient, ServerSettings
from gateway.caldav.discover import discover
from gateway.caldav.xml import make_calendar
from gateway.errors import BackendUnavailable, ConfigError

URL = "embedded:radicale"  # what the configuration says for it
CALENDAR = "calendar"
CALENDAR_NAME = "Calendar"
HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds until it must answer
FAREWELL = 5.0  # seconds between terminate and kill
GLANCE = 1.0  # seconds between two looks whether it still lives
DEATHS, WITHIN = 5, 600.0  # it is started anew so often in so many seconds, and then left down
_POLL = 0.05
# The kernel ends the child when we die (Linux only, prctl 1 = PR_SET_PDEATHSIG); the parent may be gone already.
_CHILD = """
import os, runpy, signal, sys
parent = int(sys.argv.pop(1))
try:
    import ctypes
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM)
except (ImportError, OSError, AttributeError):
    pass
if os.getppid() != parent:
    sys.exit(0)
runpy.run_module("radicale", run_name="__main__", alter_sys=True)
"""


class EmbeddedRadicale:
    """Starts, prepares and stops one Radicale in a folder of the state directory; its calendars survive restarts.

    It belongs to no event loop: it may be started in one and stopped in another.
    """

    def __init__(
        self,
        folder: Path,
        accounts: Iterable[Account],
        *,
        port: int = 0,
        tells: tuple[str, Path] | None = None,
    ) -> None:
        """`folder` is made if needed. `port` 0: the one of the last time if it is free, else any. `tells`: our web's URL
        and the file of its hook's token."""
        self._folder = folder.absolute()
        self._accounts = tuple(accounts)
        self._port = port
        self._tells = tells
        self._child: subprocess.Popen[bytes] | None = None
        _check(self._accounts)

    @property
    def url(self) -> str:
        """Where it answers, once started."""
        return f"http://{HOST}:{self._port}/"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    async def start(self) -> str:
        """Start it, wait until it answers, make the default calendars; return its URL. Raises BackendUnavailable."""
        if not self.alive:
            self._launch()
        try:
            await self._prepare()
        except BaseException:
            await self.stop()
            raise
        return self.url

    async def stop(self) -> None:
        """End the child: ask, then insist."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, FAREWELL)
        except subprocess.TimeoutExpired:
            child.kill()
            await asyncio.to_thread(child.wait)

    async def keep(self, *, glance: float = GLANCE) -> None:
        """Start it anew whenever it dies, at the same place; ends when it died too often. Cancel it before `stop`."""
        log = logging.getLogger("imip-gateway")
        deaths: deque[float] = deque(maxlen=DEATHS)
        while True:
            await asyncio.sleep(glance)
            if self.alive:
                continue
            words = self._last_words()
            if len(deaths) == DEATHS and time.monotonic() - deaths[0] < WITHIN:
                log.error("the embedded Radicale keeps ending and stays down: %s", words)
                return
            deaths.append(time.monotonic())
            log.warning("the embedded Radicale ended and is started again: %s", words)
            with suppress(BackendUnavailable):  # the next glance finds it dead
                await self.start()

    def _launch(self) -> None:
        config = self._write_files()
        with (self._folder / "log").open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                [sys.executable, "-P", "-c", _CHILD, str(os.getpid()), "--config", str(config)],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us: the last writes need a server
                stdout=log,
                stderr=log,
                cwd=self._folder,
            )

    def _write_files(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._port = self._port or self._free_port()
        (self._folder / "port").write_text(f"{self._port}\n")
        users = self._folder / "users"
        users.touch(mode=0o600)
        users.write_text(
            "".join(f"{user_of(one)}:{one.password}\n" for one in self._accounts), encoding="utf-8"
        )
        config = self._folder / "config"
        config.write_text(self._config(), encoding="utf-8")
        return config

    def _config(self) -> str:
        """Everybody owns what lies under his name, and nothing else. Radicale's own 8 connections are too few."""
        return (
            f"[server]\nhosts = {HOST}:{self._port}\nmax_connections = 64\n"
            f"[auth]\ntype = htpasswd\nhtpasswd_filename = {self._folder / 'users'}\nhtpasswd_encryption = plain\n"
            "[rights]\ntype = owner_only\n"
            f"[storage]\nfilesystem_folder = {self._folder / 'collections'}\n"
            "[logging]\nlevel = warning\n" + self._hook()
        )

    def _hook(self) -> str:
        if self._tells is None:
            return ""
        url, token_file = self._tells
        return (
            "[hook]\ntype = gateway.radicale_hook\n"
            f"imip_gateway_url = {url}\nimip_gateway_token_file = {token_file}\n"
        )

    def _free_port(self) -> int:
        before = self._folder / "port"
        wanted = int(before.read_text()) if before.exists() else 0
        for port in (wanted, 0):
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, port))
                return int(probe.getsockname()[1])
        raise BackendUnavailable("no free port for the embedded Radicale")

    async def _prepare(self) -> None:
        connections = Connections(ServerSettings(url=self.url, name="embedded", profile="radicale"))
        try:
            for account in self._accounts:
                client = connections.client(account)
                await self._answers(client)
                await _with_calendar(client, account)
        finally:
            await connections.aclose()

    async def _answers(self, client: DavClient) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            if not self.alive:
                raise BackendUnavailable(f"the embedded Radicale ended: {self._last_words()}")
            try:
                await client.request("OPTIONS", "/")
            except BackendUnavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_POLL)
            else:
                return

    def _last_words(self) -> str:
        log = self._folder / "log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return lines[-1] if lines else "it said nothing"


def user_of(account: Account) -> str:
    """The name under which an account logs in."""
    return account.username or account.address


async def _with_calendar(client: DavClient, account: Account) -> None:
    """Give a new account its calendar; who has one, or made another, keeps what he has."""
    found = await discover(client, account, profile="radicale")
    if found.calendars:
        return
    reply = await client.request(
        "MKCALENDAR",
        f"{found.homes[0]}{CALENDAR}/",
        body=make_calendar(CALENDAR_NAME),
        headers={"Content-Type": XML_TYPE},
    )
    reply.expect(201)


def _check(accounts: Iterable[Account]) -> None:
    """The password file is lines of `name:password`, and a name is a folder."""
    problems = tuple(
        f"account {one.address}: this user name or password cannot be used with {URL}"
        for one in accounts
        if set(user_of(one)) & set(":/\\\r\n") or not one.password or set(one.password) & set("\r\n")
    )
    if problems:
        raise ConfigError(problems)


__all__ = ["CALENDAR", "URL", "EmbeddedRadicale", "user_of"]
