"""Patients and what hangs on them."""

from __future__ import annotations

from storage.model.columns import Boolean, Code, Date, Integer, Link, Period, Text, index
from storage.model.resource import Child, Typed

GENDERS = ("male", "female", "other", "unknown")


class Patient(
    Typed,
    name="patient",
    indexes=(
        index("mrn_system", "mrn"),
        index("gender", "birth_date_lo"),
        index("birth_date_lo"),
        index("deceased_lo"),
    ),
):
    """A patient; identifiers, names, addresses and telecom hang on it."""

    mrn_system = Text(255)
    mrn = Text(64)
    display_name = Text(255)
    active = Boolean()
    birth_date = Date()
    gender = Code(*GENDERS)
    birth_sex = Text(8)
    race_text = Text(255)
    ethnicity_text = Text(255)
    mothers_maiden_name = Text(255)
    deceased_boolean = Boolean()
    deceased = Date()
    multiple_birth = Boolean()
    multiple_birth_order = Integer()
    managing_organization = Link("organization")


class PatientContact(Child, name="patient_contact", indexes=(index("owner_id"),)):
    """A contact party of a patient; its name, telecom and address hang on it."""

    gender = Code(*GENDERS)
    organization = Link("organization")
    period = Period()


class PatientCommunication(Child, name="patient_communication", indexes=(index("owner_id"),)):
    """A language of a patient, its code in ``concept``."""

    preferred = Boolean()


class PatientLink(Child, name="patient_link", indexes=(index("owner_id"),)):
    """A link to another record of the same person."""

    other = Link("resource")
    type = Code("replaced-by", "replaces", "refer", "seealso")
