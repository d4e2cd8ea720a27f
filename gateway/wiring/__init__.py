"""Configuration to parts, for the daemon and the commands: the only room that knows every concrete class."""

from gateway.wiring.channel import daemon_runs, locked, poke, spooled
from gateway.wiring.edges import listeners, places, probe, web
from gateway.wiring.meaning import policy_of, receive_settings
from gateway.wiring.parts import Parts, database, loop_factory, opened_store, started

__all__ = [
    "Parts",
    "daemon_runs",
    "database",
    "listeners",
    "locked",
    "loop_factory",
    "opened_store",
    "places",
    "poke",
    "policy_of",
    "probe",
    "receive_settings",
    "spooled",
    "started",
    "web",
]
