"""The routes of interactions that name a resource by criteria.

https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from litestar import Response, delete, patch, put
from litestar.params import FromPath

from gateway.conditional import Criteria
from gateway.fhir import answer, validate, wire
from gateway.fhir.ask import (
    Ask,
    base_url,
    caller_of,
    in_thread,
    negotiate,
    patch_body,
    prefer_of,
    records_of,
)
from gateway.fhir.binary import body_of
from gateway.fhir.criteria import criteria_of
from gateway.fhir.patch import change_of
from gateway.records import Written
from storage.versions import Stored


def criteria_in(request: Ask, resource_type: str, text: str) -> Criteria:
    """Return the criteria of a request, from its URL or a header. Raises as ``criteria_of``."""
    return criteria_of(records_of(request), caller_of(request), resource_type, text, base_url(request))


async def create_unless(request: Ask, resource_type: str, body: bytes, text: str) -> Response[bytes]:
    """Conditional create: https://hl7.org/fhir/R4/http.html#ccreate. What is there already is answered."""

    def work() -> Written:
        criteria = criteria_in(request, resource_type, text)
        value = wire.decode(body)
        validate.check(value, resource_type)
        return records_of(request).create_unless(caller_of(request), criteria, value)

    made = await in_thread(work)
    return answer.written(made, base_url(request), prefer_of(request), told=True)


@put("/{resource_type:str}")
async def update_matching(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Conditional update: https://hl7.org/fhir/R4/http.html#cond-update."""
    body = await body_of(request, resource_type)
    seen = answer.if_match(request.headers.get("if-match"))

    def work() -> Written:
        criteria = criteria_in(request, resource_type, request.url.query)
        value = wire.decode(body)
        validate.check(value, resource_type)
        return records_of(request).update_matching(caller_of(request), criteria, value, seen)

    return answer.written(await in_thread(work), base_url(request), prefer_of(request))


@delete("/{resource_type:str}", status_code=200)
async def delete_matching(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Conditional delete, of one or of several: https://hl7.org/fhir/R4/http.html#delete."""
    negotiate(request)
    seen = answer.if_match(request.headers.get("if-match"))

    def work() -> list[Stored]:
        criteria = criteria_in(request, resource_type, request.url.query)
        return records_of(request).delete_matching(caller_of(request), criteria, seen)

    return answer.deleted(await in_thread(work), prefer_of(request))


@patch("/{resource_type:str}")
async def patch_matching(request: Ask, resource_type: FromPath[str]) -> Response[bytes]:
    """Conditional patch: https://hl7.org/fhir/R4/http.html#patch."""
    kind, body = await patch_body(request)
    seen = answer.if_match(request.headers.get("if-match"))

    def work() -> Stored:
        criteria = criteria_in(request, resource_type, request.url.query)
        change = change_of(kind, body, resource_type)
        return records_of(request).patch_matching(caller_of(request), criteria, change, seen)

    return answer.resource(await in_thread(work), prefer=answer.preference(prefer_of(request)))


@patch("/{resource_type:str}/{fhir_id:str}")
async def patch_one(request: Ask, resource_type: FromPath[str], fhir_id: FromPath[str]) -> Response[bytes]:
    """patch: https://hl7.org/fhir/R4/http.html#patch."""
    kind, body = await patch_body(request)
    seen = answer.if_match(request.headers.get("if-match"))

    def work() -> Stored:
        change = change_of(kind, body, resource_type)
        return records_of(request).patch(caller_of(request), resource_type, fhir_id, change, seen)

    return answer.resource(await in_thread(work), prefer=answer.preference(prefer_of(request)))


ROUTES = [update_matching, delete_matching, patch_matching, patch_one]
