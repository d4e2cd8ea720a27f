"""The sender against our own listener, and against a hop that says whatever a test wants."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import QueueFull
from gateway.ports import Envelope, OutgoingMail, PassedOn, Recipient
from gateway.smtp import client as client_module
from gateway.smtp.client import SenderSettings
from gateway.smtp.destination import parse_destination
from gateway.smtp.sender import ClosableSmarthost, open_smarthost

MAIL = b"Subject: x\r\n\r\nbody\r\n.\r\n..two\r\n"


def letter(**changes: Any) -> OutgoingMail:
    facts = {"sender": "bounce@example.org", "recipient": "alice@example.org", "content": MAIL} | changes
    return OutgoingMail(**facts)


@dataclass
class Hop:
    """A server that answers by a table verb -> reply; "hang up" closes instead. It counts what came."""

    replies: dict[str, str]
    said: list[str] = field(default_factory=list)
    connections: int = 0
    address: str = ""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        table = {
            "CONNECT": "220 hop",
            "EHLO": "250-hop\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1000000",
            "DATA": "354 go on",
            ".": "250 2.0.0 queued",
        } | self.replies
        verb = "CONNECT"
        try:
            while True:
                reply = table.get(verb, "250 ok")
                if reply == "hang up":
                    return
                writer.write(reply.encode() + b"\r\n")
                if verb == "QUIT":
                    return
                if verb == "STARTTLS":
                    await reader.read(1)
                    writer.write(b"this is no TLS\r\n")
                    return
                if verb == "DATA" and reply.startswith("354"):
                    while await reader.readuntil(b"\r\n") != b".\r\n":
                        pass
                    verb = "."
                    continue
                line = (await reader.readuntil(b"\r\n")).decode().strip()
                self.said.append(line)
                verb = line.split(" ")[0].upper()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def hop() -> AsyncIterator[Callable[..., Any]]:
    servers: list[tuple[asyncio.Server, Hop]] = []

    async def start(**replies: str) -> Hop:
        one = Hop({verb.replace("END", "."): reply for verb, reply in replies.items()})
        server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
        one.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        servers.append((server, one))
        return one

    yield start
    for server, one in servers:
        server.close()
        for writer in one.writers:
            writer.close()
        await server.wait_closed()


@pytest.fixture
async def smarthost() -> AsyncIterator[Callable[..., ClosableSmarthost]]:
    opened: list[ClosableSmarthost] = []

    def start(url: str, **changes: Any) -> ClosableSmarthost:
        settings = SenderSettings(destination=parse_destination(url), hostname="mx.example.org", **changes)
        opened.append(open_smarthost(settings))
        return opened[-1]

    yield start
    for one in opened:
        await one.close()


GROUPS = "250-hop\r\n250-PIPELINING\r\n250 8BITMIME"


async def test_a_hop_that_takes_groups_is_told_all_at_once(smarthost: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hop\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(GROUPS.encode() + b"\r\n")
        await reader.readuntil(b"DATA\r\n")  # who waits for an answer before it waits for ever
        writer.write(b"250 ok\r\n550 5.1.1 nobody\r\n250 ok\r\n354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        await reader.readuntil(b"QUIT\r\n")
        writer.write(b"221 bye\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    host = smarthost(f"smtp://127.0.0.1:{port}", timeout=5.0)
    answers = await host.pass_on(passed("nobody@example.org", "alice@example.org"))
    assert [(sent.state, sent.code) for sent in answers] == [("failed", 550), ("sent", 250)]
    await host.close()
    server.close()


@pytest.mark.parametrize("go", ["354 go on", "503 nobody to send it to"])
async def test_a_group_in_which_nobody_is_taken_leaves_a_connection_for_the_next(
    hop: Any, smarthost: Any, go: str
) -> None:
    one = await hop(EHLO=GROUPS, RCPT="550 5.1.1 nobody", DATA=go)
    host = smarthost(f"smtp://{one.address}")
    for _ in range(2):
        (answer,) = await host.pass_on(passed("alice@example.org"))
        assert (answer.state, answer.code) == ("failed", 550)
    assert one.connections == 1


async def test_a_refused_sender_is_refused_though_the_group_went_out(hop: Any, smarthost: Any) -> None:
    one = await hop(EHLO=GROUPS, MAIL="550 5.7.1 not you", RCPT="503 MAIL first", DATA="503 MAIL first")
    host = smarthost(f"smtp://{one.address}")
    for _ in range(2):
        (answer,) = await host.pass_on(passed("alice@example.org"))
        assert (answer.state, answer.code, answer.text) == ("failed", 550, "5.7.1 not you")
    assert one.connections == 1


async def test_a_refused_sender_is_refused_though_the_hop_hangs_up_on_the_rest(
    hop: Any, smarthost: Any
) -> None:
    one = await hop(EHLO=GROUPS, MAIL="550 5.7.1 not you", RCPT="hang up")
    (answer,) = await smarthost(f"smtp://{one.address}").pass_on(passed("alice@example.org"))
    assert (answer.state, answer.code) == ("failed", 550)


async def test_a_mail_arrives_as_it_was_given(start: Any, smarthost: Any) -> None:
    bench = await start()
    sent = await smarthost(f"smtp://{bench.server.addresses[0]}").send(letter())
    assert (sent.state, sent.code) == ("sent", 250)
    assert bench.body() == MAIL
    assert bench.mails[0].envelope.sender == "bounce@example.org"
    assert bench.mails[0].peer.helo == "mx.example.org"


@pytest.mark.parametrize("way", ["tcp", "unix"])
async def test_lmtp_greets_with_lhlo(start: Any, smarthost: Any, tmp_path: Path, way: str) -> None:
    bench = await start(protocol="lmtp", listen=f"unix:{tmp_path}/lmtp" if way == "unix" else "127.0.0.1:0")
    address = bench.server.addresses[0]
    url = f"lmtp+unix:{address[5:]}" if way == "unix" else f"lmtp://{address}"
    assert (await smarthost(url).send(letter())).state == "sent"
    assert bench.mails[0].peer.protocol == "lmtp"


async def test_the_null_sender_and_utf8_pass(start: Any, smarthost: Any) -> None:
    bench = await start()
    host = smarthost(f"smtp://{bench.server.addresses[0]}")
    assert (await host.send(letter(sender=""))).state == "sent"
    assert bench.mails[0].envelope.sender == ""
    mail = letter(recipient="jürgen@example.org", content="Subject: ü\r\n\r\n".encode())
    assert (await host.send(mail)).state == "sent"
    assert bench.mails[1].envelope.smtputf8
    assert bench.mails[1].envelope.body == "8BITMIME"


async def test_the_connection_is_kept_and_shared(hop: Any, smarthost: Any) -> None:
    server = await hop()
    host = smarthost(f"smtp://{server.address}")
    for _ in range(3):
        assert (await host.send(letter())).state == "sent"
    assert server.connections == 1


async def test_no_more_connections_than_allowed(hop: Any, smarthost: Any) -> None:
    server = await hop()
    host = smarthost(f"smtp://{server.address}", connections=2)
    answers = await asyncio.gather(*(host.send(letter()) for _ in range(12)))
    assert {answer.state for answer in answers} == {"sent"}
    assert server.connections <= 2


async def test_a_connection_that_died_of_age_is_replaced(hop: Any, smarthost: Any) -> None:
    server = await hop()
    host = smarthost(f"smtp://{server.address}", idle=0)
    assert (await host.send(letter())).state == "sent"
    server.writers[0].close()
    assert (await host.send(letter())).state == "sent"
    assert server.connections == 2


async def test_a_connection_that_dies_before_data_is_tried_once_more(hop: Any, smarthost: Any) -> None:
    server = await hop()
    host = smarthost(f"smtp://{server.address}")
    assert (await host.send(letter())).state == "sent"
    server.replies["MAIL"] = "hang up"
    server.writers[0].transport.abort()
    sent = await host.send(letter())
    assert sent.state == "deferred"


@pytest.mark.parametrize(
    ("replies", "state", "code"),
    [
        ({"MAIL": "451 4.3.0 later"}, "deferred", 451),
        ({"MAIL": "550 5.7.1 not you"}, "failed", 550),
        ({"RCPT": "450 4.2.1 greylisted"}, "deferred", 450),
        ({"RCPT": "550 5.1.1 nobody"}, "failed", 550),
        ({"RCPT": "251 will forward"}, "sent", 250),
        ({"RCPT": "421 4.3.2 closing"}, "deferred", 421),
        ({"DATA": "554 5.7.1 no"}, "failed", 554),
        ({"DATA": "452 4.3.1 full"}, "deferred", 452),
        ({"END": "554 5.6.0 content"}, "failed", 554),
        ({"END": "451 4.3.0 later"}, "deferred", 451),
        ({"END": "hang up"}, "deferred", 0),
        ({"RCPT": "hang up"}, "deferred", 0),
        ({"MAIL": "what?"}, "deferred", 0),
        ({"CONNECT": "554 go away"}, "deferred", 554),
        ({"CONNECT": "hang up"}, "deferred", 0),
        ({"EHLO": "421 4.3.2 closing"}, "deferred", 421),
    ],
)
async def test_what_the_hop_says_becomes_the_state(
    hop: Any, smarthost: Any, replies: dict[str, str], state: str, code: int
) -> None:
    server = await hop(**replies)
    sent = await smarthost(f"smtp://{server.address}").send(letter())
    assert (sent.state, sent.code) == (state, code), sent


async def test_a_refused_recipient_does_not_spoil_the_next(hop: Any, smarthost: Any) -> None:
    server = await hop(RCPT="550 5.1.1 nobody")
    host = smarthost(f"smtp://{server.address}")
    assert (await host.send(letter())).state == "failed"
    server.replies.clear()
    assert "RSET" in server.said
    assert (await host.send(letter())).state in ("sent", "failed")
    assert server.connections == 1


async def test_nobody_there_is_deferred(smarthost: Any) -> None:
    with __import__("socket").socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert (await smarthost(f"smtp://127.0.0.1:{port}").send(letter())).state == "deferred"


async def test_a_silent_hop_is_deferred(hop: Any, smarthost: Any) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sent = await smarthost(f"smtp://127.0.0.1:{port}", timeout=0.05).send(letter())
    assert sent.state == "deferred"
    server.close()
    await server.wait_closed()


async def test_a_hop_without_smtputf8_fails_the_mail_that_needs_it_only(hop: Any, smarthost: Any) -> None:
    server = await hop(EHLO="250 hop")
    host = smarthost(f"smtp://{server.address}")
    sent = await host.send(letter(recipient="jürgen@example.org"))
    assert (sent.state, sent.text[:5]) == ("failed", "5.6.7")
    assert (await host.send(letter(content=b"\xc3\xbc\r\n"))).text[:5] == "5.6.3"
    assert (await host.send(letter())).state == "sent"
    assert not any("SMTPUTF8" in line or "SIZE" in line for line in server.said)


async def test_a_mail_over_the_size_of_the_hop_is_not_even_tried(hop: Any, smarthost: Any) -> None:
    server = await hop(EHLO="250-hop\r\n250 SIZE 10")
    sent = await smarthost(f"smtp://{server.address}").send(letter())
    assert (sent.state, sent.code) == ("failed", 552)


@pytest.mark.parametrize("address", ["a@b> SIZE=1", "a@b\r\nRCPT TO:<c@d>", "a b@c", "", "a", "a@b\0"])
async def test_an_address_cannot_break_out_of_its_command(hop: Any, smarthost: Any, address: str) -> None:
    server = await hop()
    sent = await smarthost(f"smtp://{server.address}").send(letter(recipient=address))
    assert (sent.state, sent.code) == ("failed", 553)
    assert server.connections == 0


async def test_a_full_queue_at_the_next_hop_is_deferred(start: Any, smarthost: Any) -> None:
    bench = await start()
    bench.queue.error = QueueFull()
    sent = await smarthost(f"smtp://{bench.server.addresses[0]}").send(letter())
    assert (sent.state, sent.code, sent.text[:5]) == ("deferred", 452, "4.3.1")


async def test_starttls_is_taken_when_offered(start: Any, smarthost: Any, certificate: Any) -> None:
    bench = await start(tls_cert=str(certificate[0]), tls_key=str(certificate[1]))
    address = bench.server.addresses[0]
    assert (await smarthost(f"smtp://{address}").send(letter())).state == "sent"
    assert bench.mails[-1].peer.tls
    assert (await smarthost(f"smtp://{address}", starttls="never").send(letter())).state == "sent"
    assert not bench.mails[-1].peer.tls


async def test_required_starttls_verifies_the_certificate(
    start: Any, smarthost: Any, certificate: Any
) -> None:
    bench = await start(tls_cert=str(certificate[0]), tls_key=str(certificate[1]))
    address = bench.server.addresses[0]
    assert (await smarthost(f"smtp://{address}", starttls="required").send(letter())).state == "deferred"
    trusting = smarthost(f"smtp://{address}", starttls="required", cafile=str(certificate[0]))
    assert (await trusting.send(letter())).state == "sent"
    assert len(bench.mails) == 1


async def test_required_starttls_never_falls_back(start: Any, smarthost: Any) -> None:
    bench = await start()
    sent = await smarthost(f"smtp://{bench.server.addresses[0]}", starttls="required").send(letter())
    assert sent.state == "deferred"
    assert not bench.mails


async def test_opportunistic_tls_that_fails_falls_back_to_none(hop: Any, smarthost: Any) -> None:
    server = await hop(EHLO="250-hop\r\n250 STARTTLS", STARTTLS="220 go")
    assert (await smarthost(f"smtp://{server.address}").send(letter())).state == "sent"
    assert server.connections == 2


async def test_smtps_verifies_too(certificate: Any, smarthost: Any) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*map(str, certificate))
    one = Hop({})
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context)
    url = f"smtps://localhost:{server.sockets[0].getsockname()[1]}"
    assert (await smarthost(url, cafile=str(certificate[0])).send(letter())).state == "sent"
    assert (await smarthost(url).send(letter())).state == "deferred"
    server.close()
    await server.wait_closed()


async def test_the_sender_logs_in(start: Any, smarthost: Any) -> None:
    bench = await start(role="outgoing", auth_required=True)
    address = bench.server.addresses[0]
    good = smarthost(f"smtp://alice:wonder%20land@{address}")
    assert (await good.send(letter(sender="alice@example.org"))).state == "sent"
    assert bench.mails[0].peer.user == "alice@example.org"
    sent = await smarthost(f"smtp://alice:wrong@{address}").send(letter(sender="alice@example.org"))
    assert (sent.state, sent.code) == ("deferred", 535)


async def test_a_password_does_not_travel_in_clear(hop: Any, smarthost: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        client_module.Destination, "is_near", property(lambda self: False)
    )  # as if it were far away
    server = await hop(EHLO="250-hop\r\n250 AUTH PLAIN")
    sent = await smarthost(f"smtp://alice:secret@{server.address}").send(letter())
    assert sent.state == "deferred"
    assert not any(line.startswith("AUTH") for line in server.said)


async def test_a_cancelled_sending_gives_up_its_connection(hop: Any, smarthost: Any) -> None:
    server = await hop(RCPT="250-wait")
    host = smarthost(f"smtp://{server.address}")
    task = asyncio.ensure_future(host.send(letter()))
    while not any(line.startswith("RCPT") for line in server.said):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.replies["RCPT"] = "250 ok"
    assert (await host.send(letter())).state == "sent"
    assert server.connections == 2


def passed(*to: str, **changes: Any) -> PassedOn:
    recipients = tuple(Recipient(address=one, notify="FAILURE", orcpt=f"rfc822;{one}") for one in to)
    facts = {"sender": "carol@example.com", "body": "8BITMIME", "ret": "HDRS", "envid": "e1"} | changes
    return PassedOn(envelope=Envelope(recipients=recipients, **facts), content=MAIL)


async def test_a_mail_is_passed_on_with_the_envelope_that_it_came_in(start: Any, smarthost: Any) -> None:
    bench = await start(offer_dsn=True)
    mail = passed("alice@example.org", "bob@example.org")
    sent = await smarthost(f"smtp://{bench.server.addresses[0]}").pass_on(mail)
    assert [one.state for one in sent] == ["sent", "sent"]
    assert bench.body() == MAIL
    assert bench.mails[0].envelope == mail.envelope
    assert len(bench.mails) == 1


async def test_each_recipient_has_an_answer_of_his_own(hop: Any, smarthost: Any) -> None:
    server = await hop(RCPT="550 5.1.1 no")
    sent = await smarthost(f"smtp://{server.address}").pass_on(passed("a@example.org", "b@example.org"))
    assert [(one.state, one.code) for one in sent] == [("failed", 550)] * 2
    assert not [line for line in server.said if line.startswith("DATA")]


async def test_a_hop_without_dsn_is_told_nothing_of_it(hop: Any, smarthost: Any) -> None:
    server = await hop()
    await smarthost(f"smtp://{server.address}").pass_on(passed("a@example.org"))
    mail, rcpt = [line for line in server.said if line.startswith(("MAIL", "RCPT"))]
    assert mail == f"MAIL FROM:<carol@example.com> SIZE={len(MAIL)} BODY=8BITMIME"
    assert rcpt == "RCPT TO:<a@example.org>"


async def test_lmtp_is_asked_for_each_recipient(start: Any, smarthost: Any) -> None:
    bench = await start(protocol="lmtp")
    host = smarthost(f"lmtp://{bench.server.addresses[0]}")
    sent = await host.pass_on(passed("alice@example.org", "stranger@example.com"))
    assert [one.state for one in sent] == ["sent", "failed"]
    assert [one.address for mail in bench.mails for one in mail.envelope.recipients] == ["alice@example.org"]


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "RCPT", "DATA", "END"])
async def test_a_hop_that_hangs_up_defers_all(hop: Any, smarthost: Any, verb: str) -> None:
    server = await hop(**{verb: "hang up"})
    sent = await smarthost(f"smtp://{server.address}").pass_on(passed("a@example.org", "b@example.org"))
    assert [one.state for one in sent] == ["deferred"] * 2


async def test_what_the_next_hop_offers_is_known(hop: Any, smarthost: Any) -> None:
    server = await hop()
    assert await smarthost(f"smtp://{server.address}").offers() == {"8bitmime", "smtputf8", "size"}
    assert await smarthost("smtp://127.0.0.1:1").offers() is None
