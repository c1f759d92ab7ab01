"""What callers of the bulk interface send and get."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from gateway.native.patient_forms import PATIENTS, PatientNew
from gateway.native.words import Told, one_of

MOST_AT_ONCE = 1000
"""Patients of one JSON body at most."""
STATUSES = ("created", "skipped", "failed")


class BulkNew(Struct, forbid_unknown_fields=True):
    """Patients to be made."""

    patients: Annotated[list[dict[str, Any]], Meta(max_length=MOST_AT_ONCE)]
    skip_duplicates: bool = False


_MANY_NEW: Any = Annotated[list[PatientNew], Meta(max_length=MOST_AT_ONCE)]
BulkDescribed: Any = defstruct(
    "BulkDescribed", [("patients", _MANY_NEW), ("skip_duplicates", bool, False)], module=__name__
)
"""As BulkNew, with the fields of a patient. Each is looked at by itself, whatever is wrong with others."""


class BulkOptions(Told, forbid_unknown_fields=True):
    """How a file is taken, where the form does not tell."""

    validate_only: Annotated[bool, Meta(description="look only, write nothing")] = False
    skip_duplicates: Annotated[bool, Meta(description="pass over rows whose MRN is in use")] = False


class BulkUpload(Struct):
    """A sheet of patients, as a form."""

    file: Annotated[str, Meta(extra_json_schema={"contentMediaType": "text/csv"})]
    validate_only: bool | UnsetType = UNSET
    skip_duplicates: bool | UnsetType = UNSET


class RowError(Struct):
    """What is wrong with a field of a row; "" is the row as a whole."""

    row: int
    field: str
    message: str


class RowResult(Struct):
    """What became of a row; ``id`` is the patient's who has the MRN."""

    row: int
    status: Annotated[str, one_of(STATUSES)]
    mrn: str | None
    id: str | None


class Import(Struct):
    """What became of an import: how many rows, and how many of them were created, skipped, failed."""

    id: str
    validate_only: bool
    skip_duplicates: bool
    total: int
    created: int
    valid: int
    skipped: int
    failed: int
    errors: list[RowError]
    unlisted_errors: int


class BulkResult(Import):
    """As an import, with what became of each row."""

    results: list[RowResult]


class SheetImport(Import):
    """As an import, with how the file was read."""

    encoding: str
    delimiter: str


class PastImport(Struct):
    """An import as it is, or was when it broke off: ``finished_at`` is null for one that has not ended."""

    id: str
    kind: Annotated[str, one_of(("csv", "json"))]
    filename: str | None
    sha256: str | None
    validate_only: bool
    skip_duplicates: bool
    total: int
    created: int
    skipped: int
    failed: int
    by: str
    started_at: str
    finished_at: str | None


class PastImportErrors(PastImport):
    """As an import that is listed, with what was wrong."""

    errors: list[RowError] | None


class PastImports(Struct):
    """The newest imports."""

    items: list[PastImport]


class Template(Told, forbid_unknown_fields=True):
    """What a template shows."""

    example: Annotated[bool, Meta(description="with a row that shows a value of each field")] = False


MANY: dict[str, Any] = {"one": {"patients": [PATIENTS["the least"]], "skip_duplicates": True}}
"""Patients as callers send them together."""
