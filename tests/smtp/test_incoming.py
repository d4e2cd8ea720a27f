"""A mail that grows too large for memory, and too many mails at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.errors import QueueFull
from gateway.smtp import incoming
from gateway.smtp.limits import Receiving

BUSY = "452 4.3.1 too much mail at once, try again later"
ACCEPTED = "250 2.6.0 message accepted"
BEGIN = ("MAIL FROM:<carol@example.net>", "RCPT TO:<alice@example.org>")


@dataclass
class Draft:
    """A file that is none."""

    error: Exception | None = None
    line: bytes = b""
    written: list[bytes] = field(default_factory=list)
    discarded: int = 0

    async def write(self, data: bytes | bytearray, *, counts: bool = True) -> None:
        if self.error is not None:
            raise self.error
        if counts:
            self.written.append(bytes(data))
        else:
            self.line = bytes(data)

    def __len__(self) -> int:
        return len(self.line) + sum(map(len, self.written))

    def discard(self) -> None:
        self.discarded += 1


@pytest.fixture
async def filing(start: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A listener that takes what is over ten octets to be large; and the drafts that it made."""
    monkeypatch.setattr(incoming, "LARGE", 10)
    drafts: list[Draft] = []

    async def open_one(error: Exception | None = None, **changes: Any) -> Any:
        bench = await start(**changes)

        def draft() -> Draft:
            drafts.append(Draft(error))
            return drafts[-1]

        bench.queue.drafts = draft
        return bench, drafts

    return open_one


def used(bench: Any) -> int:
    return int(bench.server._desk.receiving._used)


async def test_a_large_mail_goes_to_a_file_as_it_comes(filing: Any) -> None:
    bench, drafts = await filing()
    client = await bench.connect()
    await client.begin("alice@example.org")
    content = b"Subject: x\r\n\r\n..a\nb\r"
    for byte in content + b"\r\n.\r\n":
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.reply() == [ACCEPTED]
    (draft,) = drafts
    assert draft.line.startswith(b"Received: from client.example")
    assert b"".join(draft.written) == b"Subject: x\r\n\r\n.a\r\nb\r\n"
    assert (bench.mails[0].file, bench.mails[0].content) == (draft, b"")
    assert bench.events[-1][1] == {
        "role": "incoming",
        "peer": "127.0.0.1",
        "job": "job-1",
        "size": len(draft),
        "recipients": 1,
        "straightened": True,
    }
    assert (draft.discarded, used(bench)) == (1, 0)


async def test_a_small_mail_stays_in_memory(filing: Any) -> None:
    bench, drafts = await filing()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"a: b\r\n.\r\n")
    assert await client.reply() == [ACCEPTED]
    assert (drafts, bench.body(), used(bench)) == ([], b"a: b\r\n", 0)


async def test_chunks_go_to_the_same_file(filing: Any) -> None:
    bench, drafts = await filing()
    client = await bench.connect()
    await client.hello()
    await client.say(*BEGIN)
    await client.send(b"BDAT 8\r\nabcdef\r\nBDAT 7\r\nghijk\r\nBDAT 3 LAST\r\n.m\n")
    assert [(await client.reply())[0][:3] for _ in range(3)] == ["250", "250", "250"]
    assert b"".join(drafts[0].written) == b"abcdef\r\nghijk\r\n.m\r\n"
    assert (drafts[0].discarded, used(bench)) == (1, 0)


async def test_no_recipient_is_added_once_the_mail_has_begun(filing: Any) -> None:
    bench, _ = await filing()
    client = await bench.connect()
    await client.hello()
    await client.say(*BEGIN)
    await client.send(b"BDAT 2\r\nab")
    await client.reply()
    assert await client.say("RCPT TO:<bob@example.org>") == ["503 5.5.1 BDAT was begun"]


@pytest.mark.parametrize("last", ["RSET", "EHLO again", ""])
async def test_a_mail_that_comes_to_nothing_leaves_nothing(filing: Any, last: str) -> None:
    bench, drafts = await filing()
    client = await bench.connect()
    await client.hello()
    await client.say(*BEGIN)
    await client.send(b"BDAT 20\r\n" + b"x" * 20)
    await client.reply()
    assert (used(bench), drafts[0].discarded) == (20, 0)
    if last:
        await client.send(last.encode() + b"\r\n")
        await client.reply()
    else:
        client.drop()
        while bench.server._desk.sessions:
            await asyncio.sleep(0)
    assert (used(bench), drafts[0].discarded) == (0, 1)


