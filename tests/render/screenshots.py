"""Every letter as a reader sees it: python -m tests.render.screenshots DIR [LANGUAGE ...]

Chromium draws each kind in each language at the width of a telephone and of a desk, by day and by night. Nothing is judged
here; somebody looks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.cli.main import main as command
from gateway.render.samples import NAMES

WIDTHS = {"phone": (390, 1500), "desk": (1100, 1200)}
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def browser() -> str:
    """The browser's path. Raises SystemExit where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("screenshots need Chromium (Debian: apt install chromium)")
    return found


def draw(page: Path, target: Path, *, width: int, height: int, dark: bool) -> None:
    night = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0") if dark else ()
    with tempfile.TemporaryDirectory() as profile:
        size = f"--window-size={width},{height}"
        words = [
            browser(),
            *QUIET,
            *night,
            f"--user-data-dir={profile}",
            size,
            f"--screenshot={target}",
            page.as_uri(),
        ]
        subprocess.run(words, check=True, capture_output=True, timeout=120)


def main(folder: Path, languages: list[str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(os.cpu_count()) as pool:
        for language in languages:
            for kind in NAMES:
                if command(["templates", "preview", kind, "--language", language, "--output", place]):
                    return 1
                for name, (width, height) in WIDTHS.items():
                    for dark in (False, True):
                        target = folder / f"{kind}.{language}.{name}.{'night' if dark else 'day'}.png"
                        page = Path(place) / f"{kind}.{language.replace('_', '-')}.html"
                        jobs.append(pool.submit(draw, page, target, width=width, height=height, dark=dark))
        for one in jobs:
            one.result()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:] or ["en"]))
