"""The search interaction of a type: parameters in, a searchset Bundle out.

https://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gateway.errors import BadRequest, UnsupportedParameterValue, UnsupportedType
from gateway.fhir import bundle, params
from gateway.fhir.bundle import Link
from gateway.fhir.query_string import Pair, pairs, query_string
from gateway.fhir.search_values import Context
from gateway.fhir.terms import held_by
from gateway.fhir.view import View, view_of
from mappings.resources import REGISTRY
from storage.search import BadCursor, Page, Query, TooMany
from storage.search.include import MOST, STEPS
from storage.versions import Stored

if TYPE_CHECKING:
    from gateway.records import Caller


class Records(Protocol):
    """What a search needs of the records."""

    @property
    def clock(self) -> Any: ...

    def search(self, caller: Caller, query: Query) -> Page: ...

    def read(self, caller: Caller, resource_type: str, fhir_id: str) -> Stored: ...


def search(
    records: Records, caller: Caller, resource_type: str, text: str, base_url: str, prefer: str = ""
) -> bytes:
    """Return the Bundle of one page of a search of one type, or of several where ``resource_type`` is "".

    ``text`` are the parameters of the URL, the body, or both, as ``name=value&...``; ``prefer`` is the
    header, in which ``handling=lenient`` lets parameters that are not known be ignored: the Bundle then has a
    warning of them.
    Raises UnsupportedType, UnknownParameter, UnsupportedParameterValue, BadRequest.
    """
    now: datetime = records.clock()
    context = Context(now, base_url, held_by(records, caller, base_url))
    lenient = is_lenient(prefer)
    if not resource_type:
        asked = params.parse_several(pairs(text), context, lenient=lenient)
        return answered(records, caller, asked, view_of(text), base_url, base_url)
    mapping = REGISTRY.get(resource_type)
    if mapping is None:
        raise UnsupportedType(f"The resource type {resource_type} is not supported.")
    asked = params.parse(mapping, pairs(text), context, lenient=lenient)
    shown = view_of(text, resource_type)
    return answered(records, caller, asked, shown, f"{base_url}/{resource_type}", base_url)


def answered(
    records: Records, caller: Caller, asked: params.Search, shown: View, url: str, base_url: str
) -> bytes:
    """Return the Bundle of one page of what a search was understood to ask for, at ``url``.

    Raises UnsupportedParameterValue, BadRequest.
    """
    if shown.summary == "text" and asked.query.includes:
        raise BadRequest("_summary=text and includes cannot go together.", expression="http._summary")
    page = _run(records, caller, asked.query)
    found = bundle.searchset(
        base_url,
        shown.of(page.matches),
        shown.of(page.included, included=True),
        _links(url, asked.used, page),
        page.total,
        _warning(asked.ignored),
    )
    return shown.laid_out(found)


def _run(records: Records, caller: Caller, query: Query) -> Page:
    try:
        return records.search(caller, query)
    except BadCursor:
        raise UnsupportedParameterValue(
            f"{params.CURSOR} is not of this search: follow the links of a Bundle as they are.",
            expression=f"http.{params.CURSOR}",
        ) from None
    except TooMany:
        raise BadRequest(
            f"More than {MOST} resources would be included, or over more than {STEPS} steps: ask for fewer "
            "matches or includes.",
            expression="http._include",
        ) from None


def is_lenient(prefer: str) -> bool:
    """Tell whether a Prefer header asks for lenient handling."""
    parts = (part.strip().replace(" ", "").lower() for part in prefer.replace(";", ",").split(","))
    return "handling=lenient" in parts


def _links(url: str, used: Sequence[Pair], page: Page) -> list[Link]:
    """Return the links of a page: self has what was used, the others the same search at another place."""
    base = [pair for pair in used if pair[0] != params.CURSOR]
    found = [Link("self", _at(url, list(used)))]
    places = (("first", ""), ("previous", page.previous), ("next", page.next))
    for relation, cursor in places:
        if cursor is not None and (cursor or page.previous or page.next):
            found.append(Link(relation, _at(url, base + ([(params.CURSOR, cursor)] if cursor else []))))
    return found


def _at(url: str, listed: list[Pair]) -> str:
    return f"{url}?{query_string(listed)}" if listed else url


def _warning(ignored: Sequence[str]) -> dict[str, Any] | None:
    if not ignored:
        return None
    issues = [{"severity": "warning", "code": "not-supported", "diagnostics": text} for text in ignored]
    return {"resourceType": "OperationOutcome", "issue": issues}
