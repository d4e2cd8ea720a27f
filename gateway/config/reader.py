"""The text of config.toml becomes a Config, or one ConfigError that names every fault.

Each table of INTERFACE 3 is one `Table` here: its keys in the order of the manual, each with the function that takes its value.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from gateway.accounts import Account, Booking, Freebusy
from gateway.config import model
from gateway.config import values as v
from gateway.config.checks import contradictions
from gateway.config.lines import Lines
from gateway.errors import ConfigError

PROFILES = (
    *("auto", "full", "inbound", "off"),
    *("radicale", "xandikos", "sabre", "baikal", "davical", "sogo", "cyrus", "nextcloud", "owncloud"),
    *("bedework", "calendarserver", "stalwart", "google", "icloud", "zimbra", "exchange", "davmail"),
)
ACTIONS = (
    *("store", "hold", "ignore", "refuse", "accept", "decline", "tentative"),
    *("accept-if-free", "decline-if-busy", "tentative-if-free", "forward"),
)
BOOKING_MODES = ("accept-if-free", "decline-if-busy", "automatic", "accept-always", "decline-always", "none")
METHODS = ("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER")
# What may be switched off in reading (docs/quirks.md); a test compares it with imip/habits.py.
QUIRKS = (
    *("missing-version", "missing-prodid", "missing-dtstamp", "repeated-property", "end-and-duration"),
    *("address-without-mailto", "contradictory-timezone", "doubled-carriage-return", "quoted-timezone"),
    *("overlong-time", "missing-method"),
    *("reply-without-organizer", "lower-case-method", "reply-with-other-guests", "undefined-timezone"),
    *("unknown-timezone", "recurrence-id-in-utc", "recurrence-id-date-only", "recurrence-id-zero-time"),
    *("microsoft-sequence", "google-response-comment", "principal-address", "email-parameter"),
    *("address-in-name", "counter-as-request"),
)
COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
CERTAINTIES = ("proven", "likely", "unknown", "contradicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the file: what it becomes, its keys, and which of them must be there."""

    makes: type[Any]
    keys: Mapping[str, v.Convert | Table | Rows]
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """An array of tables."""

    of: Table


