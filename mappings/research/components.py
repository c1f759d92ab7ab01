"""Components of a research case and the typed columns that they stand for, kept the same in both directions.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.component

The column is the truth. A component that came over FHIR keeps its codes, its place and its way of writing the
value for as long as it says what the column says.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mappings import convert
from mappings.concepts import LOINC
from mappings.convert import At, NewId
from mappings.draw import draw_row
from mappings.element import Refused
from mappings.observation_lines import COMPONENT, LINES
from mappings.remainder import same
from mappings.research import attributes
from mappings.research.codes import column_of, column_system
from mappings.research.values import KINDS, Ordinary, element_of, held, hold
from storage.model.columns import BY_TABLE
from storage.model.observation import ObservationComponent

if TYPE_CHECKING:
    from storage.model.columns import Row
    from storage.model.research import CaseKind, Column
    from storage.record import Record

SEVERAL = ("set", "attributes")
"""Kinds of column that have a component for each of their values."""
VALUE = COMPONENT.by_element["valueQuantity"]
INTERPRETATION = COMPONENT.by_element["interpretation"]
ARRAY = next(line for line in LINES if line.element == "component")


def read_components(record: Record, kind: CaseKind, detail: Row) -> None:
    """Fill the typed columns from the components; raises Refused for a value that its column cannot hold.

    A component that is unknown, has no value but a reason, or is a second one for a column with one value
    stays an ordinary component.
    """
    for place, row in enumerate(record.rows(ObservationComponent)):
        row["rc_column"] = None
        component = _draw(record, row)
        column = column_of(kind, component)
        if column is None:
            continue
        before = held(detail, column)
        try:
            value = read_value(kind, column, component, f"Observation.component[{place}]")
        except Ordinary:
            continue
        if column.kind in SEVERAL and (column.kind == "attributes" or value not in (before or [])):
            hold(detail, column, [*(before or []), value])
        elif before is None:
            hold(detail, column, value)
        else:
            continue
        row["rc_column"] = column.name


def read_value(kind: CaseKind, column: Column, component: dict[str, Any], where: str) -> Any:
    """Return the value that a component has for a column; raises Ordinary, and Refused at ``where``."""
    if "dataAbsentReason" in component or "modifierExtension" in component:
        raise Ordinary
    if column.kind == "attributes":
        return attributes.read(component)
    wanted = element_of(column)
    if wanted in component:
        return KINDS[column.kind].read(kind, column, component[wanted], f"{where}.value")
    other = next((key for key in component if key.startswith("value")), None)
    if other is None:
        raise Ordinary
    raise Refused("code-invalid", f"{where}.value", other, wanted)


def write_components(record: Record, kind: CaseKind, detail: Row) -> None:
    """Make the components say what the typed columns say: made, refreshed in place, or taken away."""
    at = At(record, record.main, record.resource, None, "", "", "Observation", fresh_ids(record))
    for column in kind.columns:
        if not column.header:
            _write_column(at, kind, column, held(detail, column))


def _write_column(at: At, kind: CaseKind, column: Column, value: Any) -> None:
    record = at.record
    rows = [row for row in record.rows(ObservationComponent) if row["rc_column"] == column.name]
    if value is None and not rows:
        return
    if column.kind not in SEVERAL:
        wanted = [] if value is None else [value]
    else:
        wanted: list[Any] = attributes.plain(value) if column.kind == "attributes" and value else value or []
    told = [_told(record, kind, column, row) for row in rows]
    if _alike(column, told, wanted):
        return
    if wanted and rows and column.kind not in SEVERAL:
        _refresh(at, kind, column, rows[0], wanted[0])
        return
    _replace(at, kind, column, _matched(rows, told, wanted), wanted)


def _told(record: Record, kind: CaseKind, column: Column, row: Row) -> Any:
    """What a component says for its column; None where it says nothing that the column can hold."""
    try:
        return read_value(kind, column, _draw(record, row), "Observation.component")
    except (Ordinary, Refused):
        return None


def _alike(column: Column, told: list[Any], wanted: list[Any]) -> bool:
    if column.kind == "set":
        return None not in told and sorted(told) == sorted(wanted)
    return same(told, wanted)


def _matched(rows: list[Row], told: list[Any], wanted: list[Any]) -> list[Row | None]:
    """For each wanted value the row that says it already, or None."""
    left = list(zip(rows, told, strict=True))
    found: list[Row | None] = []
    for value in wanted:
        place = next((place for place, (_, said) in enumerate(left) if same(said, value)), None)
        found.append(None if place is None else left.pop(place)[0])
    return found


def _refresh(at: At, kind: CaseKind, column: Column, row: Row, value: Any) -> None:
    """Give a component another value; its codes stay, what was said about the old value goes."""
    inner = At(at.record, row, row, row["id"], "component.", "", "Observation.component", at.new_id)
    convert.replace_element(inner, VALUE, element_of(column), KINDS[column.kind].draw(kind, column, value))
    convert.clear(inner, INTERPRETATION)


def _replace(at: At, kind: CaseKind, column: Column, matched: list[Row | None], wanted: list[Any]) -> None:
    record = at.record
    rows = list(record.rows(ObservationComponent))
    kept = [row for row in rows if row["rc_column"] != column.name]
    first = next((place for place, row in enumerate(rows) if row["rc_column"] == column.name), None)
    place = _place(kind, kept, column) if first is None else first
    made = [row or _make(at, kind, column, value) for row, value in zip(matched, wanted, strict=True)]
    staying = {id(row) for row in made}
    for row in rows:
        if row["rc_column"] == column.name and id(row) not in staying:
            _drop_below(record, row)
    _store(record, [*kept[:place], *made, *kept[place:]])


def _place(kind: CaseKind, rows: list[Row], column: Column) -> int:
    """After the last component of an earlier column; before all others where there is none."""
    ranks = {told.name: place for place, told in enumerate(kind.columns)}
    rank = ranks[column.name]
    earlier = (place for place, row in enumerate(rows) if -1 < ranks.get(row["rc_column"], -1) < rank)
    return max(earlier, default=-1) + 1


def _make(at: At, kind: CaseKind, column: Column, value: Any) -> Row:
    component = component_of(kind, column, value)
    row = convert.append(at, ARRAY, component, "Observation.component")  # pyright: ignore[reportArgumentType]
    row["rc_column"] = column.name
    return row


def component_of(kind: CaseKind, column: Column, value: Any) -> dict[str, Any]:
    """Return the component of one value of a column, with the registry's codings."""
    if column.kind == "attributes":
        return attributes.draw(value)
    codings = [{"system": column_system(kind, column), "code": column.name}]
    if column.loinc:
        codings.append({"system": LOINC, "code": column.loinc})
    return {"code": {"coding": codings}, element_of(column): KINDS[column.kind].draw(kind, column, value)}