async def test_a_client_that_drops_in_the_middle_leaves_nothing(filing: Any) -> None:
    bench, drafts = await filing()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"x" * 100)
    while not drafts:
        await asyncio.sleep(0)
    client.drop()
    while bench.server._desk.sessions:
        await asyncio.sleep(0)
    assert (used(bench), drafts[0].discarded, bench.mails) == (0, 1, [])


async def test_a_commit_that_outlives_its_client_keeps_the_file_so_long(filing: Any) -> None:
    bench, drafts = await filing()
    bench.queue.gate = asyncio.Event()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"x" * 100 + b"\r\n.\r\n")
    await bench.queue.entered.wait()
    for session in tuple(bench.server._desk.sessions.values()):
        session.dismiss("421 gone")
    while bench.server._desk.sessions:
        await asyncio.sleep(0)
    assert drafts[0].discarded == 0
    bench.queue.gate.set()
    await bench.server._desk.settled()
    assert (len(bench.mails), drafts[0].discarded, used(bench)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("changes", "content", "reply"),
    [
        ({"max_line": 12}, b"a\r\n" + b"x" * 13 + b"\r\n", "554 5.6.0 a line of the message is too long"),
        ({"max_message": 12}, b"abcdefghijk\r\n", "552 5.3.4 message too big"),
        ({"max_received": 1}, b"Received: x\r\nReceived: y\r\n", "554 5.4.6 mail loop"),
        (
            {"error": QueueFull("/var")},
            b"abcdefghijk\r\n",
            "452 4.3.1 insufficient system storage, try again later",
        ),
        ({"error": OSError("/var")}, b"abcdefghijk\r\n", "451 4.3.0 temporary failure, try again later"),
    ],
)
async def test_a_refused_large_mail_is_one_event_and_leaves_nothing(
    filing: Any, changes: Any, content: bytes, reply: str
) -> None:
    bench, drafts = await filing(**changes)
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(content + b".\r\nNOOP\r\n")
    assert [await client.reply(), await client.reply()] == [[reply], ["250 2.0.0 ok"]]
    assert [name for name, _ in bench.events] == ["mail.refused"]
    assert (bench.mails, used(bench)) == ([], 0)
    assert all(one.discarded for one in drafts)


async def test_a_large_mail_for_strangers_only_needs_no_file(filing: Any) -> None:
    bench, drafts = await filing(unknown_recipients="accept")
    client = await bench.connect()
    await client.begin("x@example.com")
    await client.send(b"abcdefghijkl\r\n.\r\n")
    assert await client.reply() == [ACCEPTED]
    assert (drafts, bench.mails, used(bench)) == ([], [], 0)


async def test_beyond_the_budget_of_all_a_mail_is_for_later(start: Any) -> None:
    bench = await start()
    bench.server._desk.receiving = Receiving(100)
    first, second = await bench.connect(), await bench.connect()
    await first.begin("alice@example.org")
    await first.send(b"x" * 90)
    while not used(bench):
        await asyncio.sleep(0)
    await second.hello()
    assert await second.say("MAIL FROM:<> SIZE=50") == [BUSY]
    await second.say(*BEGIN, "DATA")
    await second.send(b"y" * 50 + b"\r\n.\r\n")
    assert await second.reply() == [BUSY]
    await first.send(b"\r\n.\r\n")
    assert await first.reply() == [ACCEPTED]
    assert await second.say(*BEGIN, "DATA") == [
        "250 2.1.0 sender ok",
        "250 2.1.5 recipient ok",
        "354 end with <CRLF>.<CRLF>",
    ]
    await second.send(b"y" * 50 + b"\r\n.\r\n")
    assert await second.reply() == [ACCEPTED]
    assert {facts["reason"] for name, facts in bench.events if name == "mail.refused"} == {"too-much-at-once"}
    assert used(bench) == 0


async def test_a_budget_that_is_used_up_refuses_before_the_mail_comes(start: Any) -> None:
    bench = await start()
    bench.server._desk.receiving = receiving = Receiving(100)
    client = await bench.connect()
    await client.hello()
    await client.say(*BEGIN)
    receiving.take(100, trusted=True)
    assert await client.say("DATA", "RSET") == [BUSY, "250 2.0.0 forgotten"]
    await client.say(*BEGIN)
    await client.send(b"BDAT 4\r\nNOOPBDAT 4 LAST\r\nNOOP")
    assert [await client.reply(), await client.reply()] == [[BUSY], ["503 5.5.1 MAIL first"]]
