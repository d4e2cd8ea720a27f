"""The three kinds of a run, each from one seed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.crash import judge
from tests.crash.stories import Story, stories
from tests.crash.world import Run

KINDS = ("sqlite", "power", "postgres")
SECONDS = 300.0  # that the stories of a run may take, on a machine that has other work too


class Missed(AssertionError):
    """A run that broke a promise; its folder is kept."""


def one(
    kind: str, seed: int, folder: Path, *, database: str = "", meetings: int = 20, faults: int = 3
) -> str:
    """One run: what happened. Raises Missed."""
    several = kind == "postgres"
    run = Run(folder, seed, database=database, nodes=2 if several else 1, processes=2 if several else 1)
    told: list[Story] = stories(run.chance, meetings, f"s{seed}")
    chance = random.Random(run.chance.random())
    try:
        run.proxy.stormy = run.sink.stormy = True
        ended = threading.Event()
        hurry = threading.Thread(target=run.hurry, args=(ended.is_set,))
        hurry.start()
        breaker = _Breaker(lambda: _break(run, kind, chance, faults))
        breaker.start()
        try:
            run.tell(told, seconds=SECONDS)
        finally:
            breaker.join()
        if breaker.error is not None:
            raise breaker.error
        run.drain()
        ended.set()
        hurry.join()
        found = judge.misses(run, told)
    except AssertionError as error:
        found = [str(error)]
    finally:
        ended.set()
        run.close()
        (folder / "events").write_text("\n".join(sorted(run.log + run.proxy.trace)))
    if found:
        raise Missed(f"{kind}, seed {seed}, {folder}:\n" + "\n".join(found))
    return judge.summary(run)


class _Breaker(threading.Thread):
    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self._work, self.error = work, None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.error: Exception | None = error


def _break(run: Run, kind: str, chance: random.Random, faults: int) -> None:
    for _ in range(faults):
        time.sleep(chance.uniform(0.3, 3.0))
        node = chance.choice(run.nodes)
        if kind == "power":
            run.power_cut(node)
        else:
            run.kill(node, child=chance.random() < 0.6)
