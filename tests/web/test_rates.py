"""Nobody asks without bound, and what is remembered of them is bounded too."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.web.rates import Rate, Variety, network


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_burst_is_let_in_and_then_so_many_a_minute() -> None:
    clock = Clock()
    rate = Rate(burst=3, per_minute=2, clock=clock)
    assert [rate.allows("a") for _ in range(5)] == [True, True, True, False, False]
    assert rate.is_empty("a") and rate.allows("b"), "each name has its own bucket"
    clock.seconds += 30
    assert [rate.allows("a"), rate.allows("a")] == [True, False]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(min_value=0, max_value=120)), max_size=60))
def test_nobody_gets_more_than_burst_and_time_allow(visits: list[tuple[str, float]]) -> None:
    clock = Clock()
    rate = Rate(burst=5, per_minute=6, clock=clock)
    let_in = dict.fromkeys("ab", 0)
    for name, pause in visits:
        clock.seconds += pause
        let_in[name] += rate.allows(name)
    assert all(count <= 5 + clock.seconds / 10 + 1e-6 for count in let_in.values())


def test_the_names_that_are_remembered_are_bounded() -> None:
    rate = Rate(burst=1, per_minute=1, clock=Clock(), most=10)
    for number in range(1000):
        rate.allows(str(number))
    assert len(rate._left) == 10


def test_an_address_of_ipv6_stands_for_its_network() -> None:
    assert network("2001:db8:1:2:3::1") == network("2001:db8:1:2:ffff::9") != network("2001:db8:1:3::1")
    assert network("::ffff:192.0.2.1") == network("192.0.2.1") != network("192.0.2.2")
    assert network("fe80::1%eth0") == network("fe80::2") and network("testclient") == "testclient"


def test_things_are_counted_once_for_each_visitor_and_not_for_ever() -> None:
    clock = Clock()
    variety = Variety(within=60, most_things=3, clock=clock)
    assert [variety.of("a", one) for one in "xxyxy"] == [1, 1, 2, 2, 2]
    assert variety.of("b", "z") == 1
    clock.seconds += 30
    assert [variety.of("a", one) for one in "xzvw"] == [2, 3, 3, 3]
    clock.seconds += 40
    assert variety.of("a", "x") == 2, "that of y is over a minute ago"


def test_the_visitor_not_heard_of_for_longest_is_forgotten_first() -> None:
    variety = Variety(within=60, most_things=3, clock=Clock(), most=2)
    assert [variety.of(name, "x") for name in "aba"] == [1, 1, 1]
    variety.of("c", "x")
    assert (variety.of("a", "y"), variety.of("b", "y")) == (2, 1)
