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


MADE: dict[str, Callable[[str, str, str], Object]] = {"allergies": allergy, "medications": medication}
"""Field -> what makes a resource of text, patient and moment."""
