"""Composite searches agree with a plain filter that looks at one item at a time."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.session import Store
from tests.fixtures.library import Library

CODES = ["a", "b", "c"]
NUMBERS = ["1", "2", "3"]
OBSERVATIONS = 80
PREFIXES = {
    "": lambda held, asked: held == asked,
    "gt": lambda held, asked: held > asked,
    "le": lambda held, asked: held <= asked,
}
WITHIN = {
    "code-value-quantity": ("itself",),
    "component-code-value-quantity": ("components",),
    "combo-code-value-quantity": ("itself", "components"),
}
"""Parameter -> where the item may be that meets both parts."""

Thing = dict[str, Any]
Hospital = tuple[Library, dict[str, Thing]]


def item(chance: random.Random) -> Thing:
    listed = chance.sample(CODES, chance.randrange(3))
    made: Thing = {"code": {"coding": [{"code": code} for code in listed], "text": "any"}}
    if not listed:
        del made["code"]["coding"]
    if chance.random() < 0.8:
        made["valueQuantity"] = {"value": Decimal(chance.choice(NUMBERS))}
    return made


@pytest.fixture(scope="module")
def hospital(store: Store, _wipe: str) -> Hospital:
    with store.connection() as connection:
        connection.execute(_wipe.encode())
    library, chance = Library(store), random.Random(11)
    things: dict[str, Thing] = {}
    for place in range(OBSERVATIONS):
        components = [item(chance) for _ in range(chance.randrange(3))]
        things[f"o{place}"] = item(chance) | ({"component": components} if components else {})
    for fhir_id, thing in things.items():
        library.put("Observation", fhir_id, status="final", **thing)
    return library, things


def meets(held: Thing, code: str, prefix: str, number: str) -> bool:
    codes = [coding["code"] for coding in held["code"].get("coding", ())]
    value = held.get("valueQuantity")
    return code in codes and value is not None and PREFIXES[prefix](value["value"], Decimal(number))


def items(thing: Thing, where: tuple[str, ...]) -> list[Thing]:
    return [thing] * ("itself" in where) + thing.get("component", []) * ("components" in where)


pairs = st.tuples(st.sampled_from(CODES), st.sampled_from(sorted(PREFIXES)), st.sampled_from(NUMBERS))
asked = st.tuples(st.sampled_from(sorted(WITHIN)), st.lists(pairs, min_size=1, max_size=3))


@settings(max_examples=100)
@given(searches=st.lists(asked, min_size=1, max_size=2))
def test_composite_searches_agree_with_a_plain_filter(hospital: Hospital, searches: list[Any]) -> None:
    library, things = hospital
    text = "&".join(
        f"{name}={','.join(f'{code}${prefix}{number}' for code, prefix, number in values)}"
        for name, values in searches
    )
    expected = {
        fhir_id
        for fhir_id, thing in things.items()
        if all(
            any(meets(held, *value) for held in items(thing, WITHIN[name]) for value in values)
            for name, values in searches
        )
    }
    assert set(library.ids("Observation", f"{text}&_count=1000")) == expected, text
