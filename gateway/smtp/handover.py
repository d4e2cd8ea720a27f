"""From a mail that came in whole to the queue, and the one reply that says what became of it."""

from __future__ import annotations

import asyncio

from gateway.errors import PeerError, QueueFull
from gateway.ports import Peer, ReceivedMail
from gateway.smtp import replies, trace
from gateway.smtp.data import has_line_over, straighten
from gateway.smtp.desk import Desk
from gateway.smtp.transaction import Transaction

_LARGE = 1_000_000


async def hand_over(
    desk: Desk, transaction: Transaction, peer: Peer, *, content: bytes | None, extended: bool
) -> str:
    """Check the mail, commit it, and only then say 250. `content` None: it was too big."""
    settings = desk.settings
    if content is None:
        return _refuse(desk, peer, replies.TOO_BIG, "too-large")
    content, straightened = await _straightened(content)
    if has_line_over(content, settings.max_line):
        return _refuse(desk, peer, replies.LONG_LINE, "too-large")
    # RFC 5321 6.3
    if trace.hops(content) > settings.max_received:
        return _refuse(desk, peer, replies.LOOP, "mail-loop")
    if not transaction.recipients:
        desk.report(
            "mail.accepted", role=peer.role, peer=peer.address, reason="unknown-recipient", size=len(content)
        )
        return replies.ACCEPTED
    envelope = transaction.envelope()
    now = desk.callables.clock.now()
    line = trace.received_line(envelope, peer, hostname=settings.hostname, extended=extended, received_at=now)
    mail = ReceivedMail(envelope=envelope, peer=peer, content=line + content, received_at=now)
    return await desk.finish(_commit(desk, mail, dropped=transaction.dropped, straightened=straightened))


async def _straightened(content: bytes) -> tuple[bytes, bool]:
    """Other clients do not wait while each byte of a large mail is looked at."""
    if len(content) <= _LARGE:
        return straighten(content)
    return await asyncio.to_thread(straighten, content)


async def _commit(desk: Desk, mail: ReceivedMail, *, dropped: int, straightened: bool) -> str:
    """Whatever goes wrong in here is ours, and temporary; the client learns a code only."""
    try:
        job = await desk.callables.intake.accept(mail)
    except Exception as error:
        reply = reply_to(error)
        desk.failed(mail.peer, reply, error)
        return reply
    facts: dict[str, object] = {
        "job": job,
        "size": len(mail.content),
        "recipients": len(mail.envelope.recipients),
    }
    if dropped:
        facts["dropped"] = dropped
    if straightened:
        facts["straightened"] = True
    desk.report("mail.accepted", role=mail.peer.role, peer=mail.peer.address, **facts)
    return replies.ACCEPTED


def reply_to(error: Exception) -> str:
    """What the peer hears about an exception: never its text, and 4xx unless it is the mail's own fault."""
    if isinstance(error, QueueFull):
        return replies.QUEUE_FULL
    if isinstance(error, PeerError):
        return f"554 5.6.0 {error.public}"
    return replies.TEMPORARY


def _refuse(desk: Desk, peer: Peer, reply: str, reason: str, **facts: object) -> str:
    desk.refused(peer, reply, reason, **facts)
    return reply
