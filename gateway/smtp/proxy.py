"""The PROXY protocol, versions 1 and 2: who really speaks, as the proxy before us says (haproxy.org, proxy-protocol.txt).

Only a proxy inside `trusted_networks` is read; from anybody else the header is a command that nobody knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Final

_SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V1_LONGEST: Final = 107  # octets, with CRLF
_V2_HEAD: Final = 16
_V2_LONGEST: Final = 2048  # addresses and TLVs; far above what any proxy writes
_LOCAL, _PROXY = 0x20, 0x21
_FAMILIES: Final = {0x11: 4, 0x21: 16}  # TCP over IPv4 and IPv6: octets of an address


class NoProxyHeader(Exception):
    """What came is no PROXY header: there is nothing to say to such a peer."""


async def read_header(read: Callable[[int], Awaitable[bytes]]) -> str:
    """The address of the client; "" when the proxy speaks for itself. `read` gives exactly so many octets.

    Raises NoProxyHeader.
    """
    start = await read(len(_SIGNATURE))
    if start == _SIGNATURE:
        return await _version_2(read)
    if start.startswith(b"PROXY "):
        return await _version_1(read, start)
    raise NoProxyHeader


async def _version_1(read: Callable[[int], Awaitable[bytes]], line: bytes) -> str:
    while not line.endswith(b"\r\n"):
        if len(line) >= _V1_LONGEST:
            raise NoProxyHeader
        line += await read(1)
    words = line[:-2].decode("ascii", "replace").split(" ")
    if words[1] == "UNKNOWN":
        return ""
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise NoProxyHeader
    return _address(words[2], 4 if words[1] == "TCP4" else 6)


async def _version_2(read: Callable[[int], Awaitable[bytes]]) -> str:
    head = await read(_V2_HEAD - len(_SIGNATURE))
    command, family, length = head[0], head[1], int.from_bytes(head[2:4], "big")
    if length > _V2_LONGEST or command not in (_LOCAL, _PROXY):
        raise NoProxyHeader
    body = await read(length) if length else b""
    size = _FAMILIES.get(family)
    if command == _LOCAL or size is None:
        return ""
    if len(body) < 2 * size + 4:
        raise NoProxyHeader
    return str(ipaddress.ip_address(body[:size]))


def _address(text: str, version: int) -> str:
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise NoProxyHeader from error
    if found.version != version:
        raise NoProxyHeader
    return str(found)


__all__ = ["NoProxyHeader", "read_header"]
