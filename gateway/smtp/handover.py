"""From a mail that came in whole to the queue, and the one reply that says what became of it."""

from __future__ import annotations

from gateway.errors import PeerError, QueueFull
from gateway.ports import Peer, ReceivedMail
from gateway.smtp import replies
from gateway.smtp.desk import Desk
from gateway.smtp.incoming import Incoming
from gateway.smtp.transaction import Transaction


async def hand_over(desk: Desk, transaction: Transaction, incoming: Incoming, *, peer: Peer) -> str:
    """Check the mail, commit it, and only then say 250. From the commit on the mail is no longer the transaction's."""
    content = await incoming.end()
    if refusal := refused(desk, incoming, peer):
        return refusal
    if incoming.received_at is None:
        desk.report(
            "mail.accepted", role=peer.role, peer=peer.address, reason="unknown-recipient", size=incoming.size
        )
        return replies.ACCEPTED
    mail = ReceivedMail(
        envelope=transaction.envelope(),
        peer=peer,
        content=content,
        file=incoming.draft,
        received_at=incoming.received_at,
    )
    transaction.incoming = None
    return await desk.finish(_commit(desk, mail, incoming, dropped=transaction.dropped))


def refused(desk: Desk, incoming: Incoming, peer: Peer) -> str:
    """The reply to a mail that we do not take, and its event; "" while nothing speaks against it."""
    if incoming.trouble is not None:
        reply = reply_to(incoming.trouble)
        desk.failed(peer, reply, incoming.trouble)
        return reply
    if incoming.refusal:
        desk.refused(peer, incoming.refusal, incoming.reason)
    return incoming.refusal


async def _commit(desk: Desk, mail: ReceivedMail, incoming: Incoming, *, dropped: int) -> str:
    """Whatever goes wrong in here is ours, and temporary; the client learns a code only."""
    try:
        job = await desk.callables.intake.accept(mail)
    except Exception as error:
        reply = reply_to(error)
        desk.failed(mail.peer, reply, error)
        return reply
    finally:
        incoming.release()
    facts: dict[str, object] = {
        "job": job,
        "size": mail.size,
        "recipients": len(mail.envelope.recipients),
    }
    if dropped:
        facts["dropped"] = dropped
    if incoming.straightened:
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
