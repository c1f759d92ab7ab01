"""history of an instance, a type, or the whole system: https://hl7.org/fhir/R4/http.html#history."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from gateway import errors
from gateway.fhir import bundle, view
from gateway.fhir.bundle import Link
from gateway.fhir.query_string import pairs, query_string
from gateway.records import Caller, Records
from mappings import times
from storage.past import Mark, Past
from storage.versions import Stored

USUAL, MOST = 50, 1000
BEFORE = "_before"
"""The parameter of our next links: the version that the page before ended with."""

PARAMETERS = ("_count", "_since", "_at", *view.NAMES, BEFORE)


def instance(
    records: Records, caller: Caller, resource_type: str, fhir_id: str, text: str, base_url: str
) -> bytes:
    """Return a Bundle of the versions of a resource, newest first. Raises NotFound, UnknownParameter."""
    return _history(records, caller, (resource_type, fhir_id), text, base_url)


def of_type(records: Records, caller: Caller, resource_type: str, text: str, base_url: str) -> bytes:
    """Return a Bundle of the versions of a type. Raises UnsupportedType, UnknownParameter."""
    return _history(records, caller, (resource_type,), text, base_url)


def of_system(records: Records, caller: Caller, text: str, base_url: str) -> bytes:
    """Return a Bundle of the versions of all resources. Raises UnknownParameter."""
    return _history(records, caller, (), text, base_url)


def _history(records: Records, caller: Caller, of: tuple[str, ...], text: str, base_url: str) -> bytes:
    """Return the Bundle of one page; ``of`` are the type and the id, as far as they are told."""
    asked = dict(pairs(text))
    for name in asked.keys() - set(PARAMETERS):
        told = f"A history has no parameter {name}; it has {', '.join(PARAMETERS[:-1])}."
        raise errors.UnknownParameter(told, expression=f"http.{name}")
    shown = view.of_one(text, of[0] if of else "") if asked.get("_summary") != "count" else view.WHOLE
    count = 0 if asked.get("_summary") == "count" else _count(asked)
    past = Past(*of, since=_since(asked), during=_during(asked), before=_mark(asked))
    found = records.history(caller, past, count)
    url = "/".join([base_url, *of, "_history"])
    links = [Link("self", _at(url, asked))]
    if found.more and found.versions:
        links.append(Link("next", _at(url, asked | {BEFORE: _spelt(found.versions[-1])})))
    made = bundle.history(base_url, shown.of(found.versions), links, found.total)
    return shown.laid_out(made)


def _count(asked: dict[str, str]) -> int:
    text = asked.get("_count")
    if text is None:
        return USUAL
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise _refused("_count", text, "a number of at least 0 is needed")
    return min(int(text), MOST)


def _since(asked: dict[str, str]) -> datetime | None:
    during = _bounds(asked, "_since")
    return during[0] if during else None


def _during(asked: dict[str, str]) -> tuple[datetime, datetime] | None:
    return _bounds(asked, "_at")


def _bounds(asked: dict[str, str], name: str) -> tuple[datetime, datetime] | None:
    text = asked.get(name)
    if not text:
        return None
    try:
        # The sign of an offset that was not escaped in the URL has become a space.
        return times.bounds(text.replace(" ", "+"))
    except ValueError:
        raise _refused(name, text, "a date or a moment such as 2024-03-01T09:30:00Z is needed") from None


def _spelt(version: Stored) -> str:
    return f"{times.render_instant(version.last_updated)}_{version.resource_id}_{version.version}"


def _mark(asked: dict[str, str]) -> Mark | None:
    text = asked.get(BEFORE)
    if text is None:
        return None
    try:
        at, resource_id, version = text.split("_")
        mark = Mark(times.bounds(at)[0], UUID(resource_id), int(version[:9]))
    except ValueError:
        raise _refused(BEFORE, text, "follow the links of a Bundle as they are") from None
    return mark


def _refused(name: str, value: str, allowed: str) -> errors.Problem:
    told = f"{name}: {value[:60]!r} cannot be used; {allowed}"
    return errors.UnsupportedParameterValue(told, expression=f"http.{name}")


def _at(url: str, asked: dict[str, str]) -> str:
    return f"{url}?{query_string(list(asked.items()))}" if asked else url
