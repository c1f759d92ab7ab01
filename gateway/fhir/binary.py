"""Binary in its native form: its content as it is, instead of a resource that holds it.

https://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

import base64
import re
from typing import Any, cast

from litestar import Response

from gateway.errors import NotParseable, UnsupportedMediaType
from gateway.fhir import media, wire, xml
from gateway.fhir.answer import version_headers
from gateway.fhir.ask import Ask, in_thread, negotiate, resource_body, see_encoding
from gateway.fhir.conditional_read import unchanged
from gateway.fhir.format import named_format
from storage.versions import Stored

TYPE = "Binary"
SECURITY_CONTEXT = "X-Security-Context"
"""The header that stands for Binary.securityContext."""

_FORMAL = frozenset({media.FHIR_JSON, media.FHIR_XML})
_SAYS_BINARY = re.compile(rb'"resourceType"\s*:\s*"Binary"|<(?:[\w.\-]+:)?Binary[\s/>]')
_TOKEN = r"[A-Za-z0-9!#$&^_.+\-]+"  # noqa: S105 - of HTTP, RFC 9110 section 5.6.2
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:\s*;\s*(?:{_TOKEN}=(?:{_TOKEN}|"[ -~]*"))?)*')
_HEADER = re.compile(r"[!-~]+")

_OPAQUE = "application/octet-stream"
_PASSIVE = re.compile(
    r"application/pdf|application/dicom|text/plain|text/csv|(?:audio|video)/[a-z0-9.+\-]+"
    r"|image/(?:png|jpeg|gif|webp|bmp|tiff)"
)
"""Content that a browser may show: it runs nothing in the name of the page's origin."""

_HARMLESS = {"X-Content-Type-Options": "nosniff"}
_DISARMED = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


# --- writing ---


async def body_of(request: Ask, resource_type: str, fhir_id: str | None = None) -> bytes:
    """Return the body of a create or update as JSON; for a Binary of whatever is sent, unless it is one.

    Raises as ``resource_body``; UnsupportedMediaType for content whose type is none.
    """
    told = request.headers.get("content-type", "")
    if resource_type != TYPE or not told:
        return await resource_body(request)
    see_encoding(request)
    body = await request.body()
    if await in_thread(_is_resource, media.split(told)[0], body):
        return await resource_body(request)
    if not _MEDIA_TYPE.fullmatch(told.strip()):
        raise UnsupportedMediaType("The content must say of what media type it is.")
    return await in_thread(_resource, told, body, fhir_id, request.headers.get(SECURITY_CONTEXT))


def _is_resource(media_type: str, body: bytes) -> bool:
    """Tell whether a body is a Binary as a resource, or was meant to be one."""
    kind = media.FORMATS.get(media_type)
    if kind is None:
        return False
    try:
        value = wire.decode(body) if kind == "json" else xml.read(body)
    except NotParseable:
        return media_type in _FORMAL or _SAYS_BINARY.search(body) is not None
    return value.get("resourceType") == TYPE


def _resource(told: str, body: bytes, fhir_id: str | None, context: str | None) -> bytes:
    value = {
        "resourceType": TYPE,
        "id": fhir_id,
        "contentType": " ".join(told.split()),
        "securityContext": {"reference": context} if context else None,
        "data": base64.b64encode(body).decode() or None,
    }
    return wire.encode({key: part for key, part in value.items() if part is not None})


# --- reading ---


async def native(request: Ask, found: Stored) -> Response[bytes] | None:
    """Return a Binary as its content, or 304 where the caller has it already; None where FHIR is asked for,
    and for other types. Raises NotAcceptable for FHIR that cannot be given.
    """
    if found.resource_type != TYPE:
        return None
    value: dict[str, Any] = await in_thread(wire.DECODER.decode, found.content or b"{}")
    if named_format(request) or not wants_native(value["contentType"], request.headers.get("accept", "")):
        negotiate(request)
        return None
    headers = version_headers(found) | {"Vary": "Accept"} | _HARMLESS
    if unchanged(request.headers, headers["ETag"], found.last_updated):
        return Response(b"", status_code=304, headers=headers)
    headers |= _told(value)
    return Response(await in_thread(_content, value), headers=headers)


def wants_native(content_type: str, accept: str) -> bool:
    """Tell whether an Accept header asks for content of a type rather than for FHIR.

    It does unless it names a type of FHIR, or a generic one (``application/json``) that the content has not.
    """
    parts = [media.split(part) for part in accept.split(",") if part.strip()]
    own, format_of_own = media.split(content_type)[0], _format_of(content_type)
    weights = {3: 0.0} | {_nearness(own, format_of_own, name): media.weight(told) for name, told in parts}
    wanted = next((weights[near] for near in (0, 1, 2) if near in weights), 0.0)
    formal = [media.weight(told) for name, told in parts if name in _FORMAL]
    if formal:
        return wanted > max(formal)
    return wanted > 0 or not any(name in media.FORMATS and media.weight(told) > 0 for name, told in parts)


def _nearness(own: str, format_of_own: str | None, name: str) -> int:
    """Return how closely a part of an Accept header names a type: 0 by name, 3 not at all."""
    if name in _FORMAL:
        return 3
    if name == own or (format_of_own and media.FORMATS.get(name) == format_of_own):
        return 0
    return 1 if name == f"{own.partition('/')[0]}/*" else 2 if name in ("*/*", "*") else 3


def _format_of(content_type: str) -> str | None:
    """Return the format that a media type is spelt in, as ``application/vnd.xacml+json`` is in JSON."""
    media_type = media.split(content_type)[0]
    return media.FORMATS.get(media_type) or media.FORMATS.get(f"application/{media_type.rpartition('+')[2]}")


def _told(value: dict[str, Any]) -> dict[str, str]:
    """Return the headers that stand for elements, and those that keep active content from running here."""
    kind = value["contentType"] if _MEDIA_TYPE.fullmatch(value["contentType"]) else _OPAQUE
    headers = {"Content-Type": kind}
    context = cast("dict[str, Any]", value.get("securityContext") or {}).get("reference")
    if isinstance(context, str) and _HEADER.fullmatch(context):
        headers[SECURITY_CONTEXT] = context
    return headers if _PASSIVE.fullmatch(media.split(kind)[0]) else headers | _DISARMED


def _content(value: dict[str, Any]) -> bytes:
    return base64.b64decode("".join(value.get("data", "").split()))
