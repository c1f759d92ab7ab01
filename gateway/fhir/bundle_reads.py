"""What a batch or transaction reads: GET and HEAD of its entries.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from gateway.errors import MethodNotAllowed
from gateway.fhir import compartment, history, search
from gateway.fhir.bundle_answer import Done
from gateway.fhir.conditional_read import unchanged
from gateway.fhir.entries import Entry
from gateway.fhir.view import of_one
from gateway.records import Caller, Records
from storage.versions import Stored

Reading = Callable[[Records, Caller, str, Entry], Done]


def read(records: Records, caller: Caller, base_url: str, entry: Entry) -> Done:
    """Return what an entry asks to read. Raises Problem."""
    reading = _reading(entry.path)
    if reading is None:
        told = f"{entry.method} {entry.url} is no interaction of a Bundle."
        raise MethodNotAllowed(told, expression="request.url")
    found = reading(records, caller, base_url, entry)
    return found._replace(content=None) if entry.method == "HEAD" else found


def _reading(path: list[str]) -> Reading | None:
    """Return what answers a path, None where nothing does."""
    match path:
        case ["_history"] | [_, "_history"] | [_, _, "_history"]:
            return _history
        case [_, _, "_history", _]:
            return _vread
        case [resource_type] if not resource_type.startswith(("$", "_")):
            return _search
        case [_, fhir_id] if not fhir_id.startswith(("$", "_")):
            return _read
        case [_, _, member] if not member.startswith("$"):
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
    told = datetime.fromisoformat(since)
    return found.last_updated <= (told if told.tzinfo else told.replace(tzinfo=UTC))


def _read(records: Records, caller: Caller, _base: str, entry: Entry) -> Done:
    return _one(records.read(caller, entry.path[0], entry.path[1]), entry)


def _vread(records: Records, caller: Caller, _base: str, entry: Entry) -> Done:
    return _one(records.vread(caller, entry.path[0], entry.path[1], entry.path[3]), entry)


def _history(records: Records, caller: Caller, base_url: str, entry: Entry) -> Done:
    *of, _ = entry.path
    told = (entry.query, base_url)
    if not of:
        return Done(200, content=history.of_system(records, caller, *told))
    if len(of) == 1:
        return Done(200, content=history.of_type(records, caller, of[0], *told))
    return Done(200, content=history.instance(records, caller, of[0], of[1], *told))


def _search(records: Records, caller: Caller, base_url: str, entry: Entry) -> Done:
    return Done(200, content=search.search(records, caller, entry.path[0], entry.query, base_url))


def _members(records: Records, caller: Caller, base_url: str, entry: Entry) -> Done:
    resource_type, fhir_id, member = entry.path
    found = compartment.search(records, caller, resource_type, fhir_id, member, entry.query, base_url)
    return Done(200, content=found)
