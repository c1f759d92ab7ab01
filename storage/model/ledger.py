"""The audit trail, resources without tables of their own, number counters, imports, the gateway's secrets."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import Boolean, Bytes, Code, Instant, Integer, Json, Key, Link, Table, Text, index
from storage.model.resource import DOORS, Typed


class AuditEvent(
    Table,
    name="audit_event",
    indexes=(index("at"), index("patient_id", "at"), index("actor_id", "at"), index("resource_id", "at")),
):
    """Who did what, when, with what outcome; never any values. A trigger refuses UPDATE and DELETE."""

    id = Key(primary=True)
    at = Instant(required=True)
    actor = Link("app_user")
    actor_text = Text(255)
    role = Text(20)
    client_addr = Text(64)
    interface = Code(*DOORS, required=True)
    action = Code("C", "R", "U", "D", "E", required=True)
    resource_type = Text(40)
    # No foreign keys: the trail outlives what it speaks of.
    resource_id = Key()
    patient_id = Key()
    query = Text()
    outcome = Code("0", "4", "8", "12", required=True)
    http_status = Integer()
    message = Link("hl7_message")
    detail = Json()


class OtherResource(Typed, name="other_resource"):
    """A resource of a type without tables, kept whole; identifiers, codes, references, dates and quantities
    in other tables are copies for search.
    """

    content = Json(required=True)


class NumberCounter(Table, name="number_counter", constraints=(sa.PrimaryKeyConstraint("kind", "year"),)):
    """The last number given out: accession (ACC), order (ORD) or visit (VIS) numbers of a year."""

    kind = Code("ACC", "ORD", "VIS", required=True)
    year = Integer(required=True)
    last_value = Integer(required=True)


class ImportBatch(Table, name="import_batch", indexes=(index("started_at"),)):
    """One import; ``errors`` lists row, field and message."""

    id = Key(primary=True)
    kind = Code("csv", "json", required=True)
    filename = Text(255)
    sha256 = Text(64)
    validate_only = Boolean(required=True)
    skip_duplicates = Boolean(required=True)
    total = Integer(required=True)
    created = Integer(required=True)
    skipped = Integer(required=True)
    failed = Integer(required=True)
    errors = Json()
    actor = Link("app_user")
    started_at = Instant(required=True)
    finished_at = Instant()


class SiteSetting(Table, name="site_setting", constraints=(sa.PrimaryKeyConstraint("name"),)):
    """A secret of the gateway that all its processes share, such as the key that signs cursors."""

    name = Text(80, required=True)
    value = Bytes(required=True)
