"""Routes of operations, made from what is offered: GET where nothing is changed, POST always.

https://hl7.org/fhir/R4/operations.html#request
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from gateway.fhir import answer
from gateway.fhir.ask import Ask, base_url, caller_of, in_thread, negotiate, records_of, resource_body
from gateway.fhir.jobs import accept
from gateway.fhir.operations.call import Call, inputs, see_offered
from gateway.fhir.view import View
from mappings.operations import Level, Offered

Run = Callable[[Call], bytes]

_PATHS: dict[Level, str] = {
    "system": "/${}",
    "type": "/{{resource_type:str}}/${}",
    "instance": "/{{resource_type:str}}/{{fhir_id:str}}/${}",
}


def routes(offered: Offered, run: Run) -> Iterator[HTTPRouteHandler]:
    """Give the routes of an operation, one for each level."""
    methods = [HttpMethod.POST] if offered.changes else [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST]
    # What changes something is quick, and is done at once.
    later = None if offered.changes else accept
    for level in offered.levels:
        made = route(
            _PATHS[level].format(offered.name), http_method=methods, status_code=200, before_request=later
        )
        yield made(_handler(offered, run, level))


def _handler(offered: Offered, run: Run, level: Level) -> Callable[..., object]:
    async def on_system(request: Ask) -> Response[bytes]:
        return await _answer(offered, run, request)

    async def on_type(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
        return await _answer(offered, run, request, resource_type)

    async def on_instance(
        request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]
    ) -> Response[bytes]:
        return await _answer(offered, run, request, resource_type, fhir_id)

    made = {"system": on_system, "type": on_type, "instance": on_instance}[level]
    made.__name__ = f"{offered.name.replace('-', '_')}_{made.__name__}"
    return made


async def _answer(
    offered: Offered, run: Run, request: Ask, resource_type: str = "", fhir_id: str = ""
) -> Response[bytes]:
    """Answer a call. Raises Problem: UnsupportedType, NotFound where a type has not the operation."""
    negotiate(request)
    body = await resource_body(request) if request.method == "POST" else b""
    see_offered(offered, resource_type)
    listed, parts = inputs(request.url.query, body)
    prefer = request.headers.get("prefer", "")
    where = (base_url(request), resource_type, fhir_id)
    # A call that changes nothing needs no version to stand.
    seen = answer.if_match(request.headers.get("if-match")) if offered.changes else None
    call = Call(records_of(request), caller_of(request), *where, listed, parts, prefer, seen)
    shown = View(pretty=call.one("_pretty") == "true")
    return answer.body(shown.laid_out(await in_thread(run, call)))
