"""One event is one line is one counter: what the gateway says about itself, to the log and to Prometheus.

The only user of prometheus_client. No title, body, name or token is ever written: `WITHHELD` names the facts that never
leave, and a line holds nothing that a peer could use to begin another one.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import TextIO

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from gateway.errors import GatewayError

NAME = "imip-gateway"


class Event(StrEnum):
    """Everything that has a name in the log (INTERFACE 6, docs/events.md); a closed list."""

    MAIL_ACCEPTED = "mail.accepted"
    MAIL_REFUSED = "mail.refused"
    MAIL_READ = "mail.read"
    DOOR_CLOSED = "door.closed"
    DOOR_OPENED = "door.opened"
    VERDICT_GIVEN = "verdict.given"
    DECISION_MADE = "decision.made"
    CALENDAR_WRITTEN = "calendar.written"
    CALENDAR_CONFLICT = "calendar.conflict"
    LETTER_QUEUED = "letter.queued"
    LETTER_SENT = "letter.sent"
    LETTER_DEFERRED = "letter.deferred"
    LETTER_FAILED = "letter.failed"
    BOUNCE_MATCHED = "bounce.matched"
    WATCH_SYNCED = "watch.synced"
    WATCH_BASELINE = "watch.baseline"
    WATCH_HELD = "watch.held"
    ANSWER_GIVEN = "answer.given"
    JOB_RETRIED = "job.retried"
    JOB_BURIED = "job.buried"
    CONFIG_RELOADED = "config.reloaded"


class Stage(StrEnum):
    """The parts of a mail's way whose time is measured."""

    ACCEPT = "accept"
    READ = "read"
    DECIDE = "decide"
    CALENDAR = "calendar"
    DELIVER = "deliver"
    END_TO_END = "end_to_end"


WITHHELD = frozenset(
    [
        "authorization",
        "body",
        "comment",
        "content",
        "cookie",
        "data",
        "description",
        "headers",
        "link",
        "location",
        "name",
        "password",
        "recipient_name",
        "secret",
        "sender_name",
        "subject",
        "summary",
        "text",
        "title",
        "token",
        "url",
    ]
)
LABELS = ("outcome", "reason", "method")
METHODS = frozenset(["PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"])
QUIET = (
    "aiohttp",
    "aiosmtpd",
    "alembic",
    "asyncio",
    "httpcore",
    "httpx",
    "mail.log",
    "sqlalchemy",
    "uvicorn",
)

_LOUD = frozenset({Event.LETTER_FAILED, Event.JOB_BURIED, Event.WATCH_HELD, Event.DOOR_CLOSED})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_MOST_LABELS = 150  # a peer must not be able to fill the memory with values of a label
_LONGEST = 500
_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z", re.ASCII)
_BARE = re.compile(r"[!#-<>-\[\]-~]+\Z", re.ASCII)  # printable, without space, quote, equals sign, backslash


