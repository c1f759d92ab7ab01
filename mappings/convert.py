"""The only interpreter of mappings: FHIR to rows, rows to FHIR, one element at a time or whole.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings.element import (
    Choice,
    Extension,
    Line,
    Mapping,
    One,
    Part,
    Refused,
    Rows,
    Unclaimed,
    V2,
    V2Context,
    Value,
    Woven,
)
from mappings.remainder import forget, keep, keep_difference, mentions, restore, same
from storage.model.columns import Code, Group, Integer, Row
from storage.record import FoundTarget, Record

if TYPE_CHECKING:
    from mappings.er7 import Repetition

NewId = Callable[[], UUID]

INDEXED_BYTES = 500
"""A text longer than this cannot stand in an index; it is kept whole in the remainder, where it is not searched."""


@dataclass(slots=True)
class At:
    """A place in a record: the row being filled or rendered, the row that keeps its remainder, the row that its child
    rows hang on, the path so far (of the resource, within the row, and as an expression for people)."""

    record: Record
    row: Row
    keep: Row
    child: UUID | None
    prefix: str
    pointer: str
    where: str
    new_id: NewId


class Holder:
    """Anything with lines: a mapping, a part, a choice branch, an extension."""

    lines: tuple[Line, ...]
    by_element: dict[str, Line]
    extensions: dict[str, Extension]


def top(record: Record, mapping: Mapping, new_id: NewId) -> At:
    """Return the place of a resource's own typed row (its remainder is kept by the row of ``resource``)."""
    return At(record, record.main, record.resource, None, "", "", mapping.type, new_id)


# --- FHIR to rows ------------------------------------------------------------------------------------------------


def put_object(at: At, holder: Any, value: dict[str, Value]) -> None:
    """Read every element of an object into rows; elements without a line go to the remainder."""
    by_element: dict[str, Line] = holder.by_element
    for key, item in value.items():
        line = by_element.get(key)
        if line is not None:
            put(at, line, key, item)
        elif key == "extension" and holder.extensions:
            put_extensions(at, holder, item)
        elif key != "url" or type(holder) is not Extension:
            keep(at.keep, "x", at.pointer + key, item)


def put(at: At, line: Line, key: str, value: Value) -> None:
    """Read one element into rows, where nothing stands yet.

    Raises Refused for a code that is not one of the column's.
    """
    _PUT[type(line)](at, line, key, value)


def _put_one(at: At, line: One, key: str, value: Value) -> None:
    codec, group = line.codec, line.group
    try:
        columns = codec.to_row(value)
    except Unclaimed:
        keep(at.keep, "x", at.pointer + key, value)
        return
    if type(group) is Code and columns[0] not in group.values:
        raise Refused("code-invalid", f"{at.where}.{key}", value, ", ".join(group.values))
    if type(group) is Integer and not within(group, columns[0]):
        raise Refused("value", f"{at.where}.{key}", value, limits(group))
    if type(value) is str and len(value) > 125 and line.indexed and len(value.encode()) > INDEXED_BYTES:
        keep(at.keep, "x", at.pointer + key, value)
        return
    row = at.row if group.detail is None else at.record.details.get(group.detail)
    if row is None:
        keep(at.keep, "x", at.pointer + key, value)
        return
    for name, column in zip(group.names, columns, strict=True):
        row[name] = column
    back = codec.to_fhir(columns)
    if back is not value and not same(back, value):
        keep_difference(at.keep, at.pointer + key, back, value)


def within(group: Integer, number: Any) -> bool:
    """Tell whether a number is within the limits of its column."""
    return (group.low is None or number >= group.low) and (group.high is None or number <= group.high)


def limits(group: Integer) -> str:
    """Return the limits of a column as text for people."""
    return f"{'' if group.low is None else group.low} to {'' if group.high is None else group.high}".strip()


