"""The daemon, and how long a turn of its event loop lasts: nobody else is served in it.

python -m bench.turns CONFIG; SIGUSR1 begins to look; the longest turn since, in milliseconds of CPU, is in the end in the
file `turns` of the state directory. CPU and not time, since a busy machine would be blamed on the daemon. It looks at every
turn, so that the process is never idle.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from gateway.config import load
from gateway.daemon import Daemon
from gateway.wiring.parts import loop_factory

NAME = "turns"


class Turns:
    def __init__(self) -> None:
        self.longest = 0.0

    def begin(self) -> None:
        self.longest = 0.0

    async def look(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, time.thread_time() - before)


async def serve(path: Path) -> None:
    turns, config = Turns(), load(path)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, turns.begin)
    looking = asyncio.create_task(turns.look())
    await Daemon(config, path).run()
    looking.cancel()
    (config.gateway.state_dir / NAME).write_text(f"{1000 * turns.longest:.1f}")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(Path(sys.argv[1])))
