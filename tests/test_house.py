"""The rules of the house, read from the syntax trees: where a rule is broken, its file, line and name are told."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GATEWAY = ROOT / "gateway"

PURE = ("ical", "itip", "policy", "imip", "render")  # from the lowest floor up
EDGES = ("smtp", "caldav", "web", "store")
GROUND = ("errors", "accounts", "ports", "config", "log")
TOP = ("__main__", "cli", "daemon", "processes", "radicale_hook", "wiring")
UNDER_PURE = frozenset(
    {"errors", "accounts", "ports", "config"}
)  # log writes, so it is nothing for a pure room
PURE_GROUND = ("errors", "accounts")

IMPURE_MODULES = frozenset(
    [
        "asyncio",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlalchemy",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
        "urllib.request",
    ]
)
IMPURE_CALLS = frozenset(["now", "today", "utcnow", "uuid1", "uuid4", "open", "print", "input"])
BANNED_NAMES = frozenset(["utils", "common", "helpers", "base", "manager", "service", "handler"])
LONGEST_FILE, LONGEST_FUNCTION, DEEPEST = 450, 60, 4
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of gateway/ with its tree and the gateway modules that it imports, wherever in the file."""

    path: Path
    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return (self.name.split(".") + [""])[1]

    def at(self, line: int, rule: str) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}: {rule}"


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(GATEWAY.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(path=path, name=name, tree=_parsed(path)))
    return tuple(found)


@cache
def _parsed(path: Path) -> ast.Module:
    """Without the collector, whose work in the middle of it makes CPython lose count of the depth (python/cpython#106905)."""
    gc.disable()
    try:
        return ast.parse(path.read_text(), str(path))
    finally:
        gc.enable()


def names() -> frozenset[str]:
    return frozenset(one.name for one in modules())


def imported(module: Module) -> Iterator[tuple[int, str]]:
    """Every imported module with its line: lazy imports and those for type checking count too."""
    package = module.name if module.path.stem == "__init__" else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(filter(None, (up, node.module)))
            for one in node.names:
                deeper = f"{source}.{one.name}"
                yield node.lineno, deeper if deeper in names() else source


def inside(module: Module) -> Iterator[tuple[int, str]]:
    return ((line, name) for line, name in imported(module) if name.split(".")[0] == "gateway")


def functions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module.tree) if isinstance(node, FUNCTIONS))


def told(faults: list[str]) -> None:
    assert not faults, "\n" + "\n".join(faults)


# --- floors ----------------------------------------------------------------------------------------------------------


def may_import(room: str, other: str) -> bool:
    """HOUSE 1: imports fall; edges do not know each other; flows touch no edge."""
    if room == other or not other:
        return True
    if room in PURE:
        return other in UNDER_PURE or other in PURE[: PURE.index(room)]
    if room in EDGES or room in GROUND:
        return other in GROUND
    if room == "flows":
        return other in GROUND or other in PURE
    return room in TOP or room == ""


def test_every_room_stands_on_a_floor() -> None:
    known = {*PURE, *EDGES, *GROUND, *TOP, "flows", ""}
    told([one.at(1, f"room {one.room} has no floor") for one in modules() if one.room not in known])


def test_imports_fall() -> None:
    told(
        [
            module.at(line, f"{module.room} imports {name}: imports fall")
            for module in modules()
            for line, name in inside(module)
            if not may_import(module.room, (name.split(".") + [""])[1])
        ]
    )


def test_the_top_is_imported_by_nobody_below_it() -> None:
    order = {"processes": 0, "wiring": 0, "daemon": 1, "cli": 2, "__main__": 3}
    told(
        [
            module.at(line, f"{module.room} imports {name}: the top falls too")
            for module in modules()
            for line, name in inside(module)
            if module.room in order and order.get((name.split(".") + [""])[1], -1) > order[module.room]
        ]
    )


