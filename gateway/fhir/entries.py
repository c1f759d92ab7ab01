"""The entries of a batch or transaction, read and checked: https://hl7.org/fhir/R4/bundle.html#transaction.

The invariants bdl-3, bdl-5, bdl-7 and bdl-8, and those of each request: what its method needs, and a URL that
the method knows (https://hl7.org/fhir/R4/http.html#transaction).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast
from urllib.parse import unquote

from gateway.errors import BadRequest, Issue, MethodNotAllowed, NotFound, Problem, problem_with
from gateway.fhir import validate
from gateway.fhir.walk import MOST_ISSUES, Walk
from mappings import definitions
from mappings.operations import OPERATIONS

Object = dict[str, Any]
KINDS = ("batch", "transaction")
READING = frozenset({"GET", "HEAD"})
CALLING, LOOKING = 3, 4
ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": LOOKING, "HEAD": LOOKING}
"""In which order the methods of a transaction take effect, however its entries stand. Operations that change
something come after all else that writes, what changes nothing comes last.
"""
_CHANGING = frozenset(offered.name for offered in OPERATIONS if offered.changes)

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_VERSIONED = re.compile(r"/_history/[A-Za-z0-9\-.]{1,64}$")


@dataclass(frozen=True)
class Entry:
    """One entry: where it stands, what is asked (its URL below the base, without the base) and the resource
    that comes with it.
    """

    place: int
    method: str
    url: str
    resource: Object | None = None
    full_url: str | None = None
    request: Object = field(default_factory=dict[str, Any])

    @cached_property
    def path(self) -> list[str]:
        """The parts of the URL's path."""
        return [unquote(part) for part in self.url.partition("?")[0].split("/")]

    @property
    def query(self) -> str:
        """The parameters of the URL."""
        return self.url.partition("?")[2]

    @property
    def resource_type(self) -> str:
        """The type that the URL names."""
        return self.path[0]

    @property
    def fhir_id(self) -> str | None:
        """The id that the URL names; None where it names a type, or criteria."""
        return self.path[1] if len(self.path) > 1 else None

    @property
    def operation(self) -> str | None:
        """The name of the operation that the URL calls, without its `$`; None where it calls none."""
        last = self.path[-1]
        return last[1:] if last.startswith("$") else None

    @property
    def searches(self) -> bool:
        """Whether it is a search by POST: https://hl7.org/fhir/R4/http.html#search."""
        return self.method == "POST" and self.path[-1] == "_search"

    @property
    def stage(self) -> int:
        """When it takes effect."""
        if self.searches:
            return LOOKING
        if self.method == "POST" and self.operation is not None:
            return CALLING if self.operation in _CHANGING else LOOKING
        return ORDER[self.method]

    @property
    def criteria(self) -> str | None:
        """The condition by which the resource is found: of a conditional create, update, patch or delete."""
        if self.method == "POST":
            told = self.request.get("ifNoneExist")
            return None if told is None else told.lstrip("?")
        return self.query or None


def kind_of(bundle: Object) -> str:
    """Return whether a body is a batch or a transaction. Raises Problem where it is no Bundle of them."""
    if bundle.get("resourceType") != "Bundle":
        raise BadRequest("A Bundle is needed here.", expression="resourceType")
    walk = Walk()
    walk.resource({key: item for key, item in bundle.items() if key != "entry"}, (None, "Bundle", -1))
    kind, entries = bundle.get("type"), bundle.get("entry", [])
    if not walk.issues and kind not in KINDS:
        told = f"{kind} cannot be processed; allowed here: {', '.join(KINDS)}"
        walk.issues.append(Issue("error", "value", told, "Bundle.type"))
    if type(entries) is not list or ("entry" in bundle and not entries):
        told = "entry is an array with at least one entry"
        walk.issues.append(Issue("error", "structure", told, "Bundle.entry", "empty"))
    if walk.issues:
        raise problem_with(walk.issues)
    return str(kind)


def read(raw: Any, place: int, kind: str, base_url: str) -> Entry:
    """Return one entry of a batch or transaction. Raises Problem, located within the Bundle."""
    issues = list(_envelope_issues(raw, place, kind))
    if issues:
        raise problem_with(issues)
    request: Object = raw["request"]
    url = str(request["url"]).removeprefix(base_url).lstrip("/")
    entry = Entry(place, request["method"], url, raw.get("resource"), raw.get("fullUrl"), request)
    try:
        _see_request(entry)
        if entry.resource is not None and entry.method in ("POST", "PUT") and entry.stage < CALLING:
            id_wanted = entry.fhir_id if entry.method == "PUT" else None
            only = kind == "transaction"
            validate.check(entry.resource, entry.resource_type, id_wanted, conditional_references=only)
    except Problem as problem:
        raise located(problem, entry) from None
    return entry


