"""One message from its bytes to its acknowledgement: journal, read, apply, commit, answer.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from gateway import errors
from gateway.mllp.acknowledge import Code, Fault, acknowledge, code_for, header_fault, is_acknowledgement
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import er7, times
from mappings.element import V2Context
from mappings.er7 import Message, NotHl7
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Coverage, Desk, MessageRefused, Warned, Written
from storage import journal
from storage.journal import Arrival, Verdict
from storage.model.hl7 import Hl7MessageLink

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Receiver:
    """Applies messages to the records; one call per frame, each in a thread."""

    records: Records

    def receive(self, payload: bytes, remote: str) -> list[bytes]:
        """Return the acknowledgements of a frame's messages, in their order; what is answered AA is committed.

        A frame usually holds one message, a batch several. Nothing is raised for what a sender did; a database that
        cannot be reached raises, since then nothing may be answered.
        """
        parts = er7.split_batch(payload)
        answers = [self._receive(part, remote) for part in parts or [payload]]
        return [answer for answer in answers if answer]

    def refuse(self, head: bytes, remote: str, reason: str) -> list[bytes]:
        """Keep what came of a message that was cut off or is too long, and return what may be answered to it."""
        arrival, message = self._arrive(head, remote)
        entry = self._enter(arrival)
        fault = Fault("207", "E", text=reason)
        return [self._close(entry.id, message, [fault], reason=reason)] if message else self._drop(entry.id, reason)

    def _drop(self, message_id: UUID, reason: str) -> list[bytes]:
        verdict = Verdict("error", "AE", b"", "", self.records.clock(), "207", None, reason)
        with self.records.store.connection() as connection:
            journal.finish(connection, message_id, verdict)
        return []

    def _arrive(self, raw: bytes, remote: str) -> tuple[Arrival, Message | None]:
        try:
            message = er7.read(raw)
        except NotHl7:
            message = None
        at = self.records.clock()
        return Arrival(self.records.new_id(), raw, at, remote, header(message) if message else {}), message

    def _enter(self, arrival: Arrival) -> journal.Seen:
        with self.records.store.connection() as connection:
            return journal.enter(connection, arrival)

    def _receive(self, raw: bytes, remote: str) -> bytes | None:
        arrival, message = self._arrive(raw, remote)
        entry = self._enter(arrival)
        if entry.status == "applied":
            return entry.ack
        if message is None:
            return self._close(entry.id, None, [Fault("100", "E", "MSH", text="The payload has no usable MSH")])
        if is_acknowledgement(message):
            return self._note(entry.id)
        fault = header_fault(message, HANDLERS.keys())
        if fault is not None:
            return self._close(entry.id, message, [fault])
        return self._apply(entry.id, arrival, message)

    def _note(self, message_id: UUID) -> None:
        """An acknowledgement is kept and not answered."""
        with self.records.store.connection() as connection:
            at = self.records.clock()
            journal.finish(connection, message_id, Verdict("applied", "AA", b"", "", at))

    def _apply(self, message_id: UUID, arrival: Arrival, message: Message) -> bytes | None:
        def work(unit: Unit) -> bytes | None:
            entry = journal.lock(unit.session.raw, message_id)
            if entry.status == "applied":
                return entry.ack
            return self._handle(unit, message_id, arrival, message)

        try:
            return self.records.unit(Caller("hl7v2", None, message_id), work)
        except MessageRefused as refused:
            return self._close(message_id, message, [fault_of(refused.warning, "E")])
        except Exception as exc:
            problem = errors.problem_of(exc, str(message_id))
            if problem.status >= 500:
                _log.error("message failed", message_id=str(message_id), error=problem.title(), exc_info=exc)
            told = errors.fault(problem)
            faults = [Fault(told.code, told.severity, text=told.text)]
            return self._close(message_id, message, faults, code=Code(told.ack_code), reason=problem.title())

    def _handle(self, unit: Unit, message_id: UUID, arrival: Arrival, message: Message) -> bytes:
        context = V2Context(unit.site.zone, unit.site.systems, message.version)
        desk = Desk(unit, context, message)
        HANDLERS[message.message_code, message.trigger_event](desk)
        self._sign(unit, desk.written, message_id)
        faults = [Fault("0", "W", text=warning) for warning in message.warnings]
        if journal.reused(unit.session.raw, arrival):
            faults.append(Fault("205", "W", "MSH", 1, 10, text="The control id was used before for other content"))
        faults += [fault_of(warned, "W") for warned in desk.coverage.warned if warned.code != "0"]
        verdict = self._verdict(message, "applied", Code.AA, faults, desk.coverage)
        journal.finish(unit.session.raw, message_id, verdict)
        return verdict.ack

    def _sign(self, unit: Unit, written: Sequence[Written], message_id: UUID) -> None:
        """Say in each record that the message wrote it, write it, and link both."""
        for item in written:
            if item.action != "matched":
                item.record.resource["meta_source"] = f"urn:uuid:{message_id}"
        made = unit.flush()
        for item in written:
            head = item.record.resource
            row = Hl7MessageLink.blank()
            row.update(
                id=self.records.new_id(),
                message_id=message_id,
                resource_id=head["id"],
                version=head["version"],
                action=item.action if head["id"] in made else "matched",
                segment_path=item.path[:60],
            )
            unit.writer.add(Hl7MessageLink, row)
        unit.flush()

    def _close(
        self,
        message_id: UUID,
        message: Message | None,
        faults: list[Fault],
        *,
        code: Code | None = None,
        reason: str | None = None,
    ) -> bytes:
        """Refuse a message: store its acknowledgement and why, and return it."""
        answer = code or code_for(faults)
        status = "rejected" if answer is Code.AR else "error"
        verdict = self._verdict(message, status, answer, faults, None, reason)
        with self.records.store.connection() as connection:
            journal.finish(connection, message_id, verdict)
        return verdict.ack

    def _verdict(
        self,
        message: Message | None,
        status: str,
        code: Code,
        faults: list[Fault],
        coverage: Coverage | None,
        reason: str | None = None,
    ) -> Verdict:
        at = self.records.clock()
        control_id = self.records.new_id().hex[:20]
        first = faults[0] if faults and status != "applied" else None
        return Verdict(
            status,
            code.value,
            acknowledge(message, code, faults, control_id, at),
            control_id,
            at,
            first and first.code,
            location(first) if first else None,
            reason or (first and first.text),
            coverage.as_json() if coverage else None,
        )


def fault_of(warned: Warned, severity: Any) -> Fault:
    """Return a handler's warning or refusal as a fault of an acknowledgement."""
    return Fault(
        warned.code, severity, warned.segment, warned.sequence, warned.field, 0, warned.component, warned.text
    )


