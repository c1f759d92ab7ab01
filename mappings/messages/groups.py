"""How the segments of an order or a result message group: patients, orders, observations, specimens.

HL7 v2.5.1, sections 4.4.1 (ORM^O01) and 7.3.1 (ORU^R01):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.kept import HEADERS

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage

DETAILS = frozenset({"RXO", "ODS", "ODT", "RQD", "RQ1"})
"""What is ordered, where it is no observation (OBR)."""
OF_PATIENT = frozenset({"PID", "PD1", "NK1", "PV1", "PV2", "IN1", "IN2", "IN3", "GT1", "AL1", "ARV"})


@dataclass
class Noted:
    """A segment and the notes (NTE) after it."""

    segment: Segment
    notes: list[Segment] = field(default_factory=list["Segment"])


@dataclass
class SpecimenPart:
    """A specimen (SPM) and the observations about it."""

    segment: Segment
    observations: list[Noted] = field(default_factory=list[Noted])
    others: list[Segment] = field(default_factory=list["Segment"])


@dataclass
class OrderPart:
    """One order or report: ORC, what is ordered, and all that follows until the next one."""

    number: int
    head: Segment
    """The segment that began the group."""
    orc: Segment | None = None
    obr: Segment | None = None
    detail: Segment | None = None
    notes: list[Segment] = field(default_factory=list["Segment"])
    timings: list[Segment] = field(default_factory=list["Segment"])
    diagnoses: list[Segment] = field(default_factory=list["Segment"])
    studies: list[Segment] = field(default_factory=list["Segment"])
    observations: list[Noted] = field(default_factory=list[Noted])
    specimens: list[SpecimenPart] = field(default_factory=list[SpecimenPart])
    others: list[Segment] = field(default_factory=list["Segment"])

    @property
    def path(self) -> str:
        """The name of the group among those of its message."""
        return f"ORDER[{self.number}]"

    @property
    def segments(self) -> list[Segment]:
        """The segments that are about the order itself."""
        found = [self.orc, self.obr, self.detail, *self.notes, *self.timings, *self.studies, *self.others]
        return [segment for segment in found if segment is not None]


@dataclass
class PatientPart:
    """One patient and the orders or reports on them."""

    pid: Segment
    pd1: Segment | None = None
    pv1: Segment | None = None
    pv2: Segment | None = None
    notes: list[Segment] = field(default_factory=list["Segment"])
    kin: list[Segment] = field(default_factory=list["Segment"])
    diagnoses: list[Segment] = field(default_factory=list["Segment"])
    observations: list[Noted] = field(default_factory=list[Noted])
    others: list[Segment] = field(default_factory=list["Segment"])
    orders: list[OrderPart] = field(default_factory=list[OrderPart])


def group(message: Message, coverage: Coverage) -> list[PatientPart]:
    """Return the patients of a message with their orders, in order.

    Segments out of their order are put where they belong, with a warning (100). Raises MessageRefused
    (100) where there is no PID, or a patient without ORC and OBR.
    """
    if message.first("PID") is None:
        raise MessageRefused("100", "PID", text="The message has no PID")
    grouping = _Grouping(coverage)
    for segment in message.segments:
        if segment.name not in HEADERS:
            grouping.take(segment)
    for part in grouping.parts:
        if not part.orders:
            raise MessageRefused("100", "OBR", text="The message has no ORC and no OBR")
    return grouping.parts


class _Grouping:
    """Where the next segment goes."""

    def __init__(self, coverage: Coverage) -> None:
        self.coverage = coverage
        self.parts: list[PatientPart] = []
        self.early: list[Segment] = []
        self.order: OrderPart | None = None
        self.specimen: SpecimenPart | None = None
        self.notes: list[Segment] = []
        self.count = 0

    def take(self, segment: Segment) -> None:
        """Put a segment where it belongs."""
        if segment.name == "PID":
            self._patient(segment)
        elif not self.parts:
            self.coverage.warn("100", segment, text=f"{segment.name} stands before PID")
            self.early.append(segment)
        elif segment.name in OF_PATIENT:
            self._about_patient(self.parts[-1], segment)
        elif segment.name == "ORC" or segment.name in DETAILS or segment.name == "OBR":
            self._order(segment)
        elif segment.name == "NTE":
            self.notes.append(segment)
        elif segment.name == "OBX":
            self._observation(segment)
        elif self.order is None:
            part = self.parts[-1]
            (part.diagnoses if segment.name == "DG1" else part.others).append(segment)
        else:
            self._about_order(self.order, segment)

    def _patient(self, segment: Segment) -> None:
        part = PatientPart(segment)
        self.parts.append(part)
        self.order = self.specimen = None
        self.notes = part.notes
        early, self.early = self.early, []
        for earlier in early:
            self.take(earlier)

    def _about_patient(self, part: PatientPart, segment: Segment) -> None:
        if self.order is not None and segment.name in ("PD1", "NK1", "PV1", "PV2"):
            self.coverage.warn("100", segment, text=f"{segment.name} stands after an order")
        self.notes = part.notes
        if segment.name == "NK1":
            part.kin.append(segment)
            self.notes = part.others
        elif segment.name == "PD1" and part.pd1 is None:
            part.pd1 = segment
        elif segment.name == "PV1" and part.pv1 is None:
            part.pv1 = segment
        elif segment.name == "PV2" and part.pv2 is None:
            part.pv2 = segment
        else:
            part.others.append(segment)
            self.notes = part.others

    def _order(self, segment: Segment) -> None:
        order = self.order
        opens = segment.name == "ORC" or order is None or order.obr is not None or order.detail is not None
        if opens or order is None:
            self.count += 1
            order = self.order = OrderPart(self.count, segment)
            self.parts[-1].orders.append(order)
        if segment.name == "ORC":
            order.orc = segment
        elif segment.name == "OBR":
            order.obr = segment
        else:
            order.detail = segment
        self.specimen = None
        self.notes = order.notes

    def _observation(self, segment: Segment) -> None:
        noted = Noted(segment)
        holder = self.specimen or self.order or self.parts[-1]
        holder.observations.append(noted)
        self.notes = noted.notes

    def _about_order(self, order: OrderPart, segment: Segment) -> None:
        if segment.name == "SPM":
            self.specimen = SpecimenPart(segment)
            order.specimens.append(self.specimen)
            self.notes = self.specimen.others
            return
        holders = {"TQ1": order.timings, "DG1": order.diagnoses, "ZDS": order.studies, "IPC": order.studies}
        if segment.name in holders:
            holders[segment.name].append(segment)
            self.notes = order.notes
        elif self.specimen is not None and segment.name in ("SAC", "INV"):
            self.specimen.others.append(segment)
        else:
            order.others.append(segment)
