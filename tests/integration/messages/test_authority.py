"""Patients of the native API, met by messages under the hospital's own record numbers.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-hd-to-uri.html
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from gateway.records import Caller, Records
from storage.model.flat import MRN
from tests.integration.messages.conftest import START, Gateway

RESULT = r"""
    MSH|^~\&|RIS|HOSPITAL|SUTURE|OR|20260302100000||ORU^R01|N2|P|2.5.1
    PID|1||{number}||DOE^JANE||196105|F
    ORC|RE|{order}|F-1^RIS
    OBR|1|{order}|F-1^RIS|24725-4^CT Head^LN|||20260302091500|||||||||||||||20260302095500|||F
    OBX|1|ST|18782-3^Study observation^LN||No acute finding||||||F
"""


@pytest.mark.parametrize("number", ["MRN1001^^^HOSPITAL^MR", "MRN1001^^^&1.2.3&ISO^MR", "MRN1001^^^^MR"])
def test_a_result_by_the_hospitals_own_number_reports_the_order(gateway: Gateway, number: str) -> None:
    authority = "1.2.3" if "1.2.3" in number else "HOSPITAL"
    gateway.records = Records(gateway.store, lambda: START, uuid4, mrn_authority=authority)
    order = ordered(gateway.records)
    gateway.send(RESULT.format(number=number, order=order))
    assert gateway.only("Patient")["identifier"][0]["system"] == MRN
    assert gateway.only("ServiceRequest")["status"] == "completed"


def ordered(records: Records) -> str:
    """Store a patient as the native API does, and an order; return the order's number."""
    rest = Caller("rest")
    jane: dict[str, Any] = {"resourceType": "Patient", "identifier": [{"system": MRN, "value": "MRN1001"}]}
    made = records.create(rest, "Patient", jane)
    told: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": "http://loinc.org", "code": "24725-4"}]},
        "subject": {"reference": f"Patient/{made.fhir_id}"},
    }
    records.create(rest, "ServiceRequest", told)
    with records.store.connection() as connection:
        row = connection.execute("SELECT order_number FROM service_order").fetchone()
    assert row is not None
    return row[0]
