"""Laws of patches and of parts: https://hl7.org/fhir/R4/fhirpatch.html and https://hl7.org/fhir/R4/search.html#elements."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.fhir.fhirpath_path import single
from gateway.fhir.patch import merged, pruned
from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from gateway.fhir.view import SUBSETTED, View
from tests.strategies.resources import resource

TYPES = ("Patient", "Observation", "Procedure")

WORDS = {"div": "`div`"}
"""Elements whose names are words of FHIRPath itself."""

bounded = settings(
    max_examples=40,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def fields_of(value: dict[str, Any], shape: Shape) -> Iterator[tuple[str, Field]]:
    for key in value:
        chosen = shape.fields.get(key)
        # What an evaluator cannot point to: primitives that have extensions alone.
        if chosen is not None and chosen.kind is not Kind.SIBLING and key != "resourceType":
            yield key, chosen


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_what_is_removed_is_gone_and_all_else_stays(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    before = copy.deepcopy(value)
    keys = [key for key, _ in fields_of(value, shape_of(name))]
    key = data.draw(st.sampled_from(keys))
    chosen = shape_of(name).fields[key]
    for index in range(len(value[key]) if chosen.many else 1)[::-1]:
        place = single(
            value, f"{name}.{WORDS.get(key) or chosen.choice or key}" + (f"[{index}]" if chosen.many else "")
        )
        if place is not None:
            place.remove()
    left = {k: v for k, v in value.items() if k not in (key, f"_{key}")}
    assert left == {k: v for k, v in before.items() if k not in (key, f"_{key}")}


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json, json)
def test_a_merge_patch_does_all_it_can_the_first_time(target: Any, wanted: Any) -> None:
    once = merged(target, wanted)
    assert merged(once, wanted) == once


@given(st.dictionaries(st.text(max_size=3), json, max_size=3))
def test_an_empty_merge_patch_changes_nothing(target: dict[str, Any]) -> None:
    before = copy.deepcopy(target)
    assert merged(target, {}) == target == before


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_nothing_is_pruned_from_a_resource_without_empty_parts(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    assert pruned(value) == value


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_elements_have_together_what_the_whole_has(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    shape = shape_of(name)
    found: dict[str, Any] = {}
    for key in value:
        found |= View(elements={"": frozenset({shape.fields[key].name})}).part(value)
    assert {k: v for k, v in found.items() if k != "meta"} == {k: v for k, v in value.items() if k != "meta"}
    assert SUBSETTED in found["meta"]["tag"]


def within(part: Any, whole: Any) -> bool:
    """Whether a part has nothing that the whole has not."""
    if isinstance(part, dict):
        others = whole if isinstance(whole, dict) else {}
        return all(key in others and within(value, others[key]) for key, value in part.items())
    if isinstance(part, list):
        return all(any(within(item, other) for other in whole) for item in part)
    return part == whole


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_a_summary_has_nothing_that_the_whole_has_not(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    found = View(summary="true").part(value)
    assert within({k: v for k, v in found.items() if k != "meta"}, value)
