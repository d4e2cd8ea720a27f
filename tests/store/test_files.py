"""A file that grows, that lies under two names, and that nobody named."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from gateway.errors import QueueFull
from gateway.store.files import Draft, File, put_beside, sweep


def room(size: int) -> None:
    """There is."""


async def test_a_draft_is_what_was_written_and_its_digest_what_counts(tmp_path: Path) -> None:
    draft = Draft(tmp_path / "content", room)
    await draft.write(b"Received: x\r\n", counts=False)
    await draft.write(b"abc")
    await draft.write(bytearray(b"def"))
    assert await draft.whole() == b"Received: x\r\nabcdef"
    assert (len(draft), draft.digest) == (19, hashlib.sha256(b"abcdef").hexdigest())
    assert await draft.read(13, 2) == b"ab"
    assert await draft.isascii()
    await draft.write("ü".encode())
    assert not await draft.isascii()
    assert not await File(draft.path, len(draft)).isascii()
    draft.discard()


async def test_a_draft_that_is_discarded_is_gone_and_may_be_discarded_again(tmp_path: Path) -> None:
    draft = Draft(tmp_path, room)
    await draft.write(b"abc")
    draft.discard()
    draft.discard()
    assert list(tmp_path.iterdir()) == []


async def test_a_disk_that_is_full_is_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = Draft(tmp_path, room)

    def full(data: object, counts: bool) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(draft, "_append", full)
    with pytest.raises(QueueFull):
        await draft.write(b"abc")
    draft.discard()


@pytest.mark.parametrize("links", [True, False])
async def test_a_file_beside_another_outlives_it_and_is_young(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refused(*names: object) -> None:
        raise OSError(errno.EPERM, "operation not permitted")

    draft = Draft(tmp_path, room)
    await draft.write(b"abc")
    os.utime(draft.path, (1, 1))
    if not links:
        monkeypatch.setattr(os, "link", refused)
    put_beside(draft, tmp_path / "job")
    draft.discard()
    assert (tmp_path / "job").read_bytes() == b"abc"
    assert (tmp_path / "job").stat().st_mtime > 1000


def test_what_is_young_or_known_stays(tmp_path: Path) -> None:
    for name, age in (("known", 0), ("old", 0), (".old", 0), ("young", 2000), (".young", 2000)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (age, age))
    assert sweep(tmp_path, frozenset({"known"}), before=1000, drafts=False) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".young", "known", "young"]
    assert sweep(tmp_path, frozenset({"known"}), before=1000, drafts=True) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["known", "young"]
    assert sweep(tmp_path / "none", frozenset(), before=1000, drafts=True) == 0
