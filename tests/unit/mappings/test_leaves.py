"""Expressions of search parameters become leaves, and leaves lead to values: https://hl7.org/fhir/R4/fhirpath.html."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.definitions import search_table, types_searched_by_table
from mappings.definitions.reduce import reduce
from mappings.leaves import Leaf, leaf, values


def record(kind: str, expression: str, *base: str) -> dict[str, Any]:
    return {"type": kind, "expression": expression, "base": list(base)}


@pytest.mark.parametrize(
    ("kind", "name", "expression", "leaves"),
    [
        ("reference", "Claim", "Claim.careTeam.provider", ["careTeam.provider:Reference"]),
        (
            "reference",
            "Flag",
            "Flag.subject.where(resolve() is Patient)",
            ["subject:Reference(Patient)"],
        ),
        ("token", "Person", "Person.telecom.where(system='email')", ["telecom:ContactPoint(email)"]),
        (
            "reference",
            "Library",
            "Library.relatedArtifact.where(type='composed-of').resource",
            ["relatedArtifact[type=composed-of].resource:canonical"],
        ),
        ("token", "Group", "(Group.characteristic.value as boolean)", ["characteristic.value[x]:boolean"]),
        (
            "date",
            "MedicationAdministration",
            "MedicationAdministration.effective",
            ["effective[x]:dateTime", "effective[x]:Period"],
        ),
        ("string", "InsurancePlan", "name | alias", ["name:string", "alias:string"]),
        ("token", "Claim", "Claim.status | Task.status", ["status:code"]),
        ("date", "CarePlan", "CarePlan.activity.detail.code", []),
        ("reference", "Bundle", "Bundle.entry[0].resource", []),
        ("token", "Device", "Device.extension('urn:x')", []),
        ("string", "Claim", "Claim.nothing", []),
        ("composite", "Group", "Group.characteristic", []),
    ],
)
def test_an_expression_becomes_the_leaves_that_fit_its_type(
    kind: str, name: str, expression: str, leaves: list[str]
) -> None:
    made = reduce(name, record(kind, expression, name))
    assert made.leaves == leaves
    assert bool(made.left) != bool(leaves)


def test_a_leaf_tells_element_way_datatype_and_what_counts() -> None:
    assert leaf("a.b[x]:Quantity") == Leaf("a.b", (("a", "", ""), ("bQuantity", "", "")), "Quantity", "")
    assert leaf("a[type=x-y].b:canonical") == Leaf(
        "a.b", (("a", "type", "x-y"), ("b", "", "")), "canonical", ""
    )
    assert leaf("subject:Reference(Patient)").only == "Patient"
    with pytest.raises(ValueError, match="nothing"):
        leaf("nothing")


def test_values_are_found_through_arrays_and_nulls() -> None:
    content = {"a": [{"t": "x", "b": [1, None, 2]}, {"t": "y", "b": 3}, None, {"t": "x"}, "odd"], "b": "top"}
    assert list(values(content, leaf("a.b:integer").steps)) == [1, 2, 3]
    assert list(values(content, leaf("a[t=x].b:integer").steps)) == [1, 2]
    assert list(values(content, leaf("b:string").steps)) == ["top"]
    assert list(values(content, leaf("c.b:string").steps)) == []


def nested(depth: int, value: int) -> Any:
    return value if depth == 0 else [{"a": nested(depth - 1, value)}, {"b": 0}]


@given(st.integers(1, 5), st.integers())
def test_what_stands_at_a_path_is_found_at_any_depth(depth: int, value: int) -> None:
    steps = leaf(".".join(["top"] + ["a"] * depth) + ":integer").steps
    assert list(values({"top": nested(depth, value)}, steps)) == [value]


def test_every_leaf_of_the_table_can_be_read() -> None:
    names = types_searched_by_table()
    assert len(names) > 120
    for name in names:
        for code, (kind, *leaves) in search_table(name).items():
            assert leaves, (name, code)
            assert all(leaf(text).kind for text in leaves), (name, code, kind)
