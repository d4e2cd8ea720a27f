"""A mistake is found in its line."""

from __future__ import annotations

import pytest

from gateway.config.lines import Lines

TEXT = """\
# domains = ["not.this"]
[gateway]
domains = ["example.org"]

[watch]
interval = "60s"
burst = { events = 20, within = "10m" }

[[account]]
address = "alice@example.org"   # she
watch = [
  "/alice/calendar/",
]

[[account]]
name = "Room"
address = "Room1@example.org"
[account.booking]
mode = "x"

[[ account ]]
adress = "bob@example.org"
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("[gateway] domains", 3),
        ("[gateway] processes", 2),
        ("[watch] burst events", 7),
        ("[[account]] 1 watch", 11),
        ("[[account]] alice@example.org watch", 11),
        ("[[account]] alice@example.org calendar", 9),
        ("[[account]] room1@example.org name", 16),
        ("[[account]] 2 booking mode", 19),
        ("[[account]] 2 booking who", 18),
        ("[[account]] 3 adress", 22),
        ("[[account]] 3 address", 21),
        ("[delivery] smarthost", None),
        ("[[listener]] 1 listen", None),
        ("", None),
    ],
)
def test_a_place_has_the_line_of_its_key_or_of_its_table(place: str, line: int | None) -> None:
    assert Lines(TEXT).of(place) == line


def test_any_text_is_read() -> None:
    assert Lines('[[[\n= 1\n]]\n"""\n[a.b.c]\n[x]').of("[x]") == 6
