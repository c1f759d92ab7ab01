"""Practitioner.

https://hl7.org/fhir/R4/practitioner.html; HL7v2 XCN: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.codecs import BOOL, CODE, DATE, TEXT
from mappings.datatypes import ADDRESS, ATTACHMENT, CODEABLE_CONCEPT, CONTACT_POINT, HUMAN_NAME, IDENTIFIER
from mappings.element import Mapping, ext, extension, many, one
from mappings.projections import display_name
from storage.model.people import Practitioner

if TYPE_CHECKING:
    from storage.record import Record


def set_display_name(record: Record) -> None:
    """Set the name that lists show."""
    record.main["display_name"] = display_name(record)


PRACTITIONER = Mapping(
    type="Practitioner",
    table=Practitioner,
    project=(set_display_name,),
    lines=(
        many("identifier", IDENTIFIER, search="identifier:token"),
        one("active", Practitioner.active, BOOL, search="active:token"),
        many("name", HUMAN_NAME, search="name:string family:string given:string phonetic:string"),
        many("telecom", CONTACT_POINT, search="telecom:token phone:token email:token"),
        many(
            "address",
            ADDRESS,
            search="address:string address-city:string address-state:string address-postalcode:string"
            " address-country:string address-use:token",
        ),
        one("gender", Practitioner.gender, CODE, search="gender:token"),
        one("birthDate", Practitioner.birth_date, DATE),
        many("photo", ATTACHMENT),
        many("communication", CODEABLE_CONCEPT, search="communication:token"),
        extension(ext("specialty"), one("valueString", Practitioner.specialty_text, TEXT)),
    ),
)
