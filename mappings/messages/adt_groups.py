"""How the segments of an ADT message group: patients, what hangs on their visit, and merges.

HL7 v2.5.1, section 3.3 (ADT_A01 to ADT_A39): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.groups import Followed, Noted, PatientPart
from mappings.messages.kept import HEADERS

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage


@dataclass
class AdtPart:
    """One patient with what an ADT message alone tells: procedures, and the numbers merged into the
    patient's.
    """

    patient: PatientPart
    procedures: list[Followed] = field(default_factory=list[Followed])
    merges: list[Segment] = field(default_factory=list["Segment"])


def group_adt(message: Message, coverage: Coverage) -> list[AdtPart]:
    """Return the patients of a message, in order; raises MessageRefused (100) where there is no PID.

    What stands before PID is the first patient's, with a warning (100).
    """
    if message.first("PID") is None:
        raise MessageRefused("100", "PID", text="The message has no PID")
    grouping = _Grouping()
    early: list[Segment] = []
    for segment in message.segments:
        if segment.name in HEADERS:
            continue
        if segment.name == "PID":
            grouping.begin(segment)
            for earlier in early:
                grouping.take(earlier)
            early.clear()
        elif grouping.parts:
            grouping.take(segment)
        else:
            coverage.warn("100", segment, text=f"{segment.name} stands before PID")
            early.append(segment)
    return grouping.parts


class _Grouping:
    """Where the next segment goes."""

    def __init__(self) -> None:
        self.parts: list[AdtPart] = []
        self.notes: list[Segment] = []
        self.followers: list[Segment] = []

    def begin(self, pid: Segment) -> None:
        """Begin the next patient."""
        part = AdtPart(PatientPart(pid))
        self.parts.append(part)
        self.notes, self.followers = part.patient.notes, part.patient.others

    def take(self, segment: Segment) -> None:
        """Put a segment where it belongs."""
        part = self.parts[-1]
        about = part.patient
        if segment.name == "NTE":
            self.notes.append(segment)
        elif segment.name in ("ROL", "PRT"):
            self.followers.append(segment)
        else:
            self.notes = self.followers = about.others
            self._own(part, about, segment)

    def _own(self, part: AdtPart, about: PatientPart, segment: Segment) -> None:
        if segment.name == "OBX":
            about.observations.append(Noted(segment))
            self.notes = about.observations[-1].notes
        elif segment.name == "PR1":
            part.procedures.append(Followed(segment))
            self.followers = part.procedures[-1].others
        elif not (about.takes_first(segment) or about.takes(segment)):
            lists = {"NK1": about.kin, "DG1": about.diagnoses, "MRG": part.merges}
            lists.get(segment.name, about.others).append(segment)
