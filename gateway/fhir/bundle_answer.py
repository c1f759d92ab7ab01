"""The Bundle that answers a batch or transaction: https://hl7.org/fhir/R4/http.html#transaction-response.

One entry for each that came, in the same order; stored bytes are spliced into it.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from gateway.errors import Problem, operation_outcome
from gateway.fhir import answer
from gateway.fhir.wire import encode
from mappings.times import render_instant
from storage.versions import Stored


class Done(NamedTuple):
    """What became of an entry: its status, the version that stands or tells of the deletion; whether it is
    told where it is; and for what was read its bytes, if any are to be shown.
    """

    status: int
    version: Stored | None = None
    located: bool = False
    content: bytes | None = None


def preference(header: str) -> str:
    """Return what ``Prefer: return=`` asks of each entry; minimal where it does not tell.

    https://hl7.org/fhir/R4/http.html#return
    """
    return answer.preference(header) if "return" in header.lower() else "minimal"


def response(kind: str, answers: Iterable[Done | Problem | bytes], prefer: str) -> bytes:
    """Return the Bundle that answers a ``kind`` of Bundle; ``prefer`` tells what is shown of writes. Bytes
    are an entry as ``entry`` has made it before.
    """
    entries = [found if isinstance(found, bytes) else entry(found, prefer) for found in answers]
    listed = b',"entry":[' + b",".join(entries) + b"]" if entries else b""
    return b'{"resourceType":"Bundle","type":"' + kind.encode() + b'-response"' + listed + b"}"


def entry(found: Done | Problem, prefer: str) -> bytes:
    """Return the entry that tells what became of one."""
    return _failed(found) if isinstance(found, Problem) else _done(found, prefer)


def _done(done: Done, prefer: str) -> bytes:
    version, content = done.version, done.content
    told: dict[str, Any] = {"status": status(done.status)}
    if version is not None:
        if done.located:
            told["location"] = f"{version.resource_type}/{version.fhir_id}/_history/{version.version}"
        told["etag"] = f'W/"{version.version}"'
        told["lastModified"] = render_instant(version.last_updated)
        if done.located and prefer == "representation":
            content = version.content
        elif done.located and prefer == "OperationOutcome":
            told["outcome"] = answer.all_well(f"{version.resource_type}/{version.fhir_id}")
    shown = b'"resource":' + content + b"," if content else b""
    return b"{" + shown + b'"response":' + encode(told) + b"}"


def _failed(problem: Problem) -> bytes:
    told = {"status": status(problem.status), "outcome": operation_outcome(problem)}
    return b'{"response":' + encode(told) + b"}"


def status(code: int) -> str:
    """Return a status as FHIR wants it: code and phrase."""
    return f"{code} {HTTPStatus(code).phrase}"
