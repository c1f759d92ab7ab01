"""The systems of numbers that come without an assigning authority: each sender has its own.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-hd-to-uri.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.messages.house import of_house
from mappings.v2types import system_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mappings.er7 import Message
    from mappings.messages.workspace import Desk
    from storage.record import Record


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


def sender_system(message: Message, declared: Mapping[str, str] | None = None) -> str:
    """Return the system of the sender's numbers, so that the numbers of two hospitals never mix; the
    ``declared`` one of its name, if there is one.
    """
    name = sender_name(message)
    return (declared or {}).get(name) or system_named(name or "unknown")


def sender_systems(message: Message, declared: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return the systems that the sender's application (MSH-3) and facility (MSH-4) may stand for."""
    names = [message.msh.field(number).first.component(1).strip() for number in (3, 4)]
    known = [system for name in names if (system := (declared or {}).get(name))]
    return frozenset((*known, *(system_named(name) for name in names if name)))


def with_system(
    identifier: dict[str, Any], message: Message, declared: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return an identifier with the sender's system where it has none; ``declared`` are authorities whose
    system is known, which the sender may be.
    """
    if "system" in identifier:
        return of_house(identifier, message)
    told = {key: value for key, value in identifier.items() if key == "type"}
    return told | {"system": sender_system(message, declared)} | identifier


def numbered_by(desk: Desk, identifier: dict[str, Any]) -> dict[str, Any]:
    """Return an identifier with the sender's system where it has none, as its peer declares it."""
    return with_system(identifier, desk.message, desk.peer.authorities)


def former_systems(desk: Desk, system: str | None) -> list[str]:
    """Return under which systems the numbers of a system were kept before the peer declared it: those of the
    names, and of the OIDs, that it stands for.
    """
    names = [name for name, declared in (desk.peer.authorities or {}).items() if declared == system]
    told = [system_named(name) for name in names]
    told += [f"urn:oid:{name}" for name in names if name.replace(".", "").isdigit()]
    return [item for item in told if item != system]


def carriers_of(desk: Desk, resource_type: str, identifier: dict[str, Any]) -> list[Record]:
    """Return the records that carry a number, else those that did before the peer declared its system."""
    system, value = identifier["system"], identifier["value"]
    found = desk.identified(resource_type, system, value)
    for former in () if found else former_systems(desk, system):
        found = found or desk.identified_too(resource_type, former, value)
    return found
