"""The other end of a talk is a list of what was written, and bytes in whatever pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp.data import Collector, straighten
from gateway.smtp.talk import CHUNK, Broken, Stuffer, Talk


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.protocol: Any = None

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        if len(data) == CHUNK:
            self.protocol.pause_writing()
            asyncio.get_running_loop().call_soon(self.protocol.resume_writing)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire() -> Transport:
    return Transport()


async def test_commands_go_out_in_one_piece_and_are_answered_in_order(wire: Transport) -> None:
    talk = Talk(wire)
    talk.say(b"MAIL FROM:<>", b"RCPT TO:<a@example.org>", b"DATA")
    assert wire.written == [b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n"]
    for piece in (b"250 ok\r", b"\n550-no\r\n5", b"50 one\r\n354 go\r\n"):
        talk.data_received(piece)
    answers = [await talk.reply(5.0) for _ in range(3)]
    assert [(one.code, one.text) for one in answers] == [(250, "ok"), (550, "no\none"), (354, "go")]


async def test_what_nobody_asked_for_answers_nothing(wire: Transport) -> None:
    talk = Talk(wire)
    talk.data_received(b"421 closing\r\n")
    talk.say(b"RSET")
    talk.data_received(b"250 ok\r\n")
    assert (await talk.reply(5.0)).code == 250


async def test_a_line_that_is_no_reply_has_no_code(wire: Transport) -> None:
    talk = Talk(wire)
    talk.say(b"RSET")
    talk.data_received(b"what?\r\n")
    assert (await talk.reply(5.0)).code == -1


async def test_who_waits_hears_that_the_peer_hung_up(wire: Transport) -> None:
    talk = Talk(wire)
    talk.say(b"RSET")
    waiting = asyncio.ensure_future(talk.reply(5.0))
    await asyncio.sleep(0)
    talk.eof_received()
    with pytest.raises(Broken):
        await waiting
    assert not talk.alive
    with pytest.raises(Broken):
        talk.say(b"RSET")


async def test_a_silent_peer_is_given_up(wire: Transport) -> None:
    talk = Talk(wire)
    talk.say(b"RSET")
    with pytest.raises(TimeoutError):
        await talk.reply(0.001)


async def test_a_reply_without_end_is_the_end(wire: Transport) -> None:
    talk = Talk(wire)
    talk.say(b"RSET")
    talk.data_received(b"250-x\r\n" * 100_000)
    assert not talk.alive


async def test_a_command_is_one_line(wire: Transport) -> None:
    with pytest.raises(ValueError, match="one line"):
        Talk(wire).say(b"RCPT TO:<a@example.org>\r\nDATA")


async def test_a_large_mail_waits_for_room(wire: Transport) -> None:
    talk = Talk(wire)
    giving = asyncio.ensure_future(talk.give(b"x" * 3 * CHUNK + b"\r\n", 5.0))
    await asyncio.sleep(0)
    assert len(wire.written) == 1
    while wire.written[-1] != b".\r\n":
        await asyncio.sleep(0)
    talk.data_received(b"250 taken\r\n")
    assert (await giving).code == 250
    assert b"".join(wire.written) == b"x" * 3 * CHUNK + b"\r\n.\r\n"


@pytest.mark.parametrize("straight", [False, True])
async def test_only_what_was_looked_at_before_goes_out_unseen(wire: Transport, straight: bool) -> None:
    talk = Talk(wire)
    giving = asyncio.ensure_future(talk.give(b"a\n.\rb\r\n", 5.0, straight=straight))
    await asyncio.sleep(0)
    talk.data_received(b"250 taken\r\n")
    await giving
    assert wire.written[0] == (b"a\n.\rb\r\n" if straight else b"a\r\n..\r\nb\r\n")


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"..", b"x"])).map(b"".join))
def test_what_is_stuffed_comes_out_as_it_was_but_for_bare_line_ends(content: bytes) -> None:
    straight = straighten(content)[0]
    stuffer = Stuffer()
    wire = stuffer.feed(straight) + stuffer.end()
    piece, rest = Collector(10_000).feed(wire + b".\r\nQUIT\r\n")
    assert rest == b"QUIT\r\n"
    assert piece in (straight, straight + b"\r\n")


@given(st.lists(st.sampled_from([b"\r\n", b".", b"..", b"x"])).map(b"".join), st.lists(st.integers(1, 4)))
def test_the_borders_of_pieces_mean_nothing_to_stuffing(content: bytes, sizes: list[int]) -> None:
    whole, pieces, at = Stuffer(), Stuffer(), 0
    wire = b""
    for size in [*sizes, len(content)]:
        wire += pieces.feed(content[at : at + size])
        at += size
    assert wire + pieces.end() == whole.feed(content) + whole.end()


async def test_the_rest_of_a_mail_follows_its_beginning() -> None:
    transport = Transport()
    talk = Talk(transport)

    async def rest() -> AsyncIterator[bytes]:
        for piece in (b".b\r\n", b"", b"c"):
            yield piece

    given = asyncio.create_task(talk.give(b"a\r\n", 5.0, straight=True, rest=rest()))
    await asyncio.sleep(0)
    talk.data_received(b"250 ok\r\n")
    assert (await given).code == 250
    assert b"".join(transport.written) == b"a\r\n..b\r\nc\r\n.\r\n"
