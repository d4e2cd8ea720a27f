"""One event is one line is one counter, and nothing private or forged stands in it."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import log as logs
from gateway.errors import BackendUnavailable
from gateway.log import WITHHELD, Event, Log, Metrics, Stage

GATEWAY = Path(__file__).resolve().parents[1] / "gateway"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger(logs.NAME)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)


def written(form: str = "logfmt", level: str = "debug") -> tuple[Log, io.StringIO]:
    stream = io.StringIO()
    logs.configure(format=form, level=level, stream=stream)
    return Log(), stream


def test_an_event_is_one_line() -> None:
    log, stream = written()
    log.emit(Event.MAIL_ACCEPTED, job="17", recipients=2, sender="", size=None, tls=True)
    assert re.fullmatch(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info event=mail.accepted job=17 recipients=2 tls=true\n",
        stream.getvalue(),
    )


def test_an_event_is_one_json_object() -> None:
    log, stream = written("json")
    log.emit(
        Event.DECISION_MADE,
        outcome="applied",
        at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        took=timedelta(seconds=2),
    )
    line = json.loads(stream.getvalue())
    assert line["event"] == "decision.made"
    assert (line["outcome"], line["at"], line["took"]) == ("applied", "2026-01-02T03:04:00.000Z", 2.0)


def test_an_event_is_one_count() -> None:
    log, _ = written(level="error")
    log.emit(Event.MAIL_READ, outcome="ignored", reason="no-calendar-part")
    log.emit(Event.MAIL_READ, outcome="ignored", reason="no-calendar-part")
    assert (
        b'imip_gateway_mail_read_total{method="",outcome="ignored",reason="no-calendar-part"} 2.0'
        in log.exposition()
    )


def test_every_event_can_be_written_and_counted() -> None:
    log, stream = written()
    for event in Event:
        log.emit(event)
    assert len(stream.getvalue().splitlines()) == len(Event)
    page = log.exposition().decode()
    assert all(f"imip_gateway_{event.value.replace('.', '_')}_total" in page for event in Event)


@pytest.mark.parametrize("form", ["logfmt", "json"])
@given(value=st.text())
def test_no_value_begins_a_line_of_its_own(form: str, value: str) -> None:
    log, stream = written(form)
    log.emit(Event.MAIL_REFUSED, sender=f"x{value}\nevent=mail.accepted")
    assert len(stream.getvalue().splitlines()) == 1
    assert stream.getvalue().isascii()
    assert stream.getvalue().isprintable() or stream.getvalue().rstrip("\n").isprintable()


def test_a_quoted_value_can_be_read_back() -> None:
    log, stream = written()
    log.emit(Event.MAIL_REFUSED, sender='a"b\\c \u202e=d')
    assert json.loads(stream.getvalue().rstrip("\n").partition("sender=")[2]) == 'a"b\\c \u202e=d'


def test_a_long_value_is_cut() -> None:
    log, stream = written()
    log.emit(Event.MAIL_REFUSED, sender="x" * 100_000)
    assert len(stream.getvalue()) < 1000


@pytest.mark.parametrize("name", sorted(WITHHELD))
def test_what_is_private_is_never_written(name: str) -> None:
    log, stream = written()
    log.emit(Event.LETTER_SENT, **{name: "Dinner with Eve"})
    assert "Dinner" not in stream.getvalue()


def test_titles_bodies_and_tokens_are_withheld() -> None:
    assert {"title", "summary", "subject", "body", "content", "description", "token", "password"} <= WITHHELD


def test_no_call_in_the_gateway_hands_over_what_is_withheld() -> None:
    found = []
    for path in GATEWAY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "emit"
            ):
                found += [
                    f"{path.name}:{node.lineno} {one.arg}" for one in node.keywords if one.arg in WITHHELD
                ]
    assert not found


@given(st.lists(st.text(), max_size=30))
def test_what_a_peer_wrote_is_no_label(values: list[str]) -> None:
    metrics = Metrics()
    for value in values:
        metrics.count(Event.MAIL_READ, {"method": value, "reason": f"{value} \n", "uid": value})
    labels = set(re.findall(r'method="([^"]*)"', metrics.exposition().decode()))
    assert labels <= {"", "other", *logs.METHODS}


def test_labels_do_not_grow_without_end() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.count(Event.MAIL_READ, {"reason": f"reason-{number}"})
    assert metrics.exposition().count(b"imip_gateway_mail_read_total{") <= 151


def test_two_sets_of_metrics_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.count(Event.MAIL_READ, {})
    assert b"imip_gateway_mail_read_total{" not in other.exposition()


def test_figures_stand_on_the_page() -> None:
    metrics = Metrics()
    metrics.stage(Stage.END_TO_END, 0.3)
    metrics.queue({"due": 3, "leased": 0, "oldest_seconds": None})
    metrics.sync_age("main", 61.5)
    page = metrics.exposition().decode()
    assert 'imip_gateway_stage_seconds_bucket{le="0.5",stage="end_to_end"} 1.0' in page
    assert 'imip_gateway_queue_jobs{state="due"} 3.0' in page
    assert "imip_gateway_oldest_job_seconds 0.0" in page
    assert 'imip_gateway_sync_age_seconds{server="main"} 61.5' in page
    assert "_created" not in page


@pytest.mark.parametrize(
    ("event", "facts", "shown_from"),
    [
        (Event.MAIL_READ, {"reason": "no-calendar-part"}, "debug"),
        (Event.WATCH_SYNCED, {}, "debug"),
        (Event.WATCH_SYNCED, {"outcome": "failed"}, "warning"),
        (Event.MAIL_ACCEPTED, {}, "info"),
        (Event.JOB_BURIED, {}, "warning"),
    ],
)
def test_the_daily_round_is_quiet_and_trouble_is_not(
    event: Event, facts: dict[str, str], shown_from: str
) -> None:
    order = ["debug", "info", "warning", "error"]
    for level in order:
        log, stream = written(level=level)
        log.emit(event, **facts)
        assert bool(stream.getvalue()) is (order.index(level) <= order.index(shown_from))


def test_libraries_speak_only_in_trouble() -> None:
    _, stream = written()
    for name in ("httpx", "aiohttp.access", "mail.log", "uvicorn.access"):
        logging.getLogger(name).info("GET /r/secret-token")
    assert stream.getvalue() == ""
    logging.getLogger("httpx").warning("slow\nserver")
    assert stream.getvalue().endswith('level=warning logger=httpx msg="slow\\nserver"\n')


def test_a_surprise_is_one_line_without_the_text_of_strangers() -> None:
    _, stream = written()
    try:
        int("Dinner with Eve")
    except ValueError:
        logging.getLogger(logs.NAME).exception("job %s failed", "17")
    assert len(stream.getvalue().splitlines()) == 1
    assert "Dinner" not in stream.getvalue()
    assert "error=ValueError" in stream.getvalue()
    assert "test_log.py:" in stream.getvalue()


def test_an_error_of_ours_says_why() -> None:
    _, stream = written()
    try:
        raise BackendUnavailable("main: connection refused")
    except BackendUnavailable:
        logging.getLogger(logs.NAME).exception("sync")
    assert 'error="BackendUnavailable: main: connection refused"' in stream.getvalue()


def test_times_are_utc() -> None:
    log, stream = written()
    log.emit(Event.JOB_RETRIED, due=datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert "due=2026-07-01T10:00:00.000Z" in stream.getvalue()


def test_a_stage_is_measured_however_it_ends() -> None:
    log = Log()
    with pytest.raises(ValueError, match="x"), log.timed(Stage.CALENDAR):
        raise ValueError("x")
    assert 'imip_gateway_stage_seconds_count{stage="calendar"} 1.0' in log.exposition().decode()
