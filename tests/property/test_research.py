"""The same case by either door fills the same columns, whatever its values. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.research import case_values, change_case, new_case
from mappings.research.codes import ALL
from mappings.resources.observation import OBSERVATION
from storage.record import Record
from tests.fixtures.research import values_of
from tests.fixtures.resources import NOW, draw, numbered, read, stored, text

NAMES = sorted(ALL)


def made(name: str, values: dict[str, Any]) -> Record:
    """A case made natively, as the store holds it."""
    record = new_case(name, values, numbered())
    record.resource.update(last_updated=NOW, fhir_id="c1")
    for hook in OBSERVATION.project:
        hook(record)
    return stored(record)


def columns(record: Record) -> dict[str, Any]:
    """The detail row, but for its id."""
    (row,) = record.details.values()
    return {name: value for name, value in row.items() if name != "id"}


def told(record: Record) -> dict[str, Any]:
    """What the native interface says, but for the id; numbers as they are spelt."""
    return {name: text(value) for name, value in case_values(record).items() if name != "id"}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_made_natively_is_read_from_fhir_into_the_same_columns(
    name: str, data: st.DataObject
) -> None:
    values = data.draw(values_of(ALL[name]))
    record = made(name, values)
    shown = draw(OBSERVATION, record)
    again = read(OBSERVATION, shown)
    assert again.main["detail"] == name
    assert text(columns(again)) == text(columns(record)) or columns(again) == columns(record)
    assert told(again) == told(record)
    assert text(draw(OBSERVATION, again)) == text(shown)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_native_values_are_those_that_were_given(name: str, data: st.DataObject) -> None:
    values = data.draw(values_of(ALL[name]))
    record = made(name, values)
    said = case_values(record)
    assert {key: text(said[key]) for key in values} == {key: text(value) for key, value in values.items()}
    (row,) = record.details.values()
    assert all(said[key] is None for key in said if key in row and key not in {*values, "kind", "id"})


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_change_leads_to_the_same_as_making_it_so(name: str, data: st.DataObject) -> None:
    first, second = (data.draw(values_of(ALL[name])) for _ in range(2))
    blank = {key: None for key in first if key not in second}
    changed = made(name, first)
    change_case(
        changed,
        {**blank, **second, "kind": "segment" if "segment" in second else "index"}
        if name == "arterial_finding"
        else blank | second,
        numbered(),
    )
    direct = made(name, second)
    assert told(changed) == told(direct)
    shown, wanted = draw(OBSERVATION, changed), draw(OBSERVATION, direct)
    assert told(read(OBSERVATION, shown)) == told(read(OBSERVATION, wanted))
    # A set has no order: its components may stand otherwise.
    assert sorted(text(part) for part in shown.get("component", [])) == sorted(
        text(part) for part in wanted.get("component", [])
    )


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_rendering_again_changes_nothing(name: str, data: st.DataObject) -> None:
    record = made(name, data.draw(values_of(ALL[name])))
    before = draw(OBSERVATION, record)
    for hook in OBSERVATION.project * 2:
        hook(record)
    assert text(draw(OBSERVATION, record)) == text(before)
