"""Concepts of the flat record (marital status, race, language and the like), in the elements of a Patient.

https://hl7.org/fhir/us/core/StructureDefinition-us-core-race.html and https://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

from collections.abc import Mapping

from mappings.flat.words import Object, concept, first, put, words
from mappings.resources.patient import HL7, US_CORE
from storage.model.flat import Field
from storage.model.flat_places import Language, Words

Value = str | None

LANGUAGES = "urn:ietf:bcp:47"
OMB = "urn:oid:2.16.840.1.113883.6.238"
RACES = {
    "American Indian or Alaska Native": "1002-5",
    "Asian": "2028-9",
    "Black or African American": "2054-5",
    "Native Hawaiian or Other Pacific Islander": "2076-8",
    "White": "2106-3",
}
ETHNICITIES = {"Hispanic or Latino": "2135-2", "Not Hispanic or Latino": "2186-5"}
URLS = {
    "gender_identity": HL7 + "patient-genderIdentity",
    "religion": HL7 + "patient-religion",
    "race": US_CORE + "us-core-race",
    "ethnicity": US_CORE + "us-core-ethnicity",
}
ALSO_IDENTITY = US_CORE + "us-core-genderIdentity"


def set_words(patient: Object, field: Field, place: Words, value: Value) -> None:
    """Set a concept in words; None clears."""
    if field.name == "marital_status":
        if value != words(patient.get("maritalStatus"), place.system, place.codes):
            put(patient, "maritalStatus", value and concept(value, place.system, place.codes))
    elif field.name in ("race", "ethnicity"):
        codes = RACES if field.name == "race" else ETHNICITIES
        _set_omb(patient, URLS[field.name], codes, value)
    else:
        _set_concept_extension(patient, field, value)


def extensions(patient: Object, *urls: str) -> list[Object]:
    """Return the extensions of some URLs, in the order of these."""
    return [item for url in urls for item in patient.get("extension", ()) if item.get("url") == url]


def replace_extensions(patient: Object, urls: tuple[str, ...], made: Object | None) -> None:
    """Put an extension in the place of all those of some URLs; None takes them away."""
    others = [item for item in patient.get("extension", ()) if item.get("url") not in urls]
    patient["extension"] = [*others, *([{"url": urls[0], **made}] if made else [])]


def _set_concept_extension(patient: Object, field: Field, value: Value) -> None:
    urls = (URLS[field.name], *((ALSO_IDENTITY,) if field.name == "gender_identity" else ()))
    present = first(extensions(patient, *urls)).get("valueCodeableConcept")
    if value != words(present):
        replace_extensions(patient, urls, {"valueCodeableConcept": concept(value)} if value else None)


def _set_omb(patient: Object, url: str, codes: Mapping[str, str], value: Value) -> None:
    inner: list[Object] = first(extensions(patient, url)).get("extension", [])
    told = {part.get("url"): part for part in reversed(inner)}
    coded = told.get("ombCategory") or told.get("detailed")
    shown = coded["valueCoding"].get("display") or coded["valueCoding"].get("code") if coded else None
    if value == (told.get("text", {}).get("valueString") or shown):
        return
    made: list[Object] = []
    if value is not None and value in codes:
        known = {"system": OMB, "code": codes[value], "display": value}
        made.append({"url": "ombCategory", "valueCoding": known})
    made.append({"url": "text", "valueString": value})
    replace_extensions(patient, (url,), {"extension": made} if value else None)


def set_language(patient: Object, field: Field, place: Language, value: Value) -> None:
    """Set the preferred language: a tag such as en or pt-BR becomes a code; None clears all of them."""
    items: list[Object] = patient.setdefault("communication", [])
    preferred = next((item for item in items if item.get("preferred")), None) or next(iter(items), None)
    if value == (preferred and language(preferred.get("language") or {})):
        return
    if value is None:
        items.clear()
        return
    tag = value.partition("-")[0]
    is_tag = tag.isalpha() and tag.islower() and len(tag) in (2, 3)
    told = (
        {"coding": [{"system": LANGUAGES, "code": value}]} if is_tag and " " not in value else {"text": value}
    )
    if preferred is None:
        items.append({"language": told, "preferred": True})
    else:
        preferred["language"] = told


def language(told: Object) -> str | None:
    """Return a language: its text, else its code."""
    coding: Object = first(told.get("coding", ()))
    return told.get("text") or coding.get("code") or coding.get("display")
