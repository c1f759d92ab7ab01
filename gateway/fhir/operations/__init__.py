"""Operations, one file each; their routes are made from the table of what is offered.

https://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from gateway.fhir.operations.everything import everything
from gateway.fhir.operations.lastn import lastn
from gateway.fhir.operations.meta import meta, meta_add, meta_delete
from gateway.fhir.operations.routes import routes
from gateway.fhir.operations.validate import validate
from mappings.operations import EVERYTHING, LASTN, META, META_ADD, META_DELETE, VALIDATE

ROUTES = [
    *routes(VALIDATE, validate),
    *routes(META, meta),
    *routes(META_ADD, meta_add),
    *routes(META_DELETE, meta_delete),
    *routes(LASTN, lastn),
    *routes(EVERYTHING, everything),
]
