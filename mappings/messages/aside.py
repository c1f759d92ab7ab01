"""Segments that turn out to be about nothing that can be changed: they are kept with the message alone.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.coverage import place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.er7 import Segment
    from mappings.messages.coverage import Coverage


def take_back(coverage: Coverage, reason: str, segments: Iterable[Segment]) -> None:
    """Note that segments are not applied, whatever was noted of their fields before."""
    for segment in segments:
        for number in segment.filled():
            coverage.mapped.pop(place(segment, number), None)
        coverage.set_aside(reason, segment)
