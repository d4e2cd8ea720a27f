"""Conversations, word for word: each file of dialogs/ is played against a real listener.

`#` says why, `! key value` is a setting, `c:` a client's line, `r:` raw client bytes with escapes, `s:` a line that the server must
say (`...` at its end: anything), `eof` half-closes, `closed` waits for the server to hang up; `mail: SENDER -> RCPT, RCPT` and
`body: ESCAPED` check the next mail in the queue. Client lines that follow each other leave in one write.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

SETTINGS = {"max_message": int, "max_recipients": int, "max_errors": int, "max_line": int}
FLAGS = {"auth_required", "offer_dsn", "offer_smtputf8", "offer_8bitmime"}


def _settings(lines: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        if line.startswith("! "):
            key, _, value = line[2:].partition(" ")
            if key in FLAGS:
                found[key] = value == "true"
            elif key == "trusted_networks":
                found[key] = tuple(value.split())
            else:
                found[key] = SETTINGS.get(key, str)(value)
    return found


def _bytes(text: str) -> bytes:
    """A line with Python's escapes: bytes, or UTF-8 when it holds anything else than ASCII."""
    value = ast.literal_eval(f"b'''{text}'''" if text.isascii() else f"'''{text}'''")
    return value if isinstance(value, bytes) else str(value).encode()


async def test_the_dialog_goes_as_written(dialog: Path, start: Any, tmp_path: Path) -> None:
    lines = [line for line in dialog.read_text().splitlines() if line.strip()]
    assert lines[0].startswith("# "), "a dialog begins with the sentence that says why it exists"
    settings = _settings(lines)
    if settings.get("listen") == "unix":
        settings["listen"] = f"unix:{tmp_path}/socket"
    bench = await start(**settings)
    client = await bench.connect()
    waiting = b""
    stored = -1
    for number, line in enumerate(lines, 1):
        where = f"{dialog.name}: {line!r} (line {number} of those not empty)"
        kind, _, rest = line.partition(" ")
        if kind == "c:":
            waiting += rest.encode() + b"\r\n"
            continue
        if kind == "r:":
            waiting += _bytes(rest)
            continue
        if waiting:
            await client.send(waiting)
            waiting = b""
        if kind == "s:":
            said = await client.line()
            assert said.startswith(rest[:-3]) if rest.endswith("...") else said == rest, f"{where}: {said!r}"
        elif kind == "eof":
            client.writer.write_eof()
        elif kind == "closed":
            assert await client.rest() == b"", where
        elif kind == "mail:":
            stored += 1
            envelope = bench.mails[stored].envelope
            assert (
                f"{envelope.sender or '<>'} -> {', '.join(r.address for r in envelope.recipients)}"
                == rest.strip()
            ), where
        elif kind == "body:":
            assert bench.body(stored) == _bytes(rest), where
        else:
            assert kind in ("#", "!"), where
    assert len(bench.mails) == stored + 1, f"{dialog.name}: mails that the dialog does not name"
