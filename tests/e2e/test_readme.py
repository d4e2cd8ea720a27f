"""The README's round trip, line by line as it stands there, against the demo."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        return int(wire.getsockname()[1])


def commands() -> list[str]:
    """The shell lines of the section "Two commands" after the two, in their order."""
    section = re.split(r"^## ", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    text = next(one for one in section if one.startswith("Two commands"))
    lines = [line.strip() for line in text.split("\n") if line.startswith("    ")]
    return [line for line in lines if not line.startswith("make ")]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """`make run` in a folder of its own, on free ports."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    smtp, web = free_port(), free_port()
    words = [".venv/bin/imip-gateway", "demo", "--smtp", f"127.0.0.1:{smtp}", "--web", f"127.0.0.1:{web}"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=tmp_path, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    url = f"http://127.0.0.1:{web}"
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                break
        time.sleep(0.1)
    yield tmp_path, url
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, (tmp_path / "log").read_text()


def wait_until(page: str, words: str) -> str:
    deadline = time.monotonic() + 60
    text = ""
    while time.monotonic() < deadline:
        text = httpx.get(page).text
        if words in text:
            return text
        time.sleep(0.2)
    raise AssertionError(f"{words!r} does not come up on {page}:\n{text[-3000:]}")


def test_the_round_trip_of_the_readme(demo: tuple[Path, str]) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is missing"
        pytest.skip("curl is missing")
    folder, url = demo
    submit, *accept, why = commands()
    introduction = (folder / "log").read_text()
    assert (
        "alice, bob and room1 @example.org" in introduction
        and ".venv/bin/imip-gateway submit" in introduction
    )

    subprocess.run(["bash", "-euc", submit], cwd=folder, check=True, timeout=60)
    page = wait_until(f"{url}/demo", "Tea with Carol")
    assert "needs action" in page

    subprocess.run(["bash", "-euc", "\n".join(accept)], cwd=folder, check=True, timeout=60)
    page = wait_until(f"{url}/demo", "REPLY")
    assert "Alice Liddell &lt;alice@example.org&gt; → Carol Example &lt;carol@example.com&gt;" in page
    assert 'class="answer accepted"' in page
    letter = httpx.get(url + re.findall(r'href="(/demo/letters/[^"]+)"', page)[0]).text
    assert "PARTSTAT=ACCEPTED" in letter and "METHOD:REPLY" in letter

    told = subprocess.run(
        ["bash", "-euc", why], cwd=folder, check=True, timeout=60, capture_output=True, text=True
    )
    assert (
        "applied: invitation-stored" in told.stdout
        and "letter REPLY to carol@example.com: sent" in told.stdout
    )


def test_the_demo_prints_its_configuration_and_check_accepts_it(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "gateway", "demo", "--state", str(tmp_path / "var"), "--print-config"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=60, check=True)
    config = tmp_path / "config.toml"
    config.write_bytes(done.stdout)
    config.chmod(0o600)
    checked = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "-c", str(config)],
        cwd=ROOT,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert checked.returncode == 0 and "ok, 3 accounts" in checked.stdout, checked.stdout + checked.stderr
    assert not (tmp_path / "var").exists()


def test_bad_configuration_is_told_at_once_and_ends_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[gateway]\ndomain = ["example.org"]\nlanguage = 7\n[wacth]\nsettle = "soon"\n')
    for command in ("serve", "check", "queue"):
        words = [
            sys.executable,
            "-m",
            "gateway",
            command,
            "-c",
            str(config),
            *(["list"] if command == "queue" else []),
        ]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, timeout=60, text=True)
        assert done.returncode == 78
        for fault in ("domains", "language", "watch"):
            assert fault in done.stderr


def test_a_taken_port_and_a_folder_that_cannot_be_are_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        base = '[gateway]\ndomains = ["example.org"]\nstate_dir = "{}"\n[web]\nlisten = ""\n[[listener]]\nlisten = "{}"\n'
        for state, place in ((tmp_path / "state", address), (Path("/proc/nowhere"), "127.0.0.1:0")):
            config = tmp_path / "config.toml"
            config.write_text(base.format(state, place))
            done = subprocess.run(
                [sys.executable, "-m", "gateway", "serve", "-c", str(config)],
                cwd=ROOT,
                capture_output=True,
                timeout=60,
                text=True,
            )
            assert done.returncode == 69 and "Traceback" not in done.stderr
            assert "in use" in done.stderr or "/proc/nowhere" in done.stderr


def test_a_command_that_comes_later_ends_with_69_and_one_line() -> None:
    for command in ("retract",):
        done = subprocess.run(
            [sys.executable, "-m", "gateway", command], cwd=ROOT, capture_output=True, timeout=60, text=True
        )
        assert done.returncode == 69 and done.stderr.count("\n") == 1 and "later" in done.stderr
    version = subprocess.run(
        [sys.executable, "-m", "gateway", "version"], cwd=ROOT, capture_output=True, timeout=60, text=True
    )
    assert json.dumps(version.stdout.split()[0]) == '"imip-gateway"'
