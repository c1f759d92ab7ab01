"""The ways in which a FHIR value may be written as a repetition of a field, the fullest first.

https://hl7.org/fhir/uv/v2mappings/2024Sep/datatype_maps.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from string import ascii_uppercase
from typing import Any
from urllib.parse import unquote

from mappings import times
from mappings.element import V2Context, Value, cs
from mappings.outbound.sheet import Part, components
from mappings.v2types import (
    ADDRESS_TYPE,
    ADDRESS_USE,
    CODE_SYSTEMS,
    HD,
    NAME_USE,
    TELECOM_SYSTEM,
    TELECOM_USE,
    V2_TABLE,
)

CODE = re.compile(r"[a-z]+(-[a-z]+)*\Z")
DATE = re.compile(r"\d{4}(-\d\d){0,2}(T.*)?\Z")
SYSTEM_NAMES = {system: name for name, system in reversed(CODE_SYSTEMS.items())} | {
    cs("research-case"): "99SGRC"
}
"""FHIR system -> the first name that table 0396 has for it."""
INNER = (0, 3)
"""Components before one that is itself a concept, or a time: of SPS, of TQ."""


def system_name(system: str | None) -> str:
    """Return the name of a code system in CWE-3, empty where it has none."""
    told = system or ""
    if told.startswith(V2_TABLE):
        return f"HL7{told.removeprefix(V2_TABLE)}"
    if told.startswith("urn:hl7:cs:"):
        return unquote(told.removeprefix("urn:hl7:cs:"))
    return SYSTEM_NAMES.get(told, "")


def authorities(system: str | None, context: V2Context) -> list[tuple[str, str, str]]:
    """Return how the assigning authority of a system may be written (HD): by its declared name, its OID, its
    URI.
    """
    told = system or ""
    found = [(name, "", "") for name, declared in context.systems.items() if told and declared == told]
    if told.startswith(HD):
        found.append((unquote(told.removeprefix(HD)), "", ""))
    elif told.startswith("urn:oid:"):
        found.append(("", told.removeprefix("urn:oid:"), "ISO"))
    elif told.startswith("urn:uuid:"):
        found.append(("", told.removeprefix("urn:uuid:"), "UUID"))
    elif told:
        found.append(("", told, "URI"))
    return [*found, ("", "", "")]


def authority(system: str | None, context: V2Context) -> tuple[str, str, str]:
    """Return how the assigning authority of a system is written."""
    return authorities(system, context)[0]


def moment(text: object) -> str:
    """Return the DTM of a FHIR date or time, empty where there is none."""
    return times.to_v2(text) if isinstance(text, str) else ""


def number(value: object) -> str:
    """Return the NM of a number, empty for anything else."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def ways(value: Value, context: V2Context) -> Iterator[str]:
    """Yield the ways to write a value."""
    if isinstance(value, bool):
        yield from ("Y", "N", "PRN")
    elif isinstance(value, (int, Decimal)):
        yield number(value)
    elif isinstance(value, str):
        yield from _texts(value)
    elif isinstance(value, dict):
        yield from _objects(value, context)  # pyright: ignore[reportUnknownArgumentType]


def _texts(text: str) -> Iterator[str]:
    if DATE.match(text):
        yield times.to_v2(text)
    yield components(text)
    if CODE.match(text):
        yield from _letters()


def _letters() -> Iterator[str]:
    """Yield the codes of one letter, in the components where tables stand."""
    for place, letter in product((0, 5), ascii_uppercase):
        yield "^" * place + letter


def _objects(value: dict[str, Any], context: V2Context) -> Iterator[str]:
    if len(value) == 1 and "identifier" not in value and not value.keys() & {"coding", "text", "family"}:
        yield from ways(next(iter(value.values())), context)
    if isinstance(value.get("identifier"), dict):
        yield from _identifiers(value["identifier"], context)
        yield from _organizations(value, value["identifier"], context)
    if value.keys() & {"coding", "code"}:
        yield from _concepts(value)
    if "text" in value:
        yield from _annotations(str(value["text"]))
    if value.keys() & {"family", "given", "prefix", "suffix"}:
        yield _name(value)
    if value.keys() & {"line", "city", "state", "postalCode", "country", "district"}:
        yield from _addresses(value)
    if "value" in value:
        yield from _valued(value, context)
    if value.keys() & {"start", "end"}:
        yield components(moment(value.get("start")), moment(value.get("end")))


def _valued(value: dict[str, Any], context: V2Context) -> Iterator[str]:
    told: Any = value["value"]
    if isinstance(told, (int, Decimal)):
        yield components(number(told), ("", value["unit"]) if value.get("unit") else "")
        yield components(number(told), value.get("unit") or "")
        yield number(told)
        return
    yield from _contacts(value)
    yield from _identifiers(value, context)


