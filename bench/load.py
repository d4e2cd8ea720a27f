"""The client of the measurements: so many connections, so many mails, and how long each took to be answered.

python -m bench.load PORT --connections 50 --count 2000 --kind invitation --name run1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from bench import mails


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.dots: list[float] = []

    async def reply(self) -> int:
        while True:
            line = await self.reader.readline()
            if not line:
                raise ConnectionError("the server hung up")
            if line[3:4] != b"-":
                return int(line[:3])

    async def say(self, *commands: bytes) -> list[int]:
        self.writer.write(b"".join(one + b"\r\n" for one in commands))
        return [await self.reply() for _ in commands]

    async def send(self, content: bytes, *, pipelining: bool) -> None:
        envelope = (b"MAIL FROM:<carol@example.com>", b"RCPT TO:<alice@example.org>", b"DATA")
        if pipelining:
            codes = await self.say(*envelope)
        else:
            codes = [(await self.say(one))[0] for one in envelope]
        if codes[-1] != 354:
            raise ConnectionError(f"refused: {codes}")
        self.writer.write(content + b".\r\n")
        self.dots.append(time.time())
        if await self.reply() != 250:
            raise ConnectionError("not taken")


def made(kind: str, name: str, options: argparse.Namespace) -> bytes:
    if kind == "invitation":
        return mails.invitation(name, attendees=options.attendees, size=options.size)
    return mails.plain(name, options.size)


async def run(options: argparse.Namespace) -> dict[str, Any]:
    names = [f"{options.name}-{number}" for number in range(options.count)]
    ready = [made(options.kind, name, options) for name in names]
    waits: list[float] = []
    dots: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", options.port, limit=1 << 20)
        client = Client(reader, writer)
        await client.reply()
        await client.say(b"EHLO bench.example")
        while ready:
            content = ready.pop()
            begun = time.perf_counter()
            await client.send(content, pipelining=options.pipelining)
            waits.append(time.perf_counter() - begun)
            if options.pause:
                await asyncio.sleep(options.pause)
        dots.extend(client.dots)
        await client.say(b"QUIT")
        writer.close()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(options.connections):
            group.create_task(one())
    seconds = time.perf_counter() - begun
    waits.sort()
    return {
        "count": options.count,
        "seconds": seconds,
        "rate": options.count / seconds,
        "p50_ms": 1000 * waits[len(waits) // 2],
        "p99_ms": 1000 * waits[int(len(waits) * 0.99)],
    } | ({"dots": dots} if options.dots else {})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=5_500)
    parser.add_argument("--attendees", type=int, default=3)
    parser.add_argument("--kind", choices=("invitation", "plain"), default="invitation")
    parser.add_argument("--name", default="bench")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--dots", action="store_true", help="when each mail ended")
    parser.add_argument("--pipelining", action="store_true")
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
