"""Calendar text as a tree of lines that loses nothing: what nobody touched goes out as it came.

    tree = parse(data)                       bytes -> Component, or MalformedCalendar
    write(tree) == data                      but for the repairs below
    tree.put(prop("METHOD", "REPLY"))        values: every change is a new tree

Repairs, all at reading: a byte order mark, blank lines and what stands before BEGIN:VCALENDAR or after its END are
dropped; line ends (LF, CR, CRCRLF) become CRLF; a missing END is added, an END of another name counts as the one that
was due. A line without a colon is kept as a property without a name. Bytes that are no UTF-8 survive as surrogates.
Properties and components are values: they compare and hash by content, whatever their folding, and are never changed.
They are plain classes with slots because a frozen dataclass costs three times as much to make (research: 150 us an object).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.errors import LimitExceeded, MalformedCalendar
from gateway.ical.address import Address, address
from gateway.ical.lexer import Parameter, escape, fold, join_params, mend, read_params, split_line, unescape

_LOGICAL_LINE = re.compile(r"\n(?![ \t])")
_FOLD = re.compile(r"\n[ \t]")
_STRAY_CR = re.compile(r"\r++(?=\n|\Z)")
_BEGIN_CALENDAR = re.compile(r"^[ \t]*BEGIN:VCALENDAR[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of SPEC 11 for one calendar text: octets in all and per physical line, components, depth, and per component the attendees."""

    bytes: int = 1_048_576
    line: int = 65_536
    components: int = 2_000
    depth: int = 10
    attendees: int = 1_000
    properties: int = 50_000


DEFAULT_LIMITS: Final = Limits()


class Property:
    """One content line: `name` in upper case ("" for a line without a colon), `value` as written, escapes and all."""

    __slots__ = ("_address", "_head", "_line", "_params", "name", "value")

    name: Final[str]
    value: Final[str]

    def __init__(
        self,
        name: str,
        value: str,
        params: Iterable[Parameter] = (),
        raw: bytes | None = None,
    ) -> None:
        self.name = name.upper()
        self.value = value
        self._params: tuple[Parameter, ...] | None = tuple(params)
        self._head = ""
        self._line = None if raw is None else raw.decode("utf-8", "surrogateescape")
        self._address: Address | None = None

    @classmethod
    def read(cls, name: str, head: str, value: str, *, line: str) -> Property:
        """A line as the lexer found it; its parameters are split when somebody asks for them."""
        new = cls.__new__(cls)
        new.name = name.upper()  # type: ignore[misc]
        new.value = value  # type: ignore[misc]
        new._params = None if head else ()
        new._head = head
        new._line = line
        new._address = None
        return new

    @property
    def params(self) -> tuple[Parameter, ...]:
        """The parameters in their order, doubled ones included."""
        if self._params is None:
            self._params = read_params(self._head)
        return self._params

    @property
    def raw(self) -> bytes | None:
        """The physical lines as received, without the last line end; None when built or changed here."""
        return None if self._line is None else self._line.encode("utf-8", "surrogateescape")

    @property
    def line(self) -> str:
        """What goes out: the lines as received, or the property rendered and folded."""
        if self._line is not None:
            return self._line
        return fold(f"{self.name}{join_params(self.params)}:{self.value}" if self.name else self.value)

    @property
    def text(self) -> str:
        """The value as plain text (RFC 5545 3.3.11)."""
        return unescape(self.value)

    @property
    def address(self) -> Address:
        """The value as a calendar user address (RFC 5545 3.3.3)."""
        if self._address is None:
            self._address = address(self.value)
        return self._address

    @property
    def tzid(self) -> str:
        """The TZID parameter, or ""."""
        return self.param("TZID") or ""

    def param(self, name: str) -> str | None:
        """The first value of the first parameter of that name; without splitting parameters that name none."""
        params = self._params
        if params is None and name not in self._head.upper():
            return None
        for item in self.params if params is None else params:
            if item.name == name:
                return item.values[0]
        return None

    def param_values(self, name: str) -> tuple[str, ...]:
        """All values of all parameters of that name."""
        return tuple(value for item in self.params if item.name == name for value in item.values)

    def with_params(self, **by_name: str | Sequence[str] | None) -> Property:
        """A copy with these parameters set in place or appended, or removed (None); `_` in a name stands for `-`."""
        wanted = {name.replace("_", "-").upper(): _values(values) for name, values in by_name.items()}
        done: set[str] = set()
        out: list[Parameter] = []
        for item in self.params:
            if item.name not in wanted:
                out.append(item)
            elif item.name not in done and (values := wanted[item.name]):
                out.append(Parameter(item.name, values))
            done.add(item.name)
        out += [Parameter(name, values) for name, values in wanted.items() if values and name not in done]
        changed = tuple(out)
        return self if changed == self.params else Property(self.name, self.value, changed)

    def with_value(self, value: str) -> Property:
        """A copy with another raw value and the same parameters."""
        return self if value == self.value else Property(self.name, value, self.params)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Property):
            return NotImplemented
        if self.name != other.name or self.value != other.value:
            return False
        return (bool(self._head) and self._head == other._head) or self.params == other.params

    def __hash__(self) -> int:
        return hash((self.name, self.value))

    def __repr__(self) -> str:
        return f"<{self.name}{join_params(self.params)}:{self.value}>"


