"""The revisions: up, down and up again, and that they make exactly what the model says."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql

from storage import migrate
from storage.model import METADATA
from storage.model.people import SYSTEM_USER_ID
from storage.session import Store, driver_url, normalise_url

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
FUNCTIONS = """
SELECT proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'public' ORDER BY 1
"""
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name, ordinal_position
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 7
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
NOT_OF_THE_MODEL = ("alembic_version", "v_patient_body")


@contextmanager
def engine_of(url: str) -> Generator[sa.Connection]:
    engine = sa.create_engine(normalise_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def count_of(url: str, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    with psycopg.connect(driver_url(url)) as connection:
        return connection.execute(query).fetchall()[0][0]


def facts(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(driver_url(url)) as connection:
        found = connection.execute(query.encode()).fetchall()
    return [row for row in found if row[0] not in NOT_OF_THE_MODEL]


def test_up_down_and_up_again_leaves_nothing_and_loses_nothing(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    first = [facts(empty_database_url, query) for query in (TABLES, FUNCTIONS, COLUMNS, CONSTRAINTS, INDEXES)]
    assert first[0]

    migrate.downgrade(empty_database_url, "base")
    assert facts(empty_database_url, TABLES) == []
    assert facts(empty_database_url, FUNCTIONS) == []

    migrate.upgrade(empty_database_url)
    again = [facts(empty_database_url, query) for query in (TABLES, FUNCTIONS, COLUMNS, CONSTRAINTS, INDEXES)]
    assert again == first


def test_alembic_finds_no_difference_to_the_model(new_database: Callable[[bool], str]) -> None:
    with engine_of(new_database(True)) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize(
    "query",
    [COLUMNS, CONSTRAINTS, INDEXES],
    ids=["columns", "constraints", "indexes"],
)
def test_the_database_tells_the_same_of_the_revisions_and_of_the_model(
    new_database: Callable[[bool], str], query: str
) -> None:
    # Alembic compares neither CHECKs nor collations; the database's own account leaves nothing out.
    migrated, modelled = new_database(True), new_database(False)
    with engine_of(modelled) as connection:
        METADATA.create_all(connection)
        connection.commit()
    assert without_order(facts(migrated, query)) == without_order(facts(modelled, query))


def without_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize(
    ("table", "count"),
    [
        ("ref_imaging_modality", 6),
        ("ref_body_part", 10),
        ("ref_body_part_modality", 26),
        ("ref_lab_test", 10),
        ("ref_procedure_type", 5),
        ("identifier_system", 8),
        ("ref_outcome_instrument", 48),
        ("app_user", 1),
        ("number_counter", 0),
        ("site_setting", 0),
        ("code_map", 0),
    ],
)
def test_reference_rows_are_installed(new_database: Callable[[bool], str], table: str, count: int) -> None:
    assert count_of(new_database(True), table) == count


def test_some_reference_rows_are_as_the_source_has_them(new_database: Callable[[bool], str]) -> None:
    url = new_database(True)
    modalities = "SELECT string_agg(modality_code, ' ' ORDER BY modality_code) FROM ref_body_part_modality"
    assert facts(url, f"{modalities} WHERE body_part_code = 'PELVIS'") == [("CT MRI US XRAY",)]
    instrument = "SELECT min_score, max_score, higher_is_better, loinc_code FROM ref_outcome_instrument"
    assert facts(url, f"{instrument} WHERE code = 'EQ5D_INDEX'") == [(Decimal(-1), Decimal(1), True, None)]
    assert facts(url, f"{instrument} WHERE code = 'NRS_PAIN'") == [
        (Decimal(0), Decimal(10), False, "72514-3")
    ]
    unique = "SELECT is_unique FROM identifier_system WHERE uri ="
    assert facts(url, f"{unique} 'http://suture.example.org/fhir/sid/mrn'") == [(True,)]
    assert facts(url, f"{unique} 'http://hl7.org/fhir/sid/us-ssn'") == [(False,)]
    assert facts(url, "SELECT id, username, role FROM app_user") == [(SYSTEM_USER_ID, "system", "system")]


EVENT = """
INSERT INTO audit_event (id, at, interface, action, outcome)
VALUES (gen_random_uuid(), now(), 'rest', 'R', '0')
"""


@pytest.mark.parametrize("change", ["UPDATE audit_event SET role = 'admin'", "DELETE FROM audit_event"])
def test_the_audit_trail_can_be_added_to_but_not_changed(clean: Store, change: str) -> None:
    with clean.connection() as connection:
        connection.execute(EVENT)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="audit_event are never changed"):
            connection.execute(change.encode())
        assert connection.execute("SELECT count(*), max(role) FROM audit_event").fetchone() == (1, None)


class Chart:
    """One patient and observations of it, written as plain rows."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.patient = self.resource("Patient")
        connection.execute("INSERT INTO patient (id) VALUES (%s)", [self.patient])

    def resource(self, kind: str) -> Any:
        made = uuid4()
        self.connection.execute(
            "INSERT INTO resource (id, resource_type, fhir_id, version, last_updated, created_at, origin)"
            " VALUES (%s, %s, %s, 1, now(), now(), 'fhir')",
            [made, kind, str(made)],
        )
        return made

    def measured(self, loinc: str, on: str, value: str | None, unit: str, status: str = "final") -> Any:
        made = self.resource("Observation")
        self.connection.execute(
            "INSERT INTO observation"
            " (id, patient_id, status, effective_start, effective_lo, value_value, value_code)"
            " VALUES (%s, %s, %s, %s, %s::timestamptz, %s, %s)",
            [made, self.patient, status, on, on, value, unit],
        )
        self.coded(made, "code", "http://loinc.org", loinc)
        return made

    def coded(self, owner: Any, element: str, system: str, code: str, text: str | None = None) -> None:
        concept = uuid4()
        self.connection.execute(
            "INSERT INTO concept (id, owner_id, item_no, element, text) VALUES (%s, %s, 0, %s, %s)",
            [concept, owner, element, text],
        )
        self.connection.execute(
            "INSERT INTO coding (id, owner_id, item_no, concept_id, element, system, code)"
            " VALUES (%s, %s, 0, %s, %s, %s, %s)",
            [uuid4(), owner, concept, element, system, code],
        )

    def body(self, columns: str) -> tuple[Any, ...] | None:
        query = sql.SQL("SELECT {} FROM v_patient_body WHERE patient_id = %s")
        names = sql.SQL(", ").join(map(sql.Identifier, columns.split()))
        return self.connection.execute(query.format(names), [self.patient]).fetchone()


