"""Whatever resource is read into rows, the same comes back: of every type with tables of its own.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from mappings import convert
from mappings.definitions import elements_at
from mappings.element import Mapping, Refused
from mappings.resources import REGISTRY, WITH_TABLES
from storage.record import Record
from tests.fixtures.resources import draw, numbered, read, stored, text, written
from tests.strategies.resources import resource

bounded = settings(
    max_examples=100,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

ASKED = [*sorted(WITH_TABLES), "Bundle", "Claim", "MedicationRequest", "Person", "PlanDefinition", "Task"]
"""All types with tables, a sample of the others."""

RULES = ("invariant", "business-rule", "required")
"""Kinds of refusal by rules of ours that the definitions do not tell: they make no resource to compare."""


def read_or_reject(mapping: Mapping, value: dict[str, Any]) -> Record:
    try:
        return read(mapping, value)
    except Refused as refused:
        if refused.kind in RULES:
            reject()
        raise


@pytest.mark.parametrize("name", ASKED)
@bounded
@given(st.data())
def test_what_is_read_comes_back_at_once_and_from_the_store(name: str, data: st.DataObject) -> None:
    mapping = REGISTRY[name]
    value: dict[str, Any] = data.draw(resource(name, mapping))
    record = read_or_reject(mapping, value)
    expected = text(written(value))
    assert text(draw(mapping, record)) == expected
    assert text(draw(mapping, stored(record))) == expected


@pytest.mark.parametrize("name", sorted(WITH_TABLES))
@bounded
@given(st.data())
def test_an_element_that_is_cleared_goes_with_all_that_hung_on_it(name: str, data: st.DataObject) -> None:
    mapping = REGISTRY[name]
    value: dict[str, Any] = data.draw(resource(name, mapping))
    optional = {element.name for element in elements_at(name) if not element.least and not element.is_choice}
    keys = sorted(optional & mapping.by_element.keys() & {key.removeprefix("_") for key in value})
    record = read_or_reject(mapping, value)
    for key in data.draw(st.lists(st.sampled_from(keys), max_size=3, unique=True)) if keys else ():
        convert.replace_element(convert.top(record, mapping, numbered()), mapping.by_element[key], key, None)
        value = {told: part for told, part in value.items() if told.removeprefix("_") != key}
    assert text(draw(mapping, record)) == text(written(value))
