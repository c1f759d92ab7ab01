"""PID, PD1 and NK1: who a message is about, and what of a known patient it may change.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records import Caller
from mappings.messages.coverage import MessageRefused


def order(pid: str, *segments: str, facility: str = "WEST") -> str:
    """An order for a patient."""
    header = f"MSH|^~\\&|HIS|{facility}|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    return "\n".join((header, pid, *segments, "ORC|NW|P100^HIS", "OBR|1|P100^HIS||20610^Aspiration^C4"))


FULL = (
    "PID|1|OLD1|4711^^^WEST^MR~8822^^^REGION^PI|ALT9|Ortega^Ana^Maria^^Dr^^L"
    "|Lopez^Eva|197002141530+0000|F|Oro^Ana"
    "|2106-3^White^HL70005|1 Main St^^Springfield^IL^62701^USA^H|Sangamon"
    "|^^PH^^^217^5550100|^^PH^^^217^5550199"
    "|es^Spanish|M|CAT||123-45-6789|||H|Springfield||2|||||N"
)


def test_every_demographic_field_has_its_element(gateway: Any) -> None:
    gateway.send(
        order(
            FULL,
            "PD1||||D7^Ng^Wei^^^^^^WEST",
            "NTE|1||Needs an interpreter",
            "NK1|1|Ortega^Luis|SPO^Spouse^HL70063|1 Main St^^Springfield|^^PH^^^217^5550111",
        )
    )
    found = gateway.only("Patient")
    assert [(item["system"], item["value"]) for item in found["identifier"]] == [
        ("urn:hl7:hd:WEST", "4711"),
        ("urn:hl7:hd:REGION", "8822"),
        ("urn:hl7:hd:WEST", "OLD1"),
        ("urn:hl7:hd:WEST", "ALT9"),
        ("http://hl7.org/fhir/sid/us-ssn", "123456789"),
    ]
    assert found["name"][0] == {
        "use": "official",
        "family": "Ortega",
        "given": ["Ana", "Maria"],
        "prefix": ["Dr"],
    }
    assert found["name"][1]["family"] == "Oro"
    assert found["birthDate"] == "1970-02-14"
    assert found["_birthDate"]["extension"][0]["valueDateTime"] == "1970-02-14T15:30:00+00:00"
    assert found["gender"] == "female"
    assert found["address"][0]["district"] == "Sangamon"
    assert [(item["value"], item["use"]) for item in found["telecom"]] == [
        ("217 5550100", "home"),
        ("217 5550199", "work"),
    ]
    assert found["communication"][0]["language"]["coding"][0]["code"] == "es"
    assert found["maritalStatus"]["coding"][0]["code"] == "M"
    assert found["multipleBirthInteger"] == 2
    assert found["deceasedBoolean"] is False
    assert found["contact"][0]["name"]["family"] == "Ortega"
    assert found["generalPractitioner"][0]["reference"].startswith("Practitioner/")
    told = {item["url"].rpartition("/")[2]: item for item in found["extension"]}
    assert told["us-core-race"]["extension"][0]["valueCoding"]["code"] == "2106-3"
    assert told["us-core-ethnicity"]["extension"][0]["valueCoding"]["code"] == "2135-2"
    assert told["patient-mothersMaidenName"]["valueString"] == "Lopez"
    assert told["patient-note"]["valueAnnotation"]["text"] == "Needs an interpreter"


def test_a_known_patient_is_only_completed_and_differences_are_noted_without_values(gateway: Any) -> None:
    gateway.send(order("PID|1||4711^^^WEST^MR||Ortega^Ana||19700214"))
    applied = gateway.send(order("PID|1||4711^^^WEST^MR~55^^^REGION^PI||Ortega^Anna||19700215|F"))
    found = gateway.only("Patient")
    assert found["name"] == [{"family": "Ortega", "given": ["Ana"]}]
    assert found["birthDate"] == "1970-02-14"
    assert found["gender"] == "female"
    assert len(found["identifier"]) == 2
    noted = {(item.segment, item.field) for item in applied.coverage.warned}
    assert {("PID", 5), ("PID", 7)} <= noted
    assert not any("Anna" in item.text or "1970" in item.text for item in applied.coverage.warned)


def test_a_patient_is_found_by_a_second_identifier(gateway: Any) -> None:
    gateway.send(order("PID|1||4711^^^WEST^MR~55^^^REGION^PI||Ortega^Ana"))
    gateway.send(order("PID|1||55^^^REGION^PI||Ortega^Ana").replace("P100", "P200"))
    gateway.only("Patient")


def test_a_patient_of_a_fhir_client_is_found_by_the_declared_system(gateway: Any) -> None:
    gateway.records.create(
        Caller("fhir"),
        "Patient",
        {"resourceType": "Patient", "identifier": [{"system": "urn:hl7:hd:WEST", "value": "4711"}]},
    )
    gateway.send(order("PID|1||4711^^^WEST^MR||Ortega^Ana"))
    assert gateway.only("Patient")["name"][0]["family"] == "Ortega"


def test_identifiers_of_different_patients_refuse_the_message(gateway: Any) -> None:
    gateway.send(order("PID|1||1^^^WEST^MR||A^B"))
    gateway.send(order("PID|1||2^^^WEST^MR||C^D").replace("P100", "P200"))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(order("PID|1||1^^^WEST^MR~2^^^WEST^MR||A^B"))
    assert (refused.value.warning.code, refused.value.warning.field) == ("205", 3)
    assert len(gateway.all("ServiceRequest")) == 2


def test_a_shared_social_security_number_is_no_key(gateway: Any) -> None:
    gateway.send(order("PID|1||1^^^WEST^MR||A^B||||||||||||||123456789"))
    gateway.send(order("PID|1||2^^^WEST^MR||C^D||||||||||||||123456789").replace("P100", "P200"))
    assert len(gateway.all("Patient")) == 2


def test_a_social_security_number_is_known_by_who_gives_it(gateway: Any) -> None:
    gateway.send(order("PID|1||1^^^WEST^MR~123456789^^^USSSA^SS||A^B"))
    gateway.send(order("PID|1||2^^^WEST^MR~123456789^^^USSSA^SS||C^D").replace("P100", "P200"))
    told = [item["identifier"][1] for item in gateway.all("Patient")]
    assert [item["system"] for item in told] == ["http://hl7.org/fhir/sid/us-ssn"] * 2


def test_a_number_for_which_old_versions_have_no_form_is_a_telephone_number(gateway: Any) -> None:
    gateway.send(order("PID|1||1^^^WEST^MR||A^B||||||||^PRN^PH^^^^^^+44 20 7946 0958~^PRN^PH^^^^^^after six"))
    assert gateway.only("Patient")["telecom"] == [
        {"system": "phone", "value": "+44 20 7946 0958", "use": "home"}
    ]


def test_a_patient_without_identifier_is_refused(gateway: Any) -> None:
    with pytest.raises(MessageRefused) as refused:
        gateway.send(order("PID|1||||Ortega^Ana"))
    assert (refused.value.warning.code, refused.value.warning.segment, refused.value.warning.field) == (
        "101",
        "PID",
        3,
    )


def test_a_malformed_birth_date_is_warned_about_and_kept(gateway: Any) -> None:
    applied = gateway.send(order("PID|1||4711^^^WEST^MR||Ortega^Ana||Aug 15, 1942|M"))
    found = gateway.only("Patient")
    assert "birthDate" not in found
    assert found["gender"] == "male"
    assert applied.codes() == ["102"]
    assert gateway.row("resource", found["id"])["v2_remainder"]["PID"]["7"] == "Aug 15, 1942"


def test_next_of_kin_before_the_patient_are_taken_with_a_warning(gateway: Any) -> None:
    raw = order("NK1|1|Ortega^Luis|SPO", "PID|1||4711^^^WEST^MR||Ortega^Ana")
    applied = gateway.send(raw)
    assert applied.codes() == ["100"]
    assert gateway.only("Patient")["contact"][0]["name"]["family"] == "Ortega"


@pytest.mark.parametrize("dated", ["never", "^never"])
def test_a_date_that_is_none_costs_neither_the_number_nor_the_name_that_it_is_about(
    gateway: Any, dated: str
) -> None:
    applied = gateway.send(order(f"PID|1||4711^^^WEST^MR^^{dated}||Ortega^Ana^^^^^^^^^^{dated}||19700214|F"))
    found = gateway.only("Patient")
    assert [item["value"] for item in found["identifier"]] == ["4711"]
    assert found["name"] == [{"family": "Ortega", "given": ["Ana"]}]
    assert applied.codes() == ["102"]


def test_a_code_of_nothing_but_white_space_is_none(gateway: Any) -> None:
    gateway.send(order("PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F||\t^White|||||||\t"))
    found = gateway.only("Patient")
    assert found["extension"][0]["extension"] == [{"url": "text", "valueString": "White"}]


@pytest.mark.parametrize("again", [False, True])
def test_an_address_for_mail_beside_a_number_is_not_lost(gateway: Any, *, again: bool) -> None:
    pid = (
        "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
        + "|" * 5
        + "5550100^PRN^PH^ana@home.example|^WPN^Internet^ana@work.example"
    )
    if again:
        gateway.send(order(pid.replace("ana@", "anita@")).replace("ORM^O01", "ADT^A08").partition("\nORC")[0])
    event = gateway.send(order(pid).replace("ORM^O01", "ADT^A08").partition("\nORC")[0])
    told = [(item["system"], item["value"], item["use"]) for item in gateway.only("Patient")["telecom"]]
    assert told == [
        ("phone", "5550100", "home"),
        ("email", "ana@home.example", "home"),
        ("email", "ana@work.example", "work"),
    ]
    assert event.coverage.mapped["PID[1]-13"] == ["Patient.telecom"]
