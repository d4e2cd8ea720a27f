"""Every key, event, reason and command is documented, and nothing is documented that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from gateway import errors
from gateway.cli.main import COMMANDS
from gateway.config.reader import FILE, Rows, Table
from gateway.itip.model import Outcome, Reason
from gateway.log import Event, Log, Stage

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PROSE = [*DOCS.glob("*.md"), ROOT / "README.md"]


def section(name: str, *headings: str) -> str:
    """The text of a page, or of those parts of it that stand under the headings."""
    text = (DOCS / name).read_text()
    if not headings:
        return text
    parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return "\n".join(part for part in parts if part.split("\n", 1)[0] in headings)


def rows(text: str) -> list[list[str]]:
    """The cells of every table row that begins with a word in backticks."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def first(text: str) -> list[str]:
    return [row[0].strip("`") for row in rows(text)]


REASON_PAGES = (
    "Done",
    "Who sent it, and whether he may",
    "Order",
    "Form",
    "Watching calendars",
    "Servers around us",
)


def test_every_reason_is_documented_once_and_no_other() -> None:
    assert sorted(first(section("reasons.md", *REASON_PAGES))) == sorted(one.value for one in Reason)


def test_every_outcome_is_documented_once_and_no_other() -> None:
    head = section("reasons.md").split("## ")[0]
    assert first(head) == [one.value for one in Outcome]


def test_a_reason_comes_with_outcomes_that_exist_and_says_what_to_do() -> None:
    known = {one.value for one in Outcome}
    for reason, outcomes, meaning, advice in rows(section("reasons.md", *REASON_PAGES)):
        assert set(outcomes.split(", ")) <= known, reason
        assert meaning.endswith(".") and advice.endswith("."), reason


def test_the_code_of_every_error_is_documented() -> None:
    codes = {
        one.code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.GatewayError)
    }
    assert codes <= set(first(section("reasons.md")))


def test_every_event_is_documented_once_and_no_other() -> None:
    assert first(section("events.md").split("## Metrics")[0]) == [one.value for one in Event]


def test_every_metric_is_documented_and_no_other() -> None:
    page = Log().exposition().decode()
    ours = set(re.findall(r"^# TYPE (imip_gateway_\w+) ", page, flags=re.MULTILINE))
    counters = {f"imip_gateway_{one.value.replace('.', '_')}_total" for one in Event}
    assert set(first(section("events.md", "Metrics"))) == ours - counters
    assert all(one.value in section("events.md", "Metrics") for one in Stage)


def test_every_limit_has_its_reason() -> None:
    limits = FILE.keys["limits"]
    assert isinstance(limits, Table)
    assert first(section("configuration.md", "Limits")) == list(limits.keys)
    assert all(len(reason) > 20 for _, _, reason in rows(section("configuration.md", "Limits")))


def every_key(table: Table) -> set[str]:
    found = set(table.keys)
    for kind in table.keys.values():
        inner = kind.of if isinstance(kind, Rows) else kind
        found |= every_key(inner) if isinstance(inner, Table) else set()
    return found


def test_every_key_that_a_page_names_exists() -> None:
    """`[table] key`, `table.key` and `key = value` in backticks are keys; the reference itself has its own test."""
    keys = every_key(FILE)
    for page in PROSE:
        for quoted in re.findall(r"`([^`\n]+)`", page.read_text()):
            named = re.fullmatch(r"\[+(\w+)\]+ (\w+)( = .*)?", quoted) or re.fullmatch(
                rf"({'|'.join(FILE.keys)})\.(\w+)( = .*)?", quoted
            )
            if named and quoted not in list(Event) and named[2] != "toml":
                assert named[1] in FILE.keys, f"{page.name}: {quoted}"
                assert named[2] in keys, f"{page.name}: {quoted}"


def test_every_command_that_a_page_names_exists() -> None:
    for page in PROSE:
        for name in re.findall(
            r"imip-gateway ([a-z]+)\b", re.sub(r"^#.*", "", page.read_text(), flags=re.MULTILINE)
        ):
            assert name in COMMANDS or name == "help" or f"`imip-gateway {name}" not in page.read_text(), name


def test_every_command_is_documented_once_and_no_other() -> None:
    assert first(section("commands.md")) == [f"imip-gateway {name}" for name in COMMANDS]


def test_a_command_that_comes_later_says_so() -> None:
    built_in = {"version"}
    for cell, about in rows(section("commands.md")):
        name = cell.strip("`").split()[-1]
        works = bool(COMMANDS[name].module) or name in built_in
        assert about.startswith("Comes later") is not works, name


def test_every_problem_that_doctor_names_is_documented_and_no_other() -> None:
    source = "".join((ROOT / "gateway" / "flows" / one).read_text() for one in ("doctor.py", "domains.py"))
    assert sorted(first(section("doctor.md"))) == sorted(set(re.findall(r'code="([a-z-]+)"', source)))


def test_every_option_is_documented() -> None:
    pages = section("commands.md")
    options = {
        option
        for path in (ROOT / "gateway" / "cli").glob("*.py")
        for option in re.findall(r"add_argument\(\s*\"(-[-a-z]+)\"", path.read_text())
    }
    assert not [one for one in options if not re.search(rf"`{one}\b|\b{one}\b| {one}\b", pages)]


def test_no_link_leads_nowhere() -> None:
    for page in PROSE:
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_test_that_the_acceptance_page_names_exists() -> None:
    named = re.findall(r"`(tests/[^`:]+)(?:::(\w+))?`", section("acceptance.md").split("\n## ", 1)[1])
    assert named
    for file, test in named:
        text = (ROOT / file).read_text()
        assert not test or f"def {test}(" in text, (file, test)
