"""What no single key shows: keys that contradict each other or name what is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.accounts import DELIMITER, Account
from gateway.config.model import Config, Endpoint, Listener
from gateway.config.values import nearest

Fault = tuple[str, str]  # place, reason
LONGEST_NAME = 38  # RFC 5321 4.5.3.1.1: of 64 octets a token takes 26 (imip/tokens)


def contradictions(config: Config) -> Iterator[Fault]:
    """Every fault between keys, in the order of the file."""
    yield from _gateway(config)
    yield from _listeners(config)
    yield from _delivery(config)
    yield from _servers(config)
    yield from _accounts(config)
    yield from _addresses(config)
    yield from _calendars(config)
    yield from _policies(config)
    yield from _directory(config)


def _gateway(config: Config) -> Iterator[Fault]:
    if config.gateway.processes > 1 and config.gateway.database.startswith("sqlite"):
        yield "[gateway] processes", "more than one process needs PostgreSQL (database_url)"
    if config.gateway.processes > 1 and any(one.url == "embedded:radicale" for one in config.servers):
        yield "[gateway] processes", "the embedded calendar server needs processes = 1"


def _listeners(config: Config) -> Iterator[Fault]:
    seen: dict[Endpoint, int] = {}
    for count, one in enumerate(config.listeners, 1):
        place = f"[[listener]] {count}"
        for key, reason in _listener(one):
            yield f"{place} {key}", reason
        if one.max_message > config.limits.mail:
            yield f"{place} max_message", "is more than [limits] mail"
        fixed = one.listen.path or one.listen.port  # port 0: the system chooses, no two the same
        if fixed and one.listen in seen:
            yield f"{place} listen", f"{one.listen} is already the address of listener {seen[one.listen]}"
        seen.setdefault(one.listen, count)
    web = config.web.listen
    if web is not None and (web.path or web.port) and web in seen:
        yield "[web] listen", f"{web} is already the address of listener {seen[web]}"


def _listener(one: Listener) -> Iterator[Fault]:
    # RFC 2033 5: LMTP must not be spoken on the port of SMTP
    if one.protocol == "lmtp" and one.listen.port == 25:
        yield "protocol", "lmtp is never spoken on port 25"
    if (one.starttls.cert is None) != (one.starttls.key is None):
        yield "starttls", "needs both cert and key, or neither"
    if one.role == "incoming" and one.after == "render":
        yield "after", '"render" is for role "outgoing"'
    if one.role == "incoming" and one.auth_required:
        yield "auth_required", 'is for role "outgoing"'
    if one.role == "incoming" and one.evidence != "login":
        yield "evidence", 'is for role "outgoing"'
    if one.after != "discard" and not one.relay_to:
        yield "relay_to", f'is required with after = "{one.after}"'
    if one.after == "discard" and one.relay_to:
        yield "relay_to", 'has no effect with after = "discard"'
    if one.relay_to and _hop(one.relay_to) == _own(one.listen):
        yield "relay_to", "is this listener itself: mail would go round"


def _delivery(config: Config) -> Iterator[Fault]:
    hop = _hop(config.delivery.smarthost)
    for count, one in enumerate(config.listeners, 1):
        if hop is not None and hop == _own(one.listen):
            yield "[delivery] smarthost", f"is listener {count}: letters would come straight back"
    local, _, domain = config.delivery.service_address.rpartition("@")
    if domain not in config.gateway.domains:  # SPEC 6.4: never an address outside the configured domains
        yield "[delivery] service_address", f'"{domain}" is not one of [gateway] domains'
    if DELIMITER in local:
        yield "[delivery] service_address", f'must not hold "{DELIMITER}": tokens follow it'
    if len(local.encode()) > LONGEST_NAME:
        reason = f"more than {LONGEST_NAME} octets before the @ leave no room for the token of a bounce"
        yield "[delivery] service_address", reason


def _servers(config: Config) -> Iterator[Fault]:
    for name in _doubled(one.name for one in config.servers):
        yield "[[server]] name", f'"{name}" is used twice'
    for one in config.servers:
        if one.impersonate and one.auth != "header" and not one.password_file:
            yield f"[[server]] {one.name} impersonate", "needs the password_file of the service user"
        if "{" in one.impersonate and "{user}" not in one.impersonate:
            yield f"[[server]] {one.name} impersonate", 'a user template holds "{user}"'


def _accounts(config: Config) -> Iterator[Fault]:
    servers = tuple(one.name for one in config.servers)
    policies = tuple(one.name for one in config.policies)
    for one in config.accounts:
        place = f"[[account]] {one.address}"
        if one.server not in servers:
            yield f"{place} server", f'there is no [[server]] "{one.server}"{nearest(one.server, servers)}'
        if one.policy and one.policy not in policies:
            yield f"{place} policy", f'there is no [[policy]] "{one.policy}"{nearest(one.policy, policies)}'
        if one.password and one.password_file:
            yield f"{place} password_file", "is given beside password; one of them, please"
        domain = one.address.rpartition("@")[2]
        if domain not in config.gateway.domains:
            close = nearest(domain, config.gateway.domains)
            yield f"{place} address", f'"{domain}" is not one of [gateway] domains (an alias may be){close}'
        yield from _members(config, one, place)


def _members(config: Config, account: Account, place: str) -> Iterator[Fault]:
    if account.kind != "collection" and account.booking.members:
        yield f"{place} booking members", 'is for kind "collection"'
    known = {one.address for one in config.accounts if one.kind in ("room", "resource")}
    for member in account.booking.members:
        if account.kind == "collection" and member not in known:
            yield (
                f"{place} booking members",
                f'"{member}" is no room or resource{nearest(member, tuple(known))}',
            )


def _addresses(config: Config) -> Iterator[Fault]:
    """Every address reaches one account, and none of them is the gateway's own."""
    reached: dict[str, str] = {}
    for one in config.accounts:
        for key, address in [("address", one.address), *(("aliases", alias) for alias in one.aliases)]:
            place = f"[[account]] {one.address} {key}"
            if address == config.delivery.service_address:
                yield place, f'"{address}" is the service address of the gateway'
            elif address in reached:
                yield place, f'"{address}" is already an address of {reached[address]}'
            reached.setdefault(address, one.address)


