"""Patient.

https://hl7.org/fhir/R4/patient.html; HL7v2 PID, PD1, NK1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from mappings import codes
from mappings.codecs import BOOL, CODE, DATE, DATETIME, INT, PERIOD, TEXT, coded
from mappings.datatypes import (
    ADDRESS,
    ANNOTATION,
    ATTACHMENT,
    CODEABLE_CONCEPT,
    CODED,
    CONTACT_POINT,
    HUMAN_NAME,
    IDENTIFIER,
    REFERENCE,
)
from mappings.element import V2, Mapping, ext, extension, extensions, linked, many, one, single
from mappings.projections import patient_names
from mappings.search import flag
from mappings.v2fields import of_table, time_stamp
from mappings.v2persons import (
    birth_place,
    maiden_name,
    marital_status,
    organization_named,
    telephone,
)
from storage.model.patient import Patient, PatientCommunication, PatientContact, PatientLink

HL7 = "http://hl7.org/fhir/StructureDefinition/"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/"
GENDER = coded(codes.SEX)

CONTACT = Mapping(
    type="Patient.contact",
    table=PatientContact,
    lines=(
        many(
            "relationship",
            CODEABLE_CONCEPT,
            (V2("NK1-3", of_table("0063")), V2("NK1-7", of_table("0131"))),
        ),
        single("name", HUMAN_NAME, "NK1-2"),
        many(
            "telecom",
            CONTACT_POINT,
            tuple(V2(f"NK1-{number}", telephone()) for number in (5, 6, 40, 41)),
        ),
        single("address", ADDRESS, "NK1-4"),
        one("gender", PatientContact.gender, GENDER, "NK1-15"),
        linked("organization", PatientContact.organization, REFERENCE, V2("NK1-13", organization_named)),
        one(
            "period",
            PatientContact.period,
            PERIOD,
            (V2("NK1-8", time_stamp, "start"), V2("NK1-9", time_stamp, "end")),
        ),
    ),
)
COMMUNICATION = Mapping(
    type="Patient.communication",
    table=PatientCommunication,
    lines=(
        single("language", CODEABLE_CONCEPT, search="language:token"),
        one("preferred", PatientCommunication.preferred, BOOL),
    ),
)
LINK = Mapping(
    type="Patient.link",
    table=PatientLink,
    lines=(
        linked("other", PatientLink.other, REFERENCE, search="link:reference"),
        one("type", PatientLink.type, CODE),
    ),
)
PATIENT = Mapping(
    type="Patient",
    table=Patient,
    project=(patient_names,),
    search=(flag("deceased", "Patient.deceased", Patient.deceased_boolean, Patient.deceased),),
    lines=(
        many("identifier", IDENTIFIER, "PID-2 PID-3 PID-4", "identifier:token"),
        one("active", Patient.active, BOOL, search="active:token"),
        many("name", HUMAN_NAME, "PID-5 PID-9", "name:string family:string given:string phonetic:string"),
        many(
            "telecom",
            CONTACT_POINT,
            (V2("PID-13", telephone("home")), V2("PID-14", telephone("work")), V2("PID-40", telephone())),
            "telecom:token phone:token email:token",
        ),
        one("gender", Patient.gender, GENDER, "PID-8", "gender:token"),
        one("birthDate", Patient.birth_date, DATE, "PID-7", "birthdate:date"),
        one("deceasedBoolean", Patient.deceased_boolean, BOOL, "PID-30"),
        one("deceasedDateTime", Patient.deceased, DATETIME, "PID-29", "death-date:date"),
        many(
            "address",
            ADDRESS,
            "PID-11",
            "address:string address-city:string address-state:string address-postalcode:string"
            " address-country:string address-use:token",
        ),
        single("maritalStatus", CODEABLE_CONCEPT, V2("PID-16", marital_status)),
        one("multipleBirthBoolean", Patient.multiple_birth, BOOL, "PID-24"),
        one("multipleBirthInteger", Patient.multiple_birth_order, INT, "PID-25"),
        many("photo", ATTACHMENT),
        many("contact", CONTACT),
        many("communication", COMMUNICATION),
        many("generalPractitioner", REFERENCE, search="general-practitioner:reference"),
        linked(
            "managingOrganization", Patient.managing_organization, REFERENCE, search="organization:reference"
        ),
        many("link", LINK),
        extension(US_CORE + "us-core-birthsex", one("valueCode", Patient.birth_sex, TEXT)),
        extensions(
            HL7 + "patient-genderIdentity", "genderIdentity", CODEABLE_CONCEPT, "valueCodeableConcept"
        ),
        extensions(
            US_CORE + "us-core-genderIdentity",
            "usCoreGenderIdentity",
            CODEABLE_CONCEPT,
            "valueCodeableConcept",
        ),
        extension(
            US_CORE + "us-core-race",
            extensions("ombCategory", "race.ombCategory", CODED, "valueCoding"),
            extensions("detailed", "race.detailed", CODED, "valueCoding"),
            extension("text", one("valueString", Patient.race_text, TEXT)),
        ),
        extension(
            US_CORE + "us-core-ethnicity",
            extensions("ombCategory", "ethnicity.ombCategory", CODED, "valueCoding"),
            extensions("detailed", "ethnicity.detailed", CODED, "valueCoding"),
            extension("text", one("valueString", Patient.ethnicity_text, TEXT)),
        ),
        extension(
            HL7 + "patient-religion",
            single("valueCodeableConcept", CODEABLE_CONCEPT, V2("PID-17", of_table("0006")), at="religion"),
        ),
        extension(
            HL7 + "patient-mothersMaidenName",
            one("valueString", Patient.mothers_maiden_name, TEXT, V2("PID-6", maiden_name)),
        ),
        extension(
            HL7 + "patient-birthPlace",
            single("valueAddress", ADDRESS, V2("PID-23", birth_place), at="birthPlace"),
        ),
        extensions(ext("patient-note"), "note", ANNOTATION, "valueAnnotation"),
    ),
)