def _put_woven(at: At, line: Woven, key: str, value: Value) -> None:
    codec, row, names = line.codec, at.row, line.group.names
    if value not in codec.values:
        raise Refused("code-invalid", f"{at.where}.{key}", value, ", ".join(codec.values))
    columns = codec.weave(value, tuple(row[name] for name in names))
    row.update(zip(names, columns, strict=True))
    back = codec.to_fhir(columns)
    if back != value:
        keep_difference(at.keep, at.pointer + key, back, value)


def _put_part(at: At, line: Part, key: str, value: Value) -> None:
    if type(value) is dict and value:
        put_object(_within(at, key), line, value)  # pyright: ignore[reportUnknownArgumentType]
    else:
        keep(at.keep, "x", at.pointer + key, value)


def _within(at: At, key: str) -> At:
    return replace(
        at, prefix=f"{at.prefix}{key}.", pointer=f"{at.pointer}{key} ", where=f"{at.where}.{key}"
    )


def _put_rows(at: At, line: Rows, key: str, value: Value) -> None:
    items: list[Any] = value if line.many else [value]
    wanted = str if line.mapping.scalar else dict
    fits = type(items) is list and all(type(item) is wanted for item in items)
    if not fits or not _append_all(at, line, items, f"{at.where}.{key}"):
        keep(at.keep, "x", at.pointer + key, value)


def _append_all(at: At, line: Rows, items: list[Any], where: str) -> bool:
    """Add all items as rows; or none, where one leaves a column empty that may not be."""
    links, needed = len(at.record.links), line.mapping.needed
    rows = [append(at, line, item, where) for item in items]
    if not needed or all(row[name] is not None for row in rows for name in needed):
        return True
    _drop_rows(at, line)
    del at.record.links[links:]
    return False


def _drop_rows(at: At, line: Rows) -> None:
    table = line.mapping.table
    name = place_name(at, line) if table.element_column else ""
    at.record.drop(table, at.child if table.parent_column else None, name)


def place_name(at: At, line: Rows) -> str:
    """Return the element name under which the rows of a line are kept."""
    if line.at == "":
        return at.prefix[:-1]
    return line.at or at.prefix + line.element


def append(at: At, line: Rows, item: Value, where: str) -> Row:
    """Add one item of an array (or the single one) as a row, after those that stand there; return the row."""
    mapping, name = line.mapping, place_name(at, line)
    table = mapping.table
    row = table.blank()
    row["id"] = at.new_id()
    row["owner_id"] = at.record.resource["id"]
    if table.parent_column:
        row[table.parent_column] = at.child
    if table.element_column:
        row[table.element_column] = name
    row["item_no"] = len(at.record.rows(table, at.child if table.parent_column else None, name if table.element_column else ""))
    at.record.add(table, row)
    if mapping.scalar:
        row[mapping.scalar] = item
        return row
    inner = At(
        at.record, row, row, row["id"], f"{name}.", "", f"{where}[{row['item_no']}]" if line.many else where, at.new_id
    )
    if mapping.whole:
        append(inner, mapping.whole, item, where)
    else:
        put_object(inner, mapping, item)
    if line.link is not None:
        at.record.links.append(FoundTarget(row, at.row, line.link.names[0], line.link.target_table))
    return row


def _put_choice(at: At, line: Choice, key: str, value: Value) -> None:
    kind = line.keys[key]
    at.row[line.kind.names[0]] = kind
    branch = line.branches.get(kind)
    if branch is None:
        keep(at.keep, "x", at.pointer + key, value)
    else:
        put(at, branch, key, value)


def put_extensions(at: At, holder: Any, value: Value) -> None:
    """Read an array of extensions: those with a line into rows, the others to the remainder, their order kept."""
    extensions: dict[str, Extension] = holder.extensions
    places: dict[str, list[int]] = {}
    for place, item in enumerate(value):
        places.setdefault(item.get("url"), []).append(place)
    # Where each item will stand when rendered: the line that claims it, unclaimed ones behind all lines.
    rank = [len(extensions)] * len(value)
    for number, (url, line) in enumerate(extensions.items()):
        found = places.get(url, ())
        for place in found[: _put_extension(at, line, [value[place] for place in found])]:
            rank[place] = number
    unknown = [item for item, number in zip(value, rank, strict=True) if number == len(extensions)]
    if unknown:
        keep(at.keep, "x", at.pointer + "extension", unknown)
    if len(value) > 1 and (rank != sorted(rank) or _partly_kept(at)):
        keep(at.keep, "order", at.pointer + "extension", [item.get("url") for item in value])


