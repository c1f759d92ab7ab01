"""DocumentReference: its columns, files, relations and kind. https://hl7.org/fhir/R4/documentreference.html"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings import convert
from mappings.element import Refused, cs
from mappings.resources.document_reference import DOCUMENT_REFERENCE
from mappings.search import parameters
from storage.model.document import DocumentContent, DocumentRelation
from storage.model.shared import Attachment, Coding, Concept, Identifier, Reference
from tests.fixtures.resources import decode, draw, numbered, read, text

LOINC = "http://loinc.org"
OWN = cs("document-kind")
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "DocumentReference", "id": "doc-1",
    "masterIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"},
    "identifier": [{"value": "D-1"}],
    "status": "current", "docStatus": "final",
    "type": {"coding": [{"system": "http://loinc.org", "code": "11504-8"}]},
    "category": [{"text": "surgery"}],
    "subject": {"reference": "Patient/p1"}, "date": "2024-03-01T10:00:00.250+01:00",
    "author": [{"reference": "Practitioner/d1"}], "authenticator": {"reference": "Organization/o1"},
    "custodian": {"reference": "Organization/o1"},
    "relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/doc-0"}}],
    "description": "Operation note", "securityLabel": [{"text": "restricted"}],
    "content": [{"attachment": {"contentType": "application/pdf", "language": "en", "url": "http://x/1.pdf",
                                "size": 12, "hash": "AAAA", "title": "note", "creation": "2024-03-01"},
                 "format": {"system": "urn:f", "code": "pdf"}}],
    "context": {"encounter": [{"reference": "Encounter/e1"}], "event": [{"text": "operation"}],
                "period": {"start": "2024-03-01", "end": "2024-03-02"}, "facilityType": {"text": "hospital"},
                "practiceSetting": {"text": "vascular"}, "sourcePatientInfo": {"reference": "Patient/p1"},
                "related": [{"reference": "Procedure/x1"}]}
    }"""
)


def test_each_element_fills_its_column() -> None:
    record = read(DOCUMENT_REFERENCE, FULL)
    main = record.main
    assert (main["status"], main["doc_status"], main["document_kind"]) == (
        "current",
        "final",
        "operative_note",
    )
    assert (main["date"], main["description"]) == ("2024-03-01T10:00:00.250+01:00", "Operation note")
    assert main["date_lo"] == datetime(2024, 3, 1, 9, 0, 0, 250_000, tzinfo=UTC)
    assert (main["context_period_start"], main["context_period_end"]) == ("2024-03-01", "2024-03-02")
    for name in ("type", "category", "securityLabel", "context.event", "context.facilityType"):
        assert len(record.rows(Concept, None, name)) == 1
    for name in ("author", "context.encounter", "context.related", "context.sourcePatientInfo"):
        assert len(record.rows(Reference, None, name)) == 1
    assert len(record.rows(Identifier, None, "masterIdentifier")) == 1
    assert sorted(link.column for link in record.links) == [
        "authenticator_id",
        "custodian_id",
        "patient_id",
        "target_id",
    ]


def test_files_and_relations_are_rows() -> None:
    record = read(DOCUMENT_REFERENCE, FULL)
    (content,) = record.rows(DocumentContent)
    (file,) = record.rows(Attachment, content["id"], "content.attachment")
    assert (file["content_type"], file["url"], file["size"]) == ("application/pdf", "http://x/1.pdf", 12)
    (format_,) = record.rows(Concept, content["id"], "content.format")
    assert [row["code"] for row in record.rows(Coding, format_["id"], "content.format")] == ["pdf"]
    (relation,) = record.rows(DocumentRelation)
    assert relation["code"] == "replaces"
    (target,) = record.rows(Reference, relation["id"], "relatesTo.target")
    assert target["target_fhir_id"] == "doc-0"


def test_what_is_read_comes_back_with_nothing_left_over() -> None:
    record = read(DOCUMENT_REFERENCE, FULL)
    assert text(draw(DOCUMENT_REFERENCE, record)) == text(FULL)
    assert record.resource["remainder"] is None


def test_unknown_elements_and_siblings_come_back() -> None:
    given = FULL | {
        "_date": {"id": "d"},
        "context": FULL["context"] | {"id": "c", "extension": [{"url": "urn:x", "valueCode": "a"}]},
        "content": [{"attachment": {"_url": {"extension": [{"url": "urn:x", "valueCode": "b"}]}}, "id": "f"}],
    }
    assert text(draw(DOCUMENT_REFERENCE, read(DOCUMENT_REFERENCE, given))) == text(given)


def test_an_element_that_is_changed_drops_what_was_left_of_the_old_one() -> None:
    record = read(DOCUMENT_REFERENCE, FULL | {"_description": {"id": "d"}})
    line = DOCUMENT_REFERENCE.by_element["description"]
    at = convert.top(record, DOCUMENT_REFERENCE, numbered())
    convert.replace_element(at, line, "description", "Note")
    drawn = draw(DOCUMENT_REFERENCE, record)
    assert drawn["description"] == "Note"
    assert "_description" not in drawn


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"status": "lost"}, "DocumentReference.status"),
        ({"docStatus": "draft"}, "DocumentReference.docStatus"),
        ({"relatesTo": [{"code": "cites", "target": {}}]}, "DocumentReference.relatesTo[0].code"),
    ],
)
def test_a_code_that_is_not_listed_is_refused(change: dict[str, Any], expression: str) -> None:
    with pytest.raises(Refused) as caught:
        read(DOCUMENT_REFERENCE, FULL | change)
    assert (caught.value.kind, caught.value.expression) == ("code-invalid", expression)


@pytest.mark.parametrize(
    ("codings", "kind"),
    [
        ([], None),
        ([("urn:other", "11504-8")], None),
        ([(LOINC, "18748-4")], "imaging"),
        ([(LOINC, "11526-1")], "pathology"),
        ([(LOINC, "1-8")], "other"),
        ([(LOINC, "1-8"), (LOINC, "59284-0")], "consent"),
        ([(LOINC, "59284-0"), (OWN, "correspondence")], "correspondence"),
        ([(OWN, "poem")], "other"),
    ],
)
def test_the_kind_of_document_follows_from_the_codes_of_the_type(
    codings: list[tuple[str, str]], kind: str | None
) -> None:
    listed = [{"system": system, "code": code} for system, code in codings]
    given = FULL | {"type": {"coding": listed} if listed else {"text": "some"}}
    assert read(DOCUMENT_REFERENCE, given).main["document_kind"] == kind


def test_an_update_keeps_the_roles_that_may_read() -> None:
    before, after = read(DOCUMENT_REFERENCE, FULL), read(DOCUMENT_REFERENCE, FULL)
    before.main["allowed_roles"] = ["surgeon"]
    convert.carry(DOCUMENT_REFERENCE, before, after, numbered())
    assert after.main["allowed_roles"] == ["surgeon"]


def test_every_search_parameter_of_r4_is_there() -> None:
    wanted = """authenticator author category contenttype custodian date description encounter event facility
        format identifier language location patient period related relatesto relation relationship
        security-label setting status subject type"""
    assert set(wanted.split()) <= parameters(DOCUMENT_REFERENCE).keys()
