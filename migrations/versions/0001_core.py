"""Accounts, messages, the root of all resources, shared datatypes, versions and the audit trail."""

from __future__ import annotations

from alembic import op

from migrations.words import (
    check,
    child,
    code,
    day,
    drop,
    flag,
    folded,
    hanging,
    index,
    instant,
    integer,
    json,
    key,
    link,
    octets,
    period,
    primary,
    resource_key,
    table,
    text,
    unique,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


APPEND_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""
TRIGGER = """
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    create_app_user()
    create_hl7_peer()
    create_hl7_message()
    create_resource()
    create_resource_version()
    create_resource_meta()
    create_other_resource()
    create_hl7_message_link()
    create_identifier()
    create_person_name()
    create_contact_point()
    create_postal_address()
    create_concept()
    create_coding()
    create_reference()
    create_annotation()
    create_attachment()
    create_search_string()
    create_ledger()
    op.execute(APPEND_ONLY)
    op.execute(TRIGGER)


def downgrade() -> None:
    drop(
        "site_setting",
        "import_batch",
        "number_counter",
        "audit_event",
        "search_string",
        "attachment",
        "annotation",
        "reference",
        "coding",
        "concept",
        "postal_address",
        "contact_point",
        "person_name",
        "identifier",
        "hl7_message_link",
        "other_resource",
        "resource_meta",
        "resource_version",
        "resource",
        "hl7_message",
        "hl7_peer",
        "app_user",
    )
    op.execute("DROP FUNCTION refuse_change()")


def create_app_user() -> None:
    """An account."""
    table(
        "app_user",
        key("id", is_primary=True),
        key("practitioner_id"),
        text("username", "full_name", required=True),
        code(
            "role",
            "viewer researcher orderer nurse scheduler or_coordinator technologist reporter admin system",
            required=True,
        ),
        text("auth_subject"),
        flag("is_active", required=True),
        instant("created_at", "updated_at", required=True),
        instant("last_seen_at"),
        unique("practitioner_id"),
        unique("username"),
        unique("auth_subject"),
    )


def create_hl7_peer() -> None:
    """A known partner."""
    table(
        "hl7_peer",
        key("id", is_primary=True),
        text("name", required=True),
        text("sending_app", "sending_facility", "host"),
        integer("port"),
        code("direction", "in out both", required=True),
        text("version", "charset", required=True),
        flag("auto_create_patients", "auto_create_orders", required=True),
        code("ack_mode", "original enhanced", required=True),
        code("order_role", "placer filler both", required=True),
        flag("is_active", required=True),
        unique("name"),
        unique("sending_app", "sending_facility"),
    )


def create_hl7_message() -> None:
    """A message."""
    table(
        "hl7_message",
        key("id", is_primary=True),
        code("direction", "in out", required=True),
        link(peer="hl7_peer"),
        text("remote_addr"),
        octets("raw", required=True),
        text("sha256", required=True),
        text("charset", "message_type", "trigger_event", "structure", "version", "processing_id"),
        text("control_id"),
        day("message_at"),
        text("sending_app", "sending_facility", "receiving_app", "receiving_facility"),
        code(
            "status", "received applied duplicate rejected error queued sent acked failed dead", required=True
        ),
        code("ack_code", "AA AE AR CA CE CR"),
        octets("ack_raw"),
        text("ack_control_id"),
        instant("acked_at"),
        text("error_code", "error_location", "error_text"),
        json("coverage"),
        link(reply_to="hl7_message", duplicate_of="hl7_message"),
        integer("attempts", required=True, default="0"),
        instant("next_attempt_at"),
        instant("received_at", required=True),
        instant("finished_at"),
        index(
            "peer_id",
            "control_id",
            "sha256",
            unique=True,
            where="direction = 'in' AND status IN ('received', 'applied')",
            name="uq_hl7_message_in",
            same_nulls=True,
        ),
        index("sha256"),
        index("control_id"),
        index("status", "received_at"),
        index("reply_to_id", where="reply_to_id IS NOT NULL"),
        index("duplicate_of_id", where="duplicate_of_id IS NOT NULL"),
        index("next_attempt_at", where="direction = 'out' AND status IN ('queued', 'failed')"),
        index("received_at"),
    )


def create_resource() -> None:
    """One row per FHIR-addressable row, whatever its table."""
    table(
        "resource",
        key("id", is_primary=True),
        text("resource_type", "fhir_id", required=True),
        integer("version", required=True),
        instant("last_updated", "created_at", required=True),
        instant("deleted_at"),
        key("created_by", "app_user.id"),
        key("updated_by", "app_user.id"),
        code("origin", "fhir hl7v2 rest csv system", required=True),
        text("meta_source", "language", "implicit_rules"),
        code("text_status", "generated extensions additional empty"),
        text("text_div"),
        json("remainder", "v2_remainder"),
        unique("resource_type", "fhir_id"),
        check("version", "version >= 1"),
        index("resource_type", "last_updated", "id", where="deleted_at IS NULL", name="ix_res"),
    )


def create_resource_version() -> None:
    """A snapshot of each committed version."""
    table(
        "resource_version",
        key("resource_id", "resource.id", required=True, ondelete="CASCADE"),
        integer("version", required=True),
        code("op", "create update patch delete", required=True),
        instant("at", required=True),
        code("origin", "fhir hl7v2 rest csv system", required=True),
        key("actor_id", "app_user.id"),
        key("message_id", "hl7_message.id"),
        octets("content"),
        primary("resource_id", "version"),
        index("at"),
    )


def create_resource_meta() -> None:
    """Profiles (their canonical stands in ``system``), tags and security labels."""
    table(
        "resource_meta",
        child(),
        code("kind", "profile tag security", required=True),
        text("system", "code", "version", "display"),
        flag("user_selected"),
        index("owner_id"),
        index("kind", "system", "code", "owner_id", name="ix_meta"),
    )


def create_other_resource() -> None:
    """A resource of a type without tables, kept whole."""
    table(
        "other_resource",
        resource_key(),
        json("content", required=True),
    )


def create_hl7_message_link() -> None:
    """What a message wrote, or was made of."""
    table(
        "hl7_message_link",
        key("id", is_primary=True),
        key("message_id", "hl7_message.id", required=True, ondelete="CASCADE", at_commit=True),
        key("resource_id", "resource.id", required=True, ondelete="CASCADE", at_commit=True),
        integer("version", required=True),
        code("action", "created updated deleted matched", required=True),
        text("segment_path", required=True),
        index("message_id"),
        index("resource_id", "version"),
    )


def create_identifier() -> None:
    """Identifier."""
    table(
        "identifier",
        hanging(),
        text("element", required=True),
        code("use", "usual official temp secondary old"),
        text("system", "value"),
        period("period"),
        flag("is_unique", required=True, default="false"),
        text("resource_type", required=True),
        index("owner_id"),
        index("value", "system", "owner_id", name="ix_ident"),
        index("resource_type", "system", "value", unique=True, where="is_unique", name="uq_identifier"),
    )


def create_person_name() -> None:
    """HumanName."""
    table(
        "person_name",
        hanging(),
        text("element", required=True),
        code("use", "usual official temp nickname anonymous old maiden"),
        text("text", "family"),
        json("given", "prefix", "suffix"),
        period("period"),
        index("owner_id"),
    )


def create_contact_point() -> None:
    """ContactPoint."""
    table(
        "contact_point",
        hanging(),
        text("element", required=True),
        code("system", "phone fax pager email url sms other"),
        text("value"),
        folded("value_norm"),
        code("use", "home work temp old mobile"),
        integer("rank"),
        period("period"),
        index("owner_id"),
        index("system", "value_norm", "owner_id", name="ix_telecom"),
    )


def create_postal_address() -> None:
    """Address."""
    table(
        "postal_address",
        hanging(),
        text("element", required=True),
        code("use", "home work temp old billing"),
        code("type", "postal physical both"),
        text("text"),
        json("lines"),
        text("city", "district", "state", "postal_code", "country"),
        period("period"),
        index("owner_id", "use"),
        index("use", "owner_id"),
    )


def create_concept() -> None:
    """One CodeableConcept (or Coding)."""
    table(
        "concept",
        hanging(),
        text("element", required=True),
        text("text"),
        folded("text_norm"),
        index("owner_id"),
        index("element", "text_norm", name="ix_concept_text"),
    )


def create_coding() -> None:
    """One Coding of a concept."""
    table(
        "coding",
        child(),
        key("concept_id", "concept.id", required=True, ondelete="CASCADE"),
        key("patient_id"),
        text("element", required=True),
        text("system", "version", "code", "display"),
        folded("display_norm"),
        flag("user_selected"),
        index("owner_id"),
        index("concept_id"),
        index("patient_id", "element", "code", "system", "owner_id", name="ix_coding_pat"),
        index("element", "code", "system", "owner_id", name="ix_coding_tok"),
    )


def create_reference() -> None:
    """Reference, as written."""
    table(
        "reference",
        hanging(),
        text("path", required=True),
        key("target_id", "resource.id"),
        text("target_type", "target_fhir_id", "literal", "ident_system", "ident_value", "display"),
        index("owner_id"),
        index("path", "target_fhir_id", "target_type", "owner_id", name="ix_ref_fwd"),
        index("path", "ident_value", "ident_system", "owner_id", name="ix_ref_ident"),
        index("target_id", "path", "owner_id", name="ix_ref_rev"),
        index("target_type", "target_fhir_id", where="target_id IS NULL", name="ix_ref_open"),
    )


def create_annotation() -> None:
    """Annotation."""
    table(
        "annotation",
        hanging(),
        text("element", "text", required=True),
        text("author_text"),
        day("authored"),
        index("owner_id"),
    )


def create_attachment() -> None:
    """Attachment, with its data where it is small and inline."""
    table(
        "attachment",
        hanging(),
        text("element", required=True),
        text("content_type", "language", "url", "title"),
        integer("size"),
        text("hash"),
        day("creation"),
        octets("data"),
        index("owner_id"),
    )


def create_search_string() -> None:
    """One searchable part of a string."""
    table(
        "search_string",
        hanging(),
        text("param", required=True),
        text("value"),
        folded("norm"),
        text("phon"),
        index("owner_id"),
        index("param", "norm", "owner_id", name="ix_str"),
        index("param", "phon", name="ix_str_phon"),
    )


def create_ledger() -> None:
    """The audit trail, counters, imports and secrets."""
    table(
        "audit_event",
        key("id", is_primary=True),
        instant("at", required=True),
        link(actor="app_user"),
        text("actor_text", "role", "client_addr"),
        code("interface", "fhir hl7v2 rest csv system", required=True),
        code("action", "C R U D E", required=True),
        text("resource_type"),
        key("resource_id"),
        key("patient_id"),
        text("query"),
        code("outcome", "0 4 8 12", required=True),
        integer("http_status"),
        link(message="hl7_message"),
        json("detail"),
        index("at"),
        index("actor_id", "at"),
        index("resource_id", "at"),
        index("patient_id", "at"),
    )
    table(
        "number_counter",
        code("kind", "ACC ORD VIS", required=True),
        integer("year", "last_value", required=True),
        primary("kind", "year"),
    )
    table(
        "import_batch",
        key("id", is_primary=True),
        code("kind", "csv json", required=True),
        text("filename", "sha256"),
        flag("validate_only", "skip_duplicates", required=True),
        integer("total", "created", "skipped", "failed", required=True),
        json("errors"),
        link(actor="app_user"),
        instant("started_at", required=True),
        instant("finished_at"),
        index("started_at"),
    )
    table(
        "site_setting",
        text("name", required=True),
        octets("value", required=True),
        primary("name"),
    )
