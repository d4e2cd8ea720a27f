"""How often one visitor may ask, and for how much: remembered in memory alone, of a bounded number of visitors."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 20_000  # names that are remembered; the one not heard of for longest goes first


class Rate:
    """`burst` at once, and `per_minute` in the long run."""

    def __init__(
        self,
        *,
        burst: float,
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._burst = float(burst)
        self._speed = per_minute / 60
        self._clock = clock
        self._most = most
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, name: str, cost: float = 1.0) -> bool:
        """Whether this visit is within bounds; it counts if it is."""
        left = self._now(name)
        allowed = left >= cost
        self._left[name] = (left - cost if allowed else left, self._clock())
        self._left.move_to_end(name)
        while len(self._left) > self._most:
            self._left.popitem(last=False)
        return allowed

    def is_empty(self, name: str, cost: float = 1.0) -> bool:
        """Whether the next visit would be one too many."""
        return self._now(name) < cost

    def _now(self, name: str) -> float:
        left, at = self._left.get(name, (self._burst, self._clock()))
        return min(self._burst, left + (self._clock() - at) * self._speed)


class Variety:
    """How many different things each visitor asked for within the last `within` seconds; counted up to `most_things`."""

    def __init__(
        self,
        *,
        within: float,
        most_things: int,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._within = within
        self._most_things = most_things
        self._clock = clock
        self._most = most
        self._asked: OrderedDict[str, dict[str, float]] = OrderedDict()

    def of(self, name: str, thing: str) -> int:
        """So many with this one."""
        now = self._clock()
        asked = {one: at for one, at in self._asked.pop(name, {}).items() if at + self._within > now}
        if thing in asked or len(asked) < self._most_things:
            asked[thing] = now
        self._asked[name] = asked
        while len(self._asked) > self._most:
            self._asked.popitem(last=False)
        return len(asked)


def network(host: str) -> str:
    """Whom an address stands for: an IPv4 address alone, of IPv6 the /64 that one customer has."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


__all__ = ["Rate", "Variety", "network"]
