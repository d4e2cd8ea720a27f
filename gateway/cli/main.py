"""The command `imip-gateway`: finds the command's file, runs it, and ends with a sysexits code."""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

from gateway import __version__
from gateway.errors import ConfigError, GatewayError

OK, USAGE, DATA, UNAVAILABLE, BUG, AGAIN, CONFIG = 0, 64, 65, 69, 70, 75, 78


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    about: str
    module: str = ""  # "" : comes with a later release


COMMANDS = {
    "serve": Command(about="the daemon, in the foreground; logs to stderr", module="serve"),
    "demo": Command(about="the daemon with a calendar server and three accounts, to try it", module="demo"),
    "check": Command(about="every error of the configuration at once", module="check"),
    "doctor": Command(
        about="per account: addresses, calendars, who sends, and what is wrong", module="doctor"
    ),
    "submit": Command(about="one mail on standard input into the spool", module="submit"),
    "explain": Command(about="decide on a mail offline, write nothing", module="explain"),
    "replay": Command(about="an mbox, Maildir or folder through explain", module="replay"),
    "why": Command(about="the story of a Message-ID, UID or job", module="why"),
    "queue": Command(about="what waits: list, show, retry, release, drop, stats", module="queue"),
    "held": Command(about="what waits for a person: list, approve, refuse", module="held"),
    "proposal": Command(about="other times that guests propose: list, accept, decline", module="proposal"),
    "links": Command(about="the links of a meeting's letters: revoke", module="links"),
    "retract": Command(about="take back what a mail did"),
    "sync": Command(about="one watch round of every collection, now", module="sync"),
    "drain": Command(about="wait until nothing is due or running", module="drain"),
    "db": Command(about="the database: upgrade, version", module="db"),
    "templates": Command(about="letters and pages: list, copy, preview", module="templates"),
    "version": Command(about="print the version"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns a sysexits code (INTERFACE 2)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return OK if words else USAGE
    name, rest = words[0], words[1:]
    if name in ("version", "--version"):
        sys.stdout.write(f"imip-gateway {__version__}\n")
        return OK
    command = COMMANDS.get(name)
    if command is None:
        sys.stderr.write(f"imip-gateway: no command {name!r}; `imip-gateway help` lists them\n")
        return USAGE
    if not command.module:
        sys.stderr.write(f"imip-gateway: `{name}` ({command.about}) comes with a later release\n")
        return UNAVAILABLE
    return _run(name, command, rest)


def _run(name: str, command: Command, rest: Sequence[str]) -> int:
    module = importlib.import_module(f"gateway.cli.{command.module}")
    parser = argparse.ArgumentParser(
        prog=f"imip-gateway {name}", description=command.about.capitalize() + "."
    )
    parser.exit_on_error = False
    module.arguments(parser)
    try:
        arguments = parser.parse_args(rest)
    except argparse.ArgumentError as error:
        sys.stderr.write(f"imip-gateway {name}: {error}\n")
        return USAGE
    except SystemExit as end:
        return OK if end.code in (0, None) else USAGE
    try:
        return int(module.run(arguments))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"imip-gateway: {problem}\n")
        return CONFIG
    except GatewayError as error:
        sys.stderr.write(f"imip-gateway {name}: {error.detail}\n")
        return AGAIN if error.temporary else UNAVAILABLE
    except BrokenPipeError:
        return OK
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"imip-gateway {name}: {place}{error.strerror or error}\n")
        return UNAVAILABLE
    except Exception:  # INTERFACE 2: a bug has a code of its own, and says where it is
        traceback.print_exc()
        return BUG


def overview() -> str:
    """The list of commands, for `help`."""
    rows = [f"  {name:<10} {command.about}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "imip-gateway: meeting invitations by e-mail for any mail server and any CalDAV server",
            "",
            *rows,
            "",
        ]
    )
