"""The doors to the pages: strict headers on every answer, forms of our own pages only, bounds on guessing."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import Message

from gateway.errors import BackendUnavailable
from gateway.log import Log
from gateway.ports import Document, Shown, Visit
from gateway.web.app import Health, application
from gateway.web.links import AT_ONCE, Doorman, attachment_routes, routes, styled


class Pages:
    """Knows one link, and writes down what it was asked."""

    def __init__(self) -> None:
        self.taken: list[Visit] = []
        self.shown: list[Visit] = []
        self.trouble = False

    async def show(self, visit: Visit) -> Shown:
        if self.trouble:
            raise BackendUnavailable("the database is away")
        self.shown.append(visit)
        good = visit.token == "good"  # noqa: S105
        return Shown(status=200, html="<p>page</p>") if good else Shown(status=404, html="<p>nothing</p>")

    async def take(self, visit: Visit) -> Shown:
        self.taken.append(visit)
        return Shown(status=303, location="n=given")

    async def calendar(self, visit: Visit) -> bytes | None:
        return b"BEGIN:VCALENDAR\r\n" if visit.token == "good" else None  # noqa: S105


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def client(pages: Pages) -> httpx.AsyncClient:
    app = application(
        health=Health(),
        metrics=Log().exposition,
        pages=[*routes("r", pages, doorman=Doorman()), styled("p { color: red }")],
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("192.0.2.1", 9)), base_url="http://gateway"
    )


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/r/good", 200),
        ("HEAD", "/r/good", 200),
        ("GET", "/r/bad", 404),
        ("POST", "/r/good", 303),
        ("GET", "/r/good/event.ics", 200),
        ("GET", "/r/bad/event.ics", 404),
        ("GET", "/r/" + "x" * 3000, 404),
    ],
)
async def test_every_answer_has_the_strict_headers(
    method: str, path: str, status: int, client: httpx.AsyncClient
) -> None:
    found = await client.request(method, path, content="a=b" if method == "POST" else None, headers=FORM)
    assert found.status_code == status
    policy = found.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "script-src" not in policy
    assert "frame-ancestors 'none'" in policy and found.headers["x-frame-options"] == "DENY"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in found.headers["x-robots-tag"]


@pytest.mark.parametrize(("scheme", "said"), [("http", None), ("https", "max-age=31536000")])
async def test_who_came_by_tls_shall_always_come_so(
    scheme: str, said: str | None, client: httpx.AsyncClient
) -> None:
    found = await client.get(f"{scheme}://gateway/r/good")
    assert found.headers.get("strict-transport-security") == said


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_never_takes_anything(method: str, client: httpx.AsyncClient, pages: Pages) -> None:
    await client.request(method, "/r/good?answer=accepted&csrf=x")
    assert pages.taken == [] and pages.shown[0].query["answer"] == "accepted"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_no_other_method_does_anything(method: str, client: httpx.AsyncClient, pages: Pages) -> None:
    assert (await client.request(method, "/r/good")).status_code == 405
    assert pages.taken == []


async def test_a_form_is_answered_by_the_way_back_to_its_page(
    client: httpx.AsyncClient, pages: Pages
) -> None:
    body = "csrf=n&answer=accepted&comment=%C3%A4+%0D%0Ab&answer=counter"
    found = await client.post(
        "/r/good?lang=de&tz=Europe/Berlin&x=%0d%0aSet-Cookie:a", content=body, headers=FORM
    )
    assert found.status_code == 303
    assert found.headers["location"] == "/r/good?n=given&lang=de&tz=Europe/Berlin"
    assert pages.taken[0].form == {"csrf": "n", "answer": "counter", "comment": "ä \r\nb"}


async def test_nothing_from_outside_enters_a_header(client: httpx.AsyncClient) -> None:
    found = await client.post(
        "/r/good?lang=de%0d%0aSet-Cookie:%20a=b&tz=//evil.example/", content="a=b", headers=FORM
    )
    assert "set-cookie" not in found.headers
    assert found.headers["location"] == "/r/good?n=given&lang=deSet-Cookieab&tz=//evilexample/"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({**FORM, "sec-fetch-site": "cross-site"}, "a=b", 403),
        ({**FORM, "sec-fetch-site": "same-site"}, "a=b", 403),
        ({"content-type": "text/plain"}, "a=b", 415),
        ({"content-type": "multipart/form-data; boundary=x"}, "a=b", 415),
        (FORM, "a=" + "b" * 20_000, 413),
        (FORM, "&".join(f"a{number}=b" for number in range(100)), 413),
        (FORM, b"a=\xff\xfe", 413),
    ],
)
async def test_a_form_that_is_not_of_our_pages_is_refused(
    headers: dict[str, str], body: str, status: int, client: httpx.AsyncClient, pages: Pages
) -> None:
    assert (await client.post("/r/good", content=body, headers=headers)).status_code == status
    assert pages.taken == []


async def test_a_link_answers_so_often_and_then_asks_to_wait(client: httpx.AsyncClient, pages: Pages) -> None:
    codes = [(await client.post("/r/good", content="a=b", headers=FORM)).status_code for _ in range(30)]
    assert codes[:10] == [303] * 10 and codes[-1] == 429
    assert (await client.post("/r/good", content="a=b", headers=FORM)).headers["retry-after"] == "60"
    assert len(pages.taken) < 20


@pytest.mark.parametrize("processes", [1, 2, 4])
async def test_several_processes_together_allow_what_one_does(processes: int, pages: Pages) -> None:
    """Whoever comes to each of them in turn is answered about as often."""
    clients = []
    for _ in range(processes):
        doorman = Doorman(processes=processes)
        app = application(
            health=Health(), metrics=Log().exposition, pages=routes("r", pages, doorman=doorman)
        )
        transport = httpx.ASGITransport(app, client=("192.0.2.1", 9))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
    for number in range(40):
        await clients[number % processes].post("/r/good", content="a=b", headers=FORM)
    assert 10 <= len(pages.taken) <= 20
    assert (await clients[0].post("/r/good", content="a=b", headers=FORM)).status_code == 429


async def test_who_guesses_links_is_soon_answered_no_more(client: httpx.AsyncClient, pages: Pages) -> None:
    codes = [(await client.get(f"/r/guess{number}")).status_code for number in range(40)]
    assert codes[:15] == [404] * 15 and codes[-1] == 429
    assert (await client.get("/r/good")).status_code == 429
    assert len(pages.shown) <= 21


async def test_the_style_is_our_own_file(client: httpx.AsyncClient) -> None:
    found = await client.get("/pages.css")
    assert found.headers["content-type"].startswith("text/css") and "red" in found.text


async def test_trouble_of_ours_is_no_trace_back(client: httpx.AsyncClient, pages: Pages) -> None:
    pages.trouble = True
    found = await client.get("/r/good")
    assert found.status_code == 503 and "database" not in found.text and found.headers["retry-after"]


async def test_a_proxy_that_does_not_say_for_whom_it_asks_speaks_for_many(pages: Pages) -> None:
    app = application(health=Health(), metrics=Log().exposition, pages=routes("r", pages, doorman=Doorman()))
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 9))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        codes = [(await client.get(f"/r/guess{number}")).status_code for number in range(100)]
        assert set(codes) == {404}


@pytest.mark.parametrize(("host", "roams"), [("192.0.2.1", True), ("127.0.0.1", False)])
async def test_a_form_tells_whether_links_of_many_letters_were_opened_from_there(
    host: str, roams: bool, pages: Pages
) -> None:
    """A proxy on this machine that does not say for whom it asks is all visitors at once."""
    app = application(health=Health(), metrics=Log().exposition, pages=routes("r", pages, doorman=Doorman()))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(host, 9)), base_url="http://gateway"
    ) as client:
        for token in ("one", "two", "two", "two"):
            await client.get(f"/r/{token}")
        await client.post("/r/three", content="a=b", headers=FORM)
        await client.post("/r/four", content="a=b", headers=FORM)
    assert [one.roams for one in pages.taken] == [False, roams]


# --- attachments -----------------------------------------------------------------------------------------------------

NAME = 'Ablauf "2%".pdf'


class Documents:
    """Knows two documents behind one link, and keeps visitors waiting until it is told to serve them."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.trouble = False
        self.kind = "application/pdf; charset=binary"
        self.serving = asyncio.Event()
        self.serving.set()

    async def fetch(self, visit: Visit, number: int) -> Document | None:
        self.asked.append(number)
        await self.serving.wait()
        if self.trouble:
            raise BackendUnavailable("https://cal.example.org/dav/alice: 503")
        good = visit.token == "good" and number in (1, 2)  # noqa: S105
        return Document(content=b"%PDF" * 50_000, kind=self.kind, name=NAME) if good else None

    async def show(self, visit: Visit) -> Shown:
        return Shown(status=404, html="<p>nothing</p>")


