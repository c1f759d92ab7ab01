"""ORC, OBR, TQ1 and what hangs on them from a ServiceRequest.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obr-to-servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.order import LATER
from mappings.messages.senders import OWN
from mappings.order_facts import ACCESSION_NUMBER, CATEGORIES, ORDER_NUMBER, SECTIONS
from mappings.outbound.fill import fill
from mappings.outbound.parts import EMPTY, Value, code_in, codings, items, part, text
from mappings.outbound.people import people
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.ways import authority, moment, type_code
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.resources.specimen import CONTAINER, SPECIMEN
from mappings.v2types import V2_TABLE, system_named

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces

SET_HERE = ("identifier", "category", "note", "requisition")
STATUS = {"scheduled": "SC", "in_progress": "IP", "completed": "CM", "reported": "CM", "cancelled": "CA"}
"""Our workflow -> table 0038; what is only ordered has no status yet."""
FHIR_STATUS = {"on-hold": "HD", "revoked": "CA", "completed": "CM", "entered-in-error": "ER"}
"""ServiceRequest.status -> table 0038, where it says more than the workflow."""
IMAGING = CATEGORIES["IMAGING"][0]
RESULT = "RE"
WITHDRAWN = ("ORC-7", "OBR-5", "OBR-27")
"""Timing of old, which 2.7 has no more: TQ1 tells it."""


def order_segments(piece: Piece, control: str, pieces: Pieces, timed: Sheet | None) -> tuple[Sheet, Sheet]:
    """Return ORC and OBR of an order; ``timed`` is its TQ1 where the message has one."""
    resource, version = piece.resource, pieces.context.version
    orc, obr = piece.sheet("ORC"), piece.sheet("OBR")
    orc.put(1, control)
    set_numbers(orc, obr, resource, pieces)
    set_status(orc, resource)
    leave = ("OBR-44", *(WITHDRAWN if version >= "2.7" else ()))
    sheets = [orc, obr, *([timed] if timed else [])]
    fill(sheets, SERVICE_REQUEST, resource, pieces.context, skip=SET_HERE, leave=leave)
    obr.put(24, section(resource))
    _times(orc, obr, timed, resource, old=version < "2.7")
    if control in LATER:
        _set_when(orc, resource, control)
    asked_by = part(resource, "requester")
    for sheet, number in ((orc, 12), (obr, 16)):
        sheet.put(number, *people(pieces, [asked_by] if asked_by else []))
    if resource.get("requisition"):
        orc.put(4, entity(part(resource, "requisition"), pieces))
    _parents(orc, obr, resource, pieces)
    _accession(obr, resource, pieces)
    obr.put(1, obr.kept.get(1, "1"))
    return orc, obr


def set_status(orc: Sheet, resource: Value) -> None:
    """Set ORC-5 from the status of an order."""
    orc.drop(5)
    workflow = text(extension(resource, "order-workflow", "status"), "valueCode")
    orc.put(5, FHIR_STATUS.get(text(resource, "status")) or STATUS.get(workflow, ""))


def extension(resource: Value, *names: str) -> Value:
    """Return an extension of ours within others, by the ends of their URLs; empty where there is none."""
    at = resource
    for name in names:
        listed = items(at, "extension")
        at = next((item for item in listed if text(item, "url").rpartition("/")[2] == name), EMPTY)
    return at


def numbers(resource: Value, kind: str, own: str) -> list[Value]:
    """Return the identifiers of a kind (PLAC, FILL); none there: the number that we gave (``own``)."""
    listed = items(resource, "identifier")
    found = [item for item in listed if type_code(item) == kind and item.get("system") not in OWN]
    return found or [item for item in listed if item.get("system") == own]


def entity(item: Value, pieces: Pieces) -> str:
    """Return an identifier as an EI; a number of ours is of the gateway by the name that the peer has for it,
    since every gateway counts alike.
    """
    if item.get("system") in OWN and pieces.context.house:
        return components(text(item, "value"), pieces.context.house)
    return components(text(item, "value"), *authority(item.get("system"), pieces.context))


def set_numbers(orc: Sheet, obr: Sheet, resource: Value, pieces: Pieces, *, own_filler: str = "") -> None:
    """Set placer and filler number in ORC and OBR; a second one of a kind stands in OBR."""
    for number, kind, own in ((2, "PLAC", ORDER_NUMBER), (3, "FILL", own_filler)):
        found = [entity(item, pieces) for item in numbers(resource, kind, own)]
        if found:
            orc.put(number, found[0])
            obr.put(number, found[-1] if len(found) == 2 else found[0])


def section(resource: Value) -> str:
    """Return OBR-24: the category that is a code of table 0074."""
    return code_in(items(resource, "category"), f"{V2_TABLE}0074")


def section_of_type(resource: Value) -> str:
    """Return the section of the type of an order, which OML tells by its name and ORM does not."""
    kinds = {item.get("code") for item in codings(items(resource, "category"))}
    return next((told for told, kind in SECTIONS.items() if CATEGORIES[kind][0] in kinds), "")


def _set_when(orc: Sheet, resource: Value, control: str) -> None:
    """Set the time of what a message tells (ORC-9): when the order was performed or cancelled, not when it
    was ordered. Of a result OBR-22 tells it.
    """
    orc.fields.pop(9, None)
    if control != RESULT:
        orc.drop(9)
        name = {"completed": "performedAt", "revoked": "cancelledAt"}.get(text(resource, "status"), "")
        orc.put(9, moment(extension(resource, "order-workflow", name).get("valueDateTime")))


def _times(orc: Sheet, obr: Sheet, timed: Sheet | None, resource: Value, *, old: bool) -> None:
    """Set when it was ordered, and when it is wanted: TQ1-7 and 8, or the TQ of old."""
    orc.put(9, moment(resource.get("authoredOn")))
    period = part(resource, "occurrencePeriod")
    start = moment(period.get("start") or resource.get("occurrenceDateTime"))
    end = moment(period.get("end"))
    if timed is not None:
        timed.put(7, start)
        timed.put(8, end)
    if old and (start or end):
        orc.lay(7, components("", "", "", start, end))
        obr.lay(27, components("", "", "", start, end))


def _parents(orc: Sheet, obr: Sheet, resource: Value, pieces: Pieces) -> None:
    """Set ORC-8 and OBR-29 from the order that this one is based on: its placer and filler number."""
    for reference in items(resource, "basedOn"):
        parent = pieces.get(reference)
        told: Value = {"identifier": [part(reference, "identifier")]}
        found = pair(parent.resource if parent else told, pieces, ORDER_NUMBER)
        if found:
            orc.put(8, found)
            obr.put(29, found)
            return


def pair(resource: Value, pieces: Pieces, own_placer: str = "") -> str:
    """Return placer's and filler's number as an EIP."""
    found = [numbers(resource, kind, own) for kind, own in (("PLAC", own_placer), ("FILL", ""))]
    halves = [entity(half[0], pieces).replace("^", "&") if half else "" for half in found]
    return "^".join(halves).rstrip("^")


def _untold(resource: Value, pieces: Pieces) -> str:
    """Return the first number of a specimen, of which nobody says whose it is, as the placer's."""
    return next((entity(item, pieces).replace("^", "&") for item in items(resource, "identifier")), "")


