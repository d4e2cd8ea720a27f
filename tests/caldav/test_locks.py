"""Lanes: one at a time per key, and no memory of keys that rest."""

from __future__ import annotations

import asyncio

import pytest

from gateway.caldav.locks import Lanes


async def test_one_at_a_time_per_key_and_keys_do_not_meet():
    lanes, inside, most = Lanes(), {"a": 0, "b": 0}, {"a": 0, "b": 0}

    async def work(key: str) -> None:
        async with lanes.hold(key):
            inside[key] += 1
            most[key] = max(most[key], inside[key])
            await asyncio.sleep(0)
            inside[key] -= 1

    async with lanes.hold("c"):
        await asyncio.gather(*(work(key) for key in "aabbab"))
        assert len(lanes) == 1
    assert most == {"a": 1, "b": 1} and len(lanes) == 0


async def test_a_failure_and_a_cancelled_wait_leave_nothing_behind():
    lanes = Lanes()

    async def wait() -> None:
        async with lanes.hold("a"):
            pytest.fail("never reached")

    with pytest.raises(ValueError):
        async with lanes.hold("a"):
            waiter = asyncio.create_task(wait())
            await asyncio.sleep(0)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
            raise ValueError
    assert len(lanes) == 0
