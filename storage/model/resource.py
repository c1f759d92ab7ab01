"""The root of every resource, its versions, and the tables whose rows hang on resources of any type."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Bytes,
    Code,
    Instant,
    Integer,
    Json,
    Key,
    Lexemes,
    Table,
    Text,
    index,
)

DOORS = ("fhir", "hl7v2", "rest", "csv", "system")
"""The interfaces through which a change can come."""


class Resource(
    Table,
    name="resource",
    constraints=(
        sa.UniqueConstraint("resource_type", "fhir_id"),
        sa.CheckConstraint("version >= 1", name="version"),
    ),
    indexes=(
        index("resource_type", "last_updated", "id", where="deleted_at IS NULL", name="ix_res"),
        index("last_updated", "id", where="deleted_at IS NULL AND version > 0", name="ix_res_all"),
        index("meta_source", where="meta_source IS NOT NULL", name="ix_res_source"),
    ),
):
    """One row per FHIR-addressable row, whatever its table: identity, version, deletion, remainder."""

    id = Key(primary=True)
    resource_type = Text(40, required=True)
    fhir_id = Text(64, required=True)
    version = Integer(required=True)
    last_updated = Instant(required=True)
    created_at = Instant(required=True)
    deleted_at = Instant()
    created_by = Key("app_user.id")
    updated_by = Key("app_user.id")
    origin = Code(*DOORS, required=True)
    meta_source = Text(255)
    language = Text(20)
    implicit_rules = Text(255)
    text_status = Code("generated", "extensions", "additional", "empty")
    text_div = Text()
    remainder = Json()
    v2_remainder = Json()


class ResourceVersion(
    Table,
    name="resource_version",
    constraints=(sa.PrimaryKeyConstraint("resource_id", "version"),),
    indexes=(index("at"),),
):
    """A snapshot of each committed version; ``content`` is the whole resource as rendered, NULL for a
    deletion.
    """

    resource_id = Key("resource.id", required=True, ondelete="CASCADE")
    version = Integer(required=True)
    op = Code("create", "update", "patch", "delete", required=True)
    at = Instant(required=True)
    origin = Code(*DOORS, required=True)
    actor_id = Key("app_user.id")
    message_id = Key("hl7_message.id")
    content = Bytes()


class SearchText(
    Table,
    name="search_text",
    indexes=(index("narrative", using="gin"), index("content", using="gin")),
):
    """The words of a resource's narrative, and of all its texts; a trigger makes them from each version."""

    id = Key("resource.id", primary=True, ondelete="CASCADE")
    narrative = Lexemes()
    content = Lexemes()


class Typed(Table):
    """[R]: the typed row of one resource; the same id."""

    id = Key("resource.id", primary=True, ondelete="CASCADE")


class Detail(Table):
    """[D]: a typed 1:1 detail of a resource (of an observation, an order); the same id."""

    is_detail = True
    id = Key("resource.id", primary=True, ondelete="CASCADE")


class Child(Table):
    """[C]: one row is one element of an array of the resource ``owner_id``, at position ``item_no``."""

    id = Key(primary=True)
    owner_id = Key("resource.id", required=True, ondelete="CASCADE")
    item_no = Integer(required=True)
    remainder = Json()


class Shared(Child):
    """A child row that may hang on any element: ``child_id`` is the row within the resource that it belongs
    to.
    """

    parent_column = "child_id"
    child_id = Key()


class ResourceMeta(
    Child,
    name="resource_meta",
    indexes=(index("kind", "system", "code", "owner_id", name="ix_meta"), index("owner_id")),
):
    """Profiles (their canonical stands in ``system``), tags and security labels."""

    element_column = "kind"
    kind = Code("profile", "tag", "security", required=True)
    system = Text(255)
    code = Text(255)
    version = Text(40)
    display = Text(255)
    user_selected = Boolean()
