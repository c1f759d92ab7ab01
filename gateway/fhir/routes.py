"""The routes of the FHIR door, one per interaction, for every resource type alike.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from functools import partial

from litestar import Response, Router, delete, post, put
from litestar.params import FromPath

from gateway import errors
from gateway.fhir import answer, binary, compartment, history, jobs, metadata, operations, search, view
from gateway.fhir.ask import (
    BASE,
    Ask,
    base_url,
    caller_of,
    form_of,
    get,
    in_thread,
    negotiate,
    prefer_of,
    records_of,
)
from gateway.fhir.bundle_routes import process_bundle
from gateway.fhir.conditional_routes import ROUTES, create_unless
from gateway.fhir.create import create
from gateway.fhir.job_search import accept_search
from gateway.fhir.update import update
from gateway.records import Written


@get("/metadata")
async def capabilities(request: Ask) -> Response[bytes]:
    """capabilities: https://hl7.org/fhir/R4/http.html#capabilities."""
    negotiate(request)
    shown = view.of_one(request.url.query, "")
    mode = metadata.mode_of(request.query_params.get("mode"))
    state = request.app.state
    cors = bool(state.settings.cors_origins)
    found = await in_thread(partial(metadata.statement, base_url(request), state.started, mode, cors=cors))
    return answer.stated(found, request.headers, shown)


@post("/{resource_type:str}", status_code=201)
async def create_one(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """create: https://hl7.org/fhir/R4/http.html#create."""
    body = await binary.body_of(request, resource_type)
    for name in request.query_params:
        if not name.startswith("_"):
            # Taken silently it would make the duplicate that the caller thinks it has ruled out.
            told = f"A create has no parameter {name}: the header If-None-Exist makes it conditional."
            raise errors.UnknownParameter(told, expression=f"http.{name}")
    unless = request.headers.get("if-none-exist")
    if unless is not None:
        return await create_unless(request, resource_type, body, unless)
    made = await in_thread(create, records_of(request), caller_of(request), resource_type, body)
    return answer.written(Written(made, created=True), base_url(request), prefer_of(request))


@get("/{resource_type:str}/{fhir_id:str}")
async def read_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """read: https://hl7.org/fhir/R4/http.html#read."""
    if resource_type != binary.TYPE:
        negotiate(request)
    shown = view.of_one(request.url.query, resource_type)
    found = await in_thread(records_of(request).read, caller_of(request), resource_type, fhir_id)
    return await binary.native(request, found) or answer.found(found, request.headers, shown)


@get("/{resource_type:str}/{fhir_id:str}/_history/{version:str}")
async def read_version(
    request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str], version: FromPath[str]
) -> Response[bytes]:
    """vread: https://hl7.org/fhir/R4/http.html#vread."""
    if resource_type != binary.TYPE:
        negotiate(request)
    shown = view.of_one(request.url.query, resource_type)
    found = await in_thread(records_of(request).vread, caller_of(request), resource_type, fhir_id, version)
    return await binary.native(request, found) or answer.found(found, request.headers, shown)


