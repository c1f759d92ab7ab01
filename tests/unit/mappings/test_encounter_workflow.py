"""Where the status of an encounter may go. https://hl7.org/fhir/R4/valueset-encounter-status.html"""

from __future__ import annotations

from itertools import product

import pytest

from mappings.element import IllegalTransition
from mappings.workflow.encounters import MOVES, judge, reachable
from storage.model.encounter import Encounter

BACK = {"planned": 0, "arrived": 1, "triaged": 2, "in-progress": 3, "onleave": 3} | dict.fromkeys(
    ("finished", "cancelled"), 4
)


def test_every_status_is_known() -> None:
    assert {*MOVES, "entered-in-error", "unknown"} == set(Encounter.status.values)
    assert BACK.keys() == MOVES.keys()


@pytest.mark.parametrize(("before", "after"), list(product(MOVES, MOVES)))
def test_an_encounter_never_goes_back(before: str, after: str) -> None:
    if after in reachable(before):
        assert BACK[before] <= BACK[after]
        judge(before, after)
    elif before != after:
        with pytest.raises(IllegalTransition) as refused:
            judge(before, after)
        assert refused.value.allowed == reachable(before)


@pytest.mark.parametrize("before", [*MOVES, "unknown"])
def test_any_encounter_can_be_in_error_and_none_leaves_it(before: str) -> None:
    judge(before, "entered-in-error")
    with pytest.raises(IllegalTransition):
        judge("entered-in-error", before)


def test_an_admin_alone_reopens_what_is_finished() -> None:
    judge("finished", "in-progress", "admin")
    with pytest.raises(IllegalTransition):
        judge("finished", "in-progress", "nurse")


@pytest.mark.parametrize("before", [*MOVES, "entered-in-error"])
def test_what_is_known_does_not_become_unknown_and_so_begin_anew(before: str) -> None:
    with pytest.raises(IllegalTransition):
        judge(before, "unknown")
