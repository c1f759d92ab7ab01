"""ServiceRequest: an order, with its workflow and the details of imaging, laboratory and procedure orders.

https://hl7.org/fhir/R4/servicerequest.html; HL7v2 ORC, OBR, TQ1: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import order_facts, v2types
from mappings.codecs import (
    BOOL,
    CODE,
    DATETIME,
    DATETIME_OF_PERIOD,
    INSTANT,
    INT,
    LIST,
    PERIOD,
    QUANTITY,
    TEXT,
    Plain,
    coded,
)
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, CODED, CODING, IDENTIFIER, REFERENCE
from mappings.element import (
    V2,
    Mapping,
    Unclaimed,
    choice,
    ext,
    extension,
    linked,
    many,
    one,
    single,
    woven,
)
from mappings.order_workflow import (
    COLUMNS,
    RequestStatusCodec,
    WorkflowStatusCodec,
    drop_stale_word,
    no_contradiction,
)
from mappings.resources.order_fields import INTENT, as_needed, instruction, placer_group, priority
from mappings.search import column
from mappings.v2fields import inner_concept, note, of_table, text
from mappings.v2types import ei, typed
from mappings.workflow.orders import STATUS_REASON
from storage.model.order import OrderImaging, OrderLab, OrderProcedure, ServiceOrder
from storage.model.shared import Concept

if TYPE_CHECKING:
    from mappings.element import Value


class PanelCodec(Plain):
    """The tests of a panel: extensions ``item`` with a valueString each, in a json list of texts."""

    def to_row(self, value: Value) -> tuple[Any, ...]:
        """Return the texts; raises Unclaimed where an item is anything else."""
        items: list[dict[str, Any]] = value
        if any(item.keys() != {"url", "valueString"} or item["url"] != "item" for item in items):
            raise Unclaimed
        return ([item["valueString"] for item in items],)

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return columns[0] and [{"url": "item", "valueString": text} for text in columns[0]]


BODY_SITE = Mapping(
    # A CodeableConcept whose extension tells the side.
    type="CodeableConcept",
    table=Concept,
    v2=v2types.cwe,
    lines=(
        many("coding", CODING, at=""),
        one("text", Concept.text, TEXT),
        extension(ext("laterality"), single("valueCoding", CODED, at="bodySite.laterality")),
    ),
)
ORDER_WORKFLOW = extension(
    ext("order-workflow"),
    extension("status", woven("valueCode", COLUMNS, WorkflowStatusCodec(), "workflow-status:token")),
    extension(
        "scheduledAt", one("valueDateTime", ServiceOrder.scheduled_at, DATETIME, "OBR-36", "scheduled:date")
    ),
    extension("performedAt", one("valueDateTime", ServiceOrder.performed_at, INSTANT)),
    extension("reportedAt", one("valueDateTime", ServiceOrder.reported_at, INSTANT)),
    extension("cancelledAt", one("valueDateTime", ServiceOrder.cancelled_at, INSTANT)),
    kept=True,
)
ORDER_DETAILS = extension(
    ext("order-details"),
    extension("clinicalHistory", one("valueString", OrderImaging.clinical_history, TEXT, "OBR-13")),
    extension(
        "studyInstanceUid",
        one("valueString", OrderImaging.study_instance_uid, TEXT, (V2("ZDS-1", text), V2("IPC-3", text))),
    ),
    extension("numberOfImages", one("valueInteger", OrderImaging.number_of_images, INT)),
    extension("specimenType", one("valueString", OrderLab.specimen_type, TEXT)),
    extension("specimenSource", one("valueString", OrderLab.specimen_source, TEXT)),
    extension("fastingRequired", one("valueBoolean", OrderLab.fasting_required, BOOL)),
    extension("collectionDate", one("valueDateTime", OrderLab.collection_date, DATETIME)),
    extension("panel", one("extension", OrderLab.panel, PanelCodec())),
    extension("procedureKind", one("valueCode", OrderProcedure.procedure_kind, CODE)),
    extension("anesthesiaRequired", one("valueBoolean", OrderProcedure.anesthesia_required, BOOL)),
    extension("estimatedMinutes", one("valueInteger", OrderProcedure.estimated_minutes, INT)),
)
SERVICE_REQUEST = Mapping(
    type="ServiceRequest",
    table=ServiceOrder,
    details=order_facts.details,
    detail_tables=(OrderImaging, OrderLab, OrderProcedure),
    read_in=(no_contradiction,),
    project=(*order_facts.PROJECT, drop_stale_word),
    search=(column("order-type:token", "ServiceRequest.category", ServiceOrder.order_type),),
    kept_identifiers=frozenset({order_facts.ORDER_NUMBER, order_facts.ACCESSION_NUMBER}),
    lines=(
        many(
            "identifier",
            IDENTIFIER,
            tuple(
                V2(field, typed(ei, kind))
                for field, kind in (
                    ("ORC-2", "PLAC"),
                    ("OBR-2", "PLAC"),
                    ("ORC-3", "FILL"),
                    ("OBR-3", "FILL"),
                )
            ),
            "identifier:token",
        ),
        one(
            "instantiatesCanonical",
            ServiceOrder.instantiates_canonical,
            LIST,
            search="instantiates-canonical:reference",
        ),
        one("instantiatesUri", ServiceOrder.instantiates_uri, LIST, search="instantiates-uri:uri"),
        many("basedOn", REFERENCE, search="based-on:reference"),
        many("replaces", REFERENCE, search="replaces:reference"),
        single("requisition", IDENTIFIER, V2("ORC-4", placer_group), "requisition:token"),
        woven("status", COLUMNS, RequestStatusCodec(), "status:token"),
        one("intent", ServiceOrder.intent, coded(INTENT), "OBR-11", "intent:token"),
        many("category", CODEABLE_CONCEPT, V2("OBR-24", of_table("0074")), "category:token"),
        one(
            "priority",
            ServiceOrder.priority,
            CODE,
            (
                V2("TQ1-9", priority()),
                V2("OBR-5", priority()),
                V2("ORC-7", priority(6)),
                V2("OBR-27", priority(6)),
            ),
            "priority:token",
        ),
        one("doNotPerform", ServiceOrder.do_not_perform, BOOL),
        single("code", CODEABLE_CONCEPT, "OBR-4 OBR-44", "code:token"),
        many(
            "orderDetail",
            CODEABLE_CONCEPT,
            (V2("TQ1-11", instruction(0)), V2("OBR-27", instruction(8)), V2("ORC-7", instruction(8))),
        ),
        one("quantityQuantity", ServiceOrder.quantity, QUANTITY, "TQ1-2"),
        linked(
            "subject", ServiceOrder.patient, REFERENCE, search="patient:reference:Patient subject:reference"
        ),
        linked("encounter", ServiceOrder.encounter, REFERENCE, search="encounter:reference"),
        choice(
            "occurrence",
            ServiceOrder.occurrence_kind,
            one("occurrenceDateTime", ServiceOrder.occurrence, DATETIME_OF_PERIOD, "TQ1-7 OBR-6"),
            one("occurrencePeriod", ServiceOrder.occurrence, PERIOD),
            search="occurrence:date",
        ),
        one("asNeededBoolean", ServiceOrder.as_needed_boolean, BOOL, V2("TQ1-9", as_needed)),
        single("asNeededCodeableConcept", CODEABLE_CONCEPT),
        one("authoredOn", ServiceOrder.authored, DATETIME, search="authored:date"),
        linked("requester", ServiceOrder.requester, REFERENCE, search="requester:reference"),
        single("performerType", CODEABLE_CONCEPT, search="performer-type:token"),
        linked(
            "performer",
            ServiceOrder.performing_user,
            REFERENCE,
            search="performer:reference",
            repeats=True,
        ),
        many("locationCode", CODEABLE_CONCEPT, "ORC-29"),
        many("locationReference", REFERENCE),
        many("reasonCode", CODEABLE_CONCEPT, "OBR-31"),
        many("reasonReference", REFERENCE),
        many("insurance", REFERENCE),
        many("supportingInfo", REFERENCE),
        many("specimen", REFERENCE, search="specimen:reference"),
        many("bodySite", BODY_SITE, V2("OBR-15", inner_concept(4)), "body-site:token"),
        many("note", ANNOTATION, V2("NTE-3", note)),
        one("patientInstruction", ServiceOrder.patient_instruction, TEXT),
        many("relevantHistory", REFERENCE),
        ORDER_WORKFLOW,
        ORDER_DETAILS,
        extension(
            STATUS_REASON, single("valueCodeableConcept", CODEABLE_CONCEPT, "ORC-16", at="statusReason")
        ),
    ),
)
