"""Text records of the DNS; the one place that knows dnspython, which need not be installed."""

from __future__ import annotations

from typing import Any

TIMEOUT = 4.0  # seconds for one name, however many servers are asked for it
PATIENCE = 3  # so many silences, and nobody is asked any more


class DnsRecords:
    """Implements `ports.Records` by the resolver of this machine, or by one that is given."""

    def __init__(self, resolver: Any = None) -> None:
        self._resolver = resolver
        self._silences = 0

    async def exists(self, name: str) -> bool | None:
        found = await self._asked(name)
        return None if found is None else found[0]

    async def texts(self, name: str) -> tuple[str, ...] | None:
        found = await self._asked(name)
        # RFC 7208 3.3: the strings of one record are one text, with nothing between them
        return None if found is None else tuple(b"".join(one).decode("utf-8", "replace") for one in found[1])

    async def _asked(self, name: str) -> tuple[bool, tuple[tuple[bytes, ...], ...]] | None:
        """Whether there is such a name, and the strings of each record; None: nobody told."""
        self._resolver = self._resolver or _resolver()
        if self._resolver is None or self._silences >= PATIENCE:
            return None
        import dns.exception
        import dns.resolver

        try:
            found = await self._resolver.resolve(
                name.rstrip(".") + ".", "TXT", search=False, lifetime=TIMEOUT
            )
        except dns.resolver.NXDOMAIN:
            return False, ()
        except dns.resolver.NoAnswer:
            return True, ()
        except (dns.exception.DNSException, OSError, ValueError):  # a label of 64 octets is no name
            self._silences += 1
            return None
        return True, tuple(tuple(one.strings) for one in found)


def _resolver() -> Any:
    """That of this machine; None without dnspython, or where no name server is configured."""
    try:
        import dns.asyncresolver
        import dns.exception
    except ImportError:
        return None
    try:
        return dns.asyncresolver.Resolver()
    except (dns.exception.DNSException, OSError):
        return None


__all__ = ["DnsRecords"]