def type_code(value: dict[str, Any]) -> str:
    """Return the code of an identifier's type (table 0203), else its text."""
    kind: dict[str, Any] = value.get("type") or {}
    listed: list[dict[str, Any]] = kind.get("coding") or []
    return next((str(item["code"]) for item in listed if "code" in item), "") or kind.get("text", "")


def _identifiers(value: dict[str, Any], context: V2Context) -> Iterator[str]:
    told, kind = str(value.get("value") or ""), type_code(value)
    period: dict[str, Any] = value.get("period") or {}
    span = moment(period.get("start")), moment(period.get("end"))
    name = system_name(value.get("system"))
    for found in authorities(value.get("system"), context):
        yield components(told, "", "", found, kind, "", *span)
        yield components(told, *found)
        yield components((told, *found))
        yield components("", (told, *found))
    if name:
        yield components(told, "", name)
    yield components(told)


def _organizations(reference: dict[str, Any], number: dict[str, Any], context: V2Context) -> Iterator[str]:
    """Yield the XON of a Reference that names an organization, its number in component 10 or 3."""
    shown, told = str(reference.get("display") or ""), str(number.get("value") or "")
    for found in authorities(number.get("system"), context):
        yield components(shown, "", "", "", "", found, type_code(number), "", "", told)
        yield components(shown, "", told, "", "", found, type_code(number))


def _name(value: dict[str, Any]) -> str:
    given: list[str] = [*(value.get("given") or ()), "", ""]
    suffix: list[str] = [*(value.get("suffix") or ()), "", ""]
    period: dict[str, Any] = value.get("period") or {}
    use = next((code for code, meant in NAME_USE.items() if meant == value.get("use")), "")
    prefix: list[str] = [*(value.get("prefix") or ()), ""]
    span = moment(period.get("start")), moment(period.get("end"))
    parts: tuple[Part, ...] = (value.get("family") or "", given[0], given[1], suffix[0], prefix[0], suffix[1])
    return components(*parts, use, "", "", "", "", *span)


def _addresses(value: dict[str, Any]) -> Iterator[str]:
    lines: list[str] = [*(value.get("line") or ()), "", "", ""]
    uses = [code for code, meant in ADDRESS_USE.items() if meant == value.get("use")]
    kinds = [code for code, meant in ADDRESS_TYPE.items() if meant == value.get("type")]
    place = [value.get(name) or "" for name in ("city", "state", "postalCode", "country")]
    district = value.get("district") or ""
    for use in (*uses, *kinds, ""):
        if lines[2]:
            yield components((lines[0], lines[1]), lines[2], *place, use, "", district)
        yield components(lines[0], lines[1], *place, use, "", district)
        # The separator tells that it is an address, where a text may stand too.
        yield components(lines[0], lines[1], *place, use, "", district) + "^"


def _contacts(value: dict[str, Any]) -> Iterator[str]:
    told = str(value["value"])
    kind, use = value.get("system"), value.get("use")
    equipment = [code for code, meant in TELECOM_SYSTEM.items() if meant == kind] or [""]
    uses = [code for code, meant in TELECOM_USE.items() if meant == use]
    for place, way in product((*uses, ""), equipment):
        if kind == "email":
            yield components("", place or "NET", way, told)
        yield components(told, place, way)
    yield components(told)


def _concepts(value: dict[str, Any]) -> Iterator[str]:
    listed: list[dict[str, Any]] = value.get("coding", [value])
    text = str(value.get("text") or "")
    for named in (False, True):
        parts = [_coding(item, named=named) for item in listed[:3]]
        blank = ["", "", ""]
        first, second, third = (*parts, blank, blank, blank)[:3]
        versions = [str(item.get("version") or "") for item in (*listed[:3], {}, {}, {})][:3]
        yield components(*first, *second, versions[0], versions[1], text, *third, versions[2])
        # A reader may take the first triplet for a code of its own table: the second is left as it is.
        yield components(*blank, *first, "", versions[0], text)
        yield components(first[0]) if not named else components(*first)
        for before in INNER:
            yield components(*[""] * before, tuple(first))
    yield from ascii_uppercase


def _coding(item: dict[str, Any], *, named: bool) -> list[str]:
    name = system_name(item.get("system")) if named else ""
    return [str(item.get("code") or ""), str(item.get("display") or ""), name]


def _annotations(text: str) -> Iterator[str]:
    yield components(text)
    yield components("", text)
    yield components(*[""] * 7, text)
    for before in INNER:
        yield components(*[""] * before, ("", text))
    yield from ascii_uppercase
