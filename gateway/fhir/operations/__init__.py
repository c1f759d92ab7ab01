"""Operations, one file each; their routes are made from the table of what is offered.

https://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from gateway.fhir.operations.everything import everything
from gateway.fhir.operations.lastn import lastn
from gateway.fhir.operations.meta import meta, meta_add, meta_delete
from gateway.fhir.operations.routes import Run, routes
from gateway.fhir.operations.validate import validate
from mappings.operations import EVERYTHING, LASTN, META, META_ADD, META_DELETE, VALIDATE, Offered

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

ROUTES = [made for offered, run in _RUNS for made in routes(offered, run)]
