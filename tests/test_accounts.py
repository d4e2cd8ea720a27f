"""Recipients reach the right account, and nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts import Account, Accounts, domain_name, mailbox
from gateway.ical.address import address

ALICE = Account(address="alice@example.org", aliases=("a.liddell@example.org", "alice+work@example.org"))
BOB = Account(address="bob@xn--bcher-kva.example", aliases=("Bob@Old.Example",))


@pytest.fixture
def accounts() -> Accounts:
    return Accounts((ALICE, BOB), ("example.org", "bücher.example"), service_address="calendar@example.org")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Alice@EXAMPLE.org", "alice@example.org"),
        (" <alice@example.org.> ", "alice@example.org"),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ('"alice"@example.org', "alice@example.org"),
        ('"a b"@example.org', '"a b"@example.org'),
        ("a%40b@example.org", "a%40b@example.org"),
        ("Jose\u0301@example.org", "jos\u00e9@example.org"),
        ("alice@example.org. .", "alice@example.org"),
        ("alice@bücher.example。", "alice@xn--bcher-kva.example"),
        ("postmaster", "postmaster"),
        ("", ""),
    ],
)
def test_a_mailbox_has_one_spelling(text: str, canonical: str) -> None:
    assert mailbox(text) == canonical


@given(st.text())
def test_a_mailbox_is_canonical_at_once_and_no_text_breaks_it(text: str) -> None:
    once = mailbox(text)
    assert domain_name(domain_name(text)) == domain_name(text)
    assert mailbox(once).casefold() == mailbox(mailbox(once)).casefold()


@given(
    st.from_regex(r"[A-Za-z0-9.+_-]{1,12}", fullmatch=True),
    st.sampled_from(
        ("example.org", "Example.ORG", "bücher.example", "ŠKODA.example", "xn--bcher-kva.example")
    ),
)
def test_envelope_and_calendar_spell_an_address_alike(local: str, domain: str) -> None:
    assert mailbox(f"{local}@{domain}") == address(f"mailto:{local}@{domain}")
    assert mailbox(f"{local}@{domain}") == address(f"{local}@{domain}")


@pytest.mark.parametrize(
    ("recipient", "account"),
    [
        ("alice@example.org", ALICE),
        ("Alice@EXAMPLE.ORG", ALICE),
        ("a.liddell@example.org", ALICE),
        ("alice+lists@example.org", ALICE),
        ("alice+work@example.org", ALICE),
        ("bob@bücher.example", BOB),
        ("bob@old.example", BOB),
        ("bob+x@old.example", BOB),
        ("carol@example.org", None),
        ("alice@example.net", None),
        ("alice@sub.example.org", None),
        ("+alice@example.org", None),
        ("", None),
    ],
)
def test_a_recipient_finds_his_account(accounts: Accounts, recipient: str, account: Account | None) -> None:
    assert accounts.find(recipient) == account


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("A.Liddell+x@example.org", "a.liddell@example.org"),
        ("alice+work@example.org", "alice+work@example.org"),
        ("alice+other@example.org", "alice@example.org"),
        ("stranger+x@example.org", "stranger+x@example.org"),
    ],
)
def test_who_is_invited_under_an_alias_is_known_by_it(
    accounts: Accounts, recipient: str, reached: str
) -> None:
    assert accounts.invited_as(recipient) == reached


def test_an_account_owns_all_its_addresses(accounts: Accounts) -> None:
    assert accounts.addresses(BOB) == {"bob@xn--bcher-kva.example", "bob@old.example"}


def test_an_account_from_elsewhere_owns_its_addresses_too(accounts: Accounts) -> None:
    assert accounts.addresses(Account(address="Dora@example.org")) == {"dora@example.org"}


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("calendar@example.org", ""),
        ("Calendar@Example.Org", ""),
        ("calendar+abc234@example.org", "abc234"),
        ("CALENDAR+ABC234@example.org", "abc234"),
        ("calendar+a+b@example.org", "a+b"),
        ("calendar@example.net", None),
        ("calendars@example.org", None),
        ("alice@example.org", None),
    ],
)
def test_the_gateway_knows_its_own_addresses(accounts: Accounts, address: str, token: str | None) -> None:
    assert accounts.is_gateway_address(address) == token


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("x@example.org", True),
        ("x@EXAMPLE.ORG.", True),
        ("x@bücher.example", True),
        ("x@sub.example.org", False),
        ("x@notexample.org", False),
        ("example.org", True),
    ],
)
def test_domains_are_compared_whole(accounts: Accounts, address: str, ours: bool) -> None:
    assert accounts.in_domains(address) is ours


def test_passwords_are_not_shown() -> None:
    assert "s3cret" not in repr(Account(address="a@example.org", password="s3cret"))


def test_accounts_are_walked_in_order(accounts: Accounts) -> None:
    assert [one.address for one in accounts] == [ALICE.address, BOB.address]
    assert len(accounts) == 2
