"""Laws of validation: whatever is done to a resource, it passes or a Problem is raised.

https://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem, operation_outcome
from gateway.fhir import wire
from gateway.fhir.structure import structural_issues
from gateway.fhir.validate import check
from gateway.fhir.walk import Walk
from mappings.resources import REGISTRY
from tests.strategies.resources import resource
from tests.unit.fhir.samples import VALID, valid

Place = tuple[Any, Any]

_KEYS = st.sampled_from(
    [
        "id",
        "_id",
        "extension",
        "url",
        "resourceType",
        "reference",
        "contained",
        "coding",
        "value",
        "valueMeta",
    ]
) | st.sampled_from(
    ["valueQuantity", "div", "name", "name__ext", "fhir_comments", "_given", "given", "é", ""]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "2019-02-30",
            "#",
            "#g",
            "Patient/1",
            "active",
            " ",
            "<div/>",
            "2019-01-01T10:00:60Z",
            "YQ==",
            Decimal("1e400"),
        ]
    )
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=10,
)


def places(value: Any) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in list(items):
        yield value, key
        yield from places(part)


def change(owner: Any, key: Any, how: str, data: st.DataObject) -> None:
    if how == "replace":
        owner[key] = data.draw(_JSON)
    elif how == "remove":
        del owner[key]
    elif how == "wrap":
        owner[key] = [owner[key]]
    elif isinstance(owner, dict):
        new_key = data.draw(_KEYS) if how == "rename" else f"_{key}"
        owner[new_key] = owner.pop(key) if how == "rename" else data.draw(_JSON)


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A valid resource with one to three things changed anywhere in it."""
    data = draw(st.data())
    resource = valid(draw(st.sampled_from(sorted(VALID))))
    for _ in range(draw(st.integers(1, 3))):
        if found := list(places(resource)):
            owner, key = draw(st.sampled_from(found))
            change(
                owner, key, draw(st.sampled_from(["replace", "remove", "wrap", "rename", "sibling"])), data
            )
    return resource


def problem_with(resource: dict[str, Any], resource_type: str) -> Problem | None:
    try:
        check(resource, resource_type)
    except Problem as problem:
        return problem
    return None


def walked(resource: dict[str, Any], resource_type: str) -> list[Any]:
    walk = Walk()
    walk.resource(resource, (None, resource_type, -1))
    return walk.issues


@given(changed(), st.sampled_from(sorted(VALID)))
def test_a_changed_resource_passes_or_raises_a_problem_that_can_be_told(
    resource: dict[str, Any], other: str
) -> None:
    before = repr(resource)
    named = resource.get("resourceType")
    problem = problem_with(resource, named if isinstance(named, str) and named in VALID else other)
    if problem:
        outcome = operation_outcome(problem)
        assert wire.encode(outcome)
        assert all(issue["diagnostics"] and issue["expression"] for issue in outcome["issue"])
        assert problem.status in (400, 422)
    assert repr(resource) == before


@given(changed())
def test_whatever_the_structural_validator_refuses_the_walk_refuses_with_its_place(
    resource: dict[str, Any],
) -> None:
    named = resource.get("resourceType")
    if isinstance(named, str) and named in VALID and structural_issues(resource, named):
        assert walked(resource, named)


@st.composite
def of_any_type(draw: st.DrawFn) -> dict[str, Any]:
    """A resource of any R4 type that is kept, as it is or with one thing changed."""
    data = draw(st.data())
    name = draw(st.sampled_from(sorted(REGISTRY)))
    made: dict[str, Any] = copy.deepcopy(draw(resource(name, REGISTRY[name])))
    if draw(st.booleans()):
        owner, key = draw(st.sampled_from(list(places(made))))
        change(owner, key, draw(st.sampled_from(["replace", "remove", "wrap", "rename", "sibling"])), data)
    return {**made, "resourceType": name}


@settings(
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(of_any_type())
def test_what_the_walk_lets_pass_the_structural_validator_lets_pass_of_every_type(
    made: dict[str, Any],
) -> None:
    name = made["resourceType"]
    issues = walked(made, name)
    event("refused" if issues else "passed")
    assert issues or not structural_issues(made, name)


@given(_JSON)
def test_any_object_passes_or_raises_a_problem(value: Any) -> None:
    resource = value if isinstance(value, dict) else {"resourceType": "Patient", "name": value}
    for resource_type in ("Patient", "Bundle", "Parameters"):
        problem = problem_with({**resource, "resourceType": resource_type}, resource_type)
        assert problem is None or problem.issues