def test_no_imports_go_in_a_circle() -> None:
    graph = {one.name: sorted({name for _, name in inside(one)} - {one.name}) for one in modules()}
    done: set[str] = set()
    circles: list[str] = []

    def walk(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circles.append(" -> ".join((*trail[trail.index(name) :], name)))
        elif name not in done:
            for other in graph.get(name, ()):
                walk(other, (*trail, name))
            done.add(name)

    for name in graph:
        walk(name, ())
    told(circles)


def test_a_library_is_wrapped_in_one_room() -> None:
    """HOUSE 6.15: to swap a library, edit one place."""
    users: dict[str, dict[str, str]] = {}
    for module in modules():
        for line, name in imported(module):
            library = name.split(".")[0]
            if library not in sys.stdlib_module_names and library != "gateway":
                users.setdefault(library, {}).setdefault(module.room, module.at(line, f"imports {library}"))
    told([place for rooms in users.values() if len(rooms) > 1 for place in rooms.values()])


# --- purity ----------------------------------------------------------------------------------------------------------


def pure() -> Iterator[Module]:
    return (one for one in modules() if one.room in PURE or one.room in PURE_GROUND)


def test_pure_rooms_import_nothing_that_acts() -> None:
    told(
        [
            module.at(line, f"imports {name} in a pure room")
            for module in pure()
            for line, name in imported(module)
            if name in IMPURE_MODULES or name.split(".")[0] in IMPURE_MODULES
        ]
    )


def test_pure_rooms_ask_no_clock_and_no_dice() -> None:
    faults = []
    for module in pure():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if called in IMPURE_CALLS:
                    faults.append(module.at(node.lineno, f"calls {called}() in a pure room"))
    told(faults)


# --- size ------------------------------------------------------------------------------------------------------------


def test_no_file_is_too_long() -> None:
    lengths = [(one, len(one.path.read_text().splitlines())) for one in modules()]
    told(
        [
            one.at(length, f"{length} lines, {LONGEST_FILE} at most")
            for one, length in lengths
            if length > LONGEST_FILE
        ]
    )


def test_no_function_is_too_long() -> None:
    faults = []
    for module in modules():
        for node in functions(module):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                faults.append(
                    module.at(node.lineno, f"{node.name}: {length} lines, {LONGEST_FUNCTION} at most")
                )
    told(faults)


def depth(node: ast.AST) -> int:
    """How deep the blocks of a function lie in each other; an elif is no deeper, an inner function begins anew."""
    deepest = 0
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                continue
            is_elif = (
                isinstance(node, ast.If)
                and field == "orelse"
                and isinstance(child, ast.If)
                and len(value) == 1
            )
            step = isinstance(child, BLOCKS) and not is_elif
            deepest = max(deepest, step + depth(child))
    return deepest


def test_no_function_is_nested_too_deep() -> None:
    told(
        [
            module.at(node.lineno, f"{node.name}: nested {depth(node)} deep, {DEEPEST} at most")
            for module in modules()
            for node in functions(module)
            if depth(node) > DEEPEST
        ]
    )


# --- form ------------------------------------------------------------------------------------------------------------


def test_every_module_begins_with_one_sentence() -> None:
    faults = []
    for module in modules():
        lines = (ast.get_docstring(module.tree) or "").splitlines()
        if not lines or not re.fullmatch(r".*[.!?]", lines[0]) or re.search(r"[.!?] +[A-Z]", lines[0]):
            faults.append(module.at(1, "the docstring does not begin with one sentence on one line"))
        elif len(lines) > 1 and lines[1].strip():
            faults.append(module.at(2, "no blank line after the first sentence of the docstring"))
    told(faults)


def test_inits_hold_no_logic() -> None:
    def plain(node: ast.stmt) -> bool:
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return all(getattr(one, "id", "") in ("__all__", "__version__") for one in targets)
        return isinstance(node, ast.Import | ast.ImportFrom)

    told(
        [
            module.at(node.lineno, "logic in __init__")
            for module in modules()
            if module.path.stem == "__init__"
            for node in module.tree.body
            if not plain(node)
        ]
    )


def test_no_module_is_a_drawer() -> None:
    told(
        [
            module.at(1, f"banned module name {part}")
            for module in modules()
            for part in module.name.split(".")
            if part in BANNED_NAMES
        ]
    )


def test_annotations_are_never_evaluated() -> None:
    told(
        [
            module.at(1, "from __future__ import annotations is missing")
            for module in modules()
            if module.path.stem != "__init__"
            and any(isinstance(node, (*FUNCTIONS, ast.ClassDef)) for node in module.tree.body)
            and not any(name == "__future__" for _, name in imported(module))
        ]
    )


def test_values_are_frozen() -> None:
    """HOUSE 6.9: dataclasses are frozen, have slots and are built by keyword; enums are StrEnums."""
    faults = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ClassDef):
                continue
            for one in node.decorator_list:
                if getattr(getattr(one, "func", one), "id", "") == "dataclass":
                    on = {
                        key.arg
                        for key in getattr(one, "keywords", ())
                        if getattr(key.value, "value", 0) is True
                    }
                    if not {"frozen", "slots", "kw_only"} <= on:
                        faults.append(module.at(node.lineno, f"{node.name}: not frozen, slots, kw_only"))
            if any(getattr(base, "id", "") in ("Enum", "IntEnum") for base in node.bases):
                faults.append(module.at(node.lineno, f"{node.name}: not a StrEnum"))
    told(faults)


