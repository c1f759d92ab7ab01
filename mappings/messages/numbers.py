"""The numbers of an order or a report: placer, filler, accession; and the records that carry them.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mappings.messages.kept import keep, kept_field
from mappings.messages.places import told_places
from mappings.messages.senders import OWN, is_named_by, is_senders, may_be_senders
from mappings.messages.systems import former_systems, numbered_by, sender_system
from mappings.messages.workspace import refer
from mappings.v2types import ei, identifier_type, typed

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

KINDS = {2: "PLAC", 3: "FILL"}
"""Field of ORC and OBR -> type of table 0203."""
Taken = list[tuple[str, "Record"]]
"""What earlier OBR of a message were about: their set ids, and the records."""


@dataclass
class Numbers:
    """The identifiers of an order, the placer's before the filler's; ``assumed`` are values that came
    without authority.

    ``closing`` tells that the order shall be cancelled, held or released, ``asked`` that the placer asks for
    it: another application's order is not found by a number without authority then.
    """

    identifiers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    assumed: set[str] = field(default_factory=set[str])
    closing: bool = False
    asked: bool = False


def numbers_of(desk: Desk, part: OrderPart, to: str) -> Numbers:
    """Return the numbers of ORC-2 and 3 and of OBR-2 and 3; where both are there and differ, both, with a
    note.
    """
    found = Numbers()
    for number, kind in KINDS.items():
        told: list[dict[str, Any]] = []
        for segment in (part.orc, part.obr):
            made = _read(desk, segment, number, kind, to)
            if segment is None or made is None:
                continue
            if told and told[0]["value"] != made["value"]:
                text = f"OBR-{number} differs from ORC-{number}; both are kept"
                desk.coverage.warn("0", segment, number, text=text)
            told = _merge(told, made)
        found.assumed |= {item["value"] for item in told if "system" not in item}
        found.identifiers += [numbered_by(desk, item) for item in told]
    return found


def _read(desk: Desk, segment: Segment | None, number: int, kind: str, to: str) -> dict[str, Any] | None:
    if segment is None or segment.field(number).is_null:
        return None
    made: dict[str, Any] | None = typed(ei, kind)(segment.field(number).first, desk.context)
    if made:
        desk.coverage.map(segment, number, to)
    return made


def _merge(told: list[dict[str, Any]], made: dict[str, Any]) -> list[dict[str, Any]]:
    """Add a number, unless it is there; the spelling with an authority wins."""
    same = [item for item in told if item["value"] == made["value"]]
    if any("system" not in made or item.get("system") == made["system"] for item in same):
        return told
    return [*(item for item in told if item not in same or "system" in item), made]


def carriers(desk: Desk, resource_type: str, numbers: Numbers, patient: Record) -> list[Record]:
    """Return the orders or reports of a patient that carry any of the numbers, the placer's number first.

    A number without an authority is also found under another sender's name, of the same patient, and one
    with an authority under the sender's own, where it came without before. One of another patient's is
    warned about (205): nothing of this patient is ever put with it.
    """
    found: list[Record] = []
    for identifier in numbers.identifiers:
        exact = desk.identified(resource_type, identifier["system"], identifier["value"])
        numbered = [record for record in exact if has_number(desk, record, identifier)]
        records = [record for record in numbered if _is_about(desk, record, patient)]
        if len(records) < len(numbered):
            _warn_of_another(desk)
        records = [record for record in records if _may_close(desk, record, identifier, numbers)]
        if not records:
            wide = _elsewhere(desk, resource_type, identifier, numbers)
            records = [
                item for item in wide if has_number(desk, item, identifier) and _is_about(desk, item, patient)
            ]
        found += [record for record in records if not any(record is known for known in found)]
    return found


def _may_close(desk: Desk, record: Record, identifier: dict[str, Any], numbers: Numbers) -> bool:
    """Tell whether the sender may ask to close an order that it names by the placer's number alone.

    Two applications of one facility may give the same number; the filler's own facts are believed.
    """
    alone = identifier["value"] in numbers.assumed and identifier["type"] == identifier_type("PLAC")
    return not (numbers.asked and alone) or may_be_senders(desk, record)


def _elsewhere(desk: Desk, resource_type: str, identifier: dict[str, Any], numbers: Numbers) -> list[Record]:
    """Return what carries a number's value under another system that may be meant."""
    value = identifier["value"]
    if value in numbers.assumed:
        wide = desk.numbered(resource_type, value)
        return [item for item in wide if not numbers.closing or is_senders(desk, item, value)]
    names = (sender_system(desk.message, desk.peer.authorities), sender_system(desk.message))
    return [
        item
        for own in dict.fromkeys(names)
        if own != identifier["system"]
        for item in desk.identified_too(resource_type, own, value)
        if may_be_senders(desk, item) or is_named_by(item, identifier["system"])
    ]


def _is_about(desk: Desk, record: Record, patient: Record) -> bool:
    return desk.get(record, "subject") in (None, refer(patient))


def _warn_of_another(desk: Desk) -> None:
    pid = desk.message.first("PID")
    warned = any(fault.code == "205" and fault.segment == "PID" for fault in desk.coverage.warned)
    if pid is not None and not warned:
        text = "An order number is also that of another patient's order; this one is kept apart from it"
        desk.coverage.warn("205", pid, 3, text=text)


