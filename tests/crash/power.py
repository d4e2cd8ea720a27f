"""What a disk holds when the power goes: the database as it was written, without what was not yet synced.

The processes are stopped (SIGSTOP) at a random moment. Who then waits for an fsync of the write-ahead log has not been told
that it is done, and nobody else has: all that was written since the last commit may be missing, cut or torn. Where nobody
waits, every commit in the log is synced, and stays.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
from pathlib import Path

FSYNC, FDATASYNC = 74, 75  # on x86-64
HEADER, FRAME = 32, 24
DATABASE = "gateway.sqlite3"


def is_syncing(pid: int, path: Path) -> bool:
    """Whether a thread of the stopped process waits for this file to be synced."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        words = (task / "syscall").read_text().split()
        if words[0] in (str(FSYNC), str(FDATASYNC)):
            name = Path(f"/proc/{pid}/fd/{int(words[1], 16)}")
            if name.exists() and name.resolve() == path.resolve():
                return True
    return False


def commits(log: bytes) -> list[int]:
    """Where each transaction of the write-ahead log ends (sqlite.org/fileformat2.html 4)."""
    if len(log) < HEADER:
        return []
    size, salt = struct.unpack(">I", log[8:12])[0], log[16:24]
    ends = []
    for at in range(HEADER, len(log) - FRAME - size + 1, FRAME + size):
        if log[at + 8 : at + 16] != salt:
            break  # older than the last reset
        if struct.unpack(">I", log[at + 4 : at + 8])[0]:
            ends.append(at + FRAME + size)
    return ends


def torn(log: bytes, chance: random.Random, *, syncing: bool) -> tuple[bytes, str]:
    """The log as the disk may have it, and what was done to it."""
    ends = commits(log)
    safe = (ends[-2] if len(ends) > 1 else HEADER) if syncing and ends else (ends or [0])[-1]
    if syncing and len(ends) == 1:
        safe = 0  # even the header may not be there
    if safe >= len(log):
        return log, "whole"
    end = ends[-1] if ends else len(log)
    how = chance.choice(["whole", "cut", "holes"]) if syncing else chance.choice(["whole", "cut"])
    if how == "cut":
        at = chance.randrange(safe, max(end, safe + 1))
        return log[:at], f"cut at {at} of {len(log)}, {safe} are safe"
    if how == "holes":
        out = bytearray(log)
        for at in range(safe, end, 512):
            if chance.random() < 0.5:
                out[at : at + 512] = bytes(min(512, len(log) - at))
        return bytes(out), f"holes between {safe} and {end}"
    return log, how


def cut(pid: int, state: Path, copy: Path, chance: random.Random) -> str:
    """Freeze the daemon, copy its state as the disk has it, and end it; what was found and done."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        pass
    log = state / f"{DATABASE}-wal"
    syncing = is_syncing(pid, log)
    names = ("metrics", "*.sock", "*.sqlite3-*")
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns(*names))
    told = "no log"
    if log.exists():
        data, told = torn(log.read_bytes(), chance, syncing=syncing)
        (copy / log.name).write_bytes(data)
    os.kill(pid, signal.SIGKILL)
    return f"{'syncing' if syncing else 'idle'}: {told}"
