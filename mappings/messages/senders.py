"""Who sent an order (MSH-3 and 4): its numbers without authority are of that application.

HL7 v2.5.1, sections 2.15.9.3 and 2.15.9.4: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.messages.coverage import MessageRefused
from mappings.messages.kept import keep, kept_field
from mappings.messages.systems import sender_systems
from mappings.order_facts import ACCESSION_NUMBER, ORDER_NUMBER
from mappings.v2types import system_named

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.workspace import Desk
    from storage.record import Record

OWN = (ORDER_NUMBER, ACCESSION_NUMBER)
"""The systems of numbers that we give ourselves."""


def keep_sender(desk: Desk, record: Record) -> None:
    """Keep who sent a new order."""
    application, facility = _sender_of(desk)
    keep(record, desk.message.msh, 1, {"3": application, "4": facility})


def may_be_senders(desk: Desk, record: Record) -> bool:
    """Tell whether a record came from the sender of the message, or from none that is known."""
    return _kept_sender(record) in (None, _sender_of(desk))


def came_from_sender(desk: Desk, record: Record) -> bool:
    """Tell whether a record came from the sender of the message."""
    return _kept_sender(record) == _sender_of(desk)


def came_of_result(record: Record) -> bool:
    """Tell whether an order was made of its result, and nobody has ordered it yet."""
    return _kept_sender(record) is None and kept_field(record, "ORC", 1) == "RE"


def is_senders(desk: Desk, record: Record, value: str) -> bool:
    """Tell whether an order came from the sender, or from none but with the number under a name of the
    sender's or ours.
    """
    if _kept_sender(record) is not None:
        return may_be_senders(desk, record)
    names = {*OWN, *sender_systems(desk.message, desk.peer.authorities)}
    return any(
        item.get("value") == value and item.get("system") in names
        for item in desk.get(record, "identifier") or ()
    )


def is_named_by(record: Record, system: str) -> bool:
    """Tell whether a system is the name of the application that sent an order."""
    application = (_kept_sender(record) or ("", ""))[0].partition("^")[0]
    return bool(application) and system == system_named(application)


def _kept_sender(record: Record) -> tuple[str, str] | None:
    application, facility = (kept_field(record, "MSH", number) for number in (3, 4))
    return None if application is None or facility is None else (application, facility)


def _sender_of(desk: Desk) -> tuple[str, str]:
    msh = desk.message.msh
    return msh.field(3).raw, msh.field(4).raw


def see_may_be_made(desk: Desk, head: Segment) -> None:
    """See that the sender may tell of an order that is not known: raises MessageRefused (204).

    A placer's new order is not one of those.
    """
    if not desk.peer.auto_create_orders:
        raise MessageRefused("204", head.name, head.number, 2, text="The order is not known")
