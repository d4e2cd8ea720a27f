"""What a valid configuration should still be told: risks, and keys whose feature comes in a later version."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.accounts import Account, Booking
from gateway.config.model import Config, Directory, PolicyRule, Trust, Web

WORKING_ACTIONS = ("store", "hold", "ignore", "refuse")


def warnings(config: Config) -> tuple[str, ...]:
    """One line for each thing that works, but perhaps not as meant."""
    return (*_risks(config), *_idle(config))


def _risks(config: Config) -> Iterator[str]:
    trust = config.trust
    if not trust.authserv_ids and not trust.verify and trust.trusted_networks_are == "unknown":
        outcome = {"hold": "held", "store": "stored unproven", "ignore": "ignored"}[trust.on_unknown]
        yield (
            f"[trust]: no source of evidence is configured, so every mail from outside will be {outcome}; "
            "set authserv_ids to the name that your mail server writes into Authentication-Results"
        )
    if trust.trusted_networks_are == "proven":
        yield (
            '[trust] trusted_networks_are = "proven": anybody whose mail passes through trusted_networks is believed; '
            "safe only where the mail server rejects on DMARC failure"
        )
    if trust.on_unknown == "store":
        yield '[trust] on_unknown = "store": invitations of senders that nobody vouches for enter calendars'
    for count, one in enumerate(config.listeners, 1):
        for network in one.trusted_networks:
            if network.prefixlen == 0:
                yield f"[[listener]] {count} trusted_networks: {network} trusts the whole Internet"
    smarthost = config.delivery.smarthost
    if smarthost.startswith("smtp://") and "@" in smarthost and config.delivery.starttls == "never":
        yield "[delivery] smarthost: the password is sent without TLS"
    if config.web.listen is not None and not config.links_url:
        yield "[gateway] public_url: is not set, so letters carry no links to answer by"
    if not config.accounts and not config.directory.kind:
        yield "[[account]]: there is none, so every recipient is unknown"
    for path in config.exposed:
        yield f"{path}: holds a secret and can be read by everybody; chmod 640 or 600"


def _idle(config: Config) -> Iterator[str]:
    unsaid = Booking(who=tuple(f"@{domain}" for domain in config.gateway.domains))
    for account in config.accounts:
        if account.kind == "person" and account.booking != unsaid:
            yield f'[[account]] {account.address} booking: is for kind "room" or "resource", without effect here'


def later(config: Config) -> tuple[str, ...]:
    """One line for each key that is set away from its default but whose feature comes in a later version."""
    return tuple(f"{place}: comes in a later version, without effect for now" for place in _later(config))


def _later(config: Config) -> Iterator[str]:
    yield from _later_tables(config)
    for account in config.accounts:
        for key in _later_account(account):
            yield f"[[account]] {account.address} {key}"
    for policy in config.policies:
        for count, rule in enumerate(policy.rules, 1):
            for key in _later_rule(rule):
                yield f'[[policy]] "{policy.name}" rule {count} {key}'
    if config.directory != Directory():
        yield "[directory]"


def _later_tables(config: Config) -> Iterator[str]:
    for name, table, default, keys in (
        ("trust", config.trust, Trust(), ("verify",)),
        ("web", config.web, Web(), ("status_token_file",)),
    ):
        for key in keys:
            if getattr(table, key) != getattr(default, key):
                yield f"[{name}] {key}"


def _later_account(one: Account) -> Iterator[str]:
    if one.kind == "collection":
        yield 'kind = "collection"'
    for key in ("owner", "members"):
        if getattr(one.booking, key):
            yield f"booking {key}"


def _later_rule(rule: PolicyRule) -> Iterator[str]:
    if rule.action not in WORKING_ACTIONS:
        yield f'action = "{rule.action}"'
    if rule.notify:
        yield "notify"
    if rule.cancel:
        yield "cancel"


__all__ = ["later", "warnings"]
