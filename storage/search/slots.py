"""What is asked, apart from the values that it is asked for: searches of one shape share one statement.

A value that the database compares is taken out and leaves a slot. Whoever makes the statement sees the slot
alone, so that a statement cannot come to depend on a value; what it needs of one is told to ``derived``.
What decides how a statement is written (a prefix, a system, whether there is a code at all) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, cast

from storage.search.page import Cursor
from storage.search.query import (
    ByType,
    Chained,
    Combined,
    Compartment,
    Composed,
    Condition,
    Flag,
    Joint,
    Number,
    OfType,
    Query,
    Ref,
    Said,
    Target,
    Together,
    Token,
    Uri,
    When,
    Word,
)

Change = Callable[[Any], Any]

_SLOT = 100


@dataclass(frozen=True, order=True)
class Slot:
    """The place of a value, and what is done with the value before it gets there."""

    place: int
    changes: tuple[Change, ...] = ()

    def of(self, values: Sequence[Any]) -> Any:
        """Return what goes into the slot."""
        found = values[self.place]
        for change in self.changes:
            found = change(found)
        return found


@dataclass(frozen=True)
class AnyOf:
    """Values, any of which will do. Several of them, however many, go into one slot."""

    values: Sequence[Any]


def derived(change: Change, value: Any) -> Any:
    """Return what ``change`` makes of a value, or a slot for that."""
    return Slot(value.place, (*value.changes, change)) if isinstance(value, Slot) else change(value)


class Shape:
    """Takes the values out of what is asked, and keeps them by the places of their slots."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.letters = 0

    @property
    def size(self) -> int:
        """How large what is made of the shape gets, about: by its slots, and by the letters that stay."""
        return self.letters + _SLOT * len(self.values)

    def of(self, asked: Any) -> Any:
        """Return what is asked, with slots in place of its values."""
        if isinstance(asked, tuple):
            return tuple([self.of(part) for part in cast("tuple[Any, ...]", asked)])
        return self._object(asked)

    def _object(self, asked: Any) -> Any:
        kind: Any = asked.__class__
        if kind not in _TAKEN or (kind is Condition and _told_by_values(asked.targets)):
            self.letters += _letters(asked)
            return asked
        return kind(*[way(self, getattr(asked, name)) for name, way in _ways(kind)])

    def value(self, value: Any) -> Slot | None:
        """Return a slot for a value; that there is none is no value."""
        if value is None:
            return None
        self.values.append(value)
        return Slot(len(self.values) - 1)

    def told(self, value: Any) -> Slot | None:
        """Return a slot for a value that counts if it is told: an empty one is none."""
        return self.value(value or None)

    def each(self, values: Sequence[Any]) -> tuple[Slot | None, ...]:
        """Return a slot for each of several values."""
        return tuple([self.value(value) for value in values])

    def any_of(self, values: Sequence[Any]) -> Slot | tuple[Slot | None, ...] | None:
        """Return a slot for all values together; one alone is compared by itself, which is planned better."""
        return self.each(values) if len(values) == 1 else self.value(values)

    def kept(self, value: Any) -> Any:
        """Return what stays as it is."""
        self.letters += _letters(value)
        return value

    def dropped(self, _value: Any) -> None:
        """Return nothing: what is told otherwise, and would only set apart what is alike."""


def _letters(stays: Any) -> int:
    """Return how many letters of what a caller may have asked for stay."""
    match stays:
        case str():
            return len(stays)
        case Uri(texts=texts):
            return sum(map(len, texts))
        case Said(text=text, parts=parts):
            return len(text) + sum(map(_letters, parts))
        case Condition(values=values):
            return sum(len(value.code or "") for value in values if isinstance(value, Token))
        case _:
            return 0


Way = Callable[[Shape, Any], Any]

_TAKEN: dict[type, dict[str, Way]] = {
    Token: {"code": Shape.value},
    OfType: {"value": Shape.value},
    Word: {"text": Shape.value, "norm": Shape.value, "phon": Shape.told},
    When: {"low": Shape.value, "high": Shape.value},
    Number: dict.fromkeys(("exact", "low", "high", "code"), Shape.value) | {"canonical": Shape.of},
    Ref: dict.fromkeys(("fhir_id", "literal", "resource_id"), Shape.value) | {"identifier": Shape.of},
    Joint: {"parts": Shape.of},
    Condition: {"values": Shape.of},
    Chained: {"condition": Shape.of},
    Combined: {"parts": Shape.of},
    ByType: {"types": Shape.of},
    Compartment: {"fhir_id": Shape.value, "apart_from": Shape.of},
    # Where a page begins is told by a Cursor.
    Query: {"conditions": Shape.of, "cursor": Shape.dropped},
    Cursor: {"values": Shape.each, "last": Shape.value},
    AnyOf: {"values": Shape.any_of},
}
"""The fields with values, or with what has some further in. Other fields stay, and so do other classes."""


@cache
def _ways(kind: type) -> tuple[tuple[str, Way], ...]:
    return tuple((field.name, _TAKEN[kind].get(field.name, Shape.kept)) for field in fields(kind))


def _told_by_values(targets: Sequence[Target]) -> bool:
    """Tell whether the few codes that may be asked for decide how the statement is written."""
    return any(
        isinstance(target, Flag | Composed)
        or (isinstance(target, Together) and any(_told_by_values(part) for part in target.parts))
        for target in targets
    )
