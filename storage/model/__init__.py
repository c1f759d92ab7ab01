"""The tables, one file per area; importing this package defines them all."""

from __future__ import annotations

from storage.model import (
    clinical,
    diagnosis,
    document,
    encounter,
    hl7,
    jobs,
    ledger,
    observation,
    order,
    outbox,
    patient,
    people,
    procedure,
    reference_data,
    report,
    research,
    resource,
    shared,
    specimen,
)
from storage.model.columns import BY_TABLE, METADATA, Row, Table

__all__ = [
    "BY_TABLE",
    "METADATA",
    "Row",
    "Table",
    "clinical",
    "diagnosis",
    "document",
    "encounter",
    "hl7",
    "jobs",
    "ledger",
    "observation",
    "order",
    "outbox",
    "patient",
    "people",
    "procedure",
    "reference_data",
    "report",
    "research",
    "resource",
    "shared",
    "specimen",
]
