"""Mail into files."""

from __future__ import annotations

import mailbox
from pathlib import Path

from gateway.ports import OutgoingMail
from gateway.smtp.client import SenderSettings
from gateway.smtp.destination import parse_destination
from gateway.smtp.sender import ClosableSmarthost, open_smarthost

MAIL = OutgoingMail(
    sender="bounce@example.org", recipient="bob@example.net", content=b"Subject: x\r\n\r\n.dot\r\n"
)


def _open(path: Path, hostname: str = "localhost") -> ClosableSmarthost:
    return open_smarthost(SenderSettings(destination=parse_destination(f"maildir:{path}"), hostname=hostname))


async def test_a_mail_becomes_one_whole_file_in_new(tmp_path: Path) -> None:
    sent = await _open(tmp_path / "box").send(MAIL)
    (file,) = (tmp_path / "box" / "new").iterdir()
    assert (sent.state, sent.text) == ("sent", file.name)
    assert file.read_bytes() == (
        b"Return-Path: <bounce@example.org>\r\nDelivered-To: bob@example.net\r\n" + MAIL.content
    )
    assert not list((tmp_path / "box" / "tmp").iterdir())
    (mail,) = mailbox.Maildir(str(tmp_path / "box"))
    assert mail["Subject"] == "x"


async def test_names_are_unique_and_stay_in_the_folder(tmp_path: Path) -> None:
    box = _open(tmp_path / "box", hostname="a/../b:c")
    names = {(await box.send(MAIL)).text for _ in range(20)}
    assert len(names) == 20
    assert len(list((tmp_path / "box" / "new").iterdir())) == 20


async def test_a_disk_that_says_no_defers(tmp_path: Path) -> None:
    (tmp_path / "box").write_text("a file, not a folder")
    assert (await _open(tmp_path / "box").send(MAIL)).state == "deferred"


async def test_an_address_cannot_write_headers(tmp_path: Path) -> None:
    bad = OutgoingMail(sender="", recipient="bob@example.net\r\nX: y", content=b"")
    assert (await _open(tmp_path / "box").send(bad)).state == "failed"
