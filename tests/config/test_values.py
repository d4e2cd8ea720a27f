"""One value, one meaning; everything else is refused with the reason."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import Endpoint
from gateway.config import values as v

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("convert", "written", "meant"),
    [
        (v.duration, "30s", timedelta(seconds=30)),
        (v.duration, "72h", 3 * DAY),
        (v.duration, "2d", 2 * DAY),
        (v.duration, "1h30m", 90 * MINUTE),
        (v.duration, "1w", 7 * DAY),
        (v.duration, "0s", timedelta()),
        (v.size, "25MB", 25_000_000),
        (v.size, "64KiB", 65_536),
        (v.size, "1 GB", 1_000_000_000),
        (v.size, "512B", 512),
        (v.endpoint, "127.0.0.1:2525", Endpoint(host="127.0.0.1", port=2525)),
        (v.endpoint, "[::1]:25", Endpoint(host="::1", port=25)),
        (v.endpoint, "localhost:0", Endpoint(host="localhost", port=0)),
        (v.endpoint, "unix:/run/x.sock", Endpoint(path="/run/x.sock")),
        (v.smarthost, "smtp://user:pass@mail.example.org:587", "smtp://user:pass@mail.example.org:587"),
        (v.smarthost, "maildir:/tmp/mail", "maildir:/tmp/mail"),
        (v.next_hop, "lmtp+unix:/run/lmtp", "lmtp+unix:/run/lmtp"),
        (v.calendar_server, "embedded:radicale", "embedded:radicale"),
        (v.database, "postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db"),
        (v.domain, "BÜCHER.example", "xn--bcher-kva.example"),
        (v.address, " Alice@Example.ORG", "alice@example.org"),
        (v.address_or_domain, "@Example.org", "@example.org"),
        (v.language, "pt_BR", "pt-BR"),
        (v.timezone, "Europe/Berlin", "Europe/Berlin"),
        (v.header, "X-Spam-Flag: YES", "X-Spam-Flag: YES"),
        (v.cancel, "delete-after:7d", "delete-after:7d"),
        (v.alarm, "-15m", "-PT15M"),
        (v.alarm, "-1d", "-PT1440M"),
        (v.alarm, "90s", "PT1M30S"),
        (v.working_hours, "Mo-Fr 08:00-18:00, Sa 09:00-12:00", "Mo-Fr 08:00-18:00, Sa 09:00-12:00"),
        (v.several(v.text), ["a", "b"], ("a", "b")),
        (v.one_or_several(v.domain), "example.org", ("example.org",)),
        (v.optional(v.path), "", None),
    ],
)
def test_a_value_means_one_thing(convert: v.Convert, written: object, meant: object) -> None:
    assert convert(written) == meant


@pytest.mark.parametrize(
    ("convert", "written", "words"),
    [
        (v.duration, "30", "not a duration"),
        (v.duration, 30, "text in quotes, not a number"),
        (v.duration, "-5s", "not a duration"),
        (v.duration, "99999999w", "hundred years"),
        (v.some_time, "0s", "more than nothing"),
        (v.size, "25 mb", "not a size"),
        (v.size, "0MB", "not a size"),
        (v.size, 25, "text in quotes"),
        (v.endpoint, "2525", 'not "host:port"'),
        (v.endpoint, "::1:25", "brackets"),
        (v.endpoint, "127.0.0.1:65536", 'not "host:port"'),
        (v.endpoint, "127.0.0.1:smtp", 'not "host:port"'),
        (v.endpoint, "unix:run/x", "absolute"),
        (v.endpoint, "unix:/" + "x" * 107, "107 bytes"),
        (v.smarthost, "mail.example.org", "smtp://host:port"),
        (v.smarthost, "maildir:mail", "absolute"),
        (v.smarthost, "smtp://", "smtp://host:port"),
        (v.next_hop, "smtps://x", "lmtp+unix"),
        (v.calendar_server, "ftp://x/", "http://"),
        (v.url("http"), "http://x:port/", "ort"),
        (v.map_address, "https://map.example/?q=", "{place}"),
        (v.map_address, "https://{place}.example/", "{place}"),
        (v.database, "mysql://x", "postgresql"),
        (v.domain, "exa mple.org", "not a mail domain"),
        (v.domain, "", "not a mail domain"),
        (v.address, "alice", "not a mail address"),
        (v.address, "a b@example.org", "not a mail address"),
        (v.language, "english!", "language tag"),
        (v.timezone, "Mars/Olympus", "IANA"),
        (v.timezone, "../../etc/passwd", "IANA"),
        (v.header, "no colon", "header field"),
        (v.cancel, "deleted", 'did you mean "delete"'),
        (v.cancel, "delete-after:soon", "not a duration"),
        (v.number(1, 5), 6, "between 1 and 5"),
        (v.number(1, 5), True, "not true or false"),
        (v.switch, "yes", "must be true or false, not text"),
        (v.one_of("hold", "store"), "hould", 'did you mean "hold"'),
        (v.several(v.text), "a", "a list in brackets, not text"),
        (v.some(v.text), [], "must not be empty"),
        (v.text, "a\nb", "line breaks"),
        (v.network, "10.0.0.1/8", "host bits"),
        (v.working_hours, "always", "08:00"),
        (v.working_hours, "Mo-Fr 08:00-25:00", "08:00"),
        (v.working_hours, "Mo-Fr 8:60-18:00", "08:00"),
        (v.working_hours, "Mo-Fr 22:00-06:00", "22:00-06:00 ends before it begins"),
        (v.label, "../x", "letters, digits"),
    ],
)
def test_anything_else_is_refused_with_the_reason(convert: v.Convert, written: object, words: str) -> None:
    with pytest.raises(ValueError, match="(?s).*") as caught:
        convert(written)
    assert words in str(caught.value)


CONVERTS: list[Any] = [
    *(
        v.text,
        v.prose,
        v.name,
        v.label,
        v.switch,
        v.duration,
        v.some_time,
        v.size,
        v.path,
        v.network,
        v.endpoint,
    ),
    *(v.smarthost, v.next_hop, v.database, v.calendar_server, v.domain, v.address, v.address_or_domain),
    *(v.language, v.timezone, v.header, v.cancel, v.alarm, v.working_hours, v.number(0, 9), v.one_of("a")),
    *(v.several(v.text), v.some(v.text), v.one_or_several(v.text), v.optional(v.path)),
]


@given(
    st.sampled_from(CONVERTS),
    st.one_of(st.text(), st.integers(), st.booleans(), st.lists(st.text()), st.floats()),
)
def test_no_value_causes_anything_but_the_one_error(convert: v.Convert, value: object) -> None:
    with contextlib.suppress(ValueError):
        convert(value)


@given(st.one_of(st.builds("{}:secret@{}".format, st.text(), st.text())))
def test_a_url_that_may_hold_a_password_is_not_repeated(url: str) -> None:
    for convert in (v.smarthost, v.next_hop, v.database):
        try:
            convert(url)
        except ValueError as error:
            assert "secret" not in str(error)