@get("/{resource_type:str}/{fhir_id:str}/_history")
async def read_history(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """History of an instance: https://hl7.org/fhir/R4/http.html#history."""
    negotiate(request)
    found = await in_thread(
        history.instance,
        records_of(request),
        caller_of(request),
        resource_type,
        fhir_id,
        request.url.query,
        base_url(request),
    )
    return answer.body(found)


@get("/{resource_type:str}/_history")
async def read_type_history(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """History of a type: https://hl7.org/fhir/R4/http.html#history."""
    negotiate(request)
    asked = (resource_type, request.url.query, base_url(request))
    return answer.body(await in_thread(history.of_type, records_of(request), caller_of(request), *asked))


@get("/_history")
async def read_system_history(request: Ask) -> Response[bytes]:
    """History of the whole system: https://hl7.org/fhir/R4/http.html#history."""
    negotiate(request)
    asked = (request.url.query, base_url(request))
    return answer.body(await in_thread(history.of_system, records_of(request), caller_of(request), *asked))


@put("/{resource_type:str}/{fhir_id:str}")
async def update_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """update: https://hl7.org/fhir/R4/http.html#update."""
    body = await binary.body_of(request, resource_type, fhir_id)
    seen = answer.if_match(request.headers.get("if-match"))
    made = await in_thread(
        update, records_of(request), caller_of(request), resource_type, fhir_id, body, seen
    )
    return answer.written(made, base_url(request), prefer_of(request))


@delete("/{resource_type:str}/{fhir_id:str}", status_code=200)
async def delete_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """delete: https://hl7.org/fhir/R4/http.html#delete. Deleting what is not there is no error."""
    negotiate(request)
    seen = answer.if_match(request.headers.get("if-match"))
    gone = await in_thread(records_of(request).delete, caller_of(request), resource_type, fhir_id, seen)
    return answer.deleted([gone] if gone else [], prefer_of(request))


@get("/{resource_type:str}")
async def search_by_get(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Search by GET: https://hl7.org/fhir/R4/http.html#search."""
    negotiate(request)
    return await _search(request, resource_type, request.url.query)


@post("/{resource_type:str}/_search", status_code=200)
async def search_by_post(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Search by POST, with parameters in the body, the URL, or both."""
    return await _search(request, resource_type, await form_of(request))


@get("/")
async def search_all_by_get(request: Ask) -> Response[bytes]:
    """Search of several types by GET: https://hl7.org/fhir/R4/http.html#search."""
    negotiate(request)
    return await _search(request, "", request.url.query)


@post("/_search", status_code=200)
async def search_all_by_post(request: Ask) -> Response[bytes]:
    """Search of several types by POST."""
    return await _search(request, "", await form_of(request))


async def _search(request: Ask, resource_type: str, query: str) -> Response[bytes]:
    found = await in_thread(
        search.search,
        records_of(request),
        caller_of(request),
        resource_type,
        query,
        base_url(request),
        request.headers.get("prefer", ""),
    )
    return answer.body(found)


@get("/{resource_type:str}/{fhir_id:str}/{member:str}")
async def search_compartment(
    request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str], member: FromPath[str]
) -> Response[bytes]:
    """Search of a compartment: https://hl7.org/fhir/R4/search.html#searchcontexts."""
    negotiate(request)
    return await _search_within(request, (resource_type, fhir_id, member), request.url.query)


@post("/{resource_type:str}/{fhir_id:str}/{member:str}/_search", status_code=200)
async def search_compartment_by_post(
    request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str], member: FromPath[str]
) -> Response[bytes]:
    """Search of a compartment by POST."""
    return await _search_within(request, (resource_type, fhir_id, member), await form_of(request))


async def _search_within(request: Ask, place: tuple[str, str, str], query: str) -> Response[bytes]:
    who = (records_of(request), caller_of(request))
    found = await in_thread(compartment.search, *who, *place, query, base_url(request), prefer_of(request))
    return answer.body(found)


LONG = Router(
    path="/",
    before_request=jobs.accept,
    route_handlers=[
        read_history,
        read_type_history,
        read_system_history,
        process_bundle,
    ],
)
"""What may take its time, and is answered later where the caller prefers that."""

SEARCHES = Router(
    path="/",
    before_request=accept_search,
    route_handlers=[
        search_by_get,
        search_by_post,
        search_all_by_get,
        search_all_by_post,
        search_compartment,
        search_compartment_by_post,
    ],
)
"""So may searches."""

FHIR = Router(
    path=BASE,
    include_in_schema=False,  # described by gateway/openapi/fhir.py, off the mappings
    route_handlers=[
        capabilities,
        create_one,
        read_one,
        read_version,
        update_one,
        delete_one,
        LONG,
        SEARCHES,
        *jobs.ROUTES,
        *ROUTES,
        *operations.ROUTES,
    ],
)
