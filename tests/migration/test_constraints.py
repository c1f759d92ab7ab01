"""What the migrated database itself refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from storage.session import Store


class Rows:
    """Writes plain rows."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def add(self, table: str, **values: Any) -> UUID:
        row = {"id": uuid4(), **values}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        )
        self.connection.execute(statement, list(row.values()))
        return row["id"]

    def resource(self, kind: str) -> UUID:
        made = uuid4()
        when = "2025-01-01T00:00:00Z"
        return self.add(
            "resource",
            id=made,
            resource_type=kind,
            fhir_id=str(made),
            version=1,
            last_updated=when,
            created_at=when,
            origin="fhir",
        )

    def order(self, **values: Any) -> UUID:
        row = {"order_type": "LAB", "status": "ordered", "intent": "order", **values}
        return self.add("service_order", id=self.resource("ServiceRequest"), **row)

    def case(self, table: str, **values: Any) -> UUID:
        encounter = self.resource("Encounter")
        self.add("encounter", id=encounter, status="finished", encounter_type="surgery")
        return self.add(table, id=self.resource("Observation"), encounter_id=encounter, **values)

    def message(self, **values: Any) -> UUID:
        row = {"direction": "in", "raw": b"MSH", "sha256": "0" * 64, "status": "received", **values}
        return self.add("hl7_message", received_at="2025-01-01T00:00:00Z", **row)


@pytest.fixture
def rows(clean: Store) -> Iterator[Rows]:
    with clean.connection() as connection:
        yield Rows(connection)


def test_a_code_that_is_not_listed_is_refused(rows: Rows) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_patient_gender"):
        rows.add("patient", id=rows.resource("Patient"), gender="xyz")


def test_an_order_has_its_numbers_unless_it_is_a_draft_or_a_plan(rows: Rows) -> None:
    rows.order(record_state="draft")
    rows.order(intent="plan")
    rows.order(order_number="ORD-2025-00001", accession_number="ACC-2025-00001")
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_service_order_numbered"):
        rows.order(order_number="ORD-2025-00002")


def test_an_order_number_is_given_once(rows: Rows) -> None:
    numbers = {"order_number": "ORD-2025-00001", "accession_number": "ACC-2025-00001"}
    rows.order(**numbers)
    with pytest.raises(psycopg.errors.UniqueViolation, match="uq_service_order_order_number"):
        rows.order(**{**numbers, "accession_number": "ACC-2025-00002"})


@pytest.mark.parametrize(("kind", "segment"), [("segment", None), ("index", "renal")])
def test_an_arterial_finding_has_a_segment_if_it_is_of_one(
    rows: Rows, kind: str, segment: str | None
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_arterial_finding_segment_of_kind"):
        rows.add("arterial_finding", id=rows.resource("Observation"), kind=kind, segment=segment)


@pytest.mark.parametrize("portals", ["[]", '["dala"]', '["proximal", "dala"]', None])
def test_a_set_may_hold_any_of_its_members(rows: Rows, portals: str | None) -> None:
    made = rows.case("rc_hipscope", portals=portals)
    found = rows.connection.execute("SELECT portals::text FROM rc_hipscope WHERE id = %s", [made])
    assert found.fetchone() == (portals,)


@pytest.mark.parametrize("portals", ['["dala", "navel"]', '"dala"', "{}", "null", "[1]"])
def test_a_set_may_hold_nothing_else(rows: Rows, portals: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_rc_hipscope_portals"):
        rows.case("rc_hipscope", portals=portals)


@pytest.mark.parametrize("size", ["35.9", "80.1"])
def test_a_measure_stays_within_its_limits(rows: Rows, size: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_rc_hiparthroplasty_cup_size"):
        rows.case("rc_hiparthroplasty", cup_size=size)


def test_only_other_cases_have_both_sides(rows: Rows) -> None:
    rows.case("rc_other", procedure_name="osteotomy", side="bilateral")
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_rc_kneescope_side"):
        rows.case("rc_kneescope", side="bilateral")


def test_a_case_has_one_follow_up_at_a_timepoint_and_any_number_at_others(rows: Rows) -> None:
    panel = rows.resource("Observation")
    rows.add("observation", id=panel, status="final")
    rows.add("rc_followup", id=rows.resource("Observation"), case_id=panel, timepoint="yr1")
    for _ in range(2):
        rows.add("rc_followup", id=rows.resource("Observation"), case_id=panel, timepoint="other")
        rows.add("rc_followup", id=rows.resource("Observation"), case_id=None, timepoint="yr1")
    with pytest.raises(psycopg.errors.UniqueViolation, match="uq_rc_followup_case_id_timepoint"):
        rows.add("rc_followup", id=rows.resource("Observation"), case_id=panel, timepoint="yr1")


def test_a_score_is_of_a_known_instrument(rows: Rows) -> None:
    rows.add("rc_outcome", id=rows.resource("Observation"), instrument="OKS", score="41")
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="fk_rc_outcome_instrument"):
        rows.add("rc_outcome", id=rows.resource("Observation"), instrument="GUESS", score="41")


def test_a_message_in_hand_or_applied_is_not_taken_twice_even_from_a_stranger(rows: Rows) -> None:
    rows.message(control_id="42")
    rows.message(control_id="42", status="duplicate")
    rows.message(control_id="42", sha256="1" * 64)
    with pytest.raises(psycopg.errors.UniqueViolation, match="uq_hl7_message_in"):
        rows.message(control_id="42", status="applied")


def test_a_message_that_was_refused_may_come_again(rows: Rows) -> None:
    rows.message(control_id="42", status="rejected")
    rows.message(control_id="42", status="received")


def test_only_identifiers_of_unique_systems_have_one_owner(rows: Rows) -> None:
    def identify(value: str, is_unique: bool) -> None:
        rows.add(
            "identifier",
            owner_id=rows.resource("Patient"),
            item_no=0,
            element="identifier",
            system="urn:x",
            value=value,
            is_unique=is_unique,
            resource_type="Patient",
        )

    for _ in range(2):
        identify("shared", False)
    identify("own", True)
    with pytest.raises(psycopg.errors.UniqueViolation, match="uq_identifier"):
        identify("own", True)


def test_a_row_may_name_another_that_comes_later_in_the_same_transaction(rows: Rows) -> None:
    patient = uuid4()
    with rows.connection.transaction():
        rows.add("specimen", id=rows.resource("Specimen"), patient_id=patient)
        rows.add(
            "resource",
            id=patient,
            resource_type="Patient",
            fhir_id="later",
            version=1,
            last_updated="2025-01-01T00:00:00Z",
            created_at="2025-01-01T00:00:00Z",
            origin="fhir",
        )
        rows.add("patient", id=patient)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="fk_specimen_patient_id"):
        rows.add("specimen", id=rows.resource("Specimen"), patient_id=uuid4())


def test_the_rows_of_a_resource_go_with_it(rows: Rows) -> None:
    made = rows.order(record_state="draft")
    rows.add("annotation", owner_id=made, item_no=0, element="note", text="x")
    rows.add("order_lab", id=made)
    rows.add("order_status_event", order_id=made, to_status="ordered", at="2025-01-01T00:00:00Z", via="rest")
    rows.connection.execute("DELETE FROM resource WHERE id = %s", [made])
    for table in ("service_order", "annotation", "order_lab", "order_status_event"):
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        assert rows.connection.execute(query).fetchone() == (0,), table
