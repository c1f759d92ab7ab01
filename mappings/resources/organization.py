"""Organization.

https://hl7.org/fhir/R4/organization.html
"""

from __future__ import annotations

from mappings.codecs import BOOL, LIST, TEXT
from mappings.datatypes import ADDRESS, CODEABLE_CONCEPT, CONTACT_POINT, IDENTIFIER, REFERENCE
from mappings.element import Mapping, linked, many, one
from storage.model.people import Organization

ORGANIZATION = Mapping(
    type="Organization",
    table=Organization,
    lines=(
        many("identifier", IDENTIFIER, search="identifier:token"),
        one("active", Organization.active, BOOL, search="active:token"),
        many("type", CODEABLE_CONCEPT, search="type:token"),
        one("name", Organization.name, TEXT, search="name:string phonetic:string"),
        one("alias", Organization.alias, LIST, search="name:string"),
        many("telecom", CONTACT_POINT),
        many(
            "address",
            ADDRESS,
            search="address:string address-city:string address-state:string address-postalcode:string"
            " address-country:string address-use:token",
        ),
        linked("partOf", Organization.part_of, REFERENCE, search="partof:reference"),
        many("endpoint", REFERENCE, search="endpoint:reference"),
    ),
)
