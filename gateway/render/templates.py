"""The templates of letters and pages, compiled once; the only user of jinja2.

A name that ends in .html is escaped, any other is not. Styles are constants of a macro file, so nothing inlines CSS at
run time. A fault is found at start, with its file and line, not in the first letter of the week.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined, TemplateError, TemplateSyntaxError, pass_context
from jinja2.meta import find_referenced_templates
from jinja2.runtime import Context
from markupsafe import Markup

from gateway.errors import ConfigError
from gateway.render.voice import Voice

Filter = Callable[..., Any]


class Templates:
    """Every template by its name, `mail/invitation.html`."""

    def __init__(self, sources: Mapping[str, str], *, filters: Mapping[str, Filter] | None = None) -> None:
        """Compile all. Raise ConfigError with every fault of every file."""
        self._html = _environment(sources, filters or {}, escaped=True)
        self._text = _environment(sources, filters or {}, escaped=False)
        problems = [problem for name in sources for problem in self._problems(name, sources)]
        if problems:
            raise ConfigError(tuple(problems))

    def render(self, name: str, voice: Voice, **values: object) -> str:
        """The text of a template in the voice's language."""
        environment = self._html if name.endswith(".html") else self._text
        return environment.get_template(name).render(voice=voice, **values)

    def names(self) -> tuple[str, ...]:
        return tuple(self._text.list_templates())

    def _problems(self, name: str, sources: Mapping[str, str]) -> list[str]:
        environment = self._html if name.endswith(".html") else self._text
        try:
            environment.get_template(name)
            wanted = find_referenced_templates(environment.parse(sources[name]))
        except TemplateSyntaxError as error:
            return [f"{error.name or name}:{error.lineno}: {error.message}"]
        except TemplateError as error:
            return [f"{name}:1: {error}"]
        return [f"{name}:1: there is no template {one}" for one in wanted if one and one not in sources]


def _environment(sources: Mapping[str, str], filters: Mapping[str, Filter], *, escaped: bool) -> Environment:
    environment = Environment(
        loader=DictLoader(dict(sources)),
        autoescape=escaped,  # noqa: S701  text must not be escaped; every .html is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        cache_size=-1,
        extensions=["jinja2.ext.i18n"],
    )
    environment.filters.update(filters)
    # The i18n extension looks the functions up by name when a template runs: one compilation serves every language.
    environment.globals.update(gettext=_gettext, ngettext=_ngettext, pgettext=_pgettext, npgettext=_unused)
    environment.globals["_"] = _gettext
    environment.newstyle_gettext = True  # type: ignore[attr-defined]
    return environment


@pass_context
def _gettext(context: Context, message: str, /, **values: object) -> str:
    return _filled(context, context["voice"].translations.gettext(message), values)


@pass_context
def _ngettext(context: Context, singular: str, plural: str, n: int, /, **values: object) -> str:
    return _filled(context, context["voice"].translations.ngettext(singular, plural, n), {"n": n, **values})


@pass_context
def _pgettext(context: Context, where: str, message: str, /, **values: object) -> str:
    return _filled(context, context["voice"].translations.pgettext(where, message), values)


def _unused(*_: object) -> str:
    raise TemplateError("npgettext is not used here")


def _filled(context: Context, text: str, values: Mapping[str, object]) -> str:
    """The sentence is ours and may hold markup; the values are other people's and are escaped."""
    if context.eval_ctx.autoescape:
        return Markup(text) % values  # noqa: S704
    return text % values


__all__ = ["Templates"]
