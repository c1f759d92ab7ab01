"""HL7v2 peers, every message in and out as bytes, and what each message wrote."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Bytes,
    Code,
    Date,
    Instant,
    Integer,
    Json,
    Key,
    Link,
    Table,
    Text,
    index,
)


class Hl7Peer(Table, name="hl7_peer", constraints=(sa.UniqueConstraint("sending_app", "sending_facility"),)):
    """A known partner; ``order_role`` is what it is: a placer sends orders, a filler performs them."""

    id = Key(primary=True)
    name = Text(80, required=True, unique=True)
    sending_app = Text(227)
    sending_facility = Text(227)
    host = Text(255)
    port = Integer()
    direction = Code("in", "out", "both", required=True)
    version = Text(8, required=True)
    charset = Text(20, required=True)
    auto_create_patients = Boolean(required=True)
    auto_create_orders = Boolean(required=True)
    ack_mode = Code("original", "enhanced", required=True)
    order_role = Code("placer", "filler", "both", required=True)
    is_active = Boolean(required=True)


class Hl7Message(
    Table,
    name="hl7_message",
    indexes=(
        index(
            "peer_id",
            "control_id",
            "sha256",
            unique=True,
            # A repeat from a sender who is nobody's peer is a repeat all the same.
            same_nulls=True,
            where="direction = 'in' AND status IN ('received', 'applied')",
            name="uq_hl7_message_in",
        ),
        index("sha256"),
        index("control_id"),
        index("received_at"),
        index("status", "received_at"),
        index("next_attempt_at", where="direction = 'out' AND status IN ('queued', 'failed')"),
        index("duplicate_of_id", where="duplicate_of_id IS NOT NULL"),
        index("reply_to_id", where="reply_to_id IS NOT NULL"),
    ),
):
    """A message: the bytes between the frame characters, stored before they are read; and what came of it."""

    id = Key(primary=True)
    direction = Code("in", "out", required=True)
    peer = Link("hl7_peer")
    remote_addr = Text(64)
    raw = Bytes(required=True)
    sha256 = Text(64, required=True)
    charset = Text(20)
    message_type = Text(7)
    trigger_event = Text(7)
    structure = Text(15)
    version = Text(8)
    processing_id = Text(3)
    control_id = Text(199)
    message_at = Date()
    sending_app = Text(227)
    sending_facility = Text(227)
    receiving_app = Text(227)
    receiving_facility = Text(227)
    status = Code(
        "received",
        "applied",
        "duplicate",
        "rejected",
        "error",
        "queued",
        "sent",
        "acked",
        "failed",
        "dead",
        required=True,
    )
    ack_code = Code("AA", "AE", "AR", "CA", "CE", "CR")
    ack_raw = Bytes()
    ack_control_id = Text(199)
    acked_at = Instant()
    error_code = Text(20)
    error_location = Text(80)
    error_text = Text()
    coverage = Json()
    reply_to = Link("hl7_message")
    duplicate_of = Link("hl7_message")
    attempts = Integer(required=True, default="0")
    next_attempt_at = Instant()
    received_at = Instant(required=True)
    finished_at = Instant()


class Hl7MessageLink(
    Table, name="hl7_message_link", indexes=(index("message_id"), index("resource_id", "version"))
):
    """What a message wrote, or was made of; ``segment_path`` is like ``ORDER[1].OBR``."""

    id = Key(primary=True)
    message = Link("hl7_message", required=True, ondelete="CASCADE")
    resource = Link("resource", required=True, ondelete="CASCADE")
    version = Integer(required=True)
    action = Code("created", "updated", "deleted", "matched", required=True)
    segment_path = Text(60, required=True)