GATEWAY = Table(
    makes=model.Gateway,
    keys={
        "domains": v.some(v.domain),
        "state_dir": v.path,
        "database_url": v.optional(v.database, ""),
        "public_url": v.url("http", "https"),
        "secret_key_file": v.optional(v.path),
        "language": v.language,
        "timezone": v.timezone,
        "processes": v.number(1, 256),
        "keep": v.duration,
    },
    required=frozenset({"domains"}),
)
LISTENER = Table(
    makes=model.Listener,
    keys={
        "role": v.one_of("incoming", "outgoing"),
        "protocol": v.one_of("smtp", "lmtp"),
        "listen": v.endpoint,
        "trusted_networks": v.several(v.network),
        "starttls": Table(makes=model.Tls, keys={"cert": v.optional(v.path), "key": v.optional(v.path)}),
        "auth_required": v.switch,
        "proxy_protocol": v.switch,
        "max_connections": v.number(1, 1_000_000),
        "max_message": v.size,
        "unknown_recipients": v.one_of("refuse", "accept"),
        "after": v.one_of("discard", "relay", "render"),
        "relay_to": v.optional(v.next_hop, ""),
        "evidence": v.one_of("login", "network"),
    },
)
DELIVERY = Table(
    makes=model.Delivery,
    keys={
        "smarthost": v.smarthost,
        "starttls": v.one_of("never", "opportunistic", "required"),
        "from_foreign": v.one_of("agent", "on-behalf", "refuse"),
        "service_address": v.address,
        "retry_for": v.some_time,
        "mark_all": v.switch,
        "connections": v.number(1, 1000),
        "mail_local_guests": v.switch,
    },
)
LETTERS = Table(
    makes=model.Letters,
    keys={
        "answers": v.optional(v.duration, timedelta()),
        "languages": v.by_domain(v.language),
        "map_url": v.optional(v.map_address, ""),
        "imprint": v.several(v.name),
    },
)
TRUST = Table(
    makes=model.Trust,
    keys={
        "authserv_ids": v.several(v.domain),
        "border_hops": v.number(0, 50),
        "verify": v.switch,
        "trusted_networks_are": v.one_of("unknown", "likely", "proven"),
        "on_unknown": v.one_of("hold", "store", "ignore"),
        "spam_header": v.optional(v.header, ""),
    },
)
BURST = Table(makes=model.Burst, keys={"events": v.number(1, 1_000_000), "within": v.some_time})
WATCH = Table(
    makes=model.Watch,
    keys={
        "interval": v.some_time,
        "settle": v.duration,
        "settle_deleted": v.optional(v.duration, timedelta()),
        "burst": BURST,
        "past_events": v.one_of("skip", "mail"),
        "schedule_status": v.switch,
    },
)
INBOUND = Table(
    makes=model.Inbound,
    keys={
        "park_for": v.duration,
        "party_crasher": v.one_of("ask", "add", "ignore"),
        "cancel": v.cancel,
        "quirks_off": v.several(v.one_of(*QUIRKS)),
    },
)
WEB = Table(
    makes=model.Web,
    keys={
        "listen": v.optional(v.endpoint),
        "link_lifetime": v.some_time,
        "undo": v.duration,
        "dwell": v.duration,
        "caution": v.duration,
        "hook_token_file": v.optional(v.path),
        "status_token_file": v.optional(v.path),
    },
)
LIMITS = Table(
    makes=model.Limits,
    keys={
        "mail": v.size,
        "calendar": v.size,
        "attendees": v.number(1, 1_000_000),
        "components": v.number(1, 1_000_000),
        "expansion_years": v.number(1, 100),
        "expansion_instances": v.number(1, 1_000_000),
        "expansion_steps": v.number(1000, 100_000_000),
        "depth": v.number(2, 100),
        "line": v.size,
        "parts": v.number(1, 10_000),
        "header": v.size,
        "queue_jobs": v.number(1, 1_000_000_000),
        "queue_kept": v.number(1, 1_000_000_000),
        "disk_free": v.size,
        "receiving": v.size,
    },
)
LOG = Table(
    makes=model.Log,
    keys={"format": v.one_of("logfmt", "json"), "level": v.one_of("debug", "info", "warning", "error")},
)
TEMPLATES = Table(makes=model.Templates, keys={"directory": v.optional(v.path)})
SERVER = Table(
    makes=model.Server,
    keys={
        "name": v.label,
        "url": v.calendar_server,
        "profile": v.one_of(*PROFILES),
        "auth": v.one_of("basic", "digest", "bearer", "header"),
        "username": v.text,
        "password_file": v.optional(v.path),
        "impersonate": v.text,
        "timeout": v.some_time,
        "connections": v.number(1, 1000),
    },
)
FREEBUSY = Table(
    makes=Freebusy, keys={"who": v.one_of("nobody", "domains", "known", "all"), "horizon": v.some_time}
)
BOOKING = Table(
    makes=Booking,
    keys={
        "mode": v.one_of(*BOOKING_MODES),
        "who": v.some(v.address_or_domain),
        "window": v.some_time,
        "max_duration": v.some_time,
        "hours": v.optional(v.working_hours, ""),
        "recurring": v.switch,
        "capacity": v.number(0, 1_000_000),
        "simultaneous": v.number(1, 1_000_000),
        "partial": v.switch,
        "owner": v.optional(v.address, ""),
        "members": v.several(v.address),
    },
)
ACCOUNT = Table(
    makes=Account,
    keys={
        "address": v.address,
        "aliases": v.several(v.address),
        "name": v.text,
        "kind": v.one_of("person", "room", "resource", "collection"),
        "server": v.name,
        "username": v.text,
        "password": v.text,
        "password_file": v.text,
        "calendar": v.text,
        "watch": v.several(v.name),
        "language": v.optional(v.language, ""),
        "timezone": v.optional(v.timezone, ""),
        "policy": v.text,
        "delegates": v.several(v.address),
        "publish": v.switch,
        "cancel": v.optional(v.cancel, ""),
        "default_alarm": v.optional(v.alarm, ""),
        "guest_list": v.one_of("full", "self"),
        "freebusy": FREEBUSY,
        "booking": BOOKING,
    },
    required=frozenset({"address"}),
)
RULE = Table(
    makes=model.PolicyRule,
    keys={
        "sender": v.one_or_several(v.address),
        "domain": v.one_or_several(v.domain),
        "method": v.one_or_several(v.one_of(*METHODS)),
        "component": v.one_or_several(v.one_of(*COMPONENTS)),
        "verdict": v.one_or_several(v.one_of(*CERTAINTIES)),
        "known": v.switch,
        "action": v.one_of(*ACTIONS),
        "notify": v.switch,
        "cancel": v.optional(v.cancel, ""),
    },
    required=frozenset({"action"}),
)
POLICY = Table(makes=model.Policy, keys={"name": v.label, "rules": Rows(of=RULE)})
DIRECTORY = Table(
    makes=model.Directory,
    keys={
        "kind": v.one_of("", "pattern", "sql", "include"),
        "pattern": v.text,
        "url": v.text,
        "query": v.prose,
        "include": v.optional(v.path),
    },
)
FILE = Table(
    makes=model.Config,
    keys={
        "gateway": GATEWAY,
        "listener": Rows(of=LISTENER),
        "delivery": DELIVERY,
        "letters": LETTERS,
        "trust": TRUST,
        "watch": WATCH,
        "inbound": INBOUND,
        "web": WEB,
        "limits": LIMITS,
        "log": LOG,
        "templates": TEMPLATES,
        "server": Rows(of=SERVER),
        "account": Rows(of=ACCOUNT),
        "policy": Rows(of=POLICY),
        "directory": DIRECTORY,
    },
)
_PLURAL = {"listener": "listeners", "server": "servers", "account": "accounts", "policy": "policies"}


