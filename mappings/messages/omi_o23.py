"""OMI^O23, imaging orders: as ORM^O01, with the study of each (IPC).

HL7 v2.5.1, section 4.4.8: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.groups import group
from mappings.messages.orm_o01 import apply_parts

if TYPE_CHECKING:
    from mappings.messages.workspace import Desk


def apply(desk: Desk) -> None:
    """Apply an OMI^O23 to the records. Raises MessageRefused."""
    parts = group(desk.message, desk.coverage, with_priors=True)
    for order in (order for part in parts for order in part.orders):
        order.kind = "IMAGING"
    apply_parts(desk, parts)
