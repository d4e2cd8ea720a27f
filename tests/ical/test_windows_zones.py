"""The table of Windows zones is CLDR's, and leads to zones that exist."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.ical.windows_zones import SHOWN_ZONES, WINDOWS_ZONES


def test_the_table_is_that_of_cldr() -> None:
    babel = pytest.importorskip("babel.core")
    cldr = {name.casefold(): zone for name, zone in babel.get_global("windows_zone_mapping").items()}
    assert dict(WINDOWS_ZONES) == cldr


def test_every_name_leads_to_a_zone() -> None:
    for name in {*WINDOWS_ZONES.values(), *SHOWN_ZONES.values()}:
        assert ZoneInfo(name).key == name
