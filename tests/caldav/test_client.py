"""HTTP that goes wrong in every way ends as one of three errors, and never leaves the origin."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta

import aiohttp
import httpx
import pytest

from gateway.accounts import Account
from gateway.caldav.client import Connections, ServerSettings, credential_of
from gateway.caldav.faults import BrokenAnswer
from gateway.caldav.xml import DAV, propfind
from gateway.errors import BackendRefused, BackendUnavailable, ConfigError, PreconditionFailed

BODY = propfind(f"{DAV}getetag")
LISTING = b'<multistatus xmlns="DAV:"><response><href>/a/</href><status>HTTP/1.1 200 OK</status></response></multistatus>'


def answer(status: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "".join(line + "\r\n" for line in [*lines, "Connection: close", ""]).encode() + body


def says(*answers: bytes):
    left = list(answers)

    async def respond(asked, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return respond


async def cuts_off(asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        pytest.param(answer("503 Busy"), BackendUnavailable, id="503"),
        pytest.param(answer("500 Oops", b"traceback"), BackendUnavailable, id="500"),
        pytest.param(answer("429 Slow down"), BackendUnavailable, id="429"),
        pytest.param(answer("401 Who", b"", 'WWW-Authenticate: Basic realm="x"'), BackendRefused, id="401"),
        pytest.param(answer("403 No"), BackendRefused, id="403"),
        pytest.param(answer("404 Not here"), BackendRefused, id="404"),
        pytest.param(answer("501 Not implemented"), BackendRefused, id="501"),
        pytest.param(answer("412 Changed"), PreconditionFailed, id="412"),
        pytest.param(answer("423 Locked"), PreconditionFailed, id="423"),
        pytest.param(answer("200 OK", LISTING), BrokenAnswer, id="200 is no multistatus"),
        pytest.param(answer("204 No content"), BrokenAnswer, id="204"),
        pytest.param(answer("207 Multi-Status"), BrokenAnswer, id="empty"),
        pytest.param(answer("207 Multi-Status", LISTING[:60]), BrokenAnswer, id="cut XML"),
        pytest.param(answer("207 Multi-Status", LISTING, length=9999), BackendUnavailable, id="cut body"),
        pytest.param(answer("207 Multi-Status", b"<html>log in</html>"), BrokenAnswer, id="html"),
        pytest.param(
            answer("302 Found", b"", "Location: http://127.0.0.2:1/"), BackendUnavailable, id="elsewhere"
        ),
        pytest.param(
            answer("302 Found", b"", "Location: //evil.example/"), BackendUnavailable, id="other host"
        ),
        pytest.param(answer("302 Found"), BackendUnavailable, id="nowhere"),
        pytest.param(answer("301 Moved", b"", "Location: /a/"), BackendUnavailable, id="to itself"),
        pytest.param(answer("301 Moved", b"", "Location: /a/../b"), BackendUnavailable, id="dots"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", BackendUnavailable, id="not http"),
        pytest.param(b"", BackendUnavailable, id="nothing"),
    ],
)
async def test_a_listing_that_fails_is_an_error(crook, open_client, reply: bytes, error: type[Exception]):
    crook.respond = says(reply)
    client = open_client(ServerSettings(url=crook.url))
    with pytest.raises(error):
        await client.propfind("/a/", BODY, depth=1)


async def test_nothing_listens_is_unavailable(open_client, unused_tcp_port: int):
    client = open_client(ServerSettings(url=f"http://127.0.0.1:{unused_tcp_port}/"))
    with pytest.raises(BackendUnavailable):
        await client.request("GET", "/a")


async def test_the_way_to_the_right_place_is_followed_with_the_same_method_and_body(crook, open_client):
    crook.respond = says(answer("301 Moved", b"", f"Location: {crook.url}b/"), answer("204 Done"))
    reply = await open_client(ServerSettings(url=crook.url)).request("PUT", "/a", body=b"data")
    assert (reply.status, reply.path) == (204, "/b/")
    assert [(one.method, one.path, one.body) for one in crook.asked] == [
        ("PUT", "/a", b"data"),
        ("PUT", "/b/", b"data"),
    ]


async def test_redirects_in_a_circle_end(crook, open_client):
    crook.respond = says(*[answer("302 Found", b"", f"Location: /{step}") for step in range(20)])
    with pytest.raises(BackendUnavailable):
        await open_client(ServerSettings(url=crook.url)).request("GET", "/a")
    assert len(crook.asked) < 10


async def test_an_answer_over_the_limit_is_not_read_to_its_end(crook, open_client):
    sent = 0

    async def flood(asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    crook.respond = flood
    with pytest.raises(BrokenAnswer):
        await open_client(ServerSettings(url=crook.url)).request("GET", "/a", limit=100_000)
    assert sent < 50_000_000


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 207 Multi-Status\r\nContent-Length: 10\r\n\r\nab"])
async def test_a_silent_server_is_unavailable(crook, open_client, start: bytes):
    done = asyncio.Event()

    async def silence(asked, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await writer.drain()
        await done.wait()

    crook.respond = silence
    client = open_client(ServerSettings(url=crook.url, timeout=timedelta(seconds=0.1)))
    with pytest.raises(BackendUnavailable):
        await client.request("REPORT", "/a")
    done.set()


async def test_a_read_is_repeated_once_when_the_connection_was_reset(crook, open_client):
    crook.respond = cuts_off
    with pytest.raises(BackendUnavailable):
        await open_client(ServerSettings(url=crook.url)).request("GET", "/a")
    assert len(crook.asked) == 2


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_write_that_could_not_be_sent_is_sent_once_more(open_client, scripted, method: str):
    """sogod closes kept connections without saying so: aiohttp finds that while it writes."""
    scripted.on(method, "/a", status=204)
    answer, closed = scripted._handle, [True]

    async def handle(request):
        if closed and closed.pop():
            cause = aiohttp.ClientOSError("Can not write request body")
            cause.__cause__ = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
            raise httpx.ConnectTimeout("closed") from cause
        return await answer(request)

    scripted._handle = handle
    client = open_client(ServerSettings(url="http://host/"), server=scripted)
    assert (await client.request(method, "/a")).status == 204


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_write_is_never_sent_twice(open_client, method: str):
    """Not on a fresh connection, and not on a kept one, where the transport would by itself."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                asked.append(head.split(" ")[0])
                if asked[-1] != "OPTIONS":
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = open_client(ServerSettings(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert (await client.request("OPTIONS", "/")).status == 200
    with pytest.raises(BackendUnavailable):
        await client.request(method, "/a")
    assert asked == ["OPTIONS", method]
    server.close()
    await server.wait_closed()


async def test_cookies_are_kept_per_credential(crook):
    crook.respond = says(answer("204 Done", b"", "Set-Cookie: session=alice; path=/"), answer("204 Done"))
    connections = Connections(ServerSettings(url=crook.url))
    alice = connections.client(Account(address="a@example.org", username="alice", password="1"))
    bob = connections.client(Account(address="b@example.org", username="bob", password="2"))
    for client in (alice, alice, bob):
        await client.request("GET", "/")
    await connections.aclose()
    assert [one.headers.get("cookie") for one in crook.asked] == [None, "session=alice", None]


async def test_one_client_serves_a_credential_for_life(scripted):
    connections = Connections(ServerSettings(url="http://host/"), transport=scripted.transport)
    account = Account(address="a@example.org", username="alice", password="1")
    assert connections.client(account) is connections.client(account)
    await connections.aclose()


async def test_no_more_connections_than_configured(crook, open_client):
    now, most, go = 0, 0, asyncio.Event()

    async def count(asked, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 2:
            go.set()
        await go.wait()
        now -= 1
        writer.write(answer("204 Done"))

    crook.respond = count
    client = open_client(ServerSettings(url=crook.url, connections=2))
    await asyncio.gather(*(client.request("GET", "/a") for _ in range(6)))
    assert most == 2


ALICE = Account(address="alice@example.org", username="alice", password="secret")
NO_PASSWORD = Account(address="alice@example.org", username="alice")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("settings", "account", "authorization", "remote"),
    [
        ({}, ALICE, basic("alice", "secret"), None),
        ({"username": "gate", "password": "pw"}, ALICE, basic("alice", "secret"), None),
        ({"username": "gate", "password": "pw"}, NO_PASSWORD, basic("gate", "pw"), None),
        (
            {"username": "gate", "password": "pw", "impersonate": "{user}*admin"},
            NO_PASSWORD,
            basic("alice*admin", "pw"),
            None,
        ),
        (
            {"username": "gate", "password": "pw", "impersonate": "X-Remote-User"},
            NO_PASSWORD,
            basic("gate", "pw"),
            "alice",
        ),
        ({"auth": "header"}, ALICE, None, "alice"),
        ({"auth": "bearer", "password": "t0k"}, NO_PASSWORD, "Bearer t0k", None),
    ],
)
async def test_an_account_shows_itself_as_configured(
    scripted, open_client, settings, account, authorization, remote
):
    client = open_client(ServerSettings(url="http://host/", **settings), account, server=scripted)
    await client.request("GET", "/")
    headers = scripted.asked[0].headers
    assert (headers.get("authorization"), headers.get("x-remote-user")) == (authorization, remote)
    assert headers["accept-encoding"] == "identity"


async def test_digest_authentication_answers_the_challenge_over_the_wire(crook, open_client):
    challenge = answer(
        "401 Who", b"", 'WWW-Authenticate: Digest realm="BaikalDAV", qop="auth", nonce="abc", opaque="x"'
    )
    crook.respond = says(challenge, answer("204 Done"))
    client = open_client(ServerSettings(url=crook.url, auth="digest"))
    assert (await client.request("PUT", "/ä @;.ics", body=b"data")).status == 204
    last = crook.asked[-1]
    assert f'uri="{last.path}"' in last.headers["authorization"] and last.body == b"data"


def test_who_is_a_service_user():
    settings = ServerSettings(url="http://host/", username="gate", password="pw")
    assert credential_of(settings, NO_PASSWORD).service and not credential_of(settings, ALICE).service


def test_secrets_are_in_no_repr():
    settings = ServerSettings(url="http://host/", username="gate", password="hush")
    assert "hush" not in repr(settings) + repr(credential_of(settings, NO_PASSWORD))


async def test_a_failure_names_the_request_but_never_to_the_peer(scripted, open_client):
    client = open_client(ServerSettings(url="http://host/"), server=scripted)
    with pytest.raises(BackendRefused) as caught:
        (await client.request("GET", "/secret/path")).expect(200)
    assert "/secret/path" in caught.value.detail and "/secret/path" not in caught.value.public
    assert isinstance(scripted.asked[0], httpx.Request)


@pytest.mark.parametrize("url", ["embedded:other", "http://host:port/", "ldap://host/"])
def test_a_url_that_is_none_is_a_configuration_error(url: str):
    with pytest.raises(ConfigError):
        Connections(ServerSettings(url=url))
