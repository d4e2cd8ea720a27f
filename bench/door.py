"""The door alone: what the daemon opens to take mail, and the queue behind it, without the worker that reads what came.

python -m bench.door CONFIG
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from gateway.config import load
from gateway.daemon import leave_be
from gateway.wiring import edges
from gateway.wiring.parts import loop_factory, started


async def serve(path: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with started(load(path), worker="door") as parts:
        servers = await edges.listeners(parts, None)
        web = await edges.web(parts, demo=False, metrics=parts.log.exposition, doors=None)
        parts.health.now("")
        leave_be()
        await stop.wait()
        for one in servers:
            await one.close(5.0)
        if web is not None:
            await web.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(Path(sys.argv[1])))
