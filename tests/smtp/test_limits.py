"""Who may come in."""

from __future__ import annotations

import pytest

from gateway.smtp.limits import Door, Networks, Receiving, plain_address


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("128.0.0.1", False),
        ("::1", True),
        ("::2", False),
        ("2001:db8::5", True),
        ("10.0.0.1", True),
        ("nonsense", False),
        ("", True),
    ],
)
def test_networks_hold_whom_they_hold(address: str, inside: bool) -> None:
    networks = Networks(("127.0.0.0/8", "::1", "2001:db8::/32", "10.0.0.1/8"))
    for _ in range(2):
        assert (address in networks) is inside


def test_the_memory_of_networks_is_bounded() -> None:
    networks = Networks(("10.0.0.0/8",))
    for number in range(25_000):
        assert f"10.{number // 65536}.{number // 256 % 256}.{number % 256}" in networks
    assert len(networks._known) <= 10_001


def test_what_is_no_network_is_an_error() -> None:
    with pytest.raises(ValueError):
        Networks(("example.org",))


@pytest.mark.parametrize(
    ("peername", "address"),
    [
        (("192.0.2.1", 25), "192.0.2.1"),
        (("::ffff:192.0.2.1", 25, 0, 0), "192.0.2.1"),
        (("::FFFF:192.0.2.1", 25, 0, 0), "192.0.2.1"),
        (("fe80::1%eth0", 25, 0, 3), "fe80::1"),
        ("", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_a_peer_has_one_plain_address(peername: object, address: str) -> None:
    assert plain_address(peername) == address


def test_the_door_counts_and_forgets() -> None:
    door = Door(3, 1)
    assert door.enter("a", trusted=False) == ""
    assert door.enter("a", trusted=False).startswith("421 4.7.0")
    assert door.enter("a", trusted=True) == ""
    assert door.enter("b", trusted=True).startswith("421 4.3.2")
    for address in ("a", "a", "a", "b"):
        door.leave(address)
    assert (door._inside, dict(door._peers)) == (0, {})


def test_strangers_fill_half_of_the_budget_at_most() -> None:
    receiving = Receiving(100)
    assert receiving.take(50, trusted=False)
    assert not receiving.take(1, trusted=False)
    assert receiving.take(50, trusted=True)
    assert not receiving.has_room(1, trusted=True)
    receiving.give_back(51)
    assert receiving.has_room(1, trusted=False)
