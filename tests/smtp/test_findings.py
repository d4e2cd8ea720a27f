"""The fourteen defects of aiosmtpd 1.4.6 that we measured, each shown to be absent here."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from gateway.errors import BackendUnavailable, GatewayError, MalformedMail, QueueFull
from gateway.smtp import wire
from gateway.smtp.data import Collector
from gateway.smtp.settings import Timeouts

SECRET = "dsn=postgres://user:secret@db"


def session_of(bench: Any) -> Any:
    (session,) = bench.server._desk.sessions.values()
    return session


async def turn(condition: Any) -> None:
    """Let the loop turn until something has happened."""
    while not condition():
        await asyncio.sleep(0)


async def test_01_no_bare_line_end_survives(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"Subject: a\nb\rc\r\n\r\n\n.\n\r.\r\r\n.\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]
    content = bench.mails[0].content
    assert content.count(b"\r\n") == content.count(b"\r") == content.count(b"\n")
    assert (bench.events[-1][0], bench.events[-1][1]["straightened"]) == ("mail.accepted", True)


@pytest.mark.parametrize("recipients", [["alice"], ["alice", "bob"], ["bob", "alice", "bob"]])
async def test_02_lmtp_answers_for_each_recipient(start: Any, recipients: list[str]) -> None:
    bench = await start(protocol="lmtp")
    client = await bench.connect()
    await client.begin(*(f"{name}@example.org" for name in recipients), verb="LHLO")
    await client.send(b"Subject: x\r\n.\r\nNOOP\r\n")
    assert [await client.line() for _ in recipients] == ["250 2.6.0 message accepted"] * len(recipients)
    assert await client.line() == "250 2.0.0 ok"


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (RuntimeError(SECRET), "451 4.3.0 temporary failure, try again later"),
        (ConnectionRefusedError(SECRET), "451 4.3.0 temporary failure, try again later"),
        (TimeoutError(SECRET), "451 4.3.0 temporary failure, try again later"),
        (BackendUnavailable(SECRET), "451 4.3.0 temporary failure, try again later"),
        (QueueFull(SECRET), "452 4.3.1 insufficient system storage, try again later"),
        (MalformedMail(SECRET), "554 5.6.0 message not understood"),
    ],
)
async def test_03_an_exception_is_a_code_and_its_text_stays_here(
    start: Any, error: Exception, reply: str
) -> None:
    bench = await start()
    bench.queue.error = error
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"Subject: x\r\n.\r\n")
    assert await client.reply() == [reply]
    name, facts = bench.events[-1]
    assert name == "mail.refused"
    assert facts["error"].startswith(type(error).__name__)
    assert facts["trail"].startswith("conftest.py:")
    assert isinstance(error, GatewayError) or SECRET not in str(facts)
    bench.queue.error = None
    await client.say("MAIL FROM:<>", "RCPT TO:<bob@example.org>", "DATA")
    await client.send(b".\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]


async def test_03_a_broken_directory_is_temporary_too(start: Any) -> None:
    def broken(address: str) -> bool:
        raise ConnectionResetError(SECRET)

    bench = await start(known=broken)
    client = await bench.connect()
    await client.hello()
    assert await client.say("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA") == [
        "250 2.1.0 sender ok",
        "451 4.3.0 temporary failure, try again later",
        "503 5.5.1 RCPT first",
    ]


@pytest.mark.parametrize("way", ["half-close", "drop"])
async def test_04_a_client_that_goes_does_not_undo_the_commit(start: Any, way: str) -> None:
    bench = await start()
    bench.queue.gate = asyncio.Event()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"Subject: x\r\n.\r\n")
    await bench.queue.entered.wait()
    if way == "half-close":
        client.writer.write_eof()
    else:
        client.drop()
        await turn(lambda: not bench.server._desk.sessions)
    bench.queue.gate.set()
    if way == "half-close":
        assert await client.rest() == b"250 2.6.0 message accepted\r\n"
    await turn(lambda: bench.events)
    assert len(bench.mails) == 1


async def test_05_the_timer_begins_anew_with_each_chunk_and_stops_for_the_commit(
    start: Any, monkeypatch: Any
) -> None:
    started: list[float] = []
    fed: list[bytes] = []
    start_timer, feed = wire.Wire._start_timer, Collector.feed
    monkeypatch.setattr(wire.Wire, "_start_timer", lambda self, s: (started.append(s), start_timer(self, s)))
    monkeypatch.setattr(Collector, "feed", lambda self, chunk: (fed.append(chunk), feed(self, chunk))[1])
    bench = await start(timeouts=Timeouts(chunk=123, mail=1000))
    bench.queue.gate = asyncio.Event()
    client = await bench.connect()
    await client.begin("alice@example.org")
    for count in range(1, 4):
        await client.send(b"line\r\n")
        await turn(lambda count=count: len(fed) == count)
    await client.send(b".\r\n")
    await bench.queue.entered.wait()
    assert started.count(123) == 4
    assert session_of(bench)._timeout_handle.cancelled()
    bench.queue.gate.set()
    assert await client.reply() == ["250 2.6.0 message accepted"]


@pytest.mark.parametrize("phase", ["command", "data", "dribble"])
async def test_05_a_silent_client_is_told_and_left(start: Any, phase: str) -> None:
    timeouts = {
        "command": Timeouts(command=0.05),
        "data": Timeouts(chunk=0.05),
        "dribble": Timeouts(mail=0.05),  # each chunk in time, the mail as a whole not
    }
    bench = await start(timeouts=timeouts[phase])
    client = await bench.connect()
    if phase == "command":
        await client.reply()
    else:
        await client.begin("alice@example.org")
        await client.send(b"Subject: x\r\n")
    assert await client.rest() == b"421 4.4.2 timed out\r\n"
    assert not bench.mails


async def test_06_a_long_line_is_taken_and_a_very_long_one_refused(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"x" * 100_000 + b"\r\n.\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]
    assert await client.say("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA")
    await client.send(b"Subject: x\r\n" + b"x" * 100_001 + b"\r\n.\r\n")
    assert await client.reply() == ["554 5.6.0 a line of the message is too long"]
    assert await client.say("x" * 5000, "x" * 600_000, "NOOP") == [
        "500 5.5.6 line too long",
        "500 5.5.6 line too long",
        "250 2.0.0 ok",
    ]


async def test_07_the_parameters_of_other_servers_reach_the_queue(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.hello()
    await client.say(
        "MAIL FROM:<carol@example.net> RET=hdrs ENVID=x+2By AUTH=carol+40example.net BODY=8bitmime SIZE=10",
        "RCPT TO:<alice@example.org> NOTIFY=success,delay ORCPT=rfc822;a@b",
        "DATA",
    )
    await client.send(b"Subject: x\r\n.\r\n")
    await client.reply()
    envelope = bench.mails[0].envelope
    assert (envelope.ret, envelope.envid, envelope.body) == ("HDRS", "x+2By", "8BITMIME")
    assert (envelope.recipients[0].notify, envelope.recipients[0].orcpt) == ("SUCCESS,DELAY", "rfc822;a@b")


async def test_08_what_we_do_is_what_we_offer(start: Any) -> None:
    bench = await start(max_message=1234)
    offered = {line[4:] for line in await (await bench.connect()).hello()}
    assert offered == {
        "mx.example.org",
        "PIPELINING",
        "SIZE 1234",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "CHUNKING",
    }


async def test_09_the_null_sender_is_the_empty_string(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org", sender="")
    await client.send(b".\r\n")
    await client.reply()
    assert bench.mails[0].envelope.sender == ""


async def test_10_the_thousand_and_first_recipient_must_wait(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.hello()
    said = await client.say("MAIL FROM:<>", *(["RCPT TO:<alice@example.org>"] * 1001), "DATA")
    assert said[-2:] == ["452 4.5.3 too many recipients", "354 end with <CRLF>.<CRLF>"]
    await client.send(b".\r\n")
    await client.reply()
    assert len(bench.mails[0].envelope.recipients) == 1000


async def test_10_connections_are_limited_in_all(start: Any) -> None:
    bench = await start(max_connections=2)
    one, _two, three = [await bench.connect() for _ in range(3)]
    assert (await one.reply())[0].startswith("220")
    assert await three.rest() == b"421 4.3.2 too many connections, try again later\r\n"
    await one.say("QUIT")
    await one.rest()
    await turn(lambda: bench.server._desk.door._inside == 1)
    assert (await (await bench.connect()).reply())[0].startswith("220")


async def test_10_connections_are_limited_per_stranger(start: Any) -> None:
    bench = await start(max_connections_per_peer=1, trusted_networks=("127.0.0.9",))
    await (await bench.connect("127.0.0.1")).reply()
    assert (await (await bench.connect("127.0.0.1")).reply())[0].startswith("421 4.7.0 too many")
    assert (await (await bench.connect("127.0.0.2")).reply())[0].startswith("220")
    for _ in range(2):
        assert (await (await bench.connect("127.0.0.9")).reply())[0].startswith("220")


async def test_11_nobody_may_claim_another_address(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.reply()
    assert await client.say("PROXY TCP4 192.0.2.1 192.0.2.2 1 2") == ["500 5.5.1 command not recognised"]
    await client.send(b"\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x0c")
    assert (await client.reply())[0].startswith("500")


async def test_12_the_mail_carries_our_received_line(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
    await client.reply()
    assert bench.mails[0].content == (
        b"Received: from client.example ([127.0.0.1])\r\n\tby mx.example.org (imip-gateway) with ESMTP\r\n"
        b"\tfor <alice@example.org>; Wed, 10 Mar 2027 09:30:00 +0000\r\nSubject: x\r\n\r\nbody\r\n"
    )


@pytest.mark.parametrize(("hops", "reply"), [(50, "250 2.6.0 message accepted"), (51, "554 5.4.6 mail loop")])
async def test_12_a_mail_that_runs_in_circles_is_stopped(start: Any, hops: int, reply: str) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"received: from a by b; x\r\n" * hops + b"\r\nReceived: in the body\r\n.\r\n")
    assert await client.reply() == [reply]


async def test_13_a_large_mail_is_read_in_chunks(start: Any, monkeypatch: Any) -> None:
    chunks: list[int] = []
    feed = Collector.feed
    monkeypatch.setattr(
        Collector, "feed", lambda self, chunk: (chunks.append(len(chunk)), feed(self, chunk))[1]
    )
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    body = (b"." * 50 + b"\r\n") * 100_000
    await client.send(body.replace(b"\r\n.", b"\r\n..").replace(b".", b"..", 1) + b".\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]
    assert bench.body() == body
    assert len(chunks) < 2000  # against 100 000 lines


async def test_14_everything_runs_in_the_one_loop(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(socket, "getfqdn", None)  # nor is a resolver asked what our name is
    threads = threading.active_count()
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b".\r\n")
    await client.reply()
    assert threading.active_count() == threads
