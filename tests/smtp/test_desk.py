"""What all sessions of a listener share."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.smtp.desk import Desk
from gateway.smtp.settings import Callables, ListenerSettings


def _desk() -> Desk:
    nothing: Any = None
    callables = Callables(
        intake=nothing, known=nothing, may_send=nothing, authenticate=None, on_event=nothing, clock=nothing
    )
    return Desk(ListenerSettings(), callables)


async def test_a_cancelled_session_leaves_its_commit_running() -> None:
    desk, gate, done = _desk(), asyncio.Event(), []

    async def commit() -> str:
        await gate.wait()
        done.append(1)
        return "250"

    session = asyncio.ensure_future(desk.finish(commit()))
    await asyncio.sleep(0)
    session.cancel()
    await asyncio.wait([session])
    assert session.cancelled()
    gate.set()
    await desk.settled()
    assert done == [1]


async def test_nothing_under_way_is_settled_at_once() -> None:
    await _desk().settled()
