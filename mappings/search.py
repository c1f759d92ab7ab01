"""The search parameters of a resource type, read off the lines of its mapping.

https://hl7.org/fhir/R4/searchparameter-registry.html

A line's search words (``name:type`` or ``name:type:Target``) and the way it keeps its value give the target
that storage searches. A name that several lines declare looks at all of them. What no single line can tell
is a parameter of its own in ``Mapping.search``, made by the words at the end of this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from mappings.common import COMMON
from mappings.element import Choice, Composite, Extension, Joined, Line, Mapping, One, Part, Rows, Search
from mappings.search_strings import ADDRESS_PARTS, NAME_PARTS, index_strings, string_name
from storage.model import BY_TABLE
from storage.model.columns import (
    Boolean,
    Code,
    Date,
    Group,
    Instant,
    Integer,
    Json,
    Money,
    Period,
    Quantity,
    Table,
    Text,
)
from storage.model.resource import Resource, ResourceMeta, SearchText
from storage.model.shared import (
    Coding,
    Concept,
    ContactPoint,
    Identifier,
    PersonName,
    PostalAddress,
    Reference,
    SearchString,
)
from storage.search.query import (
    Coded,
    Composed,
    Flag,
    Measured,
    Place,
    Positioned,
    Refers,
    Span,
    Target,
    Together,
    Worded,
    Words,
    Written,
)

LISTS = ("List", "item")
"""The type of resource that lists others, and its search parameter of what is listed."""


@dataclass(frozen=True)
class SearchParameter:
    """A search parameter: where it looks. ``sounds``: texts are compared by their sound. A composite one has
    ``parts``, whose values it asks for together.
    """

    name: str
    type: str
    targets: tuple[Target, ...]
    expressions: tuple[str, ...] = ()
    sounds: bool = False
    parts: tuple[SearchParameter, ...] = ()

    @property
    def expression(self) -> str:
        """The elements that it looks at, as SearchParameter.expression has them."""
        return " | ".join(self.expressions)


@dataclass(frozen=True)
class _Spot:
    """Where a line stands: the table of its row, the name of its rows, and the paths so far."""

    table: type[Table]
    rows: str
    prefix: str
    expression: str
    main: bool
    guards: tuple[tuple[str, Any], ...] = ()

    def place(self, group: Group | Joined) -> Place:
        """The place of a group of columns of a line here."""
        if group.detail is not None:
            return Place(BY_TABLE[group.detail], guards=self.guards)
        named = (self.rows,) if self.table.element_column and self.rows else ()
        return Place(self.table, named, self.guards)


@cache
def parameters(mapping: Mapping) -> dict[str, SearchParameter]:
    """Return all search parameters of a resource type by name: its own and those that every resource has.

    Raises TypeError for a search word that does not fit the line it stands on.
    """
    found: dict[str, SearchParameter] = {}
    for made in (*_common(), *_of_mapping(mapping), *mapping.search):
        known = found.get(made.name)
        found[made.name] = made if known is None else _joined(known, made)
    found |= {made.name: _composite(mapping, made, found) for made in mapping.composites}
    return dict(sorted(found.items()))


def _joined(one: SearchParameter, other: SearchParameter) -> SearchParameter:
    """Let a parameter look at the targets of another of the same name, each once."""
    targets = dict.fromkeys((*one.targets, *other.targets))
    expressions = dict.fromkeys((*one.expressions, *other.expressions))
    return replace(one, targets=tuple(targets), expressions=tuple(expressions))


def _common() -> Iterable[SearchParameter]:
    place = Place(Resource)
    yield SearchParameter("_id", "token", (Coded(place, "fhir_id"),), ("Resource.id",))
    yield SearchParameter(
        "_lastUpdated", "date", (Span(place, "last_updated"),), ("Resource.meta.lastUpdated",)
    )
    words = Place(SearchText)
    yield SearchParameter("_text", "string", (Worded(words, "narrative"),), ("DomainResource.text",))
    yield SearchParameter("_content", "string", (Worded(words, "content"),), ("Resource",))
    yield from _walk(COMMON.lines, _Spot(Resource, "", "", "Resource", main=False))


def _of_mapping(mapping: Mapping) -> Iterable[SearchParameter]:
    return _walk(mapping.lines, _Spot(mapping.table, "", "", mapping.type, main=True))


# --- several parameters at once: https://hl7.org/fhir/R4/search.html#composite ---


def _composite(
    mapping: Mapping, composite: Composite, known: MappingType[str, SearchParameter]
) -> SearchParameter:
    lines = tuple(_of_mapping(mapping))
    targets = tuple(_together(mapping, composite, path, lines) for path in composite.within)
    expressions = tuple(f"{mapping.type}.{path}".rstrip(".") for path in composite.within)
    parts = tuple(known[name] for name in composite.parts)
    return SearchParameter(composite.name, "composite", targets, expressions, parts=parts)


def _together(
    mapping: Mapping, composite: Composite, path: str, lines: tuple[SearchParameter, ...]
) -> Together:
    """Return what the items at a path (the resource itself: "") must meet: of each part the targets of the
    elements directly below the path.
    """
    line = mapping.by_element[path] if path else None
    table = line.mapping.table if isinstance(line, Rows) else mapping.table
    parent = f"{mapping.type}.{path}".rstrip(".")
    parts = tuple(tuple(_below(parent, name, lines)) for name in composite.parts)
    # The texts of ``search_string`` are kept by resource, not by item.
    loose = path and any(target.place.table is SearchString for part in parts for target in part)
    if loose or not all(parts):
        raise TypeError(f"{composite.name} has a part that cannot be searched at {parent}")
    return Together(Place(table), parts)


def _below(parent: str, name: str, lines: tuple[SearchParameter, ...]) -> Iterable[Target]:
    """Return the targets of a parameter that elements directly below a path give, each once."""
    found = (made for made in lines if made.name == name and made.expression.rpartition(".")[0] == parent)
    return dict.fromkeys(target for made in found for target in made.targets)


# --- from lines to targets ---


def _walk(lines: tuple[Line, ...], spot: _Spot) -> Iterable[SearchParameter]:
    for line in lines:
        for word in line.search:
            targets = tuple(_targets(line, word, spot))
            if not targets:
                raise TypeError(
                    f"{spot.expression}.{line.element} cannot be searched as {word.name}:{word.type}"
                )
            yield SearchParameter(
                word.name, word.type, targets, (f"{spot.expression}.{line.element}",), word.name == "phonetic"
            )
        yield from _inside(line, spot)


def _inside(line: Line, spot: _Spot) -> Iterable[SearchParameter]:
    if isinstance(line, Part):
        prefix, expression = f"{spot.prefix}{line.element}.", f"{spot.expression}.{line.element}"
        yield from _walk(line.lines, replace(spot, prefix=prefix, expression=expression))
    elif isinstance(line, Choice):
        for inner in line.lines:
            yield from _walk((inner,), _branch(line, inner, spot))
    elif isinstance(line, Extension):
        expression = f"{spot.expression}.extension('{line.url}')"
        inner = line.lines if line.rows is None else (line.rows,)
        yield from _walk(inner, replace(spot, expression=expression))
    elif isinstance(line, Rows):
        name = _rows_name(line, spot)
        expression = f"{spot.expression}.{line.element}"
        yield from _walk(
            line.mapping.lines, _Spot(line.mapping.table, name, f"{name}.", expression, main=False)
        )


def _branch(choice: Choice, line: Line, spot: _Spot) -> _Spot:
    if choice.kind is None:
        return spot
    kind = choice.keys[line.element]
    return replace(spot, guards=(*spot.guards, (choice.kind.names[0], kind)))


def _rows_name(line: Rows, spot: _Spot) -> str:
    return spot.prefix[:-1] if line.at == "" else line.at or spot.prefix + line.element


def _targets(line: Line, word: Search, spot: _Spot) -> Iterable[Target]:
    if isinstance(line, One):
        made = _column_target(line, word, spot)
        if made is not None:
            yield made
    elif isinstance(line, Rows):
        made = _rows_target(line, word, spot)
        if made is not None:
            yield made
    elif isinstance(line, Choice):
        found = (made for inner in line.lines for made in _targets(inner, word, _branch(line, inner, spot)))
        yield from dict.fromkeys(found)


def _column_target(line: One, word: Search, spot: _Spot) -> Target | None:
    group = line.group
    place = spot.place(group)
    if isinstance(group, Joined):
        return _joined_target(place, group, line.codec) if word.type == "token" else None
    return column_target(place, group, word, stored=string_name(line, word))


def _joined_target(place: Place, group: Joined, codec: Any) -> Target | None:
    """Return the target of a code that several columns tell: the column whose codes they are, or every
    state of the columns by what it renders as.
    """
    groups = {found.names[0]: found for found in BY_TABLE[group.table.name].groups.values()}
    domains = [_domain(groups[name]) for name in group.names]
    if not all(domains):
        return None
    for name in group.names:
        found = groups[name]
        if isinstance(found, Code) and set(getattr(codec, "values", ())) == set(found.values):
            return Coded(place, name)
    states: dict[tuple[str, tuple[Any, ...]], list[Any]] = {}
    for first, *rest in product(*domains):
        code = codec.to_fhir((first, *rest))
        if code is not None:
            states.setdefault((code, tuple(rest)), []).append(first)
    cases = [
        (code, tuple(zip(group.names, (tuple(firsts), *((value,) for value in rest)), strict=True)))
        for (code, rest), firsts in states.items()
    ]
    return Composed(place, tuple(cases))


def _domain(group: Group) -> tuple[Any, ...]:
    """Return all values of a column, nothing where they are without number."""
    if isinstance(group, Code) and group.required:
        return group.values
    return (False, True) if isinstance(group, Boolean) and group.required else ()


def column_target(place: Place, group: Group, word: Search, stored: str | None = None) -> Target | None:
    """Return the target of a search word on a group of columns, None where they do not go together.

    Lists, and texts that are searched as such, are looked for in ``search_string`` under the name ``stored``.
    """
    name = group.names[0]
    strings = Place(SearchString, (stored or word.name,))
    match word.type:
        case "token" if isinstance(group, Boolean):
            return Flag(place, name)
        case "token" if isinstance(group, (Code, Text)):
            return Coded(place, name)
        case "token" if isinstance(group, Json):
            return Coded(strings, "value")
        case "string" if isinstance(group, (Text, Json)):
            return Words(strings, "value", "norm", "phon")
        case "date":
            return _span(place, group)
        case "quantity" | "number":
            return _measured(place, group)
        case "uri" | "reference" if isinstance(group, Text):
            return Written(place, name, versioned=word.type == "reference")
        case "uri" | "reference" if isinstance(group, Json):
            return Written(strings, "value", versioned=word.type == "reference", norm="norm")
        case _:
            return None


def _span(place: Place, group: Group) -> Target | None:
    # The branches of a choice share their bounds: which of them is there does not matter.
    place = replace(place, guards=())
    if isinstance(group, (Date, Period)):
        return Span(place, f"{group.name}_lo", f"{group.name}_hi")
    return Span(place, group.names[0]) if isinstance(group, Instant) else None


def _measured(place: Place, group: Group) -> Target | None:
    if isinstance(group, Quantity):
        canonical = BY_TABLE[group.table.name].groups.get(f"{group.name}_canonical")
        return Measured(place, *group.names, canonical=canonical and (canonical.names[0], canonical.names[1]))
    if isinstance(group, Money):
        value, currency = group.names
        return Measured(place, value, unit=currency, system=currency, code=currency)
    return Measured(place, group.names[0]) if isinstance(group, Integer) else None


def _rows_target(line: Rows, word: Search, spot: _Spot) -> Target | None:
    name, table = _rows_name(line, spot), line.mapping.table
    if word.type == "string":
        return _string_target(table, word)
    if word.type == "reference":
        return _reference_target(line, word, name, spot) if table is Reference else None
    if word.type == "uri":
        return (
            Written(Place(table, (name,)), line.mapping.scalar, versioned=True)
            if line.mapping.scalar
            else None
        )
    return _token_target(table, name, word) if word.type == "token" else None


_PARTS: dict[type[Table], dict[str, tuple[str, ...]]] = {
    PersonName: NAME_PARTS,
    PostalAddress: ADDRESS_PARTS,
    Concept: {},
}


def _string_target(table: type[Table], word: Search) -> Target | None:
    parts = _PARTS.get(table)
    if parts is None:
        return None
    return Words(Place(SearchString, parts.get(word.name, (word.name,))), "value", "norm", "phon")


def _reference_target(line: Rows, word: Search, name: str, spot: _Spot) -> Target:
    made = Refers(Place(Reference, (name,)), only=word.target)
    # Of several references only the first has a foreign key.
    if line.link is None or line.many or not spot.main or line.link.target_table == Resource.table.name:
        return made
    return replace(made, link=line.link.names[0], link_table=BY_TABLE[line.link.target_table])


def _token_target(table: type[Table], name: str, word: Search) -> Target | None:
    place = Place(table, (name,))
    if table is Concept:
        return Coded(Place(Coding, (name,)), "code", "system", whole=place)
    if table is Identifier:
        return Coded(place, "value", "system", whole=place, kind=f"{name}.type")
    if table is ContactPoint:
        guards = (("system", word.name),) if word.name in ContactPoint.system.values else ()
        return Coded(replace(place, guards=guards), "value_norm", "system")
    if table is PostalAddress:
        return Coded(place, "use")
    return Coded(place, "code", "system") if table is ResourceMeta else None


def text_targets(target: Coded) -> tuple[Words, ...]:
    """Return where the texts of codes stand, for the modifier ``:text``; nothing where codes have no text."""
    elements = target.place.elements
    if target.place.table is Identifier:
        return (Words(Place(Concept, (target.kind or "",)), "text", "text_norm"),)
    if target.place.table is not Coding:
        return ()
    text = Words(Place(Concept, elements), "text", "text_norm")
    return (text, Words(Place(Coding, elements), "display", "display_norm"))


# --- parameters that no single line tells ---


def flag(name: str, expression: str, column: Boolean, *also: Group) -> SearchParameter:
    """A boolean that is true where the column is, or where another value is there, and else false."""
    place = Place(BY_TABLE[column.table.name])
    names = tuple(group.names[0] for group in also)
    return SearchParameter(name, "token", (Flag(place, column.names[0], names),), (expression,))


def near(name: str, expression: str, latitude: Group, longitude: Group) -> SearchParameter:
    """A point on the globe, found from points that are near.

    https://hl7.org/fhir/R4/location.html#search
    """
    target = Positioned(Place(BY_TABLE[latitude.table.name]), latitude.names[0], longitude.names[0])
    return SearchParameter(name, "special", (target,), (expression,))


def told_by(
    name: str, expression: str, table: type[Table], cases: MappingType[str, MappingType[str, tuple[Any, ...]]]
) -> SearchParameter:
    """A code that several columns tell: for each code the values that each column may have."""
    listed = tuple((code, tuple(columns.items())) for code, columns in cases.items())
    return SearchParameter(name, "token", (Composed(Place(table), listed),), (expression,))


def column(word: str, expression: str, group: Group, **guards: Any) -> SearchParameter:
    """A parameter (``name:type``) on a group of columns; rows count only where the guards hold (None: no
    value).
    """
    searched = Search(*word.split(":"))
    target = column_target(Place(BY_TABLE[group.table.name], guards=tuple(guards.items())), group, searched)
    if target is None:
        raise TypeError(f"{expression} cannot be searched as {word}")
    return SearchParameter(searched.name, searched.type, (target,), (expression,))


EVERY = Mapping(type="Resource", table=Resource)
"""No type: what all types have. Its search parameters are those of a search of several types."""


__all__ = [
    "EVERY",
    "LISTS",
    "SearchParameter",
    "column",
    "flag",
    "index_strings",
    "near",
    "parameters",
    "text_targets",
    "told_by",
]
