"""Value sets and code systems that are held here, found for searches that name them.

https://hl7.org/fhir/R4/search.html#token and https://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from gateway.errors import Deleted, NotFound
from gateway.unit import mapping_of
from mappings.search import parameters
from mappings.search_codes import Held
from storage.search import Page
from storage.search.query import Condition, Query, Token, Uri
from storage.versions import Stored

if TYPE_CHECKING:
    from gateway.records import Caller


class Records(Protocol):
    """What finding needs of the records."""

    def search(self, caller: Caller, query: Query) -> Page: ...

    def read(self, caller: Caller, resource_type: str, fhir_id: str) -> Stored: ...


def held_by(records: Records, caller: Caller, base_url: str) -> Held:
    """Return what finds a resource that a caller may see: by its URL the newest, or by ``Type/id``; each is
    looked for once.
    """
    seen: dict[tuple[str, str], dict[str, Any] | None] = {}

    def held(resource_type: str, url: str) -> dict[str, Any] | None:
        if (resource_type, url) not in seen:
            literal = url.removeprefix(f"{base_url}/")
            if literal.startswith(f"{resource_type}/"):
                content = _read(records, caller, *literal.split("/", 1))
            else:
                content = _named(records, caller, resource_type, url)
            seen[resource_type, url] = msgspec.json.decode(content) if content else None
        return seen[resource_type, url]

    return held


def _read(records: Records, caller: Caller, resource_type: str, fhir_id: str) -> bytes | None:
    try:
        return records.read(caller, resource_type, fhir_id).content
    except (NotFound, Deleted):
        return None


def _named(records: Records, caller: Caller, resource_type: str, url: str) -> bytes | None:
    mapping = mapping_of(resource_type)
    known = parameters(mapping)
    plain, _, version = url.partition("|")
    conditions = [Condition("url", known["url"].targets, (Uri((plain,)),))]
    if version:
        conditions.append(Condition("version", known["version"].targets, (Token(None, version),)))
    query = Query(mapping.type, mapping.table, tuple(conditions), count=1)
    return next((match.content for match in records.search(caller, query).matches), None)
