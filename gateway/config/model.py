"""What config.toml says, as frozen values: one dataclass per table, one field per key, the defaults of INTERFACE 3.

Durations are timedeltas, sizes are bytes, paths are absolute once `files.load` has read the file. Nothing secret is in a repr.
`[[account]]` is `gateway.accounts.Account`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path

from gateway.accounts import Account, Accounts

Network = IPv4Network | IPv6Network

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to listen: a host and a port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""  # of a unix socket; then host and port are empty

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A certificate chain and its key, both PEM; both or neither."""

    cert: Path | None = None
    key: Path | None = None

    def __bool__(self) -> bool:
        return self.cert is not None and self.key is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How many changed meetings within which time are held for the administrator (SPEC 5.3)."""

    events: int = 20
    within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    domains: tuple[str, ...]
    state_dir: Path = Path("/var/lib/imip-gateway")
    database_url: str = field(default="", repr=False)
    public_url: str = "http://127.0.0.1:8025"
    secret_key_file: Path | None = None
    language: str = "en"
    timezone: str = "UTC"
    processes: int = 1
    keep: timedelta = timedelta(days=90)

    @property
    def database(self) -> str:
        """The database URL that counts: SQLite in the state directory when none is given."""
        return self.database_url or f"sqlite:///{self.state_dir / 'gateway.sqlite3'}"

    @property
    def secret_key_path(self) -> Path:
        """Where the signing key lies; the default one is made at the first start, mode 0600."""
        return self.secret_key_file or self.state_dir / "secret.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    role: str = "incoming"  # incoming | outgoing
    protocol: str = "smtp"  # smtp | lmtp
    listen: Endpoint = Endpoint(host="127.0.0.1", port=2525)
    trusted_networks: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1"))
    starttls: Tls = Tls()
    auth_required: bool = False
    proxy_protocol: bool = False
    max_connections: int = 1000
    max_message: int = 25 * MEGABYTE
    unknown_recipients: str = "refuse"  # refuse | accept
    after: str = "discard"  # discard | relay | render
    relay_to: str = ""
    evidence: str = "login"  # login | network


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    smarthost: str = field(default="smtp://127.0.0.1:25", repr=False)  # may hold user:pass@
    starttls: str = "opportunistic"  # never | opportunistic | required
    from_foreign: str = "agent"  # agent | on-behalf | refuse
    service_address: str = ""  # never empty once parsed
    retry_for: timedelta = timedelta(days=2)
    mark_all: bool = False
    connections: int = 4
    mail_local_guests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    answers: timedelta = timedelta(
        seconds=30
    )  # as `watch.settle` unless it is set; zero: organizers are not told
    languages: Mapping[str, str] = field(default_factory=dict)  # of guests, by the domain of their address
    map_url: str = ""  # with {place}
    imprint: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    authserv_ids: tuple[str, ...] = ()
    border_hops: int = 1
    verify: bool = False
    trusted_networks_are: str = "unknown"  # unknown | likely | proven
    on_unknown: str = "hold"  # hold | store | ignore
    spam_header: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    interval: timedelta = timedelta(seconds=60)
    settle: timedelta = timedelta(seconds=30)
    settle_deleted: timedelta = timedelta(seconds=300)  # ten times settle unless it is set
    burst: Burst = Burst()
    past_events: str = "skip"  # skip | mail
    schedule_status: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    park_for: timedelta = timedelta(hours=72)
    party_crasher: str = "ask"  # ask | add | ignore
    cancel: str = "mark"  # mark | delete | delete-after:7d
    quirks_off: tuple[str, ...] = ()  # names of QUIRKS in config.reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    listen: Endpoint | None = Endpoint(host="127.0.0.1", port=8025)  # None: no web
    link_lifetime: timedelta = timedelta(days=400)
    undo: timedelta = timedelta(seconds=60)
    dwell: timedelta = timedelta(seconds=2)
    caution: timedelta = timedelta(seconds=60)
    hook_token_file: Path | None = None
    status_token_file: Path | None = None
    hook_token: str = field(default="", repr=False)  # no key: read from its file
    status_token: str = field(default="", repr=False)  # no key: read from its file


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of SPEC 11; each has its reason in docs/configuration.md."""

    mail: int = 25 * MEGABYTE
    calendar: int = MEGABYTE
    attendees: int = 1000
    components: int = 2000
    expansion_years: int = 10
    expansion_instances: int = 2000
    expansion_steps: int = 200_000
    depth: int = 10
    line: int = 65_536
    parts: int = 100
    header: int = 65_536
    queue_jobs: int = 100_000
    queue_kept: int = 1_000_000
    disk_free: int = 64 * MEGABYTE
    receiving: int = 1000 * MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    format: str = "logfmt"  # logfmt | json
    level: str = "info"  # debug | info | warning | error


