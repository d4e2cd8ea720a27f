"""What is told of the domains that letters come from, and what to publish; silence is no problem."""

from __future__ import annotations

import pytest

from gateway.flows.domains import UNTOLD, Domains, Standing, standings_json
from gateway.smtp.evidence import organizational_domain

GOOD = {
    "example.org": ("v=spf1 mx -all", "google-site-verification=1"),
    "_dmarc.example.org": ("v=DMARC1; p=none",),
    "s1._domainkey.example.org": ("v=DKIM1; k=rsa; p=MIIB",),
}


class Zone:
    """Implements `ports.Records`."""

    def __init__(self, texts: dict[str, tuple[str, ...] | None], nowhere: tuple[str, ...] = ()) -> None:
        self.texts_of = texts
        self.nowhere = nowhere

    async def texts(self, name: str) -> tuple[str, ...] | None:
        return self.texts_of.get(name, ())

    async def exists(self, name: str) -> bool | None:
        known = self.texts_of.get("example.org", ())
        return None if known is None else name not in self.nowhere


async def standing(texts, *, domain: str = "example.org", selector: str = "s1") -> Standing:
    domains = Domains(records=Zone(texts), domains=(domain, domain), organizational=organizational_domain)
    (found,) = await domains.examine(selector)
    assert all(one.text and one.next_step for one in found.problems)
    return found


def codes(found: Standing) -> list[str]:
    return [one.code for one in found.problems]


async def test_a_domain_in_order_has_no_problem_and_shows_its_records():
    found = await standing(GOOD)
    assert standings_json([found]) == [
        {
            "account": "",
            "domain": "example.org",
            "spf": "v=spf1 mx -all",
            "dmarc": "v=DMARC1; p=none",
            "dkim": "v=DKIM1; k=rsa; p=MIIB",
            "problems": (),
        }
    ]


@pytest.mark.parametrize(
    ("name", "texts", "code"),
    [
        ("example.org", (), "no-spf"),
        ("example.org", ("v=spf10 mx",), "no-spf"),
        ("example.org", ("v=spf1 mx -all", "V=SPF1 a -all"), "spf-broken"),
        ("example.org", ("v=spf1 -all",), "spf-forbids"),
        ("_dmarc.example.org", (), "no-dmarc"),
        ("_dmarc.example.org", ("v=DMARC1",), "dmarc-broken"),
        ("_dmarc.example.org", ("v=DMARC1; p=maybe",), "dmarc-broken"),
        ("_dmarc.example.org", ("v=DMARC1; p=none", "v=DMARC1; p=reject"), "dmarc-broken"),
        ("s1._domainkey.example.org", (), "no-dkim-key"),
        ("s1._domainkey.example.org", ("v=DKIM1; p=",), "no-dkim-key"),
    ],
)
async def test_what_readers_would_stumble_over_is_told(name, texts, code):
    assert codes(await standing({**GOOD, name: texts})) == [code]


@pytest.mark.parametrize("text", ["v=DMARC1;p=reject", "v=DMARC1 ; P = Quarantine; rua=mailto:a@b.c"])
async def test_a_policy_is_read_as_its_readers_do(text):
    assert codes(await standing({**GOOD, "_dmarc.example.org": (text,)})) == []


async def test_the_policy_of_the_organization_holds_for_the_domains_below_it():
    below = {"cal.example.org": ("v=spf1 mx -all",), **GOOD}
    found = await standing(below, domain="cal.example.org", selector="")
    assert (found.dmarc, codes(found)) == ("v=DMARC1; p=none", [])


async def test_a_domain_is_asked_for_as_the_dns_knows_it():
    names = {
        "xn--bcher-kva.example": ("v=spf1 a -all",),
        "_dmarc.xn--bcher-kva.example": ("v=DMARC1; p=none",),
    }
    assert codes(await standing(names, domain="Bücher.example", selector="")) == []


async def test_without_a_selector_no_key_is_missed():
    found = await standing(GOOD, selector="")
    assert (found.dkim, codes(found)) == ("", [])


async def test_a_domain_that_the_dns_does_not_know_is_one_problem_and_not_three():
    zone = Zone({}, nowhere=("example.org",))
    domains = Domains(records=zone, domains=("example.org",), organizational=organizational_domain)
    (found,) = await domains.examine("s1")
    assert codes(found) == ["no-domain"]


async def test_silence_is_no_problem():
    found = await standing(dict.fromkeys(GOOD))
    assert codes(found) == [] and {found.spf, found.dmarc, found.dkim} == {UNTOLD}
