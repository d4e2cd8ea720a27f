"""A voice, a renderer, and a meeting to speak of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.imip.fields import Mailbox
from gateway.imip.letter import Links, Reader, Sheet
from gateway.itip.model import Facts, Guest, Summary, When
from gateway.render.catalog import catalogues
from gateway.render.letters import FILTERS, Letters
from gateway.render.templates import Templates
from gateway.render.voice import Translations, Voice, voice

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


@pytest.fixture(scope="session")
def sources() -> dict[str, str]:
    """The templates of letters as they are shipped."""
    return {
        path.relative_to(TEMPLATES).as_posix(): path.read_text("utf-8") for path in TEMPLATES.glob("mail/*.*")
    }


@pytest.fixture(scope="session")
def locales() -> dict[str, bytes]:
    """The catalogues as they are shipped."""
    return {path.stem: path.read_bytes() for path in (TEMPLATES / "locale").glob("*.po")}


@pytest.fixture(scope="session")
def spoken(locales: dict[str, bytes]) -> dict[str, Translations]:
    return catalogues(locales)


@pytest.fixture(scope="session")
def letters(sources: dict[str, str], spoken: dict[str, Translations]) -> Letters:
    return Letters(Templates(sources, filters=FILTERS), spoken)


@pytest.fixture(scope="session")
def speak(spoken: dict[str, Translations]) -> Callable[..., Voice]:
    """A voice by language and zone."""

    def make(language: str = "en", zone: str = "Europe/Berlin", home: str = "UTC") -> Voice:
        return voice(language, zone, available=spoken, home=home)

    return make


@pytest.fixture(scope="session")
def at() -> Callable[..., When]:
    """A moment by its text, `2026-11-23 15:00`, in a zone; a date alone is a whole day."""

    def make(text: str, zone: str = "Europe/Berlin") -> When:
        local = datetime.fromisoformat(text)
        if len(text) == 10:
            return When(form="date", local=local)
        if not zone:
            return When(form="floating", local=local)
        form = "utc" if zone == "UTC" else "zoned"
        moment = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return When(form=form, local=local, zone="" if zone == "UTC" else zone, utc=moment)

    return make


@pytest.fixture(scope="session")
def meeting(at: Callable[..., When]) -> Facts:
    alice = Guest(address="alice@example.org", name="Alice Liddell", partstat="ACCEPTED", role="CHAIR")
    return Facts(
        kind="VEVENT",
        uid="u1@example.org",
        sequence=0,
        title="Quarterly planning",
        description="First line\n\nSee https://docs.example.org/plan?id=4&x=1.",
        location="Room 4",
        url="https://example.org/q3",
        conference=("https://video.example.org/j/83424", "tel:+49-30-1234"),
        start=at("2026-11-23 15:00"),
        end=at("2026-11-23 16:30"),
        organizer=alice,
        guests=(alice, Guest(address="bob@example.net", name="Bob"), Guest(address="dan@example.com")),
    )


@pytest.fixture(scope="session")
def sheet() -> Callable[..., Sheet]:
    """A letter to be worded, from Alice to Bob."""

    def make(summary: Summary, *, language: str = "en", zone: str = "Europe/Berlin", **changes: Any) -> Sheet:
        values: dict[str, Any] = {
            "sender": Mailbox(address="alice@example.org", name="Alice Liddell"),
            "recipient": Mailbox(address="bob@example.net", name="Bob"),
            "reader": Reader(language=language, zone=zone),
            "links": Links(),
            "site": "example.org",
        }
        return Sheet(summary=summary, **{**values, **changes})

    return make
