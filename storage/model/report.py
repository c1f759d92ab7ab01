"""Reports on orders."""

from __future__ import annotations

from storage.model.columns import Code, Date, Link, Period, Text, index
from storage.model.resource import Typed

STATUSES = (
    "registered",
    "partial",
    "preliminary",
    "final",
    "amended",
    "corrected",
    "appended",
    "cancelled",
    "entered-in-error",
    "unknown",
)


class Report(
    Typed,
    name="report",
    indexes=(
        index("status"),
        index("patient_id", "effective_lo"),
        index("patient_id", "status"),
        index("order_id"),
        index("encounter_id"),
        index("effective_lo", "effective_hi"),
        index("issued_lo"),
        index("result_status"),
    ),
):
    """A report; its results, specimens and images are references, its files attachments."""

    order = Link("service_order")
    patient = Link("patient")
    encounter = Link("encounter")
    status = Code(*STATUSES, required=True)
    effective_kind = Code("dateTime", "Period")
    effective = Period()
    issued = Date()
    report_text = Text()
    findings = Text()
    impression = Text()
    result_status = Code("normal", "abnormal", "critical")
