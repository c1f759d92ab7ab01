"""Numbers of ours that come back: every gateway counts alike, so that the authority tells whose they are.

HL7 v2.5.1, section 2.A.28 (EI): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mappings.order_facts import ACCESSION_NUMBER, ORDER_NUMBER
from mappings.v2types import system_named
from storage.numbers import FORM

if TYPE_CHECKING:
    from mappings.er7 import Message

HOUSE: Final = "SUTURE"
"""As whom the gateway writes, unless a destination says otherwise."""
GIVEN: Final = {"ORD-": ORDER_NUMBER, "ACC-": ACCESSION_NUMBER}
"""The numbers that we give ourselves, by how they begin."""


def of_house(identifier: dict[str, Any], message: Message) -> dict[str, Any]:
    """Return an identifier with our own system if its authority is the gateway, by the name that the sender
    has for it (MSH-5) or its own, and its value has the form of our numbers.
    """
    value = str(identifier.get("value", ""))
    system = GIVEN.get(value[:4])
    if system is None or not FORM.match(value):
        return identifier
    sender, receiver = (message.msh.field(number).first.component(1).strip() for number in (3, 5))
    named = {system_named(name) for name in (receiver, HOUSE) if name and name != sender}
    return identifier | {"system": system} if identifier["system"] in named else identifier
