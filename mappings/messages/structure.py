"""Where a message does not follow its structure: order of segments, required fields, repetitions, datatypes,
codes; by the tables of the standard that hl7apy has.

HL7 v2.5.1, sections 2.12 (message structures) and 2.5.3 (fields):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mappings.messages.coverage import Warned

if TYPE_CHECKING:
    from mappings.er7 import Message, Repetition, Segment

MOST: Final = 50
"""How many deviations of a message are told."""
TIME: Final = re.compile(r"\d{4}(?:\d\d(?:\d\d(?:\d\d(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?)?)?)?(?:[+-]\d{4})?")
FORMS: Final = {
    "NM": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)"),
    "SI": re.compile(r"\d{1,4}"),
    "DT": re.compile(r"\d{4}(?:\d\d(?:\d\d)?)?"),
    "TM": re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?(?:[+-]\d{4})?"),
    "DTM": TIME,
    "TS": TIME,
}
"""How values of the datatypes that have a form are written."""
OPEN_TABLES: Final = frozenset({"HL70203", "HL70396"})
"""Tables to which sites add: types of identifiers, names of coding systems."""
_ADT: Final = {
    **dict.fromkeys(("A04", "A08", "A13"), "ADT_A01"),
    **dict.fromkeys(("A14", "A28", "A31"), "ADT_A05"),
    **dict.fromkeys(("A10", "A11", "A32", "A33"), "ADT_A09"),
    "A40": "ADT_A39",
}
_SAME_STRUCTURE: Final = {
    **{("ADT", event): name for event, name in _ADT.items()},
    **{("SIU", f"S{number}"): "SIU_S12" for number in (*range(13, 25), 26)},
}
"""Message code and event -> structure, where it is not named after both (table 0354)."""

Reference = tuple[Any, ...]


def deviations(message: Message) -> list[Warned]:
    """Return where a message departs from its structure in its version: conditions 100 to 103 of table 0357.

    Segments that the standard does not have (Z) may stand anywhere. What the tables have nothing of is not
    looked at: a structure that its version does not know, tables that sites fill themselves.
    """
    version = {"2.7.1": "2.7"}.get(message.version, message.version)
    found = [*_order(message, version)]
    for segment in message.segments:
        found += _fields(segment, version)
    return found[:MOST]


@cache
def _reference(name: str, kind: str, version: str) -> Reference | None:
    """Return what hl7apy's tables have of a message, segment or table; None where they have nothing."""
    try:
        return import_module("hl7apy").load_reference(name, kind, version)
    except import_module("hl7apy.exceptions").HL7apyException:
        return None


# --- segments ---------------------------------------------------------------------------------------------


def _order(message: Message, version: str) -> Iterator[Warned]:
    """Yield the segments that are missing, and those that stand where they may not."""
    found = _structure(message, version)
    if found is None:
        return
    waiting = [segment for segment in message.segments if not segment.name.startswith("Z")]
    astray: list[Segment] = []
    while True:
        walk = _Walk([segment.name for segment in waiting])
        walk.sequence(found[1])
        if walk.place >= len(waiting) or len(astray) >= MOST:
            break
        # Without the first one that does not fit, what follows is looked at anew.
        astray.append(waiting.pop(walk.place))
    for name in walk.missing:
        yield Warned("100", name, 1, text=f"{name} is missing")
    for segment in astray:
        yield Warned("100", segment.name, segment.number, text=f"{segment.name} may not stand here")


def _structure(message: Message, version: str) -> Reference | None:
    code, event = message.message_code, message.trigger_event
    named = (message.message_structure, _SAME_STRUCTURE.get((code, event), ""), f"{code}_{event}")
    return next((found for name in named if name and (found := _reference(name, "Message", version))), None)


@dataclass
class _Walk:
    """A walk over a structure along the names of segments; `place` is how far they fit."""

    names: list[str]
    place: int = 0
    missing: list[str] = field(default_factory=list[str])

    def sequence(self, children: Reference) -> None:
        for child in children:
            self._repeated(child)

    def _repeated(self, child: Reference) -> None:
        least, most = child[2]
        count = 0
        while count != most and self._begins(child):
            self._one(child)
            count += 1
        if count < least:
            self.missing.append(_first_required(child))

    def _begins(self, child: Reference) -> bool:
        return self.place < len(self.names) and self.names[self.place] in _firsts(child)

    def _one(self, child: Reference) -> None:
        name, (kind, children, *_), _, sort = child[:4]
        if sort == "SEG":
            self.place += self.names[self.place] == name
        elif kind == "choice":
            self._one(next(item for item in children if self._begins(item)))
        else:
            self.sequence(children)


def _firsts(child: Reference) -> frozenset[str]:
    """Return the names of the segments with which a segment or a group may begin."""
    name, (kind, children, *_), _, sort = child[:4]
    if sort == "SEG":
        return frozenset({name})
    found: set[str] = set()
    for item in children:
        found |= _firsts(item)
        if kind != "choice" and item[2][0]:
            break
    return frozenset(found)


def _first_required(child: Reference) -> str:
    name, (_, children, *_), _, sort = child[:4]
    if sort == "SEG":
        return str(name)
    return _first_required(next((item for item in children if item[2][0]), children[0]))


# --- fields -----------------------------------------------------------------------------------------------


def _fields(segment: Segment, version: str) -> Iterator[Warned]:
    found = _reference(segment.name, "Segment", version)
    for name, reference, (least, most), _ in found[1] if found else ():
        number = int(name.rpartition("_")[2])
        if segment.name == "MSH" and number < 3:
            continue
        told = segment.field(number)
        place = f"{segment.name}-{number}"
        if told.is_empty:
            if least:
                yield Warned("101", segment.name, segment.number, number, text=f"{place} is missing")
            continue
        # None at all may be there of a field that was withdrawn: senders fill it all the same.
        if most > 0 and len(told.repetitions) > most:
            yield Warned("102", segment.name, segment.number, number, text=f"{place} may not repeat so often")
        for repetition in () if told.is_null else told.repetitions:
            for component, code in _values(repetition, _typed(segment, reference), version):
                text = f"{place} is not {'of its datatype' if code == '102' else 'in its table'}"
                yield Warned(code, segment.name, segment.number, number, component, text)


def _typed(segment: Segment, reference: Reference) -> Reference:
    """Return what a field is: of OBX-5, OBX-2 tells."""
    if reference[2] == "varies":
        return ("leaf", None, segment.field(2).text.strip() if segment.name == "OBX" else "", "", None, -1)
    return reference


def _values(repetition: Repetition, reference: Reference, version: str) -> Iterator[tuple[int, str]]:
    """Yield the components that are not of their datatype (102) or not in their table (103); 0 for a field
    that is all one.
    """
    if reference[0] == "leaf":
        if code := _wrong(repetition.text, reference, version):
            yield 0, code
        return
    for number, component in enumerate(reference[1], 1):
        part = component[1]
        if part[0] == "leaf" and (code := _wrong(repetition.component(number), part, version)):
            yield number, code


def _wrong(text: str, reference: Reference, version: str) -> str | None:
    """Return the condition that a value meets, None where it is as it should be."""
    kind, table = reference[2], reference[4]
    if not text:
        return None
    form = FORMS.get(kind)
    if form is not None and not form.fullmatch(text.strip()):
        return "102"
    # Tables of ID are the standard's own; those of IS are each site's.
    closed = kind == "ID" and table and table not in OPEN_TABLES
    listed = _reference(table, "Table", version) if closed else None
    return "103" if listed and listed[1] and text not in listed[1] else None
