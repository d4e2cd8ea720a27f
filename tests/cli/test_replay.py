"""`replay`: old mail of three kinds of boxes, each mail on what those before it have left."""

from __future__ import annotations

import argparse
import json
import mailbox
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import replay

CONFIG = """
[gateway]
domains = ["example.org"]
state_dir = "{state}"

[trust]
authserv_ids = ["mx.example.org"]

[[account]]
address = "alice@example.org"
"""
RESULT = "Authentication-Results: mx.example.org; dmarc=pass header.from=example.net\r\n"


def mail(method: str, *, sequence: int, day: int, status: str = "CONFIRMED", result: str = RESULT) -> bytes:
    """One of bob's mails about a meeting of 2020."""
    return (
        f"{result}Received: from a by mx.example.org; {day} Mar 2020 10:00:00 +0000\r\n"
        f"From: bob@example.net\r\nTo: alice@example.org\r\nDate: {day} Mar 2020 10:00:00 +0000\r\n"
        f"Message-ID: <{day}@example.net>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/calendar; method={method}; charset=UTF-8\r\n\r\n"
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:m1\r\n"
        f"DTSTAMP:202003{day:02}T100000Z\r\nSEQUENCE:{sequence}\r\nDTSTART:20200401T0{sequence + 1}0000Z\r\n"
        f"DTEND:20200401T0{sequence + 2}0000Z\r\nSUMMARY:Tea\r\nSTATUS:{status}\r\nORGANIZER:mailto:bob@example.net\r\n"
        "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


STORY = (
    mail("REQUEST", sequence=0, day=1),
    mail("REQUEST", sequence=1, day=2),
    mail("REQUEST", sequence=0, day=3),  # late
    mail("CANCEL", sequence=2, day=4, status="CANCELLED"),
    mail("REQUEST", sequence=3, day=5, result=""),  # nobody vouches for it
    b"From: carol@example.com\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nno meeting\r\n",
)
REASONS = [
    "invitation-stored",
    "invitation-rescheduled",
    "older-sequence",
    "meeting-cancelled",
    "not-authenticated",
    "no-calendar-part",
]


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """`replay` with these words; exit code, output, complaints."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(state=tmp_path / "state"))

    def run(*words: str) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        replay.arguments(parser)
        capsys.readouterr()
        code = replay.run(parser.parse_args(["-c", str(config), *words]))
        return code, *capsys.readouterr()

    return run


def in_mbox(folder: Path) -> Path:
    box = mailbox.mbox(folder / "box")
    for one in STORY:
        box.add(one)
    box.close()
    return folder / "box"


def in_maildir(folder: Path) -> Path:
    (folder / "box" / "cur").mkdir(parents=True)
    (folder / "box" / "new").mkdir()
    for number, one in enumerate(STORY):
        (folder / "box" / ("cur" if number % 2 else "new") / f"158305{number}000.x:2,").write_bytes(one)
    return folder / "box"


def in_folder(folder: Path) -> Path:
    (folder / "box" / "2020").mkdir(parents=True)
    for number, one in enumerate(STORY):
        (folder / "box" / "2020" / f"{number}.eml").write_bytes(one)
    return folder / "box"


@pytest.mark.parametrize("box", [in_mbox, in_maildir, in_folder])
def test_each_mail_meets_what_those_before_it_have_left(call: Any, tmp_path: Path, box: Any) -> None:
    code, out, _ = call("--json", str(box(tmp_path)))
    stories = json.loads(out)
    assert code == 0
    assert [one["reason"] for story in stories for one in story["messages"]] == REASONS
    assert len(stories) == len(STORY)


def test_the_table_counts_outcomes(call: Any, tmp_path: Path) -> None:
    _, out, _ = call(str(in_folder(tmp_path)))
    heading, *rows, last = out.splitlines()
    assert heading.split() == ["COUNT", "OUTCOME", "REASON", "METHOD"]
    assert ["1", "applied", "meeting-cancelled", "CANCEL"] in [line.split() for line in rows]
    assert sorted(line.split()[2] for line in rows) == sorted(REASONS)
    assert last == "6 mails, 0 letters in answer"


def test_nothing_is_written(call: Any, tmp_path: Path) -> None:
    box = in_maildir(tmp_path)
    before = {one: one.stat().st_mtime_ns for one in box.rglob("*")}
    call(str(box))
    assert {one: one.stat().st_mtime_ns for one in box.rglob("*")} == before
    assert not (tmp_path / "state").exists()


def test_one_mail_is_a_box_of_one(call: Any, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(STORY[0])
    _, out, _ = call("--json", str(tmp_path / "one.eml"))
    assert [one["reason"] for story in json.loads(out) for one in story["messages"]] == REASONS[:1]


def test_whose_calendar_can_be_said(call: Any, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(STORY[0].replace(b"To: alice", b"To: list"))
    (told,) = json.loads(call("--json", str(tmp_path / "one.eml"))[1])[0]["messages"]
    assert told["reason"] == "unknown-recipient"
    _, out, _ = call("--json", "--as", "alice@example.org", str(tmp_path / "one.eml"))
    assert json.loads(out)[0]["messages"][0]["outcome"] == "applied"


def test_what_is_not_there_or_empty_is_said(call: Any, tmp_path: Path) -> None:
    code, _, complaint = call(str(tmp_path / "nowhere"))
    assert code == 66 and "No such file" in complaint
    (tmp_path / "empty").mkdir()
    code, _, complaint = call(str(tmp_path / "empty"))
    assert code == 66 and "no mail" in complaint


def test_a_mail_that_cannot_be_read_is_one_outcome(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gateway.errors import MalformedMail
    from gateway.imip import read

    def fail(*_: Any) -> None:
        raise MalformedMail("malformed-mail")

    monkeypatch.setattr(read, "read", fail)
    (tmp_path / "one.eml").write_bytes(STORY[0])
    _, out, _ = call("--json", str(tmp_path / "one.eml"))
    assert [one["reason"] for one in json.loads(out)[0]["messages"]] == ["malformed-mail"]