def _put_extension(at: At, line: Extension, items: list[dict[str, Any]]) -> int:
    """Read the extensions of one URL; return how many of them, from the first, the line has claimed."""
    if not items:
        return 0
    if line.rows is not None:
        if line.value and any(set(item) != {"url", line.value} for item in items):
            return 0
        values = [item[line.value] if line.value else _without_url(item) for item in items]
        return len(items) if _append_all(at, line.rows, values, f"{at.where}.extension") else 0
    if len(items[0]) == 1:
        return 0
    where = f"{at.where}.extension('{line.url}')"
    put_object(replace(at, pointer=f"{at.pointer}extension:{line.url} ", where=where), line, items[0])
    return 1


def _partly_kept(at: At) -> bool:
    """Tell whether the remainder holds parts of claimed extensions, which may have to be made when rendering."""
    remainder: Any = at.keep["remainder"]
    start = f"{at.pointer}extension:"
    return bool(remainder) and any(pointer.startswith(start) for pointer in remainder.get("x", ()))


def _without_url(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "url"}


def _put_unreachable(at: At, line: Line, key: str, value: Value) -> None:
    raise TypeError(f"{type(line).__name__} is not claimed by the key {key}")


_PUT: dict[type[Line], Callable[[At, Any, str, Value], None]] = {
    One: _put_one,
    Woven: _put_woven,
    Part: _put_part,
    Rows: _put_rows,
    Choice: _put_choice,
    Extension: _put_unreachable,
}


# --- rows to FHIR ------------------------------------------------------------------------------------------------


def draw_row(record: Record, mapping: Mapping, row: Row, name: str) -> Value:
    """Render one row of another table: an object, or a plain value."""
    if mapping.scalar:
        return row[mapping.scalar]
    if mapping.whole:
        found = record.rows(mapping.whole.mapping.table, row["id"], name)
        return draw_row(record, mapping.whole.mapping, found[0], name) if found else None
    target: dict[str, Any] = {}
    draw_lines(record, row, row["id"], f"{name}.", mapping.lines, target)
    if row["remainder"]:
        restore(row, target)
    return target


def draw_lines(
    record: Record, row: Row, child: UUID | None, prefix: str, lines: tuple[Line, ...], target: dict[str, Any]
) -> None:
    """Render lines of a row into an object."""
    for line in lines:
        _DRAW[type(line)](record, row, child, prefix, line, target)


def _draw_one(record: Record, row: Row, child: UUID | None, prefix: str, line: One, target: dict[str, Any]) -> None:
    group = line.group
    held = row if group.detail is None else record.details.get(group.detail)
    value = None if held is None else line.codec.to_fhir(tuple(held[name] for name in group.names))
    if value is not None:
        target[line.element] = value


def _draw_part(record: Record, row: Row, child: UUID | None, prefix: str, line: Part, target: dict[str, Any]) -> None:
    inner: dict[str, Any] = {}
    draw_lines(record, row, child, f"{prefix}{line.element}.", line.lines, inner)
    if inner:
        target[line.element] = inner


def _drawn(record: Record, child: UUID | None, prefix: str, line: Rows) -> list[Value]:
    name = prefix[:-1] if line.at == "" else line.at or prefix + line.element
    table = line.mapping.table
    parent = child if table.parent_column else None
    found = record.rows(table, parent, name if table.element_column else "")
    return [draw_row(record, line.mapping, row, name) for row in found]


