"""Who sends: what the operator says, else what the server announces."""

from __future__ import annotations

import pytest

from gateway.caldav.profiles import PROFILES, Evidence, judge, recognise

SCHEDULES = "1, 3, extended-mkcol, access-control, calendar-access, calendar-auto-schedule"
SILENT = "1, 2, 3, calendar-access, addressbook, extended-mkcol"
XANDIKOS = "1, 2, 3, calendar-access, calendar-auto-schedule, addressbook, extended-mkcol, add-member, sync-collection, quota"


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        (Evidence(headers={"dav": SILENT}, sync_token="http://radicale.org/ns/sync/0a"), "radicale"),
        (Evidence(headers={"dav": XANDIKOS, "server": "Python/3.11 aiohttp/3.14.5"}), "xandikos"),
        (Evidence(headers={"dav": SCHEDULES, "x-sabre-version": "4.7.1"}), "sabre"),
        (Evidence(headers={"dav": SCHEDULES}, sync_token="http://sabre.io/ns/sync/1"), "sabre"),
        (
            Evidence(
                headers={"dav": SCHEDULES + ", nextcloud-checksum-update", "x-sabre-version": "4.7"},
                home="/remote.php/dav/calendars/alice/",
                sync_token="http://sabre.io/ns/sync/1",
            ),
            "nextcloud",
        ),
        (Evidence(headers={"dav": SCHEDULES, "server": "Cyrus-HTTP/3.6.1 Cyrus-SASL/2.1.28"}), "cyrus"),
        (Evidence(headers={"dav": SCHEDULES}, home="/SOGo/dav/alice/Calendar/"), "sogo"),
        (Evidence(headers={"dav": SCHEDULES, "x-davical-version": "DAViCal/1.1.12"}), "davical"),
        (Evidence(headers={"dav": "1, 2"}), "unknown"),
        (Evidence(headers={}), "unknown"),
    ],
)
def test_a_server_is_recognised(evidence: Evidence, name: str):
    assert recognise(evidence) == name


@pytest.mark.parametrize(
    ("configured", "evidence", "sends"),
    [
        ("auto", Evidence(headers={"dav": SILENT}), "gateway"),
        ("auto", Evidence(headers={"dav": SCHEDULES}), "inbound"),
        ("auto", Evidence(headers={"dav": XANDIKOS}), "inbound"),
        ("auto", Evidence(headers={"dav": SCHEDULES, "server": "Stalwart"}), "nobody"),
        ("auto", Evidence(headers={}), "inbound"),
        ("full", Evidence(headers={"dav": SCHEDULES}), "gateway"),
        ("inbound", Evidence(headers={"dav": SILENT}), "inbound"),
        ("off", Evidence(headers={"dav": SILENT}), "nobody"),
        ("radicale", Evidence(headers={"dav": SILENT}), "gateway"),
        ("xandikos", Evidence(headers={"dav": XANDIKOS}), "gateway"),
        ("sabre", Evidence(headers={"dav": SCHEDULES}), "gateway"),
        ("sogo", Evidence(headers={"dav": SCHEDULES}), "inbound"),
        ("nextcloud", Evidence(headers={"dav": SCHEDULES}), "inbound"),
        ("cyrus", Evidence(headers={"dav": SCHEDULES}), "inbound"),
        ("google", Evidence(headers={"dav": SCHEDULES}), "nobody"),
    ],
)
def test_who_sends(configured: str, evidence: Evidence, sends: str):
    assert judge(configured, evidence)[1].sends == sends


def test_two_masters_are_a_problem_that_is_told():
    assert judge("auto", Evidence(headers={"dav": XANDIKOS}))[1].problems
    assert judge("auto", Evidence(headers={}))[1].problems
    assert not judge("auto", Evidence(headers={"dav": SILENT}))[1].problems


@pytest.mark.parametrize("configured", ["full", "xandikos"])
def test_a_server_that_is_set_up_as_told_is_no_problem_but_told_what_that_rests_on(configured):
    facts = judge(configured, Evidence(headers={"dav": XANDIKOS}))[1]
    assert not facts.problems
    assert "--imip-send off" in facts.provided[0]


@pytest.mark.parametrize(
    ("configured", "evidence", "rests_on"),
    [
        ("davical", Evidence(headers={"dav": SCHEDULES, "x-davical-version": "1.1.12"}), "send_email"),
        ("full", Evidence(headers={"dav": SCHEDULES}, home="/SOGo/dav/alice/Calendar/"), "SendEMailNotif"),
        ("full", Evidence(headers={"dav": SCHEDULES}), "own invitations"),
    ],
)
def test_davical_and_sogo_as_the_documentation_sets_them_up_have_no_problem(configured, evidence, rests_on):
    facts = judge(configured, evidence)[1]
    assert facts.sends == "gateway" and not facts.problems
    assert rests_on in facts.provided[0]


@pytest.mark.parametrize("configured", ["auto", "inbound", "sogo", "off"])
def test_where_the_gateway_does_not_send_nothing_rests_on_anything(configured):
    evidence = Evidence(headers={"dav": SCHEDULES}, home="/SOGo/dav/alice/Calendar/")
    assert judge(configured, evidence)[1].provided == ()


def test_a_wrong_profile_is_a_problem_that_is_told():
    (problem,) = judge("radicale", Evidence(headers={"dav": "1", "server": "Cyrus-HTTP/3"}))[1].problems
    assert "cyrus" in problem


def test_full_still_knows_the_product():
    profile, facts = judge("full", Evidence(headers={"dav": SCHEDULES}, home="/SOGo/dav/alice/Calendar/"))
    assert facts.name == "sogo" and not profile.guards_creation


def test_only_measured_servers_are_trusted_with_a_write():
    assert PROFILES["unknown"].read_back and not PROFILES["unknown"].guards_uid
    assert not PROFILES["nextcloud"].replaces


@pytest.mark.parametrize(
    ("classes", "keeper"),
    [(f"{SILENT}, calendar-managed-attachments", "https://host"), (SILENT, ""), (f"{SILENT}, x-managed", "")],
)
def test_a_server_manages_attachments_where_it_says_so(classes: str, keeper: str):
    _, facts = judge("auto", Evidence(headers={"dav": classes}, origin="https://host"))
    assert facts.keeper == keeper
