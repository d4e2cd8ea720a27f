"""What a decision puts into the store beside the calendar: letters, notices, proposals, marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateway.accounts import Account
from gateway.ical.event import CalendarObject
from gateway.itip import order, summary
from gateway.itip.model import Mark, MarkKey, Notice, Outgoing, Proposal
from gateway.ports import Job, MarkRow, NewLetter, ProposalRow


def letter_row(outgoing: Outgoing, job: Job, account: Account, *, answers: str) -> NewLetter:
    """A message that will leave; `answers`: the Message-ID of the mail that caused it."""
    return NewLetter(
        account=account.address,
        uid=job.uid,
        recurrence_id=_only_instance(outgoing.object),
        method=str(outgoing.method),
        sender=outgoing.sender,
        recipient=outgoing.recipient,
        recipient_name=outgoing.recipient_name,
        calendar=outgoing.object.data,
        summary=summary.dump(outgoing.summary),
        automatic=outgoing.automatic,
        in_reply_to=answers if outgoing.automatic else "",
    )


def notice_row(notice: Notice, job: Job, account: Account, *, name: str = "") -> NewLetter:
    """SPEC 3.4: nobody's hand caused it, and it carries no calendar part."""
    return NewLetter(
        account=account.address,
        uid=job.uid,
        recurrence_id="",
        method="",
        sender=notice.sender,
        recipient=notice.recipient,
        recipient_name=notice.recipient_name,
        summary=summary.dump(replace(notice.summary, proposal=name)),
        automatic=True,
    )


def proposal_row(proposal: Proposal, job: Job, account: Account, *, name: str) -> ProposalRow:
    """What a COUNTER asks for, as it is kept until the organizer decides."""
    return ProposalRow(
        id=name,
        account=account.address,
        uid=proposal.object.uid,
        recurrence_id=proposal.recurrence_id,
        sender=proposal.sender,
        sequence=proposal.sequence,
        start=proposal.start,
        end=proposal.end,
        old_start=proposal.old_start,
        old_end=proposal.old_end,
        comment=proposal.comment,
        data=proposal.object.data,
        message_id=job.message_id,
    )


def _only_instance(view: CalendarObject) -> str:
    keys = tuple(view.overrides)
    return keys[0] if view.master is None and len(keys) == 1 else ""


def marks_of(rows: Sequence[MarkRow]) -> dict[MarkKey, Mark]:
    return {MarkKey(recurrence_id=row.recurrence_id, party=row.party): order.load(row.mark) for row in rows}


__all__ = ["letter_row", "marks_of", "notice_row", "proposal_row"]
