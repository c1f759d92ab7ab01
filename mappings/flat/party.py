"""The contact party for emergencies among the contacts of a Patient.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.contact
"""

from __future__ import annotations

from typing import Any

from mappings.element import Refused
from mappings.flat.words import Object, coded, words
from mappings.v2types import V2_TABLE

SYSTEM, CODE = V2_TABLE + "0131", "C"


def set_party(contacts: list[Object], part: str, value: str | None) -> None:
    """Set name, relationship or telephone number of the contact for emergencies; None clears. A contact of
    whom nothing is told any more goes.
    """
    found = next((item for item in contacts if _is_emergency(item)), None)
    if value == (found and party_part(found, part)):
        return
    party: Object = found or {"relationship": [{"coding": [{"system": SYSTEM, "code": CODE}]}]}
    if found is None:
        contacts.append(party)
    _SETTERS[part](party, value)
    if all(party_part(party, name) is None for name in _SETTERS) and not set(party) - {"relationship"}:
        contacts[:] = [item for item in contacts if item is not party]


def see_party(contacts: list[Object]) -> None:
    """See that whoever stands in a relationship has a name or a telephone number too: pat-1. Raises
    Refused.
    """
    found = next((item for item in contacts if _is_emergency(item)), None)
    if found is not None and not set(found) - {"relationship", "gender", "period"}:
        field = "emergency_contact_relationship"
        raise Refused("invariant", field, None, "", "needs emergency_contact_name or emergency_contact_phone")


def _is_emergency(contact: Object) -> bool:
    return any(coded(told, SYSTEM, CODE) for told in contact.get("relationship", ()))


def party_part(party: Object, part: str) -> str | None:
    """Return a part of a contact in the words of the flat record."""
    if part == "name":
        name: Object = party.get("name", {})
        whole = " ".join(filter(None, [*name.get("given", ()), name.get("family")]))
        return name.get("text") or whole or None
    if part == "phone":
        phones = (item.get("value") for item in party.get("telecom", ()) if item.get("system") == "phone")
        return next(phones, None)
    told: list[Object] = party.get("relationship", [])
    saying = (item for item in told if item.get("text") or not coded(item, SYSTEM, CODE))
    return words(next(saying, None))


def _set_name(party: Object, value: str | None) -> None:
    party.pop("name", None)
    if value is not None:
        party["name"] = {"text": value}


def _set_phone(party: Object, value: str | None) -> None:
    others = [item for item in party.get("telecom", ()) if item.get("system") != "phone"]
    told: list[dict[str, Any]] = [{"system": "phone", "value": value}] if value is not None else []
    party.pop("telecom", None)
    if told or others:
        party["telecom"] = [*told, *others]


def _set_relationship(party: Object, value: str | None) -> None:
    party["relationship"] = [
        {"coding": [{"system": SYSTEM, "code": CODE}]} | ({"text": value} if value is not None else {})
    ]


_SETTERS = {"name": _set_name, "relationship": _set_relationship, "phone": _set_phone}
