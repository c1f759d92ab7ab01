"""DocumentReference: what a document is and where it is; the document itself stays there.

https://hl7.org/fhir/R4/documentreference.html
"""

from __future__ import annotations

from dataclasses import replace

from mappings.codecs import CODE, DATETIME, PERIOD, TEXT
from mappings.datatypes import ATTACHMENT, CODEABLE_CONCEPT, CODED, IDENTIFIER, REFERENCE
from mappings.element import Composite, Mapping, linked, many, one, part, searches, single
from mappings.resources.document_projections import set_document_kind
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
        single("masterIdentifier", IDENTIFIER, search="identifier:token"),
        many("identifier", IDENTIFIER, search="identifier:token"),
        one("status", Document.status, CODE, search="status:token"),
        one("docStatus", Document.doc_status, CODE),
        single("type", CODEABLE_CONCEPT, search="type:token"),
        many("category", CODEABLE_CONCEPT, search="category:token"),
        linked("subject", Document.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
        one("date", Document.date, DATETIME, search="date:date"),
        many("author", REFERENCE, search="author:reference"),
        linked("authenticator", Document.authenticator, REFERENCE, search="authenticator:reference"),
        linked("custodian", Document.custodian, REFERENCE, search="custodian:reference"),
        many("relatesTo", RELATION),
        one("description", Document.description, TEXT, search="description:string"),
        many("securityLabel", CODEABLE_CONCEPT, search="security-label:token"),
        many("content", CONTENT),
        CONTEXT,
    ),
)
