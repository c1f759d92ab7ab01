"""Parts of FHIR values, whether they are there or not.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

Value = dict[str, Any]


EMPTY: Value = {}


def part(value: Value, *names: str) -> Value:
    """Return a nested element; empty where there is none."""
    at = value
    for name in names:
        found = at.get(name)
        at = cast("Value", found) if isinstance(found, dict) else {}
    return at


def items(value: Value, name: str) -> list[Value]:
    """Return the items of an array of objects; none where there is no array."""
    found = value.get(name)
    return cast("list[Value]", found) if isinstance(found, list) else []


def texts(value: Value, name: str) -> list[str]:
    """Return the items of an array of texts."""
    found = value.get(name)
    return [str(item) for item in cast("list[Any]", found)] if isinstance(found, list) else []


def text(value: Value, *names: str) -> str:
    """Return a nested text; empty where there is none."""
    *before, last = names
    found = part(value, *before).get(last)
    return "" if found is None else str(found)


def codings(concepts: Iterable[Value]) -> list[Value]:
    """Return the codings of concepts, in order."""
    return [coding for concept in concepts for coding in items(concept, "coding")]


def code_in(concepts: Iterable[Value], system: str) -> str:
    """Return the first code of a system among concepts, empty where there is none."""
    return next((text(item, "code") for item in codings(concepts) if item.get("system") == system), "")


def of_url(value: Value, url: str) -> Value:
    """Return the first extension with a URL; empty where there is none."""
    return next((item for item in items(value, "extension") if item.get("url") == url), EMPTY)
