"""IN1 (with IN2 and IN3) as Coverage: found again among the patient's by policy and plan.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-in1-to-coverage.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import times
from mappings.messages.reading import read_line, read_number
from mappings.messages.workspace import refer
from mappings.resources.coverage import CLASS, COVERAGE
from mappings.v2insurance import CLASS as CLASS_SYSTEM
from mappings.v2types import V2_TABLE, compact, cx

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Repetition, Segment
    from mappings.messages.groups import Followed
    from mappings.messages.workspace import Desk
    from storage.record import Record

GROUP = {"coding": [{"system": CLASS_SYSTEM, "code": "group"}]}
CLASSES = f"{V2_TABLE}0064"
"""The system of financial classes."""
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


def financial_classes(desk: Desk, pv1: Segment | None, patient: Record) -> None:
    """Make each financial class of a visit (PV1-20) the type of a Coverage: one that the patient has
    with that code, else a new one.
    """
    if pv1 is None or pv1.field(20).is_empty or pv1.field(20).is_null or desk.coverage.is_aside(pv1, 20):
        return
    here = [item.record for item in desk.written if item.record.resource["resource_type"] == "Coverage"]
    known = desk.workspace.referring("Coverage", "beneficiary", patient.resource["id"])
    present = [*here, *(item for item in known if not any(item is mine for mine in here))]
    present = [item for item in present if desk.get(item, "beneficiary") == refer(patient)]
    for repetition in pv1.field(20).repetitions:
        code = repetition.component(1).strip()
        if not code:
            continue
        desk.coverage.map(pv1, 20, "Coverage.type")
        record = next((item for item in present if code in _types(desk, item)), None)
        if record is None:
            record = desk.make("Coverage", "PV1")
            present.append(record)
            told = {
                "beneficiary": refer(patient),
                "status": "active",
                "payor": [NO_PAYOR],
                "type": {"coding": [{"system": CLASSES, "code": code}]},
            }
            for element, value in told.items():
                desk.put(record, element, value)
        _begins(desk, record, pv1, repetition)


def _types(desk: Desk, record: Record) -> set[str]:
    kind: dict[str, Any] = desk.get(record, "type") or {}
    return {coding.get("code", "") for coding in kind.get("coding", ())}


def _begins(desk: Desk, record: Record, pv1: Segment, repetition: Repetition) -> None:
    """Set from when a financial class counts (FC-2), where the cover tells no time yet."""
    text = repetition.component(2).strip()
    if not text:
        return
    try:
        start = times.from_v2(text, desk.context.zone)
    except ValueError:
        desk.coverage.warn("102", pv1, 20, 2, text="PV1-20 is not of its type")
        return
    if not desk.get(record, "period"):
        desk.put(desk.meet(record, "PV1"), "period", {"start": start})


def _find(desk: Desk, in1: Segment, free: list[Record]) -> Record | None:
    told = _keys_told(desk, in1)
    if any(told):
        return next((record for record in free if _agree(told, _keys_of(desk, record))), None)
    place, subscriber = in1.field(1).text.strip(), _subscriber(in1)
    same = (record for record in free if place and str(desk.get(record, "order")) == place)
    of_same = (record for record in free if subscriber and desk.get(record, "subscriberId") == subscriber)
    return next(same, None) or next(of_same, None)


def _subscriber(in1: Segment) -> str:
    """Return the number of the insured (IN1-49, IN1-10)."""
    return in1.field(49).first.component(1).strip() or in1.field(10).first.component(1).strip()


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
    number = None if in1.field(3).is_null else read_number(cx, in1.field(3).first, in1, 3, desk)
    identifier = {key: number[key] for key in ("system", "value") if key in number} if number else None
    name = "" if in1.field(4).is_null else in1.field(4).first.component(1).strip()
    for place, told in ((3, identifier), (4, name)):
        if told:
            desk.coverage.map(in1, place, "Coverage.payor")
    plan = in1.field(2).first
    shown = name or ("" if identifier else (plan.component(2) or plan.component(1)).strip())
    return compact(identifier=identifier, display=shown)
