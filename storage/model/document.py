"""Documents: what there is and where; the files themselves stay where they are."""

from __future__ import annotations

from storage.model.columns import Code, Date, Json, Link, Period, Text, index
from storage.model.resource import Child, Typed

KINDS = (
    "imaging",
    "lab_report",
    "operative_note",
    "consent",
    "discharge_summary",
    "history_physical",
    "progress_note",
    "consult",
    "pathology",
    "correspondence",
    "other",
)


class Document(
    Typed,
    name="document",
    indexes=(
        index("status"),
        index("context_period_lo"),
        index("patient_id", "date_lo"),
        index("patient_id", "status"),
        index("patient_id", "context_period_lo"),
        index("date_lo"),
    ),
):
    """A document; ``allowed_roles`` lists the roles that may read it, NULL being all."""

    patient = Link("patient")
    status = Code("current", "superseded", "entered-in-error", required=True)
    doc_status = Code("preliminary", "final", "amended", "entered-in-error")
    document_kind = Code(*KINDS)
    date = Date()
    description = Text()
    authenticator = Link("resource")
    custodian = Link("organization")
    allowed_roles = Json()
    context_period = Period()


class DocumentContent(Child, name="document_content", indexes=(index("owner_id"),)):
    """One form of the document; the format is a concept, the file an attachment."""


class DocumentRelation(Child, name="document_relation", indexes=(index("owner_id"),)):
    """What the document does to another one."""

    code = Code("replaces", "transforms", "signs", "appends", required=True)
    target = Link("resource")
