"""How the segments of a scheduling message (SIU) group: appointment, patients, what is booked.

HL7 v2.5.1, section 10.4 (SIU_S12): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.groups import Noted, PatientPart
from mappings.messages.kept import HEADERS

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage

BOOKABLE = frozenset({"AIS", "AIG", "AIL", "AIP"})
"""A service, equipment, a place, a person."""


@dataclass
class Booked(Noted):
    """Something that is booked, its notes, what is done with it (table 0206: A, D, U, X; empty), and the
    group (RGS) in which it stands, counted from 1.
    """

    action: str = ""
    group: int = 0


@dataclass
class SiuPart:
    """One appointment with all that is told of it."""

    sch: Segment
    timings: list[Segment] = field(default_factory=list["Segment"])
    notes: list[Segment] = field(default_factory=list["Segment"])
    patients: list[PatientPart] = field(default_factory=list[PatientPart])
    booked: list[Booked] = field(default_factory=list[Booked])
    others: list[Segment] = field(default_factory=list["Segment"])

    def of_kind(self, name: str) -> list[Booked]:
        """Return what is booked of a kind (AIS, AIG, AIL, AIP), what is taken back too."""
        return [item for item in self.booked if item.segment.name == name]

    def wanted(self, name: str) -> list[Segment]:
        """Return what stays booked of a kind."""
        return [item.segment for item in self.of_kind(name) if item.action != "D"]

    @property
    def all_notes(self) -> list[Segment]:
        """The notes of the appointment, then those of what stays booked."""
        return [*self.notes, *(note for item in self.booked if item.action != "D" for note in item.notes)]

    @property
    def segments(self) -> list[Segment]:
        """The segments that are about the appointment itself."""
        booked = [item.segment for item in self.booked]
        return [self.sch, *self.timings, *booked, *self.all_notes, *self.others]


def group_siu(message: Message, coverage: Coverage) -> SiuPart:
    """Return the appointment of a message; raises MessageRefused (100) where there is no SCH.

    What belongs to a patient and stands before PID is put with the first one, with a warning (100).
    """
    sch = message.first("SCH")
    if sch is None:
        raise MessageRefused("100", "SCH", text="The message has no SCH")
    grouping = _Grouping(SiuPart(sch), coverage)
    for segment in message.segments:
        if segment.name not in HEADERS and segment is not sch:
            grouping.take(segment)
    grouping.part.others += grouping.early
    return grouping.part


class _Grouping:
    """Where the next segment goes."""

    def __init__(self, part: SiuPart, coverage: Coverage) -> None:
        self.part = part
        self.coverage = coverage
        self.notes = part.notes
        self.action = ""
        self.group = 0
        self.early: list[Segment] = []

    def take(self, segment: Segment) -> None:
        """Put a segment where it belongs."""
        part = self.part
        if segment.name == "NTE":
            self.notes.append(segment)
        elif segment.name in BOOKABLE:
            self._book(segment)
        elif segment.name == "PID":
            self._patient(segment)
        elif segment.name == "TQ1":
            part.timings.append(segment)
            self.notes = part.notes
        elif segment.name == "RGS":
            self.action = self._action(segment)
            self.group += 1
            part.others.append(segment)
            self.notes = part.others
        elif part.patients:
            self._about_patient(part.patients[-1], segment)
        else:
            self.coverage.warn("100", segment, text=f"{segment.name} stands before PID")
            self.early.append(segment)

    def _book(self, segment: Segment) -> None:
        item = Booked(segment, action=self._action(segment) or self.action, group=self.group)
        self.part.booked.append(item)
        self.notes = item.notes

    def _patient(self, segment: Segment) -> None:
        about = PatientPart(segment)
        self.part.patients.append(about)
        self.notes = about.notes
        early, self.early = self.early, []
        for earlier in early:
            self.take(earlier)

    def _about_patient(self, about: PatientPart, segment: Segment) -> None:
        self.notes = about.others
        if segment.name == "OBX":
            about.observations.append(Noted(segment))
            self.notes = about.observations[-1].notes
        elif not (about.takes_first(segment) or about.takes(segment)):
            lists = {"NK1": about.kin, "DG1": about.diagnoses}
            lists.get(segment.name, about.others).append(segment)

    def _action(self, segment: Segment) -> str:
        code = segment.field(2).first.component(1).strip().upper()
        if code:
            self.coverage.map(segment, 2, "Appointment.participant")
        return code
