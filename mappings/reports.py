"""Reports set from inside (JSON, HL7v2): text, result and the order that they report on.

https://hl7.org/fhir/R4/diagnosticreport.html. None clears what a function sets. All raise Refused.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from mappings.element import Refused
from mappings.inside import set_item
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from mappings.workflow.reports import INTERPRETATION, RESULT_STATUS, RESULTS, conclusion_code

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.inside import Object
    from storage.record import Record


def set_report_text(record: Record, text: str | None, new_id: NewId) -> None:
    """Set the text of the report: a presented form of plain text, in UTF-8."""
    data = None if text is None else base64.b64encode(text.encode()).decode()
    item = None if data is None else {"contentType": "text/plain", "data": data}
    set_item(record, DIAGNOSTIC_REPORT, "presentedForm", _is_plain, item, new_id)


def _is_plain(item: Object) -> bool:
    return str(item.get("contentType", "")).partition(";")[0].strip().lower() == "text/plain"


def set_result_status(record: Record, result: str | None, new_id: NewId) -> None:
    """Set the result (normal, abnormal, critical), as a code of the conclusion."""
    if result is not None and result not in RESULTS:
        raise Refused("code-invalid", "result_status", result, ", ".join(RESULTS))
    item = None if result is None else conclusion_code(result)
    set_item(record, DIAGNOSTIC_REPORT, "conclusionCode", _tells_result, item, new_id)


def _tells_result(item: Object) -> bool:
    systems = {coding.get("system") for coding in item.get("coding", ())}
    return bool(systems & {RESULT_STATUS, INTERPRETATION})