def _draw_rows(record: Record, row: Row, child: UUID | None, prefix: str, line: Rows, target: dict[str, Any]) -> None:
    found = _drawn(record, child, prefix, line)
    if found:
        target[line.element] = found if line.many else found[0]


def _draw_choice(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Choice, target: dict[str, Any]
) -> None:
    branch = line.branches.get(row[line.kind.names[0]])
    if branch is not None:
        _DRAW[type(branch)](record, row, child, prefix, branch, target)


def _draw_extension(
    record: Record, row: Row, child: UUID | None, prefix: str, line: Extension, target: dict[str, Any]
) -> None:
    if line.rows is not None:
        values = _drawn(record, child, prefix, line.rows)
        made = [{"url": line.url} | ({line.value: value} if line.value else value) for value in values]
    else:
        inner: dict[str, Any] = {}
        draw_lines(record, row, child, prefix, line.lines, inner)
        made = [{"url": line.url} | inner] if inner else []
    if made:
        target.setdefault("extension", []).extend(made)


_DRAW: dict[type[Line], Callable[..., None]] = {
    One: _draw_one,
    Woven: _draw_one,
    Part: _draw_part,
    Rows: _draw_rows,
    Choice: _draw_choice,
    Extension: _draw_extension,
}


# --- one element at a time ---------------------------------------------------------------------------------------


def clear(at: At, line: Line) -> None:
    """Remove an element: its columns, its rows, and what the remainder holds of it."""
    if isinstance(line, Woven):
        names = line.group.names
        at.row.update(zip(names, line.codec.weave(None, tuple(at.row[name] for name in names)), strict=True))
        forget(at.keep, at.pointer + line.element)
    elif isinstance(line, One):
        row = at.row if line.group.detail is None else at.record.details.get(line.group.detail)
        if row is not None:
            row.update(dict.fromkeys(line.group.names))
        forget(at.keep, at.pointer + line.element)
    elif isinstance(line, Part):
        for inner in line.lines:
            clear(_within(at, line.element), inner)
        forget(at.keep, at.pointer + line.element)
    elif isinstance(line, Rows):
        _clear_rows(at, line)
    elif isinstance(line, Choice):
        at.row[line.kind.names[0]] = None
        for inner in line.lines:
            clear(at, inner)
        for key in line.keys:
            forget(at.keep, at.pointer + key)
    elif isinstance(line, Extension):
        for inner in line.lines if line.rows is None else (line.rows,):
            clear(replace(at, pointer=f"{at.pointer}extension:{line.url} "), inner)


def _clear_rows(at: At, line: Rows) -> None:
    _drop_rows(at, line)
    forget(at.keep, at.pointer + line.element)
    if line.link is not None:
        column = line.link.names[0]
        at.row[column] = None
        at.record.links = [
            link for link in at.record.links if link.row is not at.row or link.column != column
        ]


def replace_element(at: At, line: Line, key: str, value: Value) -> None:
    """Set one element to a value, whatever stood there; None clears it."""
    clear(at, line)
    if value is not None:
        put(at, line, key, value)


def element(at: At, line: Line) -> Value:
    """Render one element: its value, None where there is none (of a choice, ``{key: value}``)."""
    target: dict[str, Any] = {}
    _DRAW[type(line)](at.record, at.row, at.child, at.prefix, line, target)
    return (target or None) if isinstance(line, Choice) else target.get(line.element)


def carry(mapping: Mapping, old: Record, new: Record, new_id: NewId) -> None:
    """Bring over what the server owns from a record to the one that replaces it, where the latter leaves it out.

    Kept extensions, identifiers and columns; raises Refused for an identifier of the server that was altered.
    """
    before, after = top(old, mapping, new_id), top(new, mapping, new_id)
    for line in mapping.extensions.values():
        left_out = element(after, line) is None and not mentions(after.keep, f"extension:{line.url}")
        if line.kept and left_out:
            for item in element(before, line) or ():
                put_extensions(after, mapping, [item])
    if mapping.kept_identifiers:
        _carry_identifiers(mapping, before, after)
    for group in mapping.kept_columns:
        source = old.main if group.detail is None else old.details.get(group.detail)
        target = new.main if group.detail is None else new.details.get(group.detail)
        if source is not None and target is not None:
            target.update({name: source[name] for name in group.names})
    for group in mapping.kept_columns:
        _carry_column(group, old, new)


