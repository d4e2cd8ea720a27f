"""A small client of Chromium's DevTools protocol: one browser, and tabs that tests command as a person would."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",  # root in a container has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
AXE = Path(__file__).parent / "axe" / "axe.min.js"
KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    " ": (32, " "),
    "ArrowDown": (40, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
}
# Where the keyboard stands, and whether one sees it: the outline may be drawn by what stands behind a radio button.
FOCUS = """(() => {
  const one = document.activeElement, beside = one.nextElementSibling;
  const seen = [one, beside].filter(Boolean).map(each => getComputedStyle(each))
    .some(style => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  return [one.id || one.name || one.tagName.toLowerCase(), one.value || one.textContent.trim(), seen];
})()"""


def path() -> str:
    """The browser of this machine; "" where there is none."""
    return next((found for found in map(shutil.which, NAMES) if found), "")


class Chromium:
    """A browser of this test run, with a profile of its own."""

    def __init__(self) -> None:
        self._profile = Path(tempfile.mkdtemp(prefix="imip-chromium-"))
        self._process = subprocess.Popen(
            [path(), *QUIET, f"--user-data-dir={self._profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.socket = self._address()

    def _address(self) -> str:
        told = self._profile / "DevToolsActivePort"
        for _ in range(600):
            lines = told.read_text().split() if told.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            assert self._process.poll() is None, "Chromium ended at once"
            time.sleep(0.05)
        raise AssertionError("Chromium does not say where it listens")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self._profile, ignore_errors=True)


class Tab:
    """One page in a browser context of its own, so without a history."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self._number = 0
        self._session = ""
        self._context = ""
        self.events: list[dict[str, Any]] = []

    async def open(self) -> None:
        self._context = (await self.ask("Target.createBrowserContext"))["browserContextId"]
        target = await self.ask("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        await self.ask("Page.enable")
        await self.looks()

    async def close(self) -> None:
        self._session = ""
        await self.ask("Target.disposeBrowserContext", browserContextId=self._context)

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result; events that come meanwhile are kept."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        await self._wire.send_json(message | ({"sessionId": self._session} if self._session else {}))
        while True:
            found = await self._hear()
            if found.get("id") == number:
                assert "error" not in found, (method, found["error"])
                return dict(found["result"])
            self.events.append(found)

    async def _hear(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            return dict(json.loads(await self._wire.receive_str()))

    async def _loaded(self) -> None:
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.events.append(await self._hear())

    # what one sees

    async def looks(self, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """A screen, by day or by night."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.ask("Emulation.setEmulatedMedia", features=[scheme, still])

    async def find(self, expression: str) -> Any:
        """The value of a script; what it promises is waited for."""
        found = await self.ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def text(self) -> str:
        return str(await self.find("document.body.innerText"))

    async def html(self) -> str:
        """What the browser made of it, found without any script."""
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        return str((await self.ask("DOM.getOuterHTML", nodeId=root))["outerHTML"])

    async def focus(self) -> tuple[str, str, bool]:
        """(name, value or text, whether it can be seen) of what the keyboard is at."""
        name, value, seen = await self.find(FOCUS)
        return name, value, seen

    async def violations(self, *, without: tuple[str, ...] = ()) -> list[str]:
        """What axe-core finds wrong but for these rules of it, each with the elements it is about."""
        await self.find(AXE.read_text())
        rules = json.dumps({one: {"enabled": False} for one in without})
        options = f"{{resultTypes: ['violations'], rules: {rules}}}"
        found = await self.find(f"axe.run(document, {options}).then(one => one.violations)")
        return [
            f"{one['id']}: {one['help']}\n  "
            + "\n  ".join(f"{each['html']}\n  {each['failureSummary']}" for each in one["nodes"][:3])
            for one in found
        ]

    async def picture(self, target: Path) -> None:
        """The whole page, however long."""
        found = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        target.write_bytes(base64.b64decode(found["data"]))

    # what one does

    async def go(self, url: str) -> None:
        self.events.clear()
        await self.ask("Page.navigate", url=url)
        await self._loaded()

    async def without_script(self) -> None:
        await self.ask("Emulation.setScriptExecutionDisabled", value=True)

    async def press(self, key: str, *, times: int = 1, loads: bool = False) -> None:
        """A key of the keyboard; `loads`: another page comes of it."""
        code, text = KEYS[key]
        self.events.clear()
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                said = {"text": text} if text and kind == "keyDown" else {}
                await self.ask(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code="Space" if key == " " else key,
                    windowsVirtualKeyCode=code,
                    **said,
                )
        if loads:
            await self._loaded()

    async def write(self, text: str) -> None:
        await self.ask("Input.insertText", text=text)

    async def click(self, selector: str, *, loads: bool = False) -> None:
        """The middle of what is found first; `loads`: another page comes of it."""
        root = (await self.ask("DOM.getDocument"))["root"]["nodeId"]
        node = (await self.ask("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        assert node, f"no {selector}"
        await self.ask("DOM.scrollIntoViewIfNeeded", nodeId=node)
        corners = (await self.ask("DOM.getContentQuads", nodeId=node))["quads"][0]
        where = {"x": sum(corners[::2]) / 4, "y": sum(corners[1::2]) / 4, "button": "left", "clickCount": 1}
        self.events.clear()
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, **where)
        if loads:
            await self._loaded()

    async def fill(self, selector: str, value: str) -> None:
        """Text into a field, a choice of a list, a date and time."""
        said = json.dumps([selector, value])
        await self.find(f"(([where, value]) => {{ document.querySelector(where).value = value; }})({said})")
