"""Research cases, their members and arterial findings: typed rows beside their observations.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from mappings.research.case import add_member, case_values, change_case, drop_member, find_kind, new_case
from mappings.research.codes import details
from mappings.research.gates import (
    KEPT,
    check_encounter,
    check_range,
    claim,
    default_date,
    member_references,
    owned_by,
    owner_column,
    owner_columns,
)
from mappings.research.typed import adopt, kind_of, project, read_in

__all__ = [
    "KEPT",
    "add_member",
    "adopt",
    "case_values",
    "change_case",
    "check_encounter",
    "check_range",
    "claim",
    "default_date",
    "details",
    "drop_member",
    "find_kind",
    "kind_of",
    "member_references",
    "new_case",
    "owned_by",
    "owner_column",
    "owner_columns",
    "project",
    "read_in",
]
