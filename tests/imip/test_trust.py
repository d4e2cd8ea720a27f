"""Who sent a mail, and how sure we are: one row per rule of SPEC 3.1 and 3.2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.ical.address import Address
from gateway.imip.read import read
from gateway.imip.trust import TrustSettings, is_authors, judge, login, lower
from gateway.itip.model import Certainty, Verdict
from gateway.ports import Envelope, Peer
from gateway.smtp.evidence import organizational_domain
from gateway.smtp.trace import received_line

OURS = TrustSettings(
    authserv_ids=frozenset({"mx.example.org"}),
    organizational=organizational_domain,
    spam_header=("x-spam-flag", "yes"),
)
HOP = "Received: from out.example.com by mx.example.org; Sat, 21 Nov 2026 00:00:00 +0000"
OUTSIDE = "Received: from laptop by out.example.com; Sat, 21 Nov 2026 00:00:00 +0000"
OWN = "Received: from mx by mx.example.org (imip-gateway) with ESMTP; Sat, 21 Nov 2026 00:00:00 +0000"
AR = "Authentication-Results: mx.example.org; "
PROVEN, LIKELY, UNKNOWN, CONTRADICTED = Certainty


def verdict(
    *headers: str, sender: str = "alice@example.com", trusted: bool = False, settings: TrustSettings = OURS
) -> Verdict:
    content = "\r\n".join([*headers, f"From: {sender}", "", "x"]).encode()
    return judge(read(content), trusted=trusted, user=None, settings=settings)


RULES = [
    ("DMARC pass aligned with From", [AR + "dmarc=pass header.from=example.com", HOP], PROVEN),
    (
        "DMARC pass with comments and a version",
        [AR.replace(";", " 1;") + "dmarc=pass (p=none dis=none) header.from=example.com", HOP],
        PROVEN,
    ),
    (
        "DMARC fail",
        [AR + "dmarc=fail (p=reject) header.from=example.com; dkim=pass header.d=example.com", HOP],
        CONTRADICTED,
    ),
    ("DMARC pass for another domain", [AR + "dmarc=pass header.from=evil.example", HOP], UNKNOWN),
    ("DMARC pass that does not say for whom", [AR + "dmarc=pass", HOP], UNKNOWN),
    ("DKIM pass of the same organization", [AR + "dkim=pass header.d=mail.example.com", HOP], LIKELY),
    ("DKIM pass by identity", [AR + "dkim=pass header.i=@example.com", HOP], LIKELY),
    ("DKIM pass of somebody else", [AR + "dkim=pass header.d=evil-example.com", HOP], UNKNOWN),
    ("DKIM pass of a name that ends alike", [AR + "dkim=pass header.d=notexample.com", HOP], UNKNOWN),
    ("DKIM fail", [AR + "dkim=fail header.d=example.com", HOP], UNKNOWN),
    ("SPF pass aligned", [AR + "spf=pass smtp.mailfrom=bounce@example.com", HOP], LIKELY),
    ("SPF pass not aligned", [AR + "spf=pass smtp.mailfrom=bounce@lists.example.net", HOP], UNKNOWN),
    (
        "a foreign authserv-id",
        ["Authentication-Results: evil.example; dmarc=pass header.from=example.com", HOP],
        UNKNOWN,
    ),
    ("our authserv-id below the border", [HOP, OUTSIDE, AR + "dmarc=pass header.from=example.com"], UNKNOWN),
    (
        "a result just below the border's line, which a stranger may have written",
        [HOP, AR + "dmarc=pass header.from=example.com", OUTSIDE],
        UNKNOWN,
    ),
    (
        "our own Received line is not the border's",
        [OWN, AR + "dmarc=pass header.from=example.com", HOP, OUTSIDE],
        PROVEN,
    ),
    (
        "forged just below the border's line, under our own",
        [OWN, HOP, AR + "dmarc=pass header.from=example.com", OUTSIDE],
        UNKNOWN,
    ),
    (
        "a comment that holds the result",
        [AR + "dmarc=fail (dmarc=pass header.from=example.com) header.from=example.com", HOP],
        CONTRADICTED,
    ),
    (
        "a quoted reason that holds the result",
        [AR + 'dkim=none reason="; dmarc=pass header.from=example.com"', HOP],
        UNKNOWN,
    ),
    ("no evidence", [HOP], UNKNOWN),
    ("spam", [AR + "dmarc=pass header.from=example.com", HOP, "X-Spam-Flag: YES"], UNKNOWN),
]


@pytest.mark.parametrize(("name", "headers", "certainty"), RULES, ids=[row[0] for row in RULES])
def test_evidence_gives_this_certainty(name: str, headers: list[str], certainty: Certainty) -> None:
    assert verdict(*headers).certainty is certainty


def test_two_border_hops_count_what_stands_above_the_second() -> None:
    settings = replace(OURS, border_hops=2)
    result = AR + "dmarc=pass header.from=example.com"
    assert verdict(HOP, result, HOP, OUTSIDE, settings=settings).certainty is PROVEN
    assert verdict(HOP, HOP, result, OUTSIDE, settings=settings).certainty is UNKNOWN


def test_the_line_that_our_listener_adds_is_known_as_ours() -> None:
    line = received_line(
        Envelope(sender="", recipients=()),
        Peer(helo="mx.example.org", address="127.0.0.1"),
        hostname="example.org",
        extended=True,
        received_at=datetime(2026, 11, 21, tzinfo=UTC),
    )
    own = line.decode().removesuffix("\r\n")
    assert verdict(own, AR + "dmarc=pass header.from=example.com", HOP).certainty is PROVEN


def test_an_attacker_cannot_pretend_to_be_our_own_received_line() -> None:
    forged = OWN.replace("Received: from mx", "Received: from x")
    assert verdict(HOP, forged, AR + "dmarc=pass header.from=example.com").certainty is UNKNOWN


@pytest.mark.parametrize("certainty", [UNKNOWN, LIKELY, PROVEN])
def test_a_trusted_network_counts_as_configured_only_without_a_result(certainty: Certainty) -> None:
    settings = TrustSettings(authserv_ids=OURS.authserv_ids, trusted_networks_are=certainty)
    assert verdict(trusted=True, settings=settings).certainty is certainty
    failed = verdict(AR + "dmarc=fail header.from=example.com", HOP, trusted=True, settings=settings)
    assert failed.certainty is CONTRADICTED
    assert verdict(settings=settings).certainty is UNKNOWN


def test_whom_a_machine_writes_for_is_not_who_writes() -> None:
    """rspamd/rspamd#4008: Google's machine names the guest in Reply-To; nor does Sender make an author of it."""
    machine = "calendar-notification@google.example"
    result = AR + "dmarc=pass header.from=google.example"
    found = verdict(result, HOP, "Reply-To: alice@example.com", "Sender: alice@example.com", sender=machine)
    assert (found.sender, found.certainty) == (machine, PROVEN)
    for_her = verdict(AR + "dmarc=pass header.from=example.com", HOP, f"Sender: {machine}")
    assert (for_her.sender, for_her.certainty) == ("alice@example.com", PROVEN)