def _carry_column(group: Group, old: Record, new: Record) -> None:
    """Copy columns that no element tells, where both records have the row that they stand in."""
    before, after = (
        record.main if group.detail is None else record.details.get(group.detail) for record in (old, new)
    )
    if before is not None and after is not None:
        after.update({name: before[name] for name in group.names})


def _carry_identifiers(mapping: Mapping, before: At, after: At) -> None:
    line = mapping.by_element["identifier"]
    present = {item.get("system"): item.get("value") for item in element(after, line) or ()}
    for item in element(before, line) or ():
        system = item.get("system")
        if system not in mapping.kept_identifiers:
            continue
        if system not in present:
            put(after, line, "identifier", [item])
        elif present[system] != item.get("value"):
            where = f"{mapping.type}.identifier.where(system='{system}').value"
            raise Refused("business-rule", where, present[system], str(item.get("value")))


# --- HL7v2 to rows -----------------------------------------------------------------------------------------------

Around = tuple[Part | Extension | Choice, ...]


@cache
def v2_lines(mapping: Mapping, segments: tuple[str, ...]) -> tuple[tuple[Line, tuple[V2, ...], Around], ...]:
    """Return the lines of a mapping that segments fill: the line, its fields as it lists them, the elements around it."""
    return tuple(_v2_lines(mapping.lines, segments, ()))


def _v2_lines(
    lines: tuple[Line, ...], segments: tuple[str, ...], around: Around
) -> Iterator[tuple[Line, tuple[V2, ...], Around]]:
    for line in lines:
        found = tuple(field for field in line.v2 if field.place[0] in segments)
        if found:
            yield line, found, around
        if isinstance(line, (Part, Choice)) or (isinstance(line, Extension) and line.rows is None):
            yield from _v2_lines(line.lines, segments, (*around, line))
        elif isinstance(line, Extension) and line.rows is not None:
            yield from _v2_lines((line.rows,), segments, (*around, line))


def descend(at: At, around: Around) -> At:
    """Return the place within nested elements."""
    for line in around:
        if isinstance(line, Part):
            at = _within(at, line.element)
        elif isinstance(line, Extension):
            at = replace(at, pointer=f"{at.pointer}extension:{line.url} ")
    return at


def v2_value(line: Line, field: V2, repetition: Repetition, context: V2Context) -> Value:
    """Return the FHIR value of one repetition of a field of a line; raises ValueError where it is malformed.

    Of a choice the value is ``{key: value}``.
    """
    read = field.read
    if read is None and isinstance(line, One):
        read = line.codec.from_v2
    if read is None and isinstance(line, Rows):
        read = line.mapping.v2
    if read is None:
        raise TypeError(f"nothing reads {field.field} for {line.element}")
    return read(repetition, context)


def whole(line: Line, around: Around) -> Line:
    """Return the line that is there or not as a whole: the choice that a branch belongs to, else the line itself."""
    return around[-1] if around and isinstance(around[-1], Choice) else line


def set_from_v2(at: At, line: Line, around: Around, value: Value) -> None:
    """Set an element from what its fields say, whatever stood there: a list for an array.

    ``at`` is the place that ``descend`` gave. Raises Refused.
    """
    owner = whole(line, around)
    clear(at, owner)
    if isinstance(line, Choice):
        for key, item in value.items():
            put(at, line, key, item)
    elif isinstance(line, Rows) and line.many:
        for item in value:
            append(at, line, item, f"{at.where}.{line.element}")
    elif isinstance(line, Rows) and not isinstance(owner, Choice):
        append(at, line, value, f"{at.where}.{line.element}")
    else:
        put(at, owner, line.element, value)