class Component:
    """A calendar component: `name` in upper case, and its children (properties and components) in document order."""

    __slots__ = ("_begin", "_end", "_named", "_tzids", "children", "memo", "name")

    name: Final[str]
    children: Final[tuple[Property | Component, ...]]
    memo: object  # what it was once read as, for him who reads it again: nothing that the children do not say

    def __init__(
        self,
        name: str,
        children: Iterable[Property | Component] = (),
        *,
        begin: str | None = None,
        end: str | None = None,
    ) -> None:
        self.name = name
        self.children = tuple(children)
        self.memo = None
        self._named: dict[str, tuple[Property, ...]] | None = None
        self._tzids: tuple[str, ...] | None = None
        self._begin = begin or f"BEGIN:{name}"  # as received: servers and clients differ in case and blanks
        self._end = end or f"END:{name}"

    @property
    def properties(self) -> tuple[Property, ...]:
        return tuple([child for child in self.children if isinstance(child, Property)])

    @property
    def components(self) -> tuple[Component, ...]:
        return tuple([child for child in self.children if isinstance(child, Component)])

    @property
    def tzids(self) -> tuple[str, ...]:
        """Every TZID that its own lines name, in order."""
        if self._tzids is None:
            self._tzids = tuple(dict.fromkeys([tzid for line in self.properties if (tzid := line.tzid)]))
        return self._tzids

    def first(self, name: str) -> Property | None:
        """The first property of that name."""
        found = self.all(name)
        return found[0] if found else None

    def all(self, name: str) -> tuple[Property, ...]:
        """Every property of that name, in order."""
        if self._named is None:  # one component is asked for twenty names, and may have a thousand lines
            named: dict[str, list[Property]] = {}
            for child in self.properties:
                named.setdefault(child.name, []).append(child)
            self._named = {key: tuple(found) for key, found in named.items()}
        return self._named.get(name, ())

    def text(self, name: str) -> str | None:
        """The first property of that name as plain text."""
        found = self.first(name)
        return None if found is None else found.text

    def value(self, name: str) -> str | None:
        """The first property of that name as written."""
        found = self.first(name)
        return None if found is None else found.value

    def subcomponents(self, name: str) -> tuple[Component, ...]:
        """Every direct subcomponent of that name, in order."""
        return tuple(child for child in self.children if child.name == name and isinstance(child, Component))

    def without(self, *names: str) -> Component:
        """A copy without the properties of these names."""
        return self._keep([c for c in self.children if c.name not in names or isinstance(c, Component)])

    def only(self, names: Iterable[str]) -> Component:
        """A copy with only the properties of these names; subcomponents stay."""
        wanted = frozenset(names)
        return self._keep([c for c in self.children if c.name in wanted or isinstance(c, Component)])

    def without_components(self, *names: str) -> Component:
        """A copy without the direct subcomponents of these names."""
        return self._keep([c for c in self.children if c.name not in names or isinstance(c, Property)])

    def put(self, new: Property) -> Component:
        """A copy in which `new` replaces the first property of its name and further ones are gone, or is added."""
        out: list[Property | Component] = []
        placed = False
        for child in self.children:
            if isinstance(child, Component) or child.name != new.name:
                out.append(child)
            elif not placed:
                out.append(new)
                placed = True
        return self.with_children(out) if placed else self.add(new)

    def add(self, new: Property) -> Component:
        """A copy with one more property, behind the last one before the first subcomponent."""
        place = next(
            (i for i, child in enumerate(self.children) if isinstance(child, Component)), len(self.children)
        )
        return self.with_children((*self.children[:place], new, *self.children[place:]))

    def replace(self, old: Property | Component, new: Property | Component) -> Component:
        """A copy in which the one child that *is* `old` is `new`."""
        return self.with_children(new if child is old else child for child in self.children)

    def with_children(self, children: Iterable[Property | Component]) -> Component:
        """A copy with other children."""
        return Component(self.name, children, begin=self._begin, end=self._end)

    def lines(self) -> list[str]:
        """What goes out, without the line ends."""
        out = [self._begin]
        for child in self.children:
            out += (child.line,) if isinstance(child, Property) else child.lines()
        return [*out, self._end]

    def _keep(self, kept: Sequence[Property | Component]) -> Component:
        return self if len(kept) == len(self.children) else self.with_children(kept)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Component):
            return NotImplemented
        return self.name == other.name and self.children == other.children

    def __hash__(self) -> int:
        return hash((self.name, self.children))

    def __repr__(self) -> str:
        return f"<{self.name} {len(self.children)} children>"


