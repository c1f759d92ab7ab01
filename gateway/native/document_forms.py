"""What callers of the documents' interface send and get: what there is and where, never the file."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway.native.clinic_words import ID, Line, Moment, Page, Paged, Stamped, Word
from gateway.native.words import Told, one_of
from mappings.documents import LEVELS
from storage.model.document import KINDS
from storage.model.people import ROLES

Kind = Annotated[str, one_of(KINDS)]
Roles = Annotated[list[Annotated[str, one_of(ROLES)]], Meta(min_length=1)]


class DocumentNew(Told, forbid_unknown_fields=True, kw_only=True):
    """A document; who may know of a restricted one (R, V) is told by ``allowed_roles``, which without being
    told are the caller's role and administrators.
    """

    document_type: Kind
    title: Line
    document_date: Moment | UnsetType | None = UNSET
    author: Line | UnsetType | None = UNSET
    url: Annotated[str, Meta(min_length=1, max_length=2000)] | UnsetType | None = UNSET
    content_type: (
        Annotated[str, Meta(max_length=100, pattern=r"^[^\s/;]+/[^\s/;]+(; ?[^\s;]+)*$")] | UnsetType | None
    ) = UNSET
    size: Annotated[int, Meta(ge=0, le=2**31 - 1, description="in bytes")] | UnsetType | None = UNSET
    confidentiality: Annotated[str, one_of(tuple(LEVELS))] | UnsetType = UNSET
    allowed_roles: Roles | UnsetType | None = UNSET
    encounter_id: ID | UnsetType | None = UNSET


class Document(Stamped, kw_only=True):
    """A document."""

    patient_id: Word
    encounter_id: Word
    document_type: Kind
    title: Word
    document_date: Word
    author: Word
    url: Word
    content_type: Word
    size: int | None
    confidentiality: str
    allowed_roles: list[str] | None
    status: str


class DocumentPage(Page, kw_only=True):
    """A page of the documents of a patient that the caller may know of, newest first."""

    items: list[Document]


class DocumentFilters(Paged, forbid_unknown_fields=True, kw_only=True):
    """By what the documents of a patient are narrowed."""

    document_type: Kind | UnsetType = UNSET


DOCUMENTS: dict[str, Any] = {
    "an operative note": {
        "document_type": "operative_note",
        "title": "Total hip arthroplasty, left",
        "document_date": "2025-01-20",
        "author": "Ada Okafor",
        "url": "https://documents.example.org/notes/4711.pdf",
        "content_type": "application/pdf",
        "size": 48213,
        "confidentiality": "N",
    },
    "for psychiatry alone": {
        "document_type": "consult",
        "title": "Psychiatric consultation",
        "confidentiality": "R",
        "allowed_roles": ["orderer", "admin"],
    },
}
"""Documents as callers send them."""
