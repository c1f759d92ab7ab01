"""Encounter, which covers visits.

https://hl7.org/fhir/R4/encounter.html; HL7v2 PV1, PV2, DG1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from mappings.codecs import CODE, INT, MONEY, PERIOD, QUANTITY, TEXT
from mappings.datatypes import CODEABLE_CONCEPT, CODED, IDENTIFIER, REFERENCE
from mappings.element import V2, Mapping, ext, extension, extensions, linked, many, one, part, single
from mappings.resources.encounter_codes import (
    diagnosis_rank,
    diagnosis_use,
    finished,
    mode_of_arrival,
    patient_class,
    status,
)
from mappings.resources.encounter_projections import set_encounter_type, set_first_complaint, set_visit_number
from mappings.v2fields import days, logical, named, of_table, time_stamp
from mappings.v2types import cx, typed
from storage.model.encounter import (
    Encounter,
    EncounterBillingCode,
    EncounterDiagnosis,
    EncounterLocation,
    EncounterParticipant,
    EncounterStatusHistory,
)

STATUS_HISTORY = Mapping(
    type="Encounter.statusHistory",
    table=EncounterStatusHistory,
    lines=(
        one("status", EncounterStatusHistory.status, CODE),
        one("period", EncounterStatusHistory.period, PERIOD),
    ),
)
PARTICIPANT = Mapping(
    type="Encounter.participant",
    table=EncounterParticipant,
    lines=(
        many("type", CODEABLE_CONCEPT, search="participant-type:token"),
        one("period", EncounterParticipant.period, PERIOD),
        linked(
            "individual",
            EncounterParticipant.individual,
            REFERENCE,
            search="participant:reference practitioner:reference:Practitioner",
        ),
    ),
)
DIAGNOSIS = Mapping(
    type="Encounter.diagnosis",
    table=EncounterDiagnosis,
    lines=(
        linked("condition", EncounterDiagnosis.diagnosis, REFERENCE, search="diagnosis:reference"),
        single("use", CODEABLE_CONCEPT, V2("DG1-6", diagnosis_use)),
        one("rank", EncounterDiagnosis.rank, INT, V2("DG1-15", diagnosis_rank)),
    ),
)
LOCATION = Mapping(
    type="Encounter.location",
    table=EncounterLocation,
    lines=(
        linked("location", EncounterLocation.location, REFERENCE, search="location:reference"),
        one("status", EncounterLocation.status, CODE),
        single("physicalType", CODEABLE_CONCEPT),
        one("period", EncounterLocation.period, PERIOD, search="location-period:date"),
    ),
)
BILLING_CODE = Mapping(
    # A complex extension: its code (CPT or HCPCS), modifier, units and charge.
    type="Extension",
    table=EncounterBillingCode,
    lines=(
        extension(
            "code",
            part(
                "valueCoding",
                one("system", EncounterBillingCode.system, TEXT),
                one("code", EncounterBillingCode.code, TEXT),
            ),
        ),
        extension("modifier", one("valueString", EncounterBillingCode.modifier, TEXT)),
        extension("units", one("valueInteger", EncounterBillingCode.units, INT)),
        extension("charge", one("valueMoney", EncounterBillingCode.charge, MONEY)),
    ),
)
MODE_OF_ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
REASON_CANCELLED = "http://hl7.org/fhir/StructureDefinition/encounter-reasonCancelled"
HOSPITALIZATION = part(
    "hospitalization",
    single("preAdmissionIdentifier", IDENTIFIER, "PV1-5"),
    linked("origin", Encounter.hosp_origin, REFERENCE),
    single("admitSource", CODEABLE_CONCEPT, V2("PV1-14", of_table("0023"))),
    single("reAdmission", CODEABLE_CONCEPT, V2("PV1-13", of_table("0092"))),
    many("dietPreference", CODEABLE_CONCEPT, V2("PV1-38", of_table("0114"))),
    many("specialCourtesy", CODEABLE_CONCEPT, V2("PV1-16", of_table("0099"))),
    many(
        "specialArrangement",
        CODEABLE_CONCEPT,
        V2("PV1-15", of_table("0009")),
        "special-arrangement:token",
    ),
    linked("destination", Encounter.hosp_destination, REFERENCE, V2("PV1-37", named)),
    single(
        "dischargeDisposition",
        CODEABLE_CONCEPT,
        V2("PV1-36", of_table("0112")),
        "discharge-disposition:token",
    ),
)
ENCOUNTER = Mapping(
    type="Encounter",
    table=Encounter,
    project=(set_visit_number, set_encounter_type, set_first_complaint),
    lines=(
        many("identifier", IDENTIFIER, (V2("PV1-19", typed(cx, "VN")), "PV1-50"), "identifier:token"),
        one("status", Encounter.status, CODE, (V2("PV1-45", finished), V2("PV1-2", status)), "status:token"),
        many("statusHistory", STATUS_HISTORY),
        single("class", CODED, V2("PV1-2", patient_class), "class:token"),
        many(
            "type",
            CODEABLE_CONCEPT,
            (V2("PV1-4", of_table("0007")), V2("PV1-18", of_table("0018"))),
            "type:token",
        ),
        single("serviceType", CODEABLE_CONCEPT, V2("PV1-10", of_table("0069"))),
        single("priority", CODEABLE_CONCEPT, V2("PV2-25", of_table("0217"))),
        linked("subject", Encounter.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        many("episodeOfCare", REFERENCE, search="episode-of-care:reference"),
        many("basedOn", REFERENCE, search="based-on:reference"),
        many("participant", PARTICIPANT),
        many("appointment", REFERENCE, search="appointment:reference"),
        one(
            "period",
            Encounter.period,
            PERIOD,
            (V2("PV1-44", time_stamp, "start"), V2("PV1-45", time_stamp, "end")),
            "date:date",
        ),
        one("length", Encounter.length, QUANTITY, V2("PV2-11", days), "length:quantity"),
        many("reasonCode", CODEABLE_CONCEPT, "PV2-3", "reason-code:token"),
        many("reasonReference", REFERENCE, search="reason-reference:reference"),
        many("diagnosis", DIAGNOSIS),
        many("account", REFERENCE, V2("PID-18", logical), "account:reference"),
        HOSPITALIZATION,
        many("location", LOCATION),
        linked(
            "serviceProvider",
            Encounter.service_provider,
            REFERENCE,
            V2("PV1-39", named),
            "service-provider:reference",
        ),
        linked("partOf", Encounter.part_of, REFERENCE, search="part-of:reference"),
        extension(
            ext("visit-details"),
            extension("treatmentPlan", one("valueString", Encounter.treatment_plan, TEXT)),
            extensions("billingCode", "billingCode", BILLING_CODE),
        ),
        extension(
            MODE_OF_ARRIVAL,
            single("valueCoding", CODED, V2("PV2-38", mode_of_arrival), at="modeOfArrival"),
        ),
        extension(REASON_CANCELLED, single("valueCodeableConcept", CODEABLE_CONCEPT, at="reasonCancelled")),
    ),
)
