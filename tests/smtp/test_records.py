"""What the DNS said, from recorded answers; whatever it does, nobody waits long and nothing is raised."""

from __future__ import annotations

import sys
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import pytest

from gateway.smtp.records import PATIENCE, TIMEOUT, DnsRecords

# as `dig` shows them; the key of the first is cut into strings of 255 octets, as keys are
RECORDED = {
    "s1._domainkey.example.org.": """id 1
opcode QUERY
rcode NOERROR
flags QR RD RA
;QUESTION
s1._domainkey.example.org. IN TXT
;ANSWER
s1._domainkey.example.org. 3600 IN TXT "v=DKIM1; k=rsa; " "p=MIIB" "IjAN"
""",
    "example.org.": """id 2
opcode QUERY
rcode NOERROR
flags QR RD RA
;QUESTION
example.org. IN TXT
;ANSWER
example.org. 3600 IN TXT "v=spf1 mx -all"
example.org. 3600 IN TXT "site=\\195\\188ber"
""",
    "odd.example.org.": """id 3
opcode QUERY
rcode NOERROR
flags QR RD RA
;QUESTION
odd.example.org. IN TXT
;ANSWER
odd.example.org. 3600 IN TXT "\\255\\254"
""",
}


class Resolver:
    """Answers as dnspython's does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def resolve(self, name: str, kind: str, *, search: bool, lifetime: float) -> Any:
        assert (kind, search, lifetime) == ("TXT", False, TIMEOUT)
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        if name == "bare.example.org.":
            raise dns.resolver.NoAnswer
        if name not in RECORDED:
            raise dns.resolver.NXDOMAIN
        return dns.resolver.Answer(
            dns.name.from_text(name),
            dns.rdatatype.TXT,
            dns.rdataclass.IN,
            dns.message.from_text(RECORDED[name]),
        )


async def test_the_strings_of_a_record_are_one_text():
    records = DnsRecords(Resolver())
    assert await records.texts("s1._domainkey.example.org") == ("v=DKIM1; k=rsa; p=MIIBIjAN",)
    assert await records.texts("example.org.") == ("v=spf1 mx -all", "site=über")


async def test_octets_that_are_no_text_are_one_all_the_same():
    assert await DnsRecords(Resolver()).texts("odd.example.org") == ("\ufffd\ufffd",)


@pytest.mark.parametrize(
    ("name", "texts", "exists"),
    [("nothing.example.org", (), False), ("bare.example.org", (), True), ("odd.example.org", None, True)],
)
async def test_a_name_without_records_is_not_a_name_that_is_not_there(name, texts, exists):
    records = DnsRecords(Resolver())
    assert texts is None or await records.texts(name) == texts
    assert await records.exists(name) is exists


@pytest.mark.parametrize(
    "error",
    [
        dns.exception.Timeout(),
        dns.resolver.NoNameservers(),
        dns.name.LabelTooLong(),
        OSError("network unreachable"),
    ],
)
async def test_what_cannot_be_asked_is_unknown_and_not_asked_for_ever(error):
    resolver = Resolver(error)
    records = DnsRecords(resolver)
    assert [await records.texts(f"d{one}.example.org") for one in range(9)] == [None] * 9
    assert len(resolver.asked) == PATIENCE


async def test_without_dnspython_everything_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)
    assert await DnsRecords().texts("example.org") is None
