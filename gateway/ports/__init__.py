"""What the journeys ask of the outside: small Protocols, and the values that edges share.

Edges (smtp, caldav, web, store) do not know each other; the journeys in `flows/` know only this file. All times are
aware datetimes in UTC; outcome and reason are the strings of `itip.model.Outcome` and `itip.model.Reason`.
"""

from gateway.ports.calendars import (
    Calendars,
    Change,
    Collection,
    Document,
    Principals,
    ProfileFacts,
    Resource,
    SyncResult,
)
from gateway.ports.crashers import Crasher, Crashers
from gateway.ports.delivery import Clock, NextHop, OutgoingMail, PassedOn, Sent, Smarthost
from gateway.ports.jobs import Entry, Held, Job, JobKind, JobState, Journal, NewJob, Queue, Stored
from gateway.ports.mail import (
    Draft,
    Envelope,
    Hands,
    Intake,
    MailQueue,
    Peer,
    ReceivedMail,
    Recipient,
    pack_mail,
    unpack_mail,
)
from gateway.ports.pages import Attachments, Languages, Links, Pages, Shown, Visit
from gateway.ports.proposals import ProposalRow, Proposals, Undecided
from gateway.ports.records import Records
from gateway.ports.settle import Ledger, Letter, NewLetter, Plan, Plans, Posted
from gateway.ports.snapshots import VANISHED, CollectionState, MarkRow, Snapshot, Snapshots, Whereabouts
from gateway.ports.writing import Exclusion, Seized, WriteLeases

__all__ = [
    "VANISHED",
    "Attachments",
    "Calendars",
    "Change",
    "Clock",
    "Collection",
    "CollectionState",
    "Crasher",
    "Crashers",
    "Document",
    "Draft",
    "Entry",
    "Envelope",
    "Exclusion",
    "Hands",
    "Held",
    "Intake",
    "Job",
    "JobKind",
    "JobState",
    "Journal",
    "Languages",
    "Ledger",
    "Letter",
    "Links",
    "MailQueue",
    "MarkRow",
    "NewJob",
    "NewLetter",
    "NextHop",
    "OutgoingMail",
    "Pages",
    "PassedOn",
    "Peer",
    "Plan",
    "Plans",
    "Posted",
    "Principals",
    "ProfileFacts",
    "ProposalRow",
    "Proposals",
    "Queue",
    "ReceivedMail",
    "Recipient",
    "Records",
    "Resource",
    "Seized",
    "Sent",
    "Shown",
    "Smarthost",
    "Snapshot",
    "Snapshots",
    "Stored",
    "SyncResult",
    "Undecided",
    "Visit",
    "Whereabouts",
    "WriteLeases",
    "pack_mail",
    "unpack_mail",
]
