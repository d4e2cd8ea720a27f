"""Opening and closing."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigError
from gateway.smtp.listener import check, listen
from gateway.smtp.settings import ListenerSettings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "lmtp", "listen": "127.0.0.1:25"}, "port 25"),
        ({"listen": "nowhere"}, "host:port"),
        ({"role": "both"}, "no such listener"),
        ({"tls_cert": "x"}, "certificate and a key"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check(ListenerSettings(**changes))


async def test_a_certificate_that_cannot_be_read_is_a_configuration_error(start: Any) -> None:
    with pytest.raises(ConfigError, match="certificate"):
        await start(tls_cert="/nonexistent", tls_key="/nonexistent")


async def test_a_taken_address_is_an_error(start: Any) -> None:
    bench = await start()
    with pytest.raises(OSError):
        await start(listen=bench.server.addresses[0])


async def test_every_address_is_named(start: Any) -> None:
    bench = await start(listen="localhost:0")
    for address in bench.server.addresses:
        assert not address.endswith(":0")
    assert await (await bench.connect()).hello()


async def test_the_socket_of_a_dead_process_is_replaced_and_of_a_living_one_not(
    start: Any, tmp_path: Path
) -> None:
    path = tmp_path / "lmtp"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    bench = await start(protocol="lmtp", listen=f"unix:{path}", socket_mode=0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(OSError):
        await start(protocol="lmtp", listen=f"unix:{path}")
    assert await (await bench.connect()).hello("LHLO")
    await bench.server.close(0)
    assert not path.exists()


async def test_a_file_that_is_no_socket_is_left_alone(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(OSError):
        await start(listen=f"unix:{path}")
    assert path.read_text() == "mine"


async def test_a_unix_socket_is_trusted_and_has_no_address(start: Any, tmp_path: Path) -> None:
    bench = await start(listen=f"unix:{tmp_path}/s", trusted_networks=())
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b".\r\n")
    await client.reply()
    peer = bench.mails[0].peer
    assert (peer.address, peer.trusted, peer.helo) == ("", True, "client.example")


async def test_an_idle_client_is_told_that_we_close(start: Any) -> None:
    bench = await start()
    idle, new = await bench.connect(), await bench.connect()
    await idle.hello()
    await new.reply()
    await bench.server.close(20)
    assert await idle.rest() == b"421 4.3.2 shutting down\r\n"
    assert await new.rest() == b"421 4.3.2 shutting down\r\n"
    with pytest.raises(OSError):
        await bench.connect()


async def test_a_mail_under_way_is_taken_before_we_close(start: Any) -> None:
    bench = await start()
    client = await bench.connect()
    await client.begin("alice@example.org")
    await client.send(b"Subject: x\r\n")
    closing = asyncio.ensure_future(bench.server.close(20))
    while not bench.server._desk.closing:
        await asyncio.sleep(0)
    assert not closing.done()
    await client.send(b".\r\n")
    assert await client.rest() == b"250 2.6.0 message accepted\r\n421 4.3.2 shutting down\r\n"
    await closing
    assert len(bench.mails) == 1


async def test_who_is_slow_at_the_end_is_left_but_a_commit_is_awaited(start: Any) -> None:
    bench = await start()
    bench.queue.gate = asyncio.Event()
    slow, busy = await bench.connect(), await bench.connect()
    for client in (slow, busy):
        await client.begin("alice@example.org")
    await busy.send(b".\r\n")
    await bench.queue.entered.wait()
    closing = asyncio.ensure_future(bench.server.close(0))
    assert await slow.rest() == b"421 4.3.2 shutting down\r\n"
    assert not closing.done()
    bench.queue.gate.set()
    await closing
    assert len(bench.mails) == 1


async def test_closing_twice_does_no_harm(start: Any) -> None:
    bench = await start()
    await bench.server.close(0)
    await bench.server.close(0)


async def test_nobody_may_send_unless_told_who(start: Any) -> None:
    server = await listen(
        ListenerSettings(listen="127.0.0.1:0", role="outgoing"), intake=None, known=lambda address: True
    )
    host, _, port = server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HELO x\r\nMAIL FROM:<alice@example.org>\r\nQUIT\r\n")
    assert b"550 5.7.1" in await reader.read()
    writer.close()
    await server.close(0)
