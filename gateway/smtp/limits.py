"""How many may be in the house: connections in all and of one peer, and who counts as trusted."""

from __future__ import annotations

import ipaddress
from collections import Counter

from gateway.smtp import replies


class Networks:
    """The trusted networks; a unix socket (address "") is trusted, since its file mode says who may come."""

    __slots__ = ("_known", "_networks")

    def __init__(self, networks: tuple[str, ...]) -> None:
        """Raise ValueError for what is no network."""
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        if not address:
            return True
        answer = self._known.get(address)
        if answer is None:
            if len(self._known) > 10_000:
                self._known.clear()
            answer = self._known[address] = self._look(address)
        return answer

    def _look(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip.version == network.version and ip in network for network in self._networks)


def plain_address(peername: object) -> str:
    """The peer's IP address from what the transport says; "" for a unix socket; v4-mapped v6 becomes v4."""
    if not isinstance(peername, tuple) or not peername:
        return ""
    address = str(peername[0]).partition("%")[0]
    if address.lower().startswith("::ffff:") and "." in address:
        return address[7:]
    return address


class Receiving:
    """The octets of mails on their way in and not yet committed, of all listeners together; strangers may fill half of it."""

    __slots__ = ("_most", "_used")

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0

    def has_room(self, size: int, *, trusted: bool) -> bool:
        return self._used + size <= (self._most if trusted else self._most // 2)

    def take(self, size: int, *, trusted: bool) -> bool:
        """Whether there was room; then `give_back` follows."""
        if not self.has_room(size, trusted=trusted):
            return False
        self._used += size
        return True

    def give_back(self, size: int) -> None:
        self._used -= size


class Door:
    """Counts who is inside; a trusted peer is bound by the whole only, being a mail server with many hands."""

    __slots__ = ("_inside", "_most", "_most_per_peer", "_peers")

    def __init__(self, most: int, most_per_peer: int) -> None:
        self._most = most
        self._most_per_peer = most_per_peer
        self._inside = 0
        self._peers: Counter[str] = Counter()

    def enter(self, address: str, *, trusted: bool) -> str:
        """Count one in, and say "" or the reply that refuses him; every `enter` is followed by one `leave`."""
        self._inside += 1
        self._peers[address] += 1
        if self._inside > self._most:
            return replies.TOO_MANY_CONNECTIONS
        if not trusted and self._peers[address] > self._most_per_peer:
            return replies.TOO_MANY_FROM_PEER
        return ""

    def leave(self, address: str) -> None:
        self._inside -= 1
        self._peers[address] -= 1
        if not self._peers[address]:
            del self._peers[address]
