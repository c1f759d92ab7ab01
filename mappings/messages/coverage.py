"""What became of each field of a message, and what was wrong with it: the report of every field, warnings,
refusal.

HL7 table 0357 (message error conditions): https://terminology.hl7.org/CodeSystem-v2-0357.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.er7 import Message, Segment


class MessageRefused(Exception):
    """A message cannot be applied: a condition of table 0357 and the place in the message."""

    def __init__(
        self,
        code: str,
        segment: str,
        sequence: int = 1,
        field_number: int = 0,
        component: int = 0,
        text: str = "",
    ) -> None:
        super().__init__(f"{code} at {segment}")
        self.warning = Warned(code, segment, sequence, field_number, component, text)


@dataclass(frozen=True)
class Warned:
    """A fault that was tolerated (or not): condition of table 0357, place, and a text without patient
    data.

    ``told`` is a note (condition "0") that the sender shall see: what it told was not applied.
    """

    code: str
    segment: str
    sequence: int = 1
    field: int = 0
    component: int = 0
    text: str = ""
    told: bool = False


@dataclass
class Coverage:
    """What became of each field that was not empty: mapped to which element, ignored by which rule, or
    warned about.
    """

    mapped: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    ignored: dict[str, str] = field(default_factory=dict[str, str])
    warned: list[Warned] = field(default_factory=list[Warned])

    def map(self, segment: Segment, number: int, to: str) -> None:
        """Note that a field went to an element."""
        told = self.mapped.setdefault(place(segment, number), [])
        if to not in told:
            told.append(to)

    def is_mapped(self, segment: Segment, number: int) -> bool:
        """Tell whether a field went to some element."""
        return place(segment, number) in self.mapped

    def warn(self, code: str, segment: Segment, number: int = 0, component: int = 0, text: str = "") -> None:
        """Note a fault that is tolerated, once; it goes into the acknowledgement with severity W.

        Code "0" is no fault, only a note for people.
        """
        warned = Warned(code, segment.name, segment.number, number, component, text)
        if warned not in self.warned:
            self.warned.append(warned)

    def tell(self, segment: Segment, number: int = 0, text: str = "") -> None:
        """Note that what a segment tells was not applied, once; the sender is told, with severity W."""
        warned = Warned("0", segment.name, segment.number, number, 0, text, told=True)
        if warned not in self.warned:
            self.warned.append(warned)

    def set_aside(self, reason: str, *segments: Segment) -> None:
        """Note that segments are not applied, and kept with the message alone."""
        for segment in segments:
            self.ignored.update({place(segment, number): reason for number in segment.filled()})

    def ignore(self, segment: Segment, number: int, reason: str) -> None:
        """Note that a field says nothing here, by a rule that is told."""
        self.ignored[place(segment, number)] = reason

    def is_aside(self, segment: Segment, number: int) -> bool:
        """Tell whether a field was set aside."""
        return place(segment, number) in self.ignored

    def finish(self, message: Message, rules: Mapping[str, str]) -> None:
        """Look at every field that is not empty and was not mapped: ignored by a rule, or warned about.

        ``rules`` are told by field ("PID-1") or by segment ("FT1"), each with its reason.
        """
        warned = {(w.segment, w.sequence, w.field) for w in self.warned}
        for segment in message.segments:
            for number in segment.filled():
                spot = place(segment, number)
                if spot in self.mapped or spot in self.ignored:
                    continue
                if (segment.name, segment.number, number) in warned:
                    continue
                rule = rules.get(f"{segment.name}-{number}") or rules.get(segment.name)
                if rule is None:
                    self.warn("0", segment, number, text=f"{segment.name}-{number} is kept but not mapped")
                else:
                    self.ignored[spot] = rule

    def as_json(self) -> dict[str, Any]:
        """Return the report as it is stored with the message."""
        return {
            "mapped": self.mapped,
            "ignored": self.ignored,
            "warned": [
                {"code": w.code, "place": f"{w.segment}[{w.sequence}]-{w.field}", "text": w.text}
                for w in self.warned
            ],
        }


def place(segment: Segment, number: int) -> str:
    """Return the name of a field in a report: ``OBX[3]-5``."""
    return f"{segment.name}[{segment.number}]-{number}"
