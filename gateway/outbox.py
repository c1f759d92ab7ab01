"""Queues the messages that tell peers of a change, in the transaction that makes the change.

Orders go to those who perform them, results to those who ordered them; nobody is told what it has sent
itself. What is rolled back is never told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from gateway.destination_fields import RESULT_MESSAGE, STATE_MESSAGE
from gateway.mllp.acknowledge import CONTROL_ID_LENGTH
from mappings.element import V2Context
from mappings.outbound.control import TO_PLACER, control
from mappings.outbound.fill import Piece, Pieces
from mappings.outbound.message import (
    Built,
    Envelope,
    Replaced,
    order_message,
    result_message,
    status_message,
)
from mappings.outbound.parts import items, text
from mappings.outbound.placer import is_placed_by, same
from mappings.outbound.structure import NoStructure
from storage import destinations, outbox
from storage.destinations import Destination
from storage.outbox import Kept, Outgoing

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit
    from storage.session import Raw

_log = structlog.get_logger(__name__)

TELLING = ("ServiceRequest", "DiagnosticReport", "Observation")
"""The types whose changes somebody may have to be told of."""
KIN = (("RelatedPerson", "patient"),)
BELONGING = (*KIN, ("AllergyIntolerance", "patient"), ("Coverage", "beneficiary"))
"""What orders tell of a patient besides, which the order does not refer to; results tell of the first."""
DEPTH = 3
"""How far references are followed: from a report to its order, from there to the visit, and to its places."""


@dataclass(frozen=True)
class News:
    """What peers may have to be told: an order with its control code, or a report; and about whom it is."""

    resource_type: str
    fhir_id: str
    control: str = ""
    order_type: str | None = None
    gone: Piece | None = None
    """The order as it was before it was deleted."""

    @property
    def name(self) -> str:
        """Type and id."""
        return f"{self.resource_type}/{self.fhir_id}"


def queue(unit: Unit) -> None:
    """Queue what peers are to be told of what a unit of work has written."""
    if not any(next(iter(_drafts(unit, kind)), None) for kind in TELLING):
        return
    targets = destinations.targets(unit.session.raw)
    if not targets:
        return
    made = _messages(unit, [*_orders(unit), *_results(unit)], targets)
    if made:
        outbox.add(unit.session.raw, made, unit.new_id)


def _drafts(unit: Unit, resource_type: str) -> Iterable[Draft]:
    for key in unit.written:
        draft = unit.drafts.get(key)
        if draft is not None and draft.mapping.type == resource_type:
            yield draft


def _orders(unit: Unit) -> list[News]:
    found: list[News] = []
    for draft in _drafts(unit, "ServiceRequest"):
        head, row = draft.record.resource, draft.record.main
        deleted = head["deleted_at"] is not None
        code = control(draft.was, row, deleted=deleted)
        if code:
            gone = None
            if deleted and draft.before:
                row_before = Kept(head["id"], head["version"], draft.before, head["v2_remainder"], None)
                gone = _piece(row_before)
            found.append(News("ServiceRequest", head["fhir_id"], code, row["order_type"], gone))
    return found


def _piece(row: Kept) -> Piece:
    return Piece(outbox.decode(row.content), row.kept or {}, row.sub_id, row.id, row.version)


def _results(unit: Unit) -> list[News]:
    """Return the reports that changed, themselves or in an observation of theirs."""
    changed = {draft.record.resource["fhir_id"]: draft for draft in _drafts(unit, "DiagnosticReport")}
    observed = [draft.record.resource["id"] for draft in _drafts(unit, "Observation")]
    found = outbox.referring(unit.session.raw, "DiagnosticReport", "result", observed)
    listed = dict.fromkeys([*changed, *found])
    gone = {name for name, draft in changed.items() if draft.record.resource["deleted_at"] is not None}
    return [News("DiagnosticReport", name) for name in listed if name not in gone]


@dataclass(frozen=True)
class Letter:
    """What a destination is told of an order or a report: by which message, under which order control code;
    and which order it replaces.
    """

    news: News
    structure: str
    control: str = ""
    is_placed: bool = False
    """Whether the destination has placed the order itself."""
    replaced: News | None = None


def _messages(unit: Unit, news: list[News], targets: list[Destination]) -> list[Outgoing]:
    message = unit.author.message_id
    source = outbox.sender(unit.session.raw, message) if message else (None, None, None)
    by_name: dict[str, Piece] = {}
    made: list[Outgoing] = []
    for target in targets:
        told = [item for item in news if _may_be_told(item, target)]
        if not told or (_is_from(source, target) and not target.echo):
            continue
        by_name = by_name or gather(unit.session.raw, news)
        letters = [letter for item in told if (letter := _letter(by_name, item, target))]
        made += [_message(unit, letter, target, by_name) for letter in _paired(letters, by_name)]
    return made


def _may_be_told(item: News, target: Destination) -> bool:
    if item.resource_type == "DiagnosticReport":
        return target.results
    return bool(target.status_message or target.order_message)


def _letter(by_name: dict[str, Piece], item: News, target: Destination) -> Letter | None:
    """Return what a destination is told of, None where it is told nothing of it."""
    if item.name not in by_name:
        return None
    if item.resource_type == "DiagnosticReport":
        return Letter(item, RESULT_MESSAGE) if _is_own(by_name, item, target) else None
    types, names = target.order_types, (target.receiving_app or "", target.receiving_facility or "")
    is_placed = is_placed_by(by_name[item.name], *names)
    code = TO_PLACER[item.control] if is_placed else item.control
    if is_placed and target.status_message:
        return Letter(item, target.status_message, code, is_placed)
    is_wanted = target.order_message and (types is None or item.order_type in types)
    return Letter(item, target.order_message or "", code, is_placed) if is_wanted else None


def _paired(letters: list[Letter], by_name: dict[str, Piece]) -> list[Letter]:
    """Return letters with those brought together of which one tells of a new order and one of that in whose
    place it stands (RP and RO of table 0119).
    """
    ended = {letter.news.name: letter for letter in letters if letter.news.control == "CA"}
    found: list[Letter] = []
    for letter in letters:
        listed = items(by_name[letter.news.name].resource, "replaces") if letter.news.control == "NW" else []
        names = (text(item, "reference") for item in listed)
        old = next((ended.pop(name) for name in names if name in ended), None)
        found.append(replace(letter, control=TO_PLACER["RO"], replaced=old.news) if old else letter)
    return [letter for letter in found if letter.news.control != "CA" or letter.news.name in ended]


def _is_from(source: tuple[UUID | None, str | None, str | None], target: Destination) -> bool:
    """Tell whether a change came from the peer itself, to which it is never echoed."""
    peer, application, facility = source
    if application is None and facility is None:
        return peer == target.peer_id
    named = bool(target.receiving_app or target.receiving_facility)
    told = same(application or "", target.receiving_app or "") and same(
        facility or "", target.receiving_facility or ""
    )
    return peer == target.peer_id or (named and told)


def _is_own(by_name: dict[str, Piece], item: News, target: Destination) -> bool:
    """Tell whether a result is of an order of the peer, where it is told of no others; orders always are."""
    if item.resource_type != "DiagnosticReport" or not target.own_only:
        return True
    based_on = items(by_name[item.name].resource, "basedOn")
    orders = Pieces(by_name, V2Context(None)).all(based_on, "ServiceRequest")
    names = target.receiving_app or "", target.receiving_facility or ""
    return any(is_placed_by(order, *names) for order in orders)


def gather(connection: Raw, news: Iterable[News]) -> dict[str, Piece]:
    """Return all resources that messages about some may tell of, by type and id: what they refer to, what
    that refers to, and so on.
    """
    listed = list(news)
    found = {item.name: item.gone for item in listed if item.gone is not None}
    wanted = {(item.resource_type, item.fhir_id) for item in listed if item.gone is None}
    wanted |= {name for piece in found.values() for name in _references(piece.resource)}
    for _ in range(DEPTH):
        fresh: list[Piece] = []
        for row in outbox.gather(connection, wanted):
            fresh.append(piece := _piece(row))
            found[piece.name] = piece
        wanted = {name for piece in fresh for name in _references(piece.resource)}
        wanted = {(kind, name) for kind, name in wanted if f"{kind}/{name}" not in found}
        if not wanted:
            break
    patients = [name.partition("/")[2] for name in found if name.startswith("Patient/")]
    paths = BELONGING if any(item.resource_type == "ServiceRequest" for item in listed) else KIN
    others = [_piece(row) for row in outbox.belonging(connection, patients, paths)]
    found |= {piece.name: piece for piece in others}
    wanted = {name for piece in others for name in _references(piece.resource) if "/".join(name) not in found}
    if wanted:
        found |= {piece.name: piece for piece in map(_piece, outbox.gather(connection, wanted))}
    return found


def _references(value: Any) -> Iterable[tuple[str, str]]:
    """Yield type and id of the local references in a value."""
    if isinstance(value, dict):
        literal = value.get("reference")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(literal, str) and "://" not in literal and "/" in literal and literal[0] != "#":
            kind, name = literal.split("/")[:2]
            yield kind, name
        for part in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _references(part)


def _message(unit: Unit, letter: Letter, target: Destination, by_name: dict[str, Piece]) -> Outgoing:
    """Build one message; what cannot be built is kept as a dead letter, and the change stands."""
    item, number = letter.news, ""
    if letter.structure == STATE_MESSAGE:
        number = _number_of_placer(unit, by_name[item.name]) or ""
        letter = letter if number else replace(letter, structure="ORM_O01")
    key = unit.new_id()
    envelope = Envelope(
        (target.sending_app, target.sending_facility),
        (target.receiving_app or "", target.receiving_facility or ""),
        key.hex[-CONTROL_ID_LENGTH:],
        unit.author.at,
        target.version,
        target.charset,
        target.processing_id,
        _acks(letter, target),
    )
    systems = {**unit.site.systems, **(target.authorities or {})}
    house = target.sending_app.partition("^")[0]
    pieces = Pieces(by_name, V2Context(unit.site.zone, systems, target.version, house))
    about = by_name[item.name]
    raw, fault = b"", None
    try:
        built = build(envelope, letter, pieces, number)
        raw, fault = built.encoded(target.charset), "; ".join(built.faults) or None
    except NoStructure as none:
        fault = str(none)
    except UnicodeEncodeError:
        fault = f"the message cannot be written in {target.charset}"
    except Exception as exc:  # noqa: BLE001 - a change is never refused for what cannot be told of it
        fault = f"the message could not be built ({type(exc).__name__})"
    if fault:
        _log.error("message not sent", peer=target.name, message_id=str(key), reason=fault)
    lane = text(about.resource, "subject", "reference") or item.name
    of = (about.key, about.version) if about.key else None
    header = _header(envelope, letter.structure)
    return Outgoing(key, target.peer_id, raw, unit.author.at, lane, header, of, fault)


def _acks(letter: Letter, target: Destination) -> tuple[str, str]:
    """Return MSH-15 and MSH-16: what came of an answer nobody tells."""
    application = "NE" if letter.structure == STATE_MESSAGE else target.application_ack
    return target.accept_ack or "", application or ""


def _number_of_placer(unit: Unit, order: Piece) -> str | None:
    """Return MSH-10 of the last message by which an order was placed or changed."""
    return outbox.number_of(unit.session.raw, order.key) if order.key else None


def build(envelope: Envelope, letter: Letter, pieces: Pieces, number: str = "") -> Built:
    """Return the message that tells of an order or a report; ``number`` is that which a state refers to.

    Raises NoStructure.
    """
    about = pieces.by_name[letter.news.name]
    if letter.structure == RESULT_MESSAGE:
        return result_message(envelope, about, pieces)
    replaced = None
    if letter.replaced is not None:
        code = TO_PLACER["RP"] if letter.is_placed else "RP"
        replaced = Replaced(pieces.by_name[letter.replaced.name], code)
    if letter.structure == STATE_MESSAGE:
        return status_message(envelope, about, letter.control, number, pieces, replaced)
    return order_message(envelope, letter.structure, about, letter.control, pieces, replaced)


def _header(envelope: Envelope, name: str) -> dict[str, Any]:
    """Return the columns that the header fills."""
    code, _, event = name.partition("_")
    return {
        "charset": envelope.charset[:20],
        "message_type": code,
        "trigger_event": event,
        "structure": name,
        "version": envelope.version,
        "processing_id": envelope.processing_id,
        "control_id": envelope.control_id,
        "sending_app": envelope.sender[0],
        "sending_facility": envelope.sender[1],
        "receiving_app": envelope.receiver[0],
        "receiving_facility": envelope.receiver[1],
    }
