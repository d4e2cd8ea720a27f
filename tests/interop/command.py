"""The command line in a process of its own that has imported everything already: a suite calls it hundreds of times."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "tests.interop.command",
        "gateway.cli.doctor",
        "gateway.cli.drain",
        "gateway.cli.main",
        "gateway.cli.sync",
        "gateway.cli.why",
        "gateway.flows.doctor",
        "gateway.wiring.channel",
        "gateway.wiring.edges",
        "gateway.wiring.parts",
    ]
)


def command(words: list[str], folder: Path, *, patience: float = 120) -> tuple[int, str, str]:
    """Its status, what it printed, what it complained."""
    out, err = folder / "command.out", folder / "command.err"
    child = _FORKS.Process(target=_run, args=(words, str(out), str(err)))
    child.start()
    child.join(patience)
    if child.exitcode is None:
        child.kill()
        child.join()
    return child.exitcode or 0, out.read_text(), err.read_text()


def _run(words: list[str], out: str, err: str) -> None:
    from gateway.cli.main import main

    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    status = main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
