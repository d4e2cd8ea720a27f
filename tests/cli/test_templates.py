"""`templates`: what there is, a copy to change, and how it looks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli.main import main


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A configuration whose templates are looked for in `own` first."""
    (tmp_path / "own" / "mail").mkdir(parents=True)
    config = tmp_path / "config.toml"
    config.write_text('[gateway]\ndomains = ["example.org"]\n[templates]\ndirectory = "own"\n')
    return config


def test_every_file_is_listed_and_an_own_one_with_its_place(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = own.parent / "own" / "mail" / "reply.txt"
    mine.write_text("mine")
    assert main(["templates", "-c", str(own), "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"mail/reply.txt  {mine}" in lines
    assert {"mail/invitation.html", "web/page.html"} <= set(lines)


def test_a_copy_is_a_beginning_and_never_overwrites(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own.parent / "own"
    assert main(["templates", "-c", str(own), "copy", "invitation", str(folder)]) == 0
    assert capsys.readouterr().out.split() == [
        str(folder / "mail" / f"invitation.{kind}") for kind in ("html", "txt")
    ]
    assert main(["templates", "-c", str(own), "copy", "invitation", str(folder)]) == 73
    assert main(["templates", "-c", str(own), "copy", "web/page.html", str(folder)]) == 0
    assert (folder / "web" / "page.html").exists()
    assert main(["templates", "-c", str(own), "copy", "nothing-like-it", str(folder)]) == 64


def test_one_file_changes_one_letter(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own.parent / "own" / "mail" / "reply.txt").write_text("{{ p.band }}: mine\n")
    shown = own.parent / "shown"
    for kind in ("reply", "update"):
        assert (
            main(["templates", "-c", str(own), "preview", kind, "--language", "de", "--output", str(shown)])
            == 0
        )
    told = (shown / "reply.de.txt").read_text()
    assert told.startswith("Subject: Zugesagt: Quarterly planning")
    assert told.endswith("\n\nZugesagt: mine\n")
    assert "mine" not in (shown / "update.de.txt").read_text()


def test_a_language_is_named_as_mail_names_it(tmp_path: Path) -> None:
    for language in ("pt-BR", "pt_BR"):
        assert main(["templates", "preview", "reply", "--language", language, "--output", str(tmp_path)]) == 0
    assert (tmp_path / "reply.pt-BR.html").exists()


def test_a_broken_file_is_named_with_its_line(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own.parent / "own" / "mail" / "reply.txt").write_text("fine\n{% if %}\n")
    assert main(["templates", "-c", str(own), "preview", "reply"]) == 78
    assert "mail/reply.txt:2:" in capsys.readouterr().err
    assert main(["templates", "-c", str(own), "list"]) == 0


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["templates", "preview", "nothing-like-it", "--output", str(tmp_path)]) == 64
    assert main(["templates", "preview", "reply", "--language", "tlh", "--output", str(tmp_path)]) == 64
    assert "tlh" in capsys.readouterr().err
