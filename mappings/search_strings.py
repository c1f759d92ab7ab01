"""What text search looks at: the rows of ``search_string``, and the folded copies beside texts, displays
and contacts.

https://hl7.org/fhir/R4/search.html#string

The parts of names and addresses are kept once, each under the narrowest parameter that looks at it; wider
ones look at several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from mappings import text
from mappings.element import Choice, Extension, Joined, Line, Mapping, One, Part, Rows, Search
from storage.model.columns import Json, Row
from storage.model.shared import Coding, Concept, ContactPoint, PersonName, PostalAddress, SearchString
from storage.record import Record

NAME_PARTS: dict[str, tuple[str, ...]] = {
    "name": ("family", "given", "name"),
    "family": ("family",),
    "given": ("given",),
    "phonetic": ("family", "given"),
}
"""Parameters of names: the parts that each looks at."""

_TOWN = ("address-city", "address-state", "address-postalcode", "address-country")
ADDRESS_PARTS: dict[str, tuple[str, ...]] = {
    "address": ("address", *_TOWN),
    **{name: (name,) for name in _TOWN},
}
"""Parameters of addresses: the parts that each looks at."""


class Found(NamedTuple):
    """One text to be searched: under which name, as written, folded, by its sound."""

    param: str
    value: str
    norm: str
    phon: str | None = None


Step = Callable[[Row], Iterable[Found]]
NewId = Callable[[], UUID]


class _Plan(NamedTuple):
    """What to read of the rows of a record: of its own rows, and of child rows by table and element."""

    own: tuple[tuple[str | None, Step], ...]
    children: dict[tuple[str, str], tuple[Step, ...]]


def index_strings(mapping: Mapping, record: Record, new_id: NewId) -> None:
    """Make all that text search looks at anew from the rows of a record; to be called before each write."""
    plan, children = _plan(mapping), record.children
    for key in [key for key in children if key[0] == SearchString.table.name]:
        del children[key]
    found: list[Found] = []
    for detail, step in plan.own:
        row = record.main if detail is None else record.details.get(detail)
        if row is not None:
            found.extend(step(row))
    if mapping.content is not None:
        found.extend(Found(*told) for told in mapping.content.texts(record))
    for (table, _, element), rows in children.items():
        fold_row = _FOLDED.get(table)
        if fold_row is not None:
            for row in rows:
                fold_row(row)
        for step in plan.children.get((table, element), ()):
            for row in rows:
                found.extend(step(row))
    _add(record, found, new_id)


def _add(record: Record, found: list[Found], new_id: NewId) -> None:
    owner = record.resource["id"]
    counts: dict[str, int] = {}
    for param, value, norm, phon in dict.fromkeys(found):
        row = SearchString.blank()
        row["id"], row["owner_id"], row["param"] = new_id(), owner, param
        row["item_no"] = counts[param] = counts.get(param, -1) + 1
        row["value"], row["norm"], row["phon"] = value, norm, phon
        record.add(SearchString, row)


def _fold_concept(row: Row) -> None:
    row["text_norm"] = None if row["text"] is None else text.fold(row["text"])


def _fold_coding(row: Row) -> None:
    row["display_norm"] = None if row["display"] is None else text.fold(row["display"])


def _fold_contact(row: Row) -> None:
    row["value_norm"] = None if row["value"] is None else text.contact(row["system"], row["value"])


_FOLDED: dict[str, Callable[[Row], None]] = {
    Concept.table.name: _fold_concept,
    Coding.table.name: _fold_coding,
    ContactPoint.table.name: _fold_contact,
}


# --- from lines to steps ---


@cache
def _plan(mapping: Mapping) -> _Plan:
    own: list[tuple[str | None, Step]] = []
    children: dict[tuple[str, str], tuple[Step, ...]] = {}
    for table, element, step in _steps(mapping.lines, "", "", ""):
        if table.startswith(":"):
            own.append((table[1:] or None, step))
        else:
            children[table, element] = (*children.get((table, element), ()), step)
    return _Plan(tuple(own), children)


Placed = tuple[str, str, Step]
"""The table of the rows that a step reads (":" and the detail table for a resource's own rows), their
element.
"""


def _steps(
    lines: tuple[Line, ...], table: str, rows: str, prefix: str, guard: Any = None
) -> Iterable[Placed]:
    for line in lines:
        if isinstance(line, One):
            yield from _column_steps(line, table, rows, guard)
        elif isinstance(line, Part):
            yield from _steps(line.lines, table, rows, f"{prefix}{line.element}.", guard)
        elif isinstance(line, Choice):
            for kind, inner in line.branches.items():
                wanted = _with_words(inner, line.search)
                told = line.kind and (line.kind.names[0], kind)
                yield from _steps((wanted,), table, rows, prefix, told)
        elif isinstance(line, Extension):
            yield from _steps(line.lines if line.rows is None else (line.rows,), table, rows, prefix, guard)
        elif isinstance(line, Rows):
            yield from _rows_steps(line, prefix)


def _with_words(line: Line, words: tuple[Search, ...]) -> Line:
    """Let a branch of a choice have the choice's own search words too."""
    strings = tuple(word for word in words if word.type == "string")
    if not strings or not isinstance(line, One):
        return line
    return One(
        element=line.element, v2=line.v2, search=(*line.search, *strings), group=line.group, codec=line.codec
    )


def _column_steps(line: One, table: str, rows: str, guard: Any) -> Iterable[Placed]:
    group = line.group
    if isinstance(group, Joined):
        return
    place = f":{group.detail or ''}" if group.detail or not table else table
    for name in dict.fromkeys(string_name(line, word) for word in line.search):
        if name is not None:
            sounds = any(word.name == "phonetic" for word in line.search)
            raw = all(word.type != "string" for word in line.search)
            yield place, rows, _column_step(group.names[0], name, guard, sounds=sounds, raw=raw)


def string_name(line: One, word: Search) -> str | None:
    """Return the name under which the texts of a column are kept for a search word, None where the column
    itself is searched. A parameter by sound looks at what is kept for the line's other one.
    """
    if word.type == "string":
        others = [other.name for other in line.search if other.type == "string" and other.name != "phonetic"]
        return others[0] if word.name == "phonetic" and others else word.name
    listed = isinstance(line.group, Json) and word.type in ("token", "uri", "reference")
    return word.name if listed else None


def _column_step(column: str, name: str, guard: Any, *, sounds: bool, raw: bool) -> Step:
    def step(row: Row) -> Iterable[Found]:
        value = row[column]
        if value is None or (guard is not None and row[guard[0]] != guard[1]):
            return
        listed: list[Any] = value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
        for item in listed:
            if isinstance(item, str):
                yield Found(name, item, item[: text.KEPT]) if raw else _found(name, item, sounds=sounds)

    return step


def _found(name: str, value: str, *, sounds: bool = False) -> Found:
    norm = text.fold(value)
    return Found(name, value, norm, text.soundex(norm) if sounds else None)


def _rows_steps(line: Rows, prefix: str) -> Iterable[Placed]:
    name = prefix[:-1] if line.at == "" else line.at or prefix + line.element
    table = line.mapping.table
    for word in line.search:
        step = _datatype_step(table.table.name, word) if word.type == "string" else None
        if step is not None:
            yield table.table.name, name, step
            break
    yield from _steps(line.mapping.lines, table.table.name, name if table.element_column else "", f"{name}.")


def _datatype_step(table: str, word: Search) -> Step | None:
    if table == PersonName.table.name:
        return _name_parts if word.name in NAME_PARTS else _under(word.name, _name_parts)
    if table == PostalAddress.table.name:
        return _address_parts if word.name in ADDRESS_PARTS else _under(word.name, _address_parts)
    if table == Concept.table.name:
        return _under(word.name, _concept_text)
    return None


def _under(name: str, step: Step) -> Step:
    """Keep all that a step finds under one name."""
    return lambda row: (found._replace(param=name) for found in step(row))


def _name_parts(row: Row) -> Iterable[Found]:
    if row["family"]:
        yield _found("family", row["family"], sounds=True)
    for given in row["given"] or ():
        if given:
            yield _found("given", given, sounds=True)
    for other in (row["text"], *(row["prefix"] or ()), *(row["suffix"] or ())):
        if other:
            yield _found("name", other)


_ADDRESS = tuple(zip(_TOWN, ("city", "state", "postal_code", "country"), strict=True))


def _address_parts(row: Row) -> Iterable[Found]:
    for name, part in _ADDRESS:
        if row[part]:
            yield _found(name, row[part])
    for other in (*(row["lines"] or ()), row["text"], row["district"]):
        if other:
            yield _found("address", other)


def _concept_text(row: Row) -> Iterable[Found]:
    if row["text"]:
        yield _found("text", row["text"])
