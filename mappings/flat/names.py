"""Names, contacts and addresses of the flat record, in the elements of a Patient.

https://hl7.org/fhir/R4/datatypes.html#HumanName, ContactPoint and Address there. Each setter changes the item
that the reader of the same field picks, and leaves it alone where it says already what it shall say.
"""

from __future__ import annotations

from typing import Any

from mappings.element import Refused
from mappings.flat.words import Object, put
from storage.model.flat import Field
from storage.model.flat_places import Address, Contact, Name

Value = str | None


def picked(items: list[Object], uses: tuple[str, ...], system: str | None = None) -> Object | None:
    """Return the first item of one of the uses ("" is none), in their order."""
    fitting = [
        item
        for item in items
        if item.get("use", "") in uses and (system is None or item.get("system") == system)
    ]
    return min(fitting, key=lambda item: uses.index(item.get("use", "")), default=None)


def used(uses: tuple[str, ...]) -> Object:
    """Return a new item for a use."""
    return {"use": uses[0]} if uses[0] else {}


def set_name(patient: Object, field: Field, place: Name, value: Value) -> None:
    """Set a part of a name; None clears. Raises Refused for a middle name without a first."""
    names: list[Object] = patient.setdefault("name", [])
    name = picked(names, place.uses)
    if value == (name and name_part(name, place.part)):
        return
    if name is None:
        name = used(place.uses)
        names.append(name)
    _put_name_part(name, field, place.part, value)
    if not set(name) - {"use", "period"}:
        names[:] = [item for item in names if item is not name]


def _joined(items: list[Any] | None) -> str | None:
    return " ".join(item for item in items or () if item) or None


def name_part(name: Object, part: str) -> str | None:
    """Return a part of a HumanName in the words of the flat record."""
    given = name.get("given")
    found: dict[str, str | None] = {
        "first": given[0] if given else None,
        "middle": _joined(given[1:]) if given else None,
        "last": name.get("family"),
        "suffix": _joined(name.get("suffix")),
        "whole": name.get("text") or _joined([*(given or ()), name.get("family")]),
    }
    return found[part]


def _put_name_part(name: Object, field: Field, part: str, value: Value) -> None:
    # A text of the whole name would no longer say the same.
    name.pop("text", None)
    given: list[Any] = name.get("given", [])
    told = [value] if value is not None else []
    if part == "last":
        put(name, "family", value)
    elif part == "suffix":
        put(name, "suffix", told or None)
    elif part == "first":
        put(name, "given", [*told, *given[1:]] or None)
    elif part == "whole":
        put(name, "family", None)
        put(name, "given", told or None)
    elif given or not told:
        put(name, "given", [*given[:1], *told] or None)
    else:
        raise Refused("required", field.name, None, "", "needs a first_name")


def set_contact(patient: Object, field: Field, place: Contact, value: Value) -> None:
    """Set a telephone number or an e-mail address; None clears all that the field is read from."""
    items: list[Object] = patient.setdefault("telecom", [])
    item = picked(items, place.uses, place.system)
    if value == (item and item.get("value")):
        return
    if item is None:
        items.append({"system": place.system, "value": value} | used(place.uses))
    elif value is not None:
        put(item, "value", value)
    else:
        # All that the field would be read from.
        gone = [other for other in items if other.get("system") == place.system]
        items[:] = [other for other in items if other not in gone or other.get("use", "") not in place.uses]


ADDRESS = {"city": "city", "state": "state", "postal_code": "postalCode", "country": "country"}


def set_address(patient: Object, field: Field, place: Address, value: Value) -> None:
    """Set a part of the home address; None clears. Raises Refused for a second line without a first."""
    items: list[Object] = patient.setdefault("address", [])
    address = picked(items, place.uses)
    if value == (address and address_part(address, place.part)):
        return
    if address is None:
        address = used(place.uses)
        items.append(address)
    address.pop("text", None)
    lines: list[Any] = address.get("line", [])
    told = [value] if value is not None else []
    if place.part in ADDRESS:
        put(address, ADDRESS[place.part], value)
    elif place.part == "line1" and (told or not lines[1:]):
        put(address, "line", [*told, *lines[1:]] or None)
    elif place.part == "line1":
        raise Refused("required", field.name, None, "", "is needed with an address_line2")
    elif lines or not told:
        put(address, "line", [*lines[:1], *told] or None)
    else:
        raise Refused("required", field.name, None, "", "needs an address_line1")
    if not set(address) - {"use", "type", "period"}:
        items[:] = [item for item in items if item is not address]


def address_part(address: Object, part: str) -> str | None:
    """Return a part of an Address in the words of the flat record."""
    if part in ADDRESS:
        return address.get(ADDRESS[part])
    lines: list[Any] = address.get("line", [])
    if part == "line1":
        return lines[0] if lines else None
    return _joined(lines[1:])
