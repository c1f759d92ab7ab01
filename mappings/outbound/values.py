"""OBX-2, 5, 6 and 7 from value[x], components and reference ranges: what mappings.v2values reads.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mappings.outbound.parts import EMPTY, Value, items, of_url, part, text
from mappings.outbound.sheet import components
from mappings.outbound.ways import moment, number, system_name
from mappings.v2attachments import MEDIA, SUBTYPES
from mappings.v2values import UNIT_EXTENSION, VALUE_EXTENSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from mappings.outbound.fill import Pieces


class Written(NamedTuple):
    """What OBX-2, 5, 6 and 7 say; of a component with a code of its own OBX-3 and 8 besides."""

    kind: str = ""
    texts: tuple[str, ...] = ()
    unit: str = ""
    limits: str = ""
    code: str = ""
    flags: tuple[str, ...] = ()


NOTHING = Written()


def values(resource: Value, text_type: str, pieces: Pieces) -> list[Written]:
    """Return the value of an observation, then one for each component with another code.

    Components with the observation's own code are repetitions of its value.
    """
    limits = reference_range(resource)
    found = value(resource, text_type, pieces.context.version)
    listed = items(resource, "component")
    same = [item for item in listed if item.get("code") == resource.get("code")]
    if same and found == NOTHING:
        told = [value(item, text_type, pieces.context.version) for item in same]
        first = told[0]
        found = first._replace(texts=tuple(text for item in told for text in item.texts))
    others = [_of_component(item, text_type, pieces) for item in listed if item not in same]
    measured = found.unit or _unit_of_text(resource) or _unit_of_range(resource)
    return [found._replace(limits=limits, unit=measured), *others]


def _unit_of_text(resource: Value) -> str:
    return concept(part(of_url(resource, UNIT_EXTENSION), "valueCodeableConcept"))


def _unit_of_range(resource: Value) -> str:
    first = next(iter(items(resource, "referenceRange")), EMPTY)
    return unit(part(first, "low") or part(first, "high"))


def _of_component(item: Value, text_type: str, pieces: Pieces) -> Written:
    told = value(item, text_type, pieces.context.version)
    flags = tuple(_code(found) for found in items(item, "interpretation"))
    return told._replace(limits=reference_range(item), code=concept(part(item, "code")), flags=flags)


def value(holder: Value, text_type: str, version: str) -> Written:
    """Return the value[x] of an observation or a component, NOTHING where it has none."""
    for key, write in WRITERS.items():
        if holder.get(key) is not None:
            return write(holder[key])
    if holder.get("valueString") is not None:
        told = text(holder, "valueString")
        return Written("TX" if "\n" in told else text_type, (components(told),))
    if holder.get("valueCodeableConcept"):
        kind = "CE" if version < "2.5" else "CWE"
        return Written(kind, (concept(holder["valueCodeableConcept"]),))
    if holder.get("valueDateTime"):
        return Written("TS" if version < "2.6" else "DTM", (moment(holder["valueDateTime"]),))
    return _attached(holder)


def unit(quantity: Value) -> str:
    """Return OBX-6: code, text and system where the unit is coded, else its text alone."""
    code, told = text(quantity, "code"), text(quantity, "unit")
    name = system_name(quantity.get("system"))
    if code and name:
        return components(code, told if told != code else "", name)
    return components(told or code)


def _quantity(told: Value) -> Written:
    if told.get("value") is None:
        return NOTHING
    if told.get("comparator"):
        return Written("SN", (components(told["comparator"], number(told["value"])),), unit(told))
    return Written("NM", (number(told["value"]),), unit(told))


def _range(told: Value) -> Written:
    low, high = part(told, "low"), part(told, "high")
    ends = number(low.get("value")), number(high.get("value"))
    if low and high:
        return Written("SN", (components("", ends[0], "-", ends[1]),), unit(low))
    return Written("NR", (components(*ends),), unit(low or high))


def _ratio(told: Value) -> Written:
    top, bottom = part(told, "numerator"), part(told, "denominator")
    found = components("", number(top.get("value")), ":", number(bottom.get("value")))
    return Written("SN", (found,), unit(top))


def _sampled(told: Value) -> Written:
    return Written("NA", (components(*text(told, "data").split()),), unit(part(told, "origin")))


def _period(told: Value) -> Written:
    return Written("DR", (components(moment(told.get("start")), moment(told.get("end"))),))


WRITERS: dict[str, Callable[[Any], Written]] = {
    "valueQuantity": _quantity,
    "valueInteger": lambda told: Written("NM", (number(told),)),
    "valueBoolean": lambda told: Written("ID", ("Y" if told else "N",)),
    "valueRange": _range,
    "valueRatio": _ratio,
    "valueSampledData": _sampled,
    "valueTime": lambda told: Written("TM", (str(told).replace(":", ""),)),
    "valuePeriod": _period,
}


def concept(told: Value) -> str:
    """Return a CWE: up to two codings, and the text."""
    listed = items(told, "coding")[:2]
    original = text(told, "text")
    if not listed:
        return components("", original)
    parts = [found for item in listed for found in _coding(item)]
    versions = [text(item, "version") for item in listed]
    return components(*parts, *[""] * (6 - len(parts)), *versions, *[""] * (2 - len(versions)), original)


def _coding(item: Value) -> tuple[str, str, str]:
    return text(item, "code"), text(item, "display"), system_name(item.get("system"))


def _code(told: Value) -> str:
    return next((text(item, "code") for item in items(told, "coding")), "")


def _attached(holder: Value) -> Written:
    return attachment(part(of_url(holder, VALUE_EXTENSION), "valueAttachment"))


def attachment(told: Value) -> Written:
    """Return data as ED in Base64, a pointer as RP, with type and subtype of tables 0191 and 0291."""
    media, _, rest = text(told, "contentType").partition(";")[0].partition("/")
    main = next((code for code, meant in MEDIA.items() if meant == media), "")
    full = f"{media}/{rest}"
    sub = next((code for code, meant in SUBTYPES.items() if meant == full), rest.upper())
    if told.get("data"):
        return Written("ED", (components("", main, sub, "Base64", text(told, "data")),))
    found = components(text(told, "url"), "", main, sub) if told.get("url") else ""
    return Written("RP", (found,)) if found else NOTHING


def reference_range(holder: Value) -> str:
    """Return OBX-7: the text of the first range, else its limits."""
    first = next(iter(items(holder, "referenceRange")), EMPTY)
    if first.get("text"):
        return components(text(first, "text"))
    low, high = (number(part(first, name).get("value")) for name in ("low", "high"))
    if low and high:
        return f"{low}-{high}"
    return f">={low}" if low else f"<={high}" if high else ""
