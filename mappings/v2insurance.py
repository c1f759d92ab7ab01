"""Readers of the fields of IN1 that are not of their element's usual datatype: the plan, the policy, the
person insured.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-in1-to-coverage.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.v2fields import of_table
from mappings.v2types import code_system, compact, identifier_type

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

CLASS = "http://terminology.hl7.org/CodeSystem/coverage-class"
RELATIONSHIP = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"
RELATIONSHIPS = {"SEL": "self", "SPO": "spouse", "DOM": "common", "OTH": "other"}
"""Table 0063 -> subscriber-relationship, as far as it reads the same both ways: IN1-17 tells what the
subscriber is to the patient, Coverage.relationship what the patient is to the subscriber.
"""

_of_0063 = of_table("0063")


def plan_identifier(repetition: Repetition, context: V2Context) -> Value:
    """IN1-2, CWE -> Identifier of the plan: its code, in the system that the code is of."""
    del context
    value = repetition.component(1).strip()
    return compact(system=code_system(repetition.component(3)), value=value) if value else None


def plan(repetition: Repetition, context: V2Context) -> Value:
    """IN1-2, CWE -> a class of the cover: the plan, by its code or else its name."""
    del context
    code, name = repetition.component(1).strip(), repetition.component(2).strip()
    if not (code or name):
        return None
    kind = {"coding": [{"system": CLASS, "code": "plan"}]}
    return compact(type=kind, value=code or name, name=name)


def policy_number(repetition: Repetition, context: V2Context) -> Value:
    """IN1-36, ST -> Identifier of type MB (member number)."""
    del context
    value = repetition.text.strip()
    return compact(type=identifier_type("MB"), value=value) if value else None


def person_named(repetition: Repetition, context: V2Context) -> Value:
    """IN1-16, XPN -> a Reference that only names the person: "Family, Given"."""
    del context
    given = " ".join(part for part in (repetition.component(2), repetition.component(3)) if part)
    return compact(display=", ".join(part for part in (repetition.component(1), given) if part))


def relationship(repetition: Repetition, context: V2Context) -> Value:
    """IN1-17, CWE of table 0063 -> Coverage.relationship."""
    known = RELATIONSHIPS.get(repetition.component(1).strip().upper())
    return {"coding": [{"system": RELATIONSHIP, "code": known}]} if known else _of_0063(repetition, context)