def _store(record: Record, rows: list[Row]) -> None:
    key = (ObservationComponent.table.name, None, "")
    record.children.pop(key, None)
    for place, row in enumerate(rows):
        row["item_no"] = place
        record.add(ObservationComponent, row)


def _drop_below(record: Record, row: Row) -> None:
    for table, parent, element in [key for key in record.children if key[1] == row["id"]]:
        record.drop(BY_TABLE[table], parent, element)


def _draw(record: Record, row: Row) -> dict[str, Any]:
    return draw_row(record, COMPONENT, row, "component")


def fresh_ids(record: Record) -> NewId:
    """Return a maker of ids for rows of a resource that are made while it is rendered.

    They follow from the resource's own id, so that rendering needs no source of ids; they begin as it does,
    so that rows of one resource stay together in the indexes.
    """
    owner: UUID = record.resource["id"]
    taken: set[UUID] = set()
    numbers = count()

    def new_id() -> UUID:
        if not taken:
            taken.update(row["id"] for rows in record.children.values() for row in rows)
        while (made := _derived(owner, next(numbers))) in taken:
            pass
        taken.add(made)
        return made

    return new_id


def _derived(owner: UUID, place: int) -> UUID:
    digest = sha256(owner.bytes + str(place).encode()).digest()
    whole = bytearray(owner.bytes[:6] + digest[:10])
    whole[6] = whole[6] & 0x0F | 0x70
    whole[8] = whole[8] & 0x3F | 0x80
    return UUID(bytes=bytes(whole))
