"""What a message handler works with: records by business key, the mappings' own lines, and a report of
every field.

https://hl7.org/fhir/uv/v2mappings/2024Sep/segment_maps.html
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from mappings import convert, resource, v2lines
from mappings.definitions.invariants import in_order
from mappings.element import Line, Mapping, Refused, V2Context, Value
from mappings.messages.coverage import Coverage, MessageRefused, Warned
from mappings.messages.kept import keep_fields
from mappings.messages.reading import Reading, combine, read_line
from mappings.resources import REGISTRY
from storage.model.shared import Identifier, Reference
from storage.peers import STRANGER, Peer

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.groups import OrderPart, PatientPart
    from mappings.workflow.orders import Step
    from storage.record import Apart, Record

__all__ = ["Coverage", "Desk", "MessageRefused", "Warned", "Workspace", "Written", "refer"]


class Authored(Protocol):
    """When a unit of work is written."""

    @property
    def at(self) -> datetime: ...


class Workspace(Protocol):
    """The records that a message may read and change, in one unit of work."""

    @property
    def new_id(self) -> convert.NewId: ...

    @property
    def author(self) -> Authored: ...

    def new(self, resource_type: str, fhir_id: str | None = None) -> Record:
        """Return a blank record of a new resource."""
        ...

    def adopt(self, record: Record) -> None:
        """Take in a new record that was made elsewhere."""
        ...

    def load(self, resource_type: str, ids: Iterable[UUID]) -> list[Record]:
        """Return records by id, locked."""
        ...

    def identified(self, resource_type: str, system: str | None, value: str) -> list[Record]:
        """Return the live records that carry an identifier, locked."""
        ...

    def named(self, resource_type: str, system: str | None, value: str) -> tuple[str, bool] | None:
        """Return the FHIR id of the live resource that carries an identifier, and whether it has a name."""
        ...

    def numbered(self, resource_type: str, value: str) -> list[Record]:
        """Return the live records that carry an identifier of that value, of whatever system, locked."""
        ...

    def referring(
        self, resource_type: str, path: str, target: UUID, apart: Apart | None = None
    ) -> list[Record]:
        """Return the live records of a type that refer to a resource at a path, locked; with ``apart`` those
        alone that are apart from others.
        """
        ...

    def all_referring(self, target: UUID) -> list[Record]:
        """Return the live records of whatever type that refer to a resource, wherever in them, locked."""
        ...

    def touch(self, record: Record) -> None:
        """Say that a loaded record was changed."""
        ...


@dataclass
class Written:
    """What a message did to a record (created, updated, matched), for the link rows of message and
    resources.
    """

    record: Record
    action: str
    path: str
    before: Any = None


@dataclass
class Desk:
    """Everything one message is worked on with.

    ``written`` are the records that it was about, ``steps`` those that orders took in their workflow,
    ``owners`` (by a segment's index) the records that keep what is not mapped, ``found`` what was looked up.
    """

    workspace: Workspace
    context: V2Context
    message: Message
    coverage: Coverage = field(default_factory=Coverage)
    written: list[Written] = field(default_factory=list[Written])
    steps: list[tuple[Record, tuple[Step, ...]]] = field(
        default_factory=list[tuple["Record", "tuple[Step, ...]"]]
    )
    owners: dict[int, Record] = field(default_factory=dict[int, "Record"])
    found: dict[tuple[str, str | None, str], list[Record]] = field(
        default_factory=dict[tuple[str, "str | None", str], list["Record"]]
    )
    seen: dict[tuple[str, str, str], tuple[str, bool] | None] = field(
        default_factory=dict[tuple[str, str, str], "tuple[str, bool] | None"]
    )
    peer: Peer = STRANGER
    """Who sent the message."""
    answered: list[tuple[PatientPart, OrderPart, Record]] = field(
        default_factory=list[tuple["PatientPart", "OrderPart", "Record"]]
    )
    """The orders that the message was about, group by group, for the order response."""

    # --- records --------------------------------------------------------------------------------------------

    def make(self, resource_type: str, path: str) -> Record:
        """Return a record of a new resource; ``path`` is the segment that tells of it (``ORDER[1].OBR``).

        Raises MessageRefused (204) for a patient, where the sender tells of known ones only.
        """
        if resource_type == "Patient" and not self.peer.auto_create_patients:
            raise MessageRefused("204", "PID", 1, 3, text="The patient is not known")
        record = self.workspace.new(resource_type)
        self.written.append(Written(record, "created", path))
        return record

    def adopt(self, record: Record, path: str) -> None:
        """Take in a new record that a mapping's own constructor made."""
        self.workspace.adopt(record)
        self.written.append(Written(record, "created", path))

    def meet(self, record: Record, path: str) -> Record:
        """Take up a record that was found; whether the message changes it shows at the end."""
        if not any(item.record is record for item in self.written):
            self.written.append(Written(record, "matched", path, snapshot(record)))
        return record

    def identified(self, resource_type: str, system: str | None, value: str) -> list[Record]:
        """Return the records that carry an identifier: those that the message made, and those that were
        there.
        """
        key = (resource_type, system, value)
        if key not in self.found:
            self.found[key] = self.workspace.identified(resource_type, system, value)
        return self._with_own(key, self.found[key])

    def identified_too(self, resource_type: str, system: str, value: str) -> list[Record]:
        """Return the records that carry an identifier of whose value ``identified`` found none in another
        system.
        """
        key = (resource_type, system, value)
        # The value is claimed already, by the first look-up: a plain look is enough, and cheap.
        if key not in self.found and self.workspace.named(*key) is None:
            self.found[key] = []
        return self.identified(*key)

    def reference(
        self, resource_type: str, system: str, value: str, *, with_name: bool = False
    ) -> dict[str, str] | None:
        """Return a Reference to the resource that carries an identifier, without taking it up; None where
        there is none yet, or where this message made it, or (``with_name``) where it has no name.
        """
        key = (resource_type, system, value)
        if key not in self.seen:
            self.seen[key] = self.workspace.named(*key)
        found = self.seen[key]
        if found is None or (with_name and not found[1]):
            return None
        return {"reference": f"{resource_type}/{found[0]}"}

    def numbered(self, resource_type: str, value: str) -> list[Record]:
        """Return the records that carry an identifier of that value, of whatever system."""
        return self._with_own((resource_type, None, value), self.workspace.numbered(resource_type, value))

    def _with_own(self, key: tuple[str, str | None, str], known: list[Record]) -> list[Record]:
        resource_type, system, value = key
        own = [
            item.record
            for item in self.written
            if item.record.resource["resource_type"] == resource_type
            and any(
                row["value"] == value and system in (None, row["system"])
                for row in item.record.rows(Identifier, None, "identifier")
            )
        ]
        return [*own, *(record for record in known if not any(record is mine for mine in own))]

    def is_new(self, record: Record) -> bool:
        """Tell whether this message made the record."""
        return any(item.record is record and item.action == "created" for item in self.written)

    def changed(self, record: Record) -> bool:
        """Tell whether the message made the record or has changed it so far."""
        item = next((item for item in self.written if item.record is record), None)
        return item is not None and (item.action == "created" or item.before != snapshot(record))

    def own(self, record: Record, *segments: Segment | None) -> None:
        """Say which record keeps what is not mapped of segments."""
        self.owners.update({segment.index: record for segment in segments if segment is not None})

    # --- elements -------------------------------------------------------------------------------------------

    def top(self, record: Record) -> convert.At:
        """Return the place of the record's own elements."""
        return convert.top(record, mapping_of(record), self.workspace.new_id)

    def get(self, record: Record, element: str) -> Value:
        """Return the FHIR value of an element, None where there is none."""
        line = mapping_of(record).by_element[element]
        found = convert.element(self.top(record), line)
        return found.get(element) if found and line.element != element else found

    def put(self, record: Record, element: str, value: Value) -> None:
        """Set an element to a FHIR value; None clears it."""
        convert.replace_element(self.top(record), mapping_of(record).by_element[element], element, value)

    def add(self, record: Record, element: str, *items: Value) -> None:
        """Add items to an array, those that it has not yet."""
        line = mapping_of(record).by_element[element]
        if not isinstance(line, convert.Rows):
            raise TypeError(f"{element} is no array")
        present: list[Value] = list(self.get(record, element) or ()) if items else []
        for item in items:
            if item not in present:
                convert.append(self.top(record), line, item, f"{line.element}")
                present.append(item)

    def referred(self, record: Record, path: str, resource_type: str) -> list[Record]:
        """Return the live records of a type that a record refers to at a path, those that this message
        made too.
        """
        rows = [
            row
            for row in record.all_rows(Reference)
            if row["path"] == path and row["target_type"] == resource_type
        ]
        ids = [row["target_id"] for row in rows if row["target_id"] is not None]
        waiting = {row["target_fhir_id"] for row in rows if row["target_id"] is None}
        known = [
            item for item in self.workspace.load(resource_type, ids) if item.resource["deleted_at"] is None
        ]
        made = (
            item.record for item in self.written if item.record.resource["resource_type"] == resource_type
        )
        own = [item for item in made if item.resource["fhir_id"] in waiting]
        return [*known, *(item for item in own if not any(item is other for other in known))]

    # --- fields ---------------------------------------------------------------------------------------------

    def fill(
        self, record: Record, *segments: Segment | None, skip: Container[str] = (), only_empty: bool = False
    ) -> None:
        """Apply every line of the record's mapping that names a field of the segments: empty keeps, ``""``
        clears.

        The fields of a line count in the order in which it lists them; ``skip`` are elements that the
        caller sets. What cannot be read is warned about (102, 103) and leaves the element as it was. With
        ``only_empty`` an element that has a value keeps it, and a note tells which fields differ.
        """
        present = [segment for segment in segments if segment is not None]
        top = self.top(record)
        names = tuple(dict.fromkeys(segment.name for segment in present))
        for line, fields, around in v2lines.v2_lines(mapping_of(record), names):
            if line.element in skip or v2lines.whole(line, around).element in skip:
                continue
            readings = read_line(line, fields, present, self.context, self.coverage)
            if readings:
                self._fill(convert.descend(top, around), line, around, readings, only_empty=only_empty)

    def _fill(
        self, at: convert.At, line: Line, around: convert.Around, readings: list[Reading], *, only_empty: bool
    ) -> None:
        to = f"{at.where}.{line.element}"
        owner = v2lines.whole(line, around)
        present = convert.element(at, owner)
        value, used = self._in_order(*combine(line, readings, present), present)
        if value is None:
            if all(reading.is_null for reading in readings):
                self._clear(at, owner, readings, to, only_empty=only_empty)
            return
        if only_empty and present is not None:
            self._compare(at, line, value, used, to)
        elif self._set(at, line, around, value, used[0], present):
            self._mapped(used, to)

    def _in_order(self, value: Value, used: list[Reading], present: Value) -> tuple[Value, list[Reading]]:
        """Return a Period without an end that is before its start (per-1), which is warned about (102); where
        the start alone is told, that is left out.
        """
        told = _parts(value)
        if not {"start", "end"} <= told.keys():
            return value, used
        wrong = next((reading for reading in used if reading.field.part == "end"), used[0])
        if in_order(told["start"], told["end"]) or wrong.field.part not in ("start", "end"):
            return value, used
        text = f"{wrong.field.field}: the end is before the start, and was not taken"
        self.coverage.warn("102", wrong.segment, wrong.number, text=text)
        before: dict[str, Any] = present or {}
        kept: dict[str, Any] = {**before, "start": told["start"]} if wrong.field.part == "end" else before
        if not in_order(kept.get("start", ""), kept.get("end", "9999")):
            kept = {"start": kept["start"]}
        rest = [reading for reading in used if reading is not wrong]
        return (kept, rest) if rest else (None, [])

    def _clear(
        self, at: convert.At, line: Line, readings: list[Reading], to: str, *, only_empty: bool
    ) -> None:
        if only_empty and convert.element(at, line) is not None:
            self._differ(readings)
            return
        convert.clear(at, line)
        self._mapped(readings, to)

    def _differ(self, readings: list[Reading]) -> None:
        for reading in readings:
            self.differs(reading.segment, reading.number)

    def differs(self, segment: Segment, number: int) -> None:
        """Note that a field differs from what is stored, which was kept; no value is told."""
        text = f"{segment.name}-{number} differs from what is stored and was not applied"
        self.coverage.warn("0", segment, number, text=text)

    def _compare(self, at: convert.At, line: Line, value: Value, used: list[Reading], to: str) -> None:
        present = convert.element(at, line)
        listed: Sequence[Any] = present or ()
        same = all(item in listed for item in value) if many(line) else value == present
        if same:
            self._mapped(used, to)
            return
        self._differ(used)

    def _mapped(self, readings: list[Reading], to: str) -> None:
        for reading in readings:
            self.coverage.map(reading.segment, reading.number, to)

    def _set(
        self,
        at: convert.At,
        line: Line,
        around: convert.Around,
        value: Value,
        told: Reading,
        before: Value,
    ) -> bool:
        """Set an element that was ``before``; tell whether it could be set, or stays as it was."""
        try:
            v2lines.set_from_v2(at, line, around, value)
        except Refused as refusal:
            condition = "103" if refusal.kind == "code-invalid" else "102"
            text = f"{told.field.field} is not a value that can be stored"
            self.coverage.warn(condition, told.segment, told.number, text=text)
            self._restore(at, v2lines.whole(line, around), before)
            return False
        return True

    def _restore(self, at: convert.At, line: Line, before: Value) -> None:
        items = before.items() if isinstance(line, convert.Choice) and before else ((line.element, before),)
        for key, value in items:
            convert.replace_element(at, line, key, value)

    def value(self, mapping: Mapping, *segments: Segment) -> dict[str, Any]:
        """Return the FHIR value of a nested element (a contact, a diagnosis) that segments tell of."""
        made: dict[str, Any] = {}
        names = tuple(dict.fromkeys(segment.name for segment in segments))
        for line, fields, _ in v2lines.v2_lines(mapping, names):
            readings = read_line(line, fields, segments, self.context, self.coverage)
            found, used = self._in_order(*combine(line, readings, None), None)
            if found is not None:
                made[line.element] = found
                self._mapped(used, f"{mapping.type}.{line.element}")
        return made

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self, rules: dict[str, str], default: Record) -> None:
        """Keep what was not mapped with the record that it belongs to, and tell which records were changed.

        ``default`` keeps what belongs to no other record.
        """
        keep_fields(self.message, self.coverage, rules, self.owners, default)
        self.coverage.finish(self.message, rules)
        for item in self.written:
            if item.action == "matched" and item.before != snapshot(item.record):
                item.action = "updated"
                drop_narrative(item.record)
                self.workspace.touch(item.record)


def _parts(value: Value) -> dict[str, Any]:
    """Return an element's value by the names of its parts; nothing where it has none."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def many(line: Line) -> bool:
    """Tell whether a line is an array."""
    return isinstance(line, convert.Rows) and line.many


_mapping = cache(REGISTRY.__getitem__)


def mapping_of(record: Record) -> Mapping:
    """Return the mapping of a record's type."""
    return _mapping(record.resource["resource_type"])


def refer(record: Record) -> dict[str, str]:
    """Return a Reference to a record."""
    return {"reference": f"{record.resource['resource_type']}/{record.resource['fhir_id']}"}


def snapshot(record: Record) -> Any:
    """Return what tells whether a record was changed: the resource, and what is kept of messages."""
    kept: dict[str, dict[str, str]] = record.resource["v2_remainder"] or {}
    return resource.draw(mapping_of(record), record), {name: dict(fields) for name, fields in kept.items()}


def drop_narrative(record: Record) -> None:
    """Remove a generated narrative: it told of the record as it was."""
    if record.resource["text_status"] == "generated":
        record.resource["text_status"] = record.resource["text_div"] = None
