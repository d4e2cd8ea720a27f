"""A hook for Radicale: tells the gateway at once which collection changed, so that nobody waits for the next round.

    [hook]
    type = gateway.radicale_hook
    imip_gateway_url = http://127.0.0.1:8025
    imip_gateway_token_file = /etc/radicale/hook-token

This file needs the standard library alone and imports nothing of the gateway: where Radicale has an environment of its own,
copy it there under any name and give that name as `type`. It never delays or fails a request of Radicale.
"""

from __future__ import annotations

import json
import logging
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 10.0  # seconds for the gateway to answer
MOST = 10_000  # collections that wait to be told; the gateway finds further ones by itself

log = logging.getLogger("radicale")


class Hook:
    """What Radicale loads (`radicale.hook.BaseHook`)."""

    def __init__(self, configuration: Any) -> None:
        self._url = (
            f"{_option(configuration, 'imip_gateway_url', 'http://127.0.0.1:8025').rstrip('/')}/hooks/caldav"
        )
        self._token_file = _option(configuration, "imip_gateway_token_file", "")
        self._paths: dict[str, None] = {}  # in order, each once: ten saves are told once
        self._there = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def enabled(self) -> bool:
        return bool(self._token_file)

    def notify(self, notification_item: Any) -> None:
        """Radicale stored, changed or removed something below `notification_item.point`."""
        path = f"/{str(notification_item.point).strip('/')}/"
        with self._there:
            if path == "//" or len(self._paths) >= MOST:
                return
            self._paths[path] = None
            if (
                self._thread is None
            ):  # here, not in __init__: a server may fork after it has loaded its plugins
                self._thread = threading.Thread(target=self._run, name="imip-gateway-hook", daemon=True)
                self._thread.start()
            self._there.notify()

    def _run(self) -> None:
        while True:
            with self._there:
                self._there.wait_for(lambda: bool(self._paths))
                path = next(iter(self._paths))
                del self._paths[path]
            try:
                self._tell(path)
            except (OSError, ValueError) as error:
                log.warning("imip-gateway was not told of %s: %s", path, error)

    def _tell(self, path: str) -> None:
        token = Path(self._token_file).read_text(encoding="ascii").strip()
        request = urllib.request.Request(  # noqa: S310 - the administrator wrote the URL
            self._url,
            data=json.dumps({"path": path}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code != 404:  # a collection of an account that is not watched
                raise


def _option(configuration: Any, name: str, default: str) -> str:
    """Of the section that is ours alone: Radicale keeps the options of a foreign hook as they are written."""
    try:
        return str(configuration.get("hook", name) or default)
    except KeyError:
        return default


__all__ = ["Hook"]
