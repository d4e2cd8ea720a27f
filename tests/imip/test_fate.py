"""What the next hop said of a letter, in the few words of RFC 6638."""

from __future__ import annotations

import pytest

from gateway.imip.fate import FORBIDDEN, GIVEN_UP, NO_SUCH_USER, NO_WAY, of_failure


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("5.1.1 <bob@example.net>: user unknown", NO_SUCH_USER),
        ("5.1.3 malformed address", NO_SUCH_USER),
        ("5.1.6 mailbox has moved", NO_SUCH_USER),
        ("5.1.2 bad destination system", NO_WAY),
        ("5.1.10 the domain takes no mail", NO_WAY),
        ("5.4.4 unable to route", NO_WAY),
        ("5.6.7 the next hop does not take SMTPUTF8 addresses", NO_WAY),
        ("5.7.1 relay access denied", FORBIDDEN),
        ("5.7.26 unauthenticated mail", FORBIDDEN),
        ("5.2.2 mailbox full", GIVEN_UP),
        ("5.3.4 message too big", GIVEN_UP),
        ("5.1.19 no such code", GIVEN_UP),
        ("no such user", GIVEN_UP),
        ("see 5.1.1 below", GIVEN_UP),
        ("5.7", GIVEN_UP),
        ("", GIVEN_UP),
    ],
)
def test_a_refusal_says_what_its_enhanced_status_code_says(text, status):
    assert of_failure(text) == status
