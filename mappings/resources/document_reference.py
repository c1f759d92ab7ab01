"""DocumentReference: what a document is and where it is; the document itself stays there.

https://hl7.org/fhir/R4/documentreference.html; HL7v2 TXA: https://hl7.org/fhir/uv/v2mappings/
"""

from __future__ import annotations

from dataclasses import replace

from mappings.codecs import CODE, DATETIME, PERIOD, TEXT, coded
from mappings.datatypes import ATTACHMENT, CODEABLE_CONCEPT, CODED, IDENTIFIER, REFERENCE
from mappings.element import V2, Composite, Mapping, linked, many, one, part, searches, single
from mappings.resources.document_projections import confidentiality, set_document_kind
from mappings.v2fields import of_table, time_of_day
from mappings.v2types import ei
from storage.model.document import Document, DocumentContent, DocumentRelation


def searched(mapping: Mapping, **words: str) -> Mapping:
    """Return a datatype whose elements are searched too: by element, the search words of its line."""
    lines = (replace(line, search=searches(words.get(line.element, ""))) for line in mapping.lines)
    return Mapping(type=mapping.type, table=mapping.table, lines=tuple(lines))


FILE = searched(ATTACHMENT, contentType="contenttype:token", language="language:token", url="location:uri")
CONTENT = Mapping(
    type="DocumentReference.content",
    table=DocumentContent,
    lines=(
        single("attachment", FILE),
        single("format", CODED, search="format:token"),
    ),
)
RELATION = Mapping(
    type="DocumentReference.relatesTo",
    table=DocumentRelation,
    lines=(
        one("code", DocumentRelation.code, CODE, search="relation:token"),
        linked("target", DocumentRelation.target, REFERENCE, search="relatesto:reference"),
    ),
)
AVAILABILITY = coded(AV="current", UN="current", CA="entered-in-error", OB="superseded")
"""Table 0273."""
COMPLETION = coded(dict.fromkeys(("DI", "DO", "IP", "IN", "PA"), "preliminary"), AU="final", LA="final")
"""Table 0271."""
CONTEXT = part(
    "context",
    many("encounter", REFERENCE, search="encounter:reference"),
    many("event", CODEABLE_CONCEPT, search="event:token"),
    one("period", Document.context_period, PERIOD, search="period:date"),
    single("facilityType", CODEABLE_CONCEPT, search="facility:token"),
    single("practiceSetting", CODEABLE_CONCEPT, search="setting:token"),
    single("sourcePatientInfo", REFERENCE),
    many("related", REFERENCE, search="related:reference"),
)
DOCUMENT_REFERENCE = Mapping(
    type="DocumentReference",
    table=Document,
    project=(set_document_kind,),
    kept_columns=(Document.allowed_roles,),
    composites=(
        # In the order in which R4 names the parts, which its expressions have the other way round.
        Composite("relationship", ("relatesto", "relation"), ("relatesTo",)),
    ),
    lines=(
        single("masterIdentifier", IDENTIFIER, V2("TXA-12", ei), "identifier:token"),
        many("identifier", IDENTIFIER, search="identifier:token"),
        one("status", Document.status, AVAILABILITY, "TXA-19", "status:token"),
        one("docStatus", Document.doc_status, COMPLETION, "TXA-17"),
        single("type", CODEABLE_CONCEPT, V2("TXA-2", of_table("0270")), "type:token"),
        many("category", CODEABLE_CONCEPT, search="category:token"),
        linked("subject", Document.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        one("date", Document.date, DATETIME, V2("TXA-6", time_of_day), "date:date"),
        many("author", REFERENCE, search="author:reference"),
        linked("authenticator", Document.authenticator, REFERENCE, search="authenticator:reference"),
        linked("custodian", Document.custodian, REFERENCE, search="custodian:reference"),
        many("relatesTo", RELATION),
        one("description", Document.description, TEXT, "TXA-25", "description:string"),
        many("securityLabel", CODEABLE_CONCEPT, V2("TXA-18", confidentiality), "security-label:token"),
        many("content", CONTENT),
        CONTEXT,
    ),
)
