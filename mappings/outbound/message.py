"""Whole messages: ORM^O01 and OML^O21 of an order, ORR^O02 of its state, ORU^R01 of a result.

HL7 v2.5.1, sections 4.4.1, 4.4.6 and 7.3.1:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mappings import times
from mappings.er7_charsets import codec_of
from mappings.er7_delimiters import DEFAULT
from mappings.outbound import structure
from mappings.outbound.cover import allergy_segments, cover_segments
from mappings.outbound.fit import fit
from mappings.outbound.observation import observation_segments
from mappings.outbound.order import order_segments, section_of_type, specimen_segments
from mappings.outbound.parts import items, part
from mappings.outbound.patient import notes, patient_segments
from mappings.outbound.result import result_segments
from mappings.outbound.sheet import Sheet, components
from mappings.outbound.visit import diagnosis_segments, visit_segments

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.outbound.fill import Piece, Pieces

OF_PATIENT: Final = (("GT1",),)
ALWAYS: Final = frozenset({"MSA", "PID", "PV1", "ORC", "OBR", "OBX", "NTE", "SPM"})
"""Segments that tell something by being there."""
OF_ORDER: Final = ("CTD",), ("FT1",), ("CTI",), ("BLG",)
"""Segments of which a record keeps what came, in the order in which structures have them."""


@dataclass(frozen=True)
class Envelope:
    """What the header of a message says: from whom to whom, its number, time, version and character set."""

    sender: tuple[str, str]
    receiver: tuple[str, str]
    control_id: str
    at: datetime
    version: str
    charset: str = ""
    processing_id: str = "P"
    acks: tuple[str, str] = ("", "")
    """MSH-15 and MSH-16: which acknowledgements are asked for."""


@dataclass(frozen=True)
class Built:
    """A message as text, its type, and what of its structure is wrong (names of segments and fields only)."""

    text: str
    code: str
    event: str
    structure: str
    faults: tuple[str, ...]

    def encoded(self, charset: str) -> bytes:
        """Return its bytes in a character set of table 0211. Raises UnicodeEncodeError."""
        return self.text.encode((codec_of(charset) if charset else None) or "utf-8")


class Replaced(NamedTuple):
    """An order in whose place another one stands, and how that is called (RP, RU)."""

    order: Piece
    control: str


def order_message(
    envelope: Envelope,
    name: str,
    order: Piece,
    control: str,
    pieces: Pieces,
    replaced: Replaced | None = None,
) -> Built:
    """Return ORM_O01 or OML_O21 (``name``) that tells of an order, after the one in whose place it stands.

    Raises NoStructure.
    """
    sheets = _patient(order, pieces)
    if replaced is not None:
        sheets += _order(envelope, name, *replaced, pieces)
    sheets += [*_order(envelope, name, order, control, pieces), *order.others()]
    return _built(envelope, name, sheets)


def status_message(
    envelope: Envelope,
    order: Piece,
    control: str,
    number: str,
    pieces: Pieces,
    replaced: Replaced | None = None,
) -> Built:
    """Return the ORR_O02 that tells whoever placed an order, by the message of that number (MSA-2), where it
    stands. Raises NoStructure.
    """
    patient = pieces.get(part(order.resource, "subject"))
    sheets = [Sheet("MSA", {}, {1: ["AA"], 2: [components(number)]})]
    sheets += patient_segments(patient, pieces)[:1] if patient else []
    told = [*([replaced] if replaced else []), Replaced(order, control)]
    for piece, code in told:
        sheets += order_segments(piece, code, pieces, None)
    return _built(envelope, "ORR_O02", sheets)


def _order(envelope: Envelope, name: str, order: Piece, control: str, pieces: Pieces) -> list[Sheet]:
    """Return the segments of an order, from ORC on."""
    timed = order.sheet("TQ1") if name == "OML_O21" and envelope.version >= "2.5" else None
    orc, obr = order_segments(order, control, pieces, timed)
    if name == "ORM_O01" and not obr.has(24) and 24 not in obr.kept:
        obr.put(24, section_of_type(order.resource))
    visit = pieces.get(part(order.resource, "encounter"))
    specimens = pieces.all(items(order.resource, "specimen"), "Specimen")
    told = specimen_segments(specimens, obr, pieces, old=name == "ORM_O01" or envelope.version < "2.5")
    if timed is not None and timed.fields:
        timed.put(1, "1")
    sheets = [orc, *([timed] if timed else []), obr]
    sheets += notes(order, items(order.resource, "note"), pieces)
    sheets += order.others(*OF_ORDER[0])
    sheets += diagnosis_segments(
        pieces.all(items(order.resource, "reasonReference"), "Condition"), visit, pieces
    )
    found: list[Sheet] = []
    for item in pieces.all(items(order.resource, "supportingInfo"), "Observation"):
        number = 1 + sum(sheet.name == "OBX" for sheet in found)
        found += observation_segments(item, number, pieces)
    return [*sheets, *found, *told, *_rest(order, OF_ORDER[1:])]


def result_message(envelope: Envelope, report: Piece, pieces: Pieces) -> Built:
    """Return the ORU_R01 that tells of a report. Raises NoStructure."""
    orders = pieces.all(items(report.resource, "basedOn"), "ServiceRequest")
    order = orders[0] if orders else None
    sheets = _patient(report, pieces)
    sheets += result_segments(report, order, pieces)
    holders = [report, *([order] if order else [])]
    sheets += [sheet for holder in holders for sheet in (*_rest(holder, OF_ORDER), *holder.others())]
    return _built(envelope, "ORU_R01", sheets)


def _rest(piece: Piece, groups: tuple[tuple[str, ...], ...]) -> list[Sheet]:
    return [sheet for names in groups for sheet in piece.others(*names)]


def _patient(about: Piece, pieces: Pieces) -> list[Sheet]:
    """Return the segments of the patient and the visit that an order or a report is about."""
    patient = pieces.get(part(about.resource, "subject"))
    visit = pieces.get(part(about.resource, "encounter"))
    if patient is None:
        return []
    sheets = patient_segments(patient, pieces)
    if visit is not None:
        sheets += visit_segments(visit, pieces, sheets[0])
    told = [*cover_segments(patient, pieces), *_rest(patient, OF_PATIENT), *allergy_segments(patient, pieces)]
    return [*sheets, *told, *patient.others()]


def _built(envelope: Envelope, name: str, sheets: list[Sheet]) -> Built:
    structure.structure(envelope.version, name)
    code, _, event = name.partition("_")
    told = [sheet for sheet in sheets if says(sheet)]
    for sheet in told:
        fit(sheet, envelope.version)
    names = ["MSH", *(sheet.name for sheet in told)]
    wrong, missing = structure.faults(envelope.version, name, names)
    # What a peer sent out of its place, or what this version has no place for, is not passed on.
    told = [sheet for place, sheet in enumerate(told, 1) if place not in wrong]
    lines = [header(envelope, code, event, name), *(sheet.text for sheet in told)]
    lacking = [f"{part} is missing" for part in missing] + _lacking(told)
    return Built("".join(f"{line}\r" for line in lines), code, event, name, tuple(lacking))


def says(sheet: Sheet) -> bool:
    """Tell whether a segment says more than its own number."""
    fields = {number for number, texts in sheet.fields.items() if any(texts)} - {1}
    return sheet.name in ALWAYS or bool(fields or sheet.kept)


def _lacking(sheets: list[Sheet]) -> list[str]:
    """Return the required fields that are empty."""
    return [
        f"{sheet.name}-{number} is missing"
        for sheet in sheets
        for number in structure.REQUIRED.get(sheet.name, ())
        if not sheet.has(number) and number not in sheet.kept
    ]


def header(envelope: Envelope, code: str, event: str, name: str) -> str:
    """Return MSH; MSH-9 has its third component since 2.3.1."""
    kind = components(code, event, *([name] if envelope.version >= "2.3.1" else []))
    fields = [
        *("MSH", DEFAULT.encoding_characters),
        *(name.replace("|", "") for name in (*envelope.sender, *envelope.receiver)),
        *(times.to_v2(envelope.at.isoformat(timespec="seconds")), "", kind, envelope.control_id),
        *(envelope.processing_id, envelope.version, "", "", *envelope.acks, "", envelope.charset),
    ]
    return "|".join(fields).rstrip("|")
