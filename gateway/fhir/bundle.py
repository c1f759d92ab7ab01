"""Bundles of search and history, made by splicing stored bytes: no resource is decoded.

https://hl7.org/fhir/R4/bundle.html#searchset and https://hl7.org/fhir/R4/bundle.html#history
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gateway.fhir.wire import encode
from mappings.element import ext
from mappings.times import render_instant
from storage.versions import Stored


class Link(NamedTuple):
    """A link of a Bundle: its relation (self, first, previous, next) and URL."""

    relation: str
    url: str


def searchset(
    base_url: str,
    matches: Iterable[Stored],
    included: Iterable[Stored],
    links: Sequence[Link],
    total: int | None,
    outcome: dict[str, Any] | None = None,
) -> bytes:
    """Return a Bundle of what a search found: matches, what comes along with them, and an OperationOutcome of
    warnings where there is one. ``total`` counts matches alone; None leaves it out.
    """
    entries = [_found(base_url, stored, b"match") for stored in matches]
    entries += [_found(base_url, stored, b"include") for stored in included]
    if outcome is not None:
        entries.append(b'{"resource":' + encode(outcome) + b',"search":{"mode":"outcome"}}')
    return _bundle(b"searchset", links, total, entries)


def history(base_url: str, versions: Iterable[Stored], links: Sequence[Link], total: int | None) -> bytes:
    """Return a Bundle of versions, in the order given."""
    return _bundle(b"history", links, total, [_version(base_url, stored) for stored in versions])


def _bundle(kind: bytes, links: Sequence[Link], total: int | None, entries: Sequence[bytes]) -> bytes:
    parts = [b'{"resourceType":"Bundle","type":"' + kind + b'"']
    if total is not None:
        parts.append(b'"total":%d' % total)
    if links:
        parts.append(b'"link":' + _array(encode(link._asdict()) for link in links))
    if entries:
        parts.append(b'"entry":' + _array(entries))
    return b",".join(parts) + b"}"


def _array(items: Iterable[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _full_url(base_url: str, stored: Stored) -> bytes:
    return b'"fullUrl":' + _text(f"{base_url}/{stored.resource_type}/{stored.fhir_id}")


def _text(text: str) -> bytes:
    # An object with one member, without its braces and its name.
    return encode({"": text})[4:-1]


def _found(base_url: str, stored: Stored, mode: bytes) -> bytes:
    content = b',"resource":' + (stored.content or b"null")
    return b"{" + _full_url(base_url, stored) + content + b',"search":{"mode":"' + mode + b'"}}'


VERSION_AUTHOR = ext("version-author")
"""Of a history entry's request: who made the version."""

_VERBS = {"update": "PUT", "patch": "PATCH", "delete": "DELETE"}
_STATUS = {"create": "201", "update": "200", "patch": "200", "delete": "204"}


def _version(base_url: str, stored: Stored) -> bytes:
    parts = [_full_url(base_url, stored)]
    if stored.content is not None:
        parts.append(b'"resource":' + stored.content)
    parts += [b'"request":' + encode(_request(stored)), b'"response":' + encode(_response(stored))]
    return b"{" + b",".join(parts) + b"}"


def _request(stored: Stored) -> dict[str, Any]:
    """Return what made a version, and who: an id that the client chose tells that it was made by PUT."""
    named = f"{stored.resource_type}/{stored.fhir_id}"
    made: dict[str, Any] = {
        "extension": [_author(stored)],
        "method": _VERBS.get(stored.op, "PUT"),
        "url": named,
    }
    if stored.op == "create" and stored.version == 1 and stored.fhir_id == str(stored.resource_id):
        made |= {"method": "POST", "url": stored.resource_type}
    return made


def _author(stored: Stored) -> dict[str, Any]:
    """Return through which door a version came, by whom, and in which message, as an extension."""
    told: list[dict[str, Any]] = [{"url": "door", "valueCode": stored.origin}]
    if stored.actor is not None:
        told.append({"url": "user", "valueString": stored.actor})
    if stored.message_id is not None:
        told.append({"url": "message", "valueUri": f"urn:uuid:{stored.message_id}"})
    return {"url": VERSION_AUTHOR, "extension": told}


def _response(stored: Stored) -> dict[str, str]:
    """Return what was answered; the time is to the microsecond, as in the resource."""
    modified = render_instant(stored.last_updated)
    return {"status": _STATUS[stored.op], "etag": f'W/"{stored.version}"', "lastModified": modified}
