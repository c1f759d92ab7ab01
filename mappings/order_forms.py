"""Orders and their reports in the words of the hospital's own applications: each field set where FHIR has it.

https://hl7.org/fhir/R4/servicerequest.html and https://hl7.org/fhir/R4/diagnosticreport.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mappings import order_workflow, orders, reports, times
from mappings.concepts import CPT
from mappings.element import Refused, sid
from mappings.inside import append_item, coding, concept, set_value, value_of
from mappings.order_workflow import set_state
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.v2types import V2_TABLE
from mappings.workflow.orders import State
from mappings.workflow.reports import next_status
from storage.model.order import OrderImaging, OrderLab

if TYPE_CHECKING:
    from datetime import datetime

    from mappings.convert import NewId
    from mappings.inside import Object
    from storage.model.columns import Row
    from storage.record import Record

Told = Mapping[str, Any]
ACCOUNTS = sid("user")
"""The identifier system of accounts: who is no practitioner is referred to by it."""
NO_CODE = {"text": "Report"}
"""DiagnosticReport.code is required; an order may have none."""
SECTIONS = {"IMAGING": ("RAD", "Radiology"), "LAB": ("LAB", "Laboratory"), "PROCEDURE": ("OTH", "Other")}
"""Order type -> the category of its report: code and display of HL7 table 0074."""


def person(account: Told) -> Object:
    """Return a Reference to who acts: the practitioner, else the account by its name."""
    shown = {"display": account["full_name"]}
    if account["practitioner"]:
        return {"reference": f"Practitioner/{account['practitioner']}", **shown}
    return {"identifier": {"system": ACCOUNTS, "value": account["username"]}, **shown}


def begin(
    record: Record, order_type: str, patient: str, visit: str, account: Told, at: datetime, new_id: NewId
) -> Row:
    """Make a new record an order of a patient (FHIR ids), and return its detail row. Raises Refused."""
    told = {
        "intent": "order",
        "subject": {"reference": f"Patient/{patient}"},
        "encounter": {"reference": f"Encounter/{visit}"},
        "requester": person(account),
        "authoredOn": times.render_instant(at),
    }
    for element, value in told.items():
        set_value(record, SERVICE_REQUEST, element, value, new_id)
    set_state(record, State("ordered"))
    return orders.set_order_type(record, order_type, new_id) or {}


def fill(record: Record, told: Told, account: Told, at: datetime, new_id: NewId) -> None:
    """Set what orders of every type have. Raises Refused."""
    set_value(record, SERVICE_REQUEST, "priority", told["priority"], new_id)
    orders.set_clinical_indication(record, told["clinical_indication"], new_id)
    orders.set_special_instructions(record, told.get("special_instructions"), new_id)
    if told.get("notes"):
        note(record, told["notes"], account, at, new_id)


def note(record: Record, text: str, account: Told, at: datetime, new_id: NewId) -> None:
    """Add a note by who acts."""
    orders.add_note(record, text, new_id, times.render_instant(at), account["full_name"])


# --- what is ordered -------------------------------------------------------------------------------------


def imaging(record: Record, row: Row, told: Told, modality: Told, part: Told, new_id: NewId) -> None:
    """Set what an imaging order asks for, of its modality and body part (rows of the reference data)."""
    orders.set_modality(record, modality["code"], modality["name"], modality["dicom_code"], new_id)
    if told.get("contrast") is not None:
        orders.set_contrast(record, told["contrast"], new_id)
    side = told.get("laterality")
    orders.set_body_part(record, part["code"], part["name"], part["sct_code"], side, new_id)
    name = f"{modality['name']} {part['name']}"
    code = told.get("procedure_code")
    set_value(
        record, SERVICE_REQUEST, "code", concept(coding(CPT, code) if code else None, text=name), new_id
    )
    row[OrderImaging.clinical_history.name] = told.get("clinical_history")


def laboratory(record: Record, row: Row, told: Told, test: Told, new_id: NewId) -> None:
    """Set what a laboratory order asks for; specimen and fasting are the test's where they are not told.

    Raises Refused for a day of collection that is no date.
    """
    orders.set_lab_test(record, test["code"], test["name"], test["loinc_code"], new_id)
    for name in ("specimen_type", "fasting_required"):
        row[name] = told[name] if told.get(name) is not None else test[name]
    row["specimen_source"], row["panel"] = told.get("specimen_source"), told.get("panel") or None
    if told.get("collection_date"):
        low, high = bounds("collection_date", told["collection_date"])
        day = (told["collection_date"], low, high)
        row.update(zip(OrderLab.collection_date.names, day, strict=True))


def procedure(record: Record, row: Row, told: Told, kind: Told, new_id: NewId) -> None:
    """Set what an order of a procedure asks for; its duration is the usual one where it is not told."""
    orders.set_procedure_code(record, kind["code"], kind["name"], new_id)
    row["procedure_kind"] = told.get("procedure_type")
    row["anesthesia_required"] = told.get("anesthesia_required")
    row["estimated_minutes"] = told.get("estimated_duration") or kind["estimated_duration"]
    instructions = told.get("pre_procedure_instructions")
    set_value(record, SERVICE_REQUEST, "patientInstruction", instructions, new_id)


def bounds(name: str, text: str) -> tuple[datetime, datetime]:
    """Return the instants [from, to) of a date in a field. Raises Refused, naming the field, where it is
    none.
    """
    try:
        return times.bounds(text)
    except ValueError:
        allowed = "a date such as 2026-03-02 or 2026-03-02T10:00:00+01:00"
        raise Refused("value", name, text, allowed) from None


# --- an order that is there ------------------------------------------------------------------------------


def book(record: Record, text: str | None) -> None:
    """Set the time that an order is booked for, None clears it. Raises Refused."""
    if text is None:
        order_workflow.clear_slot(record)
    else:
        bounds("scheduled_date", text)
        order_workflow.book(record, text)


def take_on(record: Record, account: Told, new_id: NewId) -> None:
    """Let who acts be the performer, where nobody is."""
    if not value_of(record, SERVICE_REQUEST, "performer", new_id):
        append_item(record, SERVICE_REQUEST, "performer", person(account), new_id)


def set_notes(record: Record, text: str | None, account: Told, at: datetime, new_id: NewId) -> None:
    """Let the notes read as a text: what stands there already stays with its author, what is new is added."""
    present: list[Object] = value_of(record, SERVICE_REQUEST, "note", new_id) or []
    shown = "\n".join(item["text"] for item in present)
    if text == shown or (not text and not shown):
        return
    if text and shown and text.startswith(f"{shown}\n"):
        note(record, text[len(shown) + 1 :], account, at, new_id)
        return
    set_value(record, SERVICE_REQUEST, "note", None, new_id)
    if text:
        note(record, text, account, at, new_id)


# --- a report on it --------------------------------------------------------------------------------------


def begin_report(record: Record, order: Record, new_id: NewId) -> None:
    """Make a new record the report on an order: of its patient and visit, on what was ordered."""
    copied = {
        name: value_of(order, SERVICE_REQUEST, name, new_id) for name in ("subject", "encounter", "code")
    }
    section = coding(V2_TABLE + "0074", *SECTIONS.get(order.main["order_type"], SECTIONS["PROCEDURE"]))
    performed = order.main["performed_at"]
    told = copied | {
        "basedOn": [{"reference": f"ServiceRequest/{order.resource['fhir_id']}"}],
        "code": copied["code"] or NO_CODE,
        "category": [concept(section)],
        "effectiveDateTime": performed and times.render_instant(performed),
        "imagingStudy": _study(order),
    }
    for element, value in told.items():
        if value is not None:
            set_value(record, DIAGNOSTIC_REPORT, element, value, new_id)


def _study(order: Record) -> list[Object] | None:
    uid = order.details.get(OrderImaging.table.name, {}).get("study_instance_uid")
    return [{"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}}] if uid else None


def fill_report(record: Record, told: Told, account: Told, at: datetime, new_id: NewId) -> None:
    """Set what a report says, by whom and when; one that was final is amended. Raises Refused."""
    status = record.main["status"]
    told_elements = {
        "status": next_status(status) if status else "final",
        "issued": times.render_instant(at),
        "resultsInterpreter": [person(account)],
        "conclusion": told["impression"],
    }
    for element, value in told_elements.items():
        set_value(record, DIAGNOSTIC_REPORT, element, value, new_id)
    record.main["findings"] = told["findings"]
    reports.set_report_text(record, told["report_text"], new_id)
    if told.get("result_status"):
        reports.set_result_status(record, told["result_status"], new_id)
