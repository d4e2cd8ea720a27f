"""One spelling per resource, and never another origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.caldav.href import canonical, escape, object_path, origin_of, parent
from gateway.errors import BackendUnavailable


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/a%40b/c.ics", "/a@b/c.ics"),
        ("/a@b/c.ics", "/a@b/c.ics"),
        ("/a%2fb/c%2F%25.ics", "/a%2Fb/c%2F%25.ics"),
        ("/caf%C3%A9/", "/café/"),
        ("/caf%E9/", "/caf%E9/"),
        ("/50%/x", "/50%25/x"),
        ("/a%0Ab", "/a%0Ab"),
        ("http://other.example:8080/dav/x.ics", "/dav/x.ics"),
        ("//other.example/dav/x.ics", "/dav/x.ics"),
        ("https://other.example", "/"),
        ("x.ics", "/base/x.ics"),
        (" /a/ ", "/a/"),
        ("/a;b:c,d?e#f", "/a;b:c,d?e#f"),
    ],
)
def test_an_href_has_one_spelling(written: str, path: str):
    assert canonical(written, base="/base/") == path


@pytest.mark.parametrize("href", ["/a/../b", "/a/%2e%2E/b", "..", "/./a"])
def test_dot_segments_are_refused(href: str):
    with pytest.raises(BackendUnavailable):
        canonical(href)


paths = st.text(st.characters(codec="utf-8"), max_size=40).map(lambda text: "/" + text)


@given(paths)
def test_escaping_and_reading_again_changes_nothing(text: str):
    try:
        path = canonical(text)
    except BackendUnavailable:
        return
    assert canonical(escape(path)) == path
    assert escape(path).isascii()


@given(paths)
def test_the_transport_sends_exactly_what_we_escape(text: str):
    try:
        url = origin_of("http://host:1").url(canonical(text))
    except BackendUnavailable:
        return
    assert str(URL(url)) == url


@pytest.mark.parametrize(
    ("url", "name", "start"),
    [
        ("http://host", "http://host", "/"),
        ("https://HOST:443/dav", "https://host", "/dav/"),
        ("http://[::1]:5232/", "http://[::1]:5232", "/"),
    ],
)
def test_an_origin_is_read_from_a_url(url: str, name: str, start: str):
    origin = origin_of(url)
    assert (str(origin), origin.start) == (name, start)


@pytest.mark.parametrize("url", ["ftp://host/", "host", "/path", "embedded:radicale", "http://host:port/"])
def test_what_is_no_http_url_is_refused(url: str):
    with pytest.raises(ValueError):
        origin_of(url)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/dav/", "/dav/"),
        ("dav/", "/here/dav/"),
        ("http://host:80/dav/", "/dav/"),
        ("HTTP://HOST/dav/", "/dav/"),
        ("https://host/dav/", None),
        ("http://host:8080/dav/", None),
        ("http://evil.example/dav/", None),
        ("//evil.example/dav/", None),
        ("http://host@evil.example/", None),
        ("http://host.evil.example/", None),
    ],
)
def test_a_redirect_stays_inside_the_origin(location: str, path: str | None):
    assert origin_of("http://host/").inside(location, base="/here/x") == path


def test_another_host_is_elsewhere_another_scheme_is_a_proxy():
    origin = origin_of("https://host/")
    assert origin.elsewhere("https://p01.other.example/123/") and not origin.elsewhere("http://host/123/")
    assert not origin.elsewhere("/123/")


@pytest.mark.parametrize(
    "uid", ["a:b", "a;b", "a/b", "a b", "ü", "x" * 300, ".hidden", "", "..", "a%2Fb", "it's"]
)
def test_odd_and_long_uids_are_hashed(uid: str):
    path = object_path("/alice/cal/", uid)
    assert path == canonical(path) and parent(path) == "/alice/cal/"
    assert len(path) == len("/alice/cal/") + 64 + len(".ics")


def test_a_plain_uid_is_its_own_name():
    assert object_path("/alice/cal", "4F2@example.org") == "/alice/cal/4F2@example.org.ics"


@given(st.text(max_size=30), st.text(max_size=30))
def test_two_uids_never_share_a_path(one: str, two: str):
    assert (object_path("/c/", one) == object_path("/c/", two)) == (one == two)
