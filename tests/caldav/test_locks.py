"""Lanes: one at a time per key, and no memory of keys that rest; and who may meet at a calendar."""

from __future__ import annotations

import asyncio

import pytest

from gateway.caldav.locks import Lanes, Reach


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


async def test_several_keys_are_held_together():
    lanes = Lanes()

    async def wait() -> str:
        async with lanes.hold("b", "c"):
            return "in"

    async with lanes.hold("a", "b"):
        waiter = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert not waiter.done() and len(lanes) == 3
    assert await waiter == "in" and len(lanes) == 0


def test_an_account_is_alone_where_nobody_else_was_seen_to_write():
    reach = Reach([("dav", "alice"), ("dav", "bob"), ("other", "carol")])
    reach.saw("dav", "alice", frozenset({"/alice/"}))
    assert not reach.is_alone("dav", "alice", ["/alice/"])  # what bob may do, nobody has seen
    reach.saw("dav", "bob", frozenset({"/bob/", "/team/"}))
    assert reach.is_alone("dav", "alice", ["/alice/"]) and reach.is_alone("dav", "bob", ["/team/"])
    assert not reach.is_alone("dav", "alice", ["/team/"])
    assert not reach.is_alone("dav", "alice", ["/alice/team/", "/team/"])
    assert reach.is_alone("other", "carol", ["/team/"])  # another host's path of that name


def test_a_calendar_that_is_no_longer_shared_is_its_accounts_alone():
    reach = Reach([("dav", "alice"), ("dav", "bob")])
    reach.saw("dav", "alice", frozenset({"/alice/"}))
    reach.saw("dav", "bob", frozenset({"/bob/", "/alice/"}))
    assert not reach.is_alone("dav", "alice", ["/alice/"])
    reach.saw("dav", "bob", frozenset({"/bob/"}))
    assert reach.is_alone("dav", "alice", ["/alice/"])
