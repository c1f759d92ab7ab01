"""What callers of the message store send and get: entries, messages with all their fields, replays."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.mllp.replay import MOST, MOST_REHEARSED
from gateway.native.clinic_words import ID, Line, Moment, Page, Paged, Word
from gateway.native.words import Told, one_of
from mappings.messages.fates import KINDS
from storage.messages import DIRECTIONS, STATES, STATUSES

Status = Annotated[str, one_of(STATUSES)]
State = Annotated[
    str,
    one_of(tuple(STATES)),
    Meta(description="waiting: not done yet; failed: given up; open: failed and not applied since"),
]
Direction = Annotated[str, one_of(DIRECTIONS)]
Type = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,7}(\^[A-Z0-9]{1,7})?$", description="ORM, or ORM^O01")]


class Chosen(Told, forbid_unknown_fields=True, kw_only=True):
    """Which messages are meant."""

    type: Type | UnsetType = UNSET
    control_id: Line | UnsetType = UNSET
    sender: Annotated[str, Meta(max_length=227, description="MSH-3, as it is written")] | UnsetType = UNSET
    peer: Annotated[str, Meta(max_length=80, description="The name of a peer")] | UnsetType = UNSET
    patient_id: ID | UnsetType = UNSET
    date_from: Moment | UnsetType = UNSET
    date_to: Moment | UnsetType = UNSET


class MessageFilters(Paged, forbid_unknown_fields=True, kw_only=True):
    """Which messages are listed, and which page of them; the newest come first."""

    status: Status | UnsetType = UNSET
    state: State | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    control_id: Line | UnsetType = UNSET
    sender: Annotated[str, Meta(max_length=227, description="MSH-3, as it is written")] | UnsetType = UNSET
    peer: Annotated[str, Meta(max_length=80, description="The name of a peer")] | UnsetType = UNSET
    patient_id: ID | UnsetType = UNSET
    date_from: Moment | UnsetType = UNSET
    date_to: Moment | UnsetType = UNSET


class Entry(Struct, kw_only=True):
    """A message of the store, without what stands in it."""

    id: str
    direction: Direction
    status: Status
    type: Word
    version: Word
    control_id: Word
    sending_app: Word
    sending_facility: Word
    peer: Word
    remote_addr: Word
    received_at: datetime
    finished_at: datetime | None
    attempts: int
    ack_code: Word
    error_code: Word
    error_location: Word
    error_text: Word
    duplicate_of: Word
    replay_of: Word
    replayed_by: Word


class EntryPage(Page, kw_only=True):
    """A page of messages."""

    items: list[Entry]


class FieldShown(Struct, kw_only=True):
    """A field that is not empty, as it was written, what became of it, and to which elements it went."""

    place: str
    value: str
    fate: Annotated[str, one_of(KINDS)]
    elements: list[str]
    notes: list[str]


class SegmentShown(Struct, kw_only=True):
    """A segment."""

    name: str
    fields: list[FieldShown]


class Warned(Struct, kw_only=True):
    """A warning about something that a message does not have."""

    place: str
    text: str


class WrittenShown(Struct, kw_only=True):
    """What a message wrote, or was about, and which segment told so."""

    segment: str
    action: str
    resource: str
    version: int


class DifferenceShown(Struct, kw_only=True):
    """A value of a resource before and after; null: there is none."""

    path: str
    before: Any
    after: Any


class ChangeShown(Struct, kw_only=True):
    """A version of a resource, and in what it differs from the one before."""

    resource: str
    action: str
    version: int
    differences: list[DifferenceShown]


class AnswerShown(Struct, kw_only=True):
    """An acknowledgement."""

    code: Word
    control_id: Word
    at: datetime | None
    text: str


class MessageShown(Entry, kw_only=True):
    """A message, all of it; ``raw`` is its bytes in Base64."""

    charset: Word
    raw: str
    text: str
    segments: list[SegmentShown]
    missing: list[Warned]
    written: list[WrittenShown]
    changes: list[ChangeShown]
    acknowledgement: AnswerShown | None
    repeats: list[Entry]


class ReplayOne(Told, forbid_unknown_fields=True, kw_only=True):
    """Whether a replay is for show."""

    dry_run: bool = False


LIMIT = f"at most so many, the oldest first; of a dry run {MOST_REHEARSED} at most"


class ReplayMany(Chosen, forbid_unknown_fields=True, kw_only=True):
    """Which messages are replayed, the oldest first: those named, or those that filters leave.

    Of messages that leave (``direction`` out) those that are given up are sent again.
    """

    id: Annotated[list[ID], Meta(min_length=1, max_length=MOST)] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    state: State | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=MOST, description=LIMIT)] = 100
    dry_run: bool = False


class OutcomeShown(Struct, kw_only=True):
    """What came of a message, or would come of it: the entry that tells, and what it changed."""

    message: str
    done: bool
    skipped: Word
    entry: Entry
    changes: list[ChangeShown]


class ReplayReport(Struct, kw_only=True):
    """What came of a replay."""

    dry_run: bool
    total: int
    done: int
    failed: int
    skipped: int
    items: list[OutcomeShown]


REPLAYS: dict[str, Any] = {
    "what failed and was not applied since, for show": {"state": "open", "dry_run": True},
    "results of a day": {"type": "ORU^R01", "state": "open", "date_from": "2026-03-02", "limit": 500},
}
"""Replays as callers ask for them."""
