"""From a file to a Config that can be used: secrets are read, paths absolute, file modes looked at."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from gateway.accounts import Account
from gateway.config.model import Config, Listener, Server, Tls
from gateway.config.reader import parse
from gateway.errors import ConfigError

ENVIRONMENT = "IMIP_GATEWAY_CONFIG"
PLACES = (Path("config.toml"), Path("/etc/imip-gateway/config.toml"))
LARGEST_SECRET = 65_536

_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)\Z", re.ASCII)


def find(given: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The file that counts: the given one, else $IMIP_GATEWAY_CONFIG, ./config.toml, /etc/imip-gateway/config.toml."""
    if given is not None:
        return given
    if named := environ.get(ENVIRONMENT):
        return Path(named)
    for place in PLACES:
        if place.exists():
            return place
    looked = ", ".join(["$" + ENVIRONMENT, *map(str, PLACES)])
    raise ConfigError((f"no configuration: looked for {looked}; `-c FILE` names another",))


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Config:
    """Read, parse and complete one file. Raises ConfigError with every fault."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError((f"{path}: {error.strerror}",)) from None
    except UnicodeDecodeError as error:
        raise ConfigError((f"{path}: not UTF-8 at byte {error.start}",)) from None
    config = replace(parse(text, file=str(path)), path=path)
    return complete(config, path.resolve().parent, environ=environ)


def complete(config: Config, folder: Path, *, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration with its secrets read and relative paths taken from `folder`. Raises ConfigError."""
    filling = _Filling(folder, environ)
    full = filling.fill(config)
    if config.path is not None and _holds_secret(config) and _world_readable(config.path):
        filling.fault("", f"holds a password and can be read by everybody: chmod 600 {config.path}")
    if filling.problems:
        name = str(config.path or "configuration")
        raise ConfigError(tuple(f"{name}: {one}" for one in filling.problems))
    return replace(full, exposed=tuple(filling.exposed))


class _Filling:
    """One pass over the keys that name files and variables."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self.exposed: list[Path] = []
        self._folder = folder
        self._environ = environ

    def fill(self, config: Config) -> Config:
        gateway, web = config.gateway, config.web
        key_file = self._path(gateway.secret_key_file)
        if key_file is not None:
            self._secret(key_file, "[gateway] secret_key_file")
        hook, status = self._path(web.hook_token_file), self._path(web.status_token_file)
        return replace(
            config,
            gateway=replace(gateway, state_dir=self._folder / gateway.state_dir, secret_key_file=key_file),
            listeners=tuple(self._listener(one, count) for count, one in enumerate(config.listeners, 1)),
            web=replace(
                web,
                hook_token_file=hook,
                status_token_file=status,
                hook_token=self._secret(hook, "[web] hook_token_file"),
                status_token=self._secret(status, "[web] status_token_file"),
            ),
            templates=replace(config.templates, directory=self._templates(config)),
            servers=tuple(map(self._server, config.servers)),
            accounts=tuple(map(self._account, config.accounts)),
            directory=replace(config.directory, include=self._path(config.directory.include)),
        )

    def fault(self, place: str, reason: str) -> None:
        self.problems.append(f"{place}: {reason}" if place else reason)

    def _path(self, path: Path | None) -> Path | None:
        return None if path is None else self._folder / path

    def _templates(self, config: Config) -> Path | None:
        found = self._path(config.templates.directory)
        if found is not None and not found.is_dir():
            self.fault("[templates] directory", f"{found} is no folder")
        return found

    def _listener(self, one: Listener, count: int) -> Listener:
        tls = Tls(cert=self._path(one.starttls.cert), key=self._path(one.starttls.key))
        for key, path in (("cert", tls.cert), ("key", tls.key)):
            if path is not None:
                self._readable(path, f"[[listener]] {count} starttls {key}")
        if tls.key is not None and _world_readable(tls.key):
            self.exposed.append(tls.key)
        return replace(one, starttls=tls)

    def _server(self, one: Server) -> Server:
        path = self._path(one.password_file)
        secret = self._secret(path, f"[[server]] {one.name} password_file")
        return replace(one, password_file=path, password=secret)

    def _account(self, one: Account) -> Account:
        if one.password_file:
            path = self._folder / Path(one.password_file).expanduser()
            secret = self._secret(path, f"[[account]] {one.address} password_file")
            return replace(one, password_file=str(path), password=secret)
        if variable := _VARIABLE.match(one.password):
            if not (secret := self._environ.get(variable[1], "")):
                self.fault(f"[[account]] {one.address} password", f"the variable {variable[1]} is not set")
            return replace(one, password=secret)
        return one

    def _secret(self, path: Path | None, place: str) -> str:
        """The first line of a file; its last line end is not part of the secret."""
        if path is None:
            return ""
        if not self._readable(path, place):
            return ""
        try:
            with path.open("rb") as file:
                found = file.read(LARGEST_SECRET).decode().partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError):
            self.fault(place, f"{path} is no text")
            return ""
        if not found:
            self.fault(place, f"{path} is empty")
        if _world_readable(path):
            self.exposed.append(path)
        return found

    def _readable(self, path: Path, place: str) -> bool:
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            self.fault(place, f"{path}: {error.strerror}")
            return False
        return True


def _holds_secret(config: Config) -> bool:
    """Whether a secret stands in the file itself."""
    written = (one.password for one in config.accounts if not _VARIABLE.match(one.password))
    urls = (config.delivery.smarthost, config.gateway.database_url, config.directory.url)
    return any(written) or any(_password_in(one) for one in urls)


def _password_in(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return "@" in url


def _world_readable(path: Path) -> bool:
    try:
        return bool(stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH)
    except OSError:
        return False


def secrets_of(config: Config) -> Iterator[str]:
    """Every secret of a configuration, for tests and for what must never print one."""
    yield from (one.password for one in config.accounts if one.password)
    yield from (one.password for one in config.servers if one.password)
    yield from (one for one in (config.web.hook_token, config.web.status_token) if one)


__all__ = ["complete", "find", "load", "secrets_of"]
