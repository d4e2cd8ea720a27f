"""What a transaction remembers."""

from __future__ import annotations

from gateway.ports import Recipient
from gateway.smtp.parameters import MailParameters
from gateway.smtp.transaction import Transaction


def test_the_envelope_holds_the_known_and_every_promise_is_kept() -> None:
    transaction = Transaction()
    transaction.sender = ""
    transaction.parameters = MailParameters(body="8BITMIME", smtputf8=True, ret="FULL", envid="x")
    one, two = Recipient(address="a@b", notify="NEVER"), Recipient(address="c@d")
    for recipient, known in ((one, True), (two, False), (one, True)):
        transaction.take(recipient, known=known)
    envelope = transaction.envelope()
    assert envelope.recipients == (one, one)
    assert transaction.promised == ["a@b", "c@d", "a@b"]
    assert (transaction.dropped, envelope.sender, envelope.body) == (1, "", "8BITMIME")
    assert (envelope.smtputf8, envelope.ret, envelope.envid) == (True, "FULL", "x")
