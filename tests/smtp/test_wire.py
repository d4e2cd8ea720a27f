"""What can be done to the wire: smuggling, injection, TLS, arbitrary bytes."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ports import ReceivedMail
from gateway.smtp import wire
from gateway.smtp.data import Collector
from gateway.smtp.listener import listen
from gateway.smtp.settings import ListenerSettings, Timeouts

END_OF_DATA_VARIANTS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\n.\r",
    b"\r.\r",
    b"\r.\r\n",
    b"\r.\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n. \r\n",
    b"\r\n.\r\r\n",
]


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
@pytest.mark.parametrize("variant", END_OF_DATA_VARIANTS, ids=repr)
async def test_no_other_end_of_data_than_the_one(start: Any, variant: bytes, protocol: str) -> None:
    """CVE-2024-27305 and its kin: what our neighbour takes for one mail must not become two here."""
    bench = await start(protocol=protocol)
    client = await bench.connect()
    await client.begin("alice@example.org", verb="LHLO" if protocol == "lmtp" else "EHLO")
    smuggled = b"MAIL FROM:<ceo@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: evil\r\n"
    await client.send(b"Subject: x\r\n\r\nbody" + variant + smuggled + b".\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]
    assert await client.say("NOOP") == ["250 2.0.0 ok"]
    assert len(bench.mails) == 1
    assert b"evil" in bench.body()


async def test_the_ends_own_line_end_may_come_in_pieces(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    for byte in b"Subject: x\r\n.\r\nNOOP\r\n":
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.reply() == ["250 2.6.0 message accepted"]
    assert await client.reply() == ["250 2.0.0 ok"]
    assert bench.body() == b"Subject: x\r\n"


async def test_nothing_said_before_tls_counts_after_it(start: Any, certificate: Any, trusting: Any) -> None:
    """CVE-2024-34083: commands that came in clear behind STARTTLS are thrown away."""
    bench = await start(tls_cert=str(certificate[0]), tls_key=str(certificate[1]))
    client = await bench.connect()
    assert "250 STARTTLS" in await client.hello()
    await client.send(b"STARTTLS\r\nNOOP injected\r\nMAIL FROM:<evil@example.net>\r\n")
    assert await client.reply() == ["220 Ready to start TLS"]
    await client.starttls(trusting)
    assert await client.say("RCPT TO:<alice@example.org>") == ["503 5.5.1 MAIL first"]
    assert await client.say("MAIL FROM:<carol@example.net>") == ["503 5.5.1 introduce yourself first"]


async def test_under_tls_a_mail_says_so(start: Any, certificate: Any, trusting: Any) -> None:
    bench = await start(
        role="outgoing", tls_cert=str(certificate[0]), tls_key=str(certificate[1]), trusted_networks=()
    )
    client = await bench.connect()
    offered = await client.hello()
    assert "250 STARTTLS" in offered
    assert not any("AUTH" in line for line in offered)
    assert await client.say("STARTTLS now") == ["501 5.5.4 no argument allowed"]
    assert await client.say("STARTTLS") == ["220 Ready to start TLS"]
    await client.starttls(trusting)
    await client.send(b"EHLO client.example\r\n")
    offered = await client.reply()
    assert offered[-1] == "250 AUTH PLAIN LOGIN"
    secret = base64.b64encode(b"\0alice\0wonder land").decode()
    assert await client.say(f"AUTH PLAIN {secret}", "STARTTLS") == [
        "235 2.7.0 authenticated",
        "503 5.5.1 TLS is on",
    ]
    said = await client.say("MAIL FROM:<alice@example.org>", "RCPT TO:<x@example.com>", "DATA")
    assert said[-1].startswith("354")
    await client.send(b".\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]
    assert await client.say("QUIT") == ["221 2.0.0 goodbye"]
    peer = bench.mails[0].peer
    assert (peer.tls, peer.user, peer.trusted) == (True, "alice@example.org", False)
    assert b" with ESMTPSA\r\n" in bench.mails[0].content


async def test_a_client_that_only_pretends_to_start_tls_is_left(start: Any, certificate: Any) -> None:
    bench = await start(tls_cert=str(certificate[0]), tls_key=str(certificate[1]))
    client = await bench.connect()
    await client.hello()
    assert await client.say("STARTTLS") == ["220 Ready to start TLS"]
    await client.send(b"MAIL FROM:<evil@example.net>\r\n" * 10)
    await client.rest()
    while bench.server._desk.sessions:
        await asyncio.sleep(0)
    assert (await (await bench.connect()).hello())[0] == "250-mx.example.org"


async def test_a_commit_survives_a_client_that_drops_tls(start: Any, certificate: Any, trusting: Any) -> None:
    bench = await start(tls_cert=str(certificate[0]), tls_key=str(certificate[1]))
    bench.queue.gate = asyncio.Event()
    client = await bench.connect()
    await client.hello()
    await client.say("STARTTLS")
    await client.starttls(trusting)
    await client.say("HELO x", "MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA")
    await client.send(b".\r\n")
    await bench.queue.entered.wait()
    client.drop()
    while bench.server._desk.sessions:
        await asyncio.sleep(0)
    bench.queue.gate.set()
    await bench.server.close(0)
    assert len(bench.mails) == 1


async def test_a_flood_behind_a_mail_that_is_too_big_ends(start: Any) -> None:
    bench = await start(max_message=10_000)
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"x" * 9_000 + b"\r\n" + b"y" * 9_000 + b"\r\n.\r\n")
    assert await client.reply() == ["552 5.3.4 message too big"]
    await client.say("MAIL FROM:<>", "RCPT TO:<alice@example.org>", "DATA")
    client.writer.write(b"z" * 2_000_000)
    assert await client.line() in ("552 5.3.4 message too big", "")
    assert not bench.mails


class Remember:
    def __init__(self) -> None:
        self.mails: list[ReceivedMail] = []

    async def accept(self, mail: ReceivedMail) -> str:
        self.mails.append(mail)
        return "job"


WORDS = st.sampled_from(
    [
        b"EHLO x\r\n",
        b"LHLO x\r\n",
        b"HELO x\r\n",
        b"MAIL FROM:<a@b.example>\r\n",
        b"MAIL FROM:<> SIZE=5\r\n",
        b"RCPT TO:<alice@example.org>\r\n",
        b"DATA\r\n",
        b"RSET\r\n",
        b"AUTH PLAIN\r\n",
        b"AUTH LOGIN AA==\r\n",
        b"STARTTLS\r\n",
        b"VRFY x\r\n",
        b"\r\n",
        b".\r\n",
        b"..\r\n",
        b"\r\n.\r\n",
        b"\n.\n",
        b"\r.\r",
        b"Subject: x\r\n\r\n",
        b"\0",
        b"\r",
        b"\n",
        b"\xff\xfe",
        b" ",
        b"<",
    ]
)
TALK = st.lists(WORDS | st.binary(max_size=40), max_size=30).map(b"".join)
OPENING = b"EHLO x\r\nLHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\n"


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
@pytest.mark.parametrize("role", ["incoming", "outgoing"])
def test_any_bytes_end_in_replies_and_no_mail_without_its_end(protocol: str, role: str) -> None:
    queue, events = Remember(), []

    async def play(server: Any, data: bytes) -> bytes:
        host, _, port = server.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(data)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    with asyncio.Runner() as runner:
        listener = ListenerSettings(listen="127.0.0.1:0", protocol=protocol, role=role)
        server = runner.run(
            listen(
                listener,
                intake=queue,
                known=lambda address: True,
                may_send=lambda sender, peer: True,
                authenticate=lambda name, word: None,
                on_event=lambda name, /, **facts: events.append(facts),
            )
        )

        @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
        @given(TALK, st.booleans())
        def check(data: bytes, opened: bool) -> None:
            data = OPENING + data if opened else data
            before = len(queue.mails)
            said = runner.run(play(server, data))
            stored = queue.mails[before:]
            assert said.endswith(b"\r\n") or not said
            assert all(line[:3].isdigit() for line in said.split(b"\r\n")[:-1])
            ends = sum(data.startswith(b"\r\n.\r\n", at) for at in range(len(data)))
            assert len(stored) <= ends
            for mail in stored:
                pairs = mail.content.count(b"\r\n")
                assert mail.content.count(b"\r") == mail.content.count(b"\n") == pairs

        check()
        runner.run(server.close(5))
    assert not any(facts.get("reason") == "internal-error" for facts in events)


@pytest.mark.parametrize("tls", [False, True])
def test_it_runs_on_uvloop(certificate: Any, trusting: ssl.SSLContext, tls: bool, tmp_path: Any) -> None:
    uvloop = pytest.importorskip("uvloop")
    queue = Remember()

    async def play() -> None:
        facts = {"tls_cert": str(certificate[0]), "tls_key": str(certificate[1])} if tls else {}
        listener = ListenerSettings(listen="127.0.0.1:0", **facts)
        server = await listen(listener, intake=queue, known=lambda address: True)
        host, _, port = server.addresses[0].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        if tls:
            writer.write(b"STARTTLS\r\nNOOP\r\n")
            assert (await reader.readline()).startswith(b"220")
            protocol = writer.transport.get_protocol()
            transport = await asyncio.get_running_loop().start_tls(
                writer.transport, protocol, trusting, server_hostname="localhost"
            )
            writer._transport = reader._transport = transport
        writer.write(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n")
        said = await asyncio.wait_for(reader.read(), 20)
        assert [line[:3] for line in said.splitlines()] == [b"250", b"250", b"250", b"354", b"250", b"221"]
        writer.close()
        await server.close(1)
        unix = await listen(
            ListenerSettings(listen=f"unix:{tmp_path}/s", protocol="lmtp"), intake=queue, known=lambda a: True
        )
        reader, writer = await asyncio.open_unix_connection(f"{tmp_path}/s")
        assert (await reader.readline()).startswith(b"220")
        writer.close()
        await unix.close(1)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())
    assert queue.mails[0].content.endswith(b"\r\n.\r\n")


async def test_a_surprise_in_the_middle_of_a_mail_never_makes_commands_of_it(
    start: Any, monkeypatch: Any
) -> None:
    def broken(self: Collector, chunk: bytes) -> bytes | None:
        raise MemoryError

    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    monkeypatch.setattr(Collector, "feed", broken)
    await client.send(b"NOOP\r\nQUIT\r\n")
    assert await client.rest() == b""


async def test_a_client_that_never_reads_is_let_go(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(wire, "_LINGER", 0.01)
    bench = await start(timeouts=Timeouts(command=0.1), max_errors=10**9)
    client = await bench.connect()
    await client.reply()
    client.writer.transport.pause_reading()
    client.writer.write(b"HELP\r\n" * 3_000_000)
    while bench.server._desk.door._inside:
        await asyncio.sleep(0.001)
    assert not bench.server._desk.sessions