def _calendars(config: Config) -> Iterator[Fault]:
    """A calendar is one account's: with two its guests would hear everything twice."""
    named: dict[tuple[str, str, str], str] = {}
    for one in config.accounts:
        for path in dict.fromkeys((one.calendar, *one.watch)):
            place = f"[[account]] {one.address} {'calendar' if path == one.calendar else 'watch'}"
            key = (one.server, one.username, path.rstrip("/"))
            if not key[2] or set(path) & set("*?["):
                continue
            if named.setdefault(key, one.address) != one.address:
                yield place, f'"{path}" is already a calendar of {named[key]}, who has the same login'
        if one.address in one.delegates:
            yield f"[[account]] {one.address} delegates", "holds the account itself"


def _policies(config: Config) -> Iterator[Fault]:
    for name in _doubled(one.name for one in config.policies):
        yield "[[policy]] name", f'"{name}" is used twice'


def _directory(config: Config) -> Iterator[Fault]:
    directory = config.directory
    needed = {"pattern": ("pattern",), "sql": ("url", "query"), "include": ("include",)}
    for key in needed.get(directory.kind, ()):
        if not getattr(directory, key):
            yield f"[directory] {key}", f'is required with kind = "{directory.kind}"'


def _doubled(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(name for name, count in Counter(names).items() if count > 1)


def _hop(url: str) -> tuple[str, int] | None:
    """Host and port of a mail URL; None for a path."""
    parts = urlsplit(url)
    default = {"smtp": 25, "smtps": 465, "lmtp": 24}.get(parts.scheme)
    if default is None or not parts.hostname:
        return None
    return _numeric(parts.hostname), parts.port or default


def _own(endpoint: Endpoint) -> tuple[str, int] | None:
    return (_numeric(endpoint.host), endpoint.port) if endpoint.port else None


def _numeric(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host


__all__ = ["contradictions"]
