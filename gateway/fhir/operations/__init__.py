"""Operations, one file each; their routes are made from the table of what is offered.

https://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.fhir.operations.everything import everything
from gateway.fhir.operations.lastn import lastn
from gateway.fhir.operations.meta import meta, meta_add, meta_delete
from gateway.fhir.operations.routes import Run, routes
from gateway.fhir.operations.validate import validate
from mappings.operations import EVERYTHING, LASTN, META, META_ADD, META_DELETE, VALIDATE, Level, Offered

_RUNS: tuple[tuple[Offered, Run], ...] = (
    (VALIDATE, validate),
    (META, meta),
    (META_ADD, meta_add),
    (META_DELETE, meta_delete),
    (LASTN, lastn),
    (EVERYTHING, everything),
)
BY_NAME = {offered.name: (offered, run) for offered, run in _RUNS}
"""What is offered and what does it, by the name without `$`."""

_LEVELS: tuple[Level, ...] = ("system", "type", "instance")


def called(place: Sequence[str], name: str) -> tuple[Offered, Run] | None:
    """Return the operation of a name that a place (none, a type, a type and an id) has, None for none."""
    found = BY_NAME.get(name)
    level = _LEVELS[len(place)] if len(place) < len(_LEVELS) else None
    return found if found is not None and level in found[0].levels else None


ROUTES = [made for offered, run in _RUNS for made in routes(offered, run)]
