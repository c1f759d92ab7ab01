"""How the segments of a document message (MDM) group: patient, orders, document.

HL7 v2.5.1, section 9.5 (MDM_T01, MDM_T02): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.groups import Noted, OrderPart, PatientPart
from mappings.messages.kept import HEADERS

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage


@dataclass
class MdmPart:
    """One document with the patient and the orders that it is about."""

    patient: PatientPart
    txa: Segment
    observations: list[Noted] = field(default_factory=list[Noted])
    others: list[Segment] = field(default_factory=list["Segment"])

    @property
    def segments(self) -> list[Segment]:
        """The segments that are about the document itself."""
        noted = [segment for item in self.observations for segment in (item.segment, *item.notes)]
        return [self.txa, *noted, *self.others]


def group_mdm(message: Message, coverage: Coverage) -> MdmPart:
    """Return the document of a message; raises MessageRefused (100) where PID or TXA is missing.

    What stands before PID is put where it belongs, with a warning (100).
    """
    pid, txa = message.first("PID"), message.first("TXA")
    if pid is None or txa is None:
        name = "PID" if pid is None else "TXA"
        raise MessageRefused("100", name, text=f"The message has no {name}")
    grouping = _Grouping(MdmPart(PatientPart(pid), txa))
    for segment in message.segments:
        if segment.name in HEADERS or segment is pid:
            continue
        if segment.index < pid.index:
            coverage.warn("100", segment, text=f"{segment.name} stands before PID")
        grouping.take(segment)
    return grouping.part


class _Grouping:
    """Where the next segment goes."""

    def __init__(self, part: MdmPart) -> None:
        self.part = part
        self.notes = part.patient.notes

    def take(self, segment: Segment) -> None:
        """Put a segment where it belongs."""
        part, orders = self.part, self.part.patient.orders
        if segment.name == "NTE":
            self.notes.append(segment)
        elif segment.name == "OBX":
            part.observations.append(Noted(segment))
            self.notes = part.observations[-1].notes
        elif segment is part.txa:
            self.notes = part.others
        elif segment.name in ("ORC", "OBR"):
            self._order(segment, orders)
        elif segment.name == "TQ1" and orders:
            orders[-1].timings.append(segment)
        elif segment.name in ("CON", "TXA") or not self._about_patient(part.patient, segment):
            part.others.append(segment)
            self.notes = part.others

    def _order(self, segment: Segment, orders: list[OrderPart]) -> None:
        if segment.name == "ORC" or not orders or orders[-1].obr is not None:
            orders.append(OrderPart(len(orders) + 1, segment))
        if segment.name == "ORC":
            orders[-1].orc = segment
        else:
            orders[-1].obr = segment
        self.notes = orders[-1].notes

    def _about_patient(self, about: PatientPart, segment: Segment) -> bool:
        if segment.name == "DG1":
            about.diagnoses.append(segment)
        elif segment.name == "NK1":
            about.kin.append(segment)
        elif not (about.takes_first(segment) or about.takes(segment)):
            return False
        self.notes = about.notes if segment.name.startswith("PD") else about.others
        return True
