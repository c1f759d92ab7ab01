"""What text search looks at: https://hl7.org/fhir/R4/search.html#string."""

from __future__ import annotations

from typing import Any

from mappings.resources import REGISTRY
from mappings.search import index_strings
from storage.model.shared import Coding, Concept, ContactPoint, SearchString
from storage.record import Record
from tests.fixtures.resources import numbered, read

NAMED = {
    "resourceType": "Patient",
    "name": [
        {"family": "O'Brien", "given": ["Zoë", "Ann"], "prefix": ["Dr."], "text": "Dr. Zoë O'Brien"},
        {"family": "O'Brien"},
    ],
    "address": [{"line": ["1 High St"], "city": "Cork", "country": "IE"}],
    "contact": [{"name": {"family": "Nobody"}}],
    "telecom": [{"system": "phone", "value": "01 23"}, {"system": "email", "value": "Z@X.ie"}],
    "maritalStatus": {"text": "Never Married", "coding": [{"code": "S", "display": "Single, never"}]},
}


def indexed(type_name: str, value: dict[str, Any]) -> Record:
    record = read(REGISTRY[type_name], {"resourceType": type_name, **value})
    index_strings(REGISTRY[type_name], record, numbered())
    return record


def strings(record: Record) -> set[tuple[str, str, str | None]]:
    return {(row["param"], row["norm"], row["phon"]) for row in record.all_rows(SearchString)}


def test_each_part_of_names_and_addresses_is_kept_once_under_the_narrowest_parameter() -> None:
    assert strings(indexed("Patient", NAMED)) == {
        ("family", "obrien", "O165"),
        ("given", "zoe", "Z000"),
        ("given", "ann", "A500"),
        ("name", "dr", None),
        ("name", "dr zoe obrien", None),
        ("address", "1 high st", None),
        ("address-city", "cork", None),
        ("address-country", "ie", None),
    }
    assert len(list(indexed("Patient", NAMED).all_rows(SearchString))) == 8


def test_rows_have_their_owner_and_their_position_under_each_parameter() -> None:
    record = indexed("Patient", NAMED)
    rows = record.rows(SearchString, None, "given")
    assert [row["item_no"] for row in rows] == [0, 1]
    assert {row["owner_id"] for row in rows} == {record.resource["id"]}
    assert len({row["id"] for row in record.all_rows(SearchString)}) == 8


def test_indexing_again_replaces_what_stood_there() -> None:
    record = indexed("Patient", NAMED)
    record.main["display_name"] = "changed"
    before = strings(record)
    index_strings(REGISTRY["Patient"], record, numbered())
    assert strings(record) == before
    assert len(list(record.all_rows(SearchString))) == 8


def test_contacts_concepts_and_codings_get_their_folded_copies() -> None:
    record = indexed("Patient", NAMED)
    assert [row["value_norm"] for row in record.all_rows(ContactPoint)] == ["0123", "z@x.ie"]
    assert [row["text_norm"] for row in record.all_rows(Concept)] == ["never married"]
    assert [row["display_norm"] for row in record.all_rows(Coding)] == ["single never"]


def test_a_text_column_and_a_list_share_a_parameter_and_sound_is_kept_where_it_is_searched() -> None:
    record = indexed("Organization", {"name": "Mercy", "alias": ["Saint Mary"]})
    assert strings(record) == {("name", "mercy", "M620"), ("name", "saint mary", None)}


def test_only_the_branch_of_a_choice_that_is_there_counts() -> None:
    code = {"code": {"text": "x"}, "status": "final"}
    assert strings(indexed("Observation", {**code, "valueString": "Clear"})) == {
        ("value-string", "clear", None)
    }
    assert strings(indexed("Observation", {**code, "valueTime": "10:00:00"})) == set()


def test_uris_of_a_list_are_kept_letter_for_letter() -> None:
    order = {"status": "active", "intent": "plan", "instantiatesUri": ["http://X.org/A"]}
    record = indexed("ServiceRequest", {**order, "subject": {"reference": "Patient/1"}})
    assert strings(record) == {("instantiates-uri", "http://X.org/A", None)}