class _Reading:
    """One pass over the document; `problems` grows, the values of faulty keys stay at their defaults."""

    def __init__(self, file: str, lines: Lines) -> None:
        self.problems: list[str] = []
        self._file = file
        self._lines = lines

    def table(self, spec: Table, raw: object, where: str) -> Any:
        if not isinstance(raw, dict):
            self.fault(where, "", "must be a table")
            return None if spec.required else spec.makes()
        found: dict[str, Any] = {}
        for key, value in raw.items():
            if key not in spec.keys:
                self.fault(where, key, f"unknown key{v.nearest(key, tuple(spec.keys))}")
                continue
            self._key(spec, key, value, where, found)
        missing = sorted(spec.required - raw.keys())
        for key in missing:
            self.fault(where, key, "is required")
        if not spec.required <= found.keys():
            return None
        return spec.makes(**found)

    def _key(self, spec: Table, key: str, value: object, where: str, found: dict[str, Any]) -> None:
        kind = spec.keys[key]
        if isinstance(kind, Table):
            found[key] = self.table(kind, value, f"{where} {key}")
        elif isinstance(kind, Rows):
            found[key] = self.rows(kind, value, f"{where} {key}")
        else:
            try:
                found[key] = kind(value)
            except ValueError as error:
                self.fault(where, key, str(error))

    def rows(self, spec: Rows, raw: object, where: str) -> tuple[Any, ...]:
        if not isinstance(raw, list):
            self.fault(where, "", "must be an array of tables: [[...]]")
            return ()
        made = (self.table(spec.of, one, f"{where} {count}") for count, one in enumerate(raw, 1))
        return tuple(one for one in made if one is not None)

    def fault(self, where: str, key: str, reason: str) -> None:
        place = f"{where} {key}".strip()
        line = self._lines.of(place)
        self.problems.append(f"{self._file}{f':{line}' if line else ''}: {place}: {reason}")


def parse(text: str, *, file: str = "config.toml") -> model.Config:
    """The configuration that the text describes. Reads no other file: secrets stay unread, paths as they are written.

    Raises ConfigError with every fault: file, line, table, key, and the nearest known name.
    """
    try:
        document = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # TOMLDecodeError is a ValueError; so is a number of 5000 digits
        raise ConfigError((f"{file}: not TOML: {error or 'nested too deep'}",)) from None
    reading = _Reading(file, Lines(text))
    found: dict[str, Any] = {}
    for key, value in document.items():
        kind = FILE.keys.get(key)
        if isinstance(kind, Table):
            found[key] = reading.table(kind, value, f"[{key}]")
        elif isinstance(kind, Rows):
            found[_PLURAL[key]] = reading.rows(kind, value, f"[[{key}]]")
        else:
            reading.fault(f"[{key}]", "", f"unknown table{v.nearest(key, tuple(FILE.keys))}")
    if "gateway" not in document:
        reading.fault("[gateway]", "domains", "is required")
    if found.get("gateway") is None:
        raise ConfigError(tuple(reading.problems))
    for key in ("listeners", "servers"):
        if not found.get(key):
            found.pop(key, None)
    config = _complete(model.Config(**found), document)
    for place, reason in contradictions(config):
        reading.fault(place, "", reason)
    if reading.problems:
        raise ConfigError(tuple(reading.problems))
    return config


def _complete(config: model.Config, document: Mapping[str, Any]) -> model.Config:
    """The defaults that follow from other keys (SPEC 12.20)."""
    domains = config.gateway.domains
    delivery, watch = config.delivery, config.watch
    if not delivery.service_address:
        delivery = replace(delivery, service_address=f"calendar@{domains[0]}")
    if not _table(document, "watch").get("settle_deleted"):
        watch = replace(watch, settle_deleted=10 * watch.settle)
    letters = config.letters
    if not _table(document, "letters").get("answers"):
        letters = replace(letters, answers=max(watch.settle, timedelta(seconds=1)))
    return replace(
        config,
        gateway=replace(config.gateway, public_url=config.gateway.public_url.rstrip("/")),
        delivery=delivery,
        letters=letters,
        watch=watch,
        accounts=tuple(_complete_account(one, domains) for one in config.accounts),
    )


def _complete_account(account: Account, domains: tuple[str, ...]) -> Account:
    booking = account.booking
    if not booking.who:
        booking = replace(booking, who=tuple(f"@{one}" for one in domains))
    username = account.username or account.address.rpartition("@")[0]
    return replace(account, username=username, booking=booking)


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


__all__ = ["ACTIONS", "FILE", "PROFILES", "Rows", "Table", "parse"]
