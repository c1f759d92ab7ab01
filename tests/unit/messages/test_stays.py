"""The stays of a visit, whatever the moves: one goes on, none that was is lost.

https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.location
"""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mappings.messages.stays import Stay, Stays, arrive, back_at, stay_ends

NAMES = st.sampled_from(["A", "B", "C"])


def place(name: str) -> dict[str, Any]:
    """A Reference to a place."""
    return {"reference": f"Location/{name}"}


def hour(number: int) -> str:
    """The time of a move."""
    return f"2026-03-{number // 24 + 1:02}T{number % 24:02}:00:00+00:00"


def moved(names: list[str]) -> Stays:
    """The stays of a patient who was moved to one place after the other, each an hour later."""
    found: Stays = []
    for number, name in enumerate(names):
        found = arrive(found, Stay(place(name), "active", hour(number), hour(number)), [])
    return found


@given(st.lists(NAMES, min_size=1, max_size=40))
def test_each_move_is_a_stay_and_the_last_goes_on(names: list[str]) -> None:
    found = moved(names)
    assert [item["location"] for item in found] == [place(name) for name, _ in groupby(names)]
    assert [item["status"] for item in found] == ["completed"] * (len(found) - 1) + ["active"]
    for earlier, later in pairwise(found):
        assert earlier["period"]["end"] == later["period"]["start"]


@given(st.lists(NAMES, min_size=1, max_size=20), NAMES)
def test_a_move_that_is_taken_back_leaves_all_as_it_was(names: list[str], name: str) -> None:
    before = moved(names)
    at = hour(len(names))
    after = arrive(before, Stay(place(name), "active", at, at), [])
    assert back_at(after, Stay(place(names[-1]), "active", at, at)) == before


@given(st.lists(NAMES, min_size=1, max_size=20))
def test_a_discharge_that_is_taken_back_leaves_all_as_it_was(names: list[str]) -> None:
    before, at = moved(names), hour(len(names))
    ended = stay_ends(before, at)
    assert all(item["status"] == "completed" for item in ended)
    assert back_at(ended, Stay(place(names[-1]), "active", at, at)) == before


@given(st.lists(NAMES, min_size=1, max_size=20))
def test_a_place_that_the_message_tells_besides_is_not_left(names: list[str]) -> None:
    aside = {"location": place("XRAY"), "status": "active"}
    found = arrive([*moved(names), aside], Stay(place("D"), "active", hour(40), hour(40)), [place("XRAY")])
    assert aside in found
    assert [item["location"] for item in found if item["status"] == "active"] == [place("XRAY"), place("D")]
