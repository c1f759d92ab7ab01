"""The store of HL7v2 messages: listed, counted, shown with each field's fate, and replayed."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from gateway import errors
from gateway.mllp import replay, shown
from gateway.mllp.counts import Reconciliation, reconcile
from gateway.native.message_forms import (
    REPLAYS,
    AnswerShown,
    ChangeShown,
    Chosen,
    DifferenceShown,
    Entry,
    EntryPage,
    FieldShown,
    MessageFilters,
    MessageShown,
    OutcomeShown,
    ReplayMany,
    ReplayOne,
    ReplayReport,
    SegmentShown,
    Warned,
    WrittenShown,
)
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from storage import messages

if TYPE_CHECKING:
    from gateway.mllp.replay import Changed, Outcome
    from gateway.mllp.shown import Shown
    from gateway.records import Caller, Records
    from mappings.messages.fates import Fate
    from storage.messages import Row

_COPIED = (
    *("direction", "status", "version", "control_id", "sending_app", "sending_facility", "peer"),
    *("remote_addr", "received_at", "finished_at", "attempts", "ack_code", "error_code", "error_location"),
    *("error_text", "replayed_by"),
)


@get("/", opt=call(query=MessageFilters, answer=EntryPage))
async def list_messages(request: Ask) -> Response[bytes]:
    """List messages, the newest first, by status, type, sender, patient and days of reception."""
    asked = query(request, MessageFilters)
    return answer(await asyncio.to_thread(_list, records_of(request), caller_of(request), asked))


@get("/count", opt=call(query=Chosen, answer=Reconciliation))
async def count_messages(request: Ask) -> Response[bytes]:
    """Count what came from peers by what became of it: what was received is all accounted for."""
    records = records_of(request)
    asked = shown.filters_of(query(request, Chosen).told(), records.site.zone)
    return answer(await asyncio.to_thread(reconcile, records, asked))


@get("/{message_id:str}", opt=call(answer=MessageShown))
async def get_message(request: Ask, message_id: FromPath[str]) -> Response[bytes]:
    """Return a message with the fate of each field, what it wrote, and what was answered."""
    key = key_of(message_id)
    found = await asyncio.to_thread(shown.show, records_of(request), caller_of(request), key)
    return answer(whole(found))


@post(
    "/replay", status_code=200, opt=call(body=ReplayMany, answer=ReplayReport, status=200, examples=REPLAYS)
)
async def replay_messages(request: Ask) -> Response[bytes]:
    """Apply messages once more, in the order in which they came; or show what that would change."""
    sent = form(await request.body(), ReplayMany)
    return answer(await asyncio.to_thread(_replay_many, request, sent))


@post("/{message_id:str}/replay", status_code=200, opt=call(body=ReplayOne, answer=OutcomeShown, status=200))
async def replay_message(request: Ask, message_id: FromPath[str]) -> Response[bytes]:
    """Apply a message once more, or show what that would change."""
    sent, key = form(await request.body(), ReplayOne), key_of(message_id)
    (outcome,) = await asyncio.to_thread(_replay, request, [key], dry_run=sent.dry_run)
    if outcome.skipped is not None:
        raise errors.Conflict(outcome.skipped, expression="id")
    return answer(told_of(outcome))


def key_of(text: str) -> UUID:
    """Return the id of a message. Raises NotFound."""
    try:
        return UUID(text)
    except ValueError:
        raise errors.NotFound("There is no such message.", expression="id") from None


def _list(records: Records, caller: Caller, asked: MessageFilters) -> EntryPage:
    filters = shown.filters_of(asked.filters(), records.site.zone)
    records.looks.note(caller, "Patient" if "patient_id" in filters else None)
    with records.store.connection() as connection:
        rows, total = messages.page(connection, filters, asked.skip, asked.page_size)
    return EntryPage(**asked.around([entry(row) for row in rows], total))


def _replay_many(request: Ask, sent: ReplayMany) -> ReplayReport:
    told, records = sent.told(), records_of(request)
    limit, dry_run = told.pop("limit"), told.pop("dry_run")
    if not told:
        raise errors.Required("Name messages by id, or by filters such as state.", expression="id")
    filters = shown.filters_of(told, records.site.zone)
    if "id" in filters:
        filters["id"] = [key_of(text) for text in filters["id"]]
    most = min(limit, replay.MOST_REHEARSED) if dry_run else limit
    keys = replay.choose(records, filters, most)
    _see_all_are_there(filters, keys)
    outcomes = _replay(request, keys, dry_run=dry_run)
    return report(outcomes, dry_run=dry_run)


def _see_all_are_there(filters: dict[str, Any], keys: Sequence[UUID]) -> None:
    """See that all messages that are named alone were found. Raises NotFound."""
    if filters.keys() == {"id"} and set(filters["id"]) - set(keys):
        raise errors.NotFound(
            "Not all of these are messages, or they are more than the limit.", expression="id"
        )


def _replay(request: Ask, keys: Sequence[UUID], *, dry_run: bool) -> list[Outcome]:
    only_known = request.app.state.settings.mllp_only_known_peers
    records, caller = records_of(request), caller_of(request)
    return replay.replay(records, caller, keys, dry_run=dry_run, only_known=only_known)


def entry(row: Row) -> Entry:
    """Return a row of the store as an entry."""
    named = {"duplicate_of": row["duplicate_of_id"], "replay_of": row["replay_of_id"]}
    links: dict[str, Any] = {name: str(key) if key else None for name, key in named.items()}
    copied = {name: row[name] for name in _COPIED}
    return Entry(id=str(row["id"]), type=shown.type_of(row), **copied, **links)


def whole(found: Shown) -> MessageShown:
    """Return all of a message."""
    row, head = found.row, entry(found.row)
    return MessageShown(
        **{name: getattr(head, name) for name in Entry.__struct_fields__},
        charset=row["charset"],
        raw=b64encode(row["raw"]).decode(),
        text=found.text,
        segments=[
            SegmentShown(name=name, fields=[_field(fate) for fate in fates]) for name, fates in found.segments
        ],
        missing=[Warned(place=place, text=text) for place, text in found.elsewhere],
        written=[_written(link) for link in found.written],
        changes=[change(made) for made in found.changes],
        acknowledgement=_acknowledgement(found),
        repeats=[entry(each) for each in found.repeats],
    )


def _field(fate: Fate) -> FieldShown:
    return FieldShown(
        place=fate.place,
        value=fate.text,
        fate=fate.kind,
        elements=list(fate.elements),
        notes=list(fate.notes),
    )


def _written(link: Row) -> WrittenShown:
    return WrittenShown(
        segment=link["segment_path"],
        action=link["action"],
        resource=f"{link['resource_type']}/{link['fhir_id']}",
        version=link["version"],
    )


def _acknowledgement(found: Shown) -> AnswerShown | None:
    if found.answer is None:
        return None
    row = found.row
    return AnswerShown(
        code=row["ack_code"], control_id=row["ack_control_id"], at=row["acked_at"], text=found.answer
    )


def change(made: Changed) -> ChangeShown:
    """Return a version that a message made."""
    listed = [
        DifferenceShown(path=each.path, before=each.before, after=each.after) for each in made.differences
    ]
    return ChangeShown(resource=made.resource, action=made.action, version=made.version, differences=listed)


def told_of(outcome: Outcome) -> OutcomeShown:
    """Return what came of a message that was to be replayed."""
    return OutcomeShown(
        message=str(outcome.message_id),
        done=outcome.is_done,
        skipped=outcome.skipped,
        entry=entry(outcome.entry),
        changes=[change(made) for made in outcome.changes],
    )


def report(outcomes: Sequence[Outcome], *, dry_run: bool) -> ReplayReport:
    """Return what came of a replay."""
    done = sum(outcome.is_done for outcome in outcomes)
    skipped = sum(outcome.skipped is not None for outcome in outcomes)
    failed = len(outcomes) - done - skipped
    told: dict[str, Any] = {"total": len(outcomes), "done": done, "failed": failed, "skipped": skipped}
    return ReplayReport(dry_run=dry_run, items=[told_of(outcome) for outcome in outcomes], **told)


ROUTES = (list_messages, count_messages, get_message, replay_messages, replay_message)
