"""What became of each field of a message, field by field in the order of the message, for people to read.

HL7 v2.5.1, section 2.5 (segments and fields):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from mappings.messages.coverage import place

if TYPE_CHECKING:
    from mappings.er7 import Message, Segment

Kind = Literal["mapped", "ignored", "warned", "refused", "untold"]
"""Went to an element; says nothing here, by a rule; was warned about; was refused with its message, of which
nothing is applied; or the report does not tell, as of a message that waits."""
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Fate:
    """A field that is not empty: its place (``OBX[3]-5``), its text as written, what became of it, the
    elements that it went to, and why it was ignored or what is wrong with it.
    """

    place: str
    segment: str
    number: int
    text: str
    kind: Kind
    elements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fates(message: Message, report: Mapping[str, Any] | None, refused: str | None = None) -> list[Fate]:
    """Return the fate of each field that is not empty, by a report as ``Coverage.as_json`` makes it.

    Nothing is raised; what no report tells of is ``refused``, which says why the message was, else untold.
    """
    told = report or {}
    warned: dict[str, list[str]] = {}
    for warning in told.get("warned", ()):
        warned.setdefault(warning["place"], []).append(_words(warning))
    return [
        _fate(segment, number, told, warned, refused)
        for segment in message.segments
        for number in segment.filled()
    ]


def _words(warning: Mapping[str, Any]) -> str:
    return warning["text"] if warning["code"] == "0" else f"{warning['code']}: {warning['text']}"


def _fate(
    segment: Segment,
    number: int,
    told: Mapping[str, Any],
    warned: Mapping[str, list[str]],
    refused: str | None,
) -> Fate:
    spot = place(segment, number)
    elements, reason = tuple(told.get("mapped", {}).get(spot, ())), told.get("ignored", {}).get(spot)
    notes = (*([reason] if reason else ()), *warned.get(spot, ()))
    kind: Kind = "mapped" if elements else "ignored" if reason else "warned" if notes else "untold"
    if kind == "untold" and refused is not None:
        kind, notes = "refused", (refused,)
    return Fate(spot, segment.name, number, segment.field(number).raw, kind, elements, notes)


def elsewhere(message: Message, report: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the warnings about no field that the message has, each with its place: a segment, or a field
    that is missing.
    """
    there = {place(segment, number) for segment in message.segments for number in segment.filled()}
    return [
        (warning["place"].removesuffix("-0"), _words(warning))
        for warning in (report or {}).get("warned", ())
        if warning["place"] not in there
    ]
