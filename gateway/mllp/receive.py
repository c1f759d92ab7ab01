"""One message from its bytes to its acknowledgement: journal, read, apply, commit, answer.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from gateway import errors
from gateway.mllp import afterwards, late
from gateway.mllp.acknowledge import (
    CONTROL_ID_LENGTH,
    Code,
    Fault,
    acknowledge,
    code_for,
    is_acknowledgement,
)
from gateway.mllp.batch_reply import answer_batch, is_batch
from gateway.mllp.modes import ORIGINAL, Mode, mode_of, mode_warnings
from gateway.mllp.peers import NOBODY, Peers
from gateway.mllp.senders import STRICT, Findings, look_closely, served
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import er7, times
from mappings.element import V2Context
from mappings.er7 import Message, NotHl7, UnsupportedCharset
from mappings.messages.handlers import HANDLERS
from mappings.messages.order_reply import Reply, refusal_of, reply_of
from mappings.messages.workspace import Coverage, Desk, MessageRefused, Warned, Written
from storage import journal
from storage.journal import Arrival, Verdict
from storage.model.columns import Row
from storage.model.hl7 import Hl7Message, Hl7MessageLink
from storage.peers import STRANGER, Peer
from storage.session import Raw

_log = structlog.get_logger(__name__)

TOO_LONG = "the message is longer than this listener takes"
NO_HEADER = Fault("100", "E", "MSH", text="The payload has no usable MSH")
NO_ROOM = "the listener has too many bytes of messages in hand: send it again later"
WIDTHS = {column.name: getattr(column.type, "length", None) for column in Hl7Message.table.columns}


Give = Callable[[bytes], None]


def never() -> bool:
    """Return that a connection is not gone."""
    return False


@dataclass(frozen=True)
class Case:
    """A message in hand: its entry in the journal, how it arrived, what was read (None without an MSH), from
    whom (None is nobody whose messages are taken), how it is answered, what was odd about its batch.
    """

    id: UUID
    arrival: Arrival
    message: Message | None
    peer: Peer | None = STRANGER
    mode: Mode = ORIGINAL
    notes: tuple[str, ...] = ()


class Receiver:
    """Applies messages to the records; one call per frame, each in a thread."""

    def __init__(self, records: Records, *, only_known: bool = False) -> None:
        self.records = records
        self.peers = Peers(records.store)
        self.only_known = only_known

    def receive(
        self,
        payload: bytes,
        remote: str,
        certificate: frozenset[str] = NOBODY,
        at_once: Give | None = None,
        is_gone: Callable[[], bool] = never,
    ) -> list[bytes]:
        """Return the acknowledgements of a frame's messages, in order; what is answered AA is committed.

        A frame usually holds one message, a batch several. `at_once` gets each answer that is due before its
        message is applied (CA); without it they are returned with the others. What is due after that and
        finds the connection gone (``is_gone``) is queued for a peer that is sent to. Nothing is raised for
        what a sender did; a database that cannot be reached raises, since then nothing may be answered.
        """
        parts = er7.split_batch(payload) or [payload]
        notes = tuple(er7.batch_warnings(payload)) if len(parts) > 1 or is_batch(payload) else ()
        first = self.arrive(parts[0], remote, certificate)
        wrapped = first.peer is not None and first.peer.batch_replies and is_batch(payload)
        answers: list[list[bytes]] = []
        for number, part in enumerate(parts, 1):
            case = first if number == 1 else self.arrive(part, remote, certificate)
            case = replace(case, notes=notes) if number == len(parts) else case
            told: list[bytes] = []
            give = told.append if wrapped or at_once is None else at_once
            answer = self._receive(case, give, never if wrapped else is_gone)
            answers.append([*told, answer] if answer else told)
        if wrapped and any(answers):
            return [answer_batch(payload, answers, self._control_id, self.records.clock())]
        return [answer for told in answers for answer in told]

    def refuse(
        self, head: bytes, remote: str, certificate: frozenset[str] = NOBODY, reason: str = TOO_LONG
    ) -> list[bytes]:
        """Keep the head of a message that is too long, and return what is answered to it: AE 207."""
        case = self.arrive(head, remote, certificate)
        code = case.mode.refusal(Code.AE)
        verdict = self._verdict(case, "error", code, [Fault("207", text=reason)], reason=reason)
        with self.records.store.connection() as connection:
            journal.keep(connection, case.arrival, verdict)
        return [verdict.ack] if verdict.ack else []

    def keep(self, payload: bytes, remote: str, reason: str, certificate: frozenset[str] = NOBODY) -> None:
        """Keep what came of a message that was cut off; nothing is answered, the sender sends it again."""
        case = self.arrive(payload, remote, certificate)
        verdict = Verdict("error", self.records.clock(), error_code="207", error_text=reason)
        with self.records.store.connection() as connection:
            journal.keep(connection, case.arrival, verdict)

    def arrive(
        self, raw: bytes, remote: str, certificate: frozenset[str] = NOBODY, known: Peer | None = None
    ) -> Case:
        """Return a message as it arrives, from a ``known`` peer or the one it tells of; nothing is stored."""
        message = _read(raw)
        peer = known or self.peers.of(message, remote, certificate)
        if peer is not None and peer is not STRANGER and message is not None:
            message = _read_again(message, peer)
        told = header(message) if message else {}
        if peer is not None and peer is not STRANGER:
            told["peer_id"] = peer.id
        elif self.only_known:
            peer = None
        arrival = Arrival(self.records.new_id(), raw, self.records.clock(), remote, told)
        return Case(arrival.id, arrival, message, peer, mode_of(message, peer.ack_mode if peer else ""))

    def _receive(self, case: Case, give: Give, is_gone: Callable[[], bool]) -> bytes | None:
        message = case.message
        reply = message is not None and is_acknowledgement(message)
        fault = None if reply else served(message, case.peer, HANDLERS.keys())
        if message is None or fault is not None:
            return self._refuse(case, fault or NO_HEADER)
        if not reply and case.mode.accepts(success=True):
            taken = acknowledge(message, Code.CA, [], self._control_id(), self.records.clock())
            case.arrival.header["accept_raw"] = taken
        with self.records.store.connection() as connection:
            entry = journal.enter(connection, case.arrival)
        case = replace(case, id=entry.id)
        if accepted := entry.accept or case.arrival.header.get("accept_raw"):
            give(accepted)
        answer = entry.ack if entry.status == "applied" else self._settle(case, None)
        if answer and accepted and is_gone() and self._post(case, answer):
            return None
        return answer

    def _refuse(self, case: Case, fault: Fault) -> bytes | None:
        """Refuse a message by its header. It never waits in the journal: the same bytes may come at the same
        time from somebody whose messages are taken.
        """
        verdict = self._turned_away(case, fault)
        with self.records.store.connection() as connection:
            journal.keep(connection, case.arrival, verdict, is_whole=True)
        return verdict.ack

    def _post(self, case: Case, answer: bytes) -> bool:
        """Queue the second answer for a peer whose connection is gone; False where it is not sent to."""
        told, peer = _read(answer), case.peer
        if peer is None or peer is STRANGER or told is None:
            return False
        return afterwards.post(self.records, peer.id, answer, header(told))

    def replay(self, case: Case) -> None:
        """Apply or refuse a message whose entry waits, as if it came now. Raises as ``receive``."""
        reply = case.message is not None and is_acknowledgement(case.message)
        answer = self._settle(case, None if reply else served(case.message, case.peer, HANDLERS.keys()))
        if answer and case.mode.accepts(success=True):
            self._post(case, answer)

    def _settle(self, case: Case, fault: Fault | None) -> bytes | None:
        """Apply a message that is in the journal, or refuse it by its header."""
        if case.message is not None and is_acknowledgement(case.message):
            self._settle_late(case)
            return self._finish(case, Verdict("applied", self.records.clock()))
        if case.message is None or fault is not None:
            return self._finish(case, self._turned_away(case, fault or NO_HEADER))
        return self._apply(case, case.message)

    def _settle_late(self, case: Case) -> None:
        """Note what a peer tells of a message that it was sent and had taken."""
        if case.peer is not None and case.peer is not STRANGER:
            with self.records.store.connection() as connection:
                late.settle(connection, case.peer.id, case.arrival.raw, self.records.clock())

    def _turned_away(self, case: Case, fault: Fault) -> Verdict:
        """Return what comes of a message that is not taken at all."""
        code = code_for([fault])
        return self._verdict(case, _status(code), case.mode.refusal(code), [fault])

    def _apply(self, case: Case, message: Message) -> bytes | None:
        def work(unit: Unit) -> bytes | None:
            entry, reused = journal.lock(unit.session.raw, case.id, case.arrival)
            if entry.status != "received":
                return self._repeat(unit.session.raw, case, entry)
            return self._handle(unit, case, message, reused=reused)

        try:
            return self.records.unit(Caller("hl7v2", None, case.id), work)
        except MessageRefused as refused:
            reply = _refusal(case, message, refused.warning)
            return self._close(case, [fault_of(refused.warning, "E")], reply=reply)
        except Findings as found:
            return self._close(case, found.faults, reply=_refusal(case, message))
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises, the sender gets an answer
            problem = errors.problem_of(exc, str(case.id))
            away = isinstance(problem, errors.Unavailable)
            if problem.status >= 500 and not away:
                _log.error("message failed", message_id=str(case.id), error=problem.title(), exc_info=exc)
            told = errors.fault(problem)
            faults = [Fault(told.code, told.severity, text=told.text)]
            answer = self._close(case, faults, code=Code(told.ack_code), reason=problem.title())
            if away:
                # A database that is gone altogether ends the connection, which is told of.
                _log.error("message failed", message_id=str(case.id), error=problem.title())
            return answer

    def _repeat(self, connection: Raw, case: Case, entry: journal.Seen) -> bytes | None:
        """Answer as the same message was answered that came at the same time, and note that it came twice."""
        journal.repeat(connection, replace(case.arrival, id=self.records.new_id()), entry)
        return entry.ack

    def _handle(self, unit: Unit, case: Case, message: Message, *, reused: bool) -> bytes | None:
        peer = case.peer or STRANGER
        systems = unit.site.systems if not peer.authorities else {**unit.site.systems, **peer.authorities}
        desk = Desk(unit, V2Context(unit.site.zone, systems, message.version), message, peer=peer)
        HANDLERS[message.message_code, message.trigger_event](desk)
        for order, steps in desk.steps:
            unit.tell(order, steps)
        links = self._sign(unit, desk.written, case.id)
        faults = [Fault("0", "W", text=warning) for warning in message.warnings]
        faults += mode_warnings(message)
        if reused:
            faults.append(_reused(peer))
        look_closely(message, peer, desk.coverage)
        told = (warned for warned in desk.coverage.warned if warned.code != "0" or warned.told)
        faults += [fault_of(warned, "W") for warned in told]
        if peer.strictness == STRICT:
            Findings.see(faults)
        reply = reply_of(desk) if peer.order_replies else None
        answer = _if(Code.AA, case.mode.applies(success=True))
        verdict = self._verdict(case, "applied", answer, faults, desk.coverage, reply=reply)
        journal.finish(unit.session.raw, case.id, verdict, links)
        return verdict.ack

    def _sign(self, unit: Unit, written: Sequence[Written], message_id: UUID) -> list[Row]:
        """Say in each record that the message wrote it, write it, and return the links between both."""
        for item in written:
            if item.action != "matched":
                item.record.resource["meta_source"] = f"urn:uuid:{message_id}"
        made = unit.flush()
        links: list[Row] = []
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
            links.append(row)
        return links

    def _close(
        self,
        case: Case,
        faults: list[Fault],
        *,
        code: Code | None = None,
        reason: str | None = None,
        reply: Reply | None = None,
    ) -> bytes | None:
        """Refuse a message: store its acknowledgement and why, and return it."""
        answer = code or code_for(faults)
        told = _if(answer, case.mode.applies(success=False))
        verdict = self._verdict(case, _status(answer), told, faults, reason=reason, reply=reply)
        return self._finish(case, verdict)

    def _finish(self, case: Case, verdict: Verdict) -> bytes | None:
        with self.records.store.connection() as connection:
            if journal.finish(connection, case.id, verdict):
                return verdict.ack
            return self._repeat(connection, case, journal.look(connection, case.id))

    def _control_id(self) -> str:
        return self.records.new_id().hex[-CONTROL_ID_LENGTH:]

    def _verdict(
        self,
        case: Case,
        status: str,
        code: Code | None,
        faults: list[Fault],
        coverage: Coverage | None = None,
        reason: str | None = None,
        reply: Reply | None = None,
    ) -> Verdict:
        """Return what came of a message, with its acknowledgement; without one if there is no code."""
        at, control_id = self.records.clock(), self._control_id()
        first = faults[0] if faults and status != "applied" else None
        faults = [*faults, *(Fault("0", "W", text=note) for note in case.notes)]
        ack = acknowledge(case.message, code, faults, control_id, at, reply=reply) if code else None
        return Verdict(
            status,
            at,
            code.value if code else None,
            ack,
            control_id if code else None,
            first and first.code,
            location(first) if first else None,
            reason or (first and first.text),
            coverage.as_json() if coverage else None,
        )


def _read(raw: bytes, charset: str | None = None) -> Message | None:
    try:
        return er7.read(raw, charset)
    except UnsupportedCharset:
        return _read_anyway(raw)
    except NotHl7:
        return None


def _read_anyway(raw: bytes) -> Message | None:
    """Read a message whose MSH-18 names what it cannot be (UTF-16), so that it is refused by its own name."""
    try:
        return er7.read(raw, labelled=False)
    except NotHl7:
        return None


def _read_again(message: Message, peer: Peer) -> Message:
    """Read a message that does not say in which character set it is in that of its peer."""
    if message.raw.isascii() or message.msh.field(18):
        return message
    return _read(message.raw, peer.charset) or message


def _refusal(case: Case, message: Message, cause: Warned | None = None) -> Reply | None:
    """Return the order response to a message that was refused, for a peer that asks for one."""
    return refusal_of(message, cause) if case.peer is not None and case.peer.order_replies else None


def _status(code: Code) -> str:
    return "rejected" if code is Code.AR else "error"


def _if(code: Code, wanted: bool) -> Code | None:
    return code if wanted else None


def _reused(peer: Peer) -> Fault:
    """Return the warning for a control id that was used before; raise it where the peer's are strict."""
    fault = Fault("205", "W", "MSH", 1, 10, text="The control id was used before for other content")
    if peer.strict_ids:
        raise Findings([replace(fault, severity="E")])
    return fault


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
