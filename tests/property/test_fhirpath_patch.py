"""A FHIRPath Patch makes of a resource what the same change by hand makes of its JSON.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from gateway.fhir.fhirpath_patch import operations_of
from gateway.fhir.fhirpath_path import single
from gateway.fhir.patch import pruned
from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from tests.fixtures.patches import operation
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
NAMED_TYPES = {
    field.type_name: key
    for key, field in shape_of("Parameters.parameter").fields.items()
    if field.choice and field.kind is not Kind.SIBLING
}
"""The types that a parameter can have, and the property that holds such a value."""


class Spot(NamedTuple):
    """An element: its path, and where it stands in JSON; of an array the index, else None."""

    path: str
    list_path: str
    owner: dict[str, Any]
    field: Field
    at: int | None

    def pair(self) -> tuple[Any, Any]:
        """Return the value and what belongs to it."""
        found = [self.owner.get(key) for key in (self.field.key, f"_{self.field.key}")]
        if self.at is None:
            return found[0], found[1]
        items = [part[self.at] if part and self.at < len(part) else None for part in found]
        return items[0], items[1]


def spots(value: dict[str, Any], shape: Shape, path: str) -> Iterator[Spot]:
    """Yield every element of a resource, those of extensions of primitives among them."""
    for name in dict.fromkeys(key.removeprefix("_") for key in value if key != "resourceType"):
        chosen = shape.fields[name]
        here = f"{path}.{WORDS.get(name) or chosen.choice or name}"
        length = max(len(value.get(name) or []), len(value.get(f"_{name}") or [])) if chosen.many else 1
        for index in range(length):
            at = index if chosen.many else None
            spot = Spot(here if at is None else f"{here}[{at}]", here, value, chosen, at)
            yield spot
            item, beside = spot.pair()
            if isinstance(item, dict):
                inner = shape_of(item["resourceType"]) if chosen.kind is Kind.RESOURCE else chosen.shape
                yield from spots(item, inner, spot.path)
            if beside is not None:
                yield from spots(beside, shape_of("Element"), spot.path)


def chosen_in(value: dict[str, Any], data: st.DataObject, *, listed: bool = False) -> Spot:
    found = list(spots(value, shape_of(value["resourceType"]), value["resourceType"]))
    found = [spot for spot in found if not listed or spot.at is not None]
    assume(found)
    return data.draw(st.sampled_from(found))


def as_value(spot: Spot) -> dict[str, Any]:
    """Return an element as the value of a parameter; skips types that have no name there."""
    item, beside = spot.pair()
    if spot.field.kind is Kind.RESOURCE:
        return {"resource": item}
    assume(spot.field.type_name in NAMED_TYPES)
    key = NAMED_TYPES[spot.field.type_name]
    return {name: part for name, part in ((key, item), (f"_{key}", beside)) if part is not None}


def columns(spot: Spot) -> Iterator[list[Any]]:
    """Yield the arrays that hold a list, of the same length; they are put in their places."""
    keys = (spot.field.key, f"_{spot.field.key}")
    length = max(len(spot.owner.get(key) or []) for key in keys)
    for key in keys:
        items = spot.owner.get(key) or []
        spot.owner[key] = [*items, *[None] * (length - len(items))]
        yield spot.owner[key]


def normal(value: Any) -> Any:
    """Return JSON without what holds nothing: nulls at ends of arrays, and what that leaves empty."""
    if isinstance(value, dict):
        parts = {key: normal(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part not in (None, {}, [])}
    if isinstance(value, list):
        items = [normal(item) for item in value]
        while items and items[-1] in (None, {}):
            items.pop()
        return items
    return value


def patched(value: dict[str, Any], patch: dict[str, Any]) -> Any:
    result = copy.deepcopy(value)
    for each in operations_of(patch):
        each.apply(result)
    return normal(pruned(result))


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_every_element_is_found_by_its_own_path(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    for spot in spots(value, shape_of(name), name):
        place = single(value, spot.path)
        assert place is not None, spot.path
        assert place.owner is spot.owner, spot.path
        assert (place.field, place.index) == (spot.field, spot.at), spot.path
        assert (place.value, place.beside) == spot.pair(), spot.path


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_a_deletion_is_the_same_as_by_hand(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    by_hand = copy.deepcopy(value)
    spot = chosen_in(by_hand, data)
    found = patched(value, operation("delete", spot.path))
    if spot.at is None:
        spot.owner.pop(spot.field.key, None)
        spot.owner.pop(f"_{spot.field.key}", None)
    else:
        for items in columns(spot):
            del items[spot.at]
    assert found == normal(pruned(by_hand))


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_a_replacement_is_the_same_as_by_hand(name: str, data: st.DataObject) -> None:
    value, other = data.draw(resource(name)), data.draw(resource(name))
    by_hand = copy.deepcopy(value)
    spot = chosen_in(by_hand, data)
    wanted = spot.field.type_name
    alike = [found for found in spots(other, shape_of(name), name) if found.field.type_name == wanted]
    assume(alike)
    source = data.draw(st.sampled_from(alike))
    found = patched(value, operation("replace", spot.path, as_value(source)))
    if spot.at is None:
        spot.owner[spot.field.key], spot.owner[f"_{spot.field.key}"] = source.pair()
    else:
        for items, part in zip(columns(spot), source.pair(), strict=True):
            items[spot.at] = part
    assert found == normal(pruned(normal(by_hand)))


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_an_insertion_is_the_same_as_by_hand(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    by_hand = copy.deepcopy(value)
    spot = chosen_in(by_hand, data, listed=True)
    inserted, content = spot.pair(), as_value(spot)
    length = len(next(columns(spot)))
    index = data.draw(st.integers(0, length))
    patch = operation("insert", spot.list_path, content, index=index)
    found = patched(value, patch)
    for items, part in zip(columns(spot), inserted, strict=True):
        items.insert(index, part)
    assert found == normal(pruned(normal(by_hand)))
    if index == length:
        before, _, last = spot.list_path.rpartition(".")
        assert patched(value, operation("add", before, content, name=last.strip("`"))) == found


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_a_move_is_the_same_as_by_hand(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    by_hand = copy.deepcopy(value)
    spot = chosen_in(by_hand, data, listed=True)
    assert spot.at is not None
    length = len(next(columns(spot)))
    destination = data.draw(st.integers(0, length - 1))
    found = patched(value, operation("move", spot.list_path, source=spot.at, destination=destination))
    for items in columns(spot):
        items.insert(destination, items.pop(spot.at))
    assert found == normal(pruned(normal(by_hand)))
