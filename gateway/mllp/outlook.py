"""What would come of messages if they were sent to an empty gateway: taken or refused, and each field's fate.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from uuid import UUID

from gateway import errors
from gateway.mllp.acknowledge import CONDITIONS, Fault, is_acknowledgement
from gateway.mllp.modes import mode_warnings
from gateway.mllp.receive import fault_of, location
from gateway.mllp.senders import served
from mappings import er7
from mappings.element import V2Context
from mappings.er7 import Message, NotHl7
from mappings.messages.coverage import Coverage
from mappings.messages.fates import Fate, elsewhere, fates
from mappings.messages.handlers import HANDLERS
from mappings.messages.in_memory import InMemory
from storage.peers import STRANGER


@dataclass(frozen=True)
class Outlook:
    """What would come of a message: why it is refused (None: it is applied), the fate of each of its fields,
    warnings about no field that it has, each with its place, and what is noted of the whole.
    """

    message: Message | None
    refusal: Fault | None
    fates: list[Fate]
    elsewhere: list[tuple[str, str]]
    notes: list[str]

    @property
    def result(self) -> str:
        """What would come of the message, in words."""
        if self.refusal is None:
            return "applied"
        return f"refused: {reason(self.refusal)}"

    @property
    def counts(self) -> Counter[str]:
        """How many fields there are of each fate."""
        return Counter(fate.kind for fate in self.fates)


def reason(refusal: Fault) -> str:
    """Return why a message is refused, in words."""
    place, text = location(refusal), refusal.text or CONDITIONS[refusal.code].text
    return f"{refusal.code}{f' at {place}' if place else ''}: {text}"


def outlooks(
    payloads: Iterable[bytes], zone: tzinfo, new_id: Callable[[], UUID], clock: Callable[[], datetime]
) -> Iterator[Outlook]:
    """Yield what would come of each message; each finds what those before it have made. Nothing is raised."""
    records = InMemory(new_id, clock)
    for payload in payloads:
        yield _outlook(records, payload, zone)


def _outlook(records: InMemory, payload: bytes, zone: tzinfo) -> Outlook:
    try:
        message = er7.read(payload)
    except NotHl7 as error:
        return Outlook(None, Fault("100", "E", "MSH", text=str(error)), [], [], [])
    notes = [*message.warnings, *(fault.text for fault in mode_warnings(message))]
    if is_acknowledgement(message):
        aside = Coverage()
        aside.set_aside("An acknowledgement is kept and not applied", *message.segments)
        return Outlook(message, None, fates(message, aside.as_json()), [], notes)
    refusal = served(message, STRANGER, HANDLERS.keys())
    if refusal is not None:
        return Outlook(message, refusal, fates(message, None, reason(refusal)), [], notes)
    coverage, refusal = _applied(records, message, zone)
    told = coverage.as_json()
    why = reason(refusal) if refusal is not None else None
    return Outlook(message, refusal, fates(message, told, why), elsewhere(message, told), notes)


def _applied(records: InMemory, message: Message, zone: tzinfo) -> tuple[Coverage, Fault | None]:
    try:
        coverage, warned = records.apply(message, V2Context(zone, {}, message.version))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises, a sender would get an answer
        told = errors.fault(errors.problem_of(error))
        return Coverage(), Fault(told.code, told.severity, text=told.text)
    return coverage, warned and fault_of(warned, "E")
