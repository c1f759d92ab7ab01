"""What a registration system tells of a patient that is known: it replaces what the same field told before.

An empty field keeps, ``""`` clears. Of names and telephones, which several fields fill, each field replaces
its own. HL7 v2.5.1, sections 2.5.3 and 3.3.8 (A08):
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.demographics import (
    addresses,
    contacts,
    practitioners,
    replace_birth_time,
    replace_language,
    replace_people,
    set_animal,
)
from mappings.messages.reading import read_line
from mappings.resources.patient import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.groups import PatientPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

SET_HERE = ("identifier", "name", "telecom", "address")
Items = list[dict[str, Any]]
PAIRS = (
    (29, "deceasedDateTime", 30, "deceasedBoolean"),
    (25, "multipleBirthInteger", 24, "multipleBirthBoolean"),
)
"""Fields and elements of which FHIR has one: what tells more, and what tells yes or no."""


def register(desk: Desk, record: Record, part: PatientPart) -> None:
    """Let PID, PD1 and NK1 replace what is stored of a known patient, field by field."""
    pid = part.pid
    born = desk.get(record, "birthDate")
    desk.fill(record, pid, skip=SET_HERE)
    for more, yes_no in ((PAIRS[0][:2], PAIRS[0][2:]), (PAIRS[1][:2], PAIRS[1][2:])):
        _one_of_pair(desk, record, pid, more, yes_no)
    _names(desk, record, pid)
    _telecoms(desk, record, pid)
    _addresses(desk, record, pid)
    replace_people(desk, record, pid)
    set_animal(desk, record, pid, replaces=True)
    replace_language(desk, record, pid)
    replace_birth_time(desk, record, pid, born)
    _practitioners(desk, record, part.pd1)
    _contacts(desk, record, part.kin)


def _one_of_pair(
    desk: Desk, record: Record, pid: Segment, more: tuple[int, str], yes_no: tuple[int, str]
) -> None:
    """Leave one of the two elements: what the message tells wins, then what tells more."""
    (number, element), (flag_number, flag) = more, yes_no
    if desk.get(record, element) is None or desk.get(record, flag) is None:
        return
    told = bool(pid.field(number)) and not pid.field(number).is_null
    denied = bool(pid.field(flag_number)) and desk.get(record, flag) is False
    desk.put(record, element if denied and not told else flag, None)


def told_by_field(desk: Desk, element: str, pid: Segment) -> dict[int, Items]:
    """Return what each field of PID that is not empty tells of an element; an empty list for ``""``."""
    line = PATIENT.by_element[element]
    found: dict[int, Items] = {}
    for reading in read_line(line, line.v2, [pid], desk.context, desk.coverage):
        if reading.values or reading.is_null:
            found[reading.number] = reading.values
            desk.coverage.map(pid, reading.number, f"Patient.{element}")
    return found


def _put(desk: Desk, record: Record, element: str, items: Iterable[dict[str, Any]]) -> None:
    """Set an array, unless it has just these items already, in whatever order."""
    unique: Items = []
    for item in items:
        if item not in unique:
            unique.append(item)
    present: Items = desk.get(record, element) or []
    if any(item not in present for item in unique) or any(item not in unique for item in present):
        desk.put(record, element, unique or None)


def _names(desk: Desk, record: Record, pid: Segment) -> None:
    """PID-5 replaces the first name and those of the same use, PID-9 the aliases."""
    told = told_by_field(desk, "name", pid)
    present: Items = desk.get(record, "name") or []
    main, rest = present[:1], present[1:]
    if 5 in told:
        main = told[5]
        uses = {item["use"] for item in main if "use" in item}
        rest = [item for item in rest if item.get("use") not in uses]
    if 9 in told:
        uses = {None, *(item.get("use") for item in told[9])}
        rest = [*told[9], *(item for item in rest if item.get("use") not in uses)]
    _put(desk, record, "name", [*main, *rest])


def _telecoms(desk: Desk, record: Record, pid: Segment) -> None:
    """PID-14 replaces what is of use at work, PID-13 all else, PID-40 both; other systems stay."""
    told = told_by_field(desk, "telecom", pid)
    present: Items = desk.get(record, "telecom") or []
    kept = [item for item in present if not any(_replaces(number, told[number], item) for number in told)]
    _put(desk, record, "telecom", [*(item for items in told.values() for item in items), *kept])


def _replaces(number: int, items: Items, present: dict[str, Any]) -> bool:
    """Tell whether what a field tells replaces an item: of its use, and of a system that it tells (all for
    ``""``).
    """
    systems = {"phone", *(item["system"] for item in items)}
    return _is_of(number, present) and (not items or present.get("system") in systems)


def _is_of(number: int, item: dict[str, Any]) -> bool:
    return number == 40 or (item.get("use") == "work") == (number == 14)


def _addresses(desk: Desk, record: Record, pid: Segment) -> None:
    present: Items = desk.get(record, "address") or []
    county = pid.field(12)
    if pid.field(11).is_null:
        desk.coverage.map(pid, 11, "Patient.address")
        desk.put(record, "address", None)
        return
    found = addresses(desk, pid)
    if found:
        desk.coverage.map(pid, 11, "Patient.address")
    elif present and not county.is_empty:
        first = {key: value for key, value in present[0].items() if key != "district"}
        told = "" if county.is_null else county.first.component(1).strip()
        found = [first | ({"district": told} if told else {}), *present[1:]]
    if found:
        if not county.is_empty:
            desk.coverage.map(pid, 12, "Patient.address")
        _put(desk, record, "address", found)


def _practitioners(desk: Desk, record: Record, pd1: Segment | None) -> None:
    if pd1 is None:
        return
    found = practitioners(desk, pd1)
    if found:
        _put(desk, record, "generalPractitioner", found)
    elif pd1.field(4).is_null:
        desk.coverage.map(pd1, 4, "Patient.generalPractitioner")
        desk.put(record, "generalPractitioner", None)


def _contacts(desk: Desk, record: Record, kin: list[Segment]) -> None:
    """NK1 are all the contacts that there are; one whose name is ``""`` takes them all away."""
    found = contacts(desk, kin)
    cleared = [segment for segment in kin if segment.field(2).is_null]
    for segment in cleared:
        desk.coverage.map(segment, 2, "Patient.contact")
    if found or cleared:
        _put(desk, record, "contact", found)
