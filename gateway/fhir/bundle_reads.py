"""What a batch or transaction reads or calls: GET, HEAD, search by POST and operations of its entries.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import MethodNotAllowed
from gateway.fhir import bundle_operations, compartment, history, metadata, search
from gateway.fhir.bundle_answer import Done
from gateway.fhir.bundle_targets import Context
from gateway.fhir.conditional_read import unchanged
from gateway.fhir.entries import Entry
from gateway.fhir.query_string import pairs
from gateway.fhir.view import of_one
from mappings.times import bounds
from storage.versions import Stored

Reading = Callable[[Context, Entry], Done]


def read(context: Context, entry: Entry) -> Done:
    """Return what an entry asks to read, or what its operation answers. Raises Problem."""
    reading = _reading(entry.path[:-1] if entry.searches else entry.path, entry.searches)
    if reading is None:
        told = f"{entry.method} {entry.url} is no interaction of a Bundle."
        raise MethodNotAllowed(told, expression="request.url")
    found = reading(context, entry)
    return found._replace(content=None) if entry.method == "HEAD" else found


def _reading(path: list[str], searches: bool) -> Reading | None:
    """Return what answers a path, None where nothing does; ``searches``: it is one to search at."""
    match path:
        case [] | [_] | [_, _, _] if searches:
            return _search if len(path) < 2 else _members
        case _ if searches:
            return None
        case [*_, name] if name.startswith("$"):
            return bundle_operations.call
        case ["metadata"]:
            return _capabilities
        case ["_history"] | [_, "_history"] | [_, _, "_history"]:
            return _history
        case [_, _, "_history", _]:
            return _vread
        case [resource_type] if not resource_type.startswith("_"):
            return _search
        case [_, fhir_id] if not fhir_id.startswith("_"):
            return _read
        case [_, _, _]:
            return _members
        case _:
            return None


def _one(found: Stored, entry: Entry) -> Done:
    request, since = entry.request, entry.request.get("ifModifiedSince")
    known = {"if-none-match": request["ifNoneMatch"]} if "ifNoneMatch" in request else {}
    same = unchanged(known, f'W/"{found.version}"') or (not known and since and _not_after(found, since))
    if same:
        return Done(304, found)
    view = of_one(entry.query, entry.resource_type)
    return Done(200, found, content=view.bytes(found.content or b""))


def _not_after(found: Stored, since: str) -> bool:
    first, _ = bounds(since)
    return found.last_updated <= first


def _read(context: Context, entry: Entry) -> Done:
    return _one(context.records.read(context.caller, entry.path[0], entry.path[1]), entry)


def _vread(context: Context, entry: Entry) -> Done:
    return _one(context.records.vread(context.caller, entry.path[0], entry.path[1], entry.path[3]), entry)


def _history(context: Context, entry: Entry) -> Done:
    *of, _ = entry.path
    records, caller, told = context.records, context.caller, (entry.query, context.base_url)
    if not of:
        return Done(200, content=history.of_system(records, caller, *told))
    if len(of) == 1:
        return Done(200, content=history.of_type(records, caller, of[0], *told))
    return Done(200, content=history.instance(records, caller, of[0], of[1], *told))


def _search(context: Context, entry: Entry) -> Done:
    resource_type = "" if entry.path[0] == "_search" else entry.path[0]
    who, told = (context.records, context.caller), (resource_type, entry.query, context.base_url)
    return Done(200, content=search.search(*who, *told, context.prefer))


def _members(context: Context, entry: Entry) -> Done:
    resource_type, fhir_id, member, *_ = entry.path
    who, place = (context.records, context.caller), (resource_type, fhir_id, member)
    told = (entry.query, context.base_url, context.prefer)
    return Done(200, content=compartment.search(*who, *place, *told))


def _capabilities(context: Context, entry: Entry) -> Done:
    asked = pairs(entry.query)
    mode = metadata.mode_of(dict(asked).get("mode"))
    started = context.started or context.records.clock()
    stated = metadata.statement(context.base_url, started, mode, cors=context.cors)
    return Done(200, content=of_one(entry.query, "").bytes(stated.content))
