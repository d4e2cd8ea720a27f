"""`POST /hooks/caldav`: who may call, and what is answered."""

from __future__ import annotations

import httpx
import pytest

from gateway.log import Log
from gateway.web.app import Health, application
from gateway.web.hooks import routes

TOKEN = "s3cret-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Hook:
    def __init__(self, *, token: str = TOKEN, watched: int = 1) -> None:
        self.told: list[tuple[str, str]] = []
        self.watched = watched
        pages = routes(token=token, hasten=self.hasten)
        self.app = application(health=Health(), metrics=Log().exposition, pages=pages)

    async def hasten(self, path: str, account: str) -> int:
        self.told.append((path, account))
        return self.watched

    async def post(self, **request) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.post("/hooks/caldav", **{"headers": BEARER, **request})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"path": "/alice/calendar/"}, ("/alice/calendar/", "")),
        ({"account": "alice@example.org"}, ("", "alice@example.org")),
    ],
)
async def test_a_server_names_a_path_or_an_account(body, told) -> None:
    hook = Hook()
    answer = await hook.post(json=body)
    assert (answer.status_code, answer.json()) == (202, {"collections": 1})
    assert hook.told == [told]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer \u00e4".encode("latin-1")},
    ],
)
async def test_nobody_without_the_token_is_heard(headers) -> None:
    hook = Hook()
    answer = await hook.post(headers=headers, json={"account": "alice@example.org"})
    assert answer.status_code == 401
    assert hook.told == []


async def test_without_a_token_file_there_is_no_hook() -> None:
    assert (await Hook(token="").post(json={"path": "/a/"})).status_code == 404


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"path": 1}', b'{"path": "/a/", "account": "b"}', b"\xff"]
)
async def test_a_body_that_names_not_one_thing_is_told_so(content) -> None:
    hook = Hook()
    assert (await hook.post(content=content)).status_code == 400
    assert hook.told == []


async def test_a_large_body_is_not_read() -> None:
    assert (await Hook().post(content=b" " * 5000)).status_code == 413


async def test_what_is_not_watched_is_said() -> None:
    assert (await Hook(watched=0).post(json={"path": "/else/"})).status_code == 404


async def test_get_changes_nothing() -> None:
    hook = Hook()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(hook.app), base_url="http://g") as client:
        assert (await client.get("/hooks/caldav", headers=BEARER)).status_code == 405
    assert hook.told == []
