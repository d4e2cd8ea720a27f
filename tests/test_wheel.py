"""The wheel holds what the installed program needs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    folder = tmp_path_factory.mktemp("wheel")
    [wheel] = list(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        return frozenset(archive.namelist())


def committed(folder: Path, pattern: str) -> list[str]:
    found = [one for one in folder.rglob(pattern) if one.is_file() and "__pycache__" not in one.parts]
    return [str(one.relative_to(folder)) for one in found]


def test_every_template_is_inside(packed: frozenset[str]) -> None:
    templates = committed(ROOT / "templates", "*")
    assert templates
    assert {f"gateway/templates/{one}" for one in templates} <= packed


def test_every_module_and_migration_is_inside(packed: frozenset[str]) -> None:
    assert {f"gateway/{one}" for one in committed(ROOT / "gateway", "*.py")} <= packed
    assert any(one.startswith("gateway/store/migrations/versions/") for one in packed)


def test_the_reference_configuration_is_inside(packed: frozenset[str]) -> None:
    assert "gateway/config.example.toml" in packed


def test_the_command_and_the_licence_are_inside(packed: frozenset[str]) -> None:
    assert any(one.endswith(".dist-info/entry_points.txt") for one in packed)
    assert any(one.endswith(".dist-info/licenses/LICENSE") for one in packed)


def test_tests_and_caches_stay_outside(packed: frozenset[str]) -> None:
    assert not [one for one in packed if one.startswith("tests/") or "__pycache__" in one]
