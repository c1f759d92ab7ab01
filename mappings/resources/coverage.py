"""Coverage: who pays for a patient's care.

https://hl7.org/fhir/R4/coverage.html; HL7v2 IN1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from mappings.codecs import CODE, INT, PERIOD, TEXT
from mappings.datatypes import CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, linked, many, one, single
from mappings.resources.coverage_projections import set_insurance_type
from mappings.v2fields import of_table, text, time_stamp
from mappings.v2insurance import person_named, plan, plan_identifier, policy_number, relationship
from storage.model.clinical import Coverage, CoverageClass

CLASS = Mapping(
    # IN1-8 and IN1-9 are number and name of one class, the group.
    type="Coverage.class",
    table=CoverageClass,
    lines=(
        single("type", CODEABLE_CONCEPT, search="class-type:token"),
        one("value", CoverageClass.value, TEXT, V2("IN1-8", text), "class-value:string"),
        one("name", CoverageClass.name, TEXT, V2("IN1-9", text)),
    ),
)
COVERAGE = Mapping(
    type="Coverage",
    table=Coverage,
    project=(set_insurance_type,),
    lines=(
        many(
            "identifier",
            IDENTIFIER,
            (V2("IN1-36", policy_number), V2("IN1-2", plan_identifier)),
            "identifier:token",
        ),
        one("status", Coverage.status, CODE, search="status:token"),
        single(
            "type",
            CODEABLE_CONCEPT,
            (V2("IN1-15", of_table("0086")), V2("IN1-47", of_table("0309"))),
            "type:token",
        ),
        linked("policyHolder", Coverage.policy_holder, REFERENCE, search="policy-holder:reference"),
        linked(
            "subscriber",
            Coverage.subscriber,
            REFERENCE,
            V2("IN1-16", person_named),
            "subscriber:reference",
        ),
        one("subscriberId", Coverage.subscriber_number, TEXT, (V2("IN1-49", text), V2("IN1-10", text))),
        linked(
            "beneficiary",
            Coverage.patient,
            REFERENCE,
            search="beneficiary:reference:Patient patient:reference:Patient",
        ),
        one("dependent", Coverage.dependent, TEXT, search="dependent:string"),
        single("relationship", CODEABLE_CONCEPT, V2("IN1-17", relationship)),
        one(
            "period",
            Coverage.period,
            PERIOD,
            (V2("IN1-12", time_stamp, "start"), V2("IN1-13", time_stamp, "end")),
        ),
        many("payor", REFERENCE, search="payor:reference"),
        many("class", CLASS, V2("IN1-2", plan)),
        one("order", Coverage.position, INT, "IN1-22 IN1-1"),
        one("network", Coverage.network, TEXT),
        many("contract", REFERENCE),
    ),
)
