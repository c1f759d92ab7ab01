"""An update leaves the rows that the resource would have if it were new, whatever stood there before.

https://hl7.org/fhir/R4/http.html#update
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from gateway.app import new_id
from gateway.errors import Problem
from gateway.records import Records
from gateway.unit import Unit
from mappings.element import Refused
from mappings.resources import REGISTRY
from mappings.shape import shape
from storage import loader
from storage.model.columns import BY_TABLE, Row
from storage.record import Record
from storage.session import Store
from tests.fixtures.records import FHIR, ticking
from tests.strategies.resources import resource as resources

ASKED = ("AllergyIntolerance", "Coverage", "Location", "MedicationRequest", "Observation", "Patient")
"""Types whose rows follow from what was sent alone: no numbers are drawn, no steps are stamped."""
MRN = "http://suture.example.org/fhir/sid/mrn"


@pytest.fixture(scope="module")
def kept(store: Store, _wipe: str) -> Records:
    """Records of one database for all examples."""
    with store.connection() as connection:
        connection.execute(_wipe.encode())
    ticks = ticking()
    return Records(store, lambda: next(ticks), new_id)


def rows(records: Records, resource_type: str, fhir_id: str) -> list[str]:
    """Return all rows of a resource, each with the place that it stands at instead of ids."""

    def work(unit: Unit) -> Record:
        names = [(resource_type, fhir_id)]
        key = loader.find(unit.session.raw, names)[names[0]]
        return loader.load(unit.session.raw, shape(REGISTRY[resource_type]), [key])[key].record

    record = records.unit(FHIR, work)
    places: dict[UUID | None, str] = {None: ""}
    for (table, _, element), found in record.children.items():
        for place, row in enumerate(found):
            places[row["id"]] = f"{table} {element} {place}"
    told = [f"main {_told(record.table.table.name, record.main)}"]
    told += [f"{name} {_told(name, row)}" for name, row in record.details.items()]
    told += [
        f"{_path(record, places, parent)} / {table} {element} {place}: {_told(table, row)}"
        for (table, parent, element), found in record.children.items()
        for place, row in enumerate(found)
    ]
    return sorted(told)


def _path(record: Record, places: dict[UUID | None, str], parent: UUID | None) -> str:
    """The places of the rows that a row hangs on, from the outermost."""
    if parent is None:
        return ""
    outer = next(key[1] for key, found in record.children.items() if any(r["id"] == parent for r in found))
    return f"{_path(record, places, outer)} / {places[parent]}"


def _told(table: str, row: Row) -> str:
    own = ("id", "owner_id", BY_TABLE[table].parent_column)
    return repr({name: str(value) for name, value in row.items() if name not in own and value is not None})


def put(records: Records, resource_type: str, fhir_id: str, value: dict[str, Any]) -> None:
    try:
        records.update(FHIR, resource_type, fhir_id, {**value, "id": fhir_id})
    except (Problem, Refused):
        reject()


@pytest.mark.parametrize("name", ASKED)
@settings(
    max_examples=25,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
)
@given(data=st.data())
def test_the_rows_of_an_updated_resource_are_those_of_a_new_one(
    kept: Records, name: str, data: st.DataObject
) -> None:
    first, second = (data.draw(resources(name, REGISTRY[name])) for _ in range(2))
    # An element taken from each: what stays beside what changes.
    mixed = {**second, **{key: first[key] for key in list(first)[::2] if key in second}}
    changed, fresh = str(new_id()), str(new_id())
    for value in (first, mixed, second):
        put(kept, name, changed, value)
    put(kept, name, fresh, second)
    assert rows(kept, name, changed) == rows(kept, name, fresh)


def test_identifiers_of_a_unique_system_may_change_places(kept: Records, store: Store) -> None:
    numbers = ("SWAP-1", "SWAP-2", "SWAP-3")
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (0,), (2, 0)):
        chosen = [numbers[place] for place in order]
        identifiers = [{"system": MRN, "value": number} for number in chosen]
        kept.update(FHIR, "Patient", "swap", {"resourceType": "Patient", "identifier": identifiers})
        assert _column(store, "identifier", "value", "swap") == chosen
        assert _column(store, "identifier", "is_unique", "swap") == [True] * len(chosen)


def test_what_did_not_change_is_not_written_again(kept: Records, store: Store) -> None:
    value: dict[str, Any] = {
        "resourceType": "Patient",
        "id": "still",
        "name": [{"family": "Roe", "given": ["Ann"]}],
        "telecom": [{"system": "phone", "value": "1"}],
    }

    def written(table: str) -> list[Any]:
        """Return which transaction wrote the row of a table."""
        return _column(store, table, "xmin::text", "still")

    kept.update(FHIR, "Patient", "still", value)
    before = written("person_name"), written("contact_point")
    kept.update(FHIR, "Patient", "still", {**value, "telecom": [{"system": "phone", "value": "2"}]})
    after = written("person_name"), written("contact_point")
    assert after[0] == before[0]
    assert after[1] != before[1]


def _column(store: Store, table: str, column: str, fhir_id: str) -> list[Any]:
    """Return a column of the child rows of a patient, in their order."""
    statement = f"""SELECT t.{column} FROM {table} t JOIN resource r ON r.id = t.owner_id
        WHERE r.resource_type = 'Patient' AND r.fhir_id = %s ORDER BY t.item_no"""  # noqa: S608
    with store.connection() as connection:
        return [row[0] for row in connection.execute(statement.encode(), [fhir_id]).fetchall()]
