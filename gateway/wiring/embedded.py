"""The child servers that the configuration asks for: started, or those of the daemon that runs already."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from gateway.accounts import Accounts
from gateway.caldav import embedded
from gateway.config import Config


async def embedded_urls(
    config: Config, accounts: Accounts, stack: contextlib.AsyncExitStack, *, share: bool
) -> dict[str, str]:
    """Where each of them answers: server name -> URL."""
    urls = {}
    for server in config.servers:
        if server.url != embedded.URL:
            continue
        folder = config.gateway.state_dir / f"radicale-{server.name}"
        if share and (folder / "port").exists():
            urls[server.name] = f"http://{embedded.HOST}:{int((folder / 'port').read_text())}/"
            continue
        own = (one for one in accounts if one.server == server.name)
        child = embedded.EmbeddedRadicale(folder, own, tells=_hook_of(config))
        urls[server.name] = await child.start()
        stack.push_async_callback(child.stop)
        stack.push_async_callback(_ended, asyncio.create_task(child.keep()))
    return urls


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _hook_of(config: Config) -> tuple[str, Path] | None:
    """Where an embedded server says what was saved."""
    web = config.web
    if web.listen is None or web.hook_token_file is None:
        return None
    return f"http://{web.listen}", web.hook_token_file


__all__ = ["embedded_urls"]
