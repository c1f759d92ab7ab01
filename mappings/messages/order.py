"""One order of a message (ORC, OBR, TQ1 and what hangs on them) as a ServiceRequest.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obr-to-servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import order_facts
from mappings.concepts import SNOMED
from mappings.messages.moments import moment_text
from mappings.messages.notes import add_notes
from mappings.messages.numbers import add_accessions, add_numbers, keep_set_id
from mappings.messages.people import people
from mappings.messages.places import studies
from mappings.messages.workspace import refer
from mappings.resources.order_fields import DCM, modality
from mappings.v2types import cwe

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.numbers import Numbers
    from mappings.messages.workspace import Desk
    from storage.record import Record

SET_HERE = ("identifier", "note", "status", "code", "category")
"""Elements that need more than their field."""
LATER = frozenset({"CA", "DC", "HD", "RL", "SC", "RE", "OC", "OD", "OH", "OE", "RP", "RU"})
"""Order controls whose time (ORC-9) is not that of the order."""
CODE_FIELDS = {"RXO": 1, "ODS": 3, "RQD": 3, "RQ1": 2}
"""Where an order that is no observation names what is ordered."""


def service_code(desk: Desk, part: OrderPart) -> dict[str, Any] | None:
    """Return what is ordered: OBR-4, else the code of a pharmacy, diet or supply order; None where nothing
    is named.
    """
    if part.obr is not None:
        found = part.obr.field(4)
        return None if found.is_null else cwe(found.first, desk.context)
    if part.detail is None or part.detail.name not in CODE_FIELDS:
        return None
    return cwe(part.detail.field(CODE_FIELDS[part.detail.name]).first, desk.context)


def same_code(left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    """Tell whether two concepts have a code in common, or the same text where one has no code."""
    pairs = [
        {(coding.get("system"), coding.get("code")) for coding in (concept or {}).get("coding", ())}
        for concept in (left, right)
    ]
    if all(pairs):
        return bool(pairs[0] & pairs[1])
    return (left or {}).get("text") == (right or {}).get("text") and pairs[0] == pairs[1]


def fill_order(desk: Desk, order: Record, part: OrderPart, numbers: Numbers, patient: Record) -> None:
    """Fill an order from its group; what the group does not tell stays as it is."""
    _set_type(desk, order, part)
    _fill(desk, order, part, numbers, patient, only_empty=False)
    add_notes(desk, order, part.notes)


def fill_of_result(desk: Desk, order: Record, part: OrderPart, numbers: Numbers, patient: Record) -> None:
    """Fill an order from the group of a result: a new one whole, of a known one what is empty.

    The notes are the report's; so is the code, where the order has one.
    """
    if desk.is_new(order) and not desk.get(order, "code"):
        _set_type(desk, order, part)
    _fill(desk, order, part, numbers, patient, only_empty=True)


def _fill(
    desk: Desk, order: Record, part: OrderPart, numbers: Numbers, patient: Record, *, only_empty: bool
) -> None:
    desk.own(order, *part.segments)
    if not desk.get(order, "subject"):
        desk.put(order, "subject", refer(patient))
    add_numbers(desk, order, numbers)
    if not only_empty or desk.is_new(order):
        keep_set_id(order, part.obr)
    add_accessions(desk, order, part)
    told = (part.orc, part.obr, *part.timings, *studies(desk, part))
    desk.fill(order, *told, skip=SET_HERE, only_empty=only_empty)
    _modalities(desk, order, part, only_empty=only_empty)
    if not desk.get(order, "intent"):
        desk.put(order, "intent", "order")
    _times(desk, order, part)
    _occurrence(desk, order, part, only_empty=only_empty)
    requester(desk, order, part, only_empty=only_empty)


def _set_type(desk: Desk, order: Record, part: OrderPart) -> None:
    """Set code and category, and by them the type: some elements belong to orders of one type."""
    wanted = ("code",) if _is_known(desk, order, part.obr) else ("code", "category")
    desk.fill(order, part.obr, skip=set_all_but(*wanted))
    detail = part.detail
    if part.obr is None and detail is not None:
        code = service_code(desk, part)
        desk.own(order, detail)
        if code is not None:
            desk.put(order, "code", code)
            desk.coverage.map(detail, CODE_FIELDS[detail.name], "ServiceRequest.code")
        text = f"An order of {detail.name} is kept as an order of type OTHER"
        desk.coverage.warn("0", detail, text=text)
    order_facts.set_order_type(order)
    kind = "IMAGING" if studies(desk, part) else part.kind
    if kind and order.main["order_type"] == "OTHER":
        code, shown = order_facts.CATEGORIES[kind]
        coding = {"system": SNOMED, "code": code, "display": shown}
        desk.add(order, "category", {"coding": [coding]})
        order_facts.set_order_type(order)


def _is_known(desk: Desk, order: Record, obr: Segment | None) -> bool:
    """Tell whether a section (OBR-24) says but the type of an order, which its category has already."""
    kind = order_facts.SECTIONS.get(obr.field(24).first.component(1).strip()) if obr is not None else None
    known = kind and order_facts.CATEGORIES[kind][0]
    listed: list[dict[str, Any]] = desk.get(order, "category") or []
    found = known is not None and any(
        c.get("code") == known for item in listed for c in item.get("coding", ())
    )
    if obr is not None and found:
        desk.coverage.map(obr, 24, "ServiceRequest.category")
    return found


def _modalities(desk: Desk, order: Record, part: OrderPart, *, only_empty: bool) -> None:
    """Add the kinds of imaging that IPC-5 and OBR-24 tell, ours and that of DICOM."""
    places = [(segment, 5) for segment in part.studies if segment.name == "IPC"]
    if part.obr is not None and order.main["order_type"] == "IMAGING":
        places.append((part.obr, 24))
    for segment, number in places:
        made = modality(segment.field(number).first, desk.context)
        if made is None:
            continue
        present: list[dict[str, Any]] = desk.get(order, "orderDetail") or []
        codings = [coding for item in present for coding in item.get("coding", ())]
        known = {coding.get("code") for coding in codings if coding.get("system") == DCM}
        desk.coverage.map(segment, number, "ServiceRequest.orderDetail(modality)")
        if made["coding"][-1]["code"] not in known and not (only_empty and known):
            desk.add(order, "orderDetail", made)


class _AllBut:
    """The elements that are not named."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __contains__(self, name: object) -> bool:
        return name not in self.names


