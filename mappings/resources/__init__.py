"""One file per resource type; the registry of all of them.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from mappings.element import Mapping
from mappings.resources.allergy_intolerance import ALLERGY_INTOLERANCE
from mappings.resources.condition import CONDITION
from mappings.resources.coverage import COVERAGE
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from mappings.resources.document_reference import DOCUMENT_REFERENCE
from mappings.resources.encounter import ENCOUNTER
from mappings.resources.location import LOCATION
from mappings.resources.medication_statement import MEDICATION_STATEMENT
from mappings.resources.observation import OBSERVATION
from mappings.resources.organization import ORGANIZATION
from mappings.resources.patient import PATIENT
from mappings.resources.practitioner import PRACTITIONER
from mappings.resources.procedure import PROCEDURE
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.resources.specimen import SPECIMEN

REGISTRY: dict[str, Mapping] = {
    mapping.type: mapping
    for mapping in (
        PATIENT,
        PRACTITIONER,
        ORGANIZATION,
        LOCATION,
        ENCOUNTER,
        CONDITION,
        SPECIMEN,
        OBSERVATION,
        PROCEDURE,
        SERVICE_REQUEST,
        DIAGNOSTIC_REPORT,
        ALLERGY_INTOLERANCE,
        MEDICATION_STATEMENT,
        COVERAGE,
        DOCUMENT_REFERENCE,
    )
}
"""The resource types with tables of their own, by name."""
