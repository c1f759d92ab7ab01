"""Orders and reports without a placer's and a filler's number: known again by whose they are, what they are
and when, so that the same content, sent again, makes nothing new.

HL7 v2.5.1, sections 4.5.1.2 and 4.5.1.3 (ORC-2, ORC-3):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import v2values
from mappings.messages.moments import moment_text, wished
from mappings.messages.order import LATER, same_code, service_code
from mappings.messages.senders import OWN, came_from_sender
from mappings.order_workflow import state_of
from mappings.resources.order_fields import placer_group
from mappings.v2types import cwe, identifier_type
from mappings.workflow.orders import OPEN

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.groups import OrderPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

SENT = tuple(identifier_type(kind) for kind in ("PLAC", "FILL"))


def unnumbered_orders(desk: Desk, part: OrderPart, about: Record) -> list[Record]:
    """Return the orders of a patient without numbers that the sender sent with this code, group (ORC-4) and
    times: ordered (ORC-9), wanted (TQ1-7, OBR-6, ORC-7, OBR-27).

    Where no time is told, only one without times that is still open: what is done may be ordered anew.
    """
    code = service_code(desk, part)
    if code is None:
        return []
    listed = desk.workspace.referring("ServiceRequest", "subject", about.resource["id"])
    return [
        record
        for record in listed
        if _has_none(desk, record)
        and came_from_sender(desk, record)
        and same_code(desk.get(record, "code"), code)
        and _same_group(desk, record, part)
        and _same_times(desk, record, part)
    ]


def unnumbered_reports(desk: Desk, part: OrderPart, about: Record, code: dict[str, Any]) -> list[Record]:
    """Return the reports of a patient without numbers that have this code and time (OBR-7); where that tells
    no time of day, the same results too, issued (OBR-22) at the same time.
    """
    if part.obr is None:
        return []
    listed = desk.workspace.referring("DiagnosticReport", "subject", about.resource["id"])
    return [
        record
        for record in listed
        if _has_none(desk, record)
        and same_code(desk.get(record, "code"), code)
        and _same_report(desk, record, part, part.obr)
    ]


def _has_none(desk: Desk, record: Record) -> bool:
    listed: list[dict[str, Any]] = desk.get(record, "identifier") or []
    return not any(item.get("type") in SENT and item.get("system") not in OWN for item in listed)


def _same_group(desk: Desk, record: Record, part: OrderPart) -> bool:
    if part.orc is None or part.orc.field(4).is_empty or part.orc.field(4).is_null:
        return True
    return placer_group(part.orc.field(4).first, desk.context) == desk.get(record, "requisition")


def _same_times(desk: Desk, record: Record, part: OrderPart) -> bool:
    orc = part.orc if part.control not in LATER else None
    authored = moment_text(orc, 9, desk.context) if orc is not None else None
    wanted = wished(part, desk.context)
    period: dict[str, Any] = desk.get(record, "occurrencePeriod") or {}
    stored = desk.get(record, "authoredOn"), desk.get(record, "occurrenceDateTime") or period.get("start")
    if authored is None and wanted is None:
        return stored == (None, None) and state_of(record).name in (*OPEN, "on_hold")
    told = ((authored, stored[0]), (wanted, stored[1]))
    return all(here in (None, there) for here, there in told)


def _same_report(desk: Desk, record: Record, part: OrderPart, obr: Segment) -> bool:
    at = moment_text(obr, 7, desk.context)
    period: dict[str, Any] = desk.get(record, "effectivePeriod") or {}
    stored = desk.get(record, "effectiveDateTime") or period.get("start")
    if at is not None and at != stored:
        return False
    if at is not None and "T" in at:
        return True
    issued = moment_text(obr, 22, desk.context)
    told = issued if issued and "T" in issued else None
    return told == desk.get(record, "issued") and _same_results(desk, record, part)


def _same_results(desk: Desk, record: Record, part: OrderPart) -> bool:
    stored = desk.referred(record, "result", "Observation")
    told = [noted.segment for noted in part.observations]
    return len(stored) == len(told) and all(
        any(_same_result(desk, item, obx) for item in stored) for obx in told
    )


def _same_result(desk: Desk, record: Record, obx: Segment) -> bool:
    if not same_code(desk.get(record, "code"), cwe(obx.field(3).first, desk.context)):
        return False
    told = v2values.value(obx.field(5), obx.field(2).text, obx.field(6), desk.context)
    return told is None or told.element == "extension" or desk.get(record, told.element) == told.value