def location(fault: Fault) -> str | None:
    """Return a fault's place in words: ``OBX[3]-5.2``."""
    if not fault.segment:
        return None
    place = f"{fault.segment}[{fault.sequence}]" + (f"-{fault.field}" if fault.field else "")
    return place + (f".{fault.component}" if fault.component else "")


def header(message: Message) -> dict[str, Any]:
    """Return the columns of the journal that the header fills."""
    msh = message.msh

    def text(number: int, component: int = 1) -> str | None:
        return msh.field(number).first.component(component) or None

    at = msh.field(7).first.component(1)
    return {
        "charset": message.charset,
        "message_type": text(9),
        "trigger_event": text(9, 2),
        "structure": text(9, 3),
        "version": text(12),
        "processing_id": text(11),
        "control_id": message.control_id or None,
        "sending_app": msh.field(3).raw or None,
        "sending_facility": msh.field(4).raw or None,
        "receiving_app": msh.field(5).raw or None,
        "receiving_facility": msh.field(6).raw or None,
        **sent_at(at),
    }


def sent_at(text: str) -> dict[str, Any]:
    """Return MSH-7 with its bounds; nothing where it is no time stamp."""
    try:
        value = times.from_v2(text, times.UTC)
    except ValueError:
        return {}
    low, high = times.bounds(value)
    return {"message_at": value, "message_at_lo": low, "message_at_hi": high}
