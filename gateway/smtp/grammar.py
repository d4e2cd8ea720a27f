"""Addresses and parameters as SMTP writes them: RFC 5321 4.1.2, with the UTF-8 of RFC 6531 3.3.

Strict, since what passes here is compared with accounts and written into headers. The deviations: an underscore in a domain
name, and blanks after `FROM:` and `TO:`, both common and harmless, are taken; source routes (RFC 5321 3.6.1 lets a server
decline them) are not, and lengths are bounded loosely since VERP and SRS go beyond 64 octets.
"""

from __future__ import annotations

import ipaddress
import re

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u00A1-\u2027\u202F-\U0010FFFF]"
_DOT_STRING = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_QUOTED = r'"(?:[ !#-\[\]-~\u00A1-\u2027\u202F-\U0010FFFF]|\\[ -~])*"'
_LABEL = r"[A-Za-z0-9_\u00A1-\u2027\u202F-\U0010FFFF](?:[A-Za-z0-9_\-\u00A1-\u2027\u202F-\U0010FFFF]*[A-Za-z0-9_\u00A1-\u2027\u202F-\U0010FFFF])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_LITERAL = r"\[[A-Za-z0-9:.\-]+\]"
_MAILBOX = re.compile(rf"(?P<local>{_DOT_STRING}|{_QUOTED})@(?P<domain>{_DOMAIN}|{_LITERAL})")
_PLAIN = re.compile(r"<([A-Za-z0-9_+=-]+(?:\.[A-Za-z0-9_+=-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)>")
_QUOTED_PATH = re.compile(rf"<(?:{_QUOTED}|[^<>\"])*>")
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-]*")
_VALUE = re.compile(r"[!-<>-~\u00A1-\U0010FFFF]+")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")

_MAX_LOCAL, _MAX_DOMAIN = 256, 255


def split_path(text: str) -> tuple[str, str] | None:
    """`<address> PARAMETERS` as (address, PARAMETERS): "" for the null path `<>`; None when it is no path.

    RFC 5321 4.1.2. `<postmaster>` without a domain is the one exception that RFC 5321 4.5.1 demands.
    """
    plain = _PLAIN.match(
        text
    )  # nearly every address of this world; the general grammar costs ten times as much
    path = plain or _QUOTED_PATH.match(text)
    if path is None:
        return None
    address, rest = path[0][1:-1], text[path.end() :]
    if rest and not rest.startswith(" "):
        return None
    if address and address.lower() != "postmaster" and not is_mailbox(address):
        return None
    return address, rest.strip(" ")


def is_mailbox(address: str) -> bool:
    """Whether this is a Mailbox of RFC 5321 4.1.2: Dot-string or Quoted-string, at a domain or an address literal."""
    match = _MAILBOX.fullmatch(address)
    if match is None:
        return False
    local, domain = match["local"], match["domain"]
    if len(local.encode()) > _MAX_LOCAL or len(domain.encode()) > _MAX_DOMAIN:
        return False
    return _is_literal(domain[1:-1]) if domain.startswith("[") else True


def is_path(address: str) -> bool:
    """Whether this may stand between the brackets of MAIL FROM: a Mailbox, or nothing."""
    return not address or is_mailbox(address)


def _is_literal(text: str) -> bool:
    """RFC 5321 4.1.3."""
    try:
        if text[:5].lower() == "ipv6:":
            ipaddress.IPv6Address(text[5:])
        else:
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def split_parameters(text: str) -> dict[str, str | None] | None:
    """`KEY=VALUE KEY` as a mapping with upper-case keys; None when malformed or doubled (RFC 5321 4.1.2)."""
    parameters: dict[str, str | None] = {}
    for word in text.split():
        key, equals, value = word.partition("=")
        key = key.upper()
        if not _KEYWORD.fullmatch(key) or key in parameters:
            return None
        if equals and not _VALUE.fullmatch(value):
            return None
        parameters[key] = value if equals else None
    return parameters


def is_xtext(text: str) -> bool:
    """RFC 3461 4."""
    return _XTEXT.fullmatch(text) is not None
