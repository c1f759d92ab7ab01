"""What the benchmarks send: made-up patients and orders, as bytes on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

SYSTEM = "http://hospital.example.org/record-number"
FAMILIES = (
    "Abelard",
    "Brackenridge",
    "Castellane",
    "Dunmore",
    "Eversley",
    "Fairweather",
    "Gladwin",
    "Harcourt",
)
KEPT = 200
"""How many patients and orders are there before anything is measured."""


def http(method: str, target: str, body: Any = None) -> bytes:
    """A request on a connection that is kept."""
    content = msgspec.json.encode(body) if body is not None else b""
    head = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/fhir+json"]
    if content:
        head += ["Content-Type: application/fhir+json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*head, "", ""]).encode() + content


def patient(number: str, place: int, fhir_id: str | None = None, note: str = "a") -> dict[str, Any]:
    """A patient with what an EHR usually sends."""
    family = FAMILIES[place % len(FAMILIES)]
    made: dict[str, Any] = {
        "resourceType": "Patient",
        "active": True,
        "identifier": [{"use": "official", "system": SYSTEM, "value": number}],
        "name": [{"use": "official", "family": family, "given": ["Ann", f"M{place}"]}],
        "telecom": [
            {"system": "phone", "value": f"+47 5500{place:04d}", "use": "home"},
            {"system": "email", "value": f"{family.lower()}{place}@example.org"},
        ],
        "gender": ("female", "male")[place % 2],
        "birthDate": f"{1930 + place % 80}-0{1 + place % 9}-1{place % 10}",
        "address": [
            {"line": [f"{place} High Street", note], "city": "Bergen", "postalCode": "5003", "country": "NO"}
        ],
        "maritalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]
        },
        "contact": [
            {"name": {"family": family, "given": ["Per"]}, "telecom": [{"system": "phone", "value": "12"}]}
        ],
    }
    return ({"id": fhir_id} if fhir_id else {}) | made


def order(number: str, place: int, fhir_id: str | None = None) -> dict[str, Any]:
    """An imaging order for one of the kept patients."""
    made: dict[str, Any] = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "http://hospital.example.org/order", "value": number}],
        "status": "active",
        "intent": "order",
        "priority": "urgent",
        "category": [
            {"coding": [{"system": "http://snomed.info/sct", "code": "363679005", "display": "Imaging"}]}
        ],
        "code": {"coding": [{"system": "http://loinc.org", "code": "30746-2"}], "text": "Chest X-ray"},
        "subject": {"reference": f"Patient/kept-{place % KEPT}"},
        "occurrenceDateTime": f"2026-0{1 + place % 9}-1{place % 10}T09:30:00+01:00",
        "authoredOn": "2026-01-10T08:25:00Z",
        "reasonCode": [{"text": "Cough for three weeks"}],
        "note": [{"text": "Comes by wheelchair"}],
    }
    return ({"id": fhir_id} if fhir_id else {}) | made


def orm(number: str, place: int) -> bytes:
    """A framed ORM^O01 of one of 500 patients."""
    return _frame(
        f"MSH|^~\\&|EHR|CITY|SUTURE|OR|20260110083000||ORM^O01|o{number}|P|2.5.1",
        _pid(place),
        "PV1|1|I|W3^12^1^CITY||||D1^Strange^Stephen||||||||||||V" + str(place % 500),
        f"ORC|NW|{number}^EHR|||||^^^20260110090000^^R||20260110082500|||D1^Strange^Stephen",
        f"OBR|1|{number}^EHR||71020^Chest X-ray^C4|||||||||||||||||||||||^^^20260110090000^^R||||^Cough",
        "NTE|1|L|Comes by wheelchair",
    )


ANALYTES = (
    ("718-7", "Hemoglobin", "g/dL"),
    ("2160-0", "Creatinine", "mg/dL"),
    ("2951-2", "Sodium", "mmol/L"),
    ("2823-3", "Potassium", "mmol/L"),
    ("2075-0", "Chloride", "mmol/L"),
    ("2028-9", "Carbon dioxide", "mmol/L"),
    ("3094-0", "Urea nitrogen", "mg/dL"),
    ("2345-7", "Glucose", "mg/dL"),
    ("17861-6", "Calcium", "mg/dL"),
    ("2885-2", "Protein", "g/dL"),
    ("1751-7", "Albumin", "g/dL"),
    ("1975-2", "Bilirubin", "mg/dL"),
    ("6768-6", "Alkaline phosphatase", "U/L"),
    ("1920-8", "AST", "U/L"),
    ("1742-6", "ALT", "U/L"),
    ("6690-2", "Leukocytes", "10*3/uL"),
    ("789-8", "Erythrocytes", "10*6/uL"),
    ("4544-3", "Hematocrit", "%"),
    ("777-3", "Platelets", "10*3/uL"),
    ("787-2", "MCV", "fL"),
)
"""What the twenty results of a message are: LOINC code, name, unit."""


def oru(number: str, place: int) -> bytes:
    """A framed ORU^R01 with twenty results of one of 500 patients, of an order that is not known."""
    return _frame(
        f"MSH|^~\\&|LAB|CITY|SUTURE|OR|20260110093000||ORU^R01|r{number}|P|2.5.1",
        _pid(place),
        f"ORC|RE|{number}^EHR|F{number}^LAB",
        f"OBR|1|{number}^EHR|F{number}^LAB|24323-8^Metabolic panel^LN|||20260110090000"
        "|||||||||||||||20260110093000||CH|F",
        *(
            f"OBX|{n}|NM|{code}^{name}^LN||{n + place % 9}.{n}|{unit}^^UCUM|1-30|N|||F|||20260110090000"
            for n, (code, name, unit) in enumerate(ANALYTES, 1)
        ),
    )


def _pid(place: int) -> str:
    number = place % 500
    family = FAMILIES[place % len(FAMILIES)]
    return f"PID|1||H{number}^^^CITY^MR||{family}^Ann||19700101|F|||1 High St^^Bergen^^5003^NO"


def _frame(*segments: str) -> bytes:
    return b"\x0b" + "".join(f"{segment}\r" for segment in segments).encode() + b"\x1c\r"
