"""Whatever resource is read into rows, the same comes back: of every type with tables of its own.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from mappings.element import Refused
from mappings.resources import REGISTRY
from tests.fixtures.resources import draw, read, stored, text, written
from tests.strategies.resources import resource

RULES = ("invariant", "business-rule", "required")
"""Kinds of refusal by rules of ours that the definitions do not tell: they make no resource to compare."""


@pytest.mark.parametrize("name", sorted(REGISTRY))
@settings(
    max_examples=100,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.data())
def test_what_is_read_comes_back_at_once_and_from_the_store(name: str, data: st.DataObject) -> None:
    mapping = REGISTRY[name]
    value: dict[str, Any] = data.draw(resource(name, mapping))
    try:
        record = read(mapping, value)
    except Refused as refused:
        assert refused.kind in RULES, refused.message
        reject()
    expected = text(written(value))
    assert text(draw(mapping, record)) == expected
    assert text(draw(mapping, stored(record))) == expected
