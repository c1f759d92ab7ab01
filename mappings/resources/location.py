"""Location.

https://hl7.org/fhir/R4/location.html; HL7v2 PL: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.codecs import CODE, DECIMAL, LIST, TEXT
from mappings.datatypes import ADDRESS, CODEABLE_CONCEPT, CODED, CONTACT_POINT, IDENTIFIER, REFERENCE
from mappings.element import Mapping, linked, many, one, part, sid, single
from mappings.search import near
from storage.model.people import Location
from storage.model.shared import Identifier

if TYPE_CHECKING:
    from storage.record import Record

PL = sid("pl")


def set_pl_key(record: Record) -> None:
    """Set the key by which messages find the place: the value of its identifier of our PL system."""
    identifiers = record.rows(Identifier, None, "identifier")
    record.main["pl_key"] = next((row["value"] for row in identifiers if row["system"] == PL), None)


LOCATION = Mapping(
    type="Location",
    table=Location,
    project=(set_pl_key,),
    search=(near("near", "Location.position", Location.latitude, Location.longitude),),
    lines=(
        many("identifier", IDENTIFIER, search="identifier:token"),
        one("status", Location.status, CODE, search="status:token"),
        single("operationalStatus", CODED, search="operational-status:token"),
        one("name", Location.name, TEXT, search="name:string"),
        one("alias", Location.alias, LIST, search="name:string"),
        one("description", Location.description, TEXT),
        one("mode", Location.mode, CODE),
        many("type", CODEABLE_CONCEPT, search="type:token"),
        many("telecom", CONTACT_POINT),
        single(
            "address",
            ADDRESS,
            search="address:string address-city:string address-state:string address-postalcode:string"
            " address-country:string address-use:token",
        ),
        single("physicalType", CODEABLE_CONCEPT),
        part(
            "position",
            one("longitude", Location.longitude, DECIMAL),
            one("latitude", Location.latitude, DECIMAL),
            one("altitude", Location.altitude, DECIMAL),
        ),
        linked(
            "managingOrganization", Location.managing_organization, REFERENCE, search="organization:reference"
        ),
        linked("partOf", Location.part_of, REFERENCE, search="partof:reference"),
        many("endpoint", REFERENCE, search="endpoint:reference"),
    ),
)
