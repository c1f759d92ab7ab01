"""Research cases, their members and arterial findings: typed rows beside their observations.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from mappings.research.case import add_member, case_values, change_case, find_kind, new_case
from mappings.research.codes import details
from mappings.research.gates import (
    KEPT,
    check_encounter,
    claim,
    default_date,
    member_references,
    owner_column,
)
from mappings.research.typed import adopt, kind_of, project, read_in

__all__ = [
    "KEPT",
    "add_member",
    "adopt",
    "case_values",
    "change_case",
    "check_encounter",
    "claim",
    "default_date",
    "details",
    "find_kind",
    "kind_of",
    "member_references",
    "new_case",
    "owner_column",
    "project",
    "read_in",
]
