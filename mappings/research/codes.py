"""The code systems of research cases, and which table an observation belongs to by its codes.

https://hl7.org/fhir/R4/observation.html#code
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mappings.concepts import LOINC, SIDE_OF, SNOMED
from mappings.element import cs
from mappings.research.arterial_columns import ARTERIAL
from mappings.research.instruments import BY_LOINC
from mappings.units import UCUM, known
from storage.model.research import KINDS, MEMBERS

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Table
    from storage.model.research import CaseKind, Column

CASE = cs("research-case")
"""Kinds of case and member; in HL7v2 (99SGRC) also the names of columns and the codes of their lists."""
COMMON = cs("rc-common")
ATTRIBUTE = cs("rc-other-attribute")
INSTRUMENT = cs("rc-outcome-instrument")
OBSERVATION = cs("observation")

ALL: dict[str, CaseKind] = {**KINDS, **MEMBERS, ARTERIAL.name: ARTERIAL}
"""Every kind of typed observation, by table."""
BY_CODE = {(CASE, kind.code): kind for kind in (*KINDS.values(), *MEMBERS.values())} | {
    (OBSERVATION, "arterial-finding"): ARTERIAL,
    (OBSERVATION, "arterial-index"): ARTERIAL,
}
BY_PATH = {kind.path: kind for kind in ALL.values()}
"""Every kind by its part of the address of the native interface."""
OUTCOME = MEMBERS["rc_outcome"]


def dashed(kind: CaseKind) -> str:
    """Return the name of a kind within the addresses of its code systems: ``rc-hiparthroplasty``."""
    return kind.name.replace("_", "-")


def column_system(kind: CaseKind, column: Column) -> str:
    """Return the code system of a column's name."""
    if kind is ARTERIAL:
        return OBSERVATION
    return COMMON if column.common else cs(dashed(kind))


def value_system(kind: CaseKind, column: Column) -> str:
    """Return the code system of the list of an ``enum`` or ``set`` column."""
    return cs(f"{'rc-common' if column.common else dashed(kind)}-{column.name}")


def codings(concept: Value) -> list[dict[str, Any]]:
    """Return the codings of a CodeableConcept, none where it is absent."""
    return concept.get("coding", []) if concept else []


def side_of(concept: Value, allowed: tuple[str, ...]) -> str | None:
    """Return the first of the allowed sides that a CodeableConcept is coded with in SNOMED CT."""
    coded = (SIDE_OF.get(c.get("code", "")) for c in codings(concept) if c.get("system") == SNOMED)
    return next((side for side in coded if side in allowed), None)


def routed(resource: dict[str, Value]) -> CaseKind | None:
    """Return the kind that an Observation is of by its code; None for an ordinary one.

    An instrument's LOINC code alone makes an outcome only of a plain score within the instrument's range:
    others use the same codes for other things, and nothing of theirs may be refused.
    """
    for coding in codings(resource.get("code")):
        kind = BY_CODE.get((coding.get("system", ""), coding.get("code", "")))
        if kind is not None:
            return kind
    return OUTCOME if _is_score(resource) else None


def _is_score(resource: dict[str, Value]) -> bool:
    quantity = resource.get("valueQuantity")
    found = next(
        (BY_LOINC.get(c.get("code", "")) for c in codings(resource.get("code")) if c.get("system") == LOINC),
        None,
    )
    if found is None or not quantity or "comparator" in quantity or "value" not in quantity:
        return False
    plain = quantity.get("system", UCUM) == UCUM and known(quantity.get("code")) == known("1")
    return plain and found.low <= Decimal(quantity["value"]) <= found.high


def details(resource: dict[str, Value]) -> tuple[type[Table], ...]:
    """Return the detail table of an Observation, if it has one (``Mapping.details``)."""
    kind = routed(resource)
    return (kind.table,) if kind else ()


def column_of(kind: CaseKind, component: dict[str, Value]) -> Column | None:
    """Return the column that a component is meant for by its code; None for an ordinary one."""
    for coding in codings(component.get("code")):
        system, code = coding.get("system"), coding.get("code", "")
        if system == ATTRIBUTE and code:
            return kind.by_name.get("attributes")
        column = kind.by_name.get(code) if system in _systems(kind) else None
        if column is not None and not column.header and column.kind != "attributes":
            return column
    return None


def _systems(kind: CaseKind) -> tuple[str, ...]:
    return (OBSERVATION,) if kind is ARTERIAL else (cs(dashed(kind)), COMMON, CASE)