def _accession(obr: Sheet, resource: Value, pieces: Pieces) -> None:
    """Set the accession number: OBR-20 where it came there (HNA_ACCN), else OBR-18 of an imaging order."""
    listed = items(resource, "identifier")
    found = [item for item in listed if type_code(item) == "ACSN" and item.get("system") not in OWN]
    for item in found:
        name, bare = text(item, "system"), components(text(item, "value"))
        if name == system_named("HNA_ACCN"):
            obr.add(20, entity(item, pieces))
        elif not obr.has(18) and is_imaging(resource):
            obr.put(18, bare if name.endswith(":accession") else entity(item, pieces))
    ours = next((item for item in listed if item.get("system") == ACCESSION_NUMBER), None)
    if ours and not found and is_imaging(resource) and 18 not in obr.kept:
        obr.put(18, components(text(ours, "value")))


def is_imaging(resource: Value) -> bool:
    """Tell whether an order is of imaging, by its category."""
    return any(item.get("code") == IMAGING for item in codings(items(resource, "category")))


def specimen_segments(specimens: list[Piece], obr: Sheet, pieces: Pieces, *, old: bool) -> list[Sheet]:
    """Return an SPM for each specimen; old versions have none, and the first one fills fields of OBR."""
    found: list[Sheet] = []
    for count, piece in enumerate(specimens, 1):
        sheet = Sheet("OBR") if old else piece.sheet("SPM")
        fill([sheet], SPECIMEN, piece.resource, pieces.context, skip=("identifier",))
        if old:
            for number, texts in sheet.fields.items():
                if not obr.has(number):
                    obr.put(number, *texts)
                elif number == 15:
                    obr.lay(15, texts[0])
            break
        sheet.put(1, str(count))
        sheet.put(2, pair(piece.resource, pieces) or _untold(piece.resource, pieces))
        for container in items(piece.resource, "container")[:1]:
            fill([sheet], CONTAINER, container, pieces.context)
        found.append(sheet)
    return found