def test_two_froms_are_nobody() -> None:
    found = verdict(
        AR + "dmarc=pass header.from=example.com", HOP, sender="a@example.com\r\nFrom: b@example.com"
    )
    assert (found.sender, found.certainty) == (None, UNKNOWN)


def test_a_logged_in_author_is_proven() -> None:
    mail = read(b"From: alice@example.com\r\n\r\nx")
    assert judge(mail, trusted=False, user=mail.sender, settings=OURS).certainty is PROVEN


def test_public_suffixes_are_nobodys_organization() -> None:
    assert organizational_domain("a.b.co.uk") == "b.co.uk"
    assert organizational_domain("co.uk") == "co.uk"
    assert verdict(AR + "dkim=pass header.d=other.co.uk", HOP, sender="a@victim.co.uk").certainty is UNKNOWN


@pytest.mark.parametrize(
    ("before", "after"),
    [(PROVEN, LIKELY), (LIKELY, UNKNOWN), (UNKNOWN, UNKNOWN), (CONTRADICTED, CONTRADICTED)],
)
def test_a_doubt_lowers_by_one_step(before: Certainty, after: Certainty) -> None:
    assert lower(Verdict(sender=None, certainty=before), ("by-name", "method-mismatch")).certainty is after
    assert lower(Verdict(sender=None, certainty=before), ()).certainty is before


SUBMITTED = "Received: from laptop (h [192.0.2.7]) by mx.example.org (Postfix) with ESMTPSA id A1 for <d@example.com>; x"
RECEIVED = SUBMITTED.replace("ESMTPSA", "ESMTPS")


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([SUBMITTED], ""),
        ([OWN, SUBMITTED], ""),
        ([SUBMITTED.replace("ESMTPSA", "esmtpa")], ""),
        ([SUBMITTED.replace("ESMTPSA", "UTF8SMTPSA")], ""),
        ([SUBMITTED.replace("by mx", "(Authenticated sender: bob) by mx")], "bob"),
        ([AR + "auth=pass smtp.auth=alice", RECEIVED], "alice"),
        ([AR + "auth=pass (cram-md5)", RECEIVED], ""),
        ([RECEIVED], None),
        ([], None),
        ([AR + "auth=fail smtp.auth=alice", RECEIVED], None),
        ([AR.replace("mx.", "mx2.") + "auth=pass smtp.auth=alice", RECEIVED], None),
        ([RECEIVED, AR + "auth=pass smtp.auth=alice"], None),
        ([RECEIVED, SUBMITTED], None),  # the second line is whose?
        ([RECEIVED.replace("laptop", "x by mx.example.org with ESMTPSA id 1")], None),
        ([RECEIVED.replace("<d@example.com>", '<"a with ESMTPSA b"@example.org>')], None),
        ([RECEIVED.replace("laptop", "laptop (with ESMTPSA)")], None),
    ],
)
@pytest.mark.parametrize("hops", [1, 2])
def test_a_login_is_what_the_server_that_handed_the_mail_over_says(
    headers: list[str], name: str | None, hops: int
) -> None:
    mail = read("\r\n".join([*headers, "From: alice@example.org", "", "x"]).encode())
    assert login(mail, replace(OURS, border_hops=hops)) == name


def test_without_hops_of_our_own_no_line_shows_a_login() -> None:
    mail = read("\r\n".join([SUBMITTED, "From: alice@example.org", "", "x"]).encode())
    assert login(mail, replace(OURS, border_hops=0)) is None


def test_dmarc_proves_the_author_only_above_the_topmost_line() -> None:
    lines = [AR + "dmarc=pass header.from=example.org", HOP]
    for headers, proven in ((lines, True), (lines[::-1], False)):
        mail = read("\r\n".join([*headers, "From: alice@example.org", "", "x"]).encode())
        assert is_authors(mail, {Address("alice@example.org")}, replace(OURS, border_hops=2)) is proven
        assert not is_authors(mail, {Address("bob@example.org")}, OURS)
