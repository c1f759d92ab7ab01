"""A segment in the making: its fields as ER7 text, in the usual delimiters.

HL7 v2.5.1, section 2.6 (message construction rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

from mappings.er7 import NULL, escape
from mappings.er7_delimiters import DEFAULT

Part = str | tuple[str, ...]
"""A component, or its sub-components."""


def component(part: Part) -> str:
    """Return a component as it is written, escaped."""
    if isinstance(part, str):
        return escape(part, DEFAULT)
    return "&".join(escape(text, DEFAULT) for text in part).rstrip("&")


def components(*parts: Part) -> str:
    """Return a repetition of these components, without empty ones at its end."""
    return "^".join(component(part) for part in parts).rstrip("^")


def overlay(present: str, added: str) -> str:
    """Return a repetition with the components that it lacks taken from another one."""
    pairs = zip_longest(present.split("^"), added.split("^"), fillvalue="")
    return "^".join(one or other for one, other in pairs).rstrip("^")


@dataclass
class Sheet:
    """A segment: repetitions by field number, and the fields that its record keeps as a peer sent them."""

    name: str
    kept: dict[int, str] = field(default_factory=dict[int, str])
    fields: dict[int, list[str]] = field(default_factory=dict[int, list[str]])

    def has(self, number: int) -> bool:
        """Tell whether a field was set."""
        return bool(self.fields.get(number))

    def put(self, number: int, *texts: str) -> None:
        """Set a field to these repetitions; empty ones do not count."""
        told = [text for text in texts if text]
        if told:
            self.fields[number] = told

    def add(self, number: int, text: str) -> None:
        """Add a repetition, unless it is there."""
        listed = self.fields.setdefault(number, [])
        if text and text not in listed:
            listed.append(text)

    def lay(self, number: int, text: str) -> None:
        """Put the components of a text where the first repetition has none yet."""
        present = self.fields.get(number, [""])
        self.put(number, overlay(present[0], text), *present[1:])

    def drop(self, *numbers: int) -> None:
        """Forget what is kept of fields: what is told of them now is all there is."""
        for number in numbers:
            self.kept.pop(number, None)

    @property
    def text(self) -> str:
        """The segment; what is kept stands where nothing else was said."""
        kept = {number: [raw] for number, raw in self.kept.items() if raw != NULL}
        told = kept | {number: texts for number, texts in self.fields.items() if any(texts)}
        last = max(told, default=0)
        return "|".join([self.name, *("~".join(told.get(number, ())) for number in range(1, last + 1))])
