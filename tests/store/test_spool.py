from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gateway.errors import MalformedMail, QueueFull
from gateway.store import spool
from gateway.store.spool import SpoolError, SpoolReader

LEASE = timedelta(minutes=5)


class Door:
    """Remembers what is handed over; refuses what it is told to."""

    def __init__(self, refuse: dict[str, Exception] | None = None) -> None:
        self.mails = []
        self.refuse = refuse or {}

    async def accept(self, mail) -> str:
        if error := self.refuse.get(mail.envelope.sender):
            raise error
        self.mails.append(mail)
        return "job"


def put(
    state_dir: Path, sender: str = "bob@example.com", content: bytes = b"Subject: x\n\nhello\n", to=("a@b.c",)
):
    return spool.write(state_dir, sender=sender, recipients=to, content=content)


async def test_a_spooled_mail_is_handed_over_as_submitted_and_trusted(tmp_path) -> None:
    put(tmp_path, to=("alice@example.org", "bob@example.org"))
    door = Door()
    assert await SpoolReader(tmp_path, "here").take(door) == 1
    (mail,) = door.mails
    assert (mail.peer.protocol, mail.peer.trusted, mail.peer.role) == ("submit", True, "incoming")
    assert [one.address for one in mail.envelope.recipients] == ["alice@example.org", "bob@example.org"]
    assert not mail.envelope.smtputf8
    received, rest = mail.content.split(b"\r\n", 1)
    assert received.startswith(b"Received: by here (imip-gateway) with local; ")
    assert rest == b"Subject: x\r\n\r\nhello\r\n"
    assert list((tmp_path / "spool").iterdir()) == []


async def test_the_oldest_is_handed_over_first(tmp_path) -> None:
    for number in range(5):
        put(tmp_path, f"{number}@x.y")
    door = Door()
    await SpoolReader(tmp_path).take(door)
    assert sorted(one.envelope.sender for one in door.mails) == [f"{n}@x.y" for n in range(5)]
    assert [path.name for path in sorted((tmp_path / "spool").iterdir())] == []


async def test_a_mail_stays_in_the_spool_until_its_commit(tmp_path) -> None:
    put(tmp_path, "full@x.y")
    put(tmp_path, "fine@x.y")
    reader, door = SpoolReader(tmp_path), Door({"full@x.y": QueueFull()})
    with pytest.raises(QueueFull):
        await reader.take(door)
    assert reader.waiting()
    door.refuse.clear()
    assert await reader.take(door) == 1
    assert not reader.waiting()
    assert [one.envelope.sender for one in door.mails] == ["fine@x.y", "full@x.y"]


async def test_a_crash_between_commit_and_removal_makes_no_second_job(tmp_path, store, state_dir) -> None:
    path = put(state_dir)
    kept = path.read_bytes()
    reader = SpoolReader(state_dir)
    await reader.take(store.intake)
    path.write_bytes(kept)  # we died before the file was gone
    await reader.take(store.intake)
    assert len(await store.queue.claim("w", limit=9, lease=LEASE)) == 1
    assert not reader.waiting()


async def test_a_spooled_mail_is_queued_while_its_folder_is_empty_after(store, state_dir) -> None:
    put(state_dir, content=b"x" * 1_000_000)
    await SpoolReader(state_dir).take(store.intake)
    (job,) = await store.queue.claim("w", limit=9, lease=LEASE)
    assert len(job.file or job.body) > 1_000_000
    assert list((state_dir / "spool").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        b"{}\nmail",
        b"[]\nmail",
        b'{"sender": "a@b", "recipients": "c@d", "written": 1, "size": 4}\nmail',
        b'{"sender": "a@b", "recipients": [], "written": 1, "size": 4}\nmail',
        b'{"sender": "a@b", "recipients": ["c@d\\n"], "written": 1, "size": 4}\nmail',
        b'{"sender": "a@b", "recipients": ["\\udc80@d"], "written": 1, "size": 4}\nmail',
        b'{"sender": 1, "recipients": ["c@d"], "written": 1, "size": 4}\nmail',
        b'{"sender": "a@b", "recipients": ["c@d"], "written": 1e300, "size": 4}\nmail',
        b'{"sender": "a@b", "recipients": ["c@d"], "written": 1, "size": 5}\nmail',
        b"[" * 100_000,
    ],
)
async def test_a_malformed_file_is_set_aside_and_stops_no_other(tmp_path, content) -> None:
    put(tmp_path)
    (tmp_path / "spool" / "0-bad").write_bytes(content)
    door = Door()
    assert await SpoolReader(tmp_path).take(door) == 1
    assert (tmp_path / "spool" / "bad" / "0-bad").read_bytes() == content
    assert not SpoolReader(tmp_path).waiting()


