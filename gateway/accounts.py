"""Addresses to accounts: who of the people that a mail speaks of is ours."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One principal whose calendar we serve; the fields are the keys of `[[account]]` (INTERFACE 3)."""

    address: str
    aliases: tuple[str, ...] = ()
    name: str = ""
    kind: str = "person"  # person | room | resource | collection
    server: str = "main"
    username: str = ""
    password: str = field(default="", repr=False)
    calendar: str = ""
    watch: tuple[str, ...] = ("*",)
    language: str = ""
    timezone: str = ""
    policy: str = ""
    delegates: tuple[str, ...] = ()
    publish: bool = False
    cancel: str = ""
    default_alarm: str = ""
    guest_list: str = "full"
