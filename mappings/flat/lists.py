"""Allergies and medication of the flat record: a list of texts, each a resource of its own.

https://hl7.org/fhir/R4/allergyintolerance.html and https://hl7.org/fhir/R4/medicationstatement.html
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.flat.words import Object
from mappings.text import fold

TYPES = {"allergies": "AllergyIntolerance", "medications": "MedicationStatement"}
"""Field -> the type of resource of one of its texts."""
CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"


def parted(value: str | None) -> list[str]:
    """Return the texts of a list that is parted by ``;``, each once, however it is written."""
    found = (" ".join(part.split()) for part in (value or "").split(";"))
    return list({key(part): part for part in reversed([*found]) if part}.values())[::-1]


def spelling(text: str) -> str:
    """Return a text as one of a list: spaces are one, and no ``;`` is in it."""
    return " ".join(text.replace(";", ",").split())


def key(text: str) -> str:
    """Return what two texts have in common that say the same."""
    return fold(text.replace(";", ","))


def allergy(text: str, patient: str, at: str) -> Object:
    """Return an allergy that is known by a text alone."""
    return {
        "resourceType": "AllergyIntolerance",
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "code": {"text": text},
        "patient": {"reference": patient},
        "recordedDate": at,
    }


def medication(text: str, patient: str, at: str) -> Object:
    """Return what a patient takes, known by a text alone."""
    return {
        "resourceType": "MedicationStatement",
        "status": "active",
        "medicationCodeableConcept": {"text": text},
        "subject": {"reference": patient},
        "dateAsserted": at,
    }


CONCEPT = {"allergies": "code", "medications": "medicationCodeableConcept"}
"""Field -> the element that tells what it is."""


def respelt(present: Object, name: str, text: str) -> Object:
    """Return a resource of a list with its text written in another way, its codings as they were."""
    element = CONCEPT[name]
    return present | ({element: present[element] | {"text": text}} if element in present else {})


MADE: dict[str, Callable[[str, str, str], Object]] = {"allergies": allergy, "medications": medication}
"""Field -> what makes a resource of text, patient and moment."""
