"""One function per kind of value: from what TOML gives to what the gateway uses, or ValueError with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from gateway.accounts import domain_name, mailbox
from gateway.config.model import Endpoint, Network

Convert = Callable[[object], Any]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d{1,9}[smhdw])+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)
_SIZE = re.compile(r"(\d{1,12})\s*(B|KB|MB|GB|KiB|MiB|GiB)", re.ASCII)
_SIZES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", re.ASCII
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", re.ASCII)
_HEADER = re.compile(r"[!-9;-~]+:[ -~]+", re.ASCII)
_DAY = "(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_CLOCK = r"(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)"
_SPAN = re.compile(rf"({_CLOCK})-({_CLOCK})", re.ASCII)
_HOURS = re.compile(
    rf"{_DAY}(?:-{_DAY})? {_CLOCK}-{_CLOCK}(?:, ?{_DAY}(?:-{_DAY})? {_CLOCK}-{_CLOCK})*", re.ASCII
)
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LOCAL = re.compile(r"[^\s@<>\x00-\x20\x7f]+")
LONGEST_UNIX_PATH = 107  # sun_path of Linux, without its zero


def nearest(name: str, known: tuple[str, ...]) -> str:
    """`; did you mean "x"?` for the nearest known name, or nothing."""
    found = get_close_matches(name, known, n=1, cutoff=0.6)
    return f'; did you mean "{found[0]}"?' if found else ""


def text(value: object) -> str:
    if not isinstance(value, str):
        raise _not_a("text in quotes", value)
    if any(one < " " for one in value):
        raise ValueError("must not hold line breaks or control characters")
    return value


def prose(value: object) -> str:
    """Text of several lines, such as an SQL query."""
    if not isinstance(value, str):
        raise _not_a("text in quotes", value)
    return value


def name(value: object) -> str:
    if not (found := text(value).strip()):
        raise ValueError("must not be empty")
    return found


def label(value: object) -> str:
    """A name that may become part of a file name."""
    found = text(value)
    if not _LABEL.fullmatch(found):
        raise ValueError(f'"{found}" is not made of letters, digits, "-" and "_"')
    return found


def switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise _not_a("true or false", value)
    return value


def number(least: int, most: int) -> Convert:
    def convert(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _not_a("a whole number", value)
        if not least <= value <= most:
            raise ValueError(f"must be between {least} and {most}, not {value}")
        return value

    return convert


def one_of(*known: str) -> Convert:
    def convert(value: object) -> str:
        found = text(value)
        if found not in known:
            listed = ", ".join(f'"{one}"' for one in known)
            raise ValueError(f'"{found}" is not one of {listed}{nearest(found, known)}')
        return found

    return convert


def several(convert: Convert) -> Convert:
    def convert_all(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _not_a("a list in brackets", value)
        return tuple(convert(one) for one in value)

    return convert_all


def some(convert: Convert) -> Convert:
    """A list of at least one."""
    every = several(convert)

    def convert_some(value: object) -> tuple[Any, ...]:
        found: tuple[Any, ...] = every(value)
        if not found:
            raise ValueError("must not be empty")
        return found

    return convert_some


def one_or_several(convert: Convert) -> Convert:
    """A selector of a policy rule: one value, or a list of which one must fit."""

    def convert_all(value: object) -> tuple[Any, ...]:
        return tuple(convert(one) for one in (value if isinstance(value, list) else [value]))

    return convert_all


def duration(value: object) -> timedelta:
    """Whole seconds, minutes, hours, days, weeks: "30s", "72h", "1h30m"."""
    found = text(value)
    if not _DURATION.fullmatch(found):
        raise ValueError(f'"{found}" is not a duration such as "30s", "10m", "72h", "2d"')
    seconds = sum(int(count) * _UNITS[unit] for count, unit in _DURATION_PART.findall(found))
    if seconds > 100 * 365 * 86_400:
        raise ValueError(f'"{found}" is more than a hundred years')
    return timedelta(seconds=seconds)


def some_time(value: object) -> timedelta:
    """A duration above zero."""
    found = duration(value)
    if not found:
        raise ValueError("must be more than nothing")
    return found


def size(value: object) -> int:
    """Bytes: KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024."""
    found = _SIZE.fullmatch(text(value))
    if found is None or not int(found[1]):
        raise ValueError(f'"{value}" is not a size such as "25MB" or "64KiB"')
    return int(found[1]) * _SIZES[found[2]]


def path(value: object) -> Path:
    return Path(name(value)).expanduser()


def optional(convert: Convert, absent: Any = None) -> Convert:
    """Empty text stands for "not set"."""
    return lambda value: absent if value == "" else convert(value)


def network(value: object) -> Network:
    try:
        return ip_network(text(value))
    except ValueError as error:
        raise ValueError(f'"{value}" is not an IP network: {error}') from None


def endpoint(value: object) -> Endpoint:
    """`host:port`, `[v6]:port` or `unix:/path`."""
    found = text(value)
    if found.startswith("unix:"):
        return Endpoint(path=_socket(found.removeprefix("unix:")))
    host, _, port = found.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f'"{found}": an IPv6 address stands in brackets, "[::1]:2525"')
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f'"{found}" is not "host:port", "[v6]:port" or "unix:/path"')
    return Endpoint(host=host, port=int(port))


def _socket(found: str) -> str:
    if not found.startswith("/"):
        raise ValueError(f'"unix:{found}": the path of a socket must be absolute')
    if len(found.encode()) > LONGEST_UNIX_PATH:
        raise ValueError(f"the path of a unix socket is at most {LONGEST_UNIX_PATH} bytes long")
    return found


def url(*schemes: str) -> Convert:
    """A URL of one of these schemes with a host."""

    def convert(value: object) -> str:
        found = text(value)
        parts = urlsplit(found)
        if parts.scheme not in schemes or not parts.hostname:
            expected = ", ".join(f"{one}://" for one in schemes)
            raise ValueError(f"must be a URL that begins with {expected} and names a host")
        _ = parts.port  # raises ValueError for a port that is none
        return found

    return convert


def map_address(value: object) -> str:
    """A page of a map provider, with {place} where the place is looked for."""
    found = text(url("https", "http")(value))
    if "{place}" not in found.partition("://")[2].partition("/")[2]:
        raise ValueError(
            'must have {place} behind the host, as in "https://www.openstreetmap.org/search?query={place}"'
        )
    return found


def smarthost(value: object) -> str:
    """Where letters go: smtp://, smtps://, lmtp:// with a host, or maildir: with an absolute path."""
    return _next_hop(value, ("smtp", "smtps", "lmtp"), ("maildir",))


