"""A conversation in SMTP or LMTP: the commands, in order, and what is answered (RFC 5321 4.1, 2033)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

from gateway.ports import Peer, Recipient
from gateway.smtp import replies, sasl
from gateway.smtp.data import Collector
from gateway.smtp.grammar import split_path
from gateway.smtp.handover import hand_over, refused, reply_to
from gateway.smtp.incoming import Incoming
from gateway.smtp.parameters import mail_parameters, rcpt_parameters
from gateway.smtp.transaction import Transaction
from gateway.smtp.wire import WINDOW, HangUp, Wire

T = TypeVar("T")

_MAX_COMMAND = 4096  # RFC 5321 4.5.3.1.4 asks for 512, and the extensions add to it
_MAX_NAME = 255
_MAX_AUTH = 12_288  # RFC 4954 4
_GROUPED = frozenset(
    {"MAIL", "RCPT", "RSET"}
)  # RFC 2920 3.2 (2): replies that may wait for those of the group
_FORBIDDEN = frozenset({"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT"})  # browsers made to speak to us
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


async def _settle(answer: T | Awaitable[T]) -> T:
    return await answer if inspect.isawaitable(answer) else answer


class GatewaySMTP(Wire):
    """One client. Every command method returns its reply; None: it has replied itself."""

    _helo = ""
    _extended = False
    _user = ""
    _errors = 0

    async def converse(self) -> None:
        settings = self.desk.settings
        await self.push(f"220 {settings.hostname} {'LMTP' if self._lmtp else 'ESMTP'}")
        while True:
            line = await self.read_line(_MAX_COMMAND if not self._waits_for_auth else _MAX_AUTH)
            verb, reply = await self._answer(line)
            if reply and not (verb in _GROUPED and self.hold(reply)):
                await self.push(reply)
            if self._errors >= settings.max_errors:
                await self.push(replies.TOO_MANY_ERRORS)
                return
            if self.desk.closing and self.transaction.sender is None:
                await self.push(replies.SHUTTING_DOWN)
                return

    @property
    def _lmtp(self) -> bool:
        return self.desk.settings.protocol == "lmtp"

    @property
    def peer(self) -> Peer:
        """Who speaks, as the queue will know him."""
        settings = self.desk.settings
        return Peer(
            role=settings.role,
            protocol=settings.protocol,
            address=self.address,
            trusted=self.trusted,
            user=self._user,
            helo=self._helo,
            tls=self.tls,
            after=settings.after,
            relay_to=settings.relay_to,
            evidence=settings.evidence,
        )

    # --- one line ---

    async def _answer(self, line: bytes | None) -> tuple[str, str | None]:
        """Read a line as a command, carry it out; verb and reply."""
        if line is None:
            return "", self._wrong(replies.LINE_TOO_LONG)
        # RFC 5321 2.3.8: a lone LF ends nothing; silence would leave the client waiting.
        if not line.endswith(b"\r\n"):
            return "", self._wrong(replies.BAD_LINE_END)
        try:
            text = line[:-2].decode()
        except UnicodeDecodeError:
            return "", self._wrong(replies.BAD_CHARACTERS)
        if _CONTROL.search(text):
            return "", self._wrong(replies.BAD_CHARACTERS)
        verb, _, argument = text.partition(" ")
        verb = verb.upper()
        if verb in _FORBIDDEN:
            await self.push(replies.NOT_SMTP)
            raise HangUp
        method = (_LMTP if self._lmtp else _SMTP).get(verb)
        if method is None:
            return "", self._wrong(replies.NOT_IMPLEMENTED if verb in _KNOWN else replies.UNKNOWN_COMMAND)
        return verb, await self._carry_out(method, argument.strip(" "))

    async def _carry_out(
        self, method: Callable[[GatewaySMTP, str], Awaitable[str | None]], argument: str
    ) -> str | None:
        try:
            return await method(self, argument)
        except HangUp:
            raise
        except Exception as error:
            if self.transport is None or self.transport.is_closing():
                raise HangUp from error
            reply = reply_to(error)
            self.desk.failed(self.peer, reply, error)
            return reply

    def _wrong(self, reply: str) -> str:
        self._errors += 1
        return reply

    # --- hello ---

    async def do_helo(self, argument: str) -> str:
        return self._hello(argument, extended=False) or f"250 {self.desk.settings.hostname}"

    async def do_ehlo(self, argument: str) -> str:
        """RFC 5321 4.1.1.1; LHLO is the same by another name (RFC 2033 4.1)."""
        return self._hello(argument, extended=True) or replies.multiline(self._extensions())

    def _hello(self, argument: str, *, extended: bool) -> str:
        if not argument or " " in argument:
            return self._wrong(replies.SYNTAX_HELO)
        self.forget()
        self._helo, self._extended = argument[:_MAX_NAME], extended
        return ""

    def _extensions(self) -> list[str]:
        settings = self.desk.settings
        offered = {
            "PIPELINING": True,
            f"SIZE {settings.max_message}": True,
            "8BITMIME": settings.offer_8bitmime,
            "SMTPUTF8": settings.offer_smtputf8,
            "ENHANCEDSTATUSCODES": True,
            "CHUNKING": True,
            "DSN": settings.offer_dsn,
            "STARTTLS": self.desk.tls is not None and not self.tls,
            "AUTH " + " ".join(sasl.MECHANISMS): self._offers_auth and self._may_auth,
        }
        return [settings.hostname, *(name for name, here in offered.items() if here)]

    # --- the transaction ---

    async def do_mail(self, argument: str) -> str:
        """RFC 5321 4.1.1.2."""
        if not self._helo:
            return replies.SAY_HELLO
        if self.transaction.sender is not None:
            return replies.NESTED_MAIL
        if argument[:5].upper() != "FROM:":
            return self._wrong(replies.SYNTAX_MAIL)
        path = split_path(argument[5:].lstrip(" "))
        if path is None or path[0].lower() == "postmaster":
            return self._wrong(replies.BAD_SENDER)
        sender, rest = path
        parameters = mail_parameters(rest, self.desk.settings)
        if isinstance(parameters, str):
            return parameters
        # RFC 6531 3.5
        if not parameters.smtputf8 and not sender.isascii():
            return replies.NEEDS_SMTPUTF8
        if refusal := self._sender_refusal(sender):
            self.desk.refused(self.peer, refusal, "not-authenticated", sender=sender)
            return refusal
        if refusal := self._too_much(parameters.size):
            return refusal
        self.transaction.sender, self.transaction.parameters = sender, parameters
        return replies.SENDER_OK

    def _sender_refusal(self, sender: str) -> str:
        """`outgoing` takes only authenticated or trusted peers whose sender is an account (SPEC 1.1: no open relay)."""
        settings = self.desk.settings
        if settings.role != "outgoing":
            return ""
        if not self._user and (settings.auth_required or not self.trusted):
            return replies.AUTH_REQUIRED if self._offers_auth else replies.NOT_PERMITTED
        return "" if self.desk.callables.may_send(sender, self.peer) else replies.NOT_PERMITTED

    async def do_rcpt(self, argument: str) -> str:
        """RFC 5321 4.1.1.3."""
        transaction = self.transaction
        if transaction.sender is None:
            return replies.NEED_MAIL
        # RFC 3030 2
        if transaction.incoming is not None:
            return replies.BDAT_BEGUN
        if argument[:3].upper() != "TO:":
            return self._wrong(replies.SYNTAX_RCPT)
        path = split_path(argument[3:].lstrip(" "))
        if path is None or not path[0]:
            return self._wrong(replies.BAD_RECIPIENT)
        address, rest = path
        parameters = rcpt_parameters(rest)
        if isinstance(parameters, str):
            return parameters
        if not transaction.parameters.smtputf8 and not address.isascii():
            return replies.NEEDS_SMTPUTF8
        # RFC 5321 4.5.3.1.10
        if len(transaction.promised) >= self.desk.settings.max_recipients:
            return replies.TOO_MANY_RECIPIENTS
        known = await self._is_known(address)
        if not known and self.desk.settings.unknown_recipients != "accept":
            self.desk.refused(self.peer, replies.UNKNOWN_RECIPIENT, "unknown-recipient", recipient=address)
            return replies.UNKNOWN_RECIPIENT
        recipient = Recipient(address=address, orcpt=parameters.orcpt, notify=parameters.notify)
        transaction.take(recipient, known=known)
        return replies.RECIPIENT_OK

    async def _is_known(self, address: str) -> bool:
        """`incoming` takes what is ours; `outgoing` is for the world."""
        if self.desk.settings.role == "outgoing":
            return True
        return await _settle(self.desk.callables.known(address))

    async def do_data(self, argument: str) -> str:
        """RFC 5321 4.1.1.4; without an accepted recipient it is 503 (RFC 2033 4.2, RFC 2920 3.2)."""
        if argument:
            return self._wrong(replies.NO_ARGUMENT)
        transaction = self.transaction
        if transaction.sender is None:
            return replies.NEED_MAIL
        if not transaction.promised:
            return replies.NEED_RCPT
        # RFC 3030 2
        if transaction.incoming is not None:
            return replies.BDAT_BEGUN
        if refusal := self._too_much(1):
            return refusal
        await self.push(replies.GO_AHEAD)
        incoming = self._incoming(transaction)
        await self.read_mail(Collector(self.desk.settings.max_message), incoming.take)
        return await self._take(transaction, incoming)

    async def do_bdat(self, argument: str) -> str | None:
        """RFC 3030 2: so many octets follow, whatever we think of them; a size that is none leaves no way back to commands."""
        size, _, word = argument.partition(" ")
        last = word.upper() == "LAST"
        most = self.desk.settings.max_message
        if (
            not (size.isascii() and size.isdigit())
            or len(size) > 20
            or (word and not last)
            or int(size) > 4 * most
        ):
            await self.push(replies.SYNTAX_BDAT)
            raise HangUp
        transaction = self.transaction
        if refusal := self._bdat_refusal():
            await self._chunk(int(size), None)
            return refusal
        incoming = self._incoming(transaction)
        await self._chunk(int(size), incoming)
        if last:
            return await self._take(transaction, incoming)
        if refusal := refused(self.desk, incoming, self.peer):
            self.forget()
            return self._per_recipient(refusal, 1)
        return f"250 2.0.0 {size} octets"

    def _bdat_refusal(self) -> str:
        if self.transaction.sender is None:
            return replies.NEED_MAIL
        return "" if self.transaction.promised else replies.NEED_RCPT

    async def _chunk(self, size: int, incoming: Incoming | None) -> None:
        """Octets that were announced come, wanted or not."""
        ends = self.mail_ends()
        while size:
            octets = await self.read_octets(min(size, WINDOW), ends)
            size -= len(octets)
            if incoming is not None:
                await incoming.take(octets)

    def _incoming(self, transaction: Transaction) -> Incoming:
        """The mail of this transaction, begun when its first octets come."""
        if isinstance(transaction.incoming, Incoming):
            return transaction.incoming
        incoming = Incoming(self.desk, transaction, self.peer, extended=self._extended)
        transaction.incoming = incoming
        return incoming

    def _too_much(self, size: int) -> str:
        """The refusal of a mail of so many octets while too many others are on their way."""
        if self.desk.receiving.has_room(size, trusted=self.trusted):
            return ""
        self.desk.refused(self.peer, replies.TOO_MUCH_AT_ONCE, "too-much-at-once")
        return replies.TOO_MUCH_AT_ONCE

    async def _take(self, transaction: Transaction, incoming: Incoming) -> str:
        self._errors = 0  # it speaks SMTP
        try:
            reply = await hand_over(self.desk, transaction, incoming, peer=self.peer)
        finally:
            self.forget()
        return self._per_recipient(reply, len(transaction.promised))

    def _per_recipient(self, reply: str, count: int) -> str:
        """LMTP owes a reply to each RCPT that it took, a doubled one too (RFC 2033 4.2)."""
        return "\r\n".join([reply] * count) if self._lmtp else reply

    async def do_rset(self, argument: str) -> str:
        if argument:
            return self._wrong(replies.NO_ARGUMENT)
        self.forget()
        return replies.RESET

    # --- the small ones ---

    async def do_noop(self, argument: str) -> str:
        return replies.OK

    async def do_help(self, argument: str) -> str:
        return replies.HELP

    async def do_vrfy(self, argument: str) -> str:
        """RFC 5321 3.5.3: an honest 252 tells harvesters nothing."""
        return replies.CANNOT_VRFY

    async def do_quit(self, argument: str) -> str:
        if argument:
            return self._wrong(replies.NO_ARGUMENT)
        await self.push(replies.BYE)
        raise HangUp

    # --- TLS and AUTH ---

    async def do_starttls(self, argument: str) -> str | None:
        """RFC 3207 4; afterwards the client is a stranger again (4.2)."""
        if argument:
            return self._wrong(replies.NO_ARGUMENT)
        if self.desk.tls is None:
            return replies.NO_TLS
        if self.tls:
            return replies.TLS_ALREADY
        self._helo, self._extended, self._user = "", False, ""
        await self.start_tls()
        return None

    @property
    def _offers_auth(self) -> bool:
        return self.desk.settings.role == "outgoing" and self.desk.callables.authenticate is not None

    @property
    def _may_auth(self) -> bool:
        """Passwords travel under TLS, or inside a trusted network (SPEC 1.1)."""
        return self.tls or self.trusted

    @property
    def _waits_for_auth(self) -> bool:
        return self._offers_auth and not self._user

    async def do_auth(self, argument: str) -> str:
        """RFC 4954 4."""
        if not self._offers_auth:
            return replies.NOT_IMPLEMENTED
        if not self._extended or self._user or self.transaction.sender is not None:
            return replies.AUTH_NOT_NOW
        if not self._may_auth:
            return replies.AUTH_NEEDS_TLS
        mechanism, _, initial = argument.partition(" ")
        steps = _MECHANISMS.get(mechanism.upper())
        if steps is None:
            return self._wrong(replies.AUTH_MECHANISM)
        login = await steps(self, initial.strip(" "))
        return login if isinstance(login, str) else await self._log_in(login)

    async def _plain(self, initial: str) -> sasl.Login | str:
        text = await self._credential("334 ", initial)
        if text is None:
            return replies.AUTH_CANCELLED
        decoded = sasl.decode(text)
        login = sasl.plain(decoded) if decoded is not None else None
        return login or self._wrong(replies.AUTH_UNREADABLE)

    async def _login(self, initial: str) -> sasl.Login | str:
        words: list[str] = []
        for prompt in (sasl.USERNAME_PROMPT, sasl.PASSWORD_PROMPT):
            text = await self._credential(prompt, "" if words else initial)
            if text is None:
                return replies.AUTH_CANCELLED
            decoded = sasl.decode(text)
            if decoded is None:
                return self._wrong(replies.AUTH_UNREADABLE)
            words.append(decoded)
        return sasl.Login(username=words[0], password=words[1])

    async def _credential(self, prompt: str, initial: str) -> str | None:
        """The client's next word; None: `*`, it gave up."""
        if initial:
            return initial
        await self.push(prompt)
        line = await self.read_line(_MAX_AUTH)
        text = (line or b"\xff").rstrip(b"\r\n").decode("ascii", "replace")
        return None if text == "*" else text

    async def _log_in(self, login: sasl.Login) -> str:
        authenticate = self.desk.callables.authenticate
        try:
            user = await _settle(authenticate(login.username, login.password)) if authenticate else None
        except Exception as error:
            self.desk.failed(self.peer, replies.AUTH_TEMPORARY, error)
            return replies.AUTH_TEMPORARY
        if not user:
            self.desk.refused(self.peer, replies.AUTH_FAILED, "not-authenticated")
            return self._wrong(replies.AUTH_FAILED)
        self._user = user
        return replies.AUTHENTICATED


