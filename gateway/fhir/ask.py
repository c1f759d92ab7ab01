"""What the routes ask of a request: who calls, which base, which media types, a body.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from litestar import Request, route
from litestar.enums import HttpMethod

from gateway import errors
from gateway.fhir import media, xml
from gateway.fhir.format import FORMAT, answer_format
from gateway.fhir.patch import FHIRPATH_PATCH, JSON_PATCH, KINDS, MERGE_PATCH, language_of
from gateway.fhir.query_string import pairs
from gateway.records import Caller, Records

T = TypeVar("T")
Ask = Request[Any, Any, Any]

BASE = "/fhir"
FORM = "application/x-www-form-urlencoded"


def get(path: str) -> route:
    """Return the decorator of a route for GET, and for HEAD, which answers the same without a body.

    https://hl7.org/fhir/R4/http.html#head
    """
    return route(path, http_method=[HttpMethod.GET, HttpMethod.HEAD], status_code=200)


def records_of(request: Ask) -> Records:
    """Return the records that the app was made with."""
    return request.app.state.records


def caller_of(request: Ask) -> Caller:
    """Return who calls: the user that the X-User header names, until sign-on exists."""
    client = request.client
    user, address = request.headers.get("x-user"), client.host if client else None
    return Caller("fhir", user, base=base_url(request), address=address)


def prefer_of(request: Ask) -> str:
    """Return the Prefer header, "" where there is none."""
    return request.headers.get("prefer", "")


def base_url(request: Ask) -> str:
    """Return the base URL as the caller sees it."""
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}{BASE}"


def negotiate(request: Ask) -> None:
    """Refuse callers that take neither FHIR JSON nor FHIR XML. Raises NotAcceptable."""
    answer_format(request)


async def form_of(request: Ask) -> str:
    """Return the parameters of a search by POST, of the URL and of the body, as ``name=value&...``.

    Raises UnsupportedMediaType, NotAcceptable, BadRequest.
    """
    negotiate(request)
    kind = request.headers.get("content-type", FORM).partition(";")[0]
    form = (await request.body()).decode("utf-8", "replace")
    if form and kind.strip().lower() != FORM:
        raise errors.UnsupportedMediaType(f"A search by POST is {FORM}.", expression="http.Content-Type")
    if FORMAT in form:
        request.scope["state"][FORMAT] = dict(pairs(form)).get(FORMAT)
        negotiate(request)
    return "&".join(part for part in (request.url.query, form) if part)


def see_encoding(request: Ask) -> None:
    """Refuse bodies that are compressed, which are not unpacked here. Raises UnsupportedMediaType."""
    told = request.headers.get("content-encoding", "identity")
    if told.strip().lower() not in ("", "identity"):
        raise errors.UnsupportedMediaType(
            "A body must come as it is, not compressed.", expression="http.Content-Encoding"
        )


async def resource_body(request: Ask) -> bytes:
    """Return the body of a write as JSON, whichever format it came in.

    Raises UnsupportedMediaType, NotAcceptable, TooLarge; NotParseable for XML that cannot be read.
    """
    negotiate(request)
    see_encoding(request)
    kind = media.body_format(request.headers.get("content-type", media.FHIR_JSON))
    body = await request.body()
    return body if kind == "json" else await in_thread(xml.to_json, body)


async def patch_body(request: Ask) -> tuple[str, bytes]:
    """Return the language of a patch, as its media type, and its body as JSON.

    Raises UnsupportedMediaType, NotAcceptable, TooLarge; NotParseable for XML that cannot be read.
    """
    negotiate(request)
    see_encoding(request)
    told = request.headers.get("content-type", "")
    kind = media.split(told)[0]
    if kind not in (*KINDS, *media.FORMATS):
        named = f", not {told[:100]}" if told else ""
        needed = f"A patch says of what media type it is: one of {', '.join(KINDS)}{named}."
        raise errors.UnsupportedMediaType(needed, expression="http.Content-Type")
    if kind in (JSON_PATCH, MERGE_PATCH):
        return kind, await request.body()
    if media.body_format(told) == "xml":
        return FHIRPATH_PATCH, await resource_body(request)
    body = await request.body()
    return language_of(kind, body), body


async def in_thread(work: Callable[..., T], *values: Any) -> T:
    """Run storage work in a thread: the one hop between the doors, which wait, and storage, which blocks."""
    return await asyncio.to_thread(work, *values)
