"""`templates`: which letters there are, one of them to change, and how it looks (INTERFACE 2)."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gateway import config as configuration
from gateway.cli.show import config_option
from gateway.config import Config
from gateway.errors import ConfigError

USAGE, EXISTS = 64, 73


def arguments(parser: argparse.ArgumentParser) -> None:
    config_option(parser)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every template, and where it is from")
    copy = actions.add_parser("copy", help="the files of one template into a folder, to change them there")
    copy.add_argument(
        "name", metavar="NAME", help="a letter such as invitation, or a file such as web/page.html"
    )
    copy.add_argument("folder", metavar="DIR", type=Path, help="what [templates] directory names")
    preview = actions.add_parser("preview", help="a letter with sample facts, in the browser")
    preview.add_argument("name", metavar="NAME", help="a letter such as invitation")
    preview.add_argument("--language", metavar="LANG", default="", help="default: [gateway] language")
    preview.add_argument("--zone", metavar="ZONE", default="", help="the reader's time zone")
    preview.add_argument("--output", metavar="DIR", type=Path, help="write the letter there and open nothing")


def run(arguments: argparse.Namespace) -> int:
    """64 for a name that is none, 73 where a file is in the way, 78 for a template with a fault."""
    config = _configuration(arguments)
    if arguments.action == "list":
        return _list(config)
    if arguments.action == "copy":
        return _copy(config, arguments.name, arguments.folder)
    return _preview(config, arguments)


def _configuration(arguments: argparse.Namespace) -> Config:
    """With no file anywhere: the templates as they are shipped."""
    try:
        path = configuration.find(arguments.config)
    except ConfigError:
        return configuration.parse('[gateway]\ndomains = ["example.org"]\n')
    return configuration.load(path)


def _sources(config: Config) -> dict[str, Path]:
    from gateway.wiring import meaning

    return meaning.template_files(config)


def _list(config: Config) -> int:
    own = config.templates.directory
    for name, path in _sources(config).items():
        changed = own is not None and path.is_relative_to(own)
        sys.stdout.write(f"{name}{f'  {path}' if changed else ''}\n")
    return 0


def _copy(config: Config, name: str, folder: Path) -> int:
    found = {one: path for one, path in _sources(config).items() if _is_meant(one, name)}
    if not found:
        return _no_template(name, _sources(config))
    existing = [folder / one for one in found if (folder / one).exists()]
    if existing:
        sys.stderr.write(f"imip-gateway templates: {existing[0]} exists already\n")
        return EXISTS
    for one, path in found.items():
        target = folder / one
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        sys.stdout.write(f"{target}\n")
    return 0


def _is_meant(file: str, name: str) -> bool:
    """`invitation` is both files of the letter, `mail/invitation.html` one of them."""
    return name in (
        file,
        file.rpartition(".")[0],
        file.partition("/")[2],
        file.partition("/")[2].rpartition(".")[0],
    )


def _no_template(name: str, known: Sequence[str] | dict[str, Path]) -> int:
    sys.stderr.write(f"imip-gateway templates: there is no {name!r}; there are {', '.join(known)}\n")
    return USAGE


def _preview(config: Config, arguments: argparse.Namespace) -> int:
    import webbrowser

    from gateway.render.samples import NAMES, ZONE, sample
    from gateway.render.voice import catalogue
    from gateway.wiring import meaning

    name = arguments.name.removeprefix("mail/").partition(".")[0]
    if name not in NAMES:
        return _no_template(arguments.name, NAMES)
    words = meaning.words_of(config)
    language = arguments.language or config.gateway.language
    if arguments.language and not catalogue(arguments.language, words.translations):
        known = ", ".join(words.translations)
        sys.stderr.write(f"imip-gateway templates: no language {arguments.language!r}; there are {known}\n")
        return USAGE
    worded = words.letters.render(
        sample(name, language=language, now=datetime.now(UTC), zone=arguments.zone or ZONE)
    )
    folder = arguments.output or Path(tempfile.mkdtemp(prefix="imip-preview-"))
    folder.mkdir(parents=True, exist_ok=True)
    html, text = folder / f"{name}.{worded.language}.html", folder / f"{name}.{worded.language}.txt"
    html.write_text(worded.html, "utf-8")
    text.write_text(f"Subject: {worded.subject}\n\n{worded.text}", "utf-8")
    sys.stdout.write(f"{html}\n{text}\n")
    if arguments.output is None:
        webbrowser.open(html.resolve().as_uri())
    return 0
