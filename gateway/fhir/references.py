"""The literal form of references, and contained resources: https://hl7.org/fhir/R4/references.html.

Forms: `Type/id`, `Type/id/_history/n`, an absolute URL, `urn:uuid:`, `urn:oid:`, `#id` of a contained
resource, `#` for the container itself; in a transaction also a conditional reference `Type?criteria`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from gateway.fhir.primitives import PRIMITIVES
from mappings import definitions

Object = dict[str, Any]
_ID = r"[A-Za-z0-9\-.]{1,64}"
_RELATIVE = re.compile(rf"([A-Za-z]+)/{_ID}(?:/_history/{_ID})?(?:#{_ID})?")
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.\-]*://[^\s/?#]+\S*")
_TAIL = re.compile(rf"/([A-Za-z]+)/{_ID}(?:/_history/{_ID})?(?:#{_ID})?$")
_CONDITIONAL = re.compile(r"([A-Za-z]+)\?[^\s#]+")


class Fault(NamedTuple):
    """What is wrong with a reference or a contained resource; `key` if it is an invariant of the standard."""

    text: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """The resource within which `#id` is looked up: its type, the types of what it contains by id, and which
    `#id` were met in a Reference.
    """

    type_name: str = ""
    contained: dict[str, str] = field(default_factory=dict[str, str])
    used: set[str] = field(default_factory=set[str])


def _contained(resource: Object) -> list[Object]:
    items = resource.get("contained")
    if not isinstance(items, list):
        return []
    return [cast("Object", item) for item in cast("list[object]", items) if isinstance(item, dict)]


def scope_of(resource: Object) -> Scope:
    """The scope that a resource makes for its own contents."""
    inner = {str(item.get("id")): str(item.get("resourceType")) for item in _contained(resource)}
    return Scope(str(resource.get("resourceType")), inner)


def _literal_type(literal: str, scope: Scope, conditional: bool) -> str | Fault | None:
    """The type that a literal points at, None where it does not tell, or what is wrong with its form."""
    if literal.startswith("#"):
        target = scope.contained.get(literal[1:]) if len(literal) > 1 else scope.type_name
        return target or Fault("names no contained resource", "ref-1")
    if literal.startswith("urn:"):
        known = PRIMITIVES["uuid"].holds(literal.lower()) or PRIMITIVES["oid"].holds(literal)
        return (
            None
            if known or not literal.startswith(("urn:uuid:", "urn:oid:"))
            else Fault("is not a UUID or OID")
        )
    if _ABSOLUTE.fullmatch(literal):
        tail = _TAIL.search(literal)
        return tail[1] if tail and definitions.is_resource_type(tail[1]) else None
    found = _RELATIVE.fullmatch(literal) or (_CONDITIONAL.fullmatch(literal) if conditional else None)
    if found is None:
        return Fault("is no reference; allowed: Type/id, an absolute URL, urn:uuid:, urn:oid:, #id")
    if not definitions.is_resource_type(found[1]):
        return Fault(f"names {found[1]}, which is no resource type of R4")
    return found[1]


def reference_fault(
    literal: str, declared: object, targets: frozenset[str], scope: Scope, conditional: bool = False
) -> Fault | None:
    """What is wrong with Reference.reference at an element that may point at `targets` (any type if
    empty).
    """
    found = _literal_type(literal, scope, conditional)
    if isinstance(found, Fault):
        return found
    if found is not None and targets and found not in targets:
        return Fault(f"points at {found}; allowed: {', '.join(sorted(targets))}")
    if found is not None and isinstance(declared, str) and "/" not in declared and declared != found:
        return Fault(f"points at {found}, but type says {declared}")
    return None


def _strings(value: object) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack += cast("dict[str, object]", item).values()
        elif isinstance(item, list):
            stack += cast("list[object]", item)


def _unused(resource: Object, items: list[Object], used: set[str]) -> set[str]:
    """The `#id` of contained resources that nothing names and that do not name their container (dom-3)."""
    missing = {f"#{item.get('id')}" for item in items} - used
    if missing:
        missing.difference_update(_strings(resource))
    return {name for item in items if (name := f"#{item.get('id')}") in missing and "#" not in _strings(item)}


def contained_faults(resource: Object, used: set[str]) -> Iterator[tuple[int, Fault]]:
    """The invariants dom-2 to dom-5 on contained resources, with the index of each that breaks one.

    `used` are the `#id` met in References: only if one is missing there, all text is searched.
    """
    items = _contained(resource)
    unused = _unused(resource, items, used)
    times = Counter(str(item.get("id")) for item in items)
    for index, item in enumerate(items):
        meta = cast("Object", item["meta"]) if isinstance(item.get("meta"), dict) else {}
        own_id = str(item.get("id"))
        if "contained" in item:
            yield index, Fault("dom-2: a contained resource contains no other", "dom-2")
        if f"#{own_id}" in unused:
            yield index, Fault("dom-3: nothing refers to this contained resource by #id", "dom-3")
        if "versionId" in meta or "lastUpdated" in meta:
            yield index, Fault("dom-4: a contained resource has no version and no date of its own", "dom-4")
        if "security" in meta:
            yield index, Fault("dom-5: a contained resource has no security label", "dom-5")
        if times[own_id] > 1:
            yield index, Fault("two contained resources have the same id", "contained-id")
