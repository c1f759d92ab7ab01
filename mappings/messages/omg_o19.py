"""OMG^O19, general clinical orders: as ORM^O01, with specimens and prior results.

HL7 v2.5.1, section 4.4.4: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.groups import group
from mappings.messages.orm_o01 import apply_parts

if TYPE_CHECKING:
    from mappings.messages.workspace import Desk


def apply(desk: Desk) -> None:
    """Apply an OMG^O19 to the records. Raises MessageRefused."""
    apply_parts(desk, group(desk.message, desk.coverage, with_priors=True))
