"""ORM^O01: what an order becomes, and what later messages do to it.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-orm-o01-to-bundle.html
"""

from __future__ import annotations

from typing import Any

import pytest

from mappings.messages.coverage import MessageRefused

PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"


def order(control: str = "NW", code: str = "27447^Knee arthroplasty^C4", **more: str) -> str:
    """An order of one OBR: ORC-1, OBR-4, and what ``more`` puts in place of the rest."""
    orc5, placer, filler = more.get("orc5", ""), more.get("placer", "P100^HIS"), more.get("filler", "")
    reason = more.get("reason", "")
    return f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1
        {more.get("pid", PATIENT)}
        {more.get("pv1", "")}
        ORC|{control}|{placer}|{filler}||{orc5}||||20260301075500+0000|||77^Stone^Mia^^^^^^WEST||||{reason}
        OBR|1|{placer}|{filler}|{code}|||||||||||||||||||||{more.get("obr25", "")}
        {more.get("rest", "")}
        """


FULL = """
    MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1
    PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F
    PV1|1|I|3W^12^1^WEST||||77^Stone^Mia^^^^^^WEST||||||||||||V9^^^WEST  # class, attending, visit
    ORC|NW|P100^HIS|F200^RIS|G300^HIS|||||20260301075500+0000|||77^Stone^Mia^^^^^^WEST
    TQ1|1||||||20260302090000+0000|20260302100000+0000|S||please call the ward
    OBR|1|P100^HIS|F200^RIS|71046^Chest, 2 views^C4|||||||||knee pain|||||A-17||||||RAD|||||||R07^Pain^I10
    NTE|1||Isolated room
    DG1|1||M17.1^Gonarthrosis^I10|||F|||||||||1
    OBX|1|NM|29463-7^Weight^LN||82|kg^^UCUM|||||F
    ZDS|1.2.840.1^100^Application^DICOM
    """


def test_an_order_becomes_a_service_request_with_all_that_hangs_on_it(gateway: Any) -> None:
    applied = gateway.send(FULL)
    found = gateway.only("ServiceRequest")
    numbers = {item["value"]: item["type"]["coding"][0]["code"] for item in found["identifier"]}
    assert numbers["P100"] == "PLAC"
    assert numbers["F200"] == "FILL"
    assert numbers["A-17"] == "ACSN"
    assert found["requisition"]["value"] == "G300"
    assert found["status"] == "active"
    assert found["intent"] == "order"
    assert found["priority"] == "stat"
    assert found["code"]["coding"][0]["code"] == "71046"
    assert found["authoredOn"] == "2026-03-01T07:55:00+00:00"
    assert found["occurrencePeriod"]["end"] == "2026-03-02T10:00:00+00:00"
    assert found["orderDetail"] == [{"text": "please call the ward"}]
    assert found["note"] == [{"text": "Isolated room"}]
    assert found["reasonCode"][0]["coding"][0]["code"] == "R07"
    assert found["requester"]["reference"] == f"Practitioner/{gateway.only('Practitioner')['id']}"
    assert found["encounter"]["reference"] == f"Encounter/{gateway.only('Encounter')['id']}"
    assert found["reasonReference"][0]["reference"] == f"Condition/{gateway.only('Condition')['id']}"
    assert found["supportingInfo"][0]["reference"] == f"Observation/{gateway.only('Observation')['id']}"
    assert gateway.only("Encounter")["diagnosis"][0]["rank"] == 1
    row = gateway.row("service_order", found["id"])
    assert row["order_type"] == "IMAGING"
    assert row["order_number"] == "ORD-2026-00001"
    assert row["external_id"] == "P100"
    imaging = gateway.row("order_imaging", found["id"])
    assert imaging["study_instance_uid"] == "1.2.840.1"
    assert imaging["clinical_history"] == "knee pain"
    assert set(applied.actions("ServiceRequest")) == {"created"}
    assert applied.codes() == []


def test_the_same_order_again_writes_nothing(gateway: Any) -> None:
    gateway.send(FULL)
    before = {
        kind: gateway.all(kind)
        for kind in ("ServiceRequest", "Encounter", "Condition", "Observation", "Patient")
    }
    applied = gateway.send(FULL)
    assert {item.action for item in applied.written} == {"matched"}
    assert {kind: gateway.all(kind) for kind in before} == before


def test_a_change_of_content_updates_the_order_and_keeps_its_status(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(order("SC", orc5="IP"))
    gateway.send(order("XO", rest="NTE|1||Left side"))
    found = gateway.only("ServiceRequest")
    assert found["note"] == [{"text": "Left side"}]
    assert gateway.row("service_order", found["id"])["status"] == "in_progress"


def test_a_new_order_under_the_number_of_another_one_is_kept_apart_and_warned_about(gateway: Any) -> None:
    gateway.send(order())
    applied = gateway.send(order(code="99999^Something else^C4"))
    assert applied.codes() == ["205"]
    codes = [item["code"]["coding"][0]["code"] for item in gateway.all("ServiceRequest")]
    assert codes == ["27447", "99999"]


def test_an_order_with_the_number_of_another_patients_order_is_kept_apart_and_warned_about(
    gateway: Any,
) -> None:
    gateway.send(order())
    applied = gateway.send(order(pid="PID|1||9999^^^WEST^MR||Other^One"))
    assert applied.codes() == ["205"]
    subjects = [item["subject"]["reference"] for item in gateway.all("ServiceRequest")]
    assert subjects == [f"Patient/{item['id']}" for item in gateway.all("Patient")]
    assert len(set(subjects)) == 2


def test_a_cancelled_order_is_revoked_with_its_reason_and_stays_so(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(order("CA", reason="DUP^Duplicate order^99L"))
    found = gateway.only("ServiceRequest")
    assert found["status"] == "revoked"
    row = gateway.row("service_order", found["id"])
    assert row["cancellation_reason"] == "Duplicate order"
    assert row["cancelled_at"].isoformat() == "2026-03-01T07:55:00+00:00"
    with pytest.raises(MessageRefused) as refused:
        gateway.send(order("HD"))
    assert refused.value.warning.code == "207"
    applied = gateway.send(order("SC", orc5="IP"))
    assert gateway.only("ServiceRequest")["status"] == "revoked"
    assert any("stays so" in warned.text for warned in applied.coverage.warned)


def test_a_cancel_of_an_unknown_order_is_kept_as_cancelled_and_warned_about(gateway: Any) -> None:
    applied = gateway.send(order("CA"))
    found = gateway.only("ServiceRequest")
    assert found["status"] == "revoked"
    assert applied.codes() == ["204"]
    assert gateway.steps(found) == [(None, "ordered", True), ("ordered", "cancelled", False)]


def test_an_order_that_is_done_cannot_be_cancelled(gateway: Any) -> None:
    gateway.send(order("SC", orc5="CM"))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(order("CA"))
    assert refused.value.warning.code == "207"
    assert gateway.only("ServiceRequest")["status"] == "completed"


def test_an_order_is_held_and_released(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(order("HD"))
    assert gateway.only("ServiceRequest")["status"] == "on-hold"
    gateway.send(order("RL"))
    found = gateway.only("ServiceRequest")
    assert found["status"] == "active"
    assert gateway.row("service_order", found["id"])["status"] == "ordered"
    assert [step[:2] for step in gateway.steps(found)] == [
        (None, "ordered"),
        ("ordered", "on_hold"),
        ("on_hold", "ordered"),
    ]


def test_an_order_replaced_by_another_is_cancelled_and_named_by_it(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(
        f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|RP|P100^HIS
        OBR|1|P100^HIS||27447^Knee arthroplasty^C4
        ORC|RO|P101^HIS
        OBR|2|P101^HIS||27446^Partial knee arthroplasty^C4
        """
    )
    old, new = gateway.all("ServiceRequest")
    assert old["status"] == "revoked"
    assert new["replaces"] == [{"reference": f"ServiceRequest/{old['id']}"}]


