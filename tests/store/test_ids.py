from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as some

from gateway.store.ids import Ids, bounded, token


def test_names_sort_in_the_order_in_which_they_were_given(clock) -> None:
    ids, names = Ids(), []
    for number in range(300):
        names.append(ids.new(clock.now()))
        if number % 100 == 99:
            clock.forward(milliseconds=1)
    assert names == sorted(set(names))
    assert all(len(name) == 20 and name.isalnum() for name in names)


def test_a_clock_that_goes_back_gives_no_name_twice(clock) -> None:
    ids = Ids()
    first = [ids.new(clock.now()) for _ in range(50)]
    second = [ids.new(clock.now() - timedelta(hours=1)) for _ in range(50)]
    third = [ids.new(clock.now()) for _ in range(50)]
    assert len({*first, *second, *third}) == 150


def test_two_processes_give_different_names_at_one_moment(clock) -> None:
    assert Ids().new(clock.now()) != Ids().new(clock.now())
    assert token() != token()


@given(some.text(max_size=400), some.text(max_size=400))
def test_a_bounded_name_is_short_and_still_one_of_a_kind(one: str, two: str) -> None:
    assert len(bounded(one)) <= 240
    assert (bounded(one) == bounded(two)) is (one == two)


def test_a_forked_process_gives_names_and_proofs_of_its_own() -> None:
    token()
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        os.write(writes, token().encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reads, 100).decode()
    os.close(reads)
    os.close(writes)
    assert len(told) == 16
    assert told not in {token() for _ in range(600)}
