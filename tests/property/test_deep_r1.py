"""Whatever resource is read into rows, the same comes back: of every type with tables of its own.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from mappings.element import Mapping, Refused
from mappings.resources import REGISTRY
from storage.record import Record
from tests.fixtures.resources import draw, read, stored, text, written
from tests.strategies.resources import resource

RULES = ("invariant", "business-rule", "required")
"""Kinds of refusal by rules of ours that the definitions do not tell: they make no resource to compare."""


def read_or_reject(mapping: Mapping, value: dict[str, Any]) -> Record:
    try:
        return read(mapping, value)
    except Refused as refused:
        if refused.kind in RULES:
            reject()
        raise


@pytest.mark.parametrize("name", sorted(REGISTRY))
@settings(
    max_examples=1000,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_what_is_read_comes_back_at_once_and_from_the_store(name: str, data: st.DataObject) -> None:
    mapping = REGISTRY[name]
    value: dict[str, Any] = data.draw(resource(name, mapping))
    record = read_or_reject(mapping, value)
    expected = text(written(value))
    assert text(draw(mapping, record)) == expected
    assert text(draw(mapping, stored(record))) == expected
