"""AllergyIntolerance: what a patient does not tolerate, and how the body reacted.

https://hl7.org/fhir/R4/allergyintolerance.html; HL7v2 AL1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.codecs import DATETIME, LIST, TEXT, coded
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, Refused, either, linked, many, one, single
from mappings.v2types import cwe
from storage.model.clinical import Allergy, AllergyReaction

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition
    from storage.record import Record

CATEGORIES = ("food", "medication", "environment", "biologic")
CATEGORY_OF_TYPE = {
    "DA": "medication",
    "FA": "food",
    "EA": "environment",
    "AA": "biologic",
    "PA": "environment",
    "LA": "environment",
}
"""Table 0127, allergen type -> AllergyIntoleranceCategory; MA and MC (miscellaneous) tell none."""
TYPE_OF_TYPE = dict.fromkeys((*CATEGORY_OF_TYPE, "MA"), "allergy")
"""Table 0127 -> AllergyIntoleranceType; MC is a contraindication, no allergy."""


def category(repetition: Repetition, context: V2Context) -> Value:
    """AL1-2 -> AllergyIntolerance.category."""
    del context
    found = CATEGORY_OF_TYPE.get(repetition.component(1).strip().upper())
    return found and [found]


def manifestation(repetition: Repetition, context: V2Context) -> Value:
    """AL1-5, ST (some senders: CWE) -> reaction.manifestation."""
    if repetition.count > 1:
        return cwe(repetition, context)
    told = repetition.text.strip()
    return {"text": told} if told else None


def check_category(record: Record) -> None:
    """Refuse a category that is none of the four: no column checks a list."""
    for place, code in enumerate(record.main["category"] or ()):
        if code is not None and code not in CATEGORIES:
            where = f"AllergyIntolerance.category[{place}]"
            raise Refused("code-invalid", where, code, ", ".join(CATEGORIES))


REACTION = Mapping(
    # AL1-4 is the severity of a reaction for those who send it in that sense, and else the criticality.
    type="AllergyIntolerance.reaction",
    table=AllergyReaction,
    lines=(
        single("substance", CODEABLE_CONCEPT, search="code:token"),
        many("manifestation", CODEABLE_CONCEPT, V2("AL1-5", manifestation), "manifestation:token"),
        one("description", AllergyReaction.description, TEXT),
        one("onset", AllergyReaction.onset, DATETIME, search="onset:date"),
        one(
            "severity",
            AllergyReaction.severity,
            coded(SV="severe", MO="moderate", MI="mild"),
            "AL1-4",
            "severity:token",
        ),
        single("exposureRoute", CODEABLE_CONCEPT, search="route:token"),
        many("note", ANNOTATION),
    ),
)
ALLERGY_INTOLERANCE = Mapping(
    type="AllergyIntolerance",
    table=Allergy,
    read_in=(check_category,),
    lines=(
        many("identifier", IDENTIFIER, search="identifier:token"),
        single("clinicalStatus", CODEABLE_CONCEPT, search="clinical-status:token"),
        single("verificationStatus", CODEABLE_CONCEPT, search="verification-status:token"),
        one("type", Allergy.type, coded(TYPE_OF_TYPE), "AL1-2", "type:token"),
        one("category", Allergy.category, LIST, V2("AL1-2", category), "category:token"),
        one("criticality", Allergy.criticality, coded(SV="high", MI="low"), "AL1-4", "criticality:token"),
        single("code", CODEABLE_CONCEPT, "AL1-3", "code:token"),
        linked("patient", Allergy.patient, REFERENCE, search="patient:reference:Patient"),
        linked("encounter", Allergy.encounter, REFERENCE),
        either(
            "onset",
            "dateTime Age Period Range string",
            one("onsetDateTime", Allergy.onset, DATETIME, "AL1-6"),
        ),
        one("recordedDate", Allergy.recorded_date, DATETIME, search="date:date"),
        linked("recorder", Allergy.recorder, REFERENCE, search="recorder:reference"),
        linked("asserter", Allergy.asserter, REFERENCE, search="asserter:reference"),
        one("lastOccurrence", Allergy.last_occurrence, DATETIME, search="last-date:date"),
        many("note", ANNOTATION),
        many("reaction", REACTION),
    ),
)
