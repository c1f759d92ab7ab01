"""One file per resource type; the registry of all of them.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from mappings.element import Mapping
from mappings.resources.condition import CONDITION
from mappings.resources.encounter import ENCOUNTER
from mappings.resources.location import LOCATION
from mappings.resources.observation import OBSERVATION
from mappings.resources.organization import ORGANIZATION
from mappings.resources.patient import PATIENT
from mappings.resources.practitioner import PRACTITIONER
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
    )
}
"""The resource types with tables of their own, by name."""
