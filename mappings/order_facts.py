"""What an order's rows say of it: its type, numbers, texts and details, as columns for those who analyse.

https://hl7.org/fhir/R4/servicerequest.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.concepts import CPT, SNOMED, code_of, codings, name_of, text_without_code
from mappings.element import cs, sid
from mappings.projections import has_type
from mappings.v2types import V2_TABLE
from storage.model.order import ORDER_TYPES, OrderImaging, OrderLab, OrderProcedure
from storage.model.shared import Concept, Identifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mappings.element import Value
    from storage.model.columns import Table
    from storage.record import Record

ORDER_NUMBER = sid("order-number")
ACCESSION_NUMBER = sid("accession-number")
ORDER_TYPE = cs("order-type")
MODALITY = cs("imaging-modality")
BODY_PART = cs("body-part")
CONTRAST = cs("contrast")
LATERALITY = cs("laterality")
LAB_TEST = cs("lab-test")
SECTION = V2_TABLE + "0074"

CATEGORIES = {
    "IMAGING": ("363679005", "Imaging"),
    "LAB": ("108252007", "Laboratory procedure"),
    "PROCEDURE": ("387713003", "Surgical procedure"),
}
"""Order type -> the SNOMED CT category that is set for it, and its display."""
SECTIONS = {"LAB": "LAB", "RAD": "IMAGING"}
"""Diagnostic service section (table 0074) -> the order type of which it says no more."""
_CATEGORY_TYPES = {code: kind for kind, (code, _) in CATEGORIES.items()} | {"103693007": "PROCEDURE"}
_SECTION_TYPES = {
    **dict.fromkeys(("RAD", "RX", "CT", "NMR", "NMS", "RUS", "OUS", "VUS", "CUS", "XRC", "MRI"), "IMAGING"),
    **dict.fromkeys(
        (
            "LAB",
            "CH",
            "HM",
            "MB",
            "BG",
            "BLB",
            "CP",
            "GE",
            "IMM",
            "MCB",
            "MYC",
            "OSL",
            "SP",
            "SR",
            "TX",
            "VR",
        ),
        "LAB",
    ),
    **dict.fromkeys(("CTH", "PHY"), "PROCEDURE"),
}
"""HL7 table 0074 (diagnostic service section) -> order type."""
DETAIL_TABLES: dict[str, type[Table]] = {
    "IMAGING": OrderImaging,
    "LAB": OrderLab,
    "PROCEDURE": OrderProcedure,
}

Pairs = list[tuple[str | None, str]]


def classify(categories: Pairs, codes: Pairs) -> str:
    """Return the order type that (system, code) pairs tell: those of the category first, then the code."""
    lists = (
        (code for system, code in categories if system == ORDER_TYPE and code in ORDER_TYPES),
        (_CATEGORY_TYPES.get(code) for system, code in categories if system == SNOMED),
        (_SECTION_TYPES.get(code.upper()) for system, code in categories if system == SECTION),
        (_type_of_code(system, code) for system, code in codes),
    )
    return next((kind for found in lists for kind in found if kind), "OTHER")


def _type_of_code(system: str | None, code: str) -> str | None:
    if system == CPT and len(code) == 5:
        return {"7": "IMAGING", "8": "LAB"}.get(code[0])
    return "LAB" if system == LAB_TEST else None


def details(resource: dict[str, Value]) -> tuple[type[Table], ...]:
    """Return the detail table that an order has, from the ServiceRequest as received."""
    kind = classify(list(_pairs(resource.get("category"))), list(_pairs([resource.get("code") or {}])))
    return (DETAIL_TABLES[kind],) if kind in DETAIL_TABLES else ()


def _pairs(concepts: list[Any] | None) -> Iterable[tuple[str | None, str]]:
    listed: list[dict[str, Any]] = concepts or []
    for concept in listed:
        found: list[dict[str, Any]] = concept.get("coding", [])
        for coding in found:
            if isinstance(coding.get("code"), str):
                yield coding.get("system"), coding["code"]


def set_order_type(record: Record) -> None:
    """Set the order type, and see to it that the order has its detail row."""
    pairs = {
        element: [(row["system"], row["code"]) for row in codings(record, element) if row["code"]]
        for element in ("category", "code")
    }
    kind = record.main["order_type"] = classify(pairs["category"], pairs["code"])
    table = DETAIL_TABLES.get(kind)
    if table is not None and table.table.name not in record.details:
        row = record.details[table.table.name] = table.blank()
        row["id"] = record.resource["id"]


def set_numbers(record: Record) -> None:
    """Set our own numbers, and the number of another system: the first, a placer's before others."""
    identifiers = [row for row in record.rows(Identifier, None, "identifier") if row["value"]]
    for column, system in (("order_number", ORDER_NUMBER), ("accession_number", ACCESSION_NUMBER)):
        record.main[column] = next((row["value"] for row in identifiers if row["system"] == system), None)
    foreign = [row for row in identifiers if row["system"] not in (ORDER_NUMBER, ACCESSION_NUMBER)]
    placed = (row for row in foreign if has_type(record, row, "PLAC"))
    found = next(placed, None) or next(iter(foreign), None)
    record.main["external_id"] = found and found["value"]


def set_texts(record: Record) -> None:
    """Set indication, instructions and the reason of a cancellation: what is told in words."""
    record.main["clinical_indication"] = text_without_code(record, "reasonCode")
    record.main["special_instructions"] = text_without_code(record, "orderDetail")
    record.main["cancellation_reason"] = name_of(record, "statusReason", "")


def set_details(record: Record) -> None:
    """Set the columns of the detail row that follow from code, orderDetail and bodySite."""
    imaging = record.details.get(OrderImaging.table.name)
    if imaging is not None:
        imaging["modality_code"] = code_of(record, "orderDetail", MODALITY)
        imaging["body_part_code"] = code_of(record, "bodySite", BODY_PART)
        imaging["contrast"] = {"with": True, "without": False}.get(
            code_of(record, "orderDetail", CONTRAST) or ""
        )
        imaging["laterality"] = laterality(record)
    laboratory = record.details.get(OrderLab.table.name)
    if laboratory is not None:
        laboratory["test_code"] = code_of(record, "code", LAB_TEST)
        laboratory["test_name"] = name_of(record, "code", LAB_TEST)
    for table in (OrderImaging, OrderProcedure):
        row = record.details.get(table.table.name)
        if row is not None:
            row["procedure_code"] = code_of(record, "code", CPT)
            row["procedure_name"] = name_of(record, "code", CPT)


def laterality(record: Record) -> str | None:
    """Return the side that the body sites tell; a left and a right one are both sides."""
    told = {
        code
        for site in record.rows(Concept, None, "bodySite")
        if (code := code_of(record, "bodySite.laterality", LATERALITY, site["id"]))
        in OrderImaging.laterality.values
    }
    return "bilateral" if len(told) > 1 else next(iter(told), None)


PROJECT = (set_order_type, set_numbers, set_texts, set_details)
