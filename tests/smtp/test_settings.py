"""Where a listener listens."""

from __future__ import annotations

import pytest

from gateway.smtp.settings import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint", "again"),
    [
        ("127.0.0.1:2525", Endpoint(host="127.0.0.1", port=2525), "127.0.0.1:2525"),
        ("[::1]:25", Endpoint(host="::1", port=25), "[::1]:25"),
        (":25", Endpoint(port=25), ":25"),
        ("*:25", Endpoint(port=25), ":25"),
        ("localhost:0", Endpoint(host="localhost"), "localhost:0"),
        ("unix:/run/x", Endpoint(path="/run/x"), "unix:/run/x"),
    ],
)
def test_an_endpoint_is_read_and_written(text: str, endpoint: Endpoint, again: str) -> None:
    assert parse_endpoint(text) == endpoint
    assert str(endpoint) == again


@pytest.mark.parametrize(
    "text", ["", "25", "host", "host:", "host:65536", "host:-1", "::1:25", "unix:x", "unix:"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_endpoint(text)
