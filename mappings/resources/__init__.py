"""One file per resource type that has tables; the registry of these and of all others.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType

from mappings.element import Mapping
from mappings.other_resource import mapping_of_content, types_of_content
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

_MADE: dict[str, Mapping] = {
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
WITH_TABLES = frozenset(_MADE)
"""The resource types with tables of their own."""


class Registry(MappingType[str, Mapping]):
    """The mappings of all resource types that are stored, by name. One without tables is made when it is
    first asked for, so that starting does not wait for all of them.
    """

    def __init__(self, made: dict[str, Mapping]) -> None:
        self._made = made
        self._names: dict[str, None] | None = None

    def _listed(self) -> dict[str, None]:
        if self._names is None:
            self._names = dict.fromkeys((*self._made, *types_of_content(self._made)))
        return self._names

    def __getitem__(self, name: str) -> Mapping:
        found = self._made.get(name)
        if found is None:
            if name not in self._listed():
                raise KeyError(name)
            found = self._made.setdefault(name, mapping_of_content(name))
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._listed()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed())

    def __len__(self) -> int:
        return len(self._listed())


REGISTRY = Registry(_MADE)
"""All resource types that are stored, those with tables first."""
