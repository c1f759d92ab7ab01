"""Orders set from inside (JSON, HL7v2): type, numbers, codes and texts, as the rows that columns follow from.

https://hl7.org/fhir/R4/servicerequest.html. None clears what a function sets. All raise Refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import CPT, LOINC, SIDES, SNOMED
from mappings.element import Refused, ext
from mappings.inside import (
    append_item,
    coded_in,
    coding,
    concept,
    set_extension,
    set_item,
    set_value,
    uncoded,
    value_of,
)
from mappings.order_facts import (
    ACCESSION_NUMBER,
    BODY_PART,
    CATEGORIES,
    CONTRAST,
    DETAIL_TABLES,
    LAB_TEST,
    LATERALITY,
    MODALITY,
    ORDER_NUMBER,
    ORDER_TYPE,
)
from mappings.resources.order_fields import DCM
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.v2types import identifier_type
from mappings.workflow.orders import STATUS_REASON
from storage.model.order import ORDER_TYPES, OrderImaging

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.inside import Object
    from storage.model.columns import Row
    from storage.record import Record


def set_order_type(record: Record, order_type: str, new_id: NewId) -> Row | None:
    """Set the type: a category, and the detail row, which is returned; those of another type are dropped."""
    if order_type not in ORDER_TYPES:
        raise Refused("code-invalid", "order_type", order_type, ", ".join(ORDER_TYPES))
    code, display = CATEGORIES.get(order_type, (None, None))
    standard = coding(SNOMED, code, display) if code else None
    made = concept(coding(ORDER_TYPE, order_type), standard)
    set_item(record, SERVICE_REQUEST, "category", coded_in(ORDER_TYPE), made, new_id)
    record.main["order_type"] = order_type
    wanted = DETAIL_TABLES.get(order_type)
    for table in DETAIL_TABLES.values():
        if table is not wanted:
            record.details.pop(table.table.name, None)
    if wanted is None:
        return None
    row = record.details.setdefault(wanted.table.name, wanted.blank())
    row["id"] = record.resource["id"]
    return row


def set_numbers(record: Record, order_number: str, accession_number: str, new_id: NewId) -> None:
    """Set our own numbers as identifiers: the filler's where a placer brought one of its own."""
    foreign = [item for item in _identifiers(record, new_id) if item.get("system") != ORDER_NUMBER]
    kind = "FILL" if any(_is_of_type(item, "PLAC") for item in foreign) else "PLAC"
    set_identifier(record, ORDER_NUMBER, order_number, kind, new_id)
    set_identifier(record, ACCESSION_NUMBER, accession_number, "ACSN", new_id)


def set_identifier(record: Record, system: str, value: str, kind: str, new_id: NewId) -> None:
    """Set the identifier of a system, with its type of HL7 table 0203 (PLAC, FILL, ACSN...)."""
    item: Object = {"type": identifier_type(kind), "system": system, "value": value}
    set_item(record, SERVICE_REQUEST, "identifier", lambda found: found.get("system") == system, item, new_id)


def _identifiers(record: Record, new_id: NewId) -> list[Object]:
    return value_of(record, SERVICE_REQUEST, "identifier", new_id) or []


def _is_of_type(item: Object, code: str) -> bool:
    return any(found.get("code") == code for found in item.get("type", {}).get("coding", ()))


def set_modality(
    record: Record, code: str | None, name: str | None, dicom_code: str | None, new_id: NewId
) -> None:
    """Set the kind of imaging: our code and name, and the modality of DICOM."""
    standard = coding(DCM, dicom_code) if dicom_code else None
    made = concept(coding(MODALITY, code, name), standard) if code else None
    set_item(record, SERVICE_REQUEST, "orderDetail", coded_in(MODALITY), made, new_id)


def set_body_part(
    record: Record,
    code: str | None,
    name: str | None,
    sct_code: str | None,
    laterality: str | None,
    new_id: NewId,
) -> None:
    """Set the body part: our code and name, the SNOMED CT code, and the side (left, right, bilateral)."""
    made = (
        concept(coding(BODY_PART, code, name), coding(SNOMED, sct_code) if sct_code else None)
        if code
        else None
    )
    if made is not None and laterality is not None:
        made["extension"] = [_side(laterality)]
    set_item(record, SERVICE_REQUEST, "bodySite", coded_in(BODY_PART), made, new_id)


def _side(laterality: str) -> Object:
    allowed = OrderImaging.laterality.values
    if laterality not in allowed:
        raise Refused("code-invalid", "laterality", laterality, ", ".join(allowed))
    return {"url": ext("laterality"), "valueCoding": coding(LATERALITY, laterality, SIDES[laterality][1])}


def set_contrast(record: Record, contrast: bool | None, new_id: NewId) -> None:
    """Set whether imaging is with contrast."""
    made = None if contrast is None else concept(coding(CONTRAST, "with" if contrast else "without"))
    set_item(record, SERVICE_REQUEST, "orderDetail", coded_in(CONTRAST), made, new_id)


def set_procedure_code(record: Record, cpt_code: str | None, name: str | None, new_id: NewId) -> None:
    """Set what is ordered by its CPT code and name (imaging, procedures); a name alone is the text."""
    made = concept(coding(CPT, cpt_code, name) if cpt_code else None, text=name)
    set_value(record, SERVICE_REQUEST, "code", made, new_id)


def set_lab_test(
    record: Record, code: str | None, name: str | None, loinc_code: str | None, new_id: NewId
) -> None:
    """Set the laboratory test that is ordered: our code and name, and the LOINC code."""
    own = coding(LAB_TEST, code, name) if code else None
    made = concept(own, coding(LOINC, loinc_code) if loinc_code else None, text=name)
    set_value(record, SERVICE_REQUEST, "code", made, new_id)


def set_clinical_indication(record: Record, text: str | None, new_id: NewId) -> None:
    """Set why it is ordered, in words."""
    set_item(record, SERVICE_REQUEST, "reasonCode", uncoded, concept(text=text) if text else None, new_id)


def set_special_instructions(record: Record, text: str | None, new_id: NewId) -> None:
    """Set what to mind, in words."""
    set_item(record, SERVICE_REQUEST, "orderDetail", uncoded, concept(text=text) if text else None, new_id)


def set_cancellation_reason(record: Record, text: str | None, new_id: NewId) -> None:
    """Set why the order was cancelled, in words."""
    item = {"valueCodeableConcept": concept(text=text)} if text else None
    set_extension(record, SERVICE_REQUEST, STATUS_REASON, item, new_id)


def add_note(
    record: Record, text: str, new_id: NewId, at: str | None = None, author: str | None = None
) -> None:
    """Add a note, with its time (a FHIR dateTime) and the name of its author where they are known."""
    item = {"authorString": author, "time": at, "text": text}
    told = {key: value for key, value in item.items() if value}
    append_item(record, SERVICE_REQUEST, "note", told, new_id)
