"""MedicationStatement: that a patient takes a medicine, took it or will.

https://hl7.org/fhir/R4/medicationstatement.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.codecs import CODE, DATETIME, DATETIME_OF_PERIOD, PERIOD, Plain
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import Mapping, Unclaimed, choice, either, linked, many, one, single
from storage.model.clinical import Medication

if TYPE_CHECKING:
    from mappings.element import Value


class DosageCodec(Plain):
    """The text of the first Dosage; the structured rest comes back for as long as that text stands."""

    def to_row(self, value: Value) -> tuple[Any, ...]:
        first: Any = value[0] if isinstance(value, list) and value else None  # pyright: ignore[reportUnknownVariableType]
        text: Any = first.get("text") if isinstance(first, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if not isinstance(text, str):
            raise Unclaimed
        return (text,)

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return None if columns[0] is None else [{"text": columns[0]}]


MEDICATION_STATEMENT = Mapping(
    type="MedicationStatement",
    table=Medication,
    lines=(
        many("identifier", IDENTIFIER, search="identifier:token"),
        many("basedOn", REFERENCE),
        many("partOf", REFERENCE, search="part-of:reference"),
        one("status", Medication.status, CODE, search="status:token"),
        many("statusReason", CODEABLE_CONCEPT),
        single("category", CODEABLE_CONCEPT, search="category:token"),
        either(
            "medication",
            "CodeableConcept Reference",
            single("medicationCodeableConcept", CODEABLE_CONCEPT, search="code:token", at="medication"),
            single("medicationReference", REFERENCE, search="medication:reference", at="medication"),
        ),
        linked(
            "subject", Medication.patient, REFERENCE, search="patient:reference:Patient subject:reference"
        ),
        linked("context", Medication.context, REFERENCE, search="context:reference"),
        choice(
            "effective",
            Medication.effective_kind,
            one("effectiveDateTime", Medication.effective, DATETIME_OF_PERIOD, search="effective:date"),
            one("effectivePeriod", Medication.effective, PERIOD, search="effective:date"),
        ),
        one("dateAsserted", Medication.date_asserted, DATETIME),
        linked("informationSource", Medication.information_source, REFERENCE, search="source:reference"),
        many("derivedFrom", REFERENCE),
        many("reasonCode", CODEABLE_CONCEPT),
        many("reasonReference", REFERENCE),
        many("note", ANNOTATION),
        one("dosage", Medication.dosage_text, DosageCodec()),
    ),
)
