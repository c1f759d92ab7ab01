"""Extensions that a mapping has lines for, spelt as those lines want them.

https://hl7.org/fhir/R4/extensibility.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from mappings.definitions import type_named
from mappings.element import Choice, Extension, Line, Mapping, One, Woven
from storage.model.columns import Code, Integer
from tests.strategies.primitives import LATEST_INTEGER

Draw = Callable[[st.SearchStrategy[Any]], Any]
Fill = Callable[[Draw, str], Any]
"""Draws a value of a datatype, by its name."""


def known(mapping: Mapping) -> tuple[Extension, ...]:
    """Return the extensions that a mapping has lines for on the resource itself."""
    return tuple(mapping.extensions.values())


def draw_known(draw: Draw, line: Extension, fill: Fill) -> dict[str, Any]:
    """Draw an extension as its line wants it, now and then with an id, which no line claims."""
    made = draw_claimed(draw, line, fill)
    return {"id": "x1", **made} if draw(st.integers(0, 3)) == 0 else made


def draw_claimed(draw: Draw, line: Extension, fill: Fill) -> dict[str, Any]:
    """Draw an extension: its value, or some of the extensions within it."""
    if line.rows is not None and line.value is not None:
        return {"url": line.url, line.value: fill(draw, datatype(line.value))}
    lines = line.lines if line.rows is None else line.rows.mapping.lines
    inner = [part for part in lines if isinstance(part, Extension)]
    values = [part for part in lines if not isinstance(part, Extension)]
    if values and (not inner or draw(st.booleans())):
        return {"url": line.url} | dict([draw_value(draw, draw(st.sampled_from(values)), fill)])
    chosen = draw(st.lists(st.sampled_from(inner), min_size=1, max_size=4))
    return {"url": line.url, "extension": [draw_known(draw, part, fill) for part in chosen]}


def draw_value(draw: Draw, line: Line, fill: Fill) -> tuple[str, Any]:
    """Draw the value[x] that a line of an extension claims: its key and its value."""
    if isinstance(line, Choice):
        key = draw(st.sampled_from(sorted(line.keys)))
        branch = line.branches.get(line.keys[key])
        return (key, fill(draw, datatype(key))) if branch is None else draw_value(draw, branch, fill)
    if not line.element.startswith("value"):
        return line.element, [{"url": "inner", "valueString": fill(draw, "string")}]
    limited = within(line)
    return line.element, fill(draw, datatype(line.element)) if limited is None else draw(limited)


def within(line: Line) -> st.SearchStrategy[Any] | None:
    """Return the values that a line takes where its column is limited, to codes or to a range of numbers."""
    if not isinstance(line, One):
        return None
    if isinstance(line, Woven):
        return st.sampled_from(tuple(line.codec.values))
    if isinstance(line.group, Code):
        return st.sampled_from(line.group.values)
    if isinstance(line.group, Integer) and (line.group.low, line.group.high) != (None, None):
        return st.integers(line.group.low, line.group.high or LATEST_INTEGER)
    return None


def datatype(key: str) -> str:
    """Return the datatype that a key ``valueQuantity`` tells."""
    name = key.removeprefix("value")
    return name if type_named(name) else name[0].lower() + name[1:]
