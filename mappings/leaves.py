"""Leaves: the elements of a resource that a search parameter looks at, found in its JSON.

https://hl7.org/fhir/R4/fhirpath.html. How a leaf is written: `mappings/definitions/reduce.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

_LEAF = re.compile(r"([^:]+):(\w+)(?:\((\w+)\))?\Z")
_STEP = re.compile(r"(\w+)\[(\w+)=([\w-]+)\]\Z")

Step = tuple[str, str, str]
"""The name of a member; and, unless empty, the element and the value that an item there must have."""


class Leaf(NamedTuple):
    """A leaf: its element as FHIRPath has it, the way there in JSON, its datatype, and what alone counts (a
    type of target, a system of contacts).
    """

    element: str
    steps: tuple[Step, ...]
    kind: str
    only: str


def leaf(text: str) -> Leaf:
    """Read a leaf. Raises ValueError for anything else."""
    found = _LEAF.match(text)
    if found is None:
        raise ValueError(text)
    path, kind, only = found.groups()
    steps = [_step(part) for part in path.removesuffix("[x]").split(".")]
    element = ".".join(name for name, _, _ in steps)
    if path.endswith("[x]"):
        steps[-1] = (steps[-1][0] + kind[0].upper() + kind[1:], "", "")
    return Leaf(element, tuple(steps), kind, only or "")


def _step(text: str) -> Step:
    found = _STEP.match(text)
    return (found[1], found[2], found[3]) if found else (text, "", "")


def values(content: dict[str, Any], steps: tuple[Step, ...]) -> Iterator[Any]:
    """Yield what stands at the end of the steps, each item of an array by itself; a null is nothing."""
    (name, told, wanted), rest = steps[0], steps[1:]
    found = content.get(name)
    for item in cast("list[Any]", found) if isinstance(found, list) else [found]:
        inner = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
        if item is None or (told and inner.get(told) != wanted):
            continue
        if not rest:
            yield item
        elif inner:
            yield from values(inner, rest)