def prop(name: str, value: str, **params: str | Sequence[str] | None) -> Property:
    """A property from its raw value; `_` in a parameter's name stands for `-`."""
    return Property(name, value).with_params(**params)


def text_prop(name: str, text: str, **params: str | Sequence[str] | None) -> Property:
    """A property from plain text, escaped."""
    return prop(name, escape(text), **params)


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Component:
    """The first VCALENDAR of a text (RFC 5545 3.4). Raise MalformedCalendar when there is none, LimitExceeded over a limit."""
    if len(data) > limits.bytes:
        raise LimitExceeded(f"{len(data)} octets of calendar data")
    text = _with_plain_line_ends(data)
    start = _BEGIN_CALENDAR.search(text)
    if start is None:
        raise MalformedCalendar("no BEGIN:VCALENDAR")
    return _Reader(limits, pure=text.isascii() or not _has_surrogates(text)).read(text[start.start() :])


def write(component: Component) -> bytes:
    """The text of a tree, CRLF line ends; the inverse of `parse`."""
    return "\r\n".join([*component.lines(), ""]).encode("utf-8", "surrogateescape")


def _values(values: str | Sequence[str] | None) -> tuple[str, ...]:
    if values is None:
        return ()
    return (values,) if isinstance(values, str) else tuple(values)


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _with_plain_line_ends(data: bytes) -> str:
    """The text with LF line ends. A bare CR is a line end only where nothing else is (old Macintosh files)."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if "\r" not in text:
        return text
    text = text.replace("\r\n", "\n")
    if "\r" not in text:
        return text
    return _STRAY_CR.sub("", text) if "\n" in text else text.replace("\r", "\n")


class _Open(NamedTuple):
    name: str
    begin: str
    children: list[Property | Component]


class _Reader:
    """The stack of components that are open while lines come in."""

    __slots__ = ("components", "limits", "open", "properties", "pure", "root")

    def __init__(self, limits: Limits, *, pure: bool) -> None:
        self.limits = limits
        self.pure = pure
        self.open: list[_Open] = []
        self.root: Component | None = None
        self.components = 0
        self.properties = 0

    def read(self, text: str) -> Component:
        limit = self.limits.line
        for line in _LOGICAL_LINE.split(text):
            if "\n" in line or len(line) > limit:
                self._folded(line)
            elif line:
                self._line(line, line)
            if self.root is not None:
                return self.root
        while self.open:
            self._close(None)
        assert self.root is not None  # noqa: S101 - the first line opened it
        return self.root

    def _folded(self, line: str) -> None:
        if len(line) > self.limits.line and any(len(part) > self.limits.line for part in line.split("\n")):
            raise LimitExceeded("a line over the limit")
        whole = _FOLD.sub("", line)
        self._line(whole if self.pure else mend(whole), line.replace("\n", "\r\n"))

    def _line(self, line: str, physical: str) -> None:
        parts = split_line(line)
        if parts is None:
            self._add(Property.read("", "", line, line=physical))
            return
        name, head, value = parts
        if len(name) == 5 and name.upper() == "BEGIN" and not head:
            self._begin(value.strip().upper(), physical)
        elif len(name) == 3 and name.upper() == "END" and not head:
            self._end(value.strip().upper(), physical)
        else:
            self._add(Property.read(name, head, value, line=physical))

    def _add(self, new: Property) -> None:
        self.properties += 1
        if self.properties > self.limits.properties:
            raise LimitExceeded("too many properties")
        self.open[-1].children.append(new)

    def _begin(self, name: str, physical: str) -> None:
        self.components += 1
        if self.components > self.limits.components:
            raise LimitExceeded("too many components", code="too-many-components")
        if len(self.open) >= self.limits.depth:
            raise LimitExceeded("components nested too deep", code="too-deep")
        self.open.append(_Open(name, physical, []))

    def _end(self, name: str, physical: str) -> None:
        if any(opened.name == name for opened in self.open):
            while self.open[-1].name != name:
                self._close(None)
            self._close(physical)
        else:
            self._close(None)

    def _close(self, physical: str | None) -> None:
        done = self.open.pop()
        guests = sum(child.name == "ATTENDEE" for child in done.children)
        if guests > self.limits.attendees:
            raise LimitExceeded(f"{guests} attendees", code="too-many-attendees")
        component = Component(done.name, done.children, begin=done.begin, end=physical)
        if self.open:
            self.open[-1].children.append(component)
        else:
            self.root = component


__all__ = [
    "DEFAULT_LIMITS",
    "Component",
    "Limits",
    "Parameter",
    "Property",
    "escape",
    "parse",
    "prop",
    "text_prop",
    "unescape",
    "write",
]
