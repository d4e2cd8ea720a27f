"""A run's world: nodes, a calendar server behind the proxy, the sink, and people who send and save."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import smtplib
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from gateway.config import load
from gateway.store.desk import Store
from gateway.wiring import storage
from tests.crash import mails, power
from tests.crash.mails import ALICE
from tests.crash.proxy import Proxy
from tests.crash.sink import Letter, Sink
from tests.crash.stories import Story
from tests.e2e.conftest import PASSWORD, Gateway, Radicale, free_port, unfold

WATCH = 'interval = "1s"\nsettle = "0s"\nsettle_deleted = "0s"\nburst = { events = 100000, within = "1s" }'
HOME = "/alice/calendar/"
PEOPLE = 6  # at once
ANCHOR = (
    "anchor"  # a meeting with herself that stays: a calendar whose meetings go all at once is held (SPEC 5.3)
)


class Front:
    """The proxy as the gateway's configuration sees a calendar server."""

    def __init__(self, proxy: Proxy, server: Radicale) -> None:
        self.url, self.users = proxy.url, server.users


class Run:
    """Everything of one run; what the stories call, from several threads."""

    def __init__(
        self, folder: Path, seed: int, *, database: str = "", nodes: int = 1, processes: int = 1
    ) -> None:
        self.folder, self.seed, self.chance = folder, seed, random.Random(seed)
        self.server = Radicale(folder / "radicale", ("alice",))
        self.proxy = Proxy(self.server.port, free_port(), random.Random(self.chance.random())).start()
        self.sink = Sink(free_port(), random.Random(self.chance.random())).start()
        self.nodes: list[Gateway] = []
        self.acked: dict[str, list[bytes]] = defaultdict(list)  # Message-ID -> what got a 250
        self.kills: list[float] = []
        self.log: list[str] = []
        self._lock = threading.Lock()
        self._disk = threading.Lock()  # nobody else writes to the database while it is copied
        key = folder / "key"
        key.write_text("0123456789abcdef" * 4)
        key.chmod(0o600)
        general = f'database_url = "{database}"\nprocesses = {processes}\nsecret_key_file = "{key}"'
        for number in range(nodes):
            self.nodes.append(self._node(f"node{number}", general))
        self.save(ANCHOR, mails.calendar(ANCHOR, "SUMMARY:Dentist"), "")
        self.nodes[0].run("sync")

    def _node(self, name: str, general: str) -> Gateway:
        smarthost = f"smtp://127.0.0.1:{self.sink.port}"
        front: Any = Front(self.proxy, self.server)
        return Gateway(self.folder / name, front, smarthost=smarthost, watch=WATCH, general=general).start()

    def close(self) -> None:
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.stop(signal.SIGKILL)
        self.proxy.stop()
        self.sink.stop()
        self.server.stop()

    def note(self, text: str) -> None:
        self.log.append(f"{datetime.now(UTC):%H:%M:%S.%f} {text}")

    # --- what stories do ---

    def post(self, name: str, content: bytes, sender: str) -> None:
        """To one node or another, until one says 250."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            node = random.choice(self.nodes)
            try:
                with smtplib.SMTP("127.0.0.1", node.port, timeout=20) as client:
                    client.sendmail(sender, [ALICE], content)
            except (OSError, smtplib.SMTPException) as error:
                if isinstance(error, smtplib.SMTPServerDisconnected | OSError) or _is_temporary(error):
                    time.sleep(0.1)
                    continue
                raise
            with self._lock:
                self.acked[f"<{name}@mail.example>"].append(content)
            return
        raise AssertionError(f"nobody took {name}")

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.server.url, auth=("alice", PASSWORD), timeout=30)

    def read(self, uid: str) -> tuple[str, str] | None:
        """Where both the people's programs and the gateway put it: the UID is a good name."""
        with self.client() as client:
            answer = client.get(f"{HOME}{uid}.ics")
        return (unfold(answer.text), answer.headers["ETag"]) if answer.status_code == 200 else None

    def objects(self) -> dict[str, tuple[str, str]]:
        """href -> text and ETag, unfolded."""
        query = (
            '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
            '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
        )
        with self.client() as client:
            answer = client.request("REPORT", HOME, content=query, headers={"Depth": "1"})
            answer.raise_for_status()
        return multistatus(answer.content)

    def save(self, uid: str, text: str, etag: str) -> bool:
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        with self.client() as client:
            href = f"{HOME}{uid}.ics"
            if text:
                fields = {"Content-Type": "text/calendar", **condition}
                crlf = re.sub(r"\r?\n", "\r\n", text).encode()
                answer = client.put(href, content=crlf, headers=fields)
            else:
                answer = client.delete(href, headers=condition)
        assert answer.status_code < 300 or answer.status_code == 412, answer.text
        if answer.is_success:
            self.note(f"saved {uid}: {re.findall(r'SUMMARY:.*|PARTSTAT=[A-Z-]*|CATEGORIES.*', text)}")
        return answer.is_success

    def sent(self, uid: str) -> list[Letter]:
        return [one for one in list(self.sink.letters) if one.uid == uid]

    def tell(self, stories: list[Story], *, seconds: float) -> None:
        """All stories, several at once, steps of different ones interleaved."""
        lots = [stories[number::PEOPLE] for number in range(PEOPLE)]
        deadline = time.monotonic() + seconds
        with ThreadPoolExecutor(PEOPLE) as pool:
            for done in [
                pool.submit(self._tell, lot, random.Random(self.chance.random()), deadline) for lot in lots
            ]:
                done.result()

    def _tell(self, stories: list[Story], chance: random.Random, deadline: float) -> None:
        going = [(story, story.steps(self)) for story in stories]
        while going:
            assert time.monotonic() < deadline, f"stuck: {[story.uid for story, _ in going]}"
            story, steps = chance.choice(going)
            try:
                if not next(steps):
                    time.sleep(0.2)
            except StopIteration:
                going.remove((story, steps))

    # --- what happens to the nodes ---

    def kill(self, node: Gateway, *, child: bool) -> None:
        """Without a word: one process, or the whole node, which comes back."""
        pid = node.process.pid if node.process else 0
        children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        self.kills.append(time.time())
        if child and children:
            self.note(f"kill child of {node.folder.name}")
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(children), signal.SIGKILL)
            return
        self.note(f"kill {node.folder.name}")
        node.stop(signal.SIGKILL)
        time.sleep(self.chance.uniform(0, 0.5))
        node.start()

    def power_cut(self, node: Gateway) -> str:
        """The disk as it was at a random moment is all that the next start has."""
        state, copy = node.folder / "state", node.folder / f"state-{len(self.kills)}"
        self.kills.append(time.time())
        assert node.process is not None
        with self._disk:
            told = power.cut(node.process.pid, state, copy, self.chance)
            node.process.wait(60)
            state.rename(node.folder / f"before-{len(self.kills)}")
            copy.rename(state)
        self.note(f"power cut: {told}")
        node.start()
        return told

    # --- the end ---

    def hurry(self, stop: Callable[[], bool]) -> None:
        """What waits for another try is tried now: `queue retry`, again and again, in a thread."""
        while not stop():
            with self._disk:
                asyncio.run(self._hurry())
            time.sleep(1.0)

    async def _hurry(self) -> None:
        async with self.store() as store:
            for one in await store.queue.list_jobs():
                if one["state"] == "due" and one["attempts"]:
                    await store.queue.retry_now(one["id"])

    def store(self) -> contextlib.AbstractAsyncContextManager[Store]:
        return storage.opened_store(load(self.nodes[0].config))

    def drain(self, *, seconds: float = 300) -> None:
        """Until two looks at the calendar in a row bring nothing more to do."""
        self.proxy.stormy = self.sink.stormy = False
        deadline = time.monotonic() + seconds
        quiet = 0
        while quiet < 2:
            wrong = [one for one in self.nodes[0].json("sync") if one["changed"] or one["error"]]
            asyncio.run(self._drained(deadline))
            quiet = 0 if wrong else quiet + 1

    async def _drained(self, deadline: float) -> None:
        async with self.store() as store:
            while not await store.queue.drained(True) or await _tried(store):
                assert time.monotonic() < deadline, f"not drained: {(await store.queue.list_jobs())[:5]}"
                await asyncio.sleep(0.1)


async def _tried(store: Store) -> bool:
    """Whether something waits for another try."""
    return any(one["state"] == "due" for one in await store.queue.list_jobs())


def _is_temporary(error: Exception) -> bool:
    codes = [getattr(error, "smtp_code", 0), *(code for code, _ in getattr(error, "recipients", {}).values())]
    return any(400 <= code < 500 for code in codes)


def multistatus(body: bytes) -> dict[str, tuple[str, str]]:
    from xml.etree import ElementTree

    dav, cal = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
    return {
        one.findtext(f"{dav}href", ""): (
            unfold(one.findtext(f".//{cal}calendar-data", "")),
            one.findtext(f".//{dav}getetag", ""),
        )
        for one in ElementTree.fromstring(body).iter(f"{dav}response")
    }
