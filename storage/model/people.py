"""People who work here, their accounts, organizations and places."""

from __future__ import annotations

from uuid import UUID

from storage.model.columns import Boolean, Code, Date, Decimal, Instant, Json, Key, Link, Table, Text, index
from storage.model.patient import GENDERS
from storage.model.resource import Typed

ROLES = (
    "viewer",
    "researcher",
    "orderer",
    "nurse",
    "scheduler",
    "or_coordinator",
    "technologist",
    "reporter",
    "admin",
    "system",
)

SYSTEM_USER_ID = UUID("00000000-0000-7000-8000-000000000001")
"""The account under which the gateway, its peers and its jobs write; installed by the first migration."""


class Practitioner(Typed, name="practitioner", indexes=(index("gender"),)):
    """A practitioner; names, identifiers, telecom and addresses hang on it."""

    active = Boolean()
    gender = Code(*GENDERS)
    birth_date = Date()
    display_name = Text(255)
    specialty_text = Text(120)


class AppUser(Table, name="app_user"):
    """An account: identity and role. There is no password: tokens are verified here, not issued."""

    id = Key(primary=True)
    practitioner = Link("practitioner", unique=True, later=True)
    username = Text(80, required=True, unique=True)
    full_name = Text(255, required=True)
    role = Code(*ROLES, required=True)
    auth_subject = Text(255, unique=True)
    is_active = Boolean(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    last_seen_at = Instant()


class Organization(Typed, name="organization", indexes=(index("part_of_id"),)):
    """An organization; its types are concepts."""

    active = Boolean()
    name = Text(255)
    alias = Json()
    part_of = Link("organization")


class Location(
    Typed,
    name="location",
    indexes=(index("status"), index("part_of_id"), index("latitude", "longitude")),
):
    """A place; by ``pl_key`` (facility^building^floor^point of care^room^bed) messages find it."""

    status = Code("active", "suspended", "inactive")
    name = Text(255)
    alias = Json()
    description = Text()
    mode = Code("instance", "kind")
    latitude = Decimal()
    longitude = Decimal()
    altitude = Decimal()
    managing_organization = Link("organization")
    part_of = Link("location")
    pl_key = Text(120, unique=True)
