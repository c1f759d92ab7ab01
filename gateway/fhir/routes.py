"""The routes of the FHIR door, one per interaction, for every resource type alike.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from litestar import Request, Response, Router, delete, get, post, put
from litestar.params import FromPath

from gateway import errors
from gateway.fhir import answer, history, metadata, search, wire
from gateway.fhir.create import create
from gateway.fhir.update import update
from gateway.records import Caller, Records

T = TypeVar("T")
Ask = Request[Any, Any, Any]

BASE = "/fhir"


def records_of(request: Ask) -> Records:
    """Return the records that the app was made with."""
    return request.app.state.records


def caller_of(request: Ask) -> Caller:
    """Return who calls: the user that the X-User header names, until sign-on exists."""
    return Caller("fhir", request.headers.get("x-user"), base=base_url(request))


def base_url(request: Ask) -> str:
    """Return the base URL as the caller sees it."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}{BASE}"


def negotiate(request: Ask) -> None:
    """Refuse callers that do not take FHIR JSON. Raises NotAcceptable."""
    if not wire.accepts_json(request.headers.get("accept"), request.query_params.get("_format")):
        raise errors.NotAcceptable(f"Only {wire.FHIR_JSON} can be given.")


async def resource_body(request: Ask) -> bytes:
    """Return the body of a write. Raises UnsupportedMediaType, NotAcceptable, TooLarge."""
    negotiate(request)
    kind = request.headers.get("content-type", wire.FHIR_JSON)
    if not wire.is_json(kind):
        raise errors.UnsupportedMediaType(f"The body must be {wire.FHIR_JSON} in UTF-8, not {kind}.")
    return await request.body()


async def in_thread(work: Callable[..., T], *values: Any) -> T:
    """Run storage work in a thread: the one hop between the doors, which wait, and storage, which blocks."""
    return await asyncio.to_thread(work, *values)


@get("/metadata", status_code=200)
async def capabilities(request: Ask) -> Response[bytes]:
    """capabilities: https://hl7.org/fhir/R4/http.html#capabilities."""
    negotiate(request)
    return answer.body(metadata.statement(base_url(request), request.app.state.started))


@post("/{resource_type:str}", status_code=201)
async def create_one(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """create: https://hl7.org/fhir/R4/http.html#create."""
    body = await resource_body(request)
    made = await in_thread(create, records_of(request), caller_of(request), resource_type, body)
    location = f"{base_url(request)}/{resource_type}/{made.fhir_id}/_history/{made.version}"
    return answer.resource(made, 201, location, answer.preference(request.headers.get("prefer", "")))


@get("/{resource_type:str}/{fhir_id:str}")
async def read_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """read: https://hl7.org/fhir/R4/http.html#read."""
    negotiate(request)
    found = await in_thread(records_of(request).read, caller_of(request), resource_type, fhir_id)
    return answer.resource(found)


@get("/{resource_type:str}/{fhir_id:str}/_history/{version:str}")
async def read_version(
    request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str], version: FromPath[str]
) -> Response[bytes]:
    """vread: https://hl7.org/fhir/R4/http.html#vread."""
    negotiate(request)
    found = await in_thread(records_of(request).vread, caller_of(request), resource_type, fhir_id, version)
    return answer.resource(found)


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


@put("/{resource_type:str}/{fhir_id:str}")
async def update_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """update: https://hl7.org/fhir/R4/http.html#update."""
    body = await resource_body(request)
    seen = answer.if_match(request.headers.get("if-match"))
    version, created = await in_thread(
        update, records_of(request), caller_of(request), resource_type, fhir_id, body, seen
    )
    location = f"{base_url(request)}/{resource_type}/{fhir_id}/_history/{version.version}"
    prefer = answer.preference(request.headers.get("prefer", ""))
    return answer.resource(version, 201 if created else 200, location if created else None, prefer)


@delete("/{resource_type:str}/{fhir_id:str}", status_code=200)
async def delete_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """delete: https://hl7.org/fhir/R4/http.html#delete. Deleting what is not there is no error."""
    negotiate(request)
    seen = answer.if_match(request.headers.get("if-match"))
    gone = await in_thread(records_of(request).delete, caller_of(request), resource_type, fhir_id, seen)
    return answer.body(None, 204, answer.version_headers(gone) if gone else None)


@get("/{resource_type:str}")
async def search_by_get(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Search by GET: https://hl7.org/fhir/R4/http.html#search."""
    negotiate(request)
    return await _search(request, resource_type, request.url.query)


@post("/{resource_type:str}/_search", status_code=200)
async def search_by_post(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Search by POST, with parameters in the body, the URL, or both."""
    negotiate(request)
    kind = request.headers.get("content-type", "application/x-www-form-urlencoded").partition(";")[0]
    form = (await request.body()).decode("utf-8", "replace")
    if form and kind.strip() != "application/x-www-form-urlencoded":
        raise errors.UnsupportedMediaType("A search by POST is application/x-www-form-urlencoded.")
    return await _search(request, resource_type, "&".join(part for part in (request.url.query, form) if part))


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


FHIR = Router(
    path=BASE,
    route_handlers=[
        capabilities,
        create_one,
        read_one,
        read_version,
        read_history,
        update_one,
        delete_one,
        search_by_get,
        search_by_post,
    ],
)
