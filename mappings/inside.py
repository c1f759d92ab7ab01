"""Elements of a record set from inside, through the lines of its mapping, as if they had come as FHIR.

https://hl7.org/fhir/R4/servicerequest.html; what JSON and HL7v2 set are the rows that are the truth,
never a column that follows from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mappings import convert

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.element import Mapping, Value
    from storage.record import Record

Object = dict[str, Any]
Test = Callable[[Object], bool]


def value_of(record: Record, mapping: Mapping, element: str, new_id: NewId) -> Value:
    """Return an element as FHIR has it, None where there is none."""
    return convert.element(convert.top(record, mapping, new_id), mapping.by_element[element])


def set_value(record: Record, mapping: Mapping, element: str, value: Value, new_id: NewId) -> None:
    """Set an element, whatever stood there; None or an empty list clears it. Raises Refused."""
    line = mapping.by_element[element]
    convert.replace_element(convert.top(record, mapping, new_id), line, element, value or None)


def set_item(
    record: Record, mapping: Mapping, element: str, is_it: Test, item: Object | None, new_id: NewId
) -> None:
    """Replace those items of an array by one, in the place of the first; None takes them away."""
    present: list[Object] = value_of(record, mapping, element, new_id) or []
    place = next((place for place, found in enumerate(present) if is_it(found)), len(present))
    if place == len(present):
        if item is not None:
            append_item(record, mapping, element, item, new_id)
        return
    others = [found for found in present if not is_it(found)]
    made = others if item is None else [*others[:place], item, *others[place:]]
    if made != present:
        set_value(record, mapping, element, made, new_id)


def append_item(record: Record, mapping: Mapping, element: str, item: Object, new_id: NewId) -> None:
    """Add an item to an array, after those that stand there."""
    at = convert.top(record, mapping, new_id)
    convert.put(at, mapping.by_element[element], element, [item])


def set_extension(record: Record, mapping: Mapping, url: str, item: Object | None, new_id: NewId) -> None:
    """Set the extension with a URL (the whole object without its ``url``); None takes it away."""
    at = convert.top(record, mapping, new_id)
    convert.clear(at, mapping.extensions[url])
    if item is not None:
        convert.put_extensions(at, mapping, [{"url": url, **item}])


def coded_in(system: str) -> Test:
    """Return a test of a CodeableConcept: whether it has a coding of a system."""

    def test(concept: Object) -> bool:
        return any(coding.get("system") == system for coding in concept.get("coding", ()))

    return test


def uncoded(concept: Object) -> bool:
    """Tell whether a CodeableConcept is a text alone."""
    return "coding" not in concept and "text" in concept


def coding(system: str, code: str, display: str | None = None) -> Object:
    """Make a Coding."""
    return {"system": system, "code": code} | ({"display": display} if display else {})


def concept(*codings: Object | None, text: str | None = None) -> Object:
    """Make a CodeableConcept of the codings that are there, and a text."""
    found = [made for made in codings if made is not None]
    return ({"coding": found} if found else {}) | ({"text": text} if text else {})
