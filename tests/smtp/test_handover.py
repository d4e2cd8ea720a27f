"""What is reported about a mail, and what the queue gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import BackendRefused, GatewayError, MalformedMail, QueueFull
from gateway.smtp.handover import reply_to


async def _send(start: Any, *recipients: str, content: bytes = b"Subject: x\r\n.\r\n", **changes: Any) -> Any:
    bench = await start(**changes)
    client = await bench.connect()
    await client.begin(*recipients)
    await client.send(content)
    await client.reply()
    return bench


async def test_an_accepted_mail_is_one_event_with_its_job(start: Any) -> None:
    bench = await _send(start, "alice@example.org", "bob@example.org")
    ((name, facts),) = bench.events
    assert name == "mail.accepted"
    assert (facts["job"], facts["recipients"], facts["peer"]) == ("job-1", 2, "127.0.0.1")
    assert facts["size"] == len(bench.mails[0].content)
    assert "straightened" not in facts
    assert bench.mails[0].received_at.isoformat() == "2027-03-10T09:30:00+00:00"


async def test_a_mail_for_strangers_only_is_taken_and_dropped(start: Any) -> None:
    bench = await _send(start, "x@example.com", unknown_recipients="accept")
    ((name, facts),) = bench.events
    assert (name, facts["reason"], bench.mails) == ("mail.accepted", "unknown-recipient", [])


async def test_a_dropped_recipient_is_counted(start: Any) -> None:
    bench = await _send(start, "x@example.com", "alice@example.org", unknown_recipients="accept")
    assert bench.events[-1][1]["dropped"] == 1


async def test_where_the_mail_goes_afterwards_travels_with_it(start: Any) -> None:
    bench = await _send(start, "alice@example.org", after="relay", relay_to="smtp://127.0.0.1:10026")
    peer = bench.mails[0].peer
    assert (peer.after, peer.relay_to, peer.role) == ("relay", "smtp://127.0.0.1:10026", "incoming")


@pytest.mark.parametrize(
    ("changes", "content", "reason"),
    [
        ({"max_message": 5}, b"Subject: x\r\n.\r\n", "too-large"),
        ({"max_line": 5}, b"Subject: x\r\n.\r\n", "too-large"),
        ({"max_received": 1}, b"Received: x\r\nReceived: y\r\n.\r\n", "mail-loop"),
    ],
)
async def test_a_refused_mail_is_one_event_with_its_reason(
    start: Any, changes: Any, content: bytes, reason: str
) -> None:
    bench = await _send(start, "alice@example.org", content=content, **changes)
    ((name, facts),) = bench.events
    assert (name, facts["reason"], bench.mails) == ("mail.refused", reason, [])


async def test_a_listener_of_events_that_breaks_changes_nothing(start: Any) -> None:
    bench = await start()
    bench.server._desk.callables = replace(bench.server._desk.callables, on_event=_broken)
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b".\r\n")
    assert await client.reply() == ["250 2.6.0 message accepted"]


def _broken(name: str, /, **facts: Any) -> None:
    raise RuntimeError(name)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (QueueFull("disk at /var"), "452 4.3.1"),
        (BackendRefused("password of db"), "451 4.3.0"),
        (GatewayError("x"), "451 4.3.0"),
        (MalformedMail("x"), "554 5.6.0"),
        (KeyError("x"), "451 4.3.0"),
    ],
)
def test_our_faults_are_temporary(error: Exception, code: str) -> None:
    assert reply_to(error).startswith(code)
    assert str(error) not in reply_to(error)
