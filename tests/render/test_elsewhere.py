"""The meeting in the forms of other calendars: at the same time there as here, and nothing of it left out of its field."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.itip.model import Facts, When
from gateway.render.elsewhere import LONGEST, elsewhere

TEN = When(
    form="zoned",
    local=datetime(2026, 11, 10, 10),
    zone="Europe/Berlin",
    utc=datetime(2026, 11, 10, 9, tzinfo=UTC),
)
NOON = When(
    form="zoned",
    local=datetime(2026, 11, 10, 12),
    zone="Europe/Berlin",
    utc=datetime(2026, 11, 10, 11, tzinfo=UTC),
)
LUNCH = Facts(kind="VEVENT", uid="u1", sequence=0, title="Lunch", start=TEN, end=NOON)


def fields(url: str) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def changed(**facts: object) -> Facts:
    return Facts(**{**{name: getattr(LUNCH, name) for name in LUNCH.__slots__}, **facts})  # type: ignore[arg-type]


def test_the_moment_is_the_same_there() -> None:
    google, outlook, office = elsewhere(LUNCH)
    assert fields(google.url)["dates"] == "20261110T090000Z/20261110T110000Z"
    for one in (outlook, office):
        assert fields(one.url)["startdt"] == "2026-11-10T09:00:00Z"
        assert fields(one.url)["enddt"] == "2026-11-10T11:00:00Z" and "allday" not in fields(one.url)
    assert [one.site for one in (google, outlook, office)] == [
        "Google Calendar",
        "Outlook.com",
        "Microsoft 365",
    ]


@pytest.mark.parametrize("end", [None, When(form="date", local=datetime(2026, 11, 11))])
def test_a_whole_day_ends_where_the_next_begins(end: When | None) -> None:
    google, outlook, _ = elsewhere(changed(start=When(form="date", local=datetime(2026, 11, 10)), end=end))
    assert fields(google.url)["dates"] == "20261110/20261111"
    assert fields(outlook.url)["allday"] == "true" and fields(outlook.url)["enddt"] == "2026-11-11"


def test_a_time_without_a_zone_stays_one() -> None:
    at = [When(form="floating", local=datetime(2026, 11, 10, hour)) for hour in (10, 12)]
    google, outlook, _ = elsewhere(changed(start=at[0], end=at[1]))
    assert fields(google.url)["dates"] == "20261110T100000/20261110T120000"
    assert fields(outlook.url)["startdt"] == "2026-11-10T10:00:00"


@pytest.mark.parametrize("facts", [{"rule": "FREQ=DAILY"}, {"kind": "VTODO"}, {"start": None}])
def test_what_their_forms_cannot_say_is_not_offered(facts: dict[str, object]) -> None:
    assert elsewhere(changed(**facts)) == ()


def test_one_date_of_a_series_is_offered() -> None:
    assert len(elsewhere(changed(rule="FREQ=DAILY", recurrence=TEN))) == 3


@given(st.text(max_size=60), st.text(max_size=2000))
def test_hostile_words_stay_in_their_field(title: str, text: str) -> None:
    for one in elsewhere(changed(title=title, description=text, location="javascript:alert(1)")):
        parts = urlsplit(one.url)
        assert parts.scheme == "https" and parts.fragment == "" and one.url.isascii()
        assert set(fields(one.url)) <= {
            *("action", "text", "dates", "location", "details"),
            *("path", "rru", "subject", "startdt", "enddt", "body"),
        }
        assert len(fields(one.url).get("details", "")) <= LONGEST and "javascript:" not in one.url
