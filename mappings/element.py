"""The few words that mappings are written in: a mapping is a table of lines, one line per element.

https://hl7.org/fhir/R4/elementdefinition.html

A line names the FHIR element, where it is kept (a group of columns, or rows of another table), the codec
between the two, the HL7v2 field that fills it, and the search parameters that look at it. Everything else
(reading in, rendering, applying a message, search, capabilities, the documentation) is derived from these
lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from mappings.er7 import Repetition
    from storage.model.columns import Code, Group, Link, Table
    from storage.record import Record

Value = Any
"""A JSON value: dict, list, str, int, Decimal, bool."""

SITE = "http://suture.example.org/fhir"
"""The root of our own code systems, identifier systems and extensions; never configurable, stored rows
depend on it.
"""


def cs(name: str) -> str:
    """Return the URL of one of our code systems."""
    return f"{SITE}/CodeSystem/{name}"


def sid(name: str) -> str:
    """Return the URL of one of our identifier systems."""
    return f"{SITE}/sid/{name}"


def ext(name: str) -> str:
    """Return the URL of one of our extensions."""
    return f"{SITE}/StructureDefinition/{name}"


Kind = Literal["code-invalid", "value", "required", "business-rule", "invariant", "structure"]


class Refused(Exception):
    """A value cannot be stored: what is wrong, where, and what would be allowed."""

    def __init__(
        self, kind: Kind, expression: str, value: object, allowed: str = "", message: str = ""
    ) -> None:
        super().__init__(message or f"{expression}: {kind}")
        self.kind: Kind = kind
        self.expression = expression
        self.value = value
        self.allowed = allowed
        told = str(value) if isinstance(value, Decimal) else repr(value)
        self.message = message or f"{told} is not accepted here" + (
            f"; allowed: {allowed}" if allowed else ""
        )


class IllegalTransition(Exception):
    """A change of state that the workflow has not from the present state, and those that it has; the states
    are ours and hold no patient data.
    """

    def __init__(self, expression: str, present: str, wanted: str, allowed: Iterable[str] = ()) -> None:
        super().__init__(f"{present} → {wanted}")
        self.expression = expression
        self.present = present
        self.wanted = wanted
        self.allowed = tuple(allowed)


class RoleRefused(Exception):
    """A change of state that the workflow has, but not for who asks; ``who`` are the roles that may."""

    def __init__(self, expression: str, role: str, who: tuple[str, ...]) -> None:
        super().__init__(f"{role} may not; these may: {', '.join(who)}")
        self.expression = expression
        self.role = role
        self.who = who


class Unclaimed(Exception):
    """A codec cannot carry this value in its columns; the interpreter keeps it whole in the remainder."""


class Codec(Protocol):
    """Between a FHIR value and the columns of a group; and from a repetition of an HL7v2 field to the FHIR
    value.
    """

    def to_row(self, value: Value) -> tuple[Any, ...]:
        """Return one value per column of the group; raises Unclaimed where the columns cannot carry it."""
        ...

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        """Return the FHIR value, None where there is none."""
        ...

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        """Return the FHIR value of a field, None where there is none; raises ValueError for a malformed
        field.
        """
        ...


@dataclass(frozen=True)
class V2Context:
    """What reading a field needs beside its text: the site's zone (UTC offset rules) and the identifier
    systems.
    """

    zone: Any
    systems: MappingType[str, str] = field(default_factory=dict[str, str])
    """HL7 assigning authority (namespace or universal id) -> FHIR system."""
    version: str = "2.5.1"
    house: str = ""
    """As whom the gateway writes (MSH-3.1): the authority of the numbers that it gives."""
    undated: bool = False
    """Whether to leave out from when to when a name or number holds: those dates cannot be read."""


Reader = Callable[["Repetition", V2Context], Value]


@dataclass(frozen=True)
class V2:
    """The HL7v2 field of a line ("PID-8"); ``read`` where its datatype is not the line's usual one; ``part``
    where it fills but a part of the value (``start`` of a Period).
    """

    field: str
    read: Reader | None = None
    part: str = ""

    @cached_property
    def place(self) -> tuple[str, int]:
        """Segment name and field number."""
        segment, _, number = self.field.partition("-")
        return segment, int(number)


@dataclass(frozen=True)
class Search:
    """A search parameter of a line: name, type, and for references the only type of target that counts."""

    name: str
    type: str
    target: str | None = None


@dataclass(frozen=True)
class Composite:
    """A composite search parameter: ``parts`` are parameters that one and the same item must meet, the items
    being the resource itself ("") and the arrays of ``within``.
    """

    name: str
    parts: tuple[str, ...]
    within: tuple[str, ...] = ("",)


def searches(text: str) -> tuple[Search, ...]:
    """Read ``"name:type name:type:Target"``."""
    return tuple(Search(*part.split(":")) for part in text.split())


@dataclass(frozen=True, eq=False, kw_only=True)
class Line:
    """One element. ``v2`` and ``search`` as told by the words below."""

    element: str
    v2: tuple[V2, ...] = ()
    search: tuple[Search, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class One(Line):
    """An element in columns of the same row."""

    group: Group | Joined
    codec: Codec

    @cached_property
    def indexed(self) -> bool:
        """Whether a column of the group stands in an index, which cannot hold long texts."""
        table = self.group.table
        listed = {column.name for index in table.indexes for column in index.columns}
        return not listed.isdisjoint(self.group.names)


class Weaver(Codec, Protocol):
    """A codec of an element that shares its columns with another one; ``values`` are the codes that it
    takes.
    """

    values: tuple[str, ...]

    def weave(self, value: Value, present: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the columns after the element was set to a value (None: taken away), from how they stand."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Woven(One):
    """A code in columns that another element is kept in too: reading it changes what stands there."""

    codec: Weaver


class Joined:
    """Columns of several groups of one table taken together, for a codec that needs them all."""

    def __init__(self, *groups: Group) -> None:
        self.table = groups[0].table
        self.detail = groups[0].detail
        self.names = tuple(name for group in groups for name in group.names)


@dataclass(frozen=True, eq=False, kw_only=True)
class Part(Line):
    """A nested element whose parts are columns of the same row (or rows that hang on it)."""

    lines: tuple[Line, ...]

    @cached_property
    def by_element(self) -> dict[str, Line]:
        return index_lines(self.lines)

    @cached_property
    def extensions(self) -> dict[str, Extension]:
        return index_extensions(self.lines)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows(Line):
    """An element in rows of another table: an array, or a single one. ``link`` is the foreign key that
    follows from a reference, ``at`` the name under which the rows are kept where it is not the element's
    path.
    """

    mapping: Mapping
    many: bool
    link: Link | None = None
    at: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice(Line):
    """A choice element ``stem[x]`` of one of ``kinds``; the column ``kind`` tells which branch is there;
    without one the branch that has a value is. A branch without a line is kept whole in the remainder.
    """

    kind: Code | None
    kinds: tuple[str, ...]
    lines: tuple[Line, ...]

    @cached_property
    def keys(self) -> dict[str, str]:
        """JSON key -> kind, for every branch that R4 allows."""
        return {self.element + kind[0].upper() + kind[1:]: kind for kind in self.kinds}

    @cached_property
    def branches(self) -> dict[str, Line]:
        """Kind -> the line of its branch."""
        return {self.keys[line.element]: line for line in self.lines}


@dataclass(frozen=True, eq=False, kw_only=True)
class Extension(Line):
    """An extension by its URL, once (``lines``: its value[x] and sub-extensions) or repeating (``rows``,
    whose items are the extensions themselves or, where ``value`` is told, their value). ``kept`` ones
    survive an update that leaves them out (elements that the server owns).
    """

    url: str
    lines: tuple[Line, ...] = ()
    rows: Rows | None = None
    value: str | None = None
    kept: bool = False

    @cached_property
    def by_element(self) -> dict[str, Line]:
        return index_lines(self.lines)

    @cached_property
    def extensions(self) -> dict[str, Extension]:
        return index_extensions(self.lines)


def index_lines(lines: tuple[Line, ...]) -> dict[str, Line]:
    """Map each JSON key to the line that claims it (extensions are claimed by their URL)."""
    found: dict[str, Line] = {}
    for line in lines:
        if isinstance(line, Choice):
            found.update(dict.fromkeys(line.keys, line))
        elif not isinstance(line, Extension):
            found[line.element] = line
    return found


def index_extensions(lines: tuple[Line, ...]) -> dict[str, Extension]:
    """Map each extension URL to its line."""
    return {line.url: line for line in lines if isinstance(line, Extension)}


Hook = Callable[["Record"], None]


class Content(Protocol):
    """How a resource without tables is kept: whole, in one column of its typed row, with copies of what
    search looks at. Copies are made anew at each write and never rendered.
    """

    column: str

    def copy(self, record: Record, new_id: Callable[[], UUID]) -> None:
        """Make the rows of identifiers, codes, references, dates and quantities from the content."""
        ...

    def texts(self, record: Record) -> Iterator[tuple[str, str, str, str | None]]:
        """Yield what text search looks at: under which name, as written, as compared, by its sound."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Mapping:
    """The lines of a resource type or a datatype and the table of its rows.

    ``details`` tells which of the 1:1 ``detail_tables`` a resource has, from the resource as received;
    ``read_in`` runs after a FHIR resource was read into rows, ``project`` before rows are rendered and
    stored, whoever changed them. ``scalar`` is the column of an array of plain values, ``whole`` the single
    row of another table that holds the whole value. ``v2`` reads a repetition of the datatype's usual HL7v2
    type. ``kept_identifiers`` are identifier systems that the server owns: an update may leave them out, not
    change them. Rows that lack a column that may not be empty stay in the remainder, unless they are
    ``completed`` (or refused) by a ``read_in`` hook of the resource type; ``kept_columns`` are columns of it
    that no element tells. ``content`` keeps a resource whole that has no lines.
    """

    type: str
    table: type[Table]
    lines: tuple[Line, ...] = ()
    details: Callable[[dict[str, Value]], tuple[type[Table], ...]] | None = None
    detail_tables: tuple[type[Table], ...] = ()
    read_in: tuple[Hook, ...] = ()
    project: tuple[Hook, ...] = ()
    search: tuple[Any, ...] = ()
    composites: tuple[Composite, ...] = ()
    scalar: str | None = None
    whole: Rows | None = None
    v2: Reader | None = None
    kept_identifiers: frozenset[str] = frozenset()
    completed: bool = False
    kept_columns: tuple[Group, ...] = ()
    content: Content | None = None

    @cached_property
    def by_element(self) -> dict[str, Line]:
        return index_lines(self.lines)

    @cached_property
    def extensions(self) -> dict[str, Extension]:
        return index_extensions(self.lines)

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The columns that the lines fill and that may not be empty, unless a hook sees to them."""
        return () if self.completed else tuple(needed_columns(self.lines))


def needed_columns(lines: tuple[Line, ...]) -> Iterator[str]:
    """Yield the columns that these lines fill and that may not be empty."""
    for line in lines:
        if isinstance(line, One) and not isinstance(line.group, Joined) and line.group.required:
            yield from line.group.names[:1]
        elif isinstance(line, (Part, Extension)):
            yield from needed_columns(line.lines)


V2Words = str | V2 | tuple[str | V2, ...]


def fields(words: V2Words) -> tuple[V2, ...]:
    """Make the HL7v2 fields of a line from what it says: ``"PID-8"``, ``"OBX-14 OBR-7"``, or V2 objects."""
    if isinstance(words, V2):
        return (words,)
    if isinstance(words, str):
        return tuple(V2(word) for word in words.split())
    return tuple(made for word in words for made in fields(word))


def one(element: str, group: Group | Joined, codec: Codec, v2: V2Words = "", search: str = "") -> One:
    """An element kept in a group of columns of the row."""
    return One(element=element, group=group, codec=codec, v2=fields(v2), search=searches(search))


def woven(element: str, group: Joined, codec: Weaver, search: str = "") -> Woven:
    """A code kept in columns that it shares with another element."""
    return Woven(element=element, group=group, codec=codec, search=searches(search))


def part(element: str, *lines: Line) -> Part:
    """A nested element, its parts kept in the same row."""
    return Part(element=element, lines=lines)


def single(
    element: str, mapping: Mapping, v2: V2Words = "", search: str = "", *, at: str | None = None
) -> Rows:
    """A nested element kept as one row of another table."""
    return Rows(element=element, mapping=mapping, many=False, v2=fields(v2), search=searches(search), at=at)


def many(
    element: str, mapping: Mapping, v2: V2Words = "", search: str = "", *, at: str | None = None
) -> Rows:
    """An array kept as rows of another table."""
    return Rows(element=element, mapping=mapping, many=True, v2=fields(v2), search=searches(search), at=at)


def linked(
    element: str,
    link: Link,
    mapping: Mapping,
    v2: V2Words = "",
    search: str = "",
    *,
    repeats: bool = False,
    at: str | None = None,
) -> Rows:
    """A reference (or an array of them) whose first target here is also a foreign key of the row."""
    return Rows(
        element=element,
        mapping=mapping,
        many=repeats,
        v2=fields(v2),
        search=searches(search),
        link=link,
        at=at,
    )


def choice(stem: str, kind: Code, *lines: Line, v2: V2Words = "", search: str = "") -> Choice:
    """A choice ``stem[x]``: ``kind`` is the column that names the branch, each line a branch that has
    columns.
    """
    return Choice(
        element=stem, kind=kind, kinds=kind.values, lines=lines, v2=fields(v2), search=searches(search)
    )


def either(stem: str, kinds: str, *lines: Line) -> Choice:
    """A choice ``stem[x]`` whose branches have columns or rows of their own, and no column that names the
    one that is there; ``kinds`` are all that R4 allows, parted by spaces.
    """
    return Choice(element=stem, kind=None, kinds=tuple(kinds.split()), lines=lines)


def extension(url: str, *lines: Line, kept: bool = False) -> Extension:
    """An extension that occurs once: the line of its ``value[x]``, or extensions within it."""
    return Extension(element="extension", url=url, lines=lines, kept=kept)


def extensions(
    url: str,
    at: str,
    mapping: Mapping,
    value: str | None = None,
    *,
    kept: bool = False,
    v2: V2Words = "",
    search: str = "",
) -> Extension:
    """An extension that repeats, as rows kept under the name ``at``; ``value`` names the value[x] that is
    the row.
    """
    rows = Rows(element=at, mapping=mapping, many=True, v2=fields(v2), search=searches(search))
    return Extension(element="extension", url=url, rows=rows, value=value, kept=kept)