def test_vendor_codes_are_kept_and_warned_about_and_the_order_stands(gateway: Any) -> None:
    applied = gateway.send(order("CD:2539", orc5="CD:9324"))
    found = gateway.only("ServiceRequest")
    assert found["status"] == "active"
    assert applied.codes() == ["103"]
    kept = gateway.row("resource", found["id"])["v2_remainder"]
    assert kept["ORC"]["1"] == "CD:2539"
    assert kept["ORC"]["5"] == "CD:9324"


def test_two_obr_under_one_number_are_two_orders_found_again_by_set_id(gateway: Any) -> None:
    raw = f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|NW|P100^HIS
        OBR|1|P100^HIS||20610^Aspiration^C4
        ORC|NW|P100^HIS
        OBR|2|P100^HIS||20610^Aspiration^C4
        """
    gateway.send(raw)
    applied = gateway.send(raw)
    assert len(gateway.all("ServiceRequest")) == 2
    assert applied.actions("ServiceRequest") == ["matched", "matched"]


def test_placer_numbers_that_differ_are_both_kept(gateway: Any) -> None:
    applied = gateway.send(
        f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|NW|P100^HIS
        OBR|1|P555^HIS||20610^Aspiration^C4
        """
    )
    values = {item["value"] for item in gateway.only("ServiceRequest")["identifier"]}
    assert {"P100", "P555"} <= values
    assert any(warned.field == 2 and "differs" in warned.text for warned in applied.coverage.warned)


