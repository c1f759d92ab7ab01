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
    """A known partner; ``order_role`` is what it is: a placer sends orders, a filler performs them.

    It is known by what of ``sending_app``, ``sending_facility``, ``addresses`` (networks) and ``certificate``
    (common name, or SHA-256 in hex) is told. Lists that are NULL take whatever the gateway takes.
    """

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
    addresses = Json()
    certificate = Text(255)
    message_types = Json()
    versions = Json()
    processing_ids = Json()
    authorities = Json()
    """Assigning authority -> identifier system, an object."""
    strictness = Code("lenient", "warn", "strict", required=True, default="lenient")
    strict_ids = Boolean(required=True, default="false")
    accession_field = Text(20)
    study_field = Text(20)
    order_replies = Boolean(required=True, default="false")
    batch_replies = Boolean(required=True, default="false")


class Hl7Message(
    Table,
    name="hl7_message",
    indexes=(
        index(
            "control_id",
            "sha256",
            unique=True,
            # The bytes name the sender: a repeat is one too when peers were told anew in the meantime.
            same_nulls=True,
            # What is applied once more on purpose names what it repeats.
            where="direction = 'in' AND status IN ('received', 'applied') AND duplicate_of_id IS NULL",
            name="uq_hl7_message_in",
        ),
        index("sha256"),
        index("control_id"),
        index("received_at"),
        index("peer_id", "received_at"),
        index("status", "received_at"),
        index("next_attempt_at", where="direction = 'out' AND status IN ('queued', 'failed')"),
        index(
            "peer_id", "id", where="direction = 'out' AND finished_at IS NULL", name="ix_hl7_message_outbox"
        ),
        index(
            *("peer_id", "lane", "id"),
            where="direction = 'out' AND finished_at IS NULL",
            name="ix_hl7_message_lane",
        ),
        index("peer_id", "id", where="direction = 'out' AND status = 'sent'", name="ix_hl7_message_sent"),
        index("duplicate_of_id", where="duplicate_of_id IS NOT NULL"),
        index("reply_to_id", where="reply_to_id IS NOT NULL"),
        index("replay_of_id", where="replay_of_id IS NOT NULL"),
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
    accept_raw = Bytes()
    """The accept acknowledgement (CA) of enhanced mode, given before the message was applied."""
    replay_of = Link("hl7_message")
    """The message that was replayed; one that was applied before stands in ``duplicate_of`` too."""
    replayed_by = Text(255)
    lane = Text()
    """Of messages that leave: those of one lane (a patient) leave in the order in which they were queued."""


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
