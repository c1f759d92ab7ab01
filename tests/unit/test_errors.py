"""The error tree in its three dialects: OperationOutcome, RFC 9457, ERR.

https://hl7.org/fhir/R4/operationoutcome.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from gateway import errors
from gateway.errors import Issue, Problem, fault, operation_outcome, problem_details, problem_of, problem_with
from gateway.fhir.validate import check
from mappings import definitions
from mappings.element import Refused
from storage import errors as stored

ERROR_CODES = {
    "100",
    "101",
    "102",
    "103",
    "104",
    "198",
    "199",
    *(str(n) for n in range(200, 208)),
}  # table 0357


def tree(root: type[Problem] = Problem) -> Iterator[type[Problem]]:
    yield root
    for branch in root.__subclasses__():
        yield from tree(branch)


PROBLEMS = list(tree())


@pytest.mark.parametrize("kind", PROBLEMS)
def test_each_problem_can_be_told_in_every_dialect(kind: type[Problem]) -> None:
    problem = kind()
    outcome = operation_outcome(problem)
    check(outcome, "OperationOutcome")
    assert outcome["issue"][0]["diagnostics"].startswith(kind.title())
    details = problem_details(problem)
    assert details["status"] == HTTPStatus(kind.status)
    assert details["type"].startswith(f"{errors.ISSUE_SYSTEM}#")
    told = fault(problem)
    assert told.ack_code in {"AE", "AR"}
    assert told.code in ERROR_CODES
    assert told.text == kind.title()


@pytest.mark.parametrize("kind", PROBLEMS)
def test_each_class_has_codes_of_the_standard_and_a_message_of_its_own(kind: type[Problem]) -> None:
    issue_types = definitions.codes("issue-type") or {}
    assert kind.issue_code in frozenset().union(*issue_types.values())
    assert (kind.__doc__ or "").endswith(".")
    assert [other.title() for other in PROBLEMS].count(kind.title()) == 1


def test_the_tree_drawn_in_the_module_is_the_tree_of_the_classes() -> None:
    drawn = {
        (name, int(status), code)
        for name, status, code in re.findall(r"[├└]── (\w+) +(\d{3}) ([\w-]+)", errors.__doc__ or "")
    }
    assert drawn == {
        (kind.__name__, kind.status, kind.issue_code) for kind in PROBLEMS if kind is not Problem
    }


def test_the_text_of_a_problem_holds_nothing_of_the_request() -> None:
    problem = errors.CodeInvalid('"Secret" is not a code', expression="Patient.gender")
    assert "Secret" not in f"{problem} {problem!r}"
    assert "Secret" not in fault(problem).text
    assert operation_outcome(problem)["issue"] == [
        {
            "severity": "error",
            "code": "code-invalid",
            "diagnostics": '"Secret" is not a code',
            "expression": ["Patient.gender"],
        }
    ]


def test_problem_details_list_every_issue() -> None:
    issues = [Issue("error", "required", "status is missing", "Observation"), Issue("error", "value", "x")]
    details = problem_details(problem_with(issues))
    assert details["title"] == "Something required is missing."
    assert details["detail"] == "status is missing"
    assert [entry["code"] for entry in details["errors"]] == ["required", "value"]


@pytest.mark.parametrize(
    ("codes", "status", "issue_code"),
    [
        (["value", "structure"], 400, "structure"),
        (["invariant", "code-invalid"], 422, "invariant"),
        (["code-invalid", "invariant"], 422, "code-invalid"),
        (["required", "invalid", "structure"], 400, "invalid"),
        (["informational"], 422, "processing"),
    ],
)
def test_many_issues_become_one_problem_of_the_lowest_status(
    codes: list[str], status: int, issue_code: str
) -> None:
    problem = problem_with([Issue("error", code, "x") for code in codes])
    assert (problem.status, problem.issue_code, len(problem.issues)) == (status, issue_code, len(codes))


@pytest.mark.parametrize(
    ("raised", "status", "issue_code", "ack_code", "err3"),
    [
        (Refused("code-invalid", "Patient.gender", "F", "male, female"), 422, "code-invalid", "AE", "103"),
        (Refused("value", "Patient.birthDate", "x"), 422, "value", "AE", "102"),
        (Refused("required", "Patient.name", None), 422, "required", "AE", "101"),
        (Refused("business-rule", "Procedure.status", "x"), 422, "business-rule", "AE", "101"),
        (Refused("invariant", "Patient", None), 422, "invariant", "AE", "102"),
        (Refused("structure", "Patient.name", "x"), 400, "structure", "AR", "100"),
        (stored.Stale("Patient", "1", 2, 3), 412, "conflict", "AE", "205"),
        (stored.Duplicate("mrn", "urn:x", "1"), 409, "duplicate", "AR", "205"),
        (stored.Dependents(3), 409, "conflict", "AR", "205"),
        (stored.Dangling("fk_x"), 409, "conflict", "AR", "205"),
        (stored.NotThere(), 404, "not-found", "AR", "204"),
        (stored.Gone(), 410, "deleted", "AR", "204"),
        (stored.Unfit("ck_x"), 422, "value", "AE", "102"),
        (stored.Contended(), 503, "transient", "AE", "206"),
        (stored.Unavailable(), 503, "transient", "AE", "206"),
        (errors.IllegalTransition("reported → scheduled"), 409, "conflict", "AE", "207"),
        (RuntimeError("Secret"), 500, "exception", "AE", "207"),
        (RecursionError(), 500, "exception", "AE", "207"),
    ],
)
def test_each_exception_of_the_lower_layers_has_its_problem(
    raised: Exception, status: int, issue_code: str, ack_code: str, err3: str
) -> None:
    problem = problem_of(raised)
    told = fault(problem)
    assert (problem.status, problem.issues[0].code) == (status, issue_code)
    assert (told.ack_code, told.code) == (ack_code, err3)


def test_a_refusal_keeps_its_place_and_what_is_allowed() -> None:
    problem = problem_of(Refused("code-invalid", "Patient.gender", "F", "male, female"))
    assert problem.issues[0].expression == "Patient.gender"
    assert "male, female" in problem.issues[0].diagnostics


def test_a_refusal_with_a_message_of_its_own_still_tells_what_is_allowed() -> None:
    problem = problem_of(Refused("value", "Patient.birthDate", "F", "a date", "no date"))
    assert problem.issues[0].diagnostics == "no date; allowed: a date"


def test_an_unexpected_exception_gives_a_correlation_id_and_nothing_else() -> None:
    problem = problem_of(RuntimeError("Secret"), "c-1")
    for told in (operation_outcome(problem), problem_details(problem), fault(problem)):
        assert "Secret" not in repr(told)
    assert "c-1" in operation_outcome(problem)["issue"][0]["diagnostics"]
    assert problem_details(problem)["correlation_id"] == "c-1"
    assert fault(problem).severity == "F"


def test_a_storage_error_says_its_kind_and_no_value() -> None:
    assert str(stored.Duplicate("mrn", "urn:x", "Secret")) == "A value that must be unique is already taken."


TABLES = """
CREATE TEMP TABLE parent (id int PRIMARY KEY, name text CONSTRAINT uq_name UNIQUE);
CREATE TEMP TABLE child (
    parent_id int CONSTRAINT fk_parent REFERENCES parent ON DELETE RESTRICT,
    kind text CONSTRAINT ck_kind CHECK (kind IN ('a', 'b')),
    size smallint NOT NULL DEFAULT 1
);
INSERT INTO parent VALUES (1, 'Secret'), (2, 'x');
INSERT INTO child VALUES (1, 'a');
"""


@pytest.fixture(scope="module")
def connection(server_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server_url, autocommit=True) as opened:
        opened.execute(TABLES)
        yield opened


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ("INSERT INTO parent VALUES (3, 'Secret')", stored.Duplicate, "uq_name"),
        ("INSERT INTO child VALUES (9, 'a')", stored.Dangling, "fk_parent"),
        ("INSERT INTO child VALUES (1, 'c')", stored.Unfit, "ck_kind"),
        ("INSERT INTO child VALUES (1, 'a', NULL)", stored.Unfit, "size"),
        ("INSERT INTO child VALUES (1, 'a', 99999)", stored.Unfit, ""),
    ],
)
def test_a_broken_constraint_is_known_by_its_name(
    connection: psycopg.Connection, statement: str, kind: type[Exception], name: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)  # pyright: ignore[reportArgumentType, reportCallIssue]
    known = stored.known(caught.value)
    assert type(known) is kind
    assert name in known.args
    assert "Secret" not in problem_of(caught.value).issues[0].diagnostics


def test_a_row_that_others_point_at_has_dependents(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("DELETE FROM parent WHERE id = 1")
    # PostgreSQL 18 tells RESTRICT apart (23001); older servers say that a foreign key broke.
    assert isinstance(stored.known(caught.value), stored.Dependents | stored.Dangling)
    assert problem_of(caught.value).status == 409


def test_a_statement_that_ran_out_of_time_is_unavailable(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 1")
        with pytest.raises(psycopg.Error) as caught, connection.transaction():
            connection.execute("SELECT pg_sleep(1)")
    assert problem_of(caught.value).status == 503


def test_a_serialization_failure_is_contended() -> None:
    assert isinstance(stored.from_driver(psycopg.errors.SerializationFailure()), stored.Contended)
    assert isinstance(stored.from_driver(psycopg.errors.DeadlockDetected()), stored.Contended)


def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        psycopg.connect("postgresql://nobody@127.0.0.1:1/none", connect_timeout=2)
    assert isinstance(stored.known(caught.value), stored.Unavailable)


def test_what_sqlalchemy_wraps_is_known_too(server_url: str) -> None:
    engine = sqlalchemy.create_engine(sqlalchemy.make_url(server_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as opened, pytest.raises(DBAPIError) as caught:
        opened.execute(sqlalchemy.text("SELECT 1 / 0"))
    engine.dispose()
    assert isinstance(stored.known(caught.value), stored.Unfit)


def test_a_mistake_in_sql_stays_an_internal_error(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute("SELECT nothing FROM nowhere")
    assert problem_of(caught.value, "c-2").status == 500