def test_numbers_without_authority_of_two_senders_do_not_mix(gateway: Any) -> None:
    gateway.send(order(pid="PID|1||1||A^B", placer="100"))
    gateway.send(order(pid="PID|1||1||C^D", placer="100").replace("|WEST|", "|EAST|", 1))
    assert len(gateway.all("Patient")) == 2
    assert len(gateway.all("ServiceRequest")) == 2


@pytest.mark.parametrize(
    ("detail", "code"),
    [("RXO|A10^Cefazolin^99D", "A10"), ("ODS|D||LOW^Low salt^99DIET", "LOW")],
)
def test_an_order_that_is_no_observation_is_kept_as_an_order_of_type_other(
    gateway: Any, detail: str, code: str
) -> None:
    gateway.send(
        f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|NW|P100^HIS
        {detail}
        """
    )
    found = gateway.only("ServiceRequest")
    assert found["code"]["coding"][0]["code"] == code
    assert gateway.row("service_order", found["id"])["order_type"] == "OTHER"


def test_a_child_order_is_based_on_its_parent(gateway: Any) -> None:
    gateway.send(order())
    gateway.send(
        f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|CH|P101^HIS||||||P100&HIS
        OBR|1|P101^HIS||20610^Aspiration^C4
        """
    )
    parent, child = gateway.all("ServiceRequest")
    assert child["basedOn"] == [{"reference": f"ServiceRequest/{parent['id']}"}]


def test_a_specimen_of_an_order_is_found_again_by_its_number(gateway: Any) -> None:
    rest = "SPM|1|S1&WEST^S2&LAB||119297000^Blood^SCT|||||||||||||20260301070000+0000"
    gateway.send(order(rest=rest))
    gateway.send(order("XO", rest=rest + "\n        OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|||||F"))
    specimen = gateway.only("Specimen")
    assert [item["value"] for item in specimen["identifier"]] == ["S1", "S2"]
    assert gateway.only("Observation")["specimen"]["reference"] == f"Specimen/{specimen['id']}"


def test_the_five_numbers_of_one_requester_are_one_practitioner(gateway: Any) -> None:
    gateway.send(
        f"""
        MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000||ORM^O01|2|P|2.5.1
        {PATIENT}
        ORC|NW|P100^HIS||||||||||D1^Stone^Mia^^^^^^HPS~D2^Stone^Mia^^^^^^STATE~1234567893^Stone^Mia^^^^^^NPI^^^^NPI
        OBR|1|P100^HIS||20610^Aspiration^C4||||||||||||D1^Stone^Mia^^^^^^HPS
        """
    )
    found = gateway.only("Practitioner")
    assert [item["value"] for item in found["identifier"]] == ["D1", "D2", "1234567893"]
    assert found["identifier"][2]["system"] == "http://hl7.org/fhir/sid/us-npi"


def test_a_generated_narrative_goes_when_a_message_changes_the_record(gateway: Any) -> None:
    gateway.send(order())
    found = gateway.only("ServiceRequest")
    from gateway.records import Caller

    div = "<div xmlns='http://www.w3.org/1999/xhtml'>An order</div>".replace("'", '"')
    found["text"] = {"status": "generated", "div": div}
    gateway.records.update(Caller("fhir"), "ServiceRequest", found["id"], found)
    gateway.send(order("XO", rest="NTE|1||Left side"))
    assert "text" not in gateway.only("ServiceRequest")


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("told", [{"orc5": "SC"}, {"obr25": "S"}])
def test_an_order_that_is_said_to_be_scheduled_without_a_time_is_not_booked(
    gateway: Any, told: dict[str, str], *, known: bool
) -> None:
    if known:
        gateway.send(order())
    applied = gateway.send(order("SC", **told))
    row = gateway.row("service_order", gateway.only("ServiceRequest")["id"])
    assert (row["status"], row["scheduled_at"]) == ("ordered", None)
    assert [warned.segment for warned in applied.coverage.warned if warned.told] == ["ORC"]


@pytest.mark.parametrize("time", ["TQ1|1||||||20260302090000+0000", "ZDS|1.2"])
def test_an_order_that_is_said_to_be_scheduled_is_booked_for_the_time_that_is_known(
    gateway: Any, time: str
) -> None:
    gateway.send(order(rest="TQ1|1||||||20260302090000+0000"))
    gateway.send(order("SC", orc5="SC", rest=time))
    row = gateway.row("service_order", gateway.only("ServiceRequest")["id"])
    assert (row["status"], row["scheduled_at"]) == ("scheduled", "2026-03-02T09:00:00+00:00")