def set_all_but(*names: str) -> _AllBut:
    """Return a container of every element but the named ones."""
    return _AllBut(names)


def _times(desk: Desk, order: Record, part: OrderPart) -> None:
    """Set when it was ordered (ORC-9 of a new order)."""
    orc = part.orc
    authored = moment_text(orc, 9, desk.context) if orc is not None else None
    if orc is None or authored is None or orc.field(1).first.component(1).strip() in LATER:
        return
    desk.coverage.map(orc, 9, "ServiceRequest.authoredOn")
    if not desk.get(order, "authoredOn"):
        desk.put(order, "authoredOn", authored)


def _occurrence(desk: Desk, order: Record, part: OrderPart, *, only_empty: bool) -> None:
    """Set when it is wanted: TQ1-7 and 8, else the TQ of ORC-7 and OBR-27 (start, end) where OBR-6 tells
    nothing.
    """
    places: list[tuple[Segment | None, tuple[int, int], tuple[int, int]]] = [
        (timing, (7, 1), (8, 1)) for timing in part.timings
    ]
    if part.obr is None or part.obr.field(6).is_empty:
        places += [(part.orc, (7, 4), (7, 5)), (part.obr, (27, 4), (27, 5))]
    for segment, start, end in places:
        told = _span(desk, segment, start, end) if segment is not None else None
        if told is not None and only_empty and not desk.is_new(order) and _has_occurrence(desk, order):
            return
        if told is not None and "end" in told:
            desk.put(order, "occurrencePeriod", _began(desk, order) | told)
        elif told is not None:
            desk.put(order, "occurrenceDateTime", told["start"])
        if told is not None:
            return


def _began(desk: Desk, order: Record) -> dict[str, Any]:
    """Return the start of when an order is wanted, which stays where a message tells only the end."""
    period: dict[str, Any] = desk.get(order, "occurrencePeriod") or {}
    start = desk.get(order, "occurrenceDateTime") or period.get("start")
    return {"start": start} if start else {}


def _has_occurrence(desk: Desk, order: Record) -> bool:
    return any(desk.get(order, element) for element in ("occurrenceDateTime", "occurrencePeriod"))


def _span(
    desk: Desk, segment: Segment, start: tuple[int, int], end: tuple[int, int]
) -> dict[str, Any] | None:
    told: dict[str, Any] = {}
    for name, (number, component) in (("start", start), ("end", end)):
        moment = moment_text(segment, number, desk.context, component)
        if moment:
            told[name] = moment
            desk.coverage.map(segment, number, "ServiceRequest.occurrence")
    return told or None


def requester(desk: Desk, order: Record, part: OrderPart, *, only_empty: bool) -> None:
    """Set who ordered (ORC-12, else OBR-16); more than one are kept as they came."""
    found: list[dict[str, Any]] = []
    for segment, number in ((part.orc, 12), (part.obr, 16)):
        told = people(desk, segment, number, "ServiceRequest.requester")
        found += [item for item in told if item not in found]
    present = desk.get(order, "requester")
    if found and present != found[0] and not (only_empty and present):
        desk.put(order, "requester", found[0])
    if len(found) > 1:
        desk.coverage.warn(
            "0", part.head, 12, text="More than one person ordered; the first is kept as requester"
        )