@pytest.fixture
def chart(clean: Store) -> Iterator[Chart]:
    with clean.connection() as connection:
        yield Chart(connection)


def test_the_body_view_shows_the_newest_final_measurement_in_our_units(chart: Chart) -> None:
    chart.measured("8302-2", "2020-01-01", "1.70", "m")
    chart.measured("8302-2", "2024-05-01", "68", "[in_i]")
    chart.measured("8302-2", "2025-01-01", "999", "cm", status="entered-in-error")
    chart.measured("29463-7", "2024-05-01", "70.5", "kg")
    assert chart.body("height_cm height_at weight_kg bmi") == (
        Decimal("172.72"),
        "2024-05-01",
        Decimal("70.5"),
        None,
    )


def test_the_body_view_leaves_a_value_in_an_unknown_unit_empty(chart: Chart) -> None:
    chart.measured("29463-7", "2024-05-01", "11", "[stone_av]")
    assert chart.body("weight_kg weight_at") == (None, "2024-05-01")


def test_the_body_view_leaves_out_what_was_deleted(chart: Chart) -> None:
    made = chart.measured("39156-5", "2024-05-01", "24.1", "kg/m2")
    assert chart.body("bmi") == (Decimal("24.1"),)
    chart.connection.execute("UPDATE resource SET deleted_at = now() WHERE id = %s", [made])
    assert chart.body("bmi") is None


def test_the_body_view_shows_the_blood_type_as_text(chart: Chart) -> None:
    made = chart.measured("882-1", "2024-05-01", None, "")
    chart.coded(made, "value", "http://snomed.info/sct", "278149003", "A+")
    assert chart.body("blood_type") == ("A+",)
