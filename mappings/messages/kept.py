"""Fields and segments without a column: kept, as they were written, on the record that they belong to; with
the usual delimiters.

HL7 v2.5.1, section 2.10.4 (local extension) and P13 of the model: nothing that a peer sent is lost.
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mappings.er7_escapes import respell
from mappings.resources.specimen import is_fasting

if TYPE_CHECKING:
    from mappings.er7 import Field, Message, Segment
    from mappings.messages.coverage import Coverage
    from storage.record import Record

HEADERS = frozenset({"MSH", "SFT", "UAC", "MSA", "ERR", "FHS", "BHS", "BTS", "FTS", "EVN"})
"""Segments about the message, which is stored whole; they belong to no record."""


Says = Callable[["Field"], bool]


def _code(component: int, is_kept: Callable[[str], bool]) -> Says:
    """Tell of fields whose code, in a component, is one that is kept."""
    return lambda field: is_kept(field.first.component(component).strip().upper())


def _beyond(*components: int) -> Says:
    """Tell of fields that say something in other components too, or in more repetitions than the first."""

    def says_more(field: Field) -> bool:
        others = range(1, field.first.count + 1)
        return _repeats(field) or any(
            field.first.component(place, 0).strip() for place in others if place not in components
        )

    return says_more


def _repeats(field: Field) -> bool:
    return any(bool(repetition) for repetition in field.repetitions[1:])


def _is_timed(code: str) -> bool:
    return code.startswith("T")


RAW: dict[str, Says] = {
    **dict.fromkeys(("ORC-1", "ORC-5", "OBR-10", "SPM-3"), bool),
    "PID-8": _code(1, lambda code: code not in ("F", "M", "O", "U", "")),
    **dict.fromkeys(("TQ1-9", "OBR-5"), _code(1, _is_timed)),
    "OBR-13": _code(1, is_fasting),
    # Quantity, interval, duration and condition of a TQ; additives, text and method of a SPS; where and when
    # of a NDL; the filler's number of a parent.
    **dict.fromkeys(
        ("ORC-7", "OBR-27"), lambda field: _code(6, _is_timed)(field) or _beyond(4, 5, 6, 8)(field)
    ),
    "OBR-15": _beyond(1, 4),
    **dict.fromkeys(("OBR-32", "OBR-34"), _beyond(1)),
    **dict.fromkeys(("ORC-8", "OBR-29"), _beyond(1)),
    **dict.fromkeys(
        ("ORC-2", "ORC-3", "OBR-2", "OBR-3", "ORC-16", "ODS-3", "RXO-1", "RQ1-2", "RQD-3"), _repeats
    ),
    **dict.fromkeys(("OBR-20", "OBX-17", "OBX-18", "OBX-20", "OBX-21"), _repeats),
    **dict.fromkeys(("SPM-4", "SPM-6", "SPM-7", "SPM-8", "SPM-27"), _repeats),
}
"""Mapped fields that may say more than their element holds, and when they are kept besides."""


def _says_more(segment: Segment, number: int) -> bool:
    is_kept = RAW.get(f"{segment.name}-{number}")
    return is_kept is not None and is_kept(segment.field(number))


def keep_fields(
    message: Message, coverage: Coverage, rules: dict[str, str], owners: dict[int, Record], default: Record
) -> None:
    """Put every field that is not mapped into ``v2_remainder`` of its record, but for those that a rule
    calls redundant.

    ``owners`` is by the segment's index. A segment of which a record has several is named ``NTE``,
    ``NTE[2]``...
    """
    counts: dict[tuple[int, str], int] = {}
    for segment in message.segments:
        if segment.name in HEADERS:
            continue
        owner = owners.get(segment.index, default)
        place = (id(owner), segment.name)
        counts[place] = counts.get(place, 0) + 1
        fields = {
            str(number): respell(segment.field(number).raw, message.delimiters)
            for number in segment.filled()
            if f"{segment.name}-{number}" not in rules
            and not coverage.is_aside(segment, number)
            and (not coverage.is_mapped(segment, number) or _says_more(segment, number))
        }
        if fields:
            keep(owner, segment, counts[place], fields)


def keep(owner: Record, segment: Segment, count: int, fields: dict[str, str]) -> None:
    """Merge fields into what the record keeps of earlier messages."""
    name = segment.name if count == 1 else f"{segment.name}[{count}]"
    kept: dict[str, dict[str, str]] = owner.resource["v2_remainder"] or {}
    owner.resource["v2_remainder"] = kept | {name: kept.get(name, {}) | fields}


def kept_field(record: Record, segment: str, number: int) -> str | None:
    """Return the text of a field that a record keeps, None where it keeps none."""
    kept: dict[str, dict[str, str]] = record.resource["v2_remainder"] or {}
    return kept.get(segment, {}).get(str(number))
