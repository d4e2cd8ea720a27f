"""The plugin as Radicale loads it: it tells each collection once, and never fails or delays a request."""

from __future__ import annotations

import ast
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.radicale_hook import Hook

PLUGIN = Path(sys.modules[Hook.__module__].__file__ or "")


class Gateway(HTTPServer):
    """Answers as it is told, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict]] = []
        self.status = 202
        self.open = threading.Event()
        self.open.set()
        self.again = threading.Semaphore(0)
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def wait(self) -> None:
        assert self.again.acquire(timeout=20)


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.server.again.release()
        self.server.open.wait(20)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        """Quiet."""


@pytest.fixture
def gateway():
    server = Gateway()
    yield server
    server.open.set()
    server.shutdown()
    server.server_close()


def loaded(gateway: Gateway, tmp_path: Path, **more: str) -> Hook:
    (tmp_path / "token").write_text("s3cret\n")
    options = {
        "imip_gateway_url": f"http://127.0.0.1:{gateway.server_port}/",
        "imip_gateway_token_file": str(tmp_path / "token"),
        **more,
    }
    return Hook(SimpleNamespace(get=lambda section, name: {"hook": options}[section][name]))


def changed(point: str) -> SimpleNamespace:
    return SimpleNamespace(point=point)


def test_a_change_is_told_with_the_token(gateway, tmp_path) -> None:
    loaded(gateway, tmp_path).notify(changed("alice/calendar"))
    gateway.wait()
    assert gateway.heard == [("/hooks/caldav", "Bearer s3cret", {"path": "/alice/calendar/"})]


def test_many_saves_while_the_gateway_is_slow_are_told_once_more(gateway, tmp_path) -> None:
    hook = loaded(gateway, tmp_path)
    gateway.open.clear()
    hook.notify(changed("alice/calendar"))
    gateway.wait()
    for _ in range(50):
        hook.notify(changed("alice/calendar"))
    hook.notify(changed("bob/calendar"))
    gateway.open.set()
    gateway.wait()
    gateway.wait()
    assert [body["path"] for _, _, body in gateway.heard] == [
        "/alice/calendar/",
        "/alice/calendar/",
        "/bob/calendar/",
    ]


@pytest.mark.parametrize("status", [404, 401, 500])
def test_a_gateway_that_refuses_is_asked_again_the_next_time(gateway, tmp_path, status) -> None:
    hook = loaded(gateway, tmp_path)
    gateway.status = status
    hook.notify(changed("alice/calendar"))
    gateway.wait()
    hook.notify(changed("bob/calendar"))
    gateway.wait()
    assert len(gateway.heard) == 2


def test_without_a_token_it_does_nothing() -> None:
    nothing = SimpleNamespace(get=lambda section, name: {"hook": {}}[section][name])
    assert not Hook(nothing).enabled


def test_what_is_no_collection_is_not_told(gateway, tmp_path) -> None:
    hook = loaded(gateway, tmp_path)
    hook.notify(changed(""))
    hook.notify(changed("alice/calendar"))
    gateway.wait()
    assert len(gateway.heard) == 1


def test_it_stands_alone() -> None:
    names = set()
    for node in ast.walk(ast.parse(PLUGIN.read_text())):
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    assert names <= sys.stdlib_module_names
