"""``_filter``: an expression over search parameters, read into the same conditions as those themselves.

https://hl7.org/fhir/R4/search_filter.html

``and`` and ``or`` are taken from left to right, none before the other.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gateway.errors import Problem, UnknownParameter, UnsupportedParameterValue
from gateway.fhir.chains import DEEPEST, backward_link, forward_links
from gateway.fhir.filter_tests import compared
from gateway.fhir.search_values import Context
from mappings.element import Mapping
from storage.search.query import Asked, Chained, Combined

MOST = 100
"""So many comparisons may one filter have."""

_SPACE = re.compile(r"\s*")
_JOIN = re.compile(r"(and|or)(?=[\s(])")
_NOT = re.compile(r"not\s*\(")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?::[A-Za-z]+)?")
_HAS = re.compile(r"_has:([A-Za-z]+):([A-Za-z_][A-Za-z0-9_-]*):")
_OPERATOR = re.compile(r"\s+([a-z]{2})\s+")
_VALUE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s)\]"]+')


def filtered(mapping: Mapping, text: str, context: Context) -> Asked:
    """Return the condition of a filter on resources of a type.

    Raises UnsupportedParameterValue where it cannot be read, and what its parameters raise.
    """
    reader = _Reader(text, context)
    found = reader.filter(mapping, 0)
    reader.skip()
    if reader.place < len(text):
        raise reader.refuse("and, or, or the end is needed")
    return found


class _Reader:
    """A filter and how far it was read."""

    def __init__(self, text: str, context: Context) -> None:
        self.text = text
        self.context = context
        self.place = 0
        self.tests = 0

    def refuse(self, allowed: str) -> Problem:
        """Return the problem of what stands where the reading has come to."""
        return UnsupportedParameterValue(
            f"_filter: {self.text[self.place : self.place + 40]!r} at character {self.place + 1} cannot be "
            f"read; {allowed}",
            expression="http._filter",
        )

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.place)
        self.place = found.end() if found else self.place

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return what stands here if it is as the pattern tells, and go on after it."""
        found = pattern.match(self.text, self.place)
        self.place = found.end() if found else self.place
        return found

    def needed(self, sign: str) -> None:
        self.skip()
        if not self.text.startswith(sign, self.place):
            raise self.refuse(f"{sign} is needed")
        self.place += 1

    def filter(self, mapping: Mapping, depth: int) -> Asked:
        """Read comparisons that are joined."""
        if depth > DEEPEST:
            raise self.refuse(f"brackets and chains may go {DEEPEST} deep")
        found = self.term(mapping, depth)
        while True:
            self.skip()
            joined = self.take(_JOIN)
            if joined is None:
                return found
            how: Literal["all", "any"] = "all" if joined[1] == "and" else "any"
            found = Combined(how, (found, self.term(mapping, depth)))

    def term(self, mapping: Mapping, depth: int) -> Asked:
        self.skip()
        negated = self.take(_NOT) is not None
        if not negated and not self.text.startswith("(", self.place):
            return self.comparison(mapping, depth)
        self.place += 0 if negated else 1
        found = self.filter(mapping, depth + 1)
        self.needed(")")
        return Combined("none", (found,)) if negated else found

    def comparison(self, mapping: Mapping, depth: int) -> Asked:
        """Read a path, an operator and a value."""
        self.tests += 1
        if self.tests > MOST:
            raise self.refuse(f"a filter may have {MOST} comparisons")
        back = self.take(_HAS)
        if back is not None:
            paths, other = backward_link(back[1], back[2], "_filter")
            inner = self.comparison(other, self.deeper(depth))
            return Chained("_has", paths, other.type, other.table, inner, backward=True)
        name = self.take(_NAME)
        if name is None:
            raise self.refuse("the name of a search parameter is needed")
        if self.text.startswith(("[", "."), self.place):
            return self.along(mapping, name[0], self.deeper(depth))
        operator = self.take(_OPERATOR)
        value = self.take(_VALUE) if operator else None
        if operator is None or value is None:
            raise self.refuse("an operator and a value are needed, parted by spaces")
        return compared(mapping, name[0], operator[1], self.plain(value[0]), self.context)

    def deeper(self, depth: int) -> int:
        if depth >= DEEPEST:
            raise self.refuse(f"brackets and chains may go {DEEPEST} deep")
        return depth + 1

    def plain(self, text: str) -> str:
        """Return a value without quotes."""
        try:
            return str(msgspec.json.decode(text)) if text.startswith('"') else text
        except msgspec.DecodeError:
            raise self.refuse("a JSON string is needed") from None

    def along(self, mapping: Mapping, name: str, depth: int) -> Asked:
        """Read what holds of the resources that a reference leads to, of whichever type that has it."""
        start, problem = self.place, None
        found: list[Asked] = []
        end = start
        for paths, other in forward_links(mapping, name):
            self.place = start
            try:
                inner = self.inside(other, depth)
            except UnknownParameter as unknown:
                problem = unknown
                continue
            end = self.place
            found.append(Chained(name, paths, other.type, other.table, inner))
        if not found:
            raise problem or self.refuse("a reference is needed")
        self.place = end
        return found[0] if len(found) == 1 else Combined("any", tuple(found))

    def inside(self, mapping: Mapping, depth: int) -> Asked:
        bracketed = None
        if self.text.startswith("[", self.place):
            self.place += 1
            bracketed = self.filter(mapping, depth)
            self.needed("]")
        self.needed(".")
        found = self.comparison(mapping, depth)
        return found if bracketed is None else Combined("all", (bracketed, found))
