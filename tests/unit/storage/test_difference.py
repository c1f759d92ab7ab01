"""What a change of a resource does to its rows: only what differs is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from storage.difference import Difference, Standing, difference
from storage.model.columns import Row, Table
from storage.model.patient import Patient
from storage.model.resource import Resource
from storage.model.shared import Coding, Concept, Identifier, PersonName, SearchQuantity
from storage.record import Record


def key(name: str) -> UUID:
    return uuid5(UUID(int=0), name)


def row(table: type[Table], name: str, **columns: Any) -> Row:
    made = table.blank()
    made.update(id=key(name), owner_id=key("owner"), item_no=0)
    made.update(columns)
    return made


def record(*children: tuple[type[Table], Row]) -> Record:
    main = Patient.blank() | {"id": key("owner")}
    made = Record(Patient, Resource.blank() | {"id": key("owner")}, main)
    for table, child in children:
        made.add(table, child)
    return made


def name(of: str, family: str, **columns: Any) -> tuple[type[Table], Row]:
    return PersonName, row(PersonName, of, element="name", family=family, **columns)


def concept(of: str, text: str, code: str) -> list[tuple[type[Table], Row]]:
    coding = row(Coding, f"{of} coding", element="maritalStatus", concept_id=key(of), code=code)
    return [(Concept, row(Concept, of, element="maritalStatus", text=text)), (Coding, coding)]


def test_rows_that_stand_as_they_stood_are_left_alone_though_they_came_with_other_ids() -> None:
    standing = Standing.of(record(name("a", "Roe", given=["Ann"]), *concept("b", "married", "M")))
    again = record(name("c", "Roe", given=["Ann"]), *concept("d", "married", "M"))
    assert difference(again, standing) == Difference()


def test_a_row_takes_over_the_id_of_the_one_before_it_and_tells_those_that_hang_on_it() -> None:
    standing = Standing.of(record(*concept("a", "married", "M")))
    again = record(*concept("b", "wedded", "W"))
    found = difference(again, standing)
    assert [(table, told["id"]) for table, told in found.changed] == [
        ("concept", key("a")),
        ("coding", key("a coding")),
    ]
    assert (found.new, found.gone) == ({}, {})
    assert [told["concept_id"] for told in again.rows(Coding, key("a"), "maritalStatus")] == [key("a")]


def test_rows_come_and_go_with_the_length_of_an_array() -> None:
    one, two = name("a", "Roe"), name("b", "Doe")
    longer = difference(record(one, two), Standing.of(record(one)))
    assert longer == Difference(new={"person_name": [two[1]]})
    assert difference(record(one), Standing.of(record(one, two))) == Difference(
        gone={"person_name": [key("b")]}
    )


def test_a_row_that_was_taken_out_of_the_middle_goes_and_the_others_stay() -> None:
    rows = [name(of, of) for of in "abc"]
    found = difference(record(rows[0], rows[2]), Standing.of(record(*rows)))
    assert found == Difference(gone={"person_name": [key("b")]})


def test_a_number_that_is_spelt_otherwise_is_another_number() -> None:
    def amount(value: str) -> Record:
        return record((SearchQuantity, row(SearchQuantity, "a", element="x", amount_value=Decimal(value))))

    found = difference(amount("1.50"), Standing.of(amount("1.5")))
    assert [told["amount_value"] for _, told in found.changed] == [Decimal("1.50")]
    assert difference(amount("1.50"), Standing.of(amount("1.50"))) == Difference()


def test_a_document_that_was_changed_in_place_is_seen() -> None:
    made = record(name("a", "Roe", remainder={"x": {"suffix": ["MD"]}}))
    standing = Standing.of(made)
    assert difference(made, standing) == Difference()
    made.rows(PersonName, None, "name")[0]["remainder"]["x"]["prefix"] = ["Dr"]
    assert [table for table, _ in difference(made, standing).changed] == ["person_name"]


def test_rows_that_may_not_be_alike_go_before_they_come_again() -> None:
    def numbers(*values: str) -> Record:
        places = enumerate(values)
        return record(
            *((Identifier, row(Identifier, f"{n}", element="identifier", value=text)) for n, text in places)
        )

    found = difference(numbers("2", "1"), Standing.of(numbers("1", "2")))
    assert found.gone == {"identifier": [key("0"), key("1")]}
    assert [told["value"] for told in found.new["identifier"]] == ["2", "1"]
    assert found.changed == []


def test_the_child_rows_of_what_is_deleted_stay() -> None:
    standing = Standing.of(record(name("a", "Roe")))
    assert difference(record(), standing, deleted=True) == Difference()
    assert difference(record(), standing) == Difference(gone={"person_name": [key("a")]})
