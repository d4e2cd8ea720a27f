"""The values of scheduling: messages, verdicts, marks and decisions, RFC 5546 in types.

    decide(stored, message, context)   -> Decision      a message came     (itip/decide)
    changes(before, after, context)    -> Decision      a calendar changed (itip/changes)

Both are pure: whatever they need stands in the Context, so a Decision can be replayed from the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.accounts import Booking
from gateway.ical.address import Address
from gateway.ical.bounds import DEFAULT_BOUNDS, Bounds
from gateway.ical.event import CalendarObject
from gateway.ical.times import Period
from gateway.itip.told import Attached, Booked, Declined, Facts, Guest, Said, Summary, Taken, When


class Method(StrEnum):
    """The methods of RFC 5546 1.4, in its order."""

    PUBLISH = "PUBLISH"
    REQUEST = "REQUEST"
    REPLY = "REPLY"
    ADD = "ADD"
    CANCEL = "CANCEL"
    REFRESH = "REFRESH"
    COUNTER = "COUNTER"
    DECLINECOUNTER = "DECLINECOUNTER"


class Role(StrEnum):
    """What the account is to an object."""

    ORGANIZER = "organizer"
    ATTENDEE = "attendee"
    STRANGER = "stranger"


class Outcome(StrEnum):
    """How a scheduling message ended; exactly one each (SPEC promise 4)."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    STALE = "stale"
    PARKED = "parked"
    HELD = "held"
    REFUSED = "refused"
    IGNORED = "ignored"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


class Reason(StrEnum):
    """Why it ended so: a closed list, the same in journal, log, metric, `why` and `explain` (docs/reasons.md)."""

    # applied
    INVITATION_STORED = "invitation-stored"
    INVITATION_UPDATED = "invitation-updated"
    INVITATION_RESCHEDULED = "invitation-rescheduled"
    ASKED_ANEW = "asked-anew"
    MEETING_CANCELLED = "meeting-cancelled"
    CANCELLED_EXPIRED = "cancelled-expired"
    INSTANCE_CANCELLED = "instance-cancelled"
    GUESTS_REMOVED = "guests-removed"
    INSTANCE_ADDED = "instance-added"
    PUBLICATION_STORED = "publication-stored"
    PUBLICATION_UPDATED = "publication-updated"
    ANSWER_RECORDED = "answer-recorded"
    CRASHER_ADDED = "crasher-added"
    REFRESHED = "refreshed"
    BUSY_TOLD = "busy-told"
    BUSY_WITHHELD = "busy-withheld"
    INVITED = "invited"
    UPDATED = "updated"
    CANCELLED = "cancelled"
    ANSWERED = "answered"
    BOOKED = "booked"
    BOOKED_PARTLY = "booked-partly"
    BOOKING_DECLINED = "booking-declined"
    ANSWERS_TOLD = "answers-told"
    STRANGER_TOLD = "stranger-told"
    PROPOSAL_KEPT = "proposal-kept"
    PROPOSAL_ACCEPTED = "proposal-accepted"
    PROPOSAL_DECLINED = "proposal-declined"
    COUNTER_DISALLOWED = "counter-disallowed"
    # who, and whether he may
    NOT_AUTHENTICATED = "not-authenticated"
    NOT_SUBMITTED = "not-submitted"
    SENDER_CONTRADICTED = "sender-contradicted"
    SENDER_NOT_ORGANIZER = "sender-not-organizer"
    SENDER_NOT_ATTENDEE = "sender-not-attendee"
    ORGANIZER_CHANGED = "organizer-changed"
    COMPONENT_CHANGED = "component-changed"
    PARTY_CRASHER = "party-crasher"
    OTHER_ADDRESS = "other-address"
    DELEGATION_REFUSED = "delegation-refused"
    SCHEDULED_MEETING = "scheduled-meeting"
    SELF_SENT = "self-sent"
    UNKNOWN_RECIPIENT = "unknown-recipient"
    NOT_INVITED = "not-invited"
    NOT_ASKED = "not-asked"
    PUBLISH_OFF = "publish-off"
    POLICY = "policy"
    # order
    OLDER_SEQUENCE = "older-sequence"
    OLDER_DTSTAMP = "older-dtstamp"
    DUPLICATE = "duplicate"
    UNKNOWN_UID = "unknown-uid"
    NO_SUCH_INSTANCE = "no-such-instance"
    NOTHING_PROPOSED = "nothing-proposed"
    PROPOSAL_UNUSABLE = "proposal-unusable"
    # given on a page or by plain mail
    WORDS_FORWARDED = "words-forwarded"
    WITHDRAWN = "withdrawn"
    CONTRADICTORY = "contradictory"
    LINKS_REVOKED = "links-revoked"
    # form
    NO_CALENDAR_PART = "no-calendar-part"
    TOO_LARGE = "too-large"
    TOO_MANY_ATTENDEES = "too-many-attendees"
    TOO_MANY_COMPONENTS = "too-many-components"
    TOO_DEEP = "too-deep"
    TOO_MANY_PARTS = "too-many-parts"
    EXPANSION_LIMIT = "expansion-limit"
    MALFORMED_CALENDAR = "malformed-calendar"
    MALFORMED_MAIL = "malformed-mail"
    METHOD_MISMATCH = "method-mismatch"
    NO_METHOD = "no-method"
    SEVERAL_MEETINGS = "several-meetings"
    UNSUPPORTED_METHOD = "unsupported-method"
    UNSUPPORTED_COMPONENT = "unsupported-component"
    UNSUPPORTED_SMIME = "unsupported-smime"
    UNSUPPORTED_TNEF = "unsupported-tnef"
    UNSUPPORTED_VCALENDAR = "unsupported-vcalendar"
    AUTO_SUBMITTED = "auto-submitted"
    RATE_LIMITED = "rate-limited"
    FORWARDED = "forwarded"
    # watching
    BASELINE = "baseline"
    PAST_EVENT = "past-event"
    BURST = "burst"
    CLIENT_SENT = "client-sent"
    SERVER_SENT = "server-sent"
    SCHEDULE_AGENT = "schedule-agent"
    NOT_OUR_ORGANIZER = "not-our-organizer"
    COSMETIC_CHANGE = "cosmetic-change"
    NOTHING_TO_SEND = "nothing-to-send"
    FROM_REFUSED = "from-refused"
    # edges
    BACKEND_UNAVAILABLE = "backend-unavailable"
    BACKEND_REFUSED = "backend-refused"
    PRECONDITION_FAILED = "precondition-failed"
    BOUNCED = "bounced"
    STATUS_WRITTEN = "status-written"
    LETTER_FAILED = "letter-failed"
    GIVEN_UP = "given-up"
    NEXT_HOP_REFUSED = "next-hop-refused"
    DROPPED = "dropped"
    INTERNAL_ERROR = "internal-error"


