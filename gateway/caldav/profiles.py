"""What we know about CalDAV servers, as data: who of us mails, and where a server's word is not to be taken.

The rows were measured against the real servers; what is not known is treated with the most care.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.ports import ProfileFacts

GATEWAY, INBOUND, NOBODY = "gateway", "inbound", "nobody"
AUTO = "auto"
_ANY = 1_000_000
WHO_SENDS = {"full": GATEWAY, "inbound": INBOUND, "off": NOBODY}  # profile names that only say who sends


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of server. `told` and `found` say who sends when the operator names it, and when `auto` meets it."""

    name: str
    told: str = INBOUND
    found: str = INBOUND  # where it announces calendar-auto-schedule
    read_back: bool = True  # after a write: it rewrites and still gives an ETag, or is not known
    overlaps: bool = (
        False  # lets two writes with one If-Match both win: after ours it is seen whether it still stands
    )
    guards_uid: bool = False  # refuses a second object of the same UID in a collection, even in a race
    guards_creation: bool = True  # honours If-None-Match: *
    guards_deletion: bool = True  # honours If-Match on DELETE
    keeps_deleted: bool = False  # its trash holds a UID: a new object with it is a 500 until that is emptied
    replaces: bool = False  # a refused scheduling change goes through as DELETE and PUT
    orphans: int = 1  # so many overrides without their master it is known to take in one object
    momentary: bool = True  # takes an event that ends when it begins
    provided: str = (
        ""  # what lets the gateway be the one who mails, although the server announces that it schedules
    )


PROFILES: Mapping[str, Profile] = {
    one.name: one
    for one in (
        Profile(name="unknown", overlaps=True, orphans=0),
        Profile(name="radicale", told=GATEWAY, read_back=False, guards_uid=True),
        Profile(
            name="xandikos",
            told=GATEWAY,
            overlaps=True,  # once in thirty times
            guards_uid=True,
            replaces=True,
            orphans=_ANY,
            provided="Xandikos runs with --imip-send off, since it ignores SCHEDULE-AGENT",
        ),
        Profile(
            name="sabre",
            told=GATEWAY,
            read_back=False,
            overlaps=True,
            provided="its IMipPlugin is not loaded",
        ),
        Profile(
            name="baikal",
            told=GATEWAY,
            read_back=False,
            overlaps=True,
            provided="invite_from of Baïkal is empty",
        ),
        Profile(
            name="davical",
            told=GATEWAY,
            overlaps=True,
            provided="iMIP->send_email of DAViCal is unset, else it mails cancellations",
        ),
        Profile(
            name="sogo",
            overlaps=True,
            guards_creation=False,
            guards_deletion=False,
            provided="SOGo runs with SOGoAppointmentSendEMailNotifications = NO",
        ),
        Profile(
            name="nextcloud",
            read_back=False,
            overlaps=True,
            guards_uid=True,
            keeps_deleted=True,
            orphans=0,
            provided="sendInvitations of Nextcloud's app dav is set to no",
        ),
        Profile(name="owncloud", read_back=False, overlaps=True),
        Profile(
            name="cyrus",
            read_back=False,
            guards_uid=True,
            momentary=False,
            provided="Cyrus was told not to mail; with caldav_allowscheduling: off it would not announce scheduling",
        ),
        Profile(name="stalwart", told=NOBODY, found=NOBODY),
        Profile(name="google", told=NOBODY, found=NOBODY),
        Profile(name="icloud", told=NOBODY, found=NOBODY),
        Profile(name="zimbra", told=NOBODY, found=NOBODY),
        Profile(name="exchange", told=NOBODY, found=NOBODY),
        Profile(name="davmail", told=NOBODY, found=NOBODY),
    )
}

