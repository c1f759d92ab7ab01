"""Many patients at once over the native door: made, imported, and what is told of rows."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import httpx
import pytest

from gateway.bulk import load
from gateway.bulk.rows import Given, Outcome
from gateway.native import flat
from gateway.records import Caller, Records
from gateway.unit import Unit
from storage.session import Store
from tests.fixtures.bulk import BULK, IMPORT, account, counts, create, imported, listed, send
from tests.fixtures.server import MAX_BODY, MAX_IMPORT, Fhir, rows
from tests.fixtures.sheets import ALL, LEAST, least, sheet

# --- create ----------------------------------------------------------------------------------------------


def test_patients_are_made_together_and_seen_over_fhir(http: httpx.Client, fhir: Fhir) -> None:
    told = create(http, LEAST, least(2) | ALL | {"mrn": "M2"}, skip_duplicates=True)
    assert counts(told) == {"total": 2, "created": 2}
    assert [(each["row"], each["status"], each["mrn"]) for each in told["results"]] == [
        (1, "created", "MRN123456"),
        (2, "created", "M2"),
    ]
    for each in told["results"]:
        seen = fhir.get(f"Patient/{each['id']}").json()
        assert seen["identifier"][0]["value"] == each["mrn"]
        assert seen["meta"]["versionId"] == "1"
    assert fhir.get(f"Coverage?patient={told['results'][1]['id']}").json()["total"] == 2


def test_a_row_that_fails_does_not_take_its_neighbours_along(http: httpx.Client) -> None:
    told = create(http, least(1), least(2, sex="Q", email="no"), least(3, colour="red"), {"mrn": 7}, least(5))
    assert counts(told) == {"total": 5, "created": 2, "failed": 3}
    assert [each["status"] for each in told["results"]] == [
        "created",
        "failed",
        "failed",
        "failed",
        "created",
    ]
    wrong = {(each["row"], each["field"]) for each in told["errors"]}
    assert {(2, "sex"), (2, "email"), (3, "colour"), (4, "mrn"), (4, "sex")} <= wrong
    assert listed(http) == ["M1", "M5"]


@pytest.mark.parametrize("skip", [True, False])
def test_numbers_in_use_are_skipped_or_told(http: httpx.Client, skip: bool) -> None:
    create(http, least(1))
    told = create(http, least(1), least(2), least(2, city="Chicago"), skip_duplicates=skip)
    status = "skipped" if skip else "failed"
    assert [each["status"] for each in told["results"]] == [status, "created", status]
    assert [(each["row"], each["field"]) for each in told["errors"]] == (
        [] if skip else [(1, "mrn"), (3, "mrn")]
    )
    if not skip:
        assert told["errors"][1]["message"] == "is the number of row 2 too"
    assert listed(http) == ["M1", "M2"]


def test_a_number_of_a_row_that_failed_may_come_again(http: httpx.Client) -> None:
    told = create(http, least(1, sex="Q"), least(1))
    assert [each["status"] for each in told["results"]] == ["failed", "created"]


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"patients": [LEAST] * 1001}, 422, "patients"),
        ({"patients": LEAST}, 422, "patients"),
        ({"patients": ["x"]}, 422, "patients[0]"),
        ({}, 422, "patients"),
        ({"patients": [], "colour": 1}, 422, "colour"),
        ({"patients": [], "skip_duplicates": "yes"}, 422, "skip_duplicates"),
        ([LEAST], 400, None),
    ],
)
def test_a_body_of_another_form_is_refused_as_a_whole(
    http: httpx.Client, body: Any, status: int, place: str | None
) -> None:
    answer = http.post(f"{BULK}/create", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (status, place)


def test_a_thousand_patients_are_made(http: httpx.Client, clean: Store) -> None:
    told = create(http, *(least(number) for number in range(1000)))
    assert counts(told) == {"total": 1000, "created": 1000}
    assert rows(clean)["patient"] == 1000


def loaded(records: Records, numbers: range, **options: Any) -> list[Outcome]:
    given = [Given(number, least(number)) for number in numbers]
    report = load.Report(records.new_id())
    return list(load.load(records, Caller("csv"), load.Options(**options), given, report))


def test_a_row_that_only_the_database_refuses_is_found_among_its_neighbours(
    records: Records, clean: Store
) -> None:
    with clean.connection() as connection:
        connection.execute("ALTER TABLE patient ADD CONSTRAINT not_5 CHECK (mrn <> 'M5')")
    try:
        outcomes = loaded(records, range(1, 12))
    finally:
        with clean.connection() as connection:
            connection.execute("ALTER TABLE patient DROP CONSTRAINT not_5")
    assert [each.row for each in outcomes] == list(range(1, 12))
    assert [each.row for each in outcomes if each.status == "failed"] == [5]
    assert "not_5" in outcomes[4].wrong[0].message
    assert rows(clean)["patient"] == 10


@pytest.mark.parametrize("skip", [True, False])
def test_who_makes_the_same_patient_at_the_same_time_is_waited_for(records: Records, skip: bool) -> None:
    there, go_on = threading.Event(), threading.Event()

    def slow(unit: Unit) -> None:
        flat.create(unit, least(5))
        unit.flush()
        there.set()
        go_on.wait(10)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(records.unit, Caller("rest"), slow)
        there.wait(10)
        second = threads.submit(loaded, records, range(1, 9), skip_duplicates=skip)
        assert not wait([second], timeout=0.5).done
        go_on.set()
        outcomes = second.result()
        first.result()
    assert [each.status for each in outcomes if each.row != 5] == ["created"] * 7
    assert outcomes[4].id is not None
    assert (outcomes[4].status, [wrong.field for wrong in outcomes[4].wrong]) == (
        ("skipped", []) if skip else ("failed", ["mrn"])
    )


# --- import ----------------------------------------------------------------------------------------------


def test_a_sheet_is_imported_and_each_row_is_a_patient_of_the_sheet_s_door(
    http: httpx.Client, fhir: Fhir
) -> None:
    told = imported(http, sheet([least(1), least(2, city="Springfield")], columns=[*LEAST, "city"]))
    assert counts(told) == {"total": 2, "created": 2}
    assert (told["errors"], told["encoding"], told["delimiter"]) == ([], "utf-8", ",")
    history = fhir.get("Patient/_history?_count=1").json()
    assert '"url":"door","valueCode":"csv"' in json.dumps(history, separators=(",", ":"))
    assert listed(http) == ["M1", "M2"]


def test_errors_name_row_and_field(http: httpx.Client) -> None:
    content = sheet(
        [
            least(2, notes="two\nlines"),
            least(3, sex="Q", date_of_birth="yesterday"),
            least(4, height_cm="tall"),
            least(5),
        ],
        columns=[*LEAST, "height_cm", "notes"],
    )
    told = imported(http, content)
    assert counts(told) == {"total": 4, "created": 2, "failed": 2}
    assert [(each["row"], each["field"]) for each in told["errors"]] == [
        (3, "date_of_birth"),
        (3, "sex"),
        (4, "height_cm"),
    ]
    assert told["errors"][2]["message"] == "must be a number"


def test_validation_finds_what_an_import_would_and_writes_no_patient(
    http: httpx.Client, clean: Store
) -> None:
    create(http, least(1))
    content = sheet([least(1), least(2), least(2), least(3, sex="Q"), least(4)])
    before = rows(clean)
    told = imported(http, content, validate_only=True)
    assert counts(told) == {"total": 5, "valid": 2, "failed": 3}
    assert rows(clean) == before | {"import_batch": before["import_batch"] + 1}
    again = imported(http, content)
    assert counts(again) == {"total": 5, "created": 2, "failed": 3}
    assert again["errors"] == told["errors"]


def test_options_may_stand_in_the_query_and_those_of_the_form_win(http: httpx.Client) -> None:
    content = sheet([least(1)])
    answer = http.post(f"{IMPORT}?validate_only=true", files={"file": content.encode()})
    assert answer.json()["validate_only"] is True
    answer = http.post(
        f"{IMPORT}?validate_only=true", files={"file": content.encode()}, data={"validate_only": "false"}
    )
    assert (answer.json()["validate_only"], answer.json()["created"]) == (False, 1)


def test_an_import_that_broke_off_is_gone_on_with_by_skipping(http: httpx.Client) -> None:
    patients = [least(number) for number in range(450)]
    imported(http, sheet(patients[:250]))
    told = imported(http, sheet(patients), skip_duplicates=True)
    assert counts(told) == {"total": 450, "created": 200, "skipped": 250}
    assert told["errors"] == []


@pytest.mark.parametrize(
    ("content", "status", "places"),
    [
        (b"", 400, ["file"]),
        (b"mrn\n\xff\xfe\x81", 400, ["file"]),
        (b'mrn,first_name,last_name,date_of_birth,sex\n"M1,J,D,1980,F\n', 400, ["file"]),
        (b"mrn,first_name,last_name,date_of_birth,sex,colour,shape\n", 422, ["colour", "shape"]),
        (b"mrn,first_name,last_name,sex\n", 422, ["date_of_birth"]),
    ],
)
def test_a_sheet_that_cannot_be_read_is_refused_as_a_whole(
    http: httpx.Client, clean: Store, content: bytes, status: int, places: list[str]
) -> None:
    before = rows(clean)
    answer = send(http, content)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["expression"] for each in answer.json()["errors"]] == places
    assert rows(clean) == before


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {}}, 415),
        ({"data": {"validate_only": "true"}, "files": {"other": b"x"}}, 422),
        ({"files": {"file": b"mrn\n"}, "data": {"colour": "red"}}, 422),
        ({"files": {"file": b"mrn\n"}, "data": {"validate_only": "perhaps"}}, 422),
        ({"files": [("file", b"mrn\n"), ("file", b"mrn\n")]}, 422),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400),
        ({"content": b"nonsense", "headers": {"content-type": "multipart/form-data"}}, 400),
        (
            {
                "content": b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\nmrn',
                "headers": {"content-type": "multipart/form-data; boundary=x"},
            },
            400,
        ),
        ({"files": {"file": b"mrn\n"}, "data": {"validate_only": "x" * 2000}}, 413),
        ({"files": {"file": b"mrn\n"}, "params": {"validate_only": "perhaps"}}, 400),
        ({"files": {"file": b"mrn\n"}, "params": {"colour": "red"}}, 400),
    ],
)
def test_a_form_that_cannot_be_used_is_refused(http: httpx.Client, sent: dict[str, Any], status: int) -> None:
    answer = http.post(IMPORT, **sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_viewer_validates_and_imports_nothing(http: httpx.Client, store: Store, records: Records) -> None:
    with account(store, records, "viewer") as name:
        sent: dict[str, Any] = {"headers": {"x-user": name}, "files": {"file": sheet([LEAST]).encode()}}
        assert counts(http.post(f"{IMPORT}?validate_only=true", **sent).json()) == {"total": 1, "valid": 1}
        refused = http.post(IMPORT, **sent)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, "forbidden")
        body = {"patients": [LEAST]}
        assert http.post(f"{BULK}/create", json=body, headers={"x-user": name}).status_code == 403
        (newest, _, first) = http.get(f"{BULK}/imports").json()["items"]
    assert listed(http) == []
    assert (newest["finished_at"], newest["created"], first["validate_only"]) == (None, 0, True)


def test_a_file_larger_than_other_bodies_is_taken(http: httpx.Client) -> None:
    notes = "x" * 9_000
    content = sheet([least(number, sex="Q", notes=notes) for number in range(600)])
    assert MAX_BODY < len(content) < MAX_IMPORT
    told = imported(http, content)
    assert counts(told) == {"total": 600, "failed": 600}


def test_a_file_that_is_too_large_is_refused(http: httpx.Client, clean: Store) -> None:
    answer = send(http, b"mrn" + b"," * MAX_IMPORT)
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "import_batch" not in rows(clean)


def test_imports_are_listed_with_who_and_what_was_wrong(http: httpx.Client, admin: str) -> None:
    content = sheet([least(1), least(2, sex="Q")])
    files = {"file": ("of-march.csv", content)}
    made = http.post(IMPORT, files=files, headers={"x-user": admin}).json()
    create(http, least(3))
    newest, sent = http.get(f"{BULK}/imports").json()["items"]
    assert (newest["kind"], newest["by"], newest["filename"], newest["created"]) == (
        "json",
        "system",
        None,
        1,
    )
    assert (sent["id"], sent["kind"], sent["by"], sent["filename"]) == (
        made["id"],
        "csv",
        admin,
        "of-march.csv",
    )
    assert len(sent["sha256"]) == 64
    assert [sent[name] for name in ("total", "created", "skipped", "failed")] == [2, 1, 0, 1]
    one = http.get(f"{BULK}/imports/{made['id']}").json()
    assert one == sent | {"errors": made["errors"]}
    assert one["finished_at"] > one["started_at"]
    for name in ("x", "0195fdc5-0000-7000-8000-000000000000"):
        assert http.get(f"{BULK}/imports/{name}").status_code == 404
