"""What the DNS says of the domains that letters come from, and whether readers will believe it (SPF, DKIM, DMARC)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from gateway.accounts import domain_name
from gateway.flows.doctor import Problem
from gateway.ports import Records

UNTOLD = "cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One domain (`doctor --json`): each record as it stands there, "" where there is none."""

    domain: str
    spf: str = ""
    dmarc: str = ""
    dkim: str = ""
    problems: tuple[Problem, ...] = ()


class Domains:
    """Looks the domains up; what the DNS does not tell in time is no problem, it is unknown."""

    def __init__(
        self, *, records: Records, domains: Sequence[str], organizational: Callable[[str], str]
    ) -> None:
        self._records = records
        self._domains = tuple(dict.fromkeys(domain_name(one) for one in domains))
        self._organizational = organizational

    async def examine(self, selector: str = "") -> tuple[Standing, ...]:
        """Every domain of ours; `selector`: under which name the mail server signs."""
        return tuple([await self._standing(one, selector) for one in self._domains])

    async def _standing(self, domain: str, selector: str) -> Standing:
        if await self._records.exists(domain) is False:
            return Standing(domain=domain, problems=(_nowhere(domain),))
        spf = _those(await self._records.texts(domain), "v=spf1")
        dmarc = await self._dmarc(domain)
        key = await self._records.texts(f"{selector}._domainkey.{domain}") if selector else None
        return Standing(
            domain=domain,
            spf=_told(spf),
            dmarc=_told(dmarc),
            dkim=_told(key) if selector else "",
            problems=(*_of_spf(domain, spf), *_of_dmarc(domain, dmarc), *_of_dkim(domain, selector, key)),
        )

    async def _dmarc(self, domain: str) -> tuple[str, ...] | None:
        """RFC 7489 6.6.3: the domain's own, else that of the organization."""
        found = _those(await self._records.texts(f"_dmarc.{domain}"), "v=dmarc1")
        above = self._organizational(domain)
        if found == () and above != domain:
            return _those(await self._records.texts(f"_dmarc.{above}"), "v=dmarc1")
        return found


def _those(texts: tuple[str, ...] | None, version: str) -> tuple[str, ...] | None:
    if texts is None:
        return None
    return tuple(one for one in texts if one.replace(";", " ").lower().split()[:1] == [version])


def _told(texts: tuple[str, ...] | None) -> str:
    return UNTOLD if texts is None else " | ".join(texts)


def _nowhere(domain: str) -> Problem:
    return Problem(
        code="no-domain",
        text=f"the DNS that this machine asks does not know {domain}; readers refuse letters from a domain that is nowhere",
        next_step="ask from a machine with the public DNS, or make the domain known",
    )


def _of_spf(domain: str, texts: tuple[str, ...] | None) -> Iterator[Problem]:
    if texts == ():
        yield Problem(
            code="no-spf",
            text=f"{domain} does not say who may send for it (SPF)",
            next_step=f'publish TXT {domain} "v=spf1 mx -all", with the addresses of your smarthost',
        )
    elif texts is not None and len(texts) > 1:
        # RFC 7208 4.5
        yield Problem(
            code="spf-broken",
            text=f"{domain} has {len(texts)} SPF records, which readers take for none",
            next_step="make them one",
        )
    elif texts is not None and texts[0].lower().split()[1:] == ["-all"]:
        yield Problem(
            code="spf-forbids",
            text=f"{domain} says that nobody sends for it (SPF), so letters from it are refused",
            next_step=f'publish TXT {domain} "v=spf1 mx -all", with the addresses of your smarthost',
        )


def _of_dmarc(domain: str, texts: tuple[str, ...] | None) -> Iterator[Problem]:
    if texts == ():
        yield Problem(
            code="no-dmarc",
            text=f"{domain} has no DMARC policy: large providers take mail without one for a stranger's",
            next_step=f'publish TXT _dmarc.{domain} "v=DMARC1; p=none", then watch and tighten it',
        )
    elif texts is not None and (len(texts) > 1 or _tags(texts[0]).get("p") not in _POLICIES):
        # RFC 7489 6.6.3
        yield Problem(
            code="dmarc-broken",
            text=f"the DMARC policy of {domain} has no p= that readers know, or there are two",
            next_step=f'publish one TXT _dmarc.{domain} "v=DMARC1; p=none"',
        )


_POLICIES = frozenset({"none", "quarantine", "reject"})


def _of_dkim(domain: str, selector: str, texts: tuple[str, ...] | None) -> Iterator[Problem]:
    # RFC 6376 3.6.1: a key of which p= is empty is revoked
    if texts is not None and not any(_tags(one).get("p") for one in texts):
        yield Problem(
            code="no-dkim-key",
            text=f"{selector}._domainkey.{domain} has no key, so signatures by it fail (DKIM)",
            next_step="publish the key that your mail server signs with, or name its selector",
        )


def _tags(text: str) -> dict[str, str]:
    """RFC 6376 3.2: tag=value, semicolons between them."""
    pairs = (one.partition("=") for one in text.split(";"))
    return {name.strip().lower(): "".join(value.split()).lower() for name, _, value in pairs}


def standings_json(standings: Iterable[Standing]) -> list[dict[str, object]]:
    """`doctor --json`: beside the accounts, with an empty `account`."""
    return [{"account": "", **asdict(one)} for one in standings]


__all__ = ["Domains", "Standing", "standings_json"]
