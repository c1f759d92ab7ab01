"""Follow-ups, outcome scores, implants and complications of a case: added, read, changed, deleted, by any
door.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.mllp.framing import wrap
from gateway.native.case_forms import ADDED, MEMBER_PATHS
from storage.session import Store
from tests.fixtures.registry import Registry
from tests.fixtures.research_cases import case as observed
from tests.fixtures.research_cases import coded, component
from tests.fixtures.research_cases import outcome as scored
from tests.fixtures.server import Fhir, Gateway
from tests.wire.peer import ExpectFrame, HalfClose, Send, call

Values = dict[str, Any]
CHANGES: dict[str, Values] = {
    "followups": {"flexion_deg": 115, "satisfaction": None},
    "outcomes": {"score": 88.5, "reporter": "patient"},
    "implants": {"role": "liner", "lot_no": "Z9"},
    "complications": {"resolved": False, "treatment": "closed reduction"},
}


@pytest.fixture
def hip(registry: Registry) -> str:
    """The path of a case."""
    return f"hiparthroplasty/{registry.case('hiparthroplasty', side='left')['id']}"


def named(fhir: Fhir, hip: str) -> list[str]:
    """The members that the case names over FHIR."""
    found = fhir.get(f"Observation/{hip.partition('/')[2]}").json()
    return [item["reference"].removeprefix("Observation/") for item in found.get("hasMember", ())]


def listed(registry: Registry, hip: str, member: str) -> list[str]:
    return [found["id"] for found in registry.get(f"{hip}/{member}").json()]


@pytest.mark.parametrize("member", MEMBER_PATHS)
def test_a_member_is_added_read_changed_and_deleted_and_seen_over_fhir(
    registry: Registry, fhir: Fhir, hip: str, member: str
) -> None:
    made = registry.made(f"{hip}/{member}", **ADDED[member])
    assert {name: made[name] for name in ADDED[member]} == ADDED[member]
    assert (made["case_id"], made["patient_id"]) == (hip.partition("/")[2], "p")
    assert registry.get(f"{hip}/{member}/{made['id']}").json() == made
    assert registry.get(f"{hip}/{member}").json() == [made]
    assert fhir.get(f"Observation/{made['id']}").json()["status"] == "final"
    assert named(fhir, hip) == [made["id"]]
    changed = registry.patch(f"{hip}/{member}/{made['id']}", CHANGES[member]).json()
    assert {name: changed[name] for name in CHANGES[member]} == CHANGES[member]
    assert fhir.get(f"Observation/{made['id']}").json()["meta"]["versionId"] == "2"
    assert registry.delete(f"{hip}/{member}/{made['id']}").status_code == 204
    assert registry.get(f"{hip}/{member}/{made['id']}").status_code == 410
    assert registry.get(f"{hip}/{member}").json() == []
    assert fhir.get(f"Observation/{made['id']}").status_code == 410
    assert named(fhir, hip) == []


def test_members_of_each_kind_stay_apart(registry: Registry, hip: str) -> None:
    made = {member: registry.made(f"{hip}/{member}", **body)["id"] for member, body in ADDED.items()}
    for member, key in made.items():
        assert listed(registry, hip, member) == [key]
        others = [other for other in made if other != member]
        assert [registry.get(f"{hip}/{other}/{key}").status_code for other in others] == [404] * 3


def test_a_member_of_another_case_is_none_of_this_one(registry: Registry, hip: str) -> None:
    made = registry.made(f"{hip}/outcomes", **ADDED["outcomes"])
    other = f"hiparthroplasty/{registry.case('hiparthroplasty')['id']}"
    assert registry.get(f"{other}/outcomes").json() == []
    for answer in (
        registry.get(f"{other}/outcomes/{made['id']}"),
        registry.patch(f"{other}/outcomes/{made['id']}", {"score": 1}),
        registry.delete(f"{other}/outcomes/{made['id']}"),
        registry.get("hiparthroplasty/nobody/outcomes"),
        registry.post("hiparthroplasty/nobody/outcomes", ADDED["outcomes"]),
        registry.get(f"{hip}/visits"),
    ):
        assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(
    ("member", "values", "name"),
    [
        ("outcomes", {"instrument": "HHS", "score": 101}, "score"),
        ("outcomes", {"instrument": "EQ5D_INDEX", "score": -1.01}, "score"),
        ("outcomes", {"instrument": "HHS"}, "score"),
        ("outcomes", {"instrument": "GUESS", "score": 1}, "instrument"),
        ("outcomes", {"instrument": "HHS", "score": 1, "timepoint": "yr3"}, "timepoint"),
        ("followups", {"flexion_deg": 1}, "timepoint"),
        ("followups", {"timepoint": "yr1", "strength_grade": 6}, "strength_grade"),
        ("followups", {"timepoint": "yr1", "colour": "red"}, "colour"),
        ("followups", {"timepoint": "yr1", "followup_id": "x"}, "followup_id"),
        ("implants", {"role": "screwdriver"}, "role"),
        ("complications", {"kind": "dvt", "onset": "soon"}, "onset"),
    ],
)
def test_what_a_member_cannot_hold_is_refused_by_name(
    registry: Registry, hip: str, member: str, values: Values, name: str
) -> None:
    answer = registry.post(f"{hip}/{member}", values)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["expression"] == name
    assert registry.get(f"{hip}/{member}").json() == []


def test_the_range_of_a_score_is_that_of_the_reference_data(
    registry: Registry, fhir: Fhir, store: Store, hip: str
) -> None:
    statement = "UPDATE ref_outcome_instrument SET max_score = %s WHERE code = 'OKS'"
    with store.connection() as connection:
        connection.execute(statement, (40,))
        try:
            answer = registry.post(f"{hip}/outcomes", {"instrument": "OKS", "score": 41})
            assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (422, "score")
            assert "0 to 40" in answer.json()["detail"]
            registry.made(f"{hip}/outcomes", instrument="OKS", score=40)
            value = scored("OKS", subject={"reference": "Patient/p"}, valueQuantity={"value": 41})
            body = {name: part for name, part in value.items() if name not in ("encounter", "id")}
            assert fhir.post("Observation", body).json()["issue"][0]["expression"] == ["Observation.value"]
        finally:
            connection.execute(statement, (48,))


def test_a_score_may_be_at_either_end_of_its_range(registry: Registry, hip: str) -> None:
    for timepoint, score in (("preop", -1), ("yr1", 1)):
        made = registry.made(f"{hip}/outcomes", instrument="EQ5D_INDEX", timepoint=timepoint, score=score)
        assert made["score"] == score


@pytest.mark.parametrize("member", ["followups", "outcomes"])
def test_a_time_point_is_taken_once_and_free_again_after_deletion(
    registry: Registry, fhir: Fhir, hip: str, member: str
) -> None:
    body = ADDED[member]
    first = registry.made(f"{hip}/{member}", **body)
    again = registry.post(f"{hip}/{member}", body)
    assert again.status_code == 409
    assert again.json()["errors"][0]["expression"] == "timepoint"
    assert registry.delete(f"{hip}/{member}/{first['id']}").status_code == 204
    second = registry.made(f"{hip}/{member}", **body)
    assert fhir.delete(f"Observation/{second['id']}").status_code == 204
    assert registry.made(f"{hip}/{member}", **body)["id"] != second["id"]
    for _ in range(2):
        registry.made(f"{hip}/{member}", **body | {"timepoint": "other"})
    assert len(listed(registry, hip, member)) == 3


def test_a_case_with_members_is_not_deleted_and_one_without_is(registry: Registry, hip: str) -> None:
    made = registry.made(f"{hip}/implants", role="cup")
    assert registry.delete(hip).status_code == 409
    assert registry.delete(f"{hip}/implants/{made['id']}").status_code == 204
    assert registry.delete(hip).status_code == 204


def test_an_outcome_belongs_to_a_followup_of_its_case(registry: Registry, fhir: Fhir, hip: str) -> None:
    first, second = (registry.made(f"{hip}/followups", timepoint=each)["id"] for each in ("yr1", "yr2"))
    made = registry.made(f"{hip}/outcomes", **ADDED["outcomes"], followup_id=first)
    assert made["followup_id"] == first
    assert fhir.get(f"Observation/{first}").json()["hasMember"] == [
        {"reference": f"Observation/{made['id']}"}
    ]
    path = f"{hip}/outcomes/{made['id']}"
    assert registry.patch(path, {"followup_id": second, "score": 71}).json()["followup_id"] == second
    assert "hasMember" not in fhir.get(f"Observation/{first}").json()
    assert registry.patch(path, {"followup_id": None, "score": 72}).json()["followup_id"] is None
    assert registry.get(path).json()["score"] == 72
    other = f"hiparthroplasty/{registry.case('hiparthroplasty')['id']}"
    strange = registry.made(f"{other}/followups", timepoint="yr1")["id"]
    for wrong in (strange, "nobody"):
        answer = registry.patch(path, {"followup_id": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (404, "followup_id")


def test_a_deleted_followup_lets_its_outcomes_go(registry: Registry, fhir: Fhir, hip: str) -> None:
    visit = registry.made(f"{hip}/followups", timepoint="yr1")["id"]
    made = registry.made(f"{hip}/outcomes", **ADDED["outcomes"], followup_id=visit)
    assert fhir.delete(f"Observation/{visit}").status_code == 204
    assert registry.get(f"{hip}/outcomes/{made['id']}").json()["followup_id"] is None


def test_a_member_is_of_the_patient_of_its_case(registry: Registry, fhir: Fhir, hip: str) -> None:
    fhir.made("Patient", id="q")
    answer = registry.post(f"{hip}/implants", {"role": "cup", "patient_id": "q"})
    assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (422, "patient_id")
    answer = registry.post(f"{hip}/implants", {"role": "cup", "encounter_id": "nowhere"})
    assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (404, "encounter_id")


def test_the_carrier_of_an_implant_tells_its_numbers(registry: Registry, hip: str) -> None:
    made = registry.made(f"{hip}/implants", **ADDED["implants"])
    assert (made["udi_di"], made["lot_no"], made["serial_no"]) == ("00844588003288", "A213B1", "1234")


# --- over FHIR -------------------------------------------------------------------------------------------


def followup(timepoint: str, **more: Any) -> Values:
    value = component("rc-followup", "timepoint", coded("rc-followup-timepoint", timepoint))
    return observed("follow-up", value) | {"subject": {"reference": "Patient/p"}, "encounter": None} | more


def sent(fhir: Fhir, value: Values, key: str) -> None:
    body = {name: part for name, part in value.items() if part is not None} | {"id": key}
    answer = fhir.put(f"Observation/{key}", body)
    assert answer.status_code in (200, 201), answer.text


def name_members(fhir: Fhir, hip: str, *keys: str) -> None:
    found = fhir.get(f"Observation/{hip.partition('/')[2]}").json()
    found["hasMember"] = [{"reference": f"Observation/{key}"} for key in keys]
    found = {name: part for name, part in found.items() if part}
    answer = fhir.put(f"Observation/{found['id']}", found)
    assert answer.status_code == 200, answer.text


def test_members_that_came_over_fhir_are_listed_whichever_came_first(
    registry: Registry, fhir: Fhir, hip: str
) -> None:
    sent(fhir, followup("wk6"), "before")
    name_members(fhir, hip, "before", "after")
    assert listed(registry, hip, "followups") == ["before"]
    sent(fhir, followup("mo3"), "after")
    assert sorted(listed(registry, hip, "followups")) == ["after", "before"]


def test_a_member_that_its_case_names_no_more_is_let_go(registry: Registry, fhir: Fhir, hip: str) -> None:
    sent(fhir, followup("wk6"), "one")
    sent(fhir, followup("mo3"), "two")
    name_members(fhir, hip, "one", "two")
    name_members(fhir, hip, "two")
    assert listed(registry, hip, "followups") == ["two"]
    registry.made(f"{hip}/followups", timepoint="wk6")


def test_a_member_that_comes_back_belongs_to_its_case_again(registry: Registry, fhir: Fhir, hip: str) -> None:
    sent(fhir, followup("wk6"), "one")
    name_members(fhir, hip, "one")
    assert fhir.delete("Observation/one").status_code == 204
    assert listed(registry, hip, "followups") == []
    sent(fhir, followup("wk6"), "one")
    assert listed(registry, hip, "followups") == ["one"]


def test_a_member_stays_with_its_case_when_either_is_changed_over_fhir(
    registry: Registry, fhir: Fhir, hip: str
) -> None:
    made = registry.made(f"{hip}/outcomes", instrument="OHS", timepoint="preop", score=20)
    found = fhir.get(f"Observation/{made['id']}").json()
    found["valueQuantity"]["value"] = 21
    assert fhir.put(f"Observation/{made['id']}", found).status_code == 200
    registry.patch(hip, {"asa_class": 3})
    assert registry.get(f"{hip}/outcomes").json()[0]["score"] == 21


def test_a_score_beyond_its_range_is_refused_over_fhir_too(fhir: Fhir, registry: Registry) -> None:
    value = scored("OHS", subject={"reference": "Patient/p"}, valueQuantity={"value": 49})
    body = {name: part for name, part in value.items() if name not in ("encounter", "id")}
    answer = fhir.post("Observation", body)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Observation.value"])


# --- over HL7v2, and at once -----------------------------------------------------------------------------

HEAD = "MSH|^~\\&|REG|WEST|SUTURE|OR|20260210||ORU^R01|{id}|P|2.5.1\rPID|1||1234^^^WEST^MR||Doe^Jane\r"
CASE = (
    HEAD.format(id="C1")
    + "PV1|1|I|||||||||||||||||V9^^^WEST\r"
    + (
        "OBR|1||R77^REG|hip-arthroplasty^^99SGRC|||20260210||||||||||||||||||F\r"
        "OBX|1|CE|side^^99SGRC||left||||||F\r"
    )
)
SCORE = HEAD.format(id="{id}") + (
    "OBR|1||{id}^REG|outcome^^99SGRC|||20270305||||||||||||||||||F||||^R77&REG\r"
    "OBX|1|CE|instrument^^99SGRC||HHS||||||F\r"
    "OBX|2|CE|timepoint^^99SGRC||yr1||||||F\r"
    "OBX|3|NM|score^^99SGRC||{score}||||||F\r"
)


def test_a_score_that_came_over_hl7v2_is_listed_with_its_case(registry: Registry, gateway: Gateway) -> None:
    def acknowledged(message: str) -> bytes:
        steps = [Send(wrap(message.encode())), ExpectFrame(), HalfClose()]
        return call(gateway.mllp_port, steps).payloads[0]

    assert b"MSA|AA" in acknowledged(CASE)
    assert b"MSA|AA" in acknowledged(SCORE.format(id="S1", score=92))
    assert b"MSA|AE" in acknowledged(SCORE.format(id="S2", score=101))
    (found,) = registry.listed("hiparthroplasty", "")["items"]
    (score,) = registry.get(f"hiparthroplasty/{found['id']}/outcomes").json()
    assert (score["instrument"], score["timepoint"], score["score"]) == ("HHS", "yr1", 92)
    assert (score["score_date"], found["surgery_date"]) == ("2027-03-05", "2026-02-10")
    path = f"hiparthroplasty/{found['id']}/outcomes/{score['id']}"
    assert registry.patch(path, {"score": 93}).json()["score"] == 93


def test_members_that_are_added_at_once_are_all_named_by_the_case(
    registry: Registry, fhir: Fhir, hip: str
) -> None:
    bodies = [{"instrument": code, "timepoint": "yr1", "score": 10} for code in ("HHS", "OHS", "NAHS")] * 3
    with ThreadPoolExecutor(len(bodies)) as callers:
        made = list(callers.map(lambda body: registry.post(f"{hip}/outcomes", body), bodies))
    assert sorted(answer.status_code for answer in made) == [201] * 3 + [409] * 6
    assert sorted(named(fhir, hip)) == sorted(listed(registry, hip, "outcomes"))
    assert len(named(fhir, hip)) == 3