# Where a product shows itself: (profile, header, words in its value). A row fits when one of its words is there; the
# first row wins, so what is built on sabre/dav stands before it.
SIGNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("nextcloud", "dav", ("nextcloud-checksum-update", "nc-calendar-", "nc-enable-birthday-calendar")),
    ("owncloud", "dav", ("oc-resource-sharing", "oc-calendar-publishing")),
    ("sabre", "x-sabre-version", ("",)),
    ("davical", "x-davical-version", ("",)),
    ("cyrus", "server", ("cyrus",)),
    ("sogo", "server", ("sogo",)),
    ("stalwart", "server", ("stalwart",)),
    ("davmail", "server", ("davmail",)),
    ("exchange", "x-powered-by", ("davmail",)),
    ("google", "server", ("gse", "google", "esf")),
    ("icloud", "x-apple-user-partition", ("",)),
    ("icloud", "server", ("appleidms", "apple")),
    ("zimbra", "server", ("zimbra",)),
    ("zimbra", "x-zimbra-caldav", ("",)),
)
TOKENS = (
    ("http://radicale.org/ns/sync/", "radicale"),
    ("http://sabre.io/ns/sync/", "sabre"),
    ("http://sabredav.org/ns/sync/", "sabre"),
)
PLACES = (
    ("/sogo/dav/", "sogo"),
    ("/remote.php/dav/", "nextcloud"),
    ("/caldav.php/", "davical"),
    ("/dav.php/", "baikal"),
    ("/dav/cal/", "stalwart"),
    ("/caldav/v2/", "google"),
    ("/zimbra/", "zimbra"),
)
XANDIKOS_TOKENS = frozenset({"calendar-access", "add-member", "sync-collection", "quota"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a server let us see: the headers of OPTIONS on the home, where the home lies, a sync token, its origin."""

    headers: Mapping[str, str]  # names lower case
    home: str = ""
    sync_token: str = ""
    origin: str = ""

    @property
    def keeper(self) -> str:
        """Where it manages attachments, if it says so (RFC 8607 3.1)."""
        return self.origin if "calendar-managed-attachments" in self.classes else ""

    @property
    def classes(self) -> frozenset[str]:
        """The compliance classes of the DAV: header (RFC 4918 10.1)."""
        return frozenset(one.strip().lower() for one in self.headers.get("dav", "").split(","))

    @property
    def answers(self) -> bool:
        """Whether it told its compliance classes at all."""
        return "dav" in self.headers

    @property
    def schedules(self) -> bool:
        """Whether it announces scheduling (RFC 6638 2)."""
        return "calendar-auto-schedule" in self.classes


def recognise(evidence: Evidence) -> str:
    """The product behind an address; "unknown" when nothing gives it away."""
    for name, header, words in SIGNS:
        value = evidence.headers.get(header, "").lower()
        if header in evidence.headers and any(word in value for word in words):
            return name
    for start, name in TOKENS:
        if evidence.sync_token.startswith(start):
            return name
    for place, name in PLACES:
        if evidence.home.lower().startswith(place):
            return name
    if evidence.classes >= XANDIKOS_TOKENS:
        return "xandikos"
    return "unknown"


def judge(configured: str, evidence: Evidence) -> tuple[Profile, ProfileFacts]:
    """How this server behaves and who of us sends (SPEC 5.4): what the operator says, else what the server announces."""
    found = recognise(evidence)
    if configured in PROFILES:
        profile = PROFILES[configured]
        sends = profile.told
    else:
        profile = PROFILES[found]
        sends = WHO_SENDS.get(configured) or _sends(profile, evidence)
    facts = ProfileFacts(
        name=profile.name,
        sends=sends,
        schedules=evidence.schedules,
        orphans=profile.orphans,
        momentary=profile.momentary,
        replaces=profile.replaces,
        keeper=evidence.keeper,
        problems=_problems(configured, found, sends, evidence),
        provided=_provided(profile, sends, evidence),
    )
    return profile, facts


def _sends(profile: Profile, evidence: Evidence) -> str:
    if profile.found == NOBODY:
        return NOBODY
    # What is silent may schedule: two mails for one change are worse than none, which `doctor` shows.
    return GATEWAY if evidence.answers and not evidence.schedules else profile.found


def _provided(profile: Profile, sends: str, evidence: Evidence) -> tuple[str, ...]:
    """Most servers announce that they schedule whether they mail or not: whoever names the profile knows that they do not."""
    if sends != GATEWAY or not evidence.schedules:
        return ()
    return (profile.provided or "the server's own invitations by mail are switched off",)


def _problems(configured: str, found: str, sends: str, evidence: Evidence) -> tuple[str, ...]:
    problems = []
    if configured in PROFILES and found not in (configured, "unknown"):
        problems.append(f"the profile says {configured}, but the server looks like {found}")
    if configured == AUTO and not evidence.answers:
        problems.append("the server does not tell whether it schedules by itself: set the profile")
    elif configured == AUTO and sends == INBOUND:
        problems.append(
            "the server announces that it schedules by itself, so the gateway mails nothing for it;"
            " switch the server's mail off and set the profile to let the gateway send"
        )
    return tuple(problems)


__all__ = ["AUTO", "PROFILES", "WHO_SENDS", "Evidence", "Profile", "judge", "recognise"]
