"""A proxy before us: who speaks is who it says, and only proxies are asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.smtp.proxy import NoProxyHeader, read_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V6 = bytes.fromhex("20010db8000000000000000000000001")


def v2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([command, family]) + len(body).to_bytes(2, "big") + body


def header(data: bytes) -> tuple[str, bytes]:
    """The address, and what was left unread."""
    left = bytearray(data)

    async def read(count: int) -> bytes:
        if len(left) < count:
            raise NoProxyHeader
        taken = bytes(left[:count])
        del left[:count]
        return taken

    return asyncio.run(read_header(read)), bytes(left)


@pytest.mark.parametrize(
    ("data", "address"),
    [
        (b"PROXY TCP4 192.0.2.7 192.0.2.1 5000 25\r\n", "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 5000 25\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ff:ff ff::1 1 2\r\n", ""),
        (v2(0x21, 0x11, bytes([192, 0, 2, 7, 192, 0, 2, 1, 1, 2, 0, 25])), "192.0.2.7"),
        (v2(0x21, 0x21, V6 * 2 + bytes(4)), "2001:db8::1"),
        (v2(0x21, 0x11, bytes([192, 0, 2, 7, 192, 0, 2, 1, 1, 2, 0, 25]) + b"\x03\0\x01x"), "192.0.2.7"),
        (v2(0x20, 0x00, b""), ""),
        (v2(0x21, 0x31, bytes(216)), ""),
    ],
)
def test_the_client_is_who_the_proxy_says(data: bytes, address: str) -> None:
    assert header(data + b"EHLO x\r\n") == (address, b"EHLO x\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 5000\r\n",
        b"PROXY TCP4 2001:db8::1 192.0.2.1 5000 25\r\n",
        b"PROXY TCP4 nobody 192.0.2.1 5000 25\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 5000 25\r\n",
        b"PROXY " + b"x" * 200,
        v2(0x22, 0x11, bytes(12)),
        v2(0x31, 0x11, bytes(12)),
        v2(0x21, 0x11, bytes(4)),
        v2(0x21, 0x11, bytes(3000)),
    ],
)
def test_what_is_no_header_is_not_taken_for_one(data: bytes) -> None:
    with pytest.raises(NoProxyHeader):
        header(data)


@given(some.binary(max_size=300), some.sampled_from([b"", SIGNATURE, b"PROXY ", b"PROXY TCP4 "]))
def test_any_octets_are_an_address_or_the_one_error(data: bytes, start: bytes) -> None:
    try:
        address, _ = header(start + data)
    except NoProxyHeader:
        return
    assert isinstance(address, str)


async def test_the_mail_is_from_the_client_behind_the_proxy(start: Any) -> None:
    bench = await start(proxy_protocol=True)
    client = await bench.connect()
    await client.send(b"PROXY TCP4 203.0.113.9 127.0.0.1 5000 25\r\n")
    await client.begin("alice@example.org")
    assert (await client.say("Subject: x\r\n\r\n."))[-1].startswith("250")
    peer = bench.mails[0].peer
    assert (peer.address, peer.trusted) == ("203.0.113.9", False)


async def test_a_proxy_that_checks_our_health_speaks_for_itself(start: Any) -> None:
    bench = await start(proxy_protocol=True)
    client = await bench.connect()
    await client.send(v2(0x20, 0, b""))
    assert (await client.hello())[0].startswith("250")


async def test_a_stranger_cannot_say_who_he_is(start: Any) -> None:
    bench = await start(proxy_protocol=True, trusted_networks=("192.0.2.0/24",))
    client = await bench.connect()
    assert (await client.reply())[0].startswith("220")
    assert (await client.say("PROXY TCP4 192.0.2.7 192.0.2.1 5000 25"))[0].startswith("500")


async def test_without_a_header_a_proxy_hears_nothing(start: Any) -> None:
    bench = await start(proxy_protocol=True)
    client = await bench.connect()
    await client.send(b"EHLO client.example\r\n")
    assert await client.rest() == b""


async def test_one_client_behind_a_proxy_cannot_take_every_place(start: Any) -> None:
    bench = await start(proxy_protocol=True, max_connections_per_peer=1)
    first, second, other = [await bench.connect() for _ in range(3)]
    for client, address in ((first, "203.0.113.9"), (second, "203.0.113.9"), (other, "203.0.113.10")):
        await client.send(f"PROXY TCP4 {address} 127.0.0.1 5000 25\r\n".encode())
    assert (await first.reply())[0].startswith("220")
    assert (await second.reply())[0].startswith("421")
    assert (await other.reply())[0].startswith("220")
