"""The flat record of a patient: 66 fields, one line each, with the place in the tables that each stands for.

What reads the record as one row, what writes it, what checks it, and what sorts and filters a list of
patients are all derived from these lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from storage.model.clinical import INSURANCE_TYPES
from storage.model.flat_places import (
    Address,
    Contact,
    Cover,
    Doctor,
    Finding,
    Head,
    Language,
    Listing,
    Name,
    Notes,
    Number,
    Own,
    Party,
    Place,
    Referral,
    Standing,
    Stay,
    Words,
)

Kind = Literal["text", "long", "date", "moment", "email", "phone", "ssn", "sex", "decimal", "list", "stamp"]
"""``long`` texts may have lines; a ``moment`` is a date, perhaps with a time; ``;`` parts a ``list``."""

MRN = "http://suture.example.org/fhir/sid/mrn"
SSN = "http://hl7.org/fhir/sid/us-ssn"
MARITAL = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
SNOMED = "http://snomed.info/sct"
SEXES = {"M": "male", "F": "female", "O": "other", "U": "unknown"}
STATUSES = ("active", "inactive", "deceased")
MARITAL_CODES = {
    "married": "M",
    "single": "S",
    "never married": "S",
    "divorced": "D",
    "widowed": "W",
    "separated": "L",
    "domestic partner": "T",
    "unknown": "UNK",
}
BLOOD = {
    "A+": "278149003",
    "A-": "278152006",
    "B+": "278150003",
    "B-": "278153001",
    "AB+": "278151004",
    "AB-": "278154007",
    "O+": "278147001",
    "O-": "278148006",
}
SMOKING = {
    "never": "266919005",
    "former": "8517006",
    "current": "77176002",
    "every day": "449868002",
    "some days": "428041000124106",
    "unknown": "266927001",
}
RELATIONS = ("self", "spouse", "child", "parent", "common", "other", "injured")
"""The codes of subscriber-relationship."""


@dataclass(frozen=True)
class Field:
    """One field: its place, what its values are, and an example of one.

    ``values`` are all that there are, where there is a list; ``low`` and ``high`` are limits of a number,
    ``limit`` of a text's length.
    """

    name: str
    place: Place
    example: Any
    kind: Kind = "text"
    limit: int = 255
    required: bool = False
    read_only: bool = False
    values: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def _cover(position: int, prefix: str) -> tuple[Field, ...]:
    name = f"{prefix}_insurance_"
    second = position == 2
    return (
        Field(f"{name}provider", Cover(position, "provider"), "Medigap" if second else "Medicare Part B"),
        Field(
            f"{name}type",
            Cover(position, "type"),
            "commercial" if second else "medicare",
            values=INSURANCE_TYPES,
        ),
        Field(f"{name}policy_number", Cover(position, "policy_number"), "P-123456", limit=80),
        Field(f"{name}group_number", Cover(position, "group_number"), "G-77", limit=80),
        Field(f"{name}subscriber_name", Cover(position, "subscriber_name"), "John Doe"),
        Field(f"{name}subscriber_relationship", Cover(position, "subscriber_relationship"), "self", limit=80),
        Field(f"{name}effective_date", Cover(position, "effective_date"), "2024-01-01", "moment"),
        Field(f"{name}expiration_date", Cover(position, "expiration_date"), "2027-12-31", "moment"),
    )


FIELDS: tuple[Field, ...] = (
    Field("mrn", Number(MRN, "MR", "mrn"), "MRN123456", limit=64, required=True),
    Field("first_name", Name("first"), "John", required=True),
    Field("middle_name", Name("middle"), "Quincy"),
    Field("last_name", Name("last"), "Doe", required=True),
    Field("suffix", Name("suffix"), "Jr."),
    Field("preferred_name", Name("whole", ("nickname",)), "Jack"),
    Field("date_of_birth", Own("birth_date"), "1980-01-15", "date", required=True),
    Field("sex", Own("gender", SEXES), "M", "sex", required=True, values=tuple(SEXES)),
    Field("gender_identity", Words(("genderIdentity", "usCoreGenderIdentity")), "male"),
    Field("race", Words(("race.ombCategory", "race.detailed"), column="race_text"), "White"),
    Field(
        "ethnicity",
        Words(("ethnicity.ombCategory", "ethnicity.detailed"), column="ethnicity_text"),
        "Not Hispanic or Latino",
    ),
    Field("marital_status", Words(("maritalStatus",), MARITAL, MARITAL_CODES), "married", limit=80),
    Field("religion", Words(("religion",)), "Methodist"),
    Field("preferred_language", Language(), "en", limit=80),
    Field("ssn", Number(SSN, "SS"), "123-45-6789", "ssn"),
    Field("email", Contact("email", ("home", "", "work", "mobile", "temp")), "john.doe@example.org", "email"),
    Field("phone_home", Contact("phone", ("home", "")), "+1 555 010 1234", "phone"),
    Field("phone_mobile", Contact("phone", ("mobile",)), "+1 555 010 1235", "phone"),
    Field("phone_work", Contact("phone", ("work",)), "+1 555 010 1236", "phone"),
    Field("address_line1", Address("line1"), "1 Main Street"),
    Field("address_line2", Address("line2"), "Apartment 4"),
    Field("city", Address("city"), "Springfield", limit=120),
    Field("state", Address("state"), "IL", limit=120),
    Field("postal_code", Address("postal_code"), "62701", limit=120),
    Field("country", Address("country"), "US", limit=120),
    Field("emergency_contact_name", Party("name"), "Jane Doe"),
    Field("emergency_contact_relationship", Party("relationship"), "spouse"),
    Field("emergency_contact_phone", Party("phone"), "+1 555 010 1237", "phone"),
    *_cover(1, "primary"),
    *_cover(2, "secondary"),
    Field(
        "blood_type",
        Finding("882-1", "ABO and Rh group", "laboratory", document=True, system=SNOMED, codes=BLOOD),
        "O+",
        values=tuple(BLOOD),
    ),
    Field(
        "height_cm", Finding("8302-2", "Body height", "vital-signs", "cm"), 178.5, "decimal", low=30, high=250
    ),
    Field(
        "weight_kg",
        Finding("29463-7", "Body weight", "vital-signs", "kg"),
        82.1,
        "decimal",
        low=0.3,
        high=500,
    ),
    Field(
        "bmi", Finding("39156-5", "Body mass index", "vital-signs", "kg/m2"), 25.8, "decimal", read_only=True
    ),
    Field(
        "smoking_status",
        Finding("72166-2", "Tobacco smoking status", "social-history", system=SNOMED, codes=SMOKING),
        "former",
    ),
    Field("alcohol_use", Finding("11331-6", "History of alcohol use", "social-history"), "occasional"),
    Field("allergies", Listing("allergy"), "Penicillin; Latex", "list", limit=10_000),
    Field("medications", Listing("medication"), "Aspirin 81 mg daily; Metformin", "list", limit=10_000),
    Field(
        "medical_history",
        Finding("11348-0", "History of past illness", "exam", document=True),
        "Hypertension since 2010",
        "long",
        10_000,
    ),
    Field(
        "surgical_history",
        Finding("10167-5", "History of surgical procedures", "exam", document=True),
        "Appendectomy 1995",
        "long",
        10_000,
    ),
    Field(
        "family_history",
        Finding("10157-6", "History of family member diseases", "exam", document=True),
        "Father: myocardial infarction",
        "long",
        10_000,
    ),
    Field(
        "social_history",
        Finding("29762-2", "Social history", "social-history", document=True),
        "Lives with his wife",
        "long",
        10_000,
    ),
    Field("primary_care_provider", Doctor(), "Dr. Ada Okafor"),
    Field("referring_provider", Referral(), "Dr. Sam Lee"),
    Field("status", Standing(), "active", values=STATUSES),
    Field("deceased_date", Own("deceased"), None, "moment"),
    Field("admission_date", Stay("start"), "2026-03-02", "moment"),
    Field("discharge_date", Stay("end"), "2026-03-05", "moment"),
    Field("notes", Notes(), "Prefers mornings", "long", 10_000),
    Field("id", Head("fhir_id"), "01995b1c-2a3b-7c4d-8e5f-0123456789ab", read_only=True),
    Field("created_at", Head("created_at"), "2026-03-01T08:00:00.000000Z", "stamp", read_only=True),
    Field("updated_at", Head("last_updated"), "2026-03-01T08:00:00.000000Z", "stamp", read_only=True),
)
"""All fields in the order of the record."""

BY_NAME: dict[str, Field] = {made.name: made for made in FIELDS}
