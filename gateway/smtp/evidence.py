"""Facts about domains that a verdict needs: the organizational domain, by the public suffix list."""

from __future__ import annotations

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=4096)
def organizational_domain(name: str) -> str:
    """The registered domain above (or at) a domain (RFC 7489 3.2); the domain itself when it is a public suffix."""
    name = name.lower().rstrip(".")
    return str(_suffixes().privatesuffix(name) or name)
