"""Whether a message is taken, by its header and its sender; and what is found in it of closely watched peers.

HL7 v2.5.1, section 2.9.2.2: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.mllp.acknowledge import PROCESSING_IDS, VERSIONS, Fault, header_fault

if TYPE_CHECKING:
    from mappings.er7 import Message
    from mappings.messages.coverage import Coverage, Warned
    from storage.peers import Peer

LENIENT: Final = "lenient"
STRICT: Final = "strict"
CLOSELY: Final = frozenset({"100", "101", "102", "103", "104"})
"""Conditions of content that lenient peers are only warned about."""


class Findings(Exception):
    """A message of a strict peer has faults that would be tolerated elsewhere."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = faults

    @classmethod
    def see(cls, faults: Iterable[Fault]) -> None:
        """Raise what is no note, as errors."""
        found = [replace(fault, severity="E") for fault in faults if fault.code in CLOSELY]
        if found:
            raise cls(found)


def served(
    message: Message | None, peer: Peer | None, supported: Collection[tuple[str, str]]
) -> Fault | None:
    """Return why a message is not taken, None if it is: no MSH (100), a sender who is not known (204), or
    what the header asks for and the gateway does not serve, or the peer may not send (101, 200 to 203).
    """
    if message is None:
        return Fault("100", "E", "MSH", text="The payload has no usable MSH")
    if peer is None:
        return Fault("204", "E", "MSH", 1, 3, text="The sender is not known here")
    wanted = supported if peer.message_types is None else _listed(supported, peer.message_types)
    return header_fault(
        message,
        wanted,
        PROCESSING_IDS if peer.processing_ids is None else peer.processing_ids,
        VERSIONS if peer.versions is None else peer.versions,
    )


def _listed(supported: Collection[tuple[str, str]], types: list[str]) -> set[tuple[str, str]]:
    """Return what is listed of what is served; `ORM` stands for all its events."""
    told = [tuple(kind.split("^")[:2]) for kind in types]
    return {pair for pair in supported if any(pair[: len(each)] == each for each in told)}


def look_closely(message: Message, peer: Peer, coverage: Coverage) -> None:
    """Note where a message does not follow its structure, unless that was noted; not of a lenient peer."""
    if peer.strictness == LENIENT:
        return
    # What knows the structures takes a second to load, and few peers are looked at closely.
    from mappings.messages.structure import deviations

    known = {_place(warned) for warned in coverage.warned}
    coverage.warned += [found for found in deviations(message) if _place(found) not in known]


def _place(warned: Warned) -> tuple[str, str, int, int]:
    return warned.code, warned.segment, warned.sequence, warned.field
