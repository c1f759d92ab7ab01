"""The systems of numbers that come without an assigning authority: each sender has its own.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-hd-to-uri.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.er7 import Message


def sender_name(message: Message) -> str:
    """Return the name of the sending facility (MSH-4), else of the sending application (MSH-3); empty if
    neither.
    """
    for number in (4, 3):
        first = message.msh.field(number).first
        name = (first.component(1) or first.component(2)).strip()
        if name:
            return name
    return ""


def sender_system(message: Message) -> str:
    """Return the system of the sender's numbers, so that the numbers of two hospitals never mix."""
    return f"urn:hl7:hd:{quote(sender_name(message) or 'unknown', safe='')}"


def sender_systems(message: Message) -> frozenset[str]:
    """Return the systems that the sender's application (MSH-3) and facility (MSH-4) may stand for."""
    names = (message.msh.field(number).first.component(1).strip() for number in (3, 4))
    return frozenset(f"urn:hl7:hd:{quote(name, safe='')}" for name in names if name)


def with_system(
    identifier: dict[str, Any], message: Message, declared: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return an identifier with the sender's system where it has none; ``declared`` are authorities whose
    system is known, which the sender may be.
    """
    if "system" in identifier:
        return identifier
    told = {key: value for key, value in identifier.items() if key == "type"}
    known = (declared or {}).get(sender_name(message))
    return told | {"system": known or sender_system(message)} | identifier
