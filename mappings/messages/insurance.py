"""IN1 (with IN2 and IN3) as Coverage: found again among the patient's by policy and plan.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-in1-to-coverage.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.reading import read_line
from mappings.messages.workspace import refer
from mappings.resources.coverage import CLASS, COVERAGE
from mappings.v2insurance import CLASS as CLASS_SYSTEM
from mappings.v2types import compact, cx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.groups import Followed
    from mappings.messages.workspace import Desk
    from storage.record import Record

GROUP = {"coding": [{"system": CLASS_SYSTEM, "code": "group"}]}
NO_PAYOR = {"display": "Not told"}
"""Coverage.payor is required; a sender may leave out who pays."""
Keys = tuple[frozenset[str], frozenset[str]]
"""The numbers of a cover: of its policy, of its plan."""


def covers(desk: Desk, parts: Iterable[Followed], patient: Record) -> None:
    """Make each IN1 a Coverage of the patient; IN2 and IN3 are kept with it."""
    present: list[Record] | None = None
    taken: list[Record] = []
    for part in parts:
        if present is None:
            present = desk.workspace.referring("Coverage", "beneficiary", patient.resource["id"])
        free = [record for record in present if not any(record is other for other in taken)]
        record = _find(desk, part.segment, free)
        record = desk.meet(record, "IN1") if record else desk.make("Coverage", "IN1")
        taken.append(record)
        _fill(desk, record, part, patient)


def _find(desk: Desk, in1: Segment, free: list[Record]) -> Record | None:
    told = _keys_told(desk, in1)
    if any(told):
        return next((record for record in free if _agree(told, _keys_of(desk, record))), None)
    place = in1.field(1).text.strip()
    return next((record for record in free if place and str(desk.get(record, "order")) == place), None)


def _keys_told(desk: Desk, in1: Segment) -> Keys:
    line = COVERAGE.by_element["identifier"]
    readings = read_line(line, line.v2, [in1], desk.context, desk.coverage)
    found = {
        reading.number: frozenset(str(value["value"]) for value in reading.values) for reading in readings
    }
    return found.get(36, frozenset()), found.get(2, frozenset())


def _keys_of(desk: Desk, record: Record) -> Keys:
    policies: set[str] = set()
    plans: set[str] = set()
    for item in desk.get(record, "identifier") or ():
        codes = {coding.get("code") for coding in item.get("type", {}).get("coding", ())}
        (policies if "MB" in codes else plans).add(str(item.get("value")))
    return frozenset(policies), frozenset(plans)


def _agree(told: Keys, present: Keys) -> bool:
    """Tell whether numbers are of one cover: none contradicts, and at least one is the same."""
    pairs = [(one, other) for one, other in zip(told, present, strict=True) if one and other]
    return bool(pairs) and all(one & other for one, other in pairs)


def _fill(desk: Desk, record: Record, part: Followed, patient: Record) -> None:
    in1 = part.segment
    desk.own(record, in1, *part.others)
    desk.put(record, "beneficiary", refer(patient))
    if not desk.get(record, "status"):
        desk.put(record, "status", "active")
    desk.fill(record, in1)
    _group(desk, record, in1)
    payor = _payor(desk, in1)
    if payor:
        desk.put(record, "payor", [payor])
    elif not desk.get(record, "payor"):
        desk.put(record, "payor", [NO_PAYOR])


def _group(desk: Desk, record: Record, in1: Segment) -> None:
    told = desk.value(CLASS, in1)
    if not told:
        return
    item = {"type": GROUP, "value": told.get("value", told.get("name"))} | told
    others = [found for found in desk.get(record, "class") or () if found.get("type") != GROUP]
    desk.put(record, "class", [*others, item])


def _payor(desk: Desk, in1: Segment) -> dict[str, Any] | None:
    """Return a Reference to who pays: the company's number (IN1-3) and name (IN1-4), else the plan's name."""
    number = None if in1.field(3).is_null else cx(in1.field(3).first, desk.context)
    identifier = {key: number[key] for key in ("system", "value") if key in number} if number else None
    name = "" if in1.field(4).is_null else in1.field(4).first.component(1).strip()
    for place, told in ((3, identifier), (4, name)):
        if told:
            desk.coverage.map(in1, place, "Coverage.payor")
    plan = in1.field(2).first
    shown = name or ("" if identifier else (plan.component(2) or plan.component(1)).strip())
    return compact(identifier=identifier, display=shown)
