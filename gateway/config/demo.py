"""The configuration of the demo, as text: the daemon on its embedded defaults (INTERFACE 1)."""

from __future__ import annotations

import json
from pathlib import Path

ACCOUNTS = (
    ("alice", "Alice Liddell", "person"),
    ("bob", "Bob Builder", "person"),
    ("room1", "Room 1", "room"),
)
ROOMS = """
[[policy]]
name  = "rooms"
rules = [{ verdict = "likely", action = "store" }]  # who sends to the demo by hand may book; others must be proven
"""
HOOK_TOKEN = "hook.token"  # noqa: S105 - a file name
PASSWORD = "demo"  # noqa: S105 - the demo's, printed on its first page


def demo_config(
    state_dir: Path,
    *,
    smtp: str = "127.0.0.1:2525",
    web: str = "127.0.0.1:8025",
    settle: str = "3s",
    domain: str = "example.org",
    smarthost: str = "",
) -> str:
    """config.toml of a gateway that needs nothing but itself and sends nothing anywhere."""
    state = state_dir.absolute()
    token = state / HOOK_TOKEN
    told = "  # the calendar server tells at once what was saved"
    hook = f"hook_token_file = {_quoted(str(token))}{told}\n" if token.exists() else ""
    head = f"""\
# The configuration of `imip-gateway demo`, made by the program. A real one begins with config.example.toml.

[gateway]
domains    = [{_quoted(domain)}]
state_dir  = {_quoted(str(state))}
public_url = {_quoted(f"http://{web}")}

[[listener]]
listen = {_quoted(smtp)}

[delivery]
smarthost = {_quoted(smarthost or f"maildir:{state / 'mail'}")}  # letters lie there; nothing leaves the machine

[trust]
trusted_networks_are = "likely"  # mail that you send to the demo by hand carries no Authentication-Results

[watch]
interval = "5s"
settle   = {_quoted(settle)}  # short, so that a change shows at once

[web]
listen = {_quoted(web)}
{hook}
[[server]]
name = "main"
url  = "embedded:radicale"
"""
    return head + "".join(_account(*one, domain) for one in ACCOUNTS) + ROOMS


def _account(user: str, name: str, kind: str, domain: str) -> str:
    booking = 'policy   = "rooms"  # it answers by itself\n'
    return f"""
[[account]]
address  = {_quoted(f"{user}@{domain}")}
name     = {_quoted(name)}
kind     = {_quoted(kind)}
username = {_quoted(user)}
password = {_quoted(PASSWORD)}
{booking if kind == "room" else ""}"""


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


__all__ = ["HOOK_TOKEN", "PASSWORD", "demo_config"]
