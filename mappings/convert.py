"""The interpreter of mappings: FHIR to rows, whole or one element at a time; HL7v2 to rows. `draw` renders.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings.draw import draw_line
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
    Value,
    Woven,
)
from mappings.remainder import forget, keep, keep_difference, mentions, same
from storage.model.columns import Code, Group, Integer, Row
from storage.record import FoundTarget, Record

if TYPE_CHECKING:
    pass

NewId = Callable[[], UUID]

INDEXED_BYTES = 500
"""A text longer than this cannot stand in an index; it is kept whole in the remainder, where it is not
searched.
"""


@dataclass(slots=True)
class At:
    """A place in a record: the row being filled or rendered, the row that keeps its remainder, the row that
    its child rows hang on, the path so far (of the resource, within the row, and as an expression for
    people).
    """

    record: Record
    row: Row
    keep: Row
    child: UUID | None
    prefix: str
    pointer: str
    where: str
    new_id: NewId


Holder = Mapping | Part | Extension
"""What claims elements by their names."""


def top(record: Record, mapping: Mapping, new_id: NewId) -> At:
    """Return the place of a resource's own typed row (its remainder is kept by the row of ``resource``)."""
    return At(record, record.main, record.resource, None, "", "", mapping.type, new_id)


# --- FHIR to rows ----------------------------------------------------------------------------------------


def put_object(at: At, holder: Holder, value: dict[str, Value]) -> None:
    """Read every element of an object into rows; elements without a line go to the remainder."""
    by_element = holder.by_element
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
        put_object(inside_part(at, key), line, value)  # pyright: ignore[reportUnknownArgumentType]
    else:
        keep(at.keep, "x", at.pointer + key, value)


def inside_part(at: At, key: str) -> At:
    """Return the place within a part."""
    prefix, pointer, where = f"{at.prefix}{key}.", f"{at.pointer}{key} ", f"{at.where}.{key}"
    return At(at.record, at.row, at.keep, at.child, prefix, pointer, where, at.new_id)


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
    row["item_no"] = len(
        at.record.rows(table, at.child if table.parent_column else None, name if table.element_column else "")
    )
    at.record.add(table, row)
    if mapping.scalar:
        row[mapping.scalar] = item
        return row
    inner = At(
        at.record,
        row,
        row,
        row["id"],
        f"{name}.",
        "",
        f"{where}[{row['item_no']}]" if line.many else where,
        at.new_id,
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
    if line.kind is not None:
        at.row[line.kind.names[0]] = kind
    branch = line.branches.get(kind)
    if branch is None:
        keep(at.keep, "x", at.pointer + key, value)
    else:
        put(at, branch, key, value)


def put_extensions(at: At, holder: Holder, value: Value) -> None:
    """Read an array of extensions: those with a line into rows, the others to the remainder, their order
    kept.
    """
    extensions = holder.extensions
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
    """Tell whether the remainder holds parts of claimed extensions, which may have to be made when
    rendering.
    """
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


# --- one element at a time -------------------------------------------------------------------------------

Around = tuple[Part | Extension | Choice, ...]
"""The elements that a nested one stands in."""


def descend(at: At, around: Around) -> At:
    """Return the place within nested elements."""
    for line in around:
        if isinstance(line, Part):
            at = inside_part(at, line.element)
        elif isinstance(line, Extension):
            at = replace(at, pointer=f"{at.pointer}extension:{line.url} ")
    return at


def clear(at: At, line: Line) -> None:
    """Remove an element: its columns, its rows, and what the remainder holds of it."""
    _CLEAR[type(line)](at, line)


def _forget(at: At, *keys: str) -> None:
    """Drop what the remainder holds of elements; most rows have none."""
    if at.keep["remainder"]:
        for key in keys:
            forget(at.keep, at.pointer + key)


def _clear_one(at: At, line: One) -> None:
    row = at.row if line.group.detail is None else at.record.details.get(line.group.detail)
    if row is not None:
        for name in line.group.names:
            row[name] = None
    _forget(at, line.element)


def _clear_woven(at: At, line: Woven) -> None:
    names = line.group.names
    at.row.update(zip(names, line.codec.weave(None, tuple(at.row[name] for name in names)), strict=True))
    _forget(at, line.element)


def _clear_part(at: At, line: Part) -> None:
    within_it = inside_part(at, line.element)
    for inner in line.lines:
        clear(within_it, inner)
    _forget(at, line.element)


def _clear_choice(at: At, line: Choice) -> None:
    if line.kind is None:
        for inner in line.lines:
            clear(at, inner)
    else:
        # The column names the only branch that can be there.
        name = line.kind.names[0]
        branch = line.branches.get(at.row[name])
        if branch is not None:
            clear(at, branch)
        at.row[name] = None
    _forget(at, *line.keys)


def _clear_extension(at: At, line: Extension) -> None:
    within_it = replace(at, pointer=f"{at.pointer}extension:{line.url} ")
    for inner in line.lines if line.rows is None else (line.rows,):
        clear(within_it, inner)


def _clear_rows(at: At, line: Rows) -> None:
    _drop_rows(at, line)
    _forget(at, line.element)
    if line.link is not None:
        column = line.link.names[0]
        at.row[column] = None
        at.record.links = [
            link for link in at.record.links if link.row is not at.row or link.column != column
        ]


_CLEAR: dict[type[Line], Callable[[At, Any], None]] = {
    One: _clear_one,
    Woven: _clear_woven,
    Part: _clear_part,
    Rows: _clear_rows,
    Choice: _clear_choice,
    Extension: _clear_extension,
}


def replace_element(at: At, line: Line, key: str, value: Value) -> None:
    """Set one element to a value, whatever stood there; None clears it."""
    clear(at, line)
    if value is not None:
        put(at, line, key, value)


def element(at: At, line: Line) -> Value:
    """Render one element: its value, None where there is none (of a choice, ``{key: value}``)."""
    target: dict[str, Any] = {}
    draw_line(at.record, at.row, at.child, at.prefix, line, target)
    return (target or None) if isinstance(line, Choice) else target.get(line.element)


def carry(mapping: Mapping, old: Record, new: Record, new_id: NewId, *, anew: bool = False) -> None:
    """Bring over what the server owns from a record to the one that replaces it, where the latter leaves it
    out.

    Kept extensions (not where the resource begins ``anew``), identifiers and columns; raises Refused for an
    identifier of the server that was altered.
    """
    before, after = top(old, mapping, new_id), top(new, mapping, new_id)
    for line in mapping.extensions.values():
        left_out = element(after, line) is None and not mentions(after.keep, f"extension:{line.url}")
        if line.kept and left_out and not anew:
            for item in element(before, line) or ():
                put_extensions(after, mapping, [item])
    if mapping.kept_identifiers:
        _carry_identifiers(mapping, before, after)
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