@pytest.fixture
def documents() -> Documents:
    return Documents()


@pytest.fixture
def visitor(documents: Documents) -> httpx.AsyncClient:
    pages = attachment_routes("a", documents, doorman=Doorman())
    app = application(health=Health(), metrics=Log().exposition, pages=pages)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("192.0.2.1", 9)), base_url="http://gateway"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_document_is_handed_over_to_be_saved(method: str, visitor: httpx.AsyncClient) -> None:
    found = await visitor.request(method, "/a/good/1")
    assert found.status_code == 200 and found.headers["content-length"] == "200000"
    assert found.headers["content-type"] == "application/pdf"
    assert found.headers["content-disposition"] == (
        "attachment; filename=\"Ablauf _2__.pdf\"; filename*=UTF-8''Ablauf%20%222%25%22.pdf"
    )
    assert found.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert found.headers["x-content-type-options"] == "nosniff" and found.headers["x-frame-options"] == "DENY"
    assert found.headers["cache-control"] == "no-store"
    if method == "GET":
        assert found.content == b"%PDF" * 50_000


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("text/calendar", "application/octet-stream"),
        ("Image/PNG", "image/png"),
        ("text/plain; charset=utf-7", "text/plain"),
    ],
)
async def test_what_a_browser_would_run_has_no_type(
    kind: str, shown: str, visitor: httpx.AsyncClient, documents: Documents
) -> None:
    documents.kind = kind
    assert (await visitor.get("/a/good/1")).headers["content-type"] == shown


