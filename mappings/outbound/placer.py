"""Who placed an order: the application that sent it, or whose number it carries.

HL7 v2.5.1, section 4.5.1.2 (ORC-2):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.outbound.ways import type_code
from mappings.v2types import system_named

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece


def is_placed_by(order: Piece, application: str, facility: str) -> bool:
    """Tell whether an order is that of a peer, by the names under which it sends (MSH-3 and MSH-4)."""
    kept = order.kept.get("MSH", {})
    if not (application or facility):
        return False
    if kept:
        pairs = ((kept.get("3", ""), application), (kept.get("4", ""), facility))
        return all(same(one, other) for one, other in pairs)
    names = {system_named(name.partition("^")[0]) for name in (application, facility) if name}
    listed: list[dict[str, Any]] = order.resource.get("identifier") or []
    return any(type_code(item) == "PLAC" and item.get("system") in names for item in listed)


def same(told: str, name: str) -> bool:
    """Tell whether a header's HD is a peer's name: whole, or by its first component; no name fits all."""
    return not name or told == name or told.partition("^")[0] == name.partition("^")[0]