def read_all(raws: list[Any], base_url: str) -> list[Entry]:
    """Return the entries of a transaction. Raises one Problem with what is wrong with any of them."""
    entries: list[Entry] = []
    issues: list[Issue] = []
    for place, raw in enumerate(raws):
        try:
            entries.append(read(raw, place, "transaction", base_url))
        except Problem as problem:
            if not issues and problem.status not in (400, 422):
                raise
            issues += problem.issues
            if len(issues) >= MOST_ISSUES:
                break
    issues += _repeated(entries)
    if issues:
        raise problem_with(issues[:MOST_ISSUES])
    return entries


def _envelope_issues(raw: Any, place: int, kind: str) -> Iterator[Issue]:
    """Check an entry without its resource, as the only one of a Bundle."""
    if type(raw) is not dict:
        yield Issue("error", "structure", "an entry is an object", f"Bundle.entry[{place}]", "wrong-type")
        return
    entry = cast("Object", raw)
    bare = {key: item for key, item in entry.items() if key != "resource"}
    walk = Walk()
    if bare:
        walk.resource({"resourceType": "Bundle", "type": kind, "entry": [bare]}, (None, "Bundle", -1))
    for issue in walk.issues:
        where = (issue.expression or "").replace("Bundle.entry[0]", f"Bundle.entry[{place}]", 1)
        yield replace(issue, expression=where)
    if not walk.issues:
        yield from _invariants(entry, f"Bundle.entry[{place}]")


def _invariants(entry: Object, where: str) -> Iterator[Issue]:
    if "request" not in entry:
        yield Issue("error", "invariant", "bdl-3: an entry needs a request here", where, "bdl-3")
    if "response" in entry:
        yield Issue("error", "invariant", "bdl-4: an entry has no response here", where, "bdl-4")
    if "search" in entry:
        yield Issue("error", "invariant", "bdl-2: an entry has no search here", where, "bdl-2")
    if _VERSIONED.search(str(entry.get("fullUrl", ""))):
        text = "bdl-8: a fullUrl names no version"
        yield Issue("error", "invariant", text, f"{where}.fullUrl", "bdl-8")
    if "resource" in entry and type(entry["resource"]) is not dict:
        yield Issue("error", "structure", "a resource is an object", f"{where}.resource", "wrong-type")


def _repeated(entries: list[Entry]) -> Iterator[Issue]:
    seen: set[str] = set()
    for entry in entries:
        if entry.full_url is None:
            continue
        if entry.full_url in seen:
            text = "bdl-7: another entry has this fullUrl"
            yield Issue("error", "invariant", text, f"Bundle.entry[{entry.place}].fullUrl", "bdl-7")
        seen.add(entry.full_url)


def _see_request(entry: Entry) -> None:
    """See that a method comes with the URL and the resource that it needs. Raises Problem."""
    if entry.searches and entry.resource is not None:
        told = "A search has no resource here: its parameters are those of the URL."
        raise BadRequest(told, expression="resource")
    if entry.stage >= CALLING:
        return
    parts, issues = entry.path, list[Issue]()
    if not definitions.is_resource_type(parts[0]):
        raise NotFound(f"{parts[0]} is no resource type of R4.", expression="request.url")
    if len(parts) > 2 or (len(parts) == 2 and not _ID.fullmatch(parts[1])):
        raise MethodNotAllowed(f"{entry.method} {entry.url} is no interaction.", expression="request.url")
    if entry.method == "POST" and (len(parts) > 1 or entry.query):
        issues.append(Issue("error", "invalid", "POST goes to a type, such as Patient", "request.url"))
    if entry.method != "POST" and (len(parts) == 2) == bool(entry.query):
        text = f"{entry.method} goes to Type/id or to Type?criteria"
        issues.append(Issue("error", "invalid", text, "request.url"))
    if (entry.method == "DELETE") == (entry.resource is not None):
        text = "has no resource" if entry.method == "DELETE" else "needs a resource"
        issues.append(Issue("error", "required", f"{entry.method} {text}", "resource"))
    if issues:
        raise problem_with(issues)


def located(problem: Problem, entry: Entry) -> Problem:
    """Return a problem with its places told from the Bundle: ``Bundle.entry[3].resource.gender``."""
    where = f"Bundle.entry[{entry.place}]"
    problem.issues = [replace(issue, expression=_within(issue.expression, where)) for issue in problem.issues]
    return problem


def _within(expression: str | None, where: str) -> str:
    if expression is None or expression.startswith("http."):
        return where
    if expression.startswith("Bundle.entry["):
        return expression
    first, dot, rest = expression.partition(".")
    if first in ("request", "resource"):
        return f"{where}.{expression}"
    if not definitions.is_resource_type(first.partition("[")[0]):
        return where
    return f"{where}.resource{dot}{rest}"
