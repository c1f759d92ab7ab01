"""The codes that a value set or a place in a code system stands for, read off the resources themselves.

https://hl7.org/fhir/R4/valueset.html#compositions and https://hl7.org/fhir/R4/codesystem.html#hierarchy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mappings.definitions import VALUE_SETS, codes

Held = Callable[[str, str], "dict[str, Any] | None"]
"""Finds what is held here by its resource type and its URL (perhaps ``|version``), or by ``Type/id``."""

Codes = Mapping[str, "frozenset[str] | None"]
"""Codes by system; None: all of them, where they are not known one by one."""

DEEPEST = 10
"""So many value sets may lie within each other."""


class NotKnown(Exception):
    """The codes cannot be told. ``text`` says what is missing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def nothing_held(_resource_type: str, _url: str) -> None:
    """Find nothing."""


def members(url: str, held: Held, depth: int = 0) -> Codes:
    """Return the codes of a value set: one of the closed ones of R4, or one that is held. Raises NotKnown."""
    plain = url.partition("|")[0]
    official = codes(plain.removeprefix(VALUE_SETS)) if plain.startswith(VALUE_SETS) else None
    if official:
        return official
    found = held("ValueSet", url)
    if found is None:
        raise NotKnown(f"no value set {url} is held here, and it is none of the closed ones of R4")
    if depth > DEEPEST:
        raise NotKnown(f"value sets may lie {DEEPEST} deep in each other")
    compose = found.get("compose")
    if compose is None:
        return _union(_contained(found.get("expansion", {})))
    listed = _union(_included(part, held, depth) for part in compose.get("include", ()))
    for part in compose.get("exclude", ()):
        listed = _without(listed, _included(part, held, depth))
    return listed


def below(system: str, code: str, held: Held) -> frozenset[str]:
    """Return a code and those that it subsumes. Raises NotKnown."""
    return _reached(code, _tree(system, held).children)


def above(system: str, code: str, held: Held) -> frozenset[str]:
    """Return a code and those that subsume it. Raises NotKnown."""
    return _reached(code, _tree(system, held).parents)


# --- sets of codes ---


def _union(parts: Iterable[Codes]) -> Codes:
    found: dict[str, frozenset[str] | None] = {}
    for part in parts:
        for system, more in part.items():
            known = found.get(system, frozenset())
            found[system] = None if known is None or more is None else known | more
    return found


def _both(one: Codes, other: Codes) -> Codes:
    found: dict[str, frozenset[str] | None] = {}
    for system in one.keys() & other.keys():
        mine, theirs = one[system], other[system]
        found[system] = theirs if mine is None else mine if theirs is None else mine & theirs
    return found


def _without(one: Codes, other: Codes) -> Codes:
    found = dict(one)
    for system in one.keys() & other.keys():
        mine, theirs = one[system], other[system]
        if theirs is None:
            del found[system]
        elif mine is None:
            raise NotKnown(f"the code system {system} is not held here, so that nothing can be excluded")
        else:
            found[system] = mine - theirs
    return found


def _contained(parent: dict[str, Any]) -> Iterator[Codes]:
    for one in parent.get("contains", ()):
        if one.get("code") and not one.get("abstract"):
            yield {one.get("system", ""): frozenset({one["code"]})}
        yield from _contained(one)


def _included(part: dict[str, Any], held: Held, depth: int) -> Codes:
    """Return what one part of a composition takes: what fits all that it says."""
    found: Codes | None = None
    system = part.get("system")
    if system is not None:
        found = {system: _of_system(system, part, held)}
    for url in part.get("valueSet", ()):
        other = members(url, held, depth + 1)
        found = other if found is None else _both(found, other)
    return found or {}


def _of_system(system: str, part: dict[str, Any], held: Held) -> frozenset[str] | None:
    if "concept" in part:
        return frozenset(one["code"] for one in part["concept"])
    tests = part.get("filter", ())
    if tests:
        tree = _tree(system, held)
        first, *more = map(tree.fitting, tests)
        return first.intersection(*more)
    found = held("CodeSystem", system)
    return _grown(found).codes if found is not None and found.get("content") == "complete" else None


# --- the concepts of a code system ---


@dataclass
class _Tree:
    """The concepts of a code system: who is above and below whom, and what each of them has."""

    parents: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    children: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    properties: dict[str, dict[str, set[str]]] = field(default_factory=dict[str, dict[str, set[str]]])

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(self.properties)

    def tie(self, parent: str, child: str) -> None:
        self.parents.setdefault(child, set()).add(parent)
        self.children.setdefault(parent, set()).add(child)

    def add(self, concept: dict[str, Any], parent: str | None) -> None:
        code = concept["code"]
        found = self.properties.setdefault(code, {"code": {code}, "display": {concept.get("display", "")}})
        if parent is not None:
            self.tie(parent, code)
        for one in concept.get("property", ()):
            value = _plain(one)
            found.setdefault(one["code"], set()).add(value)
            if one["code"] in ("parent", "subsumedBy"):
                self.tie(value, code)
            elif one["code"] == "child":
                self.tie(code, value)
        for inner in concept.get("concept", ()):
            self.add(inner, code)

    def fitting(self, test: dict[str, Any]) -> frozenset[str]:
        """Return the codes that fit a filter (https://hl7.org/fhir/R4/valueset-filter-operator.html)."""
        name, operator, value = test["property"], test["op"], test["value"]
        match operator:
            case "is-a":
                return _reached(value, self.children)
            case "descendent-of":
                return _reached(value, self.children) - {value}
            case "is-not-a":
                return self.codes - _reached(value, self.children)
            case "generalizes":
                return _reached(value, self.parents)
            case "exists":
                return frozenset(code for code in self.codes if self._has(code, name) == (value == "true"))
            case _:
                fits = _test(operator, value)
                return frozenset(code for code in self.codes if any(map(fits, self._values(code, name))))

    def _has(self, code: str, name: str) -> bool:
        return any(self._values(code, name))

    def _values(self, code: str, name: str) -> set[str]:
        return self.properties[code].get("code" if name == "concept" else name, set())


_TESTS: dict[str, Callable[[str], Callable[[str], bool]]] = {
    "=": lambda value: value.__eq__,
    "in": lambda value: frozenset(value.split(",")).__contains__,
    "not-in": lambda value: lambda found: found not in value.split(","),
}


def _test(operator: str, value: str) -> Callable[[str], bool]:
    # No regex: what a stranger writes may take for ever.
    if operator not in _TESTS:
        raise NotKnown(f"filters of value sets by {operator!r} are not followed here")
    return _TESTS[operator](value)


def _plain(concept_property: dict[str, Any]) -> str:
    value = next((value for key, value in concept_property.items() if key.startswith("value")), "")
    if isinstance(value, dict):
        return str(value.get("code", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tree(system: str, held: Held) -> _Tree:
    found = held("CodeSystem", system)
    if found is None or not found.get("concept"):
        raise NotKnown(f"no code system {system} is held here with its concepts")
    return _grown(found)


def _grown(code_system: dict[str, Any]) -> _Tree:
    tree = _Tree()
    for concept in code_system.get("concept", ()):
        tree.add(concept, None)
    return tree


def _reached(start: str, steps: Mapping[str, set[str]]) -> frozenset[str]:
    found, fresh = {start}, [start]
    while fresh:
        more = steps.get(fresh.pop(), set()) - found
        found |= more
        fresh += more
    return frozenset(found)