class Certainty(StrEnum):
    """How sure we are who sent a mail (SPEC 3.2); `imip/trust` decides it."""

    PROVEN = "proven"
    LIKELY = "likely"
    UNKNOWN = "unknown"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who sent the mail, how sure we are, and by which evidence."""

    sender: Address | None
    certainty: Certainty
    reasons: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()  # what lowers trust: "method-mismatch", "by-name", ... (SPEC 2.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkKey:
    """One line of an account's ledger for one UID (SPEC 4.1)."""

    recurrence_id: str  # canonical key of ical.event; "" is the master
    party: str  # "organizer", or an attendee's Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The newest that was applied from one party for one instance. Outlives the object (tombstone)."""

    sequence: int | None = None  # None: unknown
    dtstamp: datetime | None = None
    digest: str = ""
    mail_date: datetime | None = None
    arrived: datetime | None = None  # when it came, where its DTSTAMP was ahead of that
    reset_sequence: int | None = None  # of the last PARTSTAT reset
    reset_dtstamp: datetime | None = None
    cancelled: bool = False  # tombstone of a CANCEL
    organizer: Address | None = None  # whom a tombstone is bound to
    partstat: str = ""  # an attendee's last answer
    speaks_for: Address | None = None  # the invitee whose other address this is
    rule: str = ""  # RRULE as it was before the organizer cut the series short


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the owner wants, as far as deciding needs it; `policy/` makes it from the configuration."""

    on_unknown: str = "hold"  # hold | store | ignore   (an UNKNOWN sender)
    cancel: str = "mark"  # mark | delete | delete-after
    cancel_after: timedelta = timedelta(days=7)  # with delete-after
    party_crasher: str = "ask"  # ask | add | ignore
    publish: bool = False
    default_alarm: str = ""  # "-PT15M", RFC 5545 3.8.6.3, or ""
    delegates: frozenset[Address] = frozenset()  # who may act as the object's organizer for this principal
    approved: bool = False  # a person approved this held message
    guest_list: str = "full"  # full | self
    freebusy: str = "nobody"  # who may ask when he is busy: nobody | domains | known | all, each wider than the one before
    freebusy_domains: frozenset[str] = frozenset()
    freebusy_horizon: timedelta = timedelta(days=60)
    past_events: str = "skip"  # skip | mail
    action: str = "store"  # what the first fitting [[policy]] rule says: store | hold | ignore | refuse | ...
    booking: Booking | None = None  # how it answers, of a room or resource that does
    books_likely: bool = False  # one whom nothing but likelihood speaks for may book it too
    timezone: str = "UTC"  # of the account


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A stretch of time that is taken, and how surely (FBTYPE, RFC 5545 3.2.9)."""

    period: Period
    kind: str = "BUSY"  # BUSY | BUSY-TENTATIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Kin:
    """Another series in the account's calendar, of which a new one may be the rest."""

    object: CalendarObject
    base: CalendarObject | None = None  # the organizer's last version of it
    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything that a decision may depend on besides the object and the message."""

    owner: frozenset[Address]  # all addresses of the account
    now: datetime
    prodid: str = "-//imip-gateway//EN"
    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)
    base: CalendarObject | None = None  # the organizer's last version
    verdict: Verdict | None = None
    policy: Policy = Policy()
    invited_as: Address | None = None  # the address by which the envelope reached the account
    mail_date: datetime | None = None
    arrived: datetime | None = None
    bounds: Bounds = DEFAULT_BOUNDS  # how far what is stored may be expanded (SPEC 11)
    free_busy: tuple[Busy, ...] | None = None  # his busy times, read for a VFREEBUSY that may be answered
    unread: int = 0  # so many of his events could not be read for it
    met: bool = False  # the account itself has written to the sender about a meeting
    kin: tuple[Kin, ...] = ()  # the organizer's other series, read for a new one
    auto_submitted: str = ""  # RFC 3834 5, lower case
    is_list: bool = False
    null_sender: bool = False
    thread: Address | None = None  # to whom our letter went that this answers

    @property
    def vouched(self) -> bool:
        """Whether anything at all speaks for the sender being who he says."""
        return self.verdict is not None and self.verdict.certainty in (Certainty.PROVEN, Certainty.LIKELY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An iTIP message about one UID, legal by construction: `itip/parse` is its only maker."""

    method: Method
    object: CalendarObject  # the tree without METHOD
    sender: Address | None  # whom the mail's verdict names


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A fact about a decision: `code` is kebab-case, `facts` hold no titles and no bodies."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An iTIP message to leave, one recipient each; `object` is that recipient's view (SPEC 4.8, 12.10)."""

    method: Method
    sender: Address
    recipient: Address
    object: CalendarObject  # without METHOD; imip/write adds it
    summary: Summary
    recipient_name: str = ""
    automatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A letter to our own user about what somebody did: without calendar part, and nobody answers it (SPEC 3.4)."""

    sender: Address  # whom it tells of
    recipient: Address
    summary: Summary
    recipient_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a COUNTER asks for, kept until the organizer decides (SPEC 4.5). Times are RFC 3339, a day is YYYY-MM-DD."""

    object: CalendarObject  # the COUNTER: one component
    sender: Address  # as the stored meeting knows him
    recurrence_id: str = ""
    sequence: int | None = None  # of the version that he speaks of
    start: str = ""
    end: str = ""
    old_start: str = ""
    old_end: str = ""
    comment: str = ""
    notice: Notice | None = None  # None: the organizer has had enough letters about this guest's wishes today


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The object to put into the calendar."""

    object: CalendarObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """The object leaves the calendar."""


Change = Store | Remove | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a message or a change comes to. It says everything; applying it decides nothing more."""

    outcome: Outcome
    reason: Reason
    change: Change = None
    outgoing: tuple[Outgoing, ...] = ()
    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)  # to be merged into the ledger
    base: CalendarObject | None = None  # the organizer's new last version; None: as it was
    notes: tuple[Note, ...] = ()
    held_kind: str = ""  # mail | crasher when outcome is HELD
    recurrence_id: str = ""  # when the message speaks of exactly one instance
    proposals: tuple[Proposal, ...] = ()  # to be kept for the organizer
    notices: tuple[Notice, ...] = ()  # letters about it that carry no message


__all__ = [
    "Attached",
    "Booked",
    "Busy",
    "Certainty",
    "Change",
    "Context",
    "Decision",
    "Declined",
    "Facts",
    "Guest",
    "Kin",
    "Mark",
    "MarkKey",
    "Message",
    "Method",
    "Note",
    "Notice",
    "Outcome",
    "Outgoing",
    "Policy",
    "Proposal",
    "Reason",
    "Remove",
    "Role",
    "Said",
    "Store",
    "Summary",
    "Taken",
    "Verdict",
    "When",
]
