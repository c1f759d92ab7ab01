"""Organization: its columns, and what comes back. https://hl7.org/fhir/R4/organization.html"""

from __future__ import annotations

from typing import Any

from mappings import convert
from mappings.resources.organization import ORGANIZATION
from storage.model.shared import Coding, Concept, Reference
from tests.fixtures.resources import draw, numbered, read, text

FULL: dict[str, Any] = {
    "resourceType": "Organization",
    "id": "clinic-1",
    "identifier": [
        {"type": {"text": "registry"}, "value": "A-1", "assigner": {"display": "Registry office"}}
    ],
    "active": False,
    "type": [{"coding": [{"system": "urn:types", "code": "prov", "userSelected": True}]}, {"text": "clinic"}],
    "name": "Harbour Clinic",
    "alias": ["The Harbour", "HC"],
    "telecom": [{"system": "url", "value": "https://clinic.example"}],
    "address": [{"postalCode": "1000", "country": "NL"}],
    "partOf": {"reference": "Organization/group-1", "display": "The Group"},
    "contact": [{"purpose": {"text": "billing"}, "name": {"family": "Oak"}}],
    "endpoint": [{"reference": "Endpoint/e1"}],
}


def test_each_element_fills_its_column() -> None:
    record = read(ORGANIZATION, FULL)
    assert record.main["active"] is False
    assert record.main["name"] == "Harbour Clinic"
    assert record.main["alias"] == ["The Harbour", "HC"]
    first, second = record.rows(Concept, None, "type")
    assert [row["user_selected"] for row in record.rows(Coding, first["id"], "type")] == [True]
    assert second["text"] == "clinic"
    (part_of,) = record.rows(Reference, None, "partOf")
    assert (part_of["target_type"], part_of["target_fhir_id"]) == ("Organization", "group-1")
    assert [row["target_type"] for row in record.rows(Reference, None, "endpoint")] == ["Endpoint"]


def test_the_parent_is_a_foreign_key_too() -> None:
    (link,) = read(ORGANIZATION, FULL).links
    assert (link.column, link.table) == ("part_of_id", "organization")


def test_what_is_read_comes_back_with_contacts_kept_whole() -> None:
    record = read(ORGANIZATION, FULL)
    assert text(draw(ORGANIZATION, record)) == text(FULL)
    assert record.resource["remainder"] == {"x": {"contact": FULL["contact"]}}


def test_a_name_too_long_for_an_index_of_names_is_kept() -> None:
    long = FULL | {"name": "x" * 3000}
    assert draw(ORGANIZATION, read(ORGANIZATION, long))["name"] == "x" * 3000


def test_extensions_of_single_aliases_come_back_and_go_with_them() -> None:
    siblings = [None, {"extension": [{"url": "urn:x", "valueCode": "y"}]}]
    record = read(ORGANIZATION, FULL | {"_alias": siblings})
    assert draw(ORGANIZATION, record)["_alias"] == siblings
    at = convert.top(record, ORGANIZATION, numbered())
    convert.replace_element(at, ORGANIZATION.by_element["alias"], "alias", ["Port"])
    assert draw(ORGANIZATION, record)["alias"] == ["Port"]
    assert "_alias" not in draw(ORGANIZATION, record)
