"""What leaves for a peer: the settings of a destination. Its messages wait as rows of ``hl7_message``."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import Boolean, Code, Integer, Json, Link, Table, Text


class Hl7Destination(Table, name="hl7_destination", constraints=(sa.PrimaryKeyConstraint("peer_id"),)):
    """What a peer is told and how; where and in which version the peer itself says.

    Orders go in ``order_message`` (NULL: none), those of ``order_types`` (NULL: all). Results go with
    ``results``: with ``own_only`` those of orders that the peer itself has sent. ``status_message`` tells
    it of the state of orders that it has sent; ``echo`` of what it did itself, too. ``accept_ack`` and
    ``application_ack`` are MSH-15 and MSH-16; ``tls_ca`` are certificates (PEM) that sign the peer's.
    """

    peer = Link("hl7_peer", required=True, ondelete="CASCADE")
    order_message = Code("ORM_O01", "OML_O21")
    order_types = Json()
    results = Boolean(required=True, default="false")
    own_only = Boolean(required=True, default="true")
    sending_app = Text(227, required=True)
    sending_facility = Text(227, required=True)
    processing_id = Text(3, required=True)
    ack_seconds = Integer(required=True, default="30")
    retry_seconds = Integer(required=True, default="5")
    most_retry_seconds = Integer(required=True, default="300")
    most_attempts = Integer(required=True, default="10")
    is_active = Boolean(required=True, default="true")
    status_message = Code("ORM_O01", "OML_O21", "ORR_O02")
    echo = Boolean(required=True, default="false")
    accept_ack = Code("AL", "NE")
    application_ack = Code("AL", "NE", "ER")
    application_seconds = Integer(required=True, default="60")
    tls = Boolean(required=True, default="false")
    tls_name = Text(255)
    tls_ca = Text()
