"""history of an instance: https://hl7.org/fhir/R4/http.html#history."""

from __future__ import annotations

from gateway import errors
from gateway.fhir import bundle
from gateway.fhir.bundle import Link
from gateway.fhir.query_string import pairs, query_string
from gateway.records import Caller, Records

USUAL, MOST = 50, 1000
BEFORE = "_before"
"""The parameter of our next links: the version that the page before ended with."""


def instance(
    records: Records, caller: Caller, resource_type: str, fhir_id: str, text: str, base_url: str
) -> bytes:
    """Return a Bundle of the versions of a resource, newest first. Raises NotFound, UnknownParameter."""
    asked = dict(pairs(text))
    for name in asked.keys() - {"_count", "_format", "_pretty", BEFORE}:
        told = f"The history of a resource has no parameter {name}."
        raise errors.UnknownParameter(told, expression=f"http.{name}")
    wanted = _number(asked, "_count")
    count = USUAL if wanted is None else min(wanted, MOST)
    found = records.history(caller, resource_type, fhir_id, count, _number(asked, BEFORE))
    url = f"{base_url}/{resource_type}/{fhir_id}/_history"
    links = [Link("self", _at(url, asked))]
    if found.versions and found.versions[-1].version > 1:
        links.append(Link("next", _at(url, asked | {BEFORE: str(found.versions[-1].version)})))
    return bundle.history(base_url, found.versions, links, found.total)


def _number(asked: dict[str, str], name: str) -> int | None:
    text = asked.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9:
        told = f"{name} is a whole number, not {text}."
        raise errors.UnsupportedParameterValue(told, expression=f"http.{name}")
    return int(text)


def _at(url: str, asked: dict[str, str]) -> str:
    return f"{url}?{query_string(list(asked.items()))}" if asked else url
