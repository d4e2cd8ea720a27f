"""Who works long keeps his lease; who has lost it is stopped, and who is stopped by others is not told that he lost it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import BackendUnavailable
from gateway.flows.keeper import Keeper

SHORT = timedelta(seconds=0.3)


async def test_a_lease_is_kept_through_trouble_until_it_is_lost() -> None:
    said = [True, BackendUnavailable("locked"), True, False]
    asked = []

    async def extend() -> bool:
        asked.append(said[len(asked)])
        if isinstance(asked[-1], BackendUnavailable):
            raise asked[-1]
        return asked[-1]

    keeper = Keeper(extend, SHORT)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()
    assert asked == said
    assert keeper.has_lost()
    assert not keeper.cut_off  # it was told
    await asyncio.sleep(0)  # the task goes on
    keeper.close()


@pytest.mark.parametrize("silent", [False, True])
async def test_a_lease_that_cannot_be_prolonged_is_lost_when_it_ends(silent: bool) -> None:
    async def extend() -> bool:
        if silent:
            await asyncio.Event().wait()
        raise BackendUnavailable("no route to host")

    keeper = Keeper(extend, timedelta(seconds=0.03))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()
    assert keeper.has_lost()
    assert keeper.cut_off
    keeper.close()


async def test_who_kept_the_process_from_asking_in_time_was_not_cut_off() -> None:
    async def extend() -> bool:
        await asyncio.Event().wait()
        return True

    keeper = Keeper(extend, SHORT, since=asyncio.get_running_loop().time() - 1)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.Event().wait()
    assert keeper.has_lost()
    assert not keeper.cut_off
    keeper.close()


async def test_who_is_stopped_has_not_lost_his_lease() -> None:
    lost = []

    async def extend() -> bool:
        return False

    async def work() -> None:
        keeper = Keeper(extend, timedelta(minutes=1))
        try:
            await asyncio.Event().wait()
        finally:
            lost.append(keeper.has_lost())
            keeper.close()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lost == [False]
