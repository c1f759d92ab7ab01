"""A search as typed objects: where to look, for which values, in which order, what to bring along.

A condition looks at *targets*: a place (rows of one table that belong to the resource) and the columns there
that its kind of search compares. Whoever reads a caller's words into these objects has checked them; here
nothing is text any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

if TYPE_CHECKING:
    from storage.model.columns import Table

Prefix = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]


@dataclass(frozen=True)
class Place:
    """Rows of a table: the resource's own row, its typed row, a detail, or rows that hang on it.

    ``elements`` are wanted values of the table's element column, ``guards`` columns and the value that each
    must have (None: NULL).
    """

    table: type[Table]
    elements: tuple[str, ...] = ()
    guards: tuple[tuple[str, Any], ...] = ()


# --- targets: a place and its columns, one class for each kind of search ---


@dataclass(frozen=True)
class Coded:
    """Codes, perhaps of a system. ``whole`` is where to look whether there is any; ``kind`` the element of
    the codings that tell the type of a row.
    """

    place: Place
    code: str
    system: str | None = None
    whole: Place | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Flag:
    """A boolean. With ``also`` it is derived: true where the column is, or where another is there; else
    false.
    """

    place: Place
    column: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Composed:
    """A code that several columns tell together: for each code the columns and the values that they may
    have.
    """

    place: Place
    cases: tuple[tuple[str, tuple[tuple[str, tuple[Any, ...]], ...]], ...]


@dataclass(frozen=True)
class Words:
    """Text: as written, folded, and by its sound."""

    place: Place
    value: str
    norm: str
    phon: str | None = None


@dataclass(frozen=True)
class Span:
    """Time: a half-open range in two columns, or an instant in one."""

    place: Place
    low: str
    high: str | None = None


@dataclass(frozen=True)
class Refers:
    """References. ``link`` is the column of the typed row that holds the id of the target if that is in the
    table ``link_table``, ``only`` the one type of target that counts.
    """

    place: Place
    link: str | None = None
    link_table: type[Table] | None = None
    only: str | None = None


@dataclass(frozen=True)
class Linked:
    """A foreign key of the typed row; what a search of references becomes where the ids are known."""

    place: Place
    column: str


@dataclass(frozen=True)
class Measured:
    """A number, perhaps with comparator, unit, system of units and code of the unit."""

    place: Place
    value: str
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    canonical: tuple[str, str] | None = None
    """The columns of value and unit in which quantities of its kind are compared, where there are such."""


@dataclass(frozen=True)
class Worded:
    """The words of a text, in a column of their own."""

    place: Place
    column: str


@dataclass(frozen=True)
class Written:
    """A URI; ``versioned`` ones may be written with ``|version`` at their end, ``norm`` holds their
    beginning.
    """

    place: Place
    column: str
    versioned: bool = False
    norm: str | None = None


@dataclass(frozen=True)
class Together:
    """Several things that one and the same item must meet. The items are the rows of ``place``: the
    resource's own row, or those of an array; of each part there are the targets that belong to an item.
    """

    place: Place
    parts: tuple[tuple[Target, ...], ...]


@dataclass(frozen=True)
class Positioned:
    """A point on the globe: degrees north and degrees east."""

    place: Place
    latitude: str
    longitude: str


Target = (
    Coded
    | Flag
    | Composed
    | Words
    | Span
    | Refers
    | Linked
    | Measured
    | Worded
    | Written
    | Positioned
    | Together
)


# --- values ---


@dataclass(frozen=True)
class Token:
    """A code and its system. None: any; a system of "": none. Neither of them: any code at all."""

    system: str | None
    code: str | None


@dataclass(frozen=True)
class OfType:
    """A value whose row has a type."""

    system: str
    code: str
    value: str


@dataclass(frozen=True)
class Word:
    """A text as asked, and folded in the same way as what is stored."""

    text: str
    norm: str
    how: Literal["starts", "exact", "contains", "sounds", "ends", "same"] = "starts"
    phon: str | None = None


@dataclass(frozen=True)
class When:
    """A range of time, half-open."""

    prefix: Prefix
    low: datetime
    high: datetime


@dataclass(frozen=True)
class Number:
    """A number, the half-open range that its precision stands for, and its unit: ``code`` alone may be a
    unit.
    """

    prefix: Prefix
    exact: Decimal
    low: Decimal
    high: Decimal
    system: str | None = None
    code: str | None = None
    canonical: Number | None = None
    """The same in the unit of its kind, which is its ``code`` then; None where that is not known."""


@dataclass(frozen=True)
class Said:
    """What a text must say: a phrase (perhaps its last word only begun), or what holds for other such."""

    how: Literal["phrase", "begins", "all", "any", "none"]
    text: str = ""
    parts: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Ref:
    """A reference: to a resource here (perhaps of unknown type), as it is written, or by an identifier."""

    resource_type: str | None = None
    fhir_id: str | None = None
    literal: str | None = None
    identifier: Token | None = None
    resource_id: UUID | None = None
    along: tuple[str, ...] = ()
    """Where told, also what is reached from there over references of these paths between resources of its
    type: those that point to it, or, ``upward``, that it points to, and so on.
    """
    upward: bool = False


@dataclass(frozen=True)
class Uri:
    """A URI; ``below`` it are those that begin with it; ``texts`` are equal alternatives."""

    texts: tuple[str, ...]
    below: bool = False


@dataclass(frozen=True)
class Around:
    """All that is within so many metres of a point, which is told in degrees."""

    latitude: float
    longitude: float
    metres: float


@dataclass(frozen=True)
class Joint:
    """What is asked of each part of a ``Together``: alternatives."""

    parts: tuple[tuple[SearchValue, ...], ...]


SearchValue = Token | OfType | Word | When | Number | Said | Ref | Uri | Around | Joint


# --- the query ---


@dataclass(frozen=True)
class Condition:
    """Any of the values at any of the targets. ``negated``: none of them; ``missing`` looks at presence
    alone.
    """

    name: str
    targets: tuple[Target, ...]
    values: tuple[SearchValue, ...] = ()
    negated: bool = False
    missing: bool | None = None


@dataclass(frozen=True)
class Chained:
    """What the condition asks holds for a resource at the other end of references.

    Forward: the target of a reference at ``paths``, of type ``resource_type``. ``backward``: a resource of
    that type whose reference at ``paths`` points here.
    """

    name: str
    paths: tuple[str, ...]
    resource_type: str
    table: type[Table]
    condition: Asked
    backward: bool = False


@dataclass(frozen=True)
class Combined:
    """All of several conditions, any of them, or none."""

    how: Literal["all", "any", "none"]
    parts: tuple[Asked, ...]


@dataclass(frozen=True)
class ByType:
    """Of a search of several types: the resource is of one of these types, whose typed rows are in the table,
    and what is asked of that type holds.
    """

    types: tuple[tuple[str, type[Table], Asked], ...]


Paths = tuple[str, tuple[str, ...]]
"""A type of resources, and paths of references in it."""


@dataclass(frozen=True)
class Compartment:
    """The resource is the one of ``resource_type`` and ``fhir_id``, or refers to it by one of the ``paths``.

    ``apart_from`` is told where also counts what all these refer to, and what that refers to: it is the
    compartment of persons (by its type and paths), so that what is another person's stays out.
    """

    resource_type: str
    fhir_id: str
    paths: tuple[Paths, ...]
    apart_from: Compartment | None = None


Asked = Condition | Chained | Combined | ByType | Compartment


@dataclass(frozen=True)
class Sort:
    """One key of the order."""

    name: str
    target: Target
    descending: bool = False
    others: tuple[Target, ...] = ()
    """More places to look at: the value counts that comes first of all."""


@dataclass(frozen=True)
class Include:
    """Resources to bring along: the targets of references (``paths`` empty: all) of resources of type
    ``source`` ("": of any), or, ``reverse``, resources of that type whose references point to what was
    found. ``iterate``: also from those that were brought along.
    """

    source: str
    paths: tuple[str, ...] = ()
    target: str | None = None
    reverse: bool = False
    iterate: bool = False


@dataclass(frozen=True)
class Query:
    """A search for resources of one type, whose typed rows are in ``table``; or, where ``resource_type`` is
    "", of those of ``types`` (empty: of any), ``table`` being that of all resources.

    ``count`` is the size of a page (0: only the total). ``total``: how many in all, ``none`` tells it only
    where it is known anyway.
    """

    resource_type: str
    table: type[Table]
    conditions: tuple[Asked, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = 50
    cursor: str | None = None
    total: Literal["none", "accurate", "estimate"] = "none"
    includes: tuple[Include, ...] = field(default=())
    types: tuple[str, ...] = ()