_Command = Callable[[GatewaySMTP, str], Awaitable[str | None]]
_COMMON: dict[str, _Command] = {
    "MAIL": GatewaySMTP.do_mail,
    "RCPT": GatewaySMTP.do_rcpt,
    "DATA": GatewaySMTP.do_data,
    "BDAT": GatewaySMTP.do_bdat,
    "RSET": GatewaySMTP.do_rset,
    "NOOP": GatewaySMTP.do_noop,
    "HELP": GatewaySMTP.do_help,
    "VRFY": GatewaySMTP.do_vrfy,
    "QUIT": GatewaySMTP.do_quit,
    "STARTTLS": GatewaySMTP.do_starttls,
    "AUTH": GatewaySMTP.do_auth,
}
_SMTP: Mapping[str, _Command] = MappingProxyType(
    {**_COMMON, "HELO": GatewaySMTP.do_helo, "EHLO": GatewaySMTP.do_ehlo}
)
# RFC 2033 4.1: HELO and EHLO are not for LMTP.
_LMTP: Mapping[str, _Command] = MappingProxyType({**_COMMON, "LHLO": GatewaySMTP.do_ehlo})
_KNOWN = frozenset({"EXPN", "TURN", "ETRN", "ATRN", "BURL", "SEND", "SOML", "SAML"})
_MECHANISMS: Mapping[str, Callable[[GatewaySMTP, str], Awaitable[sasl.Login | str]]] = MappingProxyType(
    {"PLAIN": GatewaySMTP._plain, "LOGIN": GatewaySMTP._login}
)
