"""What can be ordered: kinds of imaging, laboratory tests, procedures, parts of the body."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from litestar import Response, get
from msgspec import Struct

from gateway.native.orders.answers import BodyPart, LabTest, Modality, ProcedureType
from gateway.native.words import Ask, answer, records_of
from gateway.openapi.call import call
from storage import orders

S = TypeVar("S", bound=Struct)


@get("/modalities/list", opt=call(answer=list[Modality]))
async def list_modalities(request: Ask) -> Response[bytes]:
    """List the kinds of imaging that can be ordered."""
    return await _listed(request, "modalities", Modality)


@get("/lab-tests/list", opt=call(answer=list[LabTest]))
async def list_lab_tests(request: Ask) -> Response[bytes]:
    """List the laboratory tests that can be ordered."""
    return await _listed(request, "lab-tests", LabTest)


@get("/procedures/list", opt=call(answer=list[ProcedureType]))
async def list_procedure_types(request: Ask) -> Response[bytes]:
    """List the procedures that can be ordered."""
    return await _listed(request, "procedures", ProcedureType)


@get("/body-parts/list", opt=call(answer=list[BodyPart]))
async def list_body_parts(request: Ask) -> Response[bytes]:
    """List the parts of the body that can be imaged, and by what."""
    return await _listed(request, "body-parts", BodyPart)


async def _listed(request: Ask, name: str, kind: type[S]) -> Response[bytes]:
    def found() -> list[S]:
        with records_of(request).store.connection() as connection:
            rows = orders.listed(connection, name)
        return [kind(**{field: row[field] for field in kind.__struct_fields__}) for row in rows]

    return answer(await asyncio.to_thread(found))


ROUTES = (list_modalities, list_lab_tests, list_procedure_types, list_body_parts)
