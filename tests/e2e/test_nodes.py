"""Several processes, and several nodes on one PostgreSQL: killed, replaced, reloaded; every mail has its effect once."""

from __future__ import annotations

import os
import signal
import smtplib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

START = (datetime.now(UTC) + timedelta(days=30)).replace(hour=10, minute=0, second=0, microsecond=0)


def invitation(uid: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "carol@example.com", "alice@example.org", "Invitation"
    mail["Message-ID"], mail["Date"] = f"<{uid}>", "Sat, 21 Nov 2026 10:00:00 +0000"
    mail.set_content("See the calendar part.")
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Example//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:{START:%Y%m%dT%H%M%SZ}\r\nDTSTART:{START:%Y%m%dT%H%M%SZ}\r\nDURATION:PT1H\r\n"
        "SUMMARY:Talk\r\nORGANIZER:mailto:carol@example.com\r\nATTENDEE;RSVP=TRUE:mailto:alice@example.org\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    mail.add_alternative(
        text.encode(), maintype="text", subtype="calendar", params={"method": "REQUEST", "charset": "utf-8"}
    )
    return mail


def children(gateway: Any) -> list[int]:
    pid = gateway.process.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(check: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def database(postgresql: Any) -> Iterator[str]:
    name = postgresql.create()
    yield postgresql.url(name)
    postgresql.drop(name)


@pytest.fixture
def nodes(start: Callable[..., Any], database: str, tmp_path: Path) -> tuple[Any, Any]:
    """Two daemons of two processes each, one database, one calendar server, one way out."""
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    general = f'database_url = "{database}"\nprocesses = 2\nsecret_key_file = "{key}"'
    first = start("first", general=general, maildir=tmp_path / "mail")
    second = start("second", general=general, maildir=tmp_path / "mail", radicale=first.radicale)
    first.settle()
    return first, second


def sent_to(nodes: tuple[Any, Any], names: list[str]) -> None:
    """Each mail to one of the nodes, several at once; a refused connection or a lost answer is tried at the other."""

    def send(number: int) -> None:
        for turn in range(20):
            try:
                nodes[(number + turn) % 2].post(invitation(names[number]), "alice@example.org")
            except (OSError, smtplib.SMTPException):
                time.sleep(0.3)
                continue
            return
        raise AssertionError("no node took the mail")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(len(names))))


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_every_mail_has_its_effect_once(nodes: tuple[Any, Any]) -> None:
    first, second = nodes
    names = [f"talk-{number}@example.com" for number in range(30)]
    before = children(first)
    assert len(before) == 2
    sent_to(nodes, names[:10])
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    sent_to(nodes, names[10:20])
    second.stop(signal.SIGKILL)  # a whole node, without a word
    sent_to((first, first), names[20:])
    until(lambda: len(children(first)) == 2 and not set(children(first)) & set(before))
    first.run("drain", "--timeout", "120")
    stored = "".join(first.objects("alice").values())
    assert [stored.count(f"UID:{name}\n") for name in names] == [1] * 30
    assert len(first.objects("alice")) == 30
    stories = [[line["outcome"] for line in first.json("why", name) if line["uid"]] for name in names]
    assert stories == [["applied"]] * 30
    assert first.json("queue", "stats")["buried"] == 0


@pytest.mark.slow
def test_the_children_of_a_killed_parent_end(nodes: tuple[Any, Any]) -> None:
    first, _ = nodes
    orphans = children(first)
    first.stop(signal.SIGKILL)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    first.start()
    assert len(children(first)) == 2


def test_a_rolling_reload_loses_no_mail(nodes: tuple[Any, Any]) -> None:
    first, _ = nodes
    before = set(children(first))
    first.config.write_text(first.config.read_text() + "\n[log]\nlevel = 'debug'\n")
    first.process.send_signal(signal.SIGHUP)
    names = [f"roll-{number}@example.com" for number in range(12)]
    sent_to((first, first), names)  # who is hung up on while he says hello comes again, as a mail server does
    until(lambda: len(children(first)) == 2 and not set(children(first)) & before)
    first.run("drain", "--timeout", "120")
    stored = "".join(first.objects("alice").values())
    assert [stored.count(f"UID:{name}\n") for name in names] == [1] * 12


@pytest.mark.slow
def test_a_bad_configuration_replaces_nobody(nodes: tuple[Any, Any]) -> None:
    first, _ = nodes
    before = children(first)
    first.config.write_text(first.config.read_text() + "\n[nonsense]\n")
    first.process.send_signal(signal.SIGHUP)
    until(lambda: "not reloaded" in first.log.read_text())
    assert children(first) == before


@pytest.mark.slow
def test_the_figures_of_all_processes_are_on_one_page(nodes: tuple[Any, Any]) -> None:
    first, _ = nodes
    until(
        lambda: (
            'process="1"' in (page := httpx.get(f"http://127.0.0.1:{first.web}/metrics").text)
            and 'process="0"' in page
        )
    )
