"""Answers of the FHIR door: stored bytes with their headers, outcomes of problems.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.utils import format_datetime
from typing import Any

from litestar import Response

from gateway.errors import BadRequest, Problem, operation_outcome
from gateway.fhir import media, wire
from gateway.fhir.conditional_read import unchanged
from gateway.fhir.format import Answer
from gateway.fhir.metadata import Statement
from gateway.fhir.view import View
from gateway.records import ANY_VERSION, Written
from storage.versions import Stored


def body(content: bytes | None, status: int = 200, headers: dict[str, str] | None = None) -> Response[bytes]:
    """Return an answer of FHIR JSON bytes."""
    return Answer(content or b"", status_code=status, media_type=media.FULL["json"], headers=headers)


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


def written(made: Written, base_url: str, prefer: str, *, told: bool = False) -> Response[bytes]:
    """Return the answer of a write: 201 and where it is for what was created, else 200; ``told``: where it is
    in any case.
    """
    version = made.version
    location = f"{base_url}/{version.resource_type}/{version.fhir_id}/_history/{version.version}"
    status = 201 if made.created else 200
    return resource(version, status, location if made.created or told else None, preference(prefer))


def deleted(gone: Sequence[Stored], prefer: str) -> Response[bytes]:
    """Return the answer of a delete: nothing, or how many resources went where an outcome is asked for."""
    headers = version_headers(gone[0]) if len(gone) == 1 else None
    if preference(prefer) != "OperationOutcome":
        return body(None, 204, headers)
    told = f"{len(gone)} resource{'' if len(gone) == 1 else 's'} deleted."
    issue = {"severity": "information", "code": "informational", "diagnostics": told}
    return body(wire.encode({"resourceType": "OperationOutcome", "issue": [issue]}), 200, headers)


def found(version: Stored, asked: Mapping[str, str], view: View) -> Response[bytes]:
    """Return the answer of a read: a version as it shall be shown, or 304 where the caller (``asked``: the
    headers of the request) has it already.
    """
    headers = version_headers(version)
    if unchanged(asked, headers["ETag"], version.last_updated):
        return body(None, 304, headers)
    return body(view.bytes(version.content or b""), 200, headers)


def stated(statement: Statement, asked: Mapping[str, str], view: View) -> Response[bytes]:
    """Return what the server says of itself, or 304 where the caller has it already."""
    headers = {"ETag": statement.tag}
    if unchanged(asked, statement.tag):
        return body(None, 304, headers)
    return body(view.bytes(statement.content), 200, headers)


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
