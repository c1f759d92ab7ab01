"""Many patients exported over the native door, and templates of sheets."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any

import httpx
import pytest

from gateway.bulk.give import WRITABLE
from storage.model.flat import FIELDS
from storage.session import Store
from tests.fixtures.bulk import BULK, counts, create, exported, imported
from tests.fixtures.sheets import ALL, LEAST, least

# --- export ----------------------------------------------------------------------------------------------


def test_an_export_has_every_field_and_comes_back_as_it_was(http: httpx.Client, admin: str) -> None:
    odd = least(
        2,
        first_name="=HYPERLINK(1)",
        last_name='+Müller, "Jo"',
        middle_name="@x",
        preferred_name="'-1",
        phone_home="+49 170 1234567",
        medical_history="- first\n- second\r\n\tthird",
        postal_code="01234",
        notes="-5",
        religion=" spaced ",
        height_cm=178.5,
    )
    create(http, LEAST | ALL | {"mrn": "M1"}, odd)
    as_admin: Any = {"headers": {"x-user": admin}}
    content = http.get(f"{BULK}/export/csv", **as_admin)
    assert content.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="patients.csv"' in content.headers["content-disposition"]
    before = http.get(f"{BULK}/export/json", **as_admin).json()
    assert [list(each) for each in before] == [[field.name for field in FIELDS]] * 2
    assert {name: before[0][name] for name in ALL} == ALL | {"mrn": "M1"}
    assert {name: before[1][name] for name in odd} == odd
    for each in before:
        answer = http.delete(f"/api/v1/patients/{each['id']}?hard=true", **as_admin)
        assert answer.status_code == 204, answer.text
    assert counts(imported(http, content.content)) == {"total": 2, "created": 2}
    after = http.get(f"{BULK}/export/json", **as_admin).json()
    own = ("id", "created_at", "updated_at")
    assert [{k: v for k, v in each.items() if k not in own} for each in after] == [
        {k: v for k, v in each.items() if k not in own} for each in before
    ]


def test_no_cell_of_an_export_is_a_formula(http: httpx.Client) -> None:
    starts = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1"]
    create(http, *(least(number, notes=text) for number, text in enumerate(starts)))
    (patient,) = http.get("/api/v1/patients?mrn=M0").json()["items"]
    # Over FHIR a text may begin with what no form of ours lets in.
    assert patient["notes"] == "=1+1"
    cells = [cell for row in exported(http) for cell in row.values()]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert [row["notes"] for row in exported(http)] == [f"'{text}" for text in starts]


def test_numbers_are_masked_for_those_who_may_not_see_them_whole(http: httpx.Client, admin: str) -> None:
    create(http, least(1, ssn="123-45-6789"))
    assert [row["ssn"] for row in exported(http)] == ["***-**-6789"]
    assert http.get(f"{BULK}/export/json").json()[0]["ssn"] == "***-**-6789"
    whole = http.get(f"{BULK}/export/json", headers={"x-user": admin}).json()
    assert whole[0]["ssn"] == "123-45-6789"


def test_an_export_is_told_in_the_trail_without_any_value(
    http: httpx.Client, clean: Store, admin: str
) -> None:
    http.get(f"{BULK}/export/csv?city=Springfield&sex=F", headers={"x-user": admin})
    with clean.connection() as connection:
        found = connection.execute(
            "SELECT u.username, e.action, e.resource_type, e.detail FROM audit_event e"
            " JOIN app_user u ON u.id = e.actor_id WHERE e.detail ->> 'exported' IS NOT NULL"
        ).fetchall()
    assert found == [(admin, "R", "Patient", {"exported": "csv", "by": ["city", "sex"]})]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["M1", "M2", "M3"]),
        ("sex=F", ["M2"]),
        ("city=Chicago", ["M3"]),
        ("name=roe", ["M2"]),
        ("date_of_birth_from=1990&date_of_birth_to=1999", ["M3"]),
        ("mrn=nobody", []),
    ],
)
def test_an_export_is_narrowed_as_the_list_is(http: httpx.Client, query: str, found: list[str]) -> None:
    create(
        http,
        least(1),
        least(2, sex="F", last_name="Roe"),
        least(3, city="Chicago", date_of_birth="1995-05-05"),
    )
    assert [row["mrn"] for row in exported(http, query)] == found
    assert [each["mrn"] for each in http.get(f"{BULK}/export/json?{query}").json()] == found


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("query", ["colour=red", "sex=Q", "page=2", "date_of_birth_from=x"])
def test_filters_that_there_are_not_are_refused(http: httpx.Client, kind: str, query: str) -> None:
    answer = http.get(f"{BULK}/export/{kind}?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


def test_an_export_is_one_snapshot_while_others_write(http: httpx.Client) -> None:
    create(http, *(least(number, city="Springfield") for number in range(600)))
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        number = 600
        while not stop.is_set():
            told = create(http, *(least(number + each, city="Chicago") for each in range(20)))
            written.append(told["created"])
            number += 20

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            seen = [row["mrn"] for row in exported(http)]
            assert len(set(seen)) == len(seen) >= 600
            assert (len(seen) - 600) % 20 == 0, "a unit of work is seen whole or not at all"
    finally:
        stop.set()
        writer.join()
    assert sum(written) > 0


# --- template --------------------------------------------------------------------------------------------


def test_a_template_names_each_field_that_can_be_imported(http: httpx.Client) -> None:
    empty = http.get(f"{BULK}/template/csv")
    assert empty.headers["content-type"] == "text/csv; charset=utf-8"
    (header,) = csv.reader(io.StringIO(empty.text))
    assert header == [field.name for field in WRITABLE]
    assert counts(imported(http, empty.content)) == {}


def test_the_example_of_a_template_can_be_imported(http: httpx.Client) -> None:
    shown = http.get(f"{BULK}/template/csv?example=true").content
    assert counts(imported(http, shown, validate_only=True)) == {"total": 1, "valid": 1}
    assert counts(imported(http, shown)) == {"total": 1, "created": 1}
    made = http.get("/api/v1/patients/mrn/MRN123456").json()
    assert {name: made[name] for name in ALL if name != "ssn"} == {n: v for n, v in ALL.items() if n != "ssn"}
