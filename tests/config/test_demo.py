"""The demo is the real daemon with this configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import demo_config, parse, warnings


def test_the_demo_is_what_the_interface_promises(tmp_path: Path) -> None:
    config = parse(demo_config(tmp_path))
    assert config.gateway.domains == ("example.org",)
    assert config.gateway.state_dir == tmp_path
    assert config.gateway.public_url == "http://127.0.0.1:8025"
    assert [(one.address, one.kind, one.username, one.password) for one in config.accounts] == [
        ("alice@example.org", "person", "alice", "demo"),
        ("bob@example.org", "person", "bob", "demo"),
        ("room1@example.org", "room", "room1", "demo"),
    ]
    assert [str(one.listen) for one in config.listeners] == ["127.0.0.1:2525"]
    assert str(config.web.listen) == "127.0.0.1:8025"
    assert config.servers[0].url == "embedded:radicale"
    assert config.delivery.smarthost == f"maildir:{tmp_path}/mail"
    assert config.trust.trusted_networks_are == "likely"
    assert warnings(config) == ()


@pytest.mark.parametrize("name", ['a "quoted" one', "back\\slash", "Bücher", "tab\\t"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    assert parse(demo_config(tmp_path / name)).gateway.state_dir == tmp_path / name


def test_two_demos_can_live_side_by_side(tmp_path: Path) -> None:
    config = parse(
        demo_config(
            tmp_path,
            smtp="127.0.0.1:0",
            web="127.0.0.1:0",
            domain="example.net",
            smarthost="smtp://127.0.0.1:2626",
        )
    )
    assert config.accounts[0].address == "alice@example.net"
    assert config.delivery.service_address == "calendar@example.net"
    assert config.delivery.smarthost == "smtp://127.0.0.1:2626"
