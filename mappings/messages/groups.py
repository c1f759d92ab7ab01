"""How the segments of an order or a result message group: patients, orders, observations, specimens, prior
results.

HL7 v2.5.1, sections 4.4.1 (ORM^O01), 4.4.4 to 4.4.9 (OMG, OML, OMI) and 7.3.1 (ORU^R01):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.glued import warn_of_glued
from mappings.messages.kept import HEADERS

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage

DETAILS = frozenset({"RXO", "ODS", "ODT", "RQD", "RQ1"})
"""What is ordered, where it is no observation (OBR)."""
PRICES = frozenset({"FT1", "CTI", "BLG"})
"""What ends an order: what it costs and to whom."""
ORDERING = frozenset(
    (
        "NW",
        "SN",
        "CA",
        "DC",
        "HD",
        "RL",
        "XO",
        "RP",
        "RO",
        "RU",
        "CH",
        "PA",
        "AF",
        "RF",
        "SS",
        "NA",
        "OC",
        "OD",
    )
)
"""Order controls (ORC-1) that no prior result has: after one, they begin the next order."""
OF_PATIENT = frozenset({"PID", "PD1", "NK1", "PV1", "PV2", "IN1", "IN2", "IN3", "GT1", "AL1", "ARV"})


@dataclass
class Noted:
    """A segment and the notes (NTE) after it."""

    segment: Segment
    notes: list[Segment] = field(default_factory=list["Segment"])


@dataclass
class Followed:
    """A segment and those after it that tell more of the same: IN1 with IN2 and IN3, PR1 with its ROL."""

    segment: Segment
    others: list[Segment] = field(default_factory=list["Segment"])


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
    priors: list[PatientPart] = field(default_factory=list["PatientPart"])
    """Results of earlier orders that were sent along, each with the patient and visit that they are of."""
    kind: str = ""
    """The type of order that the structure is for, where the order does not tell its own."""

    @property
    def control(self) -> str:
        """What is to be done (ORC-1); empty where there is no ORC."""
        return self.orc.field(1).first.component(1).strip().upper() if self.orc is not None else ""

    @property
    def path(self) -> str:
        """The name of the group among those of its message."""
        return f"ORDER[{self.number}]"

    @property
    def segments(self) -> list[Segment]:
        """The segments that are about the order itself."""
        found = [self.orc, self.obr, self.detail, *self.notes, *self.timings, *self.studies, *self.others]
        return [segment for segment in found if segment is not None]

    @property
    def everything(self) -> list[Segment]:
        """The segments of the whole group, but for prior results."""
        noted = [*self.observations, *(item for part in self.specimens for item in part.observations)]
        found = [*self.segments, *self.diagnoses]
        for part in self.specimens:
            found += [part.segment, *part.others]
        for item in noted:
            found += [item.segment, *item.notes]
        return found


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
    allergies: list[Segment] = field(default_factory=list["Segment"])
    covers: list[Followed] = field(default_factory=list[Followed])
    others: list[Segment] = field(default_factory=list["Segment"])
    orders: list[OrderPart] = field(default_factory=list[OrderPart])

    def takes_first(self, segment: Segment) -> bool:
        """Take the first PD1, PV1 or PV2; tell whether it was one."""
        slot = segment.name.lower()
        if segment.name not in ("PD1", "PV1", "PV2") or getattr(self, slot) is not None:
            return False
        setattr(self, slot, segment)
        return True

    def takes(self, segment: Segment) -> bool:
        """Take an allergy (AL1) or what tells of insurance (IN1, IN2, IN3); tell whether it was one."""
        if segment.name == "AL1":
            self.allergies.append(segment)
        elif segment.name == "IN1":
            self.covers.append(Followed(segment))
        elif segment.name in ("IN2", "IN3") and self.covers:
            self.covers[-1].others.append(segment)
        else:
            return False
        return True


def group(message: Message, coverage: Coverage, *, with_priors: bool = False) -> list[PatientPart]:
    """Return the patients of a message with their orders, in order.

    ``with_priors`` is for structures in which prior results follow an order: from its second PID or PV1 on.
    Segments out of their order are put where they belong, with a warning (100). Raises MessageRefused
    (100) where there is no PID, or a patient without ORC and OBR.
    """
    if message.first("PID") is None:
        raise MessageRefused("100", "PID", text="The message has no PID")
    grouping = _Grouping(coverage, with_priors=with_priors)
    for segment in message.segments:
        if segment.name not in HEADERS:
            warn_of_glued(segment, coverage)
            grouping.take(segment)
    grouping.finish()
    for part in grouping.parts:
        if not part.orders:
            raise MessageRefused("100", "OBR", text="The message has no ORC and no OBR")
    return grouping.parts


class _Grouping:
    """Where the next segment goes."""

    def __init__(self, coverage: Coverage, *, with_priors: bool = False) -> None:
        self.coverage = coverage
        self.with_priors = with_priors
        self.prior: PatientPart | None = None
        self.before: OrderPart | None = None
        """The order with which the prior results are sent."""
        self.parts: list[PatientPart] = []
        self.early: list[Segment] = []
        self.order: OrderPart | None = None
        self.specimen: SpecimenPart | None = None
        self.notes: list[Segment] = []
        self.count = 0

    def take(self, segment: Segment) -> None:
        """Put a segment where it belongs."""
        if self.with_priors and self._is_prior(segment):
            return
        if segment.name == "PID":
            self._patient(segment)
        elif not self.parts:
            # Notes on the message stand before the patient.
            if segment.name != "NTE":
                self.coverage.warn("100", segment, text=f"{segment.name} stands before PID")
            self.early.append(segment)
        elif segment.name in OF_PATIENT:
            self._about_patient(self._part, segment)
        elif segment.name == "ORC" or segment.name in DETAILS or segment.name == "OBR":
            self._order(segment)
        elif segment.name == "NTE":
            self.notes.append(segment)
        elif segment.name == "OBX":
            self._observation(segment)
        elif self.order is None:
            part = self._part
            (part.diagnoses if segment.name == "DG1" else part.others).append(segment)
        else:
            self._about_order(self.order, segment)

    def finish(self) -> None:
        """Put a patient or visit that nothing follows, and so begins no prior results, with the others."""
        prior, before = self.prior, self.before
        if prior is None or before is None or prior.orders:
            return
        before.priors.remove(prior)
        part = self.parts[-1]
        told = [prior.pid] if prior.pid is not part.pid else []
        if prior.pv1 is not None and part.pv1 is None:
            part.pv1, part.pv2 = prior.pv1, prior.pv2
        else:
            told += [segment for segment in (prior.pv1, prior.pv2) if segment is not None]
        part.others += [*told, *([prior.pd1] if prior.pd1 else []), *prior.others]
        part.notes += prior.notes
        part.kin += prior.kin
        part.diagnoses += prior.diagnoses
        part.observations += prior.observations
        part.allergies += prior.allergies
        part.covers += prior.covers
        self.coverage.warn(
            "100", prior.pv1 or prior.pid, text="It stands after an order, and no result follows it"
        )

    @property
    def _part(self) -> PatientPart:
        return self.prior or self.parts[-1]

    def _is_prior(self, segment: Segment) -> bool:
        """Begin or end prior results where a segment does so; tell whether it is in its place thereby."""
        control = segment.field(1).first.component(1).strip().upper() if segment.name == "ORC" else ""
        if self.order is not None and segment.name in ("PID", "PV1"):
            self._begin_prior(segment)
            return True
        if self.prior is None:
            if self.order is not None and control == "PR":
                self._begin_prior(segment)
        elif segment.name in PRICES:
            self._end_prior(self.prior)
        elif control in ORDERING:
            self._next_order(self.prior, segment)
        return False

    def _begin_prior(self, segment: Segment) -> None:
        before = self.before = self.before or self.order
        if before is None:
            return
        pid = segment if segment.name == "PID" else self.parts[-1].pid
        self.prior = PatientPart(pid, pv1=segment if segment.name == "PV1" else None)
        before.priors.append(self.prior)
        self.order = self.specimen = None
        self.notes = self.prior.notes

    def _end_prior(self, prior: PatientPart) -> None:
        self.order, self.specimen = self.before, None
        self.prior = self.before = None
        self.notes = self.order.notes if self.order else prior.notes

    def _next_order(self, prior: PatientPart, segment: Segment) -> None:
        """Leave prior results for the next order; where none came, it is of one more patient or visit."""
        if not prior.orders and self.before is not None:
            self.before.priors.remove(prior)
            self.parts.append(prior)
            text = "A patient or visit that no prior results follow is taken as that of the next order"
            self.coverage.warn("100", segment, text=text)
        self.order = self.specimen = self.prior = self.before = None

    def _patient(self, segment: Segment) -> None:
        part = PatientPart(segment)
        self.parts.append(part)
        self.order = self.specimen = self.prior = self.before = None
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
        elif not part.takes_first(segment):
            self.notes = part.others
            if not part.takes(segment):
                part.others.append(segment)

    def _order(self, segment: Segment) -> None:
        order = self.order
        opens = segment.name == "ORC" or order is None or order.obr is not None or order.detail is not None
        if opens or order is None:
            self.count += 1
            order = self.order = OrderPart(self.count, segment)
            self._part.orders.append(order)
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
        holder = self.specimen or self.order or self._part
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
