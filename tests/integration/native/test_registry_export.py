"""The research registry as a sheet and as lines of FHIR: columns, scores, filters, while others write."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import event

from gateway.app import new_id, now
from gateway.bulk import give
from gateway.native import research_export
from gateway.native.streams import Pieces
from gateway.records import Caller, Records
from mappings.research.asked import filters
from mappings.research.sheet import TIMEPOINTS
from storage import registry as stored
from storage.model.research import KINDS
from storage.session import Store
from tests.fixtures.registry import Registry
from tests.fixtures.server import Fhir, Gateway

Row = dict[str, str]
HIPSCOPE = KINDS["rc_hipscope"]


def sheet(registry: Registry, asked: str) -> list[Row]:
    answer = registry.get(asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def lines(registry: Registry, asked: str) -> list[bytes]:
    answer = registry.get(asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fhir+ndjson"
    return answer.content.splitlines()


def test_a_sheet_has_one_row_for_each_case_with_its_scores_beside_it(registry: Registry) -> None:
    first = registry.case("hiparthroplasty", side="left", cup_size=54, releases=["piriformis", "conjoint"])
    second = registry.case("hiparthroplasty", dual_mobility=True, head_length_mm=-4)
    hip = f"hiparthroplasty/{first['id']}"
    for timepoint, score in (("preop", 51), ("yr1", 92.5)):
        registry.made(f"{hip}/outcomes", instrument="HHS", timepoint=timepoint, score=score)
    registry.made(f"{hip}/outcomes", instrument="EQ5D_INDEX", timepoint="preop", score=-0.25)
    rows = sheet(registry, "hiparthroplasty/export/csv")
    assert [row["id"] for row in rows] == [first["id"], second["id"]]
    one, two = rows
    assert (one["side"], one["cup_size"], one["releases"]) == ("left", "54", "piriformis;conjoint")
    assert (one["patient_id"], one["encounter_id"], one["surgery_date"]) == ("p", "v", "2026-03-02")
    assert (one["hhs_preop"], one["hhs_yr1"], one["hhs_yr2"]) == ("51", "92.5", "")
    assert one["eq5d_index_preop"] == "-0.25"
    assert (two["hhs_preop"], two["dual_mobility"], two["head_length_mm"]) == ("", "true", "-4")


def test_a_score_that_has_no_column_stands_in_the_last_one(registry: Registry) -> None:
    hip = f"hiparthroplasty/{registry.case('hiparthroplasty')['id']}"
    registry.made(f"{hip}/outcomes", instrument="DASH", timepoint="yr1", score=12)
    dated = {"timepoint": "other", "score_date": "2026-05-04"}
    registry.made(f"{hip}/outcomes", instrument="HHS", score=70, **dated)
    registry.made(f"{hip}/outcomes", instrument="HHS", score=80)
    (row,) = sheet(registry, "hiparthroplasty/export/csv")
    assert row["other_outcomes"] == "HHS other 2026-05-04=70;DASH yr1=12;HHS=80"


def test_scores_that_were_withdrawn_or_deleted_are_not_counted(registry: Registry, fhir: Fhir) -> None:
    hip = f"hiparthroplasty/{registry.case('hiparthroplasty')['id']}"
    wrong = registry.made(f"{hip}/outcomes", instrument="HHS", timepoint="preop", score=70)
    registry.patch(f"{hip}/outcomes/{wrong['id']}", {"status": "entered-in-error"})
    gone = registry.made(f"{hip}/outcomes", instrument="HHS", timepoint="yr1", score=70)
    fhir.delete(f"Observation/{gone['id']}")
    (row,) = sheet(registry, "hiparthroplasty/export/csv")
    assert (row["hhs_preop"], row["hhs_yr1"]) == ("", "")


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.path)
def test_the_header_follows_from_the_kind_and_not_from_the_cases(registry: Registry, kind: Any) -> None:
    empty = registry.get(f"{kind.path}/export/csv").text
    registry.case(kind.path, **({"procedure_name": "Else"} if kind.path == "other" else {}))
    full = registry.get(f"{kind.path}/export/csv").text
    assert full.splitlines()[0] == empty.strip()
    names = empty.strip().split(",")
    assert len(names) == len(set(names))
    listed = registry.listed(kind.path, "")["items"][0]
    assert set(listed) - set(names) == {"rc_kind"}
    assert names[-1] == "other_outcomes"
    assert {f"vas_pain_{timepoint}" for timepoint in TIMEPOINTS} <= set(names)
    assert ("hhs_preop" in names) == kind.path.startswith(("hip", "other"))


def test_a_cell_that_a_spreadsheet_could_run_is_written_as_text(registry: Registry) -> None:
    texts = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=x", 'a "quoted", text\nof two lines')
    for text in texts:
        registry.case("hiparthroplasty", cup_model=text)
    found = [row["cup_model"] for row in sheet(registry, "hiparthroplasty/export/csv")]
    assert found == [*(f"'{text}" for text in texts[:-1]), texts[-1]]


def test_attributes_stand_in_their_cell_as_json(registry: Registry) -> None:
    attributes = [{"code": "graft_length", "kind": "quantity", "value": 12.5, "unit": "mm"}]
    registry.case("other", procedure_name="Graft", attributes=attributes)
    (row,) = sheet(registry, "other/export/csv")
    assert json.loads(row["attributes"]) == attributes


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_filters_apply_to_exports(registry: Registry, form: str) -> None:
    left = registry.case("hiparthroplasty", side="left")
    registry.case("hiparthroplasty", side="right")
    read = {
        "csv": lambda asked: [row["id"] for row in sheet(registry, asked)],
        "ndjson": lambda asked: [json.loads(line)["id"] for line in lines(registry, asked)],
    }[form]
    assert read(f"hiparthroplasty/export/{form}?side=left") == [left["id"]]
    assert read(f"hiparthroplasty/export/{form}?asa_class=3") == []
    for asked, name in (("colour=red", "colour"), ("page=1", "page"), ("side=up", "side")):
        answer = registry.get(f"hiparthroplasty/export/{form}?{asked}")
        assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (400, name)
    assert registry.get(f"elbow/export/{form}").status_code == 404


def test_the_lines_are_the_stored_resources_of_cases_and_their_members(
    registry: Registry, fhir: Fhir
) -> None:
    first, second = (registry.case("hipscope", side=side)["id"] for side in ("left", "right"))
    registry.case("hiparthroplasty")
    score = registry.made(f"hipscope/{first}/outcomes", instrument="IHOT12", score=70)["id"]
    visit = registry.made(f"hipscope/{first}/followups", timepoint="yr1")["id"]
    gone = registry.made(f"hipscope/{second}/complications", kind="dvt")["id"]
    registry.delete(f"hipscope/{second}/complications/{gone}")
    found = lines(registry, "hipscope/export/ndjson")
    assert [json.loads(line)["id"] for line in found] == [first, visit, score, second]
    assert found == [fhir.get(f"Observation/{json.loads(line)['id']}").content for line in found]


def test_an_export_is_given_to_who_takes_its_format(registry: Registry) -> None:
    for accept, form, status in (
        ("text/csv", "csv", 200),
        ("text/*;q=0.5", "csv", 200),
        ("application/json", "csv", 406),
        ("text/csv;q=0", "csv", 406),
        ("application/fhir+ndjson", "ndjson", 200),
        ("application/x-ndjson, text/html", "ndjson", 200),
        ("text/csv", "ndjson", 406),
    ):
        answer = registry.get(f"hipscope/export/{form}", headers={"accept": accept})
        assert answer.status_code == status, (accept, form)
    named = registry.get("hipscope/export/csv").headers["content-disposition"]
    assert named == 'attachment; filename="hipscope.csv"'


def multiply(store: Store, count: int) -> None:
    """Multiply the arthroscopy of a hip that is there, in the database alone."""
    with store.connection() as connection:
        for table in ("resource", "resource_version", "observation", "rc_hipscope"):
            found = connection.execute(f"SELECT * FROM {table} LIMIT 0".encode())  # noqa: S608 - own tables
            names = [column.name for column in found.description or ()]
            key = "resource_id" if table == "resource_version" else "id"
            told = {key: "n.id", "fhir_id": "CAST(n.id AS text)", "registry_id": "NULL"}
            listed = ", ".join(told.get(name, f't."{name}"') for name in names)
            statement = f"""INSERT INTO {table} SELECT {listed} FROM {table} t, (
                SELECT CAST(lpad(to_hex(place), 32, '0') AS uuid) AS id
                FROM generate_series(1, {count}) AS place) n
            WHERE t.{key} = (SELECT id FROM observation WHERE detail = 'rc_hipscope'
                ORDER BY id DESC LIMIT 1)"""  # noqa: S608
            connection.execute(statement.encode())


def test_who_goes_away_in_the_middle_leaves_nothing_behind(
    registry: Registry, store: Store, gateway: Gateway
) -> None:
    registry.case("hipscope", notes="x" * 2000)
    multiply(store, 3000)
    for _ in range(20):
        with registry.http.stream("GET", "/api/v1/rc/hipscope/export/ndjson") as answer:
            next(answer.iter_bytes(100))
    with gateway.logged() as written:
        answer = registry.get("hipscope/export/csv")
        assert len(answer.text.splitlines()) == 3002
    assert written() == ""


REQUIRED = {"first_name": "Ann", "last_name": "Lee", "date_of_birth": "1980-02-03", "sex": "F"}
EXPORTS: dict[str, Callable[[Records], Pieces]] = {
    "cases as a sheet": lambda records: research_export.pieces_of_sheet(records, HIPSCOPE, []),
    "cases as resources": lambda records: research_export.pieces_of_resources(records, HIPSCOPE, []),
    "patients as a sheet": lambda records: give.sheet(records, Caller("csv"), {}),
    "patients as objects": lambda records: give.objects(records, Caller("csv"), {}),
}


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS.keys())
def test_a_connection_is_at_rest_when_an_abandoned_export_gives_it_back(
    registry: Registry, store: Store, database_url: str, export: Callable[[Records], Pieces]
) -> None:
    registry.case("hipscope", notes="x")
    multiply(store, 600)
    people = [{**REQUIRED, "mrn": f"gone-{place}"} for place in range(600)]
    assert registry.http.post("/api/v1/patients/bulk/create", json={"patients": people}).status_code < 300
    given_back: list[TransactionStatus] = []
    alone = Store(database_url, pool_size=1)
    try:
        event.listen(alone.engine, "reset", lambda raw, *_: given_back.append(raw.info.transaction_status))
        begun = export(Records(alone, now, new_id))
        assert len(next(begun)) > 100
        begun.close()
        assert given_back[-1] is TransactionStatus.IDLE
        with alone.connection() as connection:
            assert connection.execute("SELECT count(*) FROM rc_hipscope").fetchone() == (601,)
    finally:
        alone.close()


def test_an_export_is_of_the_moment_when_it_began(registry: Registry, store: Store) -> None:
    kind = KINDS["rc_hipscope"]
    registry.case("hipscope", side="left")
    multiply(store, 500)
    with store.connection() as connection:
        found = stored.stream(connection, kind, filters(kind, {"side": "left"}))
        first = next(found)
        later = registry.case("hipscope", side="left")
        ids = [first[0]["id"], *(case["id"] for case, _ in found)]
    assert len(ids) == 501
    assert later["id"] not in ids


@pytest.fixture
def fresh(database_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """A gateway that has done nothing yet: what others had it keep does not blur its memory."""
    running = Gateway(database_url, tmp_path / "log")
    try:
        running.wait()
        yield running
    finally:
        running.stop()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_export_of_any_size_needs_the_memory_of_a_batch(
    registry: Registry, store: Store, fresh: Gateway
) -> None:
    registry.case("hipscope", notes="x" * 8000)
    multiply(store, 500)
    paths = [f"{fresh.url}/api/v1/rc/hipscope/export/{form}" for form in ("csv", "ndjson")]
    for path in paths:
        assert registry.http.get(path).status_code == 200
    before = peak(fresh)
    with store.connection() as connection:
        connection.execute("SET session_replication_role = replica")
        for table in ("rc_hipscope", "observation", "resource_version", "resource"):
            key = "resource_id" if table == "resource_version" else "id"
            connection.execute(f"DELETE FROM {table} WHERE {key} < '{2**80:032x}'".encode())  # noqa: S608
        connection.execute("SET session_replication_role = origin")
    multiply(store, 5000)
    for path in paths:
        with registry.http.stream("GET", path) as answer:
            assert sum(map(len, answer.iter_bytes())) > 40_000_000
    # Held whole, 40 MB of text would take more than twice as much, as objects and as text.
    assert peak(fresh) - before < 40_000


def peak(gateway: Gateway) -> int:
    """Return the most memory that a process of the gateway has had, in KB."""
    top = gateway.process.pid
    below = Path(f"/proc/{top}/task/{top}/children").read_text().split()
    status = [Path(f"/proc/{process}/status").read_text() for process in (top, *below)]
    return max(int(text.split("VmHWM:")[1].split()[0]) for text in status)
