"""Which message structures are applied, and by what.

https://hl7.org/fhir/uv/v2mappings/2024Sep/message_maps.html
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.messages import orm_o01, oru_r01
from mappings.messages.workspace import Desk

HANDLERS: dict[tuple[str, str], Callable[[Desk], None]] = {
    ("ORM", "O01"): orm_o01.apply,
    ("ORU", "R01"): oru_r01.apply,
}
"""Message code and trigger event (MSH-9.1 and 9.2) -> what applies it; each raises MessageRefused."""
