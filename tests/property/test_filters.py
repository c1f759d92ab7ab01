from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.library import Library

FAMILIES = [None, "Smith", "Smithson", "Doe"]
BORN = [None, "1970", "1980-05-17", "2001-12"]
GENDERS = [None, "male", "female"]
PEOPLE = [
    {"family": family, "birthDate": born, "gender": gender}
    for family in FAMILIES
    for born in BORN
    for gender in GENDERS
]

Person = dict[str, Any]
Filter = tuple[str, Callable[[Person], bool]]


def write(made: Library) -> None:
    for place, person in enumerate(PEOPLE):
        elements: dict[str, Any] = {name: person[name] for name in ("birthDate", "gender") if person[name]}
        if person["family"]:
            elements["name"] = [{"family": person["family"]}]
        made.put("Patient", f"p{place}", **elements)


def after(year: str) -> Filter:
    return f"birthdate ge {year}", lambda one: bool(one["birthDate"]) and one["birthDate"][:4] >= year


TESTS: st.SearchStrategy[Filter] = st.sampled_from(
    [
        ("gender eq male", lambda one: one["gender"] == "male"),
        ("gender ne male", lambda one: one["gender"] != "male"),
        ("gender pr true", lambda one: one["gender"] is not None),
        ("birthdate pr false", lambda one: one["birthDate"] is None),
        ("family eq smith", lambda one: one["family"] == "Smith"),
        ('family sw "smi"', lambda one: str(one["family"]).startswith("Smi")),
        ("family ew son", lambda one: str(one["family"]).endswith("son")),
        ("family co o", lambda one: one["family"] is not None and "o" in one["family"].lower()),
        after("1980"),
        after("1990"),
    ]
)


def joined(inner: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    def both(first: Filter, second: Filter) -> Filter:
        return f"({first[0]}) and ({second[0]})", lambda one: first[1](one) and second[1](one)

    def either(first: Filter, second: Filter) -> Filter:
        return f"({first[0]}) or ({second[0]})", lambda one: first[1](one) or second[1](one)

    def neither(found: Filter) -> Filter:
        return f"not ({found[0]})", lambda one: not found[1](one)

    def in_turn(first: Filter, second: Filter, third: Filter) -> Filter:
        text = f"{first[0]} or {second[0]} and {third[0]}"
        return text, lambda one: (first[1](one) or second[1](one)) and third[1](one)

    return st.one_of(
        st.builds(both, inner, inner),
        st.builds(either, inner, inner),
        st.builds(neither, inner),
        st.builds(in_turn, TESTS, TESTS, TESTS),
    )


@settings(max_examples=120)
@given(asked=st.recursive(TESTS, joined, max_leaves=6))
def test_a_filter_agrees_with_plain_logic(library: Library, asked: Filter) -> None:
    text, holds = asked
    depth = max((text[:place].count("(") - text[:place].count(")") for place in range(len(text))), default=0)
    if depth > 5:
        return
    expected = {f"p{place}" for place, person in enumerate(PEOPLE) if holds(person)}
    assert set(library.ids("Patient", f"_filter={quote(text)}&_count=1000")) == expected, text
