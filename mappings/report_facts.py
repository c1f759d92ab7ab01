"""What a report's rows say of it: its text, and whether its result is normal, abnormal or critical.

https://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import codings
from mappings.workflow.reports import result_status
from storage.model.shared import Attachment

if TYPE_CHECKING:
    from storage.record import Record


def set_report_text(record: Record) -> None:
    """Set the text of the report: the first presented form that is plain text."""
    forms = record.rows(Attachment, None, "presentedForm")
    found = next((row["data"] for row in forms if row["data"] and _is_plain(row["content_type"])), None)
    record.main["report_text"] = None if found is None else plain_text(found)


def _is_plain(content_type: str | None) -> bool:
    return (content_type or "").partition(";")[0].strip().lower() == "text/plain"


def plain_text(data: bytes) -> str:
    """Return the text of bytes: UTF-8, else windows-1252; without NUL, which no text column can hold."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return text.replace("\0", "")


def set_result_status(record: Record) -> None:
    """Set the worst result that the codes of the conclusion tell."""
    found = [(row["system"], row["code"]) for row in codings(record, "conclusionCode") if row["code"]]
    record.main["result_status"] = result_status(found)
