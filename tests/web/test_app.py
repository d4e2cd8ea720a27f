"""Health, metrics and the strict headers of every page."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway.log import Event, Log
from gateway.web.app import Health, WebServer, application


async def get(path: str, *, health: Health | None = None, log: Log | None = None) -> httpx.Response:
    app = application(health=health or Health(), metrics=(log or Log()).exposition)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return await client.get(path)


async def test_a_living_process_is_healthy_but_not_ready_before_it_works() -> None:
    health = Health()
    assert (await get("/healthz", health=health)).text == "ok\n"
    starting = await get("/readyz", health=health)
    assert (starting.status_code, starting.text) == (503, "starting\n")
    health.now("")
    ready = await get("/readyz", health=health)
    assert (ready.status_code, ready.text) == (200, "ready\n")
    health.now("stopping")
    assert (await get("/readyz", health=health)).status_code == 503


async def test_an_event_is_a_counter_on_the_metrics_page() -> None:
    log = Log()
    log.emit(Event.MAIL_READ, outcome="ignored", reason="no-calendar-part", uid="secret-uid")
    page = (await get("/metrics", log=log)).text
    assert 'imip_gateway_mail_read_total{method="",outcome="ignored",reason="no-calendar-part"} 1.0' in page
    assert "secret-uid" not in page


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/nothing-here"])
async def test_every_answer_carries_the_strict_headers(path: str) -> None:
    headers = (await get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert headers["cache-control"] == "no-store"


async def test_only_get_is_answered() -> None:
    app = application(health=Health(), metrics=Log().exposition)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        assert (await client.post("/healthz")).status_code == 405


async def test_the_server_listens_on_a_free_port_and_closes() -> None:
    server = WebServer(application(health=Health(), metrics=Log().exposition), "127.0.0.1", 0)
    host, port = await server.start()
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://{host}:{port}/healthz")).text == "ok\n"
    await asyncio.wait_for(server.close(), 20)


async def test_a_taken_port_is_an_error_and_not_the_end_of_the_process() -> None:
    first = WebServer(application(health=Health(), metrics=Log().exposition), "127.0.0.1", 0)
    host, port = await first.start()
    with pytest.raises(OSError, match="ddress"):
        await WebServer(application(health=Health(), metrics=Log().exposition), host, port).start()
    await first.close()
