"""One message from its bytes to its acknowledgement: journal, read, apply, commit, answer.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from gateway import errors
from gateway.mllp.acknowledge import (
    CONTROL_ID_LENGTH,
    Code,
    Fault,
    acknowledge,
    code_for,
    header_fault,
    is_acknowledgement,
)
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import er7, times
from mappings.element import V2Context
from mappings.er7 import Message, NotHl7
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Coverage, Desk, MessageRefused, Warned, Written
from storage import journal
from storage.journal import Arrival, Verdict
from storage.model.hl7 import Hl7Message, Hl7MessageLink
from storage.session import Raw

_log = structlog.get_logger(__name__)

TOO_LONG = "the message is longer than this listener takes"
WIDTHS = {column.name: getattr(column.type, "length", None) for column in Hl7Message.table.columns}


@dataclass(frozen=True)
class Case:
    """A message in hand: its entry in the journal, how it arrived, what was read (None without an MSH)."""

    id: UUID
    arrival: Arrival
    message: Message | None


@dataclass(frozen=True)
class Receiver:
    """Applies messages to the records; one call per frame, each in a thread."""

    records: Records

    def receive(self, payload: bytes, remote: str) -> list[bytes]:
        """Return the acknowledgements of a frame's messages, in order; what is answered AA is committed.

        A frame usually holds one message, a batch several. Nothing is raised for what a sender did; a
        database that cannot be reached raises, since then nothing may be answered.
        """
        parts = er7.split_batch(payload)
        answers = [self._receive(part, remote) for part in parts or [payload]]
        return [answer for answer in answers if answer]

    def refuse(self, head: bytes, remote: str) -> list[bytes]:
        """Keep the head of a message that is too long, and return what is answered to it: AE 207."""
        arrival, message = self._arrive(head, remote)
        verdict = self._verdict(message, "error", Code.AE, [Fault("207", text=TOO_LONG)], reason=TOO_LONG)
        with self.records.store.connection() as connection:
            journal.keep(connection, arrival, verdict)
        return [verdict.ack or b""]

    def keep(self, payload: bytes, remote: str, reason: str) -> None:
        """Keep what came of a message that was cut off; nothing is answered, the sender sends it again."""
        arrival, _ = self._arrive(payload, remote)
        verdict = Verdict("error", self.records.clock(), error_code="207", error_text=reason)
        with self.records.store.connection() as connection:
            journal.keep(connection, arrival, verdict)

    def _arrive(self, raw: bytes, remote: str) -> tuple[Arrival, Message | None]:
        try:
            message = er7.read(raw)
        except NotHl7:
            message = None
        at = self.records.clock()
        return Arrival(self.records.new_id(), raw, at, remote, header(message) if message else {}), message

    def _receive(self, raw: bytes, remote: str) -> bytes | None:
        arrival, message = self._arrive(raw, remote)
        with self.records.store.connection() as connection:
            entry = journal.enter(connection, arrival)
        if entry.status == "applied":
            return entry.ack
        case = Case(entry.id, arrival, message)
        if message is None:
            return self._close(case, [Fault("100", "E", "MSH", text="The payload has no usable MSH")])
        if is_acknowledgement(message):
            return self._finish(case, Verdict("applied", self.records.clock()))
        fault = header_fault(message, HANDLERS.keys())
        return self._apply(case, message) if fault is None else self._close(case, [fault])

    def _apply(self, case: Case, message: Message) -> bytes | None:
        def work(unit: Unit) -> bytes | None:
            entry = journal.lock(unit.session.raw, case.id)
            if entry.status != "received":
                return self._repeat(unit.session.raw, case, entry)
            return self._handle(unit, case, message)

        try:
            return self.records.unit(Caller("hl7v2", None, case.id), work)
        except MessageRefused as refused:
            return self._close(case, [fault_of(refused.warning, "E")])
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises, the sender gets an answer
            problem = errors.problem_of(exc, str(case.id))
            if problem.status >= 500:
                _log.error("message failed", message_id=str(case.id), error=problem.title(), exc_info=exc)
            told = errors.fault(problem)
            faults = [Fault(told.code, told.severity, text=told.text)]
            return self._close(case, faults, code=Code(told.ack_code), reason=problem.title())

    def _repeat(self, connection: Raw, case: Case, entry: journal.Seen) -> bytes | None:
        """Answer as the same message was answered that came at the same time, and note that it came twice."""
        journal.repeat(connection, replace(case.arrival, id=self.records.new_id()), entry)
        return entry.ack

    def _handle(self, unit: Unit, case: Case, message: Message) -> bytes | None:
        context = V2Context(unit.site.zone, unit.site.systems, message.version)
        desk = Desk(unit, context, message)
        HANDLERS[message.message_code, message.trigger_event](desk)
        for order, steps in desk.steps:
            unit.tell(order, steps)
        self._sign(unit, desk.written, case.id)
        faults = [Fault("0", "W", text=warning) for warning in message.warnings]
        if journal.reused(unit.session.raw, case.arrival):
            faults.append(
                Fault("205", "W", "MSH", 1, 10, text="The control id was used before for other content")
            )
        told = (warned for warned in desk.coverage.warned if warned.code != "0" or warned.told)
        faults += [fault_of(warned, "W") for warned in told]
        verdict = self._verdict(message, "applied", Code.AA, faults, desk.coverage)
        journal.finish(unit.session.raw, case.id, verdict)
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
        self, case: Case, faults: list[Fault], *, code: Code | None = None, reason: str | None = None
    ) -> bytes | None:
        """Refuse a message: store its acknowledgement and why, and return it."""
        answer = code or code_for(faults)
        status = "rejected" if answer is Code.AR else "error"
        return self._finish(case, self._verdict(case.message, status, answer, faults, reason=reason))

    def _finish(self, case: Case, verdict: Verdict) -> bytes | None:
        with self.records.store.connection() as connection:
            if journal.finish(connection, case.id, verdict):
                return verdict.ack
            return self._repeat(connection, case, journal.look(connection, case.id))

    def _verdict(
        self,
        message: Message | None,
        status: str,
        code: Code,
        faults: list[Fault],
        coverage: Coverage | None = None,
        reason: str | None = None,
    ) -> Verdict:
        at = self.records.clock()
        control_id = self.records.new_id().hex[-CONTROL_ID_LENGTH:]
        first = faults[0] if faults and status != "applied" else None
        return Verdict(
            status,
            at,
            code.value,
            acknowledge(message, code, faults, control_id, at),
            control_id,
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
    """Return the columns that the header fills, each cut to its width: the bytes have it whole."""
    msh = message.msh
    told = {
        "charset": message.charset,
        "message_type": msh.field(9).first.component(1),
        "trigger_event": msh.field(9).first.component(2),
        "structure": msh.field(9).first.component(3),
        "version": msh.field(12).first.component(1),
        "processing_id": msh.field(11).first.component(1),
        "control_id": message.control_id,
        "sending_app": msh.field(3).raw,
        "sending_facility": msh.field(4).raw,
        "receiving_app": msh.field(5).raw,
        "receiving_facility": msh.field(6).raw,
    }
    fitting = {name: text.replace("\0", "")[: WIDTHS[name]] or None for name, text in told.items()}
    return fitting | sent_at(msh.field(7).first.component(1))


def sent_at(text: str) -> dict[str, Any]:
    """Return MSH-7 with its bounds; nothing where it is no time stamp."""
    try:
        value = times.from_v2(text, times.UTC)
    except ValueError:
        return {}
    low, high = times.bounds(value)
    return {"message_at": value, "message_at_lo": low, "message_at_hi": high}
