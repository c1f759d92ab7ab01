"""Answers of the FHIR door: stored bytes with their headers, outcomes of problems.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

from litestar import Response

from gateway.errors import Problem, operation_outcome
from gateway.fhir import wire
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
    """Return what ``Prefer: return=...`` asks for: representation (the default), minimal or OperationOutcome."""
    for part in header.replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        if name == "return" and value in ("minimal", "representation", "OperationOutcome"):
            return value
    return "representation"


def if_match(header: str | None) -> int | None:
    """Return the version that an If-Match header names, None where there is none.

    An ETag that is none of ours matches no version: -1.
    """
    if header is None or header.strip() in ("", "*"):
        return None
    tag = header.strip().removeprefix("W/").strip('"')
    return int(tag) if tag.isdecimal() and len(tag) < 10 else -1
