"""Copies of the elements of a resource that is kept whole: the rows that search looks at.

https://hl7.org/fhir/R4/search.html#ptypes. They are made anew from the content at each write and never
rendered; what is too long for an index is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from mappings import text, times
from mappings.datatypes import ReferenceCodec
from mappings.leaves import Leaf, Step, values
from storage.model.columns import Row, Table
from storage.model.shared import (
    Coding,
    Concept,
    ContactPoint,
    Identifier,
    Reference,
    SearchDate,
    SearchQuantity,
)
from storage.record import Record

INDEXED_BYTES = 500
"""A text longer than this cannot stand in an index."""

Object = dict[str, Any]
NewId = Callable[[], UUID]
Found = tuple[str, str, str, str | None]
Place = tuple[str, tuple[Step, ...]]


class Copies:
    """How a resource type is kept whole, and what is copied, by its table of search parameters: by name the
    type of the parameter and its leaves.
    """

    column = "content"

    def __init__(self, parameters: dict[str, tuple[str, tuple[Leaf, ...]]]) -> None:
        self._rows: dict[tuple[Maker, Place], None] = {}
        self._texts: list[tuple[str, Texts, tuple[Step, ...]]] = []
        for name, (kind, leaves) in parameters.items():
            for leaf in leaves:
                maker = _MAKERS.get((kind, leaf.kind))
                if maker is not None:
                    self._rows[maker, (leaf.element, leaf.steps)] = None
                else:
                    self._texts.append((name, _texts(name, kind, leaf.kind), leaf.steps))

    def copy(self, record: Record, new_id: NewId) -> None:
        """Make the rows of identifiers, codes, references, dates and quantities of a record."""
        content = record.main[self.column]
        for maker, (element, steps) in self._rows:
            for value in values(content, steps):
                maker(_Rows(record, new_id, element), value)

    def texts(self, record: Record) -> Iterator[Found]:
        """Yield the texts, codes and URIs of a record, under the names of their parameters."""
        content = record.main[self.column]
        for name, read, steps in self._texts:
            for value in values(content, steps):
                for found, sound in read(value):
                    yield name, *found, sound


# --- rows ---


class _Rows:
    """Adds rows of one element to a record."""

    def __init__(self, record: Record, new_id: NewId, element: str) -> None:
        self.record = record
        self.new_id = new_id
        self.element = element

    def add(
        self, table: type[Table], parent: UUID | None = None, element: str | None = None, **columns: Any
    ) -> Row:
        """Add a row that hangs on another, or on the resource itself."""
        name = element or self.element
        row = table.blank()
        row["id"], row["owner_id"] = self.new_id(), self.record.resource["id"]
        row[table.parent_column or ""], row[table.element_column or ""] = parent, name
        row["item_no"] = len(self.record.rows(table, parent, name))
        row.update(columns)
        self.record.add(table, row)
        return row


Maker = Callable[[_Rows, Any], None]


def _short(value: Any) -> str | None:
    """Return a text that an index can hold, None for anything else."""
    fits = isinstance(value, str) and (len(value) < 126 or len(value.encode()) <= INDEXED_BYTES)
    return cast("str", value) if fits else None


def _concept(rows: _Rows, value: Any, element: str | None = None, parent: UUID | None = None) -> None:
    if not isinstance(value, dict):
        return
    told = cast("Object", value)
    concept = rows.add(Concept, parent, element, text=told.get("text"))
    for coding in told.get("coding", ()):
        if isinstance(coding, dict):
            code = cast("Object", coding)
            columns = {name: _short(code.get(name)) for name in ("system", "version", "code")}
            rows.add(Coding, concept["id"], element, display=code.get("display"), **columns)


def _coding(rows: _Rows, value: Any) -> None:
    _concept(rows, {"coding": [value]})


def _identifier(rows: _Rows, value: Any) -> None:
    if isinstance(value, dict):
        told = cast("Object", value)
        row = rows.add(Identifier, system=_short(told.get("system")), value=_short(told.get("value")))
        _concept(rows, told.get("type"), f"{rows.element}.type", row["id"])


def _contact(rows: _Rows, value: Any) -> None:
    if isinstance(value, dict):
        told = cast("Object", value)
        known = told.get("system") if told.get("system") in ContactPoint.system.values else None
        rows.add(ContactPoint, system=known, value=told.get("value"))


def _reference(rows: _Rows, value: Any) -> None:
    if isinstance(value, dict):
        told = cast("Object", value)
        literal = told.get("reference")
        columns = _LITERAL.to_row(literal) if isinstance(literal, str) else (None, None, None)
        row = rows.add(Reference, display=told.get("display"))
        row.update(zip(("target_type", "target_fhir_id", "literal"), columns, strict=True))
        identifier = cast("Object", told.get("identifier") or {})
        row["ident_system"], row["ident_value"] = map(_short, map(identifier.get, ("system", "value")))


_LITERAL = ReferenceCodec()


def _day(rows: _Rows, value: Any) -> None:
    _span(rows, [times.bounds(value)])


def _period(rows: _Rows, value: Any) -> None:
    _span(rows, [times.period_bounds(value.get("start"), value.get("end"))])


def _timing(rows: _Rows, value: Any) -> None:
    bounds = value.get("repeat", {}).get("boundsPeriod", {})
    events = [times.bounds(event) for event in value.get("event", ()) if event is not None]
    _span(rows, [*events, times.period_bounds(bounds.get("start"), bounds.get("end"))])


def _span(rows: _Rows, found: Iterable[tuple[datetime | None, datetime | None]]) -> None:
    """Add the range from the first to the last of some; those without bounds are nothing."""
    known = [(low, high) for low, high in found if low is not None and high is not None]
    if known:
        low, high = min(low for low, _ in known), max(high for _, high in known)
        rows.add(SearchDate, lo=low, hi=high)


def _quantity(rows: _Rows, value: Any) -> None:
    if value.get("value") is not None:
        unit = {f"amount_{name}": value.get(name) for name in ("comparator", "unit", "system", "code")}
        rows.add(SearchQuantity, amount_value=value["value"], **unit)


def _money(rows: _Rows, value: Any) -> None:
    if value.get("value") is not None:
        currency = dict.fromkeys(("amount_unit", "amount_code"), value.get("currency"))
        rows.add(
            SearchQuantity, amount_value=value["value"], **currency, amount_system="urn:iso:std:iso:4217"
        )


def _number(rows: _Rows, value: int | Decimal) -> None:
    rows.add(SearchQuantity, amount_value=value)


_MAKERS: dict[tuple[str, str], Maker] = {
    ("token", "Identifier"): _identifier,
    ("token", "CodeableConcept"): _concept,
    ("token", "Coding"): _coding,
    ("token", "ContactPoint"): _contact,
    ("reference", "Reference"): _reference,
    **{("date", kind): _day for kind in ("date", "dateTime", "instant")},
    ("date", "Period"): _period,
    ("date", "Timing"): _timing,
    **{
        ("quantity", kind): _quantity
        for kind in ("Quantity", "SimpleQuantity", "Age", "Count", "Distance", "Duration", "MoneyQuantity")
    },
    ("quantity", "Money"): _money,
    **{("number", kind): _number for kind in ("decimal", "integer", "positiveInt", "unsignedInt")},
}
"""By type of parameter and datatype: what makes the rows."""


# --- texts ---

Texts = Callable[[Any], Iterator[tuple[tuple[str, str], str | None]]]


def _texts(name: str, kind: str, datatype: str) -> Texts:
    """Return what reads the texts of a datatype: folded for strings, with their sound for ``phonetic``, and
    as they are written for codes and URIs.
    """
    if kind != "string":
        return _raw
    parts = _PARTS.get(datatype, ())
    sounds = name == "phonetic"

    def read(value: Any) -> Iterator[tuple[tuple[str, str], str | None]]:
        for part in _parts(value, parts[:3] if sounds else parts):
            norm = text.fold(part)
            yield (part, norm), text.soundex(norm) if sounds else None

    return read


def _raw(value: Any) -> Iterator[tuple[tuple[str, str], str | None]]:
    written = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    yield (written, written[: text.KEPT]), None


_PARTS = {
    "HumanName": ("family", "given", "text", "prefix", "suffix"),
    "Address": ("line", "city", "district", "state", "postalCode", "country", "text"),
}


def _parts(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts of a value: itself, or its members of these names."""
    if isinstance(value, dict):
        for name in names:
            yield from _parts(cast("Object", value).get(name), names)
    elif isinstance(value, list):
        yield from (part for part in cast("list[Any]", value) if isinstance(part, str))
    elif isinstance(value, str):
        yield value