async def test_a_mail_that_the_door_refuses_for_good_is_set_aside(tmp_path) -> None:
    put(tmp_path, "odd@x.y")
    assert await SpoolReader(tmp_path).take(Door({"odd@x.y": MalformedMail()})) == 0
    assert len(list((tmp_path / "spool" / "bad").iterdir())) == 1


async def test_nothing_but_a_plain_file_is_read(tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(put(tmp_path).read_bytes())
    folder = tmp_path / "spool"
    (folder / "1-link").symlink_to(secret)
    (folder / "2-folder").mkdir()
    os.mkfifo(folder / "3-pipe")
    door = Door()
    assert await SpoolReader(tmp_path).take(door) == 1
    assert sorted(path.name for path in (folder / "bad").iterdir()) == ["1-link", "2-folder", "3-pipe"]
    assert secret.exists()


async def test_a_half_written_file_is_not_seen_and_goes_after_a_day(tmp_path) -> None:
    put(tmp_path)
    hidden = tmp_path / "spool" / ".half"
    hidden.write_bytes(b"{")
    reader = SpoolReader(tmp_path)
    assert await reader.take(Door()) == 1
    assert hidden.exists()
    assert not reader.waiting()
    os.utime(hidden, (1, 1))
    assert not reader.waiting()
    assert not hidden.exists()


def test_a_spooled_file_is_ours_alone(tmp_path) -> None:
    path = put(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_in_a_folder_of_a_group_the_group_may_read(tmp_path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool").chmod(0o2770)
    assert stat.S_IMODE(put(tmp_path).stat().st_mode) == 0o640


def test_two_files_never_share_a_name(tmp_path) -> None:
    assert len({put(tmp_path).name for _ in range(50)}) == 50


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "no space")

    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        put(tmp_path)
    assert list((tmp_path / "spool").iterdir()) == []


def test_an_empty_or_missing_spool_waits_for_nothing(tmp_path) -> None:
    assert not SpoolReader(tmp_path).waiting()


@pytest.mark.parametrize(
    ("piped", "queued"),
    [
        (b"From bob Mon Mar 1\nSubject: x\n\ny\n", b"Subject: x\r\n\r\ny\r\n"),
        (b"Subject: x\r\n\r\ny\r\n", b"Subject: x\r\n\r\ny\r\n"),
        (b"Subject: x\r\r\n\ry", b"Subject: x\r\n\r\ny"),
    ],
)
async def test_whatever_the_pipe_gave_the_queue_holds_crlf(tmp_path, piped, queued) -> None:
    put(tmp_path, content=piped)
    door = Door()
    await SpoolReader(tmp_path).take(door)
    assert door.mails[0].content.split(b"\r\n", 1)[1] == queued


async def test_an_address_beyond_ascii_is_smtputf8(tmp_path) -> None:
    put(tmp_path, to=("jürgen@example.org",))
    door = Door()
    await SpoolReader(tmp_path).take(door)
    assert door.mails[0].envelope.smtputf8


@given(
    some.binary(max_size=200)
    | some.builds(
        lambda value: json.dumps(value).encode() + b"\nx",
        some.recursive(
            some.none() | some.booleans() | some.floats() | some.text(max_size=5) | some.integers(),
            lambda inner: (
                some.lists(inner, max_size=3)
                | some.dictionaries(
                    some.sampled_from(["sender", "recipients", "written", "size"]), inner, max_size=4
                )
            ),
            max_leaves=6,
        ),
    )
)
def test_any_bytes_are_a_mail_or_the_one_error(content: bytes) -> None:
    head, newline, rest = content.partition(b"\n")
    try:
        mail = SpoolReader(Path("/nowhere"), "here")._mail(head + newline, rest)
    except SpoolError:
        return
    assert mail.envelope.recipients


def test_submitting_imports_nothing_heavy() -> None:
    script = (
        "import sys; from gateway.store import spool; "
        "print(sorted(sys.modules.keys() & {'sqlalchemy', 'asyncio', 'dataclasses', 'logging', 'email', 'gateway.ports'}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
