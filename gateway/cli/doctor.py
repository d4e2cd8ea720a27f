"""`doctor`: per account its addresses and calendars, who sends for it, per domain its records, and the next step for every trouble."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway import config as configuration
from gateway.cli.show import as_json, config_option, json_option, load, printable

TROUBLE, NO_USER = 69, 67
WORDS = {
    "gateway": "the gateway",
    "server": "the calendar server; the gateway only takes mail in",
    "nobody": "nobody; the gateway leaves this server alone",
}

RULES = {
    "address": "an address of the account",
    "principal": "what the server calls the account",
    "uuid": "what the server calls the account",
    "email-parameter": "recognised by EMAIL",
    "name": "recognised by the address in CN",
    "shared-calendar": "saved in this calendar by somebody who may",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.add_argument("--selector", default="", help="the DKIM selector that your mail server signs with")
    parser.add_argument("accounts", nargs="*", metavar="ACCOUNT")


def run(arguments: argparse.Namespace) -> int:
    """Looks and changes nothing; 69 when an account or a domain has a trouble."""
    config = load(arguments)
    accounts = configuration.accounts_of(config)
    unknown = [one for one in arguments.accounts if accounts.find(one) is None]
    if unknown:
        sys.stderr.write(f"imip-gateway doctor: no account {unknown[0]}\n")
        return NO_USER
    found = asyncio.run(_findings(config, arguments.accounts, arguments.selector))
    if arguments.json:
        as_json(found)
    else:
        sys.stdout.write("\n".join(line for one in found for line in _lines(one)) + "\n")
    return TROUBLE if any(one["problems"] for one in found) else 0


async def _findings(config: configuration.Config, names: list[str], selector: str) -> list[dict[str, Any]]:
    from gateway.flows.doctor import findings_json
    from gateway.flows.domains import standings_json
    from gateway.wiring import channel, parts

    quiet = replace(config, log=replace(config.log, level="error"))
    async with parts.started(quiet, share=channel.daemon_runs(config)) as running:
        wanted = [running.accounts.find(one) for one in names] or list(running.accounts)
        examined = (running.doctor.examine(one) for one in wanted if one is not None)
        found = findings_json([await one for one in examined])
        return found if names else [*found, *standings_json(await running.domains.examine(selector))]


def _lines(finding: dict[str, Any]) -> Iterable[str]:
    yield from _of_account(finding) if finding["account"] else _of_domain(finding)
    for one in finding["problems"]:
        yield f"    problem    {one['code']}: {printable(one['text'])}"
        yield f"               -> {printable(one['next_step'])}"
    if not finding["problems"]:
        yield "    no problem"


def _of_domain(standing: dict[str, Any]) -> Iterable[str]:
    yield printable(standing["domain"])
    for name in ("spf", "dmarc", "dkim"):
        if standing[name]:
            yield f"    {name:<10} {printable(standing[name])}"


def _of_account(finding: dict[str, Any]) -> Iterable[str]:
    addresses, calendars = finding["addresses"], finding["calendars"]
    yield printable(finding["account"])
    if len(addresses) > 1:
        yield f"    also       {printable(', '.join(addresses[1:]))}"
    if finding["profile"]:
        yield f"    server     {printable(finding['profile'])}"
        yield f"    sends      {WORDS[finding['sends']]}"
        yield f"    calendars  {printable(', '.join(calendars)) or 'none'}"
    for one in finding["provided"]:
        yield f"    provided   {printable(one)}"
    for one in finding["organizers"]:
        rule = RULES.get(one["rule"], "not recognised")
        yield f"    organizer  {printable(one['stands_as'])} in {one['meetings']} of the meetings: {rule}"
