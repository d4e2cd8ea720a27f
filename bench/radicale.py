"""A real Radicale: plain PUTs of invitations, and the same through the gateway; prints both rates as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from bench import mails
from bench.measures import _worked_off
from bench.stage import Gateway, Process, answers, free_port, load, until


class Radicale(Process):
    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        (folder / "users").write_text("alice:demo\n")
        (folder / "radicale").write_text(
            f"[server]\nhosts = 127.0.0.1:{self.port}\nmax_connections = 100\n[auth]\ntype = htpasswd\n"
            f"htpasswd_filename = {folder}/users\nhtpasswd_encryption = plain\n"
            f"[storage]\nfilesystem_folder = {folder}/collections\n[logging]\nlevel = error\n"
        )
        super().__init__(
            sys.executable,
            "-m",
            "radicale",
            "--config",
            str(folder / "radicale"),
            log=folder / "radicale.log",
        )
        until(lambda: answers(self.port), "Radicale")


async def puts(port: int, count: int, collection: str) -> float:
    """PUTs per second over 16 connections."""
    import aiohttp

    left = list(range(count))
    auth = aiohttp.BasicAuth("alice", "demo")
    async with aiohttp.ClientSession(auth=auth, connector=aiohttp.TCPConnector(limit=16)) as session:

        async def some() -> None:
            while left:
                uid = f"plain-{left.pop()}"
                text = mails.calendar(uid).replace(b"METHOD:REQUEST\r\n", b"")
                url = f"http://127.0.0.1:{port}{collection}{uid}.ics"
                fields = {"Content-Type": "text/calendar", "If-None-Match": "*"}
                async with session.put(url, data=text, headers=fields) as reply:
                    reply.raise_for_status()

        async with session.request("MKCALENDAR", f"http://127.0.0.1:{port}{collection}") as reply:
            reply.raise_for_status()
        begun = time.monotonic()
        await asyncio.gather(*(some() for _ in range(16)))
        return count / (time.monotonic() - begun)


def main() -> None:
    folder, count = Path(sys.argv[1]) / "r", int(sys.argv[2])
    folder.mkdir()
    server = Radicale(folder)
    try:
        plain = asyncio.run(puts(server.port, count, "/alice/plain/"))
        asyncio.run(puts(server.port, 0, "/alice/calendar/"))
        gateway = Gateway(folder / "gateway", caldav=f"http://127.0.0.1:{server.port}/", general="")
        try:
            gateway.expected = 20
            load(gateway.port, "--connections", "4", "--count", "20", "--name", "warm")
            _worked_off(gateway)
            gateway.expected += count
            begun = time.monotonic()
            load(gateway.port, "--connections", "16", "--count", str(count), "--name", "run")
            _worked_off(gateway)
            through = count / (time.monotonic() - begun)
        finally:
            gateway.stop()
    finally:
        server.stop()
    print(json.dumps({"plain_put_rate": plain, "gateway_rate": through, "ratio": through / plain}))


if __name__ == "__main__":
    main()
