"""Leases of objects that are written: one holder, all or nothing, over in time; on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select

from gateway.store import schema

LEASE = timedelta(minutes=1)


async def test_an_object_is_one_holders_until_he_gives_it_back(open_store) -> None:
    here, there = (await open_store()).writing, (await open_store()).writing
    held = await here.seize(["/team/ one"], LEASE)
    assert held is not None
    assert await there.seize(["/team/ one"], LEASE) is None
    assert await there.seize(["/team/ two"], LEASE) is not None
    await here.release(held)
    assert await there.seize(["/team/ one"], LEASE) is not None


async def test_several_objects_are_seized_together_or_not_at_all(open_store) -> None:
    here, there = (await open_store()).writing, (await open_store()).writing
    assert await here.seize(["b", "c", "b"], LEASE) is not None
    assert await there.seize(["a", "b"], LEASE) is None
    assert await there.seize(["a", "d"], LEASE) is not None


async def test_who_died_is_waited_for_as_long_as_his_lease(open_store, clock) -> None:
    dead, alive = (await open_store()).writing, (await open_store()).writing
    late = await dead.seize(["a", "b"], LEASE)
    assert late is not None
    clock.forward(seconds=59)
    assert await alive.seize(["b"], LEASE) is None
    clock.forward(seconds=1)
    heir = await alive.seize(["b"], LEASE)
    assert heir is not None
    assert not await dead.keep(late, LEASE)
    await dead.release(late)
    assert await alive.keep(heir, LEASE)
    assert await dead.seize(["b"], LEASE) is None


async def test_a_lease_that_is_kept_lasts(open_store, clock) -> None:
    here, there = (await open_store()).writing, (await open_store()).writing
    held = await here.seize(["a"], LEASE)
    assert held is not None
    clock.forward(seconds=40)
    assert await here.keep(held, LEASE)
    clock.forward(seconds=40)
    assert await there.seize(["a"], LEASE) is None
    assert not await here.keep(replace(held, proof="another"), LEASE)


async def test_of_many_at_the_same_moment_one_gets_it_and_nothing_is_left_behind(open_store) -> None:
    stores = [await open_store(), await open_store()]
    names = ["/team/ one", "/principals/team one"]

    async def ask(number: int) -> bool:
        writing = stores[number % 2].writing
        held = await writing.seize(names[:: 1 if number % 3 else -1], LEASE)
        if held is None:
            return False
        inside.append(number)
        await asyncio.sleep(0)
        assert inside == [number]
        inside.remove(number)
        await writing.release(held)
        return True

    inside: list[int] = []
    assert any(await asyncio.gather(*map(ask, range(24))))
    rows = select(func.count()).select_from(schema.writing)
    assert await stores[0].db.read(lambda conn: conn.execute(rows).scalar()) == 0
