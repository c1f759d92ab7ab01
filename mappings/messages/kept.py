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
    from mappings.er7 import Message, Segment
    from mappings.messages.coverage import Coverage
    from storage.record import Record

HEADERS = frozenset({"MSH", "SFT", "UAC", "MSA", "ERR", "FHS", "BHS", "BTS", "FTS", "EVN"})
"""Segments about the message, which is stored whole; they belong to no record."""


def _is_timed(code: str) -> bool:
    return code.strip().upper().startswith("T")


RAW: dict[str, tuple[int, Callable[[str], bool]]] = {
    "ORC-1": (1, bool),
    "ORC-5": (1, bool),
    "PID-8": (1, lambda code: code.strip().upper() not in ("F", "M", "O", "U", "")),
    "TQ1-9": (1, _is_timed),
    "OBR-5": (1, _is_timed),
    "ORC-7": (6, _is_timed),
    "OBR-27": (6, _is_timed),
    "OBR-10": (1, bool),
    "OBR-13": (1, is_fasting),
    "SPM-3": (1, bool),
}
"""Mapped fields whose code says more than its element: the component, and which codes are kept besides."""


def _says_more(segment: Segment, number: int) -> bool:
    component, is_kept = RAW.get(f"{segment.name}-{number}", (1, _never))
    return is_kept(segment.field(number).first.component(component))


def _never(code: str) -> bool:
    del code
    return False


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
