"""The parameters of MAIL and RCPT (the dialog 06 shows them on the wire)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smtp import replies
from gateway.smtp.parameters import MailParameters, RcptParameters, mail_parameters, rcpt_parameters
from gateway.smtp.settings import ListenerSettings

SETTINGS = ListenerSettings(max_message=1000)


def test_no_parameters_are_the_defaults() -> None:
    assert mail_parameters("", SETTINGS) == MailParameters()
    assert rcpt_parameters("") == RcptParameters()


@pytest.mark.parametrize("size", ["0", "1000", "00000000000000001000"])
def test_a_size_up_to_the_limit_is_taken(size: str) -> None:
    assert mail_parameters(f"SIZE={size}", SETTINGS) == MailParameters(size=int(size))


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("SIZE=1001", replies.TOO_BIG),
        ("SIZE=99999999999999999999", replies.TOO_BIG),
        ("SIZE=999999999999999999999", replies.BAD_PARAMETER),
        ("SIZE=-1", replies.BAD_PARAMETER),
        ("SIZE=\u0661", replies.BAD_PARAMETER),
        ("SIZE", replies.BAD_PARAMETER),
        ("BODY", replies.BAD_PARAMETER),
        ("RET", replies.BAD_PARAMETER),
        ("ENVID", replies.BAD_PARAMETER),
        ("ENVID=" + "x" * 101, replies.BAD_PARAMETER),
        ("AUTH=a+2", replies.BAD_PARAMETER),
        ("NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
        ("XFOO", replies.UNKNOWN_PARAMETER),
    ],
)
def test_a_bad_mail_parameter_has_its_reply(text: str, reply: str) -> None:
    assert mail_parameters(text, SETTINGS) == reply


@pytest.mark.parametrize(
    "text",
    [
        "NOTIFY=",
        "NOTIFY=NEVER,SUCCESS",
        "NOTIFY=SUCCESS,SUCCESS",
        "NOTIFY=ALWAYS",
        "ORCPT=;x",
        "ORCPT=rfc822;",
        "ORCPT=rfc822;a=b",
        "ORCPT=x;" + "y" * 500,
    ],
)
def test_a_bad_rcpt_parameter_is_refused(text: str) -> None:
    assert rcpt_parameters(text) == replies.BAD_PARAMETER


@given(st.text(max_size=80))
def test_any_text_is_parameters_or_a_reply(text: str) -> None:
    for found in (mail_parameters(text, SETTINGS), rcpt_parameters(text)):
        assert not isinstance(found, str) or found[:3] in ("501", "552", "555")