@dataclass(frozen=True, slots=True, kw_only=True)
class Templates:
    directory: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    name: str = "main"
    url: str = "http://127.0.0.1:5232/"
    profile: str = "auto"
    auth: str = "basic"  # basic | digest | bearer | header
    username: str = ""
    password_file: Path | None = None
    impersonate: str = ""
    timeout: timedelta = timedelta(seconds=30)
    connections: int = 16
    password: str = field(default="", repr=False)  # no key: read from its file


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One line of a policy; an empty selector fits everything."""

    sender: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    component: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    known: bool | None = None
    action: str = "store"
    notify: bool = False
    cancel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str = "default"
    rules: tuple[PolicyRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    kind: str = ""  # "" | pattern | sql | include
    pattern: str = ""
    url: str = field(default="", repr=False)
    query: str = ""
    include: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole file. `listeners` and `servers` are never empty: their defaults stand in."""

    gateway: Gateway
    listeners: tuple[Listener, ...] = (Listener(),)
    delivery: Delivery = Delivery()
    trust: Trust = Trust()
    watch: Watch = Watch()
    inbound: Inbound = Inbound()
    web: Web = Web()
    limits: Limits = Limits()
    log: Log = Log()
    letters: Letters = Letters()
    templates: Templates = Templates()
    servers: tuple[Server, ...] = (Server(),)
    accounts: tuple[Account, ...] = ()
    policies: tuple[Policy, ...] = ()
    directory: Directory = Directory()
    path: Path | None = None  # the file; None when the text came from elsewhere
    exposed: tuple[Path, ...] = ()  # files with secrets that everybody can read; `load` fills it

    @property
    def links_url(self) -> str:
        """Where the links of letters lead, "" when they carry none: [web] is off, or nobody has said how guests reach it."""
        untold = self.gateway.public_url == Gateway.__dataclass_fields__["public_url"].default
        kept_here = self.delivery.smarthost.startswith("maildir:")
        return "" if self.web.listen is None or (untold and not kept_here) else self.gateway.public_url

    def server(self, name: str) -> Server:
        """The server of that name; parsing has made sure that every account's exists."""
        return next(one for one in self.servers if one.name == name)

    def policy(self, name: str) -> Policy:
        """The policy list of that name, else the one called default, else an empty one (store everything)."""
        wanted = name or "default"
        return next((one for one in self.policies if one.name == wanted), Policy(name=wanted))


def accounts_of(config: Config) -> Accounts:
    """The accounts of the file by every address that reaches them."""
    return Accounts(config.accounts, config.gateway.domains, service_address=config.delivery.service_address)


__all__ = [
    "Account",
    "Burst",
    "Config",
    "Delivery",
    "Directory",
    "Endpoint",
    "Gateway",
    "Inbound",
    "Letters",
    "Limits",
    "Listener",
    "Log",
    "Network",
    "Policy",
    "PolicyRule",
    "Server",
    "Templates",
    "Tls",
    "Trust",
    "Watch",
    "Web",
    "accounts_of",
]
