"""python -m tests.crash --runs 100 --seed 1: the long crash suite; one line per run, and the folder of each that missed."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import PostgreSQL
from tests.crash import runs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=runs.KINDS, action="append")
    options = parser.parse_args()
    kinds = options.kind or list(runs.KINDS)
    place = Path(tempfile.mkdtemp(prefix="imip-crash-"))
    server = PostgreSQL() if "postgres" in kinds else None
    missed = 0
    try:
        for seed in range(options.seed, options.seed + options.runs):
            kind = kinds[seed % len(kinds)]
            missed += not _tried(kind, seed, place, server)
    finally:
        if server is not None:
            server.close()
    print(f"{options.runs - missed} of {options.runs} runs without a miss", flush=True)
    if not missed:
        shutil.rmtree(place)
    return 1 if missed else 0


def _tried(kind: str, seed: int, place: Path, server: PostgreSQL | None) -> bool:
    begun, folder = time.monotonic(), place / f"{kind}-{seed}"
    name = server.create() if server is not None and kind == "postgres" else ""
    database = server.url(name) if server is not None and name else ""
    try:
        told = runs.one(kind, seed, folder, database=database)
    except Exception as error:
        print(f"seed {seed:4} {kind:8} MISSED: {error}", flush=True)
        return False
    finally:
        if server is not None and name:
            server.drop(name)
    print(f"seed {seed:4} {kind:8} {time.monotonic() - begun:4.0f} s  {told}", flush=True)
    shutil.rmtree(folder)
    return True


if __name__ == "__main__":
    sys.exit(main())
