"""What the configuration means to each part: settings, policies, words, keys."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway import config as configuration
from gateway.accounts import Account, Accounts
from gateway.caldav.client import ServerSettings
from gateway.config import Config
from gateway.errors import ConfigError
from gateway.flows.receive import ReceiveSettings
from gateway.flows.relay import RelaySettings
from gateway.flows.sorting import PolicyOf
from gateway.ical.bounds import Bounds
from gateway.ical.tree import Limits
from gateway.imip.letter import LetterSettings, Reader, outsider
from gateway.imip.letter import compose as compose_letter
from gateway.imip.links import LinkTokens
from gateway.imip.read import MailLimits
from gateway.imip.tokens import Tokens
from gateway.imip.trust import TrustSettings
from gateway.imip.write import write
from gateway.itip.model import Certainty, Method, Policy, Reason, Verdict
from gateway.policy import rules
from gateway.ports import Letter, OutgoingMail
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, Letters
from gateway.render.templates import Templates
from gateway.render.voice import Translations
from gateway.smtp.client import SenderSettings
from gateway.smtp.destination import parse_destination
from gateway.smtp.evidence import organizational_domain


def receive_settings(config: Config) -> ReceiveSettings:
    """`[trust]` and `[limits]` for reading and judging."""
    trust, limits = config.trust, config.limits
    name, _, value = trust.spam_header.partition(":")
    return ReceiveSettings(
        trust=TrustSettings(
            authserv_ids=frozenset(one.lower() for one in trust.authserv_ids),
            border_hops=trust.border_hops,
            trusted_networks_are=Certainty(trust.trusted_networks_are),
            spam_header=(name.strip().lower(), value.strip().lower()) if name else None,
            organizational=organizational_domain,
        ),
        mail_limits=MailLimits(
            header=limits.header, parts=limits.parts, depth=limits.depth, calendar=limits.calendar
        ),
        calendar_limits=Limits(
            bytes=limits.calendar,
            line=limits.line,
            components=limits.components,
            depth=limits.depth,
            attendees=limits.attendees,
        ),
        quirks_off=frozenset(config.inbound.quirks_off),
        expansion=expansion(config),
    )


def expansion(config: Config) -> Bounds:
    """How far a series is expanded: `[limits] expansion_*`."""
    limits = config.limits
    return Bounds(
        instances=limits.expansion_instances, years=limits.expansion_years, steps=limits.expansion_steps
    )


def policy_of(config: Config) -> PolicyOf:
    """What an account's owner wants done about a message of this sender."""
    cancel, cancel_after = rules.cancel_of(config.inbound.cancel)
    defaults = Policy(
        on_unknown=config.trust.on_unknown,
        cancel=cancel,
        cancel_after=cancel_after,
        party_crasher=config.inbound.party_crasher,
        past_events=config.watch.past_events,
        freebusy_domains=frozenset(one.lower() for one in config.gateway.domains),
        timezone=config.gateway.timezone,
    )

    def policy(account: Account, verdict: Verdict, /, *, method: Method, component: str = "") -> Policy:
        return rules.policy_for(
            account,
            config.policy(account.policy).rules,
            sender=verdict.sender,
            method=method,
            component=component,
            verdict=verdict,
            defaults=defaults,
        )

    return policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Templates and catalogues, and the letters made of them."""

    templates: Templates
    translations: Mapping[str, Translations]
    letters: Letters


def words_of(config: Config) -> Words:
    """Templates and catalogues; one file in `[templates] directory` replaces ours. Raises ConfigError."""
    sources = {name: path.read_text("utf-8") for name, path in template_files(config).items()}
    locale = _templates_root() / "locale"
    translations = catalogues({path.stem: path.read_bytes() for path in sorted(locale.glob("*.po"))})
    templates = Templates(sources, filters=FILTERS)
    letters = Letters(
        templates,
        translations,
        language=config.gateway.language,
        zone=config.gateway.timezone,
        map_url=config.letters.map_url,
        imprint=config.letters.imprint,
    )
    return Words(templates=templates, translations=translations, letters=letters)


def template_files(config: Config) -> dict[str, Path]:
    """The file of every template, `mail/invitation.html`."""
    files: dict[str, Path] = {}
    for folder in (_templates_root(), config.templates.directory):
        if folder is not None:
            for kind in ("mail", "web"):
                files |= {f"{kind}/{path.name}": path for path in sorted((folder / kind).glob("*.*"))}
    return files


def _templates_root() -> Path:
    """In the wheel inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def tokens_of(config: Config) -> Tokens:
    """The signing key, made once in the state directory with mode 0600."""
    path = config.gateway.secret_key_path
    if not path.exists() and config.gateway.secret_key_file is None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        fresh = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(secrets.token_hex(32).encode())
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # whoever was first has made the key
        fresh.unlink()
    keys = _keys(path)
    return Tokens(secret=keys[0], older=keys[1:], service=config.delivery.service_address)


