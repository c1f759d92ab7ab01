"""The parameters of searches, read off the mappings.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from typing import Any

from gateway.fhir.criterion import FILTERS
from gateway.fhir.metadata import brings, pointing
from gateway.fhir.params import CONTROLS
from gateway.openapi.parts import TEXT, query
from mappings.element import Mapping
from mappings.search import EVERY, SearchParameter, parameters
from storage.search.sort import sort_of, sortable

Object = dict[str, Any]

_PREFIX = "(eq|ne|gt|lt|ge|le|sa|eb|ap)?"
_ZONED = r"T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?"
PATTERNS = {
    "number": rf"^{_PREFIX}-?\d{{1,9}}(\.\d{{1,6}})?$",
    "quantity": rf"^{_PREFIX}-?\d{{1,9}}(\.\d{{1,6}})?(\|[^|,$]*\|[^|,$]*)?$",
    "date": rf"^{_PREFIX}[12]\d{{3}}(-\d{{2}}(-\d{{2}}({_ZONED})?)?)?$",
}
"""Type of parameter -> how one value of it is written."""

_CONTROL_FORMS: dict[str, Object] = {
    "_count": {"type": "integer", "minimum": 0},
    "_total": {"enum": ["none", "estimate", "accurate"]},
    "_summary": {"enum": ["true", "text", "data", "count", "false"]},
    "_format": {"enum": ["json", "xml", "application/fhir+json", "application/fhir+xml"]},
    "_pretty": {"enum": ["true", "false"]},
}


def of_mapping(mapping: Mapping) -> list[Object]:
    """Return the parameters of a search of a type."""
    known = parameters(mapping)
    brought = [f"{mapping.type}:{name}" for name, made in known.items() if brings(made)]
    bringing = (_included("_include", brought), _included("_revinclude", pointing(mapping.type)))
    return [*_own(known), *_always(), *bringing]


def of_any(*more: str) -> list[Object]:
    """Return the parameters of a search of a type without tables, or of several types."""
    return [*_own(parameters(EVERY)), *_always(), *(query(name, TEXT) for name in more)]


def _own(known: dict[str, SearchParameter]) -> list[Object]:
    """Return the parameters of a type, and that it can be sorted by them."""
    ordered = [name for name, made in known.items() if sortable(sort_of(name, made.targets))]
    keys = [sign + name for name in ordered for sign in ("", "-")]
    by = {"type": "array", "items": {"enum": keys}}
    sort = query("_sort", by, "By what is found first; with - the other way round.")
    return [
        *(query(name, _several(made), _told(made)) for name, made in known.items()),
        sort | {"style": "form", "explode": False},
    ]


def _included(name: str, values: list[str]) -> Object:
    told = "What is brought along: Type:parameter, also Type:parameter:TargetType, Type:* and *."
    return query(name, {"type": "array", "items": {"enum": [*values, "*"]}}, told)


def fields(listed: list[Object]) -> dict[str, Object]:
    """Return parameters as the fields of a form."""
    return {made["name"]: made["schema"] for made in listed}


def shaping(*names: str) -> list[Object]:
    """Return parameters that tell how much is given, and how."""
    return [query(name, _CONTROL_FORMS.get(name, TEXT)) for name in names]


def _always() -> list[Object]:
    apart = ("_has", "_sort", "_include", "_revinclude")
    return shaping(*(name for name in (*FILTERS, *CONTROLS) if name not in apart))


def _several(made: SearchParameter) -> Object:
    """A parameter may stand several times: all of them must fit."""
    pattern = PATTERNS.get(made.type)
    return {"type": "array", "items": TEXT | {"pattern": pattern} if pattern else TEXT}


def _told(made: SearchParameter) -> str:
    return f"{made.type}: {made.expression}" if made.expression else made.type