def next_hop(value: object) -> str:
    """Where mail is relayed to: smtp://, lmtp:// with a host, or lmtp+unix: with an absolute path."""
    return _next_hop(value, ("smtp", "lmtp"), ("lmtp+unix",))


def _next_hop(value: object, hosts: tuple[str, ...], paths: tuple[str, ...]) -> str:
    found = text(value)
    scheme, _, rest = found.partition(":")
    if scheme in paths:
        if not rest.startswith("/"):
            raise ValueError(f'"{scheme}:" needs an absolute path, as in "{scheme}:/path"')
        return found
    expected = ", ".join([*(f"{one}://host:port" for one in hosts), *(f"{one}:/path" for one in paths)])
    try:
        return str(url(*hosts)(found))
    except ValueError:  # the text may hold a password: it is not repeated
        raise ValueError(f"must be one of {expected}") from None


def database(value: object) -> str:
    found = text(value)
    if not found.startswith(("postgresql+psycopg://", "sqlite:///")):
        raise ValueError('must be empty (SQLite in state_dir) or begin with "postgresql+psycopg://"')
    return found


def calendar_server(value: object) -> str:
    """The URL of a CalDAV server, or the one that we bring."""
    found = text(value)
    return found if found == "embedded:radicale" else str(url("http", "https")(found))


def domain(value: object) -> str:
    found = domain_name(text(value))
    if not _DOMAIN.fullmatch(found):
        raise ValueError(f'"{value}" is not a mail domain')
    return found


def address(value: object) -> str:
    found = mailbox(text(value))
    local, _, host = found.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(host):
        raise ValueError(f'"{value}" is not a mail address')
    return found


def address_or_domain(value: object) -> str:
    """`user@domain`, or `@domain` for everybody there."""
    found = text(value)
    return f"@{domain(found[1:])}" if found.startswith("@") else address(found)


def language(value: object) -> str:
    found = text(value)
    if not _LANGUAGE.fullmatch(found):
        raise ValueError(f'"{found}" is not a language tag such as "en" or "pt-BR"')
    return found.replace("_", "-")


def by_domain(convert: Convert) -> Convert:
    """A table whose keys are domains."""

    def take(value: object) -> object:
        if not isinstance(value, dict):
            raise ValueError('a table is expected, such as { "example.fr" = "fr" }')  # noqa: TRY004
        return {domain(name): convert(one) for name, one in value.items()}

    return take


def timezone(value: object) -> str:
    found = text(value)
    try:
        ZoneInfo(found)
    except (ValueError, OSError, LookupError):
        raise ValueError(
            f'"{found}" is not a time zone of the IANA database, such as "Europe/Berlin"'
        ) from None
    return found


def header(value: object) -> str:
    found = text(value)
    if not _HEADER.fullmatch(found):
        raise ValueError(f'"{found}" is not a header field such as "X-Spam-Flag: YES"')
    return found


def cancel(value: object) -> str:
    """mark, delete, or delete-after with a duration."""
    found = text(value)
    if found.startswith("delete-after:"):
        some_time(found.removeprefix("delete-after:"))
        return found
    if found not in ("mark", "delete"):
        known = ("mark", "delete", "delete-after:7d")
        raise ValueError(f'"{found}" is not "mark", "delete" or "delete-after:7d"{nearest(found, known)}')
    return found


def alarm(value: object) -> str:
    """ "-15m" as a trigger of RFC 5545 3.8.6.3: -PT15M."""
    found = text(value)
    sign = "-" if found.startswith("-") else ""
    minutes, seconds = divmod(int(duration(found.removeprefix("-")).total_seconds()), 60)
    return f"{sign}PT{minutes}M" if not seconds else f"{sign}PT{minutes}M{seconds}S"


def working_hours(value: object) -> str:
    found = text(value)
    if not _HOURS.fullmatch(found):
        raise ValueError(f'"{found}" is not like "Mo-Fr 08:00-18:00"')
    if backward := next((f"{start}-{end}" for start, end in _SPAN.findall(found) if start >= end), ""):
        raise ValueError(
            f"{backward} ends before it begins; hours over midnight are two: 22:00-24:00, 00:00-06:00"
        )
    return found


def _not_a(expected: str, value: object) -> ValueError:
    kinds = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return ValueError(f"must be {expected}, not {kinds.get(type(value), 'a date or time')}")
