"""The parameters of MAIL and RCPT: RFC 1870, 3461, 4954, 6152 and 6531."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.smtp import replies
from gateway.smtp.grammar import is_xtext, split_parameters
from gateway.smtp.settings import ListenerSettings

_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_MAX_ENVID, _MAX_ORCPT = 100, 500  # RFC 3461 4.4 and 4.2
_MAIL = frozenset({"SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID"})
_RCPT = frozenset({"NOTIFY", "ORCPT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MailParameters:
    """What came after MAIL FROM. AUTH= (RFC 4954 5) is read and dropped: we trust nobody's word for who submitted."""

    body: str = ""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    size: int = 0  # as declared


@dataclass(frozen=True, slots=True, kw_only=True)
class RcptParameters:
    """What came after RCPT TO, as written."""

    notify: str = ""
    orcpt: str = ""


def mail_parameters(text: str, settings: ListenerSettings) -> MailParameters | str:
    """Read the parameters of MAIL; a str is the refusing reply."""
    if not text:
        return MailParameters()
    given = split_parameters(text)
    if given is None:
        return replies.BAD_PARAMETER
    if given.keys() - _MAIL:
        return replies.UNKNOWN_PARAMETER
    if "SMTPUTF8" in given and (given["SMTPUTF8"] is not None or not settings.offer_smtputf8):
        return replies.BAD_PARAMETER if settings.offer_smtputf8 else replies.UNKNOWN_PARAMETER
    if "BODY" in given and not settings.offer_8bitmime:
        return replies.UNKNOWN_PARAMETER
    if "AUTH" in given and not _is_auth(given["AUTH"]):
        return replies.BAD_PARAMETER
    if problem := _size_problem(given, settings.max_message):
        return problem
    body, ret, envid = ((given.get(key, "") or "") for key in ("BODY", "RET", "ENVID"))
    if "BODY" in given and body.upper() not in {"7BIT", "8BITMIME"}:
        return replies.BAD_PARAMETER
    # RFC 3461 4.3
    if "RET" in given and ret.upper() not in {"FULL", "HDRS"}:
        return replies.BAD_PARAMETER
    # RFC 3461 4.4
    if "ENVID" in given and not (0 < len(envid) <= _MAX_ENVID and is_xtext(envid)):
        return replies.BAD_PARAMETER
    return MailParameters(
        body=body.upper(),
        smtputf8="SMTPUTF8" in given,
        ret=ret.upper(),
        envid=envid,
        size=int(given.get("SIZE") or 0),
    )


def _size_problem(given: dict[str, str | None], most: int) -> str:
    """RFC 1870 6."""
    if "SIZE" not in given:
        return ""
    size = given["SIZE"] or ""
    if not (size.isascii() and size.isdigit()) or len(size) > 20:
        return replies.BAD_PARAMETER
    return replies.TOO_BIG if int(size) > most else ""


def _is_auth(value: str | None) -> bool:
    return value is not None and (value == "<>" or is_xtext(value))


def rcpt_parameters(text: str) -> RcptParameters | str:
    """Read the parameters of RCPT; a str is the refusing reply."""
    if not text:
        return RcptParameters()
    given = split_parameters(text)
    if given is None:
        return replies.BAD_PARAMETER
    if given.keys() - _RCPT:
        return replies.UNKNOWN_PARAMETER
    notify, orcpt = ((given.get(key, "") or "") for key in ("NOTIFY", "ORCPT"))
    if "NOTIFY" in given and not _is_notify(notify.upper()):
        return replies.BAD_PARAMETER
    if "ORCPT" in given and not _is_orcpt(orcpt):
        return replies.BAD_PARAMETER
    return RcptParameters(notify=notify.upper(), orcpt=orcpt)


def _is_notify(value: str) -> bool:
    """RFC 3461 4.1."""
    if value == "NEVER":
        return True
    wanted = value.split(",")
    return len(set(wanted)) == len(wanted) and set(wanted) <= _NOTIFY


def _is_orcpt(value: str) -> bool:
    """RFC 3461 4.2; the address type utf-8 may hold UTF-8 as it is (RFC 6533 3)."""
    kind, semicolon, address = value.partition(";")
    if not kind or not semicolon or not address or len(value) > _MAX_ORCPT:
        return False
    return kind.lower() == "utf-8" or is_xtext(address)
