"""A search as text becomes a typed query: parameters, modifiers, chains, order, includes, size of a page.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import BadRequest, Problem, UnknownParameter, UnsupportedParameterValue
from gateway.fhir.conditions import closest
from gateway.fhir.criterion import FILTERS, criterion
from gateway.fhir.query_string import Pair, split
from gateway.fhir.search_size import see_values, see_work
from gateway.fhir.search_values import Context
from gateway.fhir.view import MODES
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import EVERY, SearchParameter, parameters
from storage.model.shared import Reference
from storage.search.query import Asked, ByType, Include, Query, Refers, Sort
from storage.search.sort import sort_of, sortable

LARGEST = 1000
"""The most matches that one page may hold."""

ANY = "*"
"""In an include: every type, every reference."""

CURSOR = "_cursor"
"""The parameter of page links that tells where a page begins."""


@dataclass
class Search:
    """What was understood of a search: the query, the parameters that were used, what was ignored and why."""

    query: Query
    used: list[Pair] = field(default_factory=list[Pair])
    ignored: list[str] = field(default_factory=list[str])
    among: tuple[Mapping, ...] = ()
    """The types of a search of several types; none where it is of any."""


def parse(mapping: Mapping, pairs: Iterable[Pair], context: Context, *, lenient: bool = False) -> Search:
    """Return the search that parameters ask for, of resources of the type of ``mapping``.

    Raises UnknownParameter (not with ``lenient``, which ignores what is not known),
    UnsupportedParameterValue and BadRequest. A parameter without a value is ignored.
    """
    return _read(Search(Query(mapping.type, mapping.table)), mapping, pairs, context, lenient=lenient)


def parse_several(pairs: Iterable[Pair], context: Context, *, lenient: bool = False) -> Search:
    """Return the search that parameters ask for among resources of several types: those of ``_type``, else
    all. Beside the parameters of every type those may be asked for that all of the named types have.

    Raises as ``parse``. https://hl7.org/fhir/R4/http.html#search
    """
    listed = list(pairs)
    types = [value for name, value in listed if name == "_type" and value.strip()]
    names = dict.fromkeys(part.strip() for value in types[:1] for part in value.split(",") if part.strip())
    for name in names:
        if name not in REGISTRY:
            raise _bad("_type", name, "it is no type of resource that is stored here")
    if len(names) == len(types) == 1:
        return _parse_one(next(iter(names)), listed, context, lenient=lenient)
    found = Search(Query("", EVERY.table, types=tuple(names)), among=tuple(REGISTRY[name] for name in names))
    return _read(found, EVERY, listed, context, lenient=lenient)


def _parse_one(kind: str, listed: list[Pair], context: Context, *, lenient: bool) -> Search:
    """Return the search of the one type that ``_type`` names: as one of that type."""
    found = parse(REGISTRY[kind], (pair for pair in listed if pair[0] != "_type"), context, lenient=lenient)
    found.query = replace(found.query, types=(kind,))
    found.used.insert(0, ("_type", kind))
    return found


def _read(
    found: Search, mapping: Mapping, pairs: Iterable[Pair], context: Context, *, lenient: bool
) -> Search:
    once: set[str] = set()
    for name, value in pairs:
        if not value.strip():
            continue
        if name in _ONCE and name in once:
            raise BadRequest(f"{name} may be given once.", expression=f"http.{name}")
        once.add(name)
        try:
            used = _apply(found, mapping, name, value, context)
        except BadRequest as problem:
            if not (lenient and isinstance(problem, UnknownParameter)):
                raise _located(problem, name) from None
            found.ignored += [issue.diagnostics for issue in problem.issues]
        else:
            found.used += [(name, used)] if used else []
    return found


def _located(problem: BadRequest, name: str) -> BadRequest:
    """Return a problem as one of the parameter that the caller gave, wherever in a chain it arose."""
    base = name.partition(":")[0].partition(".")[0]
    problem.issues = [replace(issue, expression=f"http.{base}") for issue in problem.issues]
    return problem


def _apply(found: Search, mapping: Mapping, name: str, value: str, context: Context) -> str:
    """Add one parameter to a search; return its value as used, "" where it does nothing."""
    base, _, modifier = name.partition(":")
    control = _CONTROLS.get(base)
    if control is not None:
        return control(found, mapping, modifier, value)
    if base == "_type" and mapping is EVERY:
        _no_modifier("_type", modifier)
        return value
    see_values(found.query.conditions, [value, *(used for _, used in found.used)])
    made = _asked(found, mapping, name, value, context)
    if made is None:
        return ""
    conditions = (*found.query.conditions, made)
    see_work(conditions)
    found.query = replace(found.query, conditions=conditions)
    return value


def _asked(found: Search, mapping: Mapping, name: str, value: str, context: Context) -> Asked | None:
    """Return the condition of a parameter; of one that only the named types have, a condition of each."""
    base = name.partition(":")[0].partition(".")[0]
    if not found.among or base in FILTERS or base in parameters(mapping):
        return criterion(mapping, name, value, context)
    made = ((each.type, each.table, criterion(each, name, value, context)) for each in found.among)
    parts = tuple((type_name, table, asked) for type_name, table, asked in made if asked is not None)
    return ByType(parts) if parts else None


# --- what shapes the result: https://hl7.org/fhir/R4/search.html#return ---


def _set(found: Search, **values: Any) -> None:
    found.query = replace(found.query, **values)


def _no_modifier(name: str, modifier: str) -> None:
    if modifier:
        raise BadRequest(f"{name} has no modifier :{modifier}.", expression=f"http.{name}")


def _bad(name: str, value: str, allowed: str) -> Problem:
    return UnsupportedParameterValue(
        f"{name}: {value!r} cannot be used; {allowed}", expression=f"http.{name}"
    )


def _count(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier("_count", modifier)
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise _bad("_count", value, "a number of at least 0 is needed")
    if found.query.count != 0 or _sized(found):
        _set(found, count=min(int(value), LARGEST))
    return str(min(int(value), LARGEST))


def _sized(found: Search) -> bool:
    """Tell whether the size of the page is open still: ``_summary=count`` settles it."""
    return not any(name == "_summary" for name, _ in found.used)


def _total(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier("_total", modifier)
    if value not in ("none", "accurate", "estimate"):
        raise _bad("_total", value, "none, accurate or estimate is needed")
    _set(found, total=value)
    return value


def _total_method(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    """Read what the library fhirpy sends to have a count: no parameter of R4."""
    _no_modifier("_totalMethod", modifier)
    if value != "count":
        raise _bad("_totalMethod", value, "count is needed, or the parameter _total")
    _set(found, total="accurate")
    return value


def _summary(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier("_summary", modifier)
    if value not in MODES:
        raise _bad("_summary", value, f"one of {', '.join(MODES)} is needed")
    if value == "count":
        _set(found, count=0)
    return value


def _contained(_found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    """Contained resources are no matches here: what stands in them is found through their containers."""
    _no_modifier("_contained", modifier)
    if value != "false":
        raise _bad("_contained", value, "contained resources are not searched by themselves: only false is")
    return value


def _contained_type(_found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier("_containedType", modifier)
    if value not in ("container", "contained"):
        raise _bad("_containedType", value, "container or contained is needed")
    return value


def _page(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier(CURSOR, modifier)
    _set(found, cursor=value)
    return value


def _nothing(_found: Search, _mapping: Mapping, _modifier: str, value: str) -> str:
    return value


# --- order: https://hl7.org/fhir/R4/search.html#sort ---


def _sort(found: Search, mapping: Mapping, modifier: str, value: str) -> str:
    _no_modifier("_sort", modifier)
    keys = tuple(_sort_key(mapping, part.strip()) for part in split(value, ",") if part.strip())
    if len({key.name for key in keys}) < len(keys):
        raise _bad("_sort", value, "each parameter may be named once")
    _set(found, sort=keys)
    return value


def _sort_key(mapping: Mapping, text: str) -> Sort:
    name = text.removeprefix("-")
    known = parameters(mapping)
    if name not in known:
        raise UnknownParameter(f"_sort: {closest(mapping, name, known)}", expression="http._sort")
    key = sort_of(name, known[name].targets, descending=text.startswith("-"))
    if not sortable(key):
        raise _bad("_sort", name, "it gives no order")
    return key


# --- includes: https://hl7.org/fhir/R4/search.html#include ---


def _include(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    return _add_include(found, "_include", modifier, value)


def _revinclude(found: Search, _mapping: Mapping, modifier: str, value: str) -> str:
    return _add_include(found, "_revinclude", modifier, value)


def _add_include(found: Search, name: str, modifier: str, value: str) -> str:
    if modifier not in ("", "iterate"):
        raise BadRequest(f"{name} has no modifier :{modifier}; it has :iterate.", expression=f"http.{name}")
    source, parameter, target, *more = [*value.split(":"), "", ""]
    if source == ANY and not parameter:
        parameter = ANY
    if any(more) or not parameter or (source == ANY and parameter != ANY):
        raise _bad(name, value, "Type:parameter, Type:parameter:TargetType, Type:* or * is needed")
    for kind in (source, target):
        if kind and kind != ANY and kind not in REGISTRY:
            raise UnknownParameter(f"{name}: the type {kind} is not known.", expression=f"http.{name}")
    wanted = None if target in ("", ANY) else target
    made = (
        Include("", target=wanted)
        if source == ANY
        else _include_of(REGISTRY[source], name, parameter, wanted)
    )
    made = replace(made, reverse=name == "_revinclude", iterate=modifier == "iterate")
    _set(found, includes=(*found.query.includes, made))
    return value


def _include_of(mapping: Mapping, name: str, parameter: str, target: str | None) -> Include:
    if parameter == ANY:
        return Include(mapping.type, target=target)
    known = {other: made for other, made in parameters(mapping).items() if includable(made)}
    if parameter not in known:
        told = closest(mapping, parameter, known, "reference parameter")
        raise UnknownParameter(f"{name}: {told}", expression=f"http.{name}")
    targets = [made for made in known[parameter].targets if isinstance(made, Refers)]
    paths = tuple(path for made in targets for path in made.place.elements)
    return Include(mapping.type, paths, target or targets[0].only)


def includable(parameter: SearchParameter) -> bool:
    """Tell whether a parameter looks at references to resources, which can be brought along."""
    return all(isinstance(made, Refers) and made.place.table is Reference for made in parameter.targets)


Control = Callable[[Search, Mapping, str, str], str]

_CONTROLS: dict[str, Control] = {
    "_count": _count,
    "_total": _total,
    "_totalMethod": _total_method,
    "_summary": _summary,
    "_sort": _sort,
    "_include": _include,
    "_revinclude": _revinclude,
    "_contained": _contained,
    "_containedType": _contained_type,
    CURSOR: _page,
    "_elements": _nothing,
    "_format": _nothing,
    "_pretty": _nothing,
}
_ONCE = frozenset({*_CONTROLS, "_type"}) - {"_include", "_revinclude"}

CONTROLS = tuple(name for name in _CONTROLS if name != CURSOR)
"""The parameters that shape the result of every search."""
