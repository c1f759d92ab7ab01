"""What callers of the peers' interface send and get: who sends HL7v2, and what each is taken at."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.native.words import Told, one_of
from storage.peers import ACK_MODES, DIRECTIONS, ORDER_ROLES, STRICTNESS

Word = Annotated[str, Meta(max_length=255)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]
Words = Annotated[list[Word], Meta(max_length=200)]
Direction = Annotated[str, one_of(DIRECTIONS)]
AckMode = Annotated[str, one_of(ACK_MODES)]
OrderRole = Annotated[str, one_of(ORDER_ROLES)]
Strictness = Annotated[str, one_of(STRICTNESS)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class PeerChange(Told, forbid_unknown_fields=True, kw_only=True):
    """What is told of a peer; what is not told stays, null takes a field back.

    It is known by what of ``sending_app`` (MSH-3), ``sending_facility`` (MSH-4), ``addresses`` and
    ``certificate`` (common name or SHA-256) is told. A list that is null takes whatever the gateway takes.
    """

    sending_app: Word | UnsetType | None = UNSET
    sending_facility: Word | UnsetType | None = UNSET
    addresses: Words | UnsetType | None = UNSET
    certificate: Word | UnsetType | None = UNSET
    direction: Direction | UnsetType = UNSET
    host: Word | UnsetType | None = UNSET
    port: Port | UnsetType | None = UNSET
    message_types: Words | UnsetType | None = UNSET
    versions: Words | UnsetType | None = UNSET
    processing_ids: Words | UnsetType | None = UNSET
    version: Word | UnsetType = UNSET
    charset: Word | UnsetType = UNSET
    ack_mode: AckMode | UnsetType = UNSET
    strictness: Strictness | UnsetType = UNSET
    order_role: OrderRole | UnsetType = UNSET
    authorities: dict[Word, Word] | UnsetType | None = UNSET
    accession_field: Word | UnsetType | None = UNSET
    study_field: Word | UnsetType | None = UNSET
    auto_create_patients: bool | UnsetType = UNSET
    auto_create_orders: bool | UnsetType = UNSET
    strict_ids: bool | UnsetType = UNSET
    order_replies: bool | UnsetType = UNSET
    batch_replies: bool | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class PeerNew(PeerChange, forbid_unknown_fields=True, kw_only=True):
    """A new peer; what is not told is as for a sender who is not known."""

    name: Name


class PeerShown(Struct, kw_only=True):
    """A peer. ``authorities`` are its assigning authorities and the identifier systems they stand for."""

    name: str
    sending_app: str | None
    sending_facility: str | None
    addresses: list[str] | None
    certificate: str | None
    direction: Direction
    host: str | None
    port: int | None
    message_types: list[str] | None
    versions: list[str] | None
    processing_ids: list[str] | None
    version: str
    charset: str
    ack_mode: AckMode
    strictness: Strictness
    order_role: OrderRole
    authorities: dict[str, str] | None
    accession_field: str | None
    study_field: str | None
    auto_create_patients: bool
    auto_create_orders: bool
    strict_ids: bool
    order_replies: bool
    batch_replies: bool
    is_active: bool


PEERS: dict[str, Any] = {
    "a sender of orders": {
        "name": "ward-orders",
        "sending_app": "ORDERS",
        "sending_facility": "WARD",
        "addresses": ["10.1.0.0/16"],
        "message_types": ["ORM^O01", "ORU"],
        "strictness": "warn",
        "authorities": {"WARD": "http://ward.example.org/mrn"},
        "accession_field": "OBR-18",
    },
}
"""Peers as callers send them."""
