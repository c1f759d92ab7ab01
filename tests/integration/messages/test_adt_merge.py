"""ADT^A40: two records of one patient become one, and nothing that was known of either is lost.

https://hl7.org/fhir/R4/patient-definitions.html#Patient.link
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records import Caller
from mappings.messages.coverage import MessageRefused


def header(kind: str) -> str:
    """The header of a message of a type."""
    return f"MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||{kind}|1|P|2.5.1"


def merge(*pairs: tuple[str, str]) -> str:
    """A merge of (surviving number, number that goes), pair by pair."""
    told = [
        line
        for number, (new, old) in enumerate(pairs, 1)
        for line in (f"PID|{number}||{new}^^^WEST^MR||Ortega^Ana", f"MRG|{old}^^^WEST^MR")
    ]
    return "\n".join((header("ADT^A40"), "EVN|A40|20260301080000+0000", *told))


def full(number: str, placer: str) -> str:
    """An order and its result of a patient, with a visit, an allergy and insurance."""
    return "\n".join(
        (
            header("ORU^R01"),
            f"PID|1||{number}^^^WEST^MR||Ortega^Ana",
            f"PV1|1|I|3W^12^1||||||||||||||||V{number}^^^WEST",
            "AL1|1|DA|^Penicillin",
            f"IN1|1|PPO^Gold^L|60054|Aetna|||||||||||||||||||||||||||||||||MB{number}",
            f"ORC|RE|{placer}^HIS",
            f"OBR|1|{placer}^HIS||718-7^Hemoglobin^LN|||20260301||||||||||||||||||F",
            "DG1|1||M16.12^Coxarthrosis^I10",
            "OBX|1|NM|718-7^Hemoglobin^LN||13.2|g/dL|||||F",
        )
    )


def person(number: str) -> str:
    """A registration of a person."""
    return "\n".join((header("ADT^A28"), "EVN|A28", f"PID|1||{number}^^^WEST^MR||Ortega^Ana"))


def by_number(gateway: Any) -> dict[str, dict[str, Any]]:
    """The patients by their first number."""
    return {item["identifier"][0]["value"]: item for item in gateway.all("Patient")}


OWNED = {
    "Encounter": "subject",
    "ServiceRequest": "subject",
    "DiagnosticReport": "subject",
    "Observation": "subject",
    "AllergyIntolerance": "patient",
    "Coverage": "beneficiary",
}


def test_all_that_hangs_on_the_other_record_is_the_survivors(gateway: Any) -> None:
    gateway.send(full("1", "P1"))
    gateway.send(full("2", "P2"))
    applied = gateway.send(merge(("1", "2")))
    found = by_number(gateway)
    survivor, old = found["1"], found["2"]
    for resource_type, element in OWNED.items():
        listed = gateway.all(resource_type)
        assert len(listed) == 2, resource_type
        assert {item[element]["reference"] for item in listed} == {f"Patient/{survivor['id']}"}
        assert sorted(item["meta"]["versionId"] for item in listed) == ["1", "2"], resource_type
    assert old["active"] is False
    assert old["link"] == [{"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}]
    assert survivor["link"] == [{"other": {"reference": f"Patient/{old['id']}"}, "type": "replaces"}]
    order = gateway.all("ServiceRequest")[1]
    assert str(gateway.row("service_order", order["id"])["patient_id"]) == survivor["id"]
    assert (
        applied.actions("Patient") == ["matched", "updated"] or applied.actions("Patient") == ["updated"] * 2
    )
    assert "Patient.link" in applied.coverage.mapped["MRG[1]-1"]


def test_codings_are_searched_under_the_survivor(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(full("2", "P2"))
    gateway.send(merge(("1", "2")))
    key = by_number(gateway)["1"]["id"]
    with gateway.store.connection() as connection:
        rows = connection.execute(
            "SELECT DISTINCT patient_id::text FROM coding WHERE patient_id IS NOT NULL"
        ).fetchall()
    assert rows == [(key,)]


def test_later_messages_that_name_the_old_number_reach_the_survivor(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(person("2"))
    gateway.send(merge(("1", "2")))
    gateway.send(full("2", "P2"))
    key = by_number(gateway)["1"]["id"]
    assert gateway.only("ServiceRequest")["subject"]["reference"] == f"Patient/{key}"
    assert len(gateway.all("Patient")) == 2
    assert [item["value"] for item in by_number(gateway)["1"]["identifier"]] == ["1"]


def test_a_result_finds_its_order_though_the_patients_were_merged_between(gateway: Any) -> None:
    gateway.send(person("1"))
    order = "PID|1||2^^^WEST^MR||Ortega^Ana\nORC|NW|P2^HIS\nOBR|1|P2^HIS||718-7^Hemoglobin^LN"
    gateway.send("\n".join((header("ORM^O01"), order)))
    gateway.send(merge(("1", "2")))
    gateway.send(full("2", "P2"))
    assert gateway.only("ServiceRequest")["status"] == "completed"


def test_merges_one_after_the_other_lead_to_the_last_survivor(gateway: Any) -> None:
    for number in ("1", "2", "3"):
        gateway.send(person(number))
    gateway.send(merge(("2", "3")))
    gateway.send(merge(("1", "2")))
    gateway.send(full("3", "P3"))
    key = by_number(gateway)["1"]["id"]
    assert gateway.only("ServiceRequest")["subject"]["reference"] == f"Patient/{key}"


def test_every_pair_of_a_message_is_merged(gateway: Any) -> None:
    for number in ("1", "2", "3", "4"):
        gateway.send(person(number))
    gateway.send(merge(("1", "2"), ("3", "4")))
    found = by_number(gateway)
    assert [found[number].get("active") for number in ("1", "2", "3", "4")] == [None, False, None, False]


def test_a_pair_that_cannot_be_merged_leaves_all_as_it_was(gateway: Any) -> None:
    for number in ("1", "2", "3"):
        gateway.send(person(number))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(merge(("1", "2"), ("3", "9")))
    told = refused.value.warning
    assert (told.code, told.segment, told.sequence, told.field) == ("204", "MRG", 2, 1)
    assert all("active" not in item for item in gateway.all("Patient"))


def test_a_survivor_who_is_not_known_is_made(gateway: Any) -> None:
    gateway.send(full("2", "P2"))
    gateway.send(merge(("1", "2")))
    key = by_number(gateway)["1"]["id"]
    assert gateway.only("Encounter")["subject"]["reference"] == f"Patient/{key}"


def test_the_same_merge_again_changes_nothing_and_says_so(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(person("2"))
    gateway.send(merge(("1", "2")))
    applied = gateway.send(merge(("1", "2")))
    assert {item.action for item in applied.written} == {"matched"}
    assert [item.segment for item in applied.coverage.warned if item.told] == ["MRG"]


def test_a_number_that_goes_may_stand_among_those_that_stay(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(person("2"))
    pid = "PID|1||1^^^WEST^MR~2^^^WEST^MR||Ortega^Ana\nMRG|2^^^WEST^MR"
    gateway.send("\n".join((header("ADT^A40"), "EVN|A40", pid)))
    found = by_number(gateway)
    assert found["2"]["active"] is False
    assert [item["value"] for item in found["1"]["identifier"]] == ["1"]


def test_the_same_number_of_two_authorities_is_two_numbers(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(person("1").replace("WEST^MR", "EAST^MR"))
    pair = "PID|1||1^^^WEST^MR||Ortega^Ana\nMRG|1^^^EAST^MR"
    gateway.send("\n".join((header("ADT^A40"), "EVN|A40", pair)))
    active = {item["identifier"][0]["system"]: item.get("active") for item in gateway.all("Patient")}
    assert active == {"urn:hl7:hd:WEST": None, "urn:hl7:hd:EAST": False}


def test_a_merge_changes_the_visit_that_it_numbers_and_makes_none(gateway: Any) -> None:
    gateway.send(full("2", "P2"))
    gateway.send(person("1"))
    gateway.send(merge(("1", "2")) + "\nPV1|1|I|ICU^2^1" + "|" * 16 + "V2^^^WEST")
    assert gateway.only("Encounter")["status"] == "in-progress"
    assert len(gateway.all("Location")) == 2
    gateway.send(merge(("1", "2")) + "\nPV1|1|I|ICU^2^1")
    assert len(gateway.all("Encounter")) == 1


@pytest.mark.parametrize(("mrg", "code"), [("", "100"), ("MRG||||||Ortega", "101")])
def test_a_merge_that_does_not_tell_of_whom_is_refused(gateway: Any, mrg: str, code: str) -> None:
    gateway.send(person("1"))
    with pytest.raises(MessageRefused) as refused:
        gateway.send("\n".join((header("ADT^A40"), "EVN|A40", "PID|1||1^^^WEST^MR", mrg)))
    assert (refused.value.warning.code, refused.value.warning.segment) == (code, "MRG")


def test_resources_without_tables_are_the_survivors_too(gateway: Any) -> None:
    gateway.send(person("1"))
    gateway.send(person("2"))
    old = by_number(gateway)["2"]["id"]
    plan = {
        "resourceType": "CarePlan",
        "status": "active",
        "intent": "plan",
        "subject": {"reference": f"Patient/{old}"},
    }
    gateway.records.create(Caller("fhir"), "CarePlan", plan)
    gateway.send(merge(("1", "2")))
    assert gateway.only("CarePlan")["subject"]["reference"] == f"Patient/{by_number(gateway)['1']['id']}"


def test_the_prior_name_is_an_old_one_of_the_survivor(gateway: Any) -> None:
    for number in ("1", "2"):
        gateway.send(person(number))
    raw = merge(("1", "2")) + "||||||Lopez^Ana~ORTEGA^ANA"
    applied = gateway.send(raw)
    told = [(item.get("use"), item["family"]) for item in by_number(gateway)["1"]["name"]]
    assert told == [(None, "Ortega"), ("old", "Lopez")]
    assert applied.coverage.mapped["MRG[1]-7"] == ["Patient.name"]
    gateway.send(person("1"))
    assert [item["family"] for item in by_number(gateway)["1"]["name"]] == ["Ortega", "Lopez"]


def test_the_prior_account_and_visit_are_told_of_where_they_move_to_the_survivor(gateway: Any) -> None:
    gateway.send(person("1"))
    visit = full("2", "P2").replace("||Ortega^Ana", "||Ortega^Ana|||||||||||||A2^^^WEST^AN", 1)
    gateway.send(visit)
    applied = gateway.send(merge(("1", "2")) + "||A2^^^WEST^AN||V2^^^WEST")
    for number in (3, 5):
        assert applied.coverage.mapped[f"MRG[1]-{number}"] == ["Encounter.subject"]
    key = by_number(gateway)["1"]["id"]
    assert gateway.only("Encounter")["subject"]["reference"] == f"Patient/{key}"
    assert gateway.only("Encounter")["account"][0]["identifier"]["value"] == "A2"
