"""`submit`: one mail on standard input into the spool; works while the daemon is down (SPEC 1.2).

Imports nothing heavy: a mail server starts this program once per mail.
"""

from __future__ import annotations

import argparse
import sys

from gateway import config as configuration
from gateway.cli.show import config_option, load
from gateway.store import spool

OK, USAGE, DATA, NO_USER, AGAIN = 0, 64, 65, 67, 75


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    parser.add_argument(
        "-f", dest="sender", default="", metavar="SENDER", help="envelope sender; <> for null"
    )
    parser.add_argument("--strict", action="store_true", help="end with 67 when no recipient is known here")
    parser.add_argument("recipients", nargs="+", metavar="RECIPIENT")


def run(arguments: argparse.Namespace) -> int:
    """Spool and fsync, then say what the mail server should do (sysexits)."""
    if not all(map(_is_word, arguments.recipients)):
        sys.stderr.write("imip-gateway submit: a recipient is empty or holds control characters\n")
        return USAGE
    config = load(arguments)
    limit = config.limits.mail
    content = sys.stdin.buffer.read(limit + 1)
    if not content.strip():
        sys.stderr.write("imip-gateway submit: no mail on standard input\n")
        return DATA
    if len(content) > limit:
        sys.stderr.write("imip-gateway submit: mail too large\n")
        return DATA
    if arguments.strict:
        accounts = configuration.accounts_of(config)
        unknown = [one for one in arguments.recipients if accounts.find(one) is None]
        if len(unknown) == len(arguments.recipients):
            sys.stderr.write("imip-gateway submit: no such recipient\n")
            return NO_USER
    try:
        spool.write(
            config.gateway.state_dir,
            sender=arguments.sender.strip("<>"),
            recipients=tuple(arguments.recipients),
            content=content,
        )
    except OSError as error:
        sys.stderr.write(f"imip-gateway submit: {error.strerror}\n")
        return AGAIN
    return OK


def _is_word(recipient: str) -> bool:
    """What the spool can hold. Dovecot's script sockets lose the arguments behind an empty one."""
    return bool(recipient.strip("<> ")) and recipient.isprintable()