def has_number(desk: Desk, record: Record, identifier: dict[str, Any]) -> bool:
    """Tell whether a record has the number as one of that kind: a placer's number is no filler's."""
    return any(
        item.get("value") == identifier["value"]
        and (item.get("system") in OWN or item.get("type") in (None, identifier["type"]))
        for item in desk.get(record, "identifier") or ()
    )


def fitting(desk: Desk, found: list[Record], numbers: Numbers) -> list[Record]:
    """Return the records that have no other number of a kind that is told: they have one of those, or none.

    Letter case and authority, which senders spell now so and now so, make no other number.
    """
    return [record for record in found if False not in _agreement(desk, record, numbers)]


def _agreement(desk: Desk, record: Record, numbers: Numbers) -> list[bool | None]:
    """Tell kind by kind whether a record has a number that is told; None where one side alone has any."""
    listed: list[dict[str, Any]] = desk.get(record, "identifier") or []
    return [_agrees(listed, numbers, identifier_type(kind)) for kind in KINDS.values()]


def _agrees(listed: list[dict[str, Any]], numbers: Numbers, kind: dict[str, Any]) -> bool | None:
    told = {_plain(item) for item in numbers.identifiers if item["type"] == kind}
    ours = {_plain(item) for item in listed if item.get("type") is None or item.get("system") in OWN}
    mine = {_plain(item) for item in listed if item.get("type") == kind and item.get("system") not in OWN}
    if told & (ours | mine):
        return True
    return (False if mine else None) if told else (None if mine else True)


def _plain(identifier: dict[str, Any]) -> str:
    return str(identifier.get("value", "")).strip().casefold()


def choose(
    desk: Desk, coded: list[Record], numbers: Numbers, obr: Segment | None, taken: Taken
) -> Record | None:
    """Return the record that an OBR is about, of those that carry a number and its code: the one that an
    earlier OBR of the message with its set id was about, else the only one with its set id, else the only.

    One with another placer's or filler's number is not meant; of several those with the very numbers count.
    """
    told, found = set_id(obr), fitting(desk, coded, numbers)
    earlier = [record for other, record in taken if other == told and _is_in(record, found)]
    if earlier:
        return earlier[0]
    free = [record for record in found if not any(record is other for _, other in taken)]
    numbered = [record for record in free if told and kept_field(record, "OBR", 1) == told]
    for listed in (numbered, found if free or not told else []):
        exact = [record for record in listed if all(_agreement(desk, record, numbers))]
        if len(exact or listed) == 1:
            return (exact or listed)[0]
    return None


def set_id(obr: Segment | None) -> str:
    """Return OBR-1, empty where there is none."""
    return obr.field(1).text.strip() if obr is not None else ""


def _is_in(record: Record, found: list[Record]) -> bool:
    return any(record is other for other in found)


def keep_set_id(record: Record, obr: Segment | None) -> None:
    """Keep OBR-1: by it several OBR with the same numbers and code are told apart."""
    if obr is not None and set_id(obr):
        keep(record, obr, 1, {"1": set_id(obr)})


def add_numbers(desk: Desk, record: Record, numbers: Numbers) -> None:
    """Add the numbers that a record has not yet, under whatever system."""
    for identifier in numbers.identifiers:
        assumed = identifier["value"] in numbers.assumed and has_number(desk, record, identifier)
        known = any(
            (item.get("system"), item.get("value")) == (identifier["system"], identifier["value"])
            for item in desk.get(record, "identifier") or ()
        )
        if not assumed and not known:
            desk.add(record, "identifier", identifier)


def add_accessions(desk: Desk, order: Record, part: OrderPart) -> None:
    """Add the accession numbers: those of the field that the sender is known to use; IPC-1; else OBR-20 where
    it says so (HNA_ACCN), OBR-18 of an imaging order, after IHE.
    """
    obr = part.obr
    found: list[dict[str, Any]] = [
        item
        for segment, number in told_places(desk.peer.accession_field, part)
        for item in _accessions(desk, segment, number)
    ]
    for segment in part.studies:
        if segment.name == "IPC":
            found += _accessions(desk, segment, 1)
    if obr is not None and not desk.peer.accession_field:
        found += _accessions(desk, obr, 20, "HNA_ACCN")
        if order.main["order_type"] == "IMAGING" and obr.field(18).first.count == 1:
            found += _accessions(desk, obr, 18)
    known = {(item.get("system"), item.get("value")) for item in desk.get(order, "identifier") or ()}
    desk.add(order, "identifier", *(item for item in found if not known & _spellings(desk, item)))


def _spellings(desk: Desk, number: dict[str, Any]) -> set[tuple[str | None, str | None]]:
    """Return under what systems an accession number may be kept: its own, and those before the peer declared
    that.
    """
    former = former_systems(desk, number["system"])
    systems = (number["system"], *former, *(f"{system}:accession" for system in former))
    return {(system, number["value"]) for system in systems}


def _accessions(desk: Desk, segment: Segment, number: int, authority: str = "") -> list[dict[str, Any]]:
    field_found = segment.field(number)
    if field_found.is_empty or field_found.is_null:
        return []
    name = sender_system(desk.message)
    declared = sender_system(desk.message, desk.peer.authorities)
    own = declared if declared != name else f"{name}:accession"
    made = [
        typed(ei, "ACSN")(repetition, desk.context)
        for repetition in field_found.repetitions
        if not authority or repetition.component(2) == authority
    ]
    found = [item if "system" in item else {**item, "system": own} for item in made if item]
    if found:
        desk.coverage.map(segment, number, "ServiceRequest.identifier(ACSN)")
    return found
