"""Answers of the FHIR door: stored bytes with their headers, outcomes of problems.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import Any

from litestar import Response

from gateway.errors import BadRequest, Problem, operation_outcome
from gateway.fhir import wire
from gateway.records import ANY_VERSION
from storage.versions import Stored

JSON = "application/fhir+json; charset=utf-8"


def body(content: bytes | None, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return an answer of FHIR JSON bytes."""
    return Response(content or b"", status_code=status, media_type=JSON, headers=headers)


def version_headers(version: Stored) -> dict[str, str]:
    """Return ETag (the version) and Last-Modified (to the second, as HTTP has it)."""
    modified = format_datetime(version.last_updated.replace(microsecond=0), usegmt=True)
    return {"ETag": f'W/"{version.version}"', "Last-Modified": modified}


def resource(
    version: Stored, status: int = 200, location: str | None = None, prefer: str = "representation"
) -> Response[bytes]:
    """Return a version as an answer; after a write what ``Prefer: return=`` asks for."""
    headers = version_headers(version)
    if location is not None:
        headers["Location"] = location
    if prefer == "minimal":
        return body(None, status, headers)
    if prefer == "OperationOutcome":
        return body(wire.encode(all_well(f"{version.resource_type}/{version.fhir_id}")), status, headers)
    return body(version.content, status, headers)


def all_well(subject: str) -> dict[str, Any]:
    """Return the OperationOutcome of a success."""
    issue = {"severity": "information", "code": "informational", "diagnostics": f"{subject} is stored."}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def problem(found: Problem) -> Response[bytes]:
    """Return the OperationOutcome of a problem, with its status."""
    return body(wire.encode(operation_outcome(found)), found.status)


def preference(header: str) -> str:
    """Return what ``Prefer: return=`` asks for: representation (the default), minimal or OperationOutcome."""
    for part in header.replace(";", ",").split(","):
        name, _, value = part.replace('"', "").replace(" ", "").partition("=")
        if name.lower() == "return" and value in ("minimal", "representation", "OperationOutcome"):
            return value
    return "representation"


_ETAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"|([0-9]+)')


def if_match(header: str | None) -> int | None:
    """Return the version that an If-Match header names: ANY_VERSION for ``*``, None where there is no header.

    A well-formed tag that is none of ours matches no version: -1. A bare number is taken for its version.
    Raises BadRequest for anything else. https://hl7.org/fhir/R4/http.html#concurrency
    """
    if header is None or not header.strip():
        return None
    if header.strip() == "*":
        return ANY_VERSION
    found = _ETAG.fullmatch(header.strip())
    if found is None:
        raise BadRequest('If-Match names one version, as W/"3".', expression="http.If-Match")
    tag = found[1] or found[2] or ""
    return int(tag) if tag.isascii() and tag.isdecimal() and 0 < int(tag) < 2**31 else -1
