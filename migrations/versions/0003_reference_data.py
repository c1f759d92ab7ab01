"""Reference data with the rows of the source systems, identifier systems, code maps, our own account."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.words import (
    code,
    drop,
    flag,
    index,
    integer,
    json,
    key,
    link,
    listed,
    number,
    primary,
    text,
    unique,
)
from migrations.words import table as create

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

HOUSE = "http://suture.example.org/fhir"
SYSTEM_USER = UUID("00000000-0000-7000-8000-000000000001")
INSTALLED = datetime(2025, 1, 1, tzinfo=UTC)

MODALITIES = (
    ("XRAY", "X-Ray", "Plain radiography", "DX"),
    ("CT", "CT Scan", "Computed Tomography", "CT"),
    ("MRI", "MRI", "Magnetic Resonance Imaging", "MR"),
    ("US", "Ultrasound", "Ultrasonography", "US"),
    ("MG", "Mammography", "Breast imaging", "MG"),
    ("FL", "Fluoroscopy", "Real-time X-ray imaging", "RF"),
)
BODY_PARTS = (
    ("CHEST", "Chest", "51185008", "XRAY CT"),
    ("ABDOMEN", "Abdomen", "818981001", "XRAY CT US"),
    ("HEAD", "Head/Brain", "69536005", "CT MRI"),
    ("SPINE", "Spine", "421060004", "XRAY CT MRI"),
    ("EXTREMITY", "Extremities", "66019005", "XRAY MRI"),
    ("PELVIS", "Pelvis", "12921003", "XRAY CT MRI US"),
    ("NECK", "Neck", "45048000", "CT MRI US"),
    ("BREAST", "Breast", "76752008", "MG US"),
    ("HEART", "Heart", "80891009", "CT MRI"),
    ("JOINTS", "Joints", "39352004", "XRAY MRI US"),
)
LAB_TESTS = (
    ("CBC", "Complete Blood Count", "Hematology", "Blood", False, 2, "58410-2"),
    ("BMP", "Basic Metabolic Panel", "Chemistry", "Blood", True, 4, "51990-0"),
    ("LFT", "Liver Function Tests", "Chemistry", "Blood", True, 6, "24325-3"),
    ("RFT", "Renal Function Tests", "Chemistry", "Blood", False, 4, "24362-6"),
    ("LIPID", "Lipid Profile", "Chemistry", "Blood", True, 6, "24331-1"),
    ("HBA1C", "Hemoglobin A1c", "Chemistry", "Blood", False, 24, "4548-4"),
    ("TSH", "Thyroid Stimulating Hormone", "Endocrinology", "Blood", False, 24, "3016-3"),
    ("URINE", "Urine Routine", "Urinalysis", "Urine", False, 2, "24356-8"),
    ("CULTURE", "Blood Culture", "Microbiology", "Blood", False, 72, "600-7"),
    ("PT_INR", "Prothrombin Time/INR", "Coagulation", "Blood", False, 4, "34528-0"),
)
PROCEDURE_TYPES = (
    ("45378", "Colonoscopy", "Endoscopy", True, 30, None),
    ("43239", "Upper GI Endoscopy", "Endoscopy", True, 20, None),
    ("38220", "Bone Marrow Biopsy", "Biopsy", True, 45, None),
    ("10060", "Incision and Drainage", "Minor Surgery", False, 15, None),
    # Retired in 2019; kept active, as the source system has it.
    ("11100", "Skin Biopsy", "Biopsy", True, 20, "11102 11103 11104 11105 11106 11107"),
)
# (uri, kind, namespace, universal id, type of table 0203, unique)
IDENTIFIER_SYSTEMS = (
    (f"{HOUSE}/sid/mrn", "mrn", None, None, "MR", True),
    # Which type an order number has depends on who placed the order.
    (f"{HOUSE}/sid/order-number", "order-number", None, None, None, True),
    (f"{HOUSE}/sid/accession-number", "accession-number", None, None, "ACSN", True),
    (f"{HOUSE}/sid/visit-number", "visit-number", None, None, "VN", True),
    (f"{HOUSE}/sid/pl", "location", None, None, None, True),
    (f"{HOUSE}/sid/research-case", "research-case", None, None, None, True),
    ("http://hl7.org/fhir/sid/us-npi", "npi", "NPI", "2.16.840.1.113883.4.6", "NPI", False),
    ("http://hl7.org/fhir/sid/us-ssn", "ssn", "USSSA", "2.16.840.1.113883.4.1", "SS", False),
)


def upgrade() -> None:
    create_lists()
    create_systems()
    create_instruments()
    op.bulk_insert(rows_of("app_user"), [system_user()])
    op.bulk_insert(rows_of("ref_imaging_modality"), modalities())
    op.bulk_insert(rows_of("ref_body_part"), body_parts())
    op.bulk_insert(rows_of("ref_body_part_modality"), body_part_modalities())
    op.bulk_insert(rows_of("ref_lab_test"), lab_tests())
    op.bulk_insert(rows_of("ref_procedure_type"), procedure_types())
    op.bulk_insert(rows_of("identifier_system"), identifier_systems())
    op.bulk_insert(rows_of("ref_outcome_instrument"), list(instruments()))


def downgrade() -> None:
    op.execute(f"DELETE FROM app_user WHERE id = '{SYSTEM_USER}'")  # noqa: S608 - a constant of ours
    drop("ref_outcome_instrument", "code_map", "identifier_system", "ref_procedure_type", "ref_lab_test")
    drop("ref_body_part_modality", "ref_body_part", "ref_imaging_modality")


def create_lists() -> None:
    """What can be ordered."""
    create(
        "ref_imaging_modality",
        key("id", is_primary=True),
        text("code", "name", required=True),
        text("description"),
        flag("is_active", required=True),
        text("dicom_code"),
        unique("code"),
    )
    create(
        "ref_body_part",
        key("id", is_primary=True),
        text("code", "name", required=True),
        text("sct_code"),
        unique("code"),
    )
    create(
        "ref_body_part_modality",
        listed("body_part_code", "ref_body_part.code", required=True),
        listed("modality_code", "ref_imaging_modality.code", required=True),
        primary("body_part_code", "modality_code"),
    )
    create(
        "ref_lab_test",
        key("id", is_primary=True),
        text("code", "name", "category", "specimen_type", required=True),
        flag("fasting_required", required=True),
        integer("tat_hours"),
        flag("is_active", required=True),
        text("loinc_code"),
        unique("code"),
    )
    create(
        "ref_procedure_type",
        key("id", is_primary=True),
        text("code", "name", "category", required=True),
        flag("requires_consent", required=True),
        integer("estimated_duration"),
        flag("is_active", required=True),
        text("successor_codes"),
        unique("code"),
    )


def create_systems() -> None:
    """What HL7v2 calls by other names."""
    create(
        "identifier_system",
        text("uri", "kind", required=True),
        text("hd_namespace", "hd_universal_id", "hd_universal_type", "v2_type"),
        flag("is_unique", required=True),
        primary("uri"),
        index("hd_namespace"),
        index("hd_universal_id"),
    )
    create(
        "code_map",
        key("id", is_primary=True),
        link(peer="hl7_peer"),
        text("source_system", "source_code", "target_system", "target_code", required=True),
        text("target_display"),
        code("equivalence", "equivalent wider narrower inexact", required=True),
        index("peer_id"),
        index("source_system", "source_code"),
    )


def create_instruments() -> None:
    """Instruments of outcome."""
    create(
        "ref_outcome_instrument",
        text("code", "name", required=True),
        number("min_score", "max_score", required=True),
        flag("higher_is_better", required=True),
        text("loinc_code"),
        json("joints", required=True),
        primary("code"),
    )


def rows_of(name: str) -> sa.Table:
    """Name the columns that a revision fills, as they are at this revision."""
    return sa.Table(name, sa.MetaData(), *[sa.Column(column, kind) for column, kind in COLUMNS[name].items()])


COLUMNS: dict[str, dict[str, Any]] = {
    "app_user": {
        "id": sa.Uuid(),
        "username": sa.Text(),
        "full_name": sa.Text(),
        "role": sa.Text(),
        "is_active": sa.Boolean(),
        "created_at": sa.TIMESTAMP(timezone=True),
        "updated_at": sa.TIMESTAMP(timezone=True),
    },
    "ref_imaging_modality": {
        "id": sa.Uuid(),
        "code": sa.Text(),
        "name": sa.Text(),
        "description": sa.Text(),
        "is_active": sa.Boolean(),
        "dicom_code": sa.Text(),
    },
    "ref_body_part": {"id": sa.Uuid(), "code": sa.Text(), "name": sa.Text(), "sct_code": sa.Text()},
    "ref_body_part_modality": {"body_part_code": sa.Text(), "modality_code": sa.Text()},
    "ref_lab_test": {
        "id": sa.Uuid(),
        "code": sa.Text(),
        "name": sa.Text(),
        "category": sa.Text(),
        "specimen_type": sa.Text(),
        "fasting_required": sa.Boolean(),
        "tat_hours": sa.Integer(),
        "is_active": sa.Boolean(),
        "loinc_code": sa.Text(),
    },
    "ref_procedure_type": {
        "id": sa.Uuid(),
        "code": sa.Text(),
        "name": sa.Text(),
        "category": sa.Text(),
        "requires_consent": sa.Boolean(),
        "estimated_duration": sa.Integer(),
        "is_active": sa.Boolean(),
        "successor_codes": sa.Text(),
    },
    "identifier_system": {
        "uri": sa.Text(),
        "kind": sa.Text(),
        "hd_namespace": sa.Text(),
        "hd_universal_id": sa.Text(),
        "hd_universal_type": sa.Text(),
        "v2_type": sa.Text(),
        "is_unique": sa.Boolean(),
    },
    "ref_outcome_instrument": {
        "code": sa.Text(),
        "name": sa.Text(),
        "min_score": sa.Numeric(),
        "max_score": sa.Numeric(),
        "higher_is_better": sa.Boolean(),
        "loinc_code": sa.Text(),
        "joints": postgresql.JSON(),
    },
}


def row_id(table: str, row_code: str) -> UUID:
    """Make the id of an installed row, the same in every database."""
    return uuid5(NAMESPACE_URL, f"{HOUSE}/{table}/{row_code}")


def system_user() -> dict[str, Any]:
    """The account under which the gateway, its peers and its jobs write."""
    return {
        "id": SYSTEM_USER,
        "username": "system",
        "full_name": "Suture",
        "role": "system",
        "is_active": True,
        "created_at": INSTALLED,
        "updated_at": INSTALLED,
    }


def modalities() -> list[dict[str, Any]]:
    """Kinds of imaging."""
    names = ("code", "name", "description", "dicom_code")
    return listed_rows("ref_imaging_modality", names, MODALITIES, is_active=True)


def body_parts() -> list[dict[str, Any]]:
    """Parts of the body."""
    return listed_rows("ref_body_part", ("code", "name", "sct_code"), (part[:3] for part in BODY_PARTS))


def body_part_modalities() -> list[dict[str, Any]]:
    """Which imaging a part of the body allows."""
    return [
        {"body_part_code": part, "modality_code": modality}
        for part, _, _, allowed in BODY_PARTS
        for modality in allowed.split()
    ]


def lab_tests() -> list[dict[str, Any]]:
    """Laboratory tests."""
    names = ("code", "name", "category", "specimen_type", "fasting_required", "tat_hours", "loinc_code")
    return listed_rows("ref_lab_test", names, LAB_TESTS, is_active=True)


def procedure_types() -> list[dict[str, Any]]:
    """Types of procedure."""
    names = ("code", "name", "category", "requires_consent", "estimated_duration", "successor_codes")
    return listed_rows("ref_procedure_type", names, PROCEDURE_TYPES, is_active=True)


def listed_rows(
    table: str, names: tuple[str, ...], rows: Iterable[tuple[Any, ...]], **more: Any
) -> list[dict[str, Any]]:
    """Make rows with ids; the first value of each is its code."""
    return [{"id": row_id(table, row[0]), **dict(zip(names, row, strict=True)), **more} for row in rows]


def identifier_systems() -> list[dict[str, Any]]:
    """Identifier systems of this house and of the nation."""
    return [
        {
            "uri": uri,
            "kind": kind,
            "hd_namespace": namespace,
            "hd_universal_id": universal_id,
            "hd_universal_type": "ISO" if universal_id else None,
            "v2_type": v2_type,
            "is_unique": is_unique,
        }
        for uri, kind, namespace, universal_id, v2_type, is_unique in IDENTIFIER_SYSTEMS
    ]


def instruments() -> Iterable[dict[str, Any]]:
    """Instruments of outcome, from the lines below."""
    for joints, lines in INSTRUMENTS.items():
        for line in lines:
            code_, name, low, high, higher_is_better, loinc = line
            yield {
                "code": code_,
                "name": name,
                "min_score": Decimal(low),
                "max_score": Decimal(high),
                "higher_is_better": higher_is_better,
                "loinc_code": loinc,
                "joints": joints.split(),
            }


UP, DOWN = True, False
# (code, name, lowest and highest score, whether higher is better, LOINC)
INSTRUMENTS: dict[str, tuple[tuple[str, str, int, int, bool, str | None], ...]] = {
    "hip": (
        ("HHS", "Harris Hip Score", 0, 100, UP, None),
        ("MHHS", "Modified Harris Hip Score", 0, 100, UP, None),
        ("OHS", "Oxford Hip Score", 0, 48, UP, None),
        ("IHOT12", "International Hip Outcome Tool, 12 items", 0, 100, UP, None),
        ("HOS_ADL", "Hip Outcome Score, activities of daily living", 0, 100, UP, None),
        ("HOS_SPORT", "Hip Outcome Score, sport", 0, 100, UP, None),
        ("NAHS", "Nonarthritic Hip Score", 0, 100, UP, None),
        ("UCLA_ACTIVITY", "UCLA Activity Scale", 1, 10, UP, None),
        ("HOOS_SYMPTOMS", "HOOS, symptoms", 0, 100, UP, "72096-1"),
        ("HOOS_PAIN", "HOOS, pain", 0, 100, UP, "72097-9"),
        ("HOOS_ADL", "HOOS, activities of daily living", 0, 100, UP, "72095-3"),
        ("HOOS_SPORT", "HOOS, sport and recreation", 0, 100, UP, "72094-6"),
        ("HOOS_QOL", "HOOS, quality of life", 0, 100, UP, "72093-8"),
        ("HOOS_JR", "HOOS for joint replacement", 0, 100, UP, "82323-7"),
    ),
    "knee": (
        ("KOOS_SYMPTOMS", "KOOS, symptoms", 0, 100, UP, "72101-9"),
        ("KOOS_PAIN", "KOOS, pain", 0, 100, UP, "72102-7"),
        ("KOOS_ADL", "KOOS, activities of daily living", 0, 100, UP, "72100-1"),
        ("KOOS_SPORT", "KOOS, sport and recreation", 0, 100, UP, "72099-5"),
        ("KOOS_QOL", "KOOS, quality of life", 0, 100, UP, "72098-7"),
        ("KOOS_JR", "KOOS for joint replacement", 0, 100, UP, "82324-5"),
        ("OKS", "Oxford Knee Score", 0, 48, UP, None),
        ("KSS_KNEE", "Knee Society Score, knee", 0, 100, UP, None),
        ("KSS_FUNCTION", "Knee Society Score, function", 0, 100, UP, None),
        ("IKDC", "IKDC Subjective Knee Form", 0, 100, UP, None),
        ("LYSHOLM", "Lysholm Knee Score", 0, 100, UP, None),
    ),
    "knee hip": (
        ("TEGNER", "Tegner Activity Scale", 0, 10, UP, None),
        ("WOMAC", "WOMAC Osteoarthritis Index", 0, 96, DOWN, None),
        ("FJS12", "Forgotten Joint Score, 12 items", 0, 100, UP, None),
    ),
    "shoulder": (
        ("ASES", "ASES Shoulder Score", 0, 100, UP, None),
        ("CONSTANT", "Constant-Murley Score", 0, 100, UP, None),
        ("SST", "Simple Shoulder Test", 0, 12, UP, None),
        ("SANE", "Single Assessment Numeric Evaluation", 0, 100, UP, None),
        ("OSS", "Oxford Shoulder Score", 0, 48, UP, None),
        ("SPADI", "Shoulder Pain and Disability Index", 0, 100, DOWN, None),
        ("UCLA_SHOULDER", "UCLA Shoulder Score", 2, 35, UP, None),
        ("WORC", "Western Ontario Rotator Cuff Index", 0, 2100, DOWN, None),
        ("WOSI", "Western Ontario Shoulder Instability Index", 0, 2100, DOWN, None),
        ("ROWE", "Rowe Score", 0, 100, UP, None),
        ("DASH", "Disabilities of the Arm, Shoulder and Hand", 0, 100, DOWN, None),
        ("QUICKDASH", "QuickDASH", 0, 100, DOWN, None),
    ),
    "hip knee shoulder other": (
        ("VAS_PAIN", "Pain, visual analogue scale", 0, 10, DOWN, "38214-3"),
        ("NRS_PAIN", "Pain, numeric rating scale", 0, 10, DOWN, "72514-3"),
        ("PROMIS10_GPH", "PROMIS-10, global physical health", 16, 68, UP, "71971-6"),
        ("PROMIS10_GMH", "PROMIS-10, global mental health", 16, 68, UP, "71969-0"),
        ("VR12_PCS", "VR-12, physical component, orthogonal", 0, 100, UP, "72027-6"),
        ("VR12_MCS", "VR-12, mental component, orthogonal", 0, 100, UP, "72028-4"),
        ("EQ5D_INDEX", "EQ-5D index", -1, 1, UP, None),
        ("EQ_VAS", "EQ-5D visual analogue scale", 0, 100, UP, None),
    ),
}
