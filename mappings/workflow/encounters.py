"""The statuses of an encounter, and where each may go.

https://hl7.org/fhir/R4/encounter-definitions.html#Encounter.status and
https://hl7.org/fhir/R4/valueset-encounter-status.html
"""

from __future__ import annotations

from functools import cache

from mappings.element import IllegalTransition

EXPRESSION = "Encounter.status"
ERROR = "entered-in-error"
MOVES: dict[str, tuple[str, ...]] = {
    "planned": ("arrived", "triaged", "in-progress", "cancelled"),
    "arrived": ("triaged", "in-progress", "cancelled"),
    "triaged": ("in-progress", "cancelled"),
    "in-progress": ("onleave", "finished"),
    "onleave": ("in-progress", "finished"),
    "finished": (),
    "cancelled": (),
}
"""From -> to, one step. ``unknown`` is no state: what becomes known reports a fact, and what is known does
not become unknown, since from there it might begin anew.
"""


@cache
def reachable(before: str, *, admin: bool = False) -> tuple[str, ...]:
    """Return the statuses that an encounter may go to, by any number of steps; an admin reopens what is
    finished.
    """
    if before == ERROR:
        return ()
    if before == "unknown":
        return (*MOVES, ERROR)
    found: dict[str, None] = {}
    ahead = ["in-progress"] if admin and before == "finished" else list(MOVES[before])
    while ahead:
        status = ahead.pop(0)
        if status not in found:
            found[status] = None
            ahead += MOVES[status]
    return (*(status for status in found if status != before), ERROR)


def judge(before: str, wanted: str, role: str | None = None) -> None:
    """Judge a change of Encounter.status; raises IllegalTransition."""
    allowed = reachable(before, admin=role == "admin")
    if wanted != before and wanted not in allowed:
        raise IllegalTransition(EXPRESSION, before, wanted, allowed)
