"""$lastn groups by codes that stand together: https://hl7.org/fhir/R4/observation-operation-lastn.html."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from storage.search.latest import first_of_each

CODES = st.sets(st.sampled_from("abcdef"), max_size=3)


def alike(codes: list[set[str]]) -> list[set[int]]:
    """Return the groups of places, put together one by one."""
    groups: list[tuple[set[int], set[str]]] = []
    for place, own in enumerate(codes):
        near = [group for group in groups if group[1] & own]
        places = {place}.union(*(group[0] for group in near))
        groups = [group for group in groups if group not in near]
        groups.append((places, own.union(*(group[1] for group in near))))
    return [places for places, _ in groups]


@given(st.lists(CODES, max_size=12), st.integers(1, 3))
def test_the_first_of_each_group_are_chosen_in_their_order(codes: list[set[str]], most: int) -> None:
    ids = [UUID(int=place) for place in range(len(codes))]
    names = [(ids[place], ("s", code)) for place, own in enumerate(codes) for code in sorted(own)]
    expected = sorted((sorted(group)[:most] for group in alike(codes)), key=lambda group: group[0])
    assert [found.int for found in first_of_each(ids, names, most)] == [p for g in expected for p in g]
