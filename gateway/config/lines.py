"""In which line of config.toml a key stands, so that whoever reads of a mistake need not search for it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w-]+)(?:\s*\.\s*([\w-]+))?\s*\]\]?\s*(?:#.*)?\Z")
_KEY = re.compile(r"\s*[\"']?([\w-]+)[\"']?\s*(?:\.\s*([\w-]+)\s*)?=\s*(?:\"([^\"]*)\")?")
_PLACE = re.compile(r"(\[\[?)([\w-]+)\]\]?(?: (.*))?\Z")
_NAMES = ("address", "name")  # by which rows are told apart in faults


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    line: int
    names: set[str]  # by which faults call it; grows as it is read
    keys: dict[str, int] = field(default_factory=dict)


class Lines:
    """The tables of one text. It reads lines, not TOML: what is not there as it expects has no line."""

    def __init__(self, text: str) -> None:
        self._tables: dict[str, list[_Table]] = {}
        count: Counter[str] = Counter()
        table: _Table | None = None
        prefix = ""
        for number, line in enumerate(text.splitlines(), 1):
            if header := _HEADER.match(line):
                name, prefix = header[2], header[3] or ""
                if not prefix or name not in self._tables:
                    count[name] += 1
                    table = _Table(line=number, names={str(count[name])})
                    self._tables.setdefault(name, []).append(table)
                table = self._tables[name][-1]
                if prefix:
                    table.keys.setdefault(prefix, number)
            elif table is not None and (key := _KEY.match(line)):
                table.keys.setdefault(f"{prefix} {key[1]}" if prefix else key[1], number)
                if key[1] in _NAMES and not prefix and key[3]:
                    table.names.add(key[3].strip().lower())

    def of(self, place: str) -> int | None:
        """Of a place as faults name it: `[watch] burst events`, `[[account]] 2 aliases`, `[[account]] bob@example.org watch`."""
        found = _PLACE.match(place)
        tables = self._tables.get(found[2], ()) if found else ()
        if not found or not tables:
            return None
        words = (found[3] or "").split()
        table: _Table | None = tables[0]
        if found[1] == "[[" and words:
            table = next((one for one in tables if words[0].lower() in one.names), None)
            words = words[1:] if table is not None else words
            table = table or tables[-1]
        if table is None:
            return None
        both = " ".join(words[:2])
        return table.keys.get(both) or (table.keys.get(words[0], table.line) if words else table.line)


__all__ = ["Lines"]
