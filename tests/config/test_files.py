"""A file is found, its secrets are read, its mode is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import find, load, parse, warnings
from gateway.config.files import complete, secrets_of
from gateway.errors import ConfigError

HEAD = '[gateway]\ndomains = ["example.org"]\npublic_url = "https://cal.example.org"\n'
TRUST = '[trust]\nauthserv_ids = ["mx.example.org"]\n'
ALICE = '[[account]]\naddress = "alice@example.org"\n'


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, mode: int = 0o600, name: str = "config.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def faults(path: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ or {})
    return "\n".join(caught.value.problems)


def test_secrets_come_from_files(written, tmp_path: Path) -> None:
    written("pässword\nsecond line", name="alice.secret")
    written("s3rvice\r\n", name="server.secret")
    written("h00kt0ken\n", name="hook.secret")
    path = written(
        HEAD
        + TRUST
        + '[web]\nhook_token_file = "hook.secret"\n[[server]]\nusername = "svc"\npassword_file = "server.secret"\n'
        + ALICE
        + 'password_file = "alice.secret"',
        mode=0o644,
    )
    config = load(path)
    assert config.accounts[0].password == "pässword"
    assert config.servers[0].password == "s3rvice"
    assert config.web.hook_token == "h00kt0ken"
    assert list(secrets_of(config)) == ["pässword", "s3rvice", "h00kt0ken"]
    assert not any(one in repr(config) for one in secrets_of(config))
    assert warnings(config) == ()


def test_secrets_come_from_the_environment(written) -> None:
    path = written(HEAD + ALICE + 'password = "env:ALICE"', mode=0o644)
    assert load(path, environ={"ALICE": "s3cret"}).accounts[0].password == "s3cret"
    assert "the variable ALICE is not set" in faults(path)


def test_a_password_in_a_file_that_everybody_can_read_is_refused(written) -> None:
    for text in (
        HEAD + ALICE + 'password = "s3cret"',
        HEAD + '[delivery]\nsmarthost = "smtp://u:s3cret@mail.example.org"',
    ):
        fault = faults(written(text, mode=0o644))
        assert "can be read by everybody" in fault
        assert "s3cret" not in fault
        assert load(written(text, mode=0o600))
        assert load(written(text, mode=0o640))


def test_a_secret_file_that_everybody_can_read_is_a_warning(written, tmp_path: Path) -> None:
    written("x", mode=0o644, name="alice.secret")
    config = load(written(HEAD + TRUST + ALICE + 'password_file = "alice.secret"'))
    assert config.exposed == (tmp_path / "alice.secret",)
    assert "alice.secret" in warnings(config)[0]


def test_paths_are_taken_from_the_folder_of_the_file(written, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = written(HEAD + 'state_dir = "state"\n[templates]\ndirectory = "mine"')
    config = load(path)
    assert config.gateway.state_dir == tmp_path / "state"
    assert config.templates.directory == tmp_path / "mine"
    assert config.path == path


def test_every_missing_file_is_told_at_once(written, tmp_path: Path) -> None:
    written("", name="empty.secret")
    fault = faults(
        written(
            HEAD
            + 'secret_key_file = "key"\n[[listener]]\nstarttls = { cert = "c.pem", key = "k.pem" }\n'
            + '[templates]\ndirectory = "none"\n[web]\nstatus_token_file = "empty.secret"\n'
            + '[[server]]\npassword_file = "p"\n'
            + ALICE
            + 'password_file = "q"'
        )
    )
    for place in (
        "[gateway] secret_key_file: ",
        "[[listener]] 1 starttls cert: ",
        "[[listener]] 1 starttls key: ",
        "[templates] directory: ",
        "[web] status_token_file: ",
        "[[server]] main password_file: ",
        "[[account]] alice@example.org password_file: ",
    ):
        assert f"config.toml: {place}" in fault
    assert fault.count("No such file") == 5


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\x80"])
def test_a_file_that_is_no_text_is_one_clear_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    assert "not UTF-8" in faults(path)


def test_a_byte_order_mark_does_not_hurt(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load(path)


def test_a_missing_file_is_one_clear_fault(tmp_path: Path) -> None:
    assert faults(tmp_path / "none.toml").endswith("none.toml: No such file or directory")


def test_the_given_file_comes_first_then_the_variable_then_the_folder(
    written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(Path("x.toml"), environ={"IMIP_GATEWAY_CONFIG": "y.toml"}) == Path("x.toml")
    assert find(environ={"IMIP_GATEWAY_CONFIG": "y.toml"}) == Path("y.toml")
    written(HEAD)
    assert find(environ={}) == Path("config.toml")


def test_a_text_without_file_can_be_completed(tmp_path: Path) -> None:
    config = complete(parse(HEAD + ALICE + 'password = "demo"'), tmp_path, environ={})
    assert config.gateway.state_dir == Path("/var/lib/imip-gateway")
    assert config.accounts[0].password == "demo"
