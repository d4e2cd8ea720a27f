"""Every example that RFC 5546 and RFC 6638 print of scheduling is a scenario script, named after its section."""

from __future__ import annotations

import re
from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"

# The sections that print messages, in the RFC's order.
ITIP = (
    *(f"4.1.{n}" for n in range(1, 6)),
    *(f"4.2.{n}" for n in range(1, 12)),
    *(f"4.3.{n}" for n in range(1, 4)),
    *(f"4.4.{n}" for n in range(1, 11)),
    *(f"4.5.{n}" for n in range(1, 8)),
    "4.6",
    "4.7.1",
    "4.7.2",
)
CALDAV = tuple(f"b.{n}" for n in range(1, 9))


def told(rfc: str) -> frozenset[str]:
    """The sections that the scripts' names tell: `_4_2_5_to_4_2_7_` and `_4_3_2_and_4_3_3_` name three and two."""
    found: set[str] = set()
    for path in SCRIPTS.glob(f"{rfc}_*.txt"):
        numbers = re.match(r"_((?:[4b]|\d+|to|and)(?:_(?:[4b]|\d+|to|and))*)_", path.stem.removeprefix(rfc))
        if numbers is None:
            continue
        for chain in numbers[1].split("_and_"):
            first, _, last = chain.partition("_to_")
            found |= between(first.replace("_", "."), (last or first).replace("_", "."))
    return frozenset(found)


def between(first: str, last: str) -> frozenset[str]:
    head, _, low = first.rpartition(".")
    return frozenset(f"{head}.{n}" for n in range(int(low), int(last.rpartition(".")[2]) + 1))


def test_every_example_of_rfc_5546_is_played() -> None:
    assert set(ITIP) <= told("rfc5546")


def test_every_example_of_rfc_6638_is_played() -> None:
    assert set(CALDAV) <= told("rfc6638")


def test_no_script_names_a_section_that_there_is_not() -> None:
    assert told("rfc5546") <= set(ITIP)
    assert told("rfc6638") <= set(CALDAV)


def test_a_span_of_sections_names_all_of_them() -> None:
    assert between("4.2.5", "4.2.7") == {"4.2.5", "4.2.6", "4.2.7"}
    assert between("4.6", "4.6") == {"4.6"}