def _keys(path: Path) -> tuple[bytes, ...]:
    """The newest first, one a line; a file that is no text is one key."""
    try:
        whole = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError((f"[gateway] secret_key_file {path}: {error.strerror}",)) from error
    keys = tuple(filter(None, map(bytes.strip, whole.splitlines()))) if whole.isascii() else (whole,)
    if not keys or any(len(one) < 16 for one in keys):
        raise ConfigError((f"[gateway] secret_key_file {path}: shorter than 16 octets",))
    return keys


def links_of(config: Config, tokens: Tokens) -> LinkTokens | None:
    """The links of letters; None when they carry none."""
    if not config.links_url:
        return None
    keys = (tokens.secret, *tokens.older)
    return LinkTokens(keys=keys, url=config.links_url, lifetime=config.web.link_lifetime)


def composer(
    config: Config, accounts: Accounts, *, tokens: Tokens, letters: Letters
) -> Callable[[Letter, datetime], OutgoingMail | Reason]:
    settings = LetterSettings(
        domains=config.gateway.domains,
        from_foreign=config.delivery.from_foreign,
        mark_all=config.delivery.mark_all,
        delegates={one.address: accounts.delegates(one) for one in accounts if one.delegates},
        zone=ZoneInfo(config.gateway.timezone),
    )
    signed = links_of(config, tokens)

    def compose(letter: Letter, moment: datetime) -> OutgoingMail | Reason:
        account = accounts.find(letter.letter.recipient)
        if account:
            reader = Reader(language=account.language, zone=account.timezone)
        else:
            owner = accounts.find(letter.letter.account)
            spoken = owner.language if owner else ""
            reader = outsider(letter, by_domain=config.letters.languages, organizer=spoken)
        parts = compose_letter(
            letter,
            moment,
            reader=reader,
            settings=settings,
            tokens=tokens,
            renderer=letters,
            signed=signed,
        )
        return parts if isinstance(parts, Reason) else write(parts)

    return compose


def sender_settings(config: Config) -> SenderSettings:
    """`[delivery]` for the wire."""
    return SenderSettings(
        destination=parse_destination(config.delivery.smarthost),
        starttls=config.delivery.starttls,
        hostname=config.gateway.domains[0],
        connections=config.delivery.connections,
    )


def next_hop_settings(config: Config, url: str) -> SenderSettings:
    """Where a listener's mail goes on to (`relay_to`)."""
    return replace(sender_settings(config), destination=parse_destination(url), starttls="opportunistic")


def relay_settings(config: Config) -> RelaySettings:
    domain = config.gateway.domains[0]
    return RelaySettings(
        hostname=domain, postmaster=f"MAILER-DAEMON@{domain}", retry_for=config.delivery.retry_for
    )


def server_settings(server: configuration.Server, url: str) -> ServerSettings:
    return ServerSettings(
        name=server.name,
        url=url,
        profile=server.profile,
        auth=server.auth,
        username=server.username,
        password=server.password,
        impersonate=server.impersonate,
        timeout=server.timeout,
        connections=server.connections,
    )
