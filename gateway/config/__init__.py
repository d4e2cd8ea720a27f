"""The configuration: config.toml into frozen values, with every error at once."""

from gateway.accounts import Account, Booking, Freebusy
from gateway.config.advice import later, warnings
from gateway.config.demo import HOOK_TOKEN, demo_config
from gateway.config.files import find, load
from gateway.config.model import (
    Burst,
    Config,
    Delivery,
    Directory,
    Endpoint,
    Gateway,
    Inbound,
    Limits,
    Listener,
    Log,
    Policy,
    PolicyRule,
    Server,
    Templates,
    Tls,
    Trust,
    Watch,
    Web,
    accounts_of,
)
from gateway.config.reader import parse

__all__ = [
    "HOOK_TOKEN",
    "Account",
    "Booking",
    "Burst",
    "Config",
    "Delivery",
    "Directory",
    "Endpoint",
    "Freebusy",
    "Gateway",
    "Inbound",
    "Limits",
    "Listener",
    "Log",
    "Policy",
    "PolicyRule",
    "Server",
    "Templates",
    "Tls",
    "Trust",
    "Watch",
    "Web",
    "accounts_of",
    "demo_config",
    "find",
    "later",
    "load",
    "parse",
    "warnings",
]
