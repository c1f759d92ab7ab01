"""What callers of the destinations' interface send and get: what peers are told, and what waits for them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.destination_fields import LIMITS, PROCESSING_IDS
from gateway.native.words import Told, one_of
from storage.destinations import ACCEPT_ACKS, APPLICATION_ACKS, ORDER_MESSAGES, STATUS_MESSAGES
from storage.model.order import ORDER_TYPES

Word = Annotated[str, Meta(max_length=227)]
Certificates = Annotated[str, Meta(max_length=200_000)]
OrderMessage = Annotated[str, one_of(ORDER_MESSAGES)]
StatusMessage = Annotated[str, one_of(STATUS_MESSAGES)]
OrderType = Annotated[str, one_of(ORDER_TYPES)]
ProcessingId = Annotated[str, one_of(PROCESSING_IDS)]
AcceptAck = Annotated[str, one_of(ACCEPT_ACKS)]
ApplicationAck = Annotated[str, one_of(APPLICATION_ACKS)]


def _within(name: str) -> Meta:
    least, most = LIMITS[name]
    return Meta(ge=least, le=most)


AckSeconds = Annotated[int, _within("ack_seconds")]
ApplicationSeconds = Annotated[int, _within("application_seconds")]
Pause = Annotated[int, _within("retry_seconds")]
MostPause = Annotated[int, _within("most_retry_seconds")]
Attempts = Annotated[int, _within("most_attempts")]
Ids = Annotated[list[Annotated[str, Meta(max_length=36)]], Meta(min_length=1, max_length=1000)]
State = Annotated[str, one_of(("waiting", "dead"))]


class DestinationChange(Told, forbid_unknown_fields=True, kw_only=True):
    """What a peer is told, and how; what is not told stays, null takes a setting back.

    Orders go as ``order_message``, the state of orders that it has placed as ``status_message``, reports with
    ``results``. ``accept_ack`` and ``application_ack`` are MSH-15 and MSH-16.
    """

    order_message: OrderMessage | UnsetType | None = UNSET
    order_types: list[OrderType] | UnsetType | None = UNSET
    status_message: StatusMessage | UnsetType | None = UNSET
    results: bool | UnsetType = UNSET
    own_only: bool | UnsetType = UNSET
    echo: bool | UnsetType = UNSET
    sending_app: Word | UnsetType = UNSET
    sending_facility: Word | UnsetType = UNSET
    processing_id: ProcessingId | UnsetType = UNSET
    accept_ack: AcceptAck | UnsetType | None = UNSET
    application_ack: ApplicationAck | UnsetType | None = UNSET
    ack_seconds: AckSeconds | UnsetType = UNSET
    application_seconds: ApplicationSeconds | UnsetType = UNSET
    retry_seconds: Pause | UnsetType = UNSET
    most_retry_seconds: MostPause | UnsetType = UNSET
    most_attempts: Attempts | UnsetType = UNSET
    tls: bool | UnsetType = UNSET
    tls_name: Word | UnsetType | None = UNSET
    tls_ca: Certificates | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class DestinationNew(DestinationChange, forbid_unknown_fields=True, kw_only=True):
    """A peer that is to be told something."""

    name: Word


class DestinationShown(Struct, kw_only=True):
    """What a peer is told, how, and how much waits; nothing is sent unless ``is_sent_to``."""

    name: str
    order_message: OrderMessage | None
    order_types: list[OrderType] | None
    status_message: StatusMessage | None
    results: bool
    own_only: bool
    echo: bool
    sending_app: str
    sending_facility: str
    processing_id: str
    accept_ack: AcceptAck | None
    application_ack: ApplicationAck | None
    ack_seconds: int
    application_seconds: int
    retry_seconds: int
    most_retry_seconds: int
    most_attempts: int
    tls: bool
    tls_name: str | None
    tls_ca: str | None
    is_active: bool
    is_sent_to: bool
    waiting: int
    dead: int
    waiting_since: datetime | None


class Asked(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which messages of a destination: what waits, or dead letters; oldest first."""

    state: State = "waiting"
    skip: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class Letter(Struct, kw_only=True):
    """A message that waits for a peer, or was given up."""

    id: str
    control_id: str | None
    type: str
    status: str
    attempts: int
    queued_at: datetime
    next_attempt_at: datetime | None
    finished_at: datetime | None
    ack_code: str | None
    error_text: str | None


class Named(Told, forbid_unknown_fields=True, kw_only=True):
    """Messages by id; none named: all there are."""

    id: Ids | UnsetType = UNSET


class Done(Struct, kw_only=True):
    """How many messages it was done to."""

    number: int