class Metrics:
    """The counters of one process, in a registry of their own so that two of them never meet."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a time stamp beside each counter doubles the page and tells nothing
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._events = {
            event: Counter(
                f"imip_gateway_{event.replace('.', '_')}",
                f"Log lines {event}",
                LABELS,
                registry=self._registry,
            )
            for event in Event
        }
        self._stages = Histogram(
            "imip_gateway_stage_seconds",
            "Time per stage of a mail's way",
            ("stage",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._jobs = Gauge("imip_gateway_queue_jobs", "Jobs by state", ("state",), registry=self._registry)
        self._oldest = Gauge(
            "imip_gateway_oldest_job_seconds", "Age of the oldest due job", registry=self._registry
        )
        self._door = Gauge(
            "imip_gateway_door_open",
            "0 while no mail is taken: the queue or the disk is full",
            registry=self._registry,
        )
        self._door.set(1)
        self._ages = Gauge(
            "imip_gateway_sync_age_seconds",
            "Since the longest unseen collection was read",
            ("server",),
            registry=self._registry,
        )
        self._quirks = Counter(
            "imip_gateway_quirks",
            "Mails with a quirk of docs/quirks.md",
            ("quirk",),
            registry=self._registry,
        )
        self._seen: dict[str, set[str]] = {label: set() for label in LABELS}
        # a line of the page is found again faster than the library finds it
        self._of_event = lru_cache(maxsize=1024)(self._event)
        self._of_stage = cache(lambda stage: self._stages.labels(stage.value))

    def count(self, event: Event, facts: Mapping[str, object]) -> None:
        self._of_event(event, *[str(facts.get(label) or "") for label in LABELS]).inc()

    def _event(self, event: Event, *values: str) -> Counter:
        return self._events[event].labels(*map(self._label, LABELS, values))

    def stage(self, stage: Stage, seconds: float) -> None:
        self._of_stage(stage).observe(max(seconds, 0.0))

    def queue(self, stats: Mapping[str, float | None]) -> None:
        """The figures of `queue stats` (INTERFACE 7)."""
        for state, jobs in stats.items():
            if state == "oldest_seconds":
                self._oldest.set(jobs or 0.0)
            else:
                self._jobs.labels(state).set(jobs or 0)

    def door(self, *, is_open: bool) -> None:
        self._door.set(is_open)

    def sync_age(self, server: str, seconds: float) -> None:
        self._ages.labels(server).set(seconds)

    def quirk(self, name: str) -> None:
        self._quirks.labels(name).inc()

    def exposition(self) -> bytes:
        """The page of /metrics: Prometheus text format 0.0.4."""
        return generate_latest(self._registry)

    def _label(self, label: str, text: str) -> str:
        """A value of a closed list, or "other": what a peer wrote never becomes a label."""
        if not text:
            return ""
        if text in METHODS if label == "method" else _WORD.match(text) and len(text) <= 40:
            seen = self._seen[label]
            if text in seen or len(seen) < _MOST_LABELS:
                seen.add(text)
                return text
        return "other"


class Log:
    """Where the parts of the gateway report; each call is one line and one count."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        self.metrics = metrics or Metrics()
        self._logger = logging.getLogger(NAME)

    def emit(self, event: Event, **facts: object) -> None:
        """Write the event with its facts; a fact that is None or empty is left out, a withheld one never written."""
        self.metrics.count(event, facts)
        level = _level(event, facts)
        if self._logger.isEnabledFor(level):
            shown = {name: value for name, value in facts.items() if name not in WITHHELD}
            self._logger.log(level, event.value, extra={"facts": shown})

    def stage(self, stage: Stage, seconds: float) -> None:
        self.metrics.stage(stage, seconds)

    @contextlib.contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        """Measure one stage, however it ends."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.metrics.stage(stage, time.perf_counter() - begin)

    def queue(self, stats: Mapping[str, float | None]) -> None:
        self.metrics.queue(stats)

    def door(self, *, is_open: bool) -> None:
        """Whether mail is taken."""
        self.metrics.door(is_open=is_open)

    def sync_age(self, server: str, seconds: float) -> None:
        self.metrics.sync_age(server, seconds)

    def quirk(self, name: str) -> None:
        """Count a mail with this quirk; the names are a closed list."""
        self.metrics.quirk(name)

    def exposition(self) -> bytes:
        return self.metrics.exposition()


def together(pages: Mapping[str, bytes]) -> bytes:
    """The pages of /metrics of several processes as one; each line says whose it is (`process`)."""
    families: dict[str, list[str]] = {}
    heads: dict[str, str] = {}
    for process, page in pages.items():
        for family in text_string_to_metric_families(page.decode()):
            lines = families.setdefault(family.name, [])
            heads[family.name] = (
                f"# HELP {family.name} {family.documentation}\n# TYPE {family.name} {family.type}"
            )
            for sample in family.samples:
                labels = {**sample.labels, "process": process}
                shown = ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
                lines.append(f"{sample.name}{{{shown}}} {_figure(sample.value)}")
    return "".join(f"{heads[name]}\n{chr(10).join(lines)}\n" for name, lines in families.items()).encode()


def _figure(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _level(event: Event, facts: Mapping[str, object]) -> int:
    if event in _LOUD or facts.get("outcome") == "failed":
        return logging.WARNING
    if event is Event.WATCH_SYNCED or facts.get("reason") == "no-calendar-part":
        return logging.DEBUG  # each minute, or 99 mails of 100: counted, and written only on demand
    return logging.INFO


def configure(*, format: str = "logfmt", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Send every line to stderr (or `stream`) in one format; libraries speak from WARNING on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if format == "json" else Logfmt())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(NAME).setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class Logfmt(logging.Formatter):
    """`time=... level=info event=mail.accepted job=...`, one line whatever the values hold."""

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{name}={_quoted(value)}" for name, value in _fields(record).items())


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(_fields(record))


def _fields(record: logging.LogRecord) -> dict[str, str | int | float | bool]:
    fields: dict[str, str | int | float | bool] = {
        "time": _instant(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
    }
    facts = getattr(record, "facts", None)
    if isinstance(facts, dict):
        fields["event"] = record.getMessage()
        fields |= {
            str(name): _plain(value)
            for name, value in facts.items()
            if value is not None and value != "" and name not in fields
        }
    else:
        fields["logger"] = record.name
        fields["msg"] = _plain(record.getMessage())
    if record.exc_info and record.exc_info[1] is not None:
        fields |= _surprise(record.exc_info[1])
    return fields


def _surprise(error: BaseException) -> dict[str, str]:
    """Where an exception came from; its own text only when we wrote it, since others quote what they were given."""
    ours = isinstance(error, GatewayError | OSError)
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    trail = " < ".join(
        f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in reversed(frames)
    )
    return {"error": type(error).__name__ + (f": {_plain(str(error))}" if ours else ""), "trail": trail}


def _plain(value: object) -> str | int | float | bool:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    text = " ".join(map(str, value)) if isinstance(value, tuple | list | set | frozenset) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _quoted(value: str | float | bool) -> str:
    """Bare where nothing can be misread, else a JSON string in ASCII: no line end, no bidi control survives."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.match(text) else json.dumps(text)


__all__ = ["LABELS", "WITHHELD", "Event", "Log", "Metrics", "Stage", "configure", "together"]
