"""The templates: compiled once, escaped where it matters, and refused at start where they are broken."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jinja2 import UndefinedError

from gateway.errors import ConfigError
from gateway.render.templates import Templates
from gateway.render.voice import Voice


def test_every_fault_is_named_with_file_and_line() -> None:
    sources = {
        "a.html": "fine",
        "b.html": "one\n{% if %}\n",
        "c.txt": "\n\n{{ x | nonsense }}",
        "d.txt": '{% extends "gone.txt" %}',
    }
    with pytest.raises(ConfigError) as caught:
        Templates(sources)
    assert [problem.split(" ")[0] for problem in caught.value.problems] == [
        "b.html:2:",
        "c.txt:3:",
        "d.txt:1:",
    ]


def test_html_is_escaped_and_text_is_not(speak: Callable[..., Voice]) -> None:
    source = '{{ x }}{{ _("by %(who)s", who=x) }}{% trans y=x %}of {{ y }}{% endtrans %}'
    templates = Templates({"a.html": source, "a.txt": source})
    assert templates.render("a.txt", speak(), x="<b>") == "<b>by <b>of <b>"
    assert templates.render("a.html", speak(), x="<b>") == "&lt;b&gt;by &lt;b&gt;of &lt;b&gt;"


def test_one_compilation_speaks_every_language(speak: Callable[..., Voice]) -> None:
    source = '{{ _("Accept") }} {{ ngettext("and %(n)s more", "and %(n)s more", 2) }}'
    templates = Templates({"a.txt": source})
    assert templates.render("a.txt", speak("en")) == "Accept and 2 more"
    assert templates.render("a.txt", speak("de")) == "Zusagen und 2 weitere"


def test_an_unknown_name_is_no_empty_string(speak: Callable[..., Voice]) -> None:
    with pytest.raises(UndefinedError):
        Templates({"a.txt": "{{ gone }}"}).render("a.txt", speak())


def test_the_names_are_listed(sources: dict[str, str]) -> None:
    assert "mail/invitation.html" in Templates(sources, filters={"linked": str}).names()
