"""Reference data: lists that administrators may edit. A migration installs the rows of the source systems."""

from __future__ import annotations

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Code,
    Decimal,
    Integer,
    Json,
    Key,
    Link,
    Listed,
    Table,
    Text,
    index,
)


class RefImagingModality(Table, name="ref_imaging_modality"):
    """A kind of imaging; ``dicom_code`` is the modality of DICOM."""

    id = Key(primary=True)
    code = Text(10, required=True, unique=True)
    name = Text(100, required=True)
    description = Text()
    is_active = Boolean(required=True)
    dicom_code = Text(4)


class RefBodyPart(Table, name="ref_body_part"):
    """A part of the body that can be imaged."""

    id = Key(primary=True)
    code = Text(20, required=True, unique=True)
    name = Text(100, required=True)
    sct_code = Text(18)


class RefBodyPartModality(
    Table,
    name="ref_body_part_modality",
    constraints=(sa.PrimaryKeyConstraint("body_part_code", "modality_code"),),
):
    """Which kinds of imaging a body part allows."""

    body_part_code = Listed("ref_body_part.code", 20, required=True)
    modality_code = Listed("ref_imaging_modality.code", 10, required=True)


class RefLabTest(Table, name="ref_lab_test"):
    """A laboratory test; ``tat_hours`` is its usual turn-around time."""

    id = Key(primary=True)
    code = Text(20, required=True, unique=True)
    name = Text(200, required=True)
    category = Text(50, required=True)
    specimen_type = Text(50, required=True)
    fasting_required = Boolean(required=True)
    tat_hours = Integer()
    is_active = Boolean(required=True)
    loinc_code = Text(10)


class RefProcedureType(Table, name="ref_procedure_type"):
    """A type of procedure, by CPT code and the codes that succeeded it; ``estimated_duration`` is minutes."""

    id = Key(primary=True)
    code = Text(20, required=True, unique=True)
    name = Text(200, required=True)
    category = Text(50, required=True)
    requires_consent = Boolean(required=True)
    estimated_duration = Integer()
    is_active = Boolean(required=True)
    successor_codes = Text(60)


class IdentifierSystem(
    Table,
    name="identifier_system",
    constraints=(sa.PrimaryKeyConstraint("uri"),),
    indexes=(index("hd_namespace"), index("hd_universal_id")),
):
    """An assigning authority of HL7v2 and its system; ``is_unique`` forbids a second owner of a value."""

    uri = Text(255, required=True)
    kind = Text(40, required=True)
    hd_namespace = Text(80)
    hd_universal_id = Text(199)
    hd_universal_type = Text(10)
    v2_type = Text(10)
    is_unique = Boolean(required=True)


class CodeMap(Table, name="code_map", indexes=(index("source_system", "source_code"), index("peer_id"))):
    """A code of HL7v2 or of this house and the standard code it stands for, for one peer or for all."""

    id = Key(primary=True)
    peer = Link("hl7_peer")
    source_system = Text(255, required=True)
    source_code = Text(80, required=True)
    target_system = Text(255, required=True)
    target_code = Text(80, required=True)
    target_display = Text(255)
    equivalence = Code("equivalent", "wider", "narrower", "inexact", required=True)


class RefOutcomeInstrument(
    Table, name="ref_outcome_instrument", constraints=(sa.PrimaryKeyConstraint("code"),)
):
    """An instrument of patient-reported or clinical outcome, its range of scores and the joints it serves."""

    code = Text(30, required=True)
    name = Text(120, required=True)
    min_score = Decimal(required=True)
    max_score = Decimal(required=True)
    higher_is_better = Boolean(required=True)
    loinc_code = Text(10)
    joints = Json(required=True)
