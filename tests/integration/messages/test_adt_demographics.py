"""What registration (ADT) changes in a known patient: empty keeps, `""` clears, all else replaces.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.records import Caller

FULL = {
    3: "4711^^^WEST^MR",
    5: "Ortega^Ana^Maria^^Dr^^L",
    6: "Lopez",
    7: "197002141530+0000",
    8: "F",
    9: "Oro^Ana",
    10: "2106-3^White^HL70005",
    11: "1 Main St^^Springfield^IL^62701^USA^H",
    12: "Sangamon",
    13: "^PRN^PH^^^217^5550100~^NET^Internet^ana@example.org",
    14: "^WPN^PH^^^217^5550199",
    15: "es^Spanish",
    16: "M",
    17: "CAT",
    19: "123-45-6789",
    22: "H",
    23: "Springfield",
    25: "2",
    29: "20260201",
    30: "Y",
}
KIN = "NK1|1|Ortega^Luis|SPO^Spouse^HL70063|1 Main St^^Springfield|^PRN^PH^^^217^5550111"


def adt(event: str, fields: dict[int, str], *segments: str) -> str:
    """An ADT message about the person alone."""
    pid = "|".join(["PID", *(fields.get(number, "") for number in range(1, 41))]).rstrip("|")
    header = f"MSH|^~\\&|ADT|WEST|SUTURE|OR|20260301080000+0000||ADT^{event}|1|P|2.5.1"
    return "\n".join((header, f"EVN|{event}|20260301080000+0000", pid, *segments))


def told(**fields: str) -> dict[int, str]:
    """PID with its number and the fields that are told."""
    return {3: "4711^^^WEST^MR", **{int(name[1:]): value for name, value in fields.items()}}


@pytest.fixture
def known(gateway: Any) -> Any:
    """A gateway that knows the patient with every field."""
    gateway.send(adt("A28", FULL, "PD1||||D7^Ng^Wei^^^^^^WEST", KIN))
    return gateway


def test_an_empty_field_keeps(known: Any) -> None:
    before = known.only("Patient")
    applied = known.send(adt("A31", told(f8="F")))
    assert known.only("Patient") == before
    assert {item.action for item in applied.written} == {"matched"}


@pytest.mark.parametrize("event", ["A01", "A08", "A31"])
def test_registration_replaces_what_differs(known: Any, event: str) -> None:
    fields = told(
        f5="Ruiz^Ana^^^^^L",
        f7="19700215",
        f8="O",
        f11="2 Oak St^^Salem",
        f13="^PRN^PH^^^217^5550222",
        f16="D",
    )
    known.send(adt(event, fields, "PV1|1|I"))
    found = known.only("Patient")
    assert [item["family"] for item in found["name"]] == ["Ruiz", "Oro"]
    assert found["birthDate"] == "1970-02-15"
    assert "_birthDate" not in found
    assert found["gender"] == "other"
    assert [item["city"] for item in found["address"]] == ["Salem"]
    assert found["maritalStatus"]["coding"][0]["code"] == "D"
    numbers = {(item["system"], item["value"]) for item in found["telecom"]}
    assert numbers == {("phone", "217 5550222"), ("email", "ana@example.org"), ("phone", "217 5550199")}


def test_two_quotation_marks_clear(known: Any) -> None:
    cleared = dict.fromkeys((6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 22, 23, 25, 29, 30), '""')
    known.send(adt("A31", {3: FULL[3], **cleared}, 'PD1||||""', 'NK1|1|""'))
    found = known.only("Patient")
    assert found.keys() == {"resourceType", "id", "meta", "identifier", "name"}
    assert [item["family"] for item in found["name"]] == ["Ortega"]


def test_an_alias_replaces_the_alias_alone(known: Any) -> None:
    known.send(adt("A31", told(f9="Oro^Anita")))
    names = known.only("Patient")["name"]
    assert [(item["family"], item["given"][0]) for item in names] == [("Ortega", "Ana"), ("Oro", "Anita")]


def test_a_county_alone_is_of_the_address_that_is_known(known: Any) -> None:
    known.send(adt("A31", told(f12="Menard")))
    found = known.only("Patient")["address"]
    assert (found[0]["district"], found[0]["city"]) == ("Menard", "Springfield")


def test_a_telephone_at_work_leaves_that_at_home(known: Any) -> None:
    known.send(adt("A31", told(f14="^WPN^PH^^^217^5550333")))
    numbers = [item["value"] for item in known.only("Patient")["telecom"]]
    assert sorted(numbers) == ["217 5550100", "217 5550333", "ana@example.org"]


def test_who_was_said_to_be_dead_is_not(known: Any) -> None:
    assert known.only("Patient")["deceasedDateTime"] == "2026-02-01"
    known.send(adt("A08", told(f30="N")))
    found = known.only("Patient")
    assert found["deceasedBoolean"] is False
    assert "deceasedDateTime" not in found


def test_a_death_that_is_confirmed_keeps_its_date(known: Any) -> None:
    known.send(adt("A08", told(f30="Y")))
    assert known.only("Patient")["deceasedDateTime"] == "2026-02-01"


def test_contacts_and_practitioners_are_those_of_the_last_message(known: Any) -> None:
    known.send(adt("A31", told(), "PD1||||D8^Roe^Pat^^^^^^WEST", KIN.replace("Luis", "Eva")))
    found = known.only("Patient")
    assert [item["name"]["given"] for item in found["contact"]] == [["Eva"]]
    assert len(found["generalPractitioner"]) == 1


RELATED = KIN + "||N|20200101|||||||M|19690101"


def test_kin_are_related_persons_too(gateway: Any) -> None:
    gateway.send(adt("A28", told(), RELATED, "NK1|2|Works^Inc|EMR|2 Mill St"))
    patient, found = gateway.only("Patient"), gateway.only("RelatedPerson")
    assert [item["name"]["family"] for item in patient["contact"]] == ["Ortega", "Works"]
    assert patient["contact"][0]["period"] == {"start": "2020-01-01"}
    assert found["patient"] == {"reference": f"Patient/{patient['id']}"}
    assert found["relationship"][0]["coding"][0] == {
        "system": "http://terminology.hl7.org/CodeSystem/v2-0063",
        "code": "SPO",
        "display": "Spouse",
    }
    assert (found["gender"], found["birthDate"]) == ("male", "1969-01-01")
    gateway.send(adt("A31", told(), RELATED.replace("1 Main St", "3 Elm St")))
    found = gateway.only("RelatedPerson")
    assert found["address"][0]["line"] == ["3 Elm St"]
    assert found["meta"]["versionId"] == "2"


def test_an_animal_has_species_and_breed(gateway: Any) -> None:
    gateway.send(adt("A28", told(f35="125097000^Goat^SCT", f36="^Saanen")))
    found = next(
        item for item in gateway.only("Patient")["extension"] if item["url"].endswith("patient-animal")
    )
    assert [item["url"] for item in found["extension"]] == ["species", "breed"]


def test_the_organization_of_primary_care_is_named(known: Any) -> None:
    known.send(adt("A31", told(), "PD1|||Elm Practice^^55|D8^Roe^Pat^^^^^^WEST"))
    found = known.only("Patient")["generalPractitioner"]
    assert found[1] == {"identifier": {"value": "55"}, "display": "Elm Practice"}


def test_language_race_and_ethnicity_are_replaced(known: Any) -> None:
    known.send(adt("A31", told(f10="2028-9^Asian^HL70005", f15="en^English", f22="N")))
    found = known.only("Patient")
    assert [item["language"]["coding"][0]["code"] for item in found["communication"]] == ["en"]
    codes = {
        item["url"].rpartition("-")[2]: item["extension"][0]["valueCoding"]["code"]
        for item in found["extension"]
        if "us-core" in item["url"]
    }
    assert codes == {"race": "2028-9", "ethnicity": "2186-5"}


def test_what_another_door_told_stays_where_the_message_says_nothing(gateway: Any) -> None:
    gateway.records.create(
        Caller("fhir"),
        "Patient",
        {
            "resourceType": "Patient",
            "identifier": [{"system": "urn:hl7:hd:WEST", "value": "4711"}],
            "name": [{"use": "official", "family": "Ortega"}, {"use": "maiden", "family": "Lopez"}],
            "communication": [{"language": {"text": "French"}}],
        },
    )
    gateway.send(adt("A31", told(f5="Ruiz^Ana^^^^^L", f15="es^Spanish")))
    found = gateway.only("Patient")
    assert [item["family"] for item in found["name"]] == ["Ruiz", "Lopez"]
    assert len(found["communication"]) == 2


def test_the_same_message_again_changes_nothing(known: Any) -> None:
    applied = known.send(adt("A08", FULL, "PD1||||D7^Ng^Wei^^^^^^WEST", KIN))
    assert {item.action for item in applied.written} == {"matched"}


def test_an_order_completes_kin_that_are_known_and_takes_none_away(gateway: Any) -> None:
    gateway.send(adt("A28", told(), KIN))
    header = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    kin = RELATED.replace("1 Main St", "3 Elm St")
    order = f"{header}\nPID|1||4711^^^WEST^MR\n{kin}\nORC|NW|P1^HIS\nOBR|1|P1^HIS||20610^A^C4"
    gateway.send(order)
    found = gateway.only("RelatedPerson")
    assert found["address"][0]["line"] == ["1 Main St"]
    assert found["gender"] == "male"
    applied = gateway.send(order)
    assert applied.actions("RelatedPerson") == ["matched"]


def test_the_mothers_number_is_hers_whom_kin_tell_of(gateway: Any) -> None:
    mother = "NK1|1|Lopez^Rosa|MTH^Mother^HL70063"
    for _ in range(2):
        gateway.send(adt("A28", told(f5="Ortega^Baby", f21="8801^^^WEST^MR"), mother))
    found = gateway.only("RelatedPerson")
    assert [item["value"] for item in found["identifier"]] == ["8801"]
    assert found["name"][0]["family"] == "Lopez"


def test_a_mother_who_is_told_of_by_her_number_alone_is_a_related_person(gateway: Any) -> None:
    raw = adt("A28", told(f5="Ortega^Baby", f21="8801^^^WEST^MR"))
    gateway.send(raw)
    found = gateway.only("RelatedPerson")
    assert found["relationship"][0]["coding"][0]["code"] == "MTH"
    assert found["patient"]["reference"] == f"Patient/{gateway.only('Patient')['id']}"
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_roles_are_played_for_the_patient_in_the_visit_or_in_the_procedure(gateway: Any) -> None:
    pv1 = "PV1|1|I|3W^12^1||||||||||||||||V9^^^WEST"
    act = "PR1|1||27130^Arthroplasty^C4||20260302|||||||||||||N1^WEST"
    care = "ROL|1|AD|PP^Primary Care Provider^HL70443|D1^Ng^Wei^^^^^^WEST"
    nurse = "ROL|2|AD|RT^Referred to Provider^HL70443|D2^Roe^Jo^^^^^^WEST|20260301|20260305"
    scrub = "ROL|3|AD|SN^Scrub nurse^L|D3^Poe^Al^^^^^^WEST"
    raw = adt("A01", told(f5="Ortega^Ana"), care, pv1, nurse, act, scrub)
    applied = gateway.send(raw)
    names = {f"Practitioner/{item['id']}": item["name"][0]["family"] for item in gateway.all("Practitioner")}
    (doctor,) = gateway.only("Patient")["generalPractitioner"]
    (participant,) = gateway.only("Encounter")["participant"]
    (performer,) = gateway.only("Procedure")["performer"]
    assert names[doctor["reference"]] == "Ng"
    assert names[participant["individual"]["reference"]] == "Roe"
    assert participant["type"][0]["coding"][0]["code"] == "RT"
    assert participant["period"] == {"start": "2026-03-01", "end": "2026-03-05"}
    assert names[performer["actor"]["reference"]] == "Poe"
    assert performer["function"]["coding"][0]["code"] == "SN"
    assert "Encounter.participant" in applied.coverage.mapped["ROL[2]-4"]
    assert {item.action for item in gateway.send(raw).written} == {"matched"}
    gateway.send(raw.replace("|AD|", "|DE|"))
    assert "generalPractitioner" not in gateway.only("Patient")
    assert "participant" not in gateway.only("Encounter")
    assert "performer" not in gateway.only("Procedure")


def test_another_period_of_the_same_role_replaces_the_one_before(gateway: Any) -> None:
    pv1 = "PV1|1|I|3W^12^1||||||||||||||||V9^^^WEST"
    for end in ("20260305", "20260307", "20260201"):
        nurse = f"ROL|2|UP|RT^Referred to Provider^HL70443|D2^Roe^Jo^^^^^^WEST|20260301|{end}"
        applied = gateway.send(adt("A01", told(f5="Ortega^Ana"), pv1, nurse))
    (participant,) = gateway.only("Encounter")["participant"]
    assert participant["period"] == {"start": "2026-03-01"}
    assert applied.codes() == ["102"]
