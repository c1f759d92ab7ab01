"""The insurance cover at a position of the flat record, as a Coverage.

https://hl7.org/fhir/R4/coverage.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mappings.element import cs
from mappings.flat.words import Object, coded, concept, first, words
from mappings.resources.coverage_projections import insurance_type
from mappings.v2insurance import CLASS, RELATIONSHIP
from mappings.v2types import IDENTIFIER_TYPE, identifier_type
from storage.model.flat import FIELDS, RELATIONS
from storage.model.flat_places import Cover

Value = str | None

OWN = cs("insurance-type")
UNKNOWN: Object = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}
"""R4 wants a payor of every cover, also of one of which nobody has told who pays."""

PARTS: dict[int, dict[str, str]] = {
    position: {
        field.name: field.place.part
        for field in FIELDS
        if isinstance(field.place, Cover) and field.place.position == position
    }
    for position in (1, 2)
}
"""Position -> the fields of the cover there, and what each is of it."""


def told(values: Mapping[str, Any], position: int) -> dict[str, Value]:
    """Return what values say of the cover at a position, by part."""
    return {part: values[name] for name, part in PARTS[position].items() if name in values}


def cover(
    present: Object | None, position: int, told: Mapping[str, Value], patient: str, payors: Mapping[str, str]
) -> Object | None:
    """Return a cover after parts were set; None where nothing is told of it any more.

    ``payors`` are the references of organizations that are here, by name.
    """
    made: Object = dict(present or {"resourceType": "Coverage", "status": "active", "order": position})
    made.setdefault("beneficiary", {"reference": patient})
    for part, value in told.items():
        if value != shown(made, part):
            _SETTERS[part](made, value)
            if part == "provider" and value is not None and value in payors:
                made["payor"][0]["reference"] = payors[value]
    if all(shown(made, part) is None for part in _SETTERS):
        return None
    if not made.get("payor"):
        made["payor"] = [UNKNOWN]
    return made


def shown(cover: Object, part: str) -> Value:
    """Return a part of a cover in the words of the flat record."""
    return _SHOWN[part](cover)


def _kind(cover: Object) -> Value:
    codings: list[Object] = cover.get("type", {}).get("coding", [])
    found = [kind for item in codings if (kind := insurance_type(item.get("system"), item.get("code")))]
    own = next((item["code"] for item in codings if item.get("system") == OWN and item.get("code")), None)
    return (
        insurance_type(OWN, own)
        or next((kind for kind in found if kind != "other"), None)
        or next(iter(found), None)
    )


def _policy(cover: Object) -> Value:
    items = (item for item in cover.get("identifier", ()) if _is_policy(item))
    return next((item.get("value") for item in items), None)


def _is_policy(identifier: Object) -> bool:
    return coded(identifier.get("type", {}), IDENTIFIER_TYPE, "MB")


def _group(cover: Object) -> Value:
    items = (item for item in cover.get("class", ()) if coded(item["type"], CLASS, "group"))
    return next((item.get("value") for item in items), None)


_SHOWN: dict[str, Callable[[Object], Value]] = {
    "provider": lambda cover: first(cover.get("payor", ())).get("display"),
    "type": _kind,
    "policy_number": _policy,
    "group_number": _group,
    "subscriber_name": lambda cover: cover.get("subscriber", {}).get("display"),
    "subscriber_relationship": lambda cover: words(cover.get("relationship")),
    "effective_date": lambda cover: cover.get("period", {}).get("start"),
    "expiration_date": lambda cover: cover.get("period", {}).get("end"),
}


def _put(cover: Object, element: str, value: Any) -> None:
    cover.pop(element, None)
    if value:
        cover[element] = value


def _set_provider(cover: Object, value: Value) -> None:
    _put(cover, "payor", [{"display": value}] if value else None)


def _set_type(cover: Object, value: Value) -> None:
    _put(cover, "type", {"coding": [{"system": OWN, "code": value}]} if value else None)


def _set_policy(cover: Object, value: Value) -> None:
    others = [item for item in cover.get("identifier", ()) if not _is_policy(item)]
    own = [{"type": identifier_type("MB"), "value": value}] if value else []
    _put(cover, "identifier", [*own, *others])


def _set_group(cover: Object, value: Value) -> None:
    others = [item for item in cover.get("class", ()) if not coded(item["type"], CLASS, "group")]
    own = [{"type": {"coding": [{"system": CLASS, "code": "group"}]}, "value": value}] if value else []
    _put(cover, "class", [*own, *others])


def _set_subscriber(cover: Object, value: Value) -> None:
    _put(cover, "subscriber", {"display": value} if value else None)


def _set_relationship(cover: Object, value: Value) -> None:
    codes = {word: word for word in RELATIONS}
    _put(cover, "relationship", value and concept(value, RELATIONSHIP, codes))


def _set_period(end: str) -> Callable[[Object, Value], None]:
    def put(cover: Object, value: Value) -> None:
        period = {key: text for key, text in cover.get("period", {}).items() if key != end}
        _put(cover, "period", period | ({end: value} if value else {}))

    return put


_SETTERS: dict[str, Callable[[Object, Value], None]] = {
    "provider": _set_provider,
    "type": _set_type,
    "policy_number": _set_policy,
    "group_number": _set_group,
    "subscriber_name": _set_subscriber,
    "subscriber_relationship": _set_relationship,
    "effective_date": _set_period("start"),
    "expiration_date": _set_period("end"),
}
