"""The abstract structures of messages, as hl7apy has them for each version: what may stand where.

HL7 v2.5.1, section 2.12 (chapter formats for defining messages):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from hl7apy import load_library  # pyright: ignore[reportUnknownVariableType]
from hl7apy.exceptions import UnsupportedVersion

Node = tuple[str, Any, tuple[int, int], str]
REQUIRED = {"MSH": (7, 9, 10, 11, 12), "PID": (3, 5), "ORC": (1,), "OBR": (4,)}
"""Fields without which nobody could tell what a message is about, in every version."""


NOT_TOLD = "_PRIOR_RESULT"
"""Groups that are never told: an ORC that could begin one is that of the next order."""


class NoStructure(ValueError):
    """A version has no such structure; the text names both."""


@cache
def structure(version: str, name: str) -> Any:
    """Return the structure of a message. Raises NoStructure."""
    try:
        return load_library(version).MESSAGES[name]
    except (KeyError, UnsupportedVersion):
        raise NoStructure(f"HL7 {version} has no structure {name}") from None


def faults(version: str, name: str, segments: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the places (from 0) of segments that cannot stand where they do, and the names of parts that are
    missing; local segments (Z) may stand anywhere. Raises NoStructure.
    """
    whole = structure(version, name)
    wrong: list[int] = []
    while True:
        places = [place for place in range(len(segments)) if place not in wrong]
        walk = _Walk([segments[place] for place in places])
        walk.group(whole)
        if walk.next() == "":
            return wrong, walk.missing
        wrong.append(places[walk.at])


class _Walk:
    """Walks a structure along the names of segments: each is taken by the first place that can have it."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.at = 0
        self.missing: list[str] = []
        self.starts: dict[str, set[str]] = {}

    def next(self) -> str:
        """Return the next segment that is not local, empty at the end."""
        while self.at < len(self.names) and self.names[self.at].startswith("Z"):
            self.at += 1
        return self.names[self.at] if self.at < len(self.names) else ""

    def group(self, found: Any) -> None:
        """Take what belongs to a group, in its order; of a choice one."""
        kind, items = found[0], found[1]
        if kind != "choice":
            for item in items:
                self._item(item)
            return
        chosen = next((item for item in items if self._begins(item)), None)
        if chosen is None:
            self.missing.append(items[0][0])
        else:
            self._item(chosen)

    def _item(self, item: Node) -> None:
        name, sub, (least, most), kind = item
        taken = 0
        while (most < 0 or taken < most) and self._begins(item):
            before = self.at
            if kind == "SEG":
                self.at += 1
            else:
                self.group(sub)
            if self.at == before:
                break
            taken += 1
        if taken < least:
            self.missing.append(name)

    def _begins(self, item: Node) -> bool:
        if item[0].endswith(NOT_TOLD):
            return False
        if item[0] not in self.starts:
            self.starts[item[0]] = _starting(item)
        return self.next() in self.starts[item[0]]


def _starting(item: Node) -> set[str]:
    """Return the names with which a part of a structure may begin."""
    name, sub, _, kind = item
    if kind == "SEG":
        return {name}
    found: set[str] = set()
    for part in sub[1]:
        found |= _starting(part)
        if sub[0] == "sequence" and part[2][0] > 0:
            break
    return found
