"""The research registry over the native door: lists, filters, order, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from mappings.research.asked import parameters, sortable
from storage.model.research import KINDS
from tests.fixtures.registry import Registry
from tests.fixtures.server import Fhir

HIPS = (
    {"side": "left", "cup_size": 50, "surgery_date": "2026-01-10", "releases": ["piriformis", "conjoint"]},
    {"side": "right", "cup_size": 54.50, "surgery_date": "2026-02", "dual_mobility": True, "asa_class": 2},
    {"side": "right", "cup_size": 58, "surgery_date": "2026-03-01", "cup_model": "Trident", "asa_class": 3},
)
CASES: dict[str, Any] = {
    "side=right": [1, 2],
    "cup_size=54.5": [1],
    "cup_size_min=54.50": [1, 2],
    "cup_size_max=54.5": [0, 1],
    "cup_size_min=51&cup_size_max=57": [1],
    "asa_class=3": [2],
    "asa_class_min=2": [1, 2],
    "asa_class_max=2": [1],
    "surgery_date=2026-02": [1],
    "surgery_date=2026-02-03": [],
    "surgery_date=2026": [0, 1, 2],
    "surgery_date_from=2026-02-14": [1, 2],
    "surgery_date_to=2026-02-14": [0, 1],
    "releases=conjoint": [0],
    "releases=iliopsoas": [],
    "dual_mobility=true": [1],
    "dual_mobility=false": [],
    "cup_model=Trident": [2],
    "cup_model=trident": [],
    "status=registered": [0, 1, 2],
    "status=final": [],
    "patient_id=p": [0, 1, 2],
    "patient_id=nobody": [],
    "encounter_id=v": [0, 1, 2],
    "procedure_id=x": [2],
    "surgeon_id=s": [2],
    "trainee_id=t": [2],
    "created_from=2020": [0, 1, 2],
    "created_to=2020": [],
    "updated_from=2020-01-01": [0, 1, 2],
    "updated_to=2020-01-01": [],
    "side=": [0, 1, 2],
}


@pytest.fixture
def hips(registry: Registry, fhir: Fhir) -> list[str]:
    """Three hips; the last has a procedure, a surgeon and a trainee."""
    fhir.made("Practitioner", id="s")
    fhir.made("Practitioner", id="t")
    fhir.made("Procedure", id="x", status="completed", subject={"reference": "Patient/p"})
    people = {"procedure_id": "x", "surgeon_id": "s", "trainee_id": "t"}
    return [
        registry.case("hiparthroplasty", **hip, **(people if place == 2 else {}))["id"]
        for place, hip in enumerate(HIPS)
    ]


@pytest.mark.parametrize("query", CASES)
def test_a_list_is_narrowed_by_any_column(registry: Registry, hips: list[str], query: str) -> None:
    found = registry.listed("hiparthroplasty", query)
    assert [hips.index(case["id"]) for case in found["items"]] == CASES[query]
    assert found["total"] == len(CASES[query])


def test_a_list_shows_a_case_as_it_is_read_by_its_id(registry: Registry, hips: list[str]) -> None:
    for case in registry.listed("hiparthroplasty", "")["items"]:
        assert case == registry.get(f"hiparthroplasty/{case['id']}").json()


def test_a_list_comes_in_pages(registry: Registry, hips: list[str]) -> None:
    first = registry.listed("hiparthroplasty", "page_size=2")
    assert {name: first[name] for name in ("total", "page", "page_size", "pages")} == {
        "total": 3,
        "page": 1,
        "page_size": 2,
        "pages": 2,
    }
    second = registry.listed("hiparthroplasty", "page_size=2&page=2")
    assert [case["id"] for case in (*first["items"], *second["items"])] == hips


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.path)
def test_each_filter_and_each_order_of_each_kind_can_be_asked(registry: Registry, kind: Any) -> None:
    needed = {"procedure_name": "Something else"} if kind.path == "other" else {}
    registry.case(kind.path, **needed)
    texts = {"date": "2026", "boolean": "true", "quantity": "1.5", "integer": "1"}
    asked = {
        name: found.column.values[0] if found.column.values else texts.get(found.column.kind, "word")
        for name, found in parameters(kind).items()
    }
    assert registry.get(kind.path, params=asked).json()["total"] == 0
    for name in sortable(kind):
        for way in ("asc", "desc"):
            answer = registry.get(kind.path, params={"sort_by": name, "sort_order": way})
            assert answer.status_code == 200, answer.text
            assert answer.json()["total"] == 1


def test_a_list_is_sorted_by_any_column_what_has_none_last(registry: Registry, hips: list[str]) -> None:
    def places(asked: str) -> list[int]:
        return [hips.index(case["id"]) for case in registry.listed("hiparthroplasty", asked)["items"]]

    assert places("sort_by=cup_size&sort_order=desc") == [2, 1, 0]
    assert places("sort_by=surgery_date") == [0, 1, 2]
    assert places("sort_by=asa_class&sort_order=desc") == [2, 1, 0]
    assert places("sort_by=asa_class&sort_order=asc") == [1, 2, 0]
    assert places("sort_by=created_at&sort_order=desc") == [2, 1, 0]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("colour=red", "colour"),
        ("cup_size=big", "cup_size"),
        ("cup_size_min=nan", "cup_size_min"),
        ("side=up", "side"),
        ("releases=gluteus", "releases"),
        ("asa_class=1.5", "asa_class"),
        ("asa_class=99999999999", "asa_class"),
        ("dual_mobility=perhaps", "dual_mobility"),
        ("surgery_date_from=yesterday", "surgery_date_from"),
        ("surgery_date=2026-02-31", "surgery_date"),
        ("sort_by=colour", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("page=0", "page"),
        ("page_size=501", "page_size"),
        ("side=left&side=right", "side"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(registry: Registry, asked: str, name: str) -> None:
    answer = registry.get(f"hiparthroplasty?{asked}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["expression"] == name


def test_an_unknown_parameter_is_told_which_there_are(registry: Registry) -> None:
    detail = registry.get("kneearthroplasty?constraint_type=x").json()["detail"]
    assert "constraint," in detail
    assert "surgery_date_from" in detail


def test_words_that_callers_use_for_codes_are_understood_in_filters(registry: Registry) -> None:
    made = registry.case("shoulderarthroplasty", arthroplasty_type="RSA")
    found = registry.listed("shoulderarthroplasty", "arthroplasty_type=RSA")
    assert [case["id"] for case in found["items"]] == [made["id"]]
    assert found["items"][0]["arthroplasty_type"] == "reverse"
    assert registry.listed("shoulderarthroplasty", "arthroplasty_type=TSA")["total"] == 0


def test_attributes_are_found_by_their_codes(registry: Registry) -> None:
    attribute = {"code": "graft_length", "kind": "quantity", "value": 12.50, "unit": "mm"}
    made = registry.case("other", procedure_name="Graft", attributes=[attribute])
    found = registry.listed("other", "attributes=graft_length")
    assert [case["id"] for case in found["items"]] == [made["id"]]
    assert registry.listed("other", "attributes=graft")["total"] == 0


def test_a_deleted_case_is_gone_here_and_over_fhir_and_its_versions_stay(
    registry: Registry, fhir: Fhir, hips: list[str]
) -> None:
    assert registry.delete(f"hiparthroplasty/{hips[0]}").status_code == 204
    assert registry.get(f"hiparthroplasty/{hips[0]}").status_code == 410
    assert registry.delete(f"hiparthroplasty/{hips[0]}").status_code == 410
    assert fhir.get(f"Observation/{hips[0]}").status_code == 410
    assert fhir.get(f"Observation/{hips[0]}/_history/1").status_code == 200
    assert registry.listed("hiparthroplasty", "")["total"] == 2


def test_a_case_of_another_kind_is_none_of_this_one(registry: Registry, hips: list[str]) -> None:
    for answer in (registry.get(f"hipscope/{hips[0]}"), registry.delete(f"hipscope/{hips[0]}")):
        assert answer.status_code == 404
    assert registry.listed("hipscope", "")["items"] == []
    assert "hiparthroplasty" in registry.get("elbow").json()["detail"]


def test_a_case_sent_over_fhir_is_listed(registry: Registry, fhir: Fhir, hips: list[str]) -> None:
    sent = fhir.get(f"Observation/{hips[1]}").json()
    del sent["id"], sent["meta"]
    made = fhir.post("Observation", sent).json()
    listed = registry.listed("hiparthroplasty", "dual_mobility=true")["items"]
    assert [case["id"] for case in listed] == [hips[1], made["id"]]
    own = ("id", "created_at", "updated_at")
    first, second = ({name: value for name, value in case.items() if name not in own} for case in listed)
    assert first == second