def test_beyond_the_third_argument_there_are_only_keywords() -> None:
    """HOUSE 6.8, for what others call; a method that a library calls keeps its signature, and says so by @override."""
    faults = []
    for module in modules():
        for node in functions(module):
            given = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
            marks = {getattr(one, "id", getattr(one, "attr", "")) for one in node.decorator_list}
            if given[:1] in (["self"], ["cls"]):
                given = given[1:]
            if len(given) > 3 and not node.name.startswith("_") and "override" not in marks:
                faults.append(
                    module.at(node.lineno, f"{node.name}: {len(given)} arguments by position, 3 at most")
                )
    told(faults)


# --- text ------------------------------------------------------------------------------------------------------------

CITATIONS = {
    "a section sign": re.compile("[\u00a7]"),
    "the word section before a number": re.compile(
        r"\b(?:section|sect?\.|chapter)s? \d+(?:\.\d+)*", re.IGNORECASE
    ),
    "no single space after RFC": re.compile(r"\bRFC(?:[-_/]|\s{2,})?\d{3,5}\b"),
    "a mark between RFC number and paragraph": re.compile(r"\bRFC \d{3,5} ?[,:;/#(\[-] ?\d+(?:\.\d+)+"),
    "a letter before the paragraph": re.compile(r"\bRFC \d{3,5},? (?:[Ss]|sec|par|p)\.? ?\d+(?:\.\d+)*"),
}


def files(*suffixes: str, under: tuple[str, ...] = ("",)) -> Iterator[Path]:
    """What is committed, or would be: git's list, else the folder (an unpacked sdist)."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        found = [ROOT / line for line in listing.stdout.splitlines()]
    else:
        found = [one for one in ROOT.rglob("*") if not {".venv", "__pycache__", "var"} & set(one.parts)]
    for path in found:
        inside_of = str(path.relative_to(ROOT)).startswith(under)
        if inside_of and path.is_file() and (not suffixes or path.suffix in suffixes):
            yield path


def lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        return enumerate(path.read_text().splitlines(), 1)
    except UnicodeDecodeError:
        return iter(())


def broken(paths: Iterator[Path], rules: dict[str, re.Pattern[str]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {rule}: {found[0]}"
        for path in paths
        for number, line in lines(path)
        for rule, pattern in rules.items()
        if (found := pattern.search(line))
    ]


def test_rfcs_are_cited_in_one_form() -> None:
    """RFC 5546 3.2.3, so that it can be searched for."""
    told(broken((one for one in files(".py", ".md") if one != Path(__file__)), CITATIONS))


@pytest.mark.parametrize("good", ["RFC 5546 3.2.3", "RFC 5321, 2033", "RFC 5545 3.3.3, 6068", "(RFC 6047)"])
def test_the_one_form_is_allowed(good: str) -> None:
    assert not any(one.search(good) for one in CITATIONS.values())


@pytest.mark.parametrize(
    "bad",
    [
        "\u00a73.2",
        "RFC 5546 section 3.2.3",
        "Section 3.2.3",
        "RFC5546",
        "RFC-5546",
        "RFC 5546, 3.2.3",
        "RFC 5546 s3.2",
    ],
)
def test_no_other_form_is(bad: str) -> None:
    assert any(one.search(bad) for one in CITATIONS.values())


def test_nothing_is_left_to_do() -> None:
    rules = {"unfinished": re.compile(r"\b(?:TODO|FIXME|XXX|HACK|NotImplementedError)\b")}
    told(broken(files(under=("gateway/", "templates/")), rules))


def test_nothing_committed_names_the_workplace() -> None:
    rules = {
        "a path of one machine": re.compile(r"(?<![\w.])/wor[k]/|/hom[e]/\w|/roo[t]/"),
        "a tool of the workplace": re.compile(
            r"\bfarm[-]\w|(?<![\w-])issues (?:show|list|close|comment|new)\b"
        ),
        "a package registry's host": re.compile(
            r"pypi[.]org|pythonhosted[.]org|(?<!no-emit-)(?:extra-)?index[-]url"
        ),
    }
    told(broken(files(), rules))


def test_tests_are_found_by_path_alone() -> None:
    told([f"{one.relative_to(ROOT)}:1: __init__ in tests" for one in (ROOT / "tests").rglob("__init__.py")])
