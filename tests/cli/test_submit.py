"""`submit`: what a mail server learns from its exit code, and what lies in the spool afterwards."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import submit

CONFIG = """
[gateway]
domains = ["example.org"]
state_dir = "{state}"

[limits]
mail = "1KB"

[[listener]]
max_message = "1KB"

[[account]]
address = "alice@example.org"
"""
MAIL = b"From: carol@example.com\n\nHello\n"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`submit` with these words and this mail; exit code and the spooled heads."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(state=tmp_path / "state"))

    def run(*words: str, mail: bytes = MAIL) -> tuple[int, list[dict[str, Any]]]:
        parser = argparse.ArgumentParser()
        submit.arguments(parser)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(mail)))
        code = submit.run(parser.parse_args(["-c", str(config), *words]))
        spool = tmp_path / "state" / "spool"
        files = sorted(spool.iterdir()) if spool.is_dir() else []
        return code, [json.loads(one.read_bytes().split(b"\n")[0]) for one in files]

    return run


def test_a_mail_is_in_the_spool_when_submit_says_yes(call: Any) -> None:
    code, spooled = call("-f", "carol@example.com", "alice@example.org", "bob@example.org")
    assert code == submit.OK
    assert [(one["sender"], one["recipients"]) for one in spooled] == [
        ("carol@example.com", ["alice@example.org", "bob@example.org"])
    ]


@pytest.mark.parametrize("sender", ["", "<>"])
def test_the_null_sender_may_be_written_in_both_ways(call: Any, sender: str) -> None:
    code, spooled = call("-f", sender, "alice@example.org")
    assert (code, spooled[0]["sender"]) == (submit.OK, "")


def test_a_sender_in_brackets_is_the_sender(call: Any) -> None:
    assert call("-f", "<carol@example.com>", "alice@example.org")[1][0]["sender"] == "carol@example.com"


@pytest.mark.parametrize("recipient", ["", "<>", " ", "alice@example.org\nX: y", "alice\udcff@example.org"])
def test_a_recipient_that_is_none_is_refused_before_the_spool(call: Any, recipient: str) -> None:
    assert call("-f", "carol@example.com", "bob@example.org", recipient) == (submit.USAGE, [])


@pytest.mark.parametrize("mail", [b"", b"\n\n", b"From: a@b\n\n" + b"x" * 1000])
def test_no_mail_or_too_much_of_it_is_bad_data(call: Any, mail: bytes) -> None:
    assert call("alice@example.org", mail=mail) == (submit.DATA, [])


def test_an_unknown_recipient_is_an_error_only_when_asked(call: Any) -> None:
    assert call("--strict", "nobody@example.org") == (submit.NO_USER, [])
    assert call("--strict", "nobody@example.org", "alice@example.org")[0] == submit.OK
    assert call("nobody@example.org")[0] == submit.OK


def test_a_spool_that_cannot_be_written_means_try_again(call: Any, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    assert call("alice@example.org")[0] == submit.AGAIN
