"""Segments that lost the line end before them: what follows on the line would go unseen, so it is told.

HL7 v2.5.1, section 2.5.1 (segments end with a carriage return):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.coverage import Coverage

_SET_ID: Final = re.compile(r"\d{1,4}\Z")
LEADS: Final = {
    "ORC": re.compile(r"[A-Z]{2}\Z"),
    **dict.fromkeys(("OBR", "OBX", "NTE", "SPM", "DG1", "TQ1"), _SET_ID),
}
"""Segment -> what its first field looks like."""


def warn_of_glued(segment: Segment, coverage: Coverage) -> None:
    """Warn (100) of each place where another segment seems to begin in the middle of a line."""
    if not any(name in segment.text[3:] for name in LEADS):
        return
    for number in segment.filled():
        name = segment.field(number).raw[-3:]
        lead = LEADS.get(name) if len(segment.field(number).raw) > 3 else None
        if lead and lead.match(segment.field(number + 1).raw.strip()):
            text = f"{name} seems to begin here, without a line end before it; it was not read as a segment"
            coverage.warn("100", segment, number, text=text)