@pytest.mark.parametrize("path", ["/a/good/3", "/a/bad/1"])
async def test_where_no_document_is_a_page_says_so(path: str, visitor: httpx.AsyncClient) -> None:
    found = await visitor.get(path)
    assert found.status_code == 404 and "nothing" in found.text
    assert "sandbox" not in found.headers["content-security-policy"]


@pytest.mark.parametrize("number", ["0", "-1", "1.0", "x", "1" * 5000, "%D9%A1", "1%2F..", "+1"])
async def test_what_is_no_number_of_a_document_is_not_asked_for(
    number: str, visitor: httpx.AsyncClient, documents: Documents
) -> None:
    assert (await visitor.get(f"/a/good/{number}")).status_code == 404
    assert documents.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_a_document_is_only_read(method: str, visitor: httpx.AsyncClient, documents: Documents) -> None:
    assert (await visitor.request(method, "/a/good/1")).status_code == 405
    assert documents.asked == []


async def test_trouble_of_the_calendar_server_tells_nothing_of_it(
    visitor: httpx.AsyncClient, documents: Documents
) -> None:
    documents.trouble = True
    for _ in range(AT_ONCE + 1):  # a turn that is not given back would be missed
        found = await visitor.get("/a/good/1")
        assert found.status_code == 503 and "dav" not in found.text and found.headers["retry-after"]
    documents.trouble = False
    assert (await visitor.get("/a/good/1")).status_code == 200


async def test_no_more_than_a_few_documents_are_in_memory_at_once(
    visitor: httpx.AsyncClient, documents: Documents
) -> None:
    documents.serving.clear()
    visits = [asyncio.create_task(visitor.get("/a/good/1")) for _ in range(3 * AT_ONCE)]
    while len(documents.asked) < AT_ONCE:
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(documents.asked) == AT_ONCE
    documents.serving.set()
    assert {one.status_code for one in await asyncio.gather(*visits)} == {200}


async def test_who_waits_too_long_for_his_turn_is_asked_to_come_again(
    visitor: httpx.AsyncClient, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.links.PATIENCE", 0)
    documents.serving.clear()
    visits = [asyncio.create_task(visitor.get("/a/good/1")) for _ in range(AT_ONCE + 1)]
    (late,) = (await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED))[0]
    assert late.result().status_code == 503
    documents.serving.set()
    assert sorted(one.status_code for one in await asyncio.gather(*visits)) == [200] * AT_ONCE + [503]


async def test_who_does_not_take_his_document_gives_his_turn_back(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.links.SENDING", 0)
    pages = attachment_routes("a", documents, doorman=Doorman())
    app = application(health=Health(), metrics=Log().exposition, pages=pages)
    taken: list[str] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        taken.append(message["type"])
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/a/good/1", "query_string": b"", "headers": []}
    for _ in range(AT_ONCE + 1):
        await app({**scope, "client": ("192.0.2.1", 9)}, receive, send)
    assert taken == ["http.response.start"] * (AT_ONCE + 1)


async def test_who_guesses_links_to_documents_is_soon_answered_no_more(
    visitor: httpx.AsyncClient, documents: Documents
) -> None:
    codes = [(await visitor.get(f"/a/guess{number}/1")).status_code for number in range(40)]
    assert codes[:15] == [404] * 15 and codes[-1] == 429
    assert len(documents.asked) <= 21
