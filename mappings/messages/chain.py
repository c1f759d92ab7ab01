"""What the orders of one message are to one another: replaced and replacement, parent and child.

HL7 v2.5.1, section 4.5.1.1 (ORC-1: RP, RU, RO; PA, CH): https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mappings.messages.workspace import refer

if TYPE_CHECKING:
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

REPLACED = frozenset({"RP", "RU"})


@dataclass
class Chain:
    """The orders so far that later groups may refer to by nothing but their place.

    ``gone`` are all that the message replaces, ``old`` those that the next replacement stands for: one or
    more are replaced by one or more.
    """

    gone: list[Record] = field(default_factory=list["Record"])
    old: list[Record] = field(default_factory=list["Record"])
    parent: Record | None = None
    listing: bool = False

    def foresee(self, order: OrderPart, records: list[Record]) -> list[Record]:
        """Note the records that a group replaces, before any is applied; returns them."""
        if order.control in REPLACED:
            self.gone += records
        return records

    def link(self, desk: Desk, order: OrderPart, record: Record) -> None:
        """Let an order say which ones it replaces, or which one it is part of."""
        if order.control in REPLACED:
            self.old = [*(self.old if self.listing else ()), record]
            self.gone.append(record)
        elif order.control == "RO":
            desk.add(record, "replaces", *(refer(old) for old in self.old if old is not record))
        elif order.control == "PA":
            self.parent = record
        elif order.control == "CH" and self.parent is not None and not desk.get(record, "basedOn"):
            desk.add(record, "basedOn", refer(self.parent))
        self.listing = order.control in REPLACED
