"""SIU: what a scheduler's booking does to the OR schedule, and what becomes an Appointment.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-message-siu-s12-to-bundle.html
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.fhir import validate
from gateway.records import Caller
from mappings import er7
from mappings.messages.coverage import MessageRefused
from mappings.messages.siu import EVENTS
from tests.integration.messages.test_corpus import invalid, messages, untold

decode = msgspec.json.Decoder(float_hook=Decimal).decode
PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
SLOT = "20260310080000+0000"
READINESS = "http://suture.example.org/fhir/StructureDefinition/or-readiness"
CPT = "http://www.ama-assn.org/go/cpt"

RGS = "RGS|1"
SERVICE = "AIS|1||27130^Total hip arthroplasty^C4"
ROOM = "AIL|1||OR3^^^WEST|OR^Operating room^L"
SURGEON = "AIP|1||117^Okafor^Ada^^^^^^HIS|304292004^Surgeon^SCT"
MICROSCOPE = "AIG|1||M7^Microscope^L|EQ^Equipment^L"
FULL = (RGS, SERVICE, MICROSCOPE, ROOM, SURGEON)


def siu(
    event: str,
    *segments: str,
    number: str = "P1|F1",
    start: str = SLOT,
    status: str = "",
    reason: str = "",
    orders: str = "",
    pid: str = PATIENT,
) -> str:
    """A message about an appointment of 90 minutes; SCH-25 is ``status``, SCH-26 and 27 are ``orders``."""
    sch = f"SCH|{number}||||{reason}|||90|min|^^^{start}{'|' * 14}{status}|{orders}"
    head = f"MSH|^~\\&|SCHED|WEST|SUTURE|OR|20260301120000+0000||SIU^{event}|1|P|2.5.1"
    return "\n".join((head, sch, pid, *segments))


def operation(gateway: Any, step: str = "ready", **elements: Any) -> dict[str, Any]:
    """A patient's procedure on the OR board, which came over FHIR."""
    if not gateway.all("Patient"):
        gateway.send(siu("S12", number="Z|Z", status="Pending"))
    extension = [{"url": "surgicalStatus", "valueCode": step}, *elements.pop("readiness", ())]
    value = {
        "resourceType": "Procedure",
        "status": "preparation",
        "code": {"coding": [{"system": CPT, "code": "27130"}]},
        "subject": {"reference": f"Patient/{gateway.only('Patient')['id']}"},
        "extension": [{"url": READINESS, "extension": extension}],
        **elements,
    }
    if not value["extension"]:
        del value["extension"]
    made = gateway.records.create(Caller("fhir"), "Procedure", value)
    return decode(made.content)


def of_board(gateway: Any, procedure: dict[str, Any]) -> tuple[Any, ...]:
    """Readiness, slot and room of a procedure."""
    row = gateway.row("procedure", procedure["id"])
    names = ("surgical_status", "scheduled_start", "scheduled_end", "scheduled_location_text")
    return tuple(row[name] for name in names)


BOOKED = ("scheduled", "2026-03-10T08:00:00+00:00", "2026-03-10T09:30:00+00:00", "OR3")
FREE = ("ready", None, None, None)


def booked(gateway: Any) -> dict[str, Any]:
    """A procedure that appointment P1 has booked."""
    procedure = operation(gateway)
    gateway.send(siu("S12", *FULL))
    return procedure


# --- the OR schedule ----------------------------------------------------------------------------------------


def test_a_booking_gives_a_ready_procedure_its_slot_room_and_people(gateway: Any) -> None:
    procedure = operation(gateway)
    applied = gateway.send(siu("S12", *FULL, "NTE|1||Latex allergy"))
    found = gateway.only("Procedure")
    assert of_board(gateway, procedure) == BOOKED
    assert gateway.row("procedure", procedure["id"])["scheduled_location_id"] is not None
    assert [item["function"]["coding"][0]["code"] for item in found["performer"]] == ["304292004"]
    assert [item["text"] for item in found["note"]] == ["Latex allergy"]
    assert [item["value"] for item in found["identifier"]] == ["P1", "F1"]
    assert len(gateway.all("Appointment")) == 1
    assert applied.coverage.mapped["SCH[1]-11"] == ["Procedure.extension(scheduledPeriod)"]
    assert applied.codes() == []


def test_the_same_booking_again_writes_nothing(gateway: Any) -> None:
    booked(gateway)
    again = gateway.send(siu("S12", *FULL))
    assert {item.action for item in again.written} == {"matched"}


def test_a_procedure_that_is_not_ready_keeps_its_readiness_and_gets_its_slot(gateway: Any) -> None:
    waiting = [{"url": "consentStatus", "valueCode": "needed"}]
    procedure = operation(gateway, "workup", readiness=waiting)
    applied = gateway.send(siu("S12", *FULL))
    assert of_board(gateway, procedure) == ("workup", *BOOKED[1:])
    (told,) = [warned for warned in applied.coverage.warned if warned.told]
    assert "a signed consent" in told.text


def test_an_emergent_case_is_scheduled_though_it_is_not_ready(gateway: Any) -> None:
    emergent = [{"url": "caseClass", "valueCode": "emergent"}]
    waiting = [
        {"url": "surgicalStatus", "valueCode": "workup"},
        {"url": "consentStatus", "valueCode": "needed"},
    ]
    urls = (READINESS, READINESS.replace("readiness", "record"))
    both = [{"url": url, "extension": found} for url, found in zip(urls, (waiting, emergent), strict=True)]
    procedure = operation(gateway, extension=both)
    gateway.send(siu("S12", *FULL))
    assert of_board(gateway, procedure) == BOOKED


def test_a_booking_without_a_room_does_not_schedule(gateway: Any) -> None:
    procedure = operation(gateway)
    gateway.send(siu("S12", RGS, SERVICE))
    assert of_board(gateway, procedure) == ("ready", *BOOKED[1:3], None)


def test_a_procedure_that_never_was_on_the_board_comes_onto_it(gateway: Any) -> None:
    procedure = operation(gateway, extension=[])
    gateway.send(siu("S12", *FULL))
    assert of_board(gateway, procedure) == BOOKED


@pytest.mark.parametrize("event", ["S13", "S14"])
def test_a_later_message_moves_slot_and_room(gateway: Any, event: str) -> None:
    procedure = booked(gateway)
    room = ROOM.replace("OR3", "OR5")
    gateway.send(siu(event, RGS, SERVICE, room, start="20260311100000+0000"))
    expected = ("scheduled", "2026-03-11T10:00:00+00:00", "2026-03-11T11:30:00+00:00", "OR5")
    assert of_board(gateway, procedure) == expected


def test_the_surgeon_is_changed_or_taken_away(gateway: Any) -> None:
    booked(gateway)
    gateway.send(siu("S14", "RGS|1|U", SURGEON.replace("1||117^Okafor^Ada", "1|U|118^Bashir^Julian")))
    (other,) = gateway.only("Procedure")["performer"]
    names = {item["id"]: item["name"][0]["family"] for item in gateway.all("Practitioner")}
    assert names[other["actor"]["reference"].partition("/")[2]] == "Bashir"
    gateway.send(siu("S14", "RGS|1|U", SURGEON.replace("1||117^Okafor^Ada", "1|D|118^Bashir^Julian")))
    assert "performer" not in gateway.only("Procedure")


def test_a_cancelled_appointment_gives_slot_and_room_back(gateway: Any) -> None:
    procedure = booked(gateway)
    gateway.send(siu("S15", reason="X^Ventilator is broken"))
    assert of_board(gateway, procedure) == FREE
    found = gateway.only("Procedure")
    assert found["status"] == "preparation"
    assert [item["text"] for item in found["note"]] == ["Ventilator is broken"]


def test_a_patient_who_does_not_come_is_told_of_and_can_be_booked_again(gateway: Any) -> None:
    procedure = booked(gateway)
    gateway.send(siu("S26"))
    assert of_board(gateway, procedure) == FREE
    assert "did not come" in gateway.only("Procedure")["note"][0]["text"]
    gateway.send(siu("S12", *FULL, number="P2|F2"))
    assert of_board(gateway, procedure) == BOOKED


def test_a_late_cancellation_of_an_earlier_appointment_leaves_the_booking(gateway: Any) -> None:
    procedure = booked(gateway)
    gateway.send(siu("S15"))
    gateway.send(siu("S12", *FULL, number="P2|F2"))
    applied = gateway.send(siu("S15", start="20260301080000+0000"))
    assert of_board(gateway, procedure) == BOOKED
    assert applied.codes() == ["204"]


def test_a_late_cancellation_that_names_the_order_leaves_another_booking(gateway: Any) -> None:
    head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    gateway.send(f"{head}\n{PATIENT}\nORC|NW|O7^HIS\nOBR|1|O7^HIS||27130^Total hip arthroplasty^C4")
    order = f"ServiceRequest/{gateway.only('ServiceRequest')['id']}"
    procedure = operation(gateway, basedOn=[{"reference": order}])
    gateway.send(siu("S12", *FULL, orders="O7^HIS", start="20260309080000+0000"))
    gateway.send(siu("S12", *FULL, number="P2|F2", orders="O7^HIS"))
    applied = gateway.send(siu("S15", *FULL, orders="O7^HIS", start="20260309080000+0000"))
    assert of_board(gateway, procedure) == BOOKED
    assert applied.codes() == ["204"]
    gateway.send(siu("S15", *FULL, number="P2|F2", orders="O7^HIS"))
    assert of_board(gateway, procedure) == FREE


def test_each_service_of_an_appointment_books_its_own_procedure_or_none(gateway: Any) -> None:
    hip = operation(gateway)
    knee = operation(gateway, code={"coding": [{"system": CPT, "code": "29881"}]})
    other = "AIS|2||29881^Knee arthroscopy^C4"
    applied = gateway.send(siu("S12", *FULL, other))
    assert [of_board(gateway, item)[0] for item in (hip, knee)] == ["ready", "ready"]
    told = "".join(warned.text for warned in applied.coverage.warned if warned.told)
    assert "More than one procedure" in told
    services = gateway.all("Appointment")[-1]["serviceType"]
    assert [item["coding"][0]["code"] for item in services] == ["27130", "29881"]


def test_a_service_that_is_not_the_procedures_is_kept_and_told_of(gateway: Any) -> None:
    operation(gateway)
    applied = gateway.send(siu("S12", *FULL, "AIS|2||99999^Something else^L"))
    assert "AIS[1]-3" in applied.coverage.mapped
    assert "AIS[2]-3" not in applied.coverage.mapped
    row = gateway.row("resource", gateway.only("Procedure")["id"])
    assert row["v2_remainder"]["AIS[2]"]["3"] == "99999^Something else^L"


@pytest.mark.parametrize(("text", "end"), [("M45", "08:45"), ("H2", "10:00"), ("45", "08:45"), ("X", None)])
def test_a_duration_within_the_timing_counts(gateway: Any, text: str, end: str | None) -> None:
    raw = siu("S12", RGS, SERVICE).replace("|90|min|^^^", f"||min|^^{text}^")
    gateway.send(raw)
    found = gateway.only("Appointment")
    assert found["end"] == (f"2026-03-10T{end}:00+00:00" if end else found["start"])


@pytest.mark.parametrize("event", ["S13", "S15", "S26"])
def test_nothing_is_applied_to_a_procedure_that_has_begun(gateway: Any, event: str) -> None:
    procedure = booked(gateway)
    begun = gateway.only("Procedure") | {"status": "in-progress"}
    gateway.records.update(Caller("fhir"), "Procedure", begun["id"], begun)
    raw = siu(event, *FULL, start="20260311100000+0000")
    applied = gateway.send(raw)
    assert of_board(gateway, procedure) == BOOKED
    assert any(warned.told for warned in applied.coverage.warned)
    assert "begun" in applied.coverage.ignored["SCH[1]-1"]
    assert "SCH[1]-1" not in applied.coverage.mapped


def test_the_procedure_is_found_by_the_order_that_the_appointment_names(gateway: Any) -> None:
    head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    gateway.send(f"{head}\n{PATIENT}\nORC|NW|O7^HIS\nOBR|1|O7^HIS||99^Something else^L")
    order = gateway.only("ServiceRequest")
    procedure = operation(
        gateway, basedOn=[{"reference": f"ServiceRequest/{order['id']}"}], code={"text": "Hip"}
    )
    gateway.send(siu("S12", RGS, ROOM, orders="O7^HIS"))
    assert of_board(gateway, procedure) == BOOKED
    row = gateway.row("service_order", order["id"])
    assert (row["status"], row["scheduled_at"]) == ("scheduled", BOOKED[1])
    gateway.send(siu("S15", orders="O7^HIS"))
    assert gateway.row("service_order", order["id"])["status"] == "ordered"


def test_a_code_that_two_procedures_have_books_none_of_them(gateway: Any) -> None:
    both = [operation(gateway), operation(gateway)]
    applied = gateway.send(siu("S12", *FULL))
    assert [of_board(gateway, item)[0] for item in both] == ["ready", "ready"]
    assert "More than one procedure" in "".join(warned.text for warned in applied.coverage.warned)
    assert len(gateway.all("Appointment")) == 2


def test_a_procedure_is_found_by_what_it_is_called(gateway: Any) -> None:
    procedure = operation(gateway, code={"text": "Total hip arthroplasty"})
    gateway.send(siu("S12", RGS, SERVICE.replace("27130", "THA").replace("C4", "L"), ROOM))
    assert of_board(gateway, procedure) == BOOKED


def test_an_appointment_of_another_patient_is_refused(gateway: Any) -> None:
    booked(gateway)
    with pytest.raises(MessageRefused) as refused:
        gateway.send(siu("S13", *FULL, pid=PATIENT.replace("4711", "4712")))
    assert refused.value.warning.code == "205"


# --- Appointment --------------------------------------------------------------------------------------------


def test_without_a_procedure_an_appointment_is_made_of_it(gateway: Any) -> None:
    visit = "PV1|1|O|CLINIC^2^^WEST|||||||||||||||V8"
    gateway.send(siu("S12", visit, *FULL, "NTE|1||Bring scans", reason="ROUTINE"))
    found, patient = gateway.only("Appointment"), gateway.only("Patient")
    assert (found["status"], found["start"], found["end"]) == ("booked", *BOOKED[1:3])
    assert found["minutesDuration"] == 90
    assert found["comment"] == "Bring scans"
    assert found["serviceType"][0]["coding"][0]["code"] == "27130"
    actors = [item["actor"] for item in found["participant"]]
    assert actors[0] == {"reference": f"Patient/{patient['id']}"}
    assert [actor.get("reference", "").partition("/")[0] for actor in actors[1:]] == [
        "Practitioner",
        "Location",
        "",
    ]
    assert actors[3]["display"] == "Microscope"
    encounter = gateway.only("Encounter")
    assert encounter["status"] == "planned"
    assert encounter["location"][0]["status"] == "planned"
    assert encounter["appointment"] == [{"reference": f"Appointment/{found['id']}"}]
    validate.check(decode(msgspec.json.encode(found)), "Appointment")


def test_the_numbers_of_an_appointment_can_be_searched(gateway: Any) -> None:
    gateway.send(siu("S12", *FULL))
    with gateway.store.connection() as connection:
        found = connection.execute(
            "SELECT value FROM identifier WHERE resource_type = 'Appointment' ORDER BY value"
        ).fetchall()
    assert found == [("F1",), ("P1",)]


@pytest.mark.parametrize(
    ("event", "status"),
    [("S15", "cancelled"), ("S16", "cancelled"), ("S17", "entered-in-error"), ("S26", "noshow")],
)
def test_an_appointment_ends(gateway: Any, event: str, status: str) -> None:
    gateway.send(siu("S12", *FULL))
    gateway.send(siu(event, reason="FLU^Influenza"))
    found = gateway.only("Appointment")
    assert (found["status"], found["meta"]["versionId"]) == (status, "2")
    assert len(found["participant"]) == 4
    reason = found.get("cancelationReason", {}).get("coding", [{}])[0].get("display") or found.get("comment")
    assert reason == ("Influenza" if status != "entered-in-error" else None)
    validate.check(decode(msgspec.json.encode(found)), "Appointment")


def test_what_is_told_of_one_kind_leaves_the_others(gateway: Any) -> None:
    gateway.send(siu("S12", *FULL))
    gateway.send(siu("S14", "RGS|1|U", ROOM.replace("1||OR3", "1|U|OR5")))
    rooms = {f"Location/{item['id']}": item["name"] for item in gateway.all("Location")}
    actors = [item["actor"] for item in gateway.only("Appointment")["participant"]]
    assert len(actors) == 4
    assert [rooms[a["reference"]] for a in actors if a.get("reference") in rooms] == ["OR5"]
    gateway.send(siu("S14", "RGS|1|U", SURGEON.replace("1||117^Okafor^Ada", "1|A|118^Bashir^Julian")))
    assert len(gateway.only("Appointment")["participant"]) == 5
    gateway.send(siu("S14", "RGS|1|U", SURGEON.replace("1||", "1|D|")))
    assert len(gateway.only("Appointment")["participant"]) == 4


def test_a_new_appointment_is_not_changed_by_the_same_message(gateway: Any) -> None:
    gateway.send(siu("S12", "PV1|1|O", *FULL))
    again = gateway.send(siu("S12", "PV1|1|O", *FULL))
    assert {item.action for item in again.written} == {"matched"}


def test_an_order_without_a_procedure_is_booked_and_given_back(gateway: Any) -> None:
    head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    gateway.send(f"{head}\n{PATIENT}\nORC|NW|O7^HIS\nOBR|1|O7^HIS||24725-4^CT Head^LN")
    gateway.send(siu("S12", RGS, ROOM, orders="O7^HIS"))
    order, found = gateway.only("ServiceRequest"), gateway.only("Appointment")
    row = gateway.row("service_order", order["id"])
    assert (row["status"], row["scheduled_at"]) == ("scheduled", BOOKED[1])
    assert found["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    gateway.send(siu("S15", orders="O7^HIS"))
    row = gateway.row("service_order", order["id"])
    assert (row["status"], row["scheduled_at"]) == ("ordered", None)
    assert [step[:2] for step in gateway.steps(order)][-1] == ("scheduled", "ordered")


@pytest.mark.parametrize("event", sorted(EVENTS))
def test_an_appointment_that_is_not_known_is_kept_as_it_is_told(gateway: Any, event: str) -> None:
    applied = gateway.send(siu(event, *FULL))
    assert gateway.only("Appointment")["status"] == (EVENTS[event] or "booked")
    assert applied.codes() == ([] if event == "S12" else ["204"])


def test_a_waiting_list_is_no_booking(gateway: Any) -> None:
    procedure = operation(gateway)
    gateway.send(siu("S12", *FULL, status="Waitlist"))
    assert of_board(gateway, procedure) == FREE
    assert [item["status"] for item in gateway.all("Appointment")][1:] == ["waitlist"]


def test_an_appointment_without_a_time_is_proposed(gateway: Any) -> None:
    applied = gateway.send(siu("S12", *FULL, start="20260310"))
    found = gateway.only("Appointment")
    assert (found["status"], found["requestedPeriod"]) == ("proposed", [{"start": "2026-03-10"}])
    assert applied.codes() == ["101"]
    validate.check(decode(msgspec.json.encode(found)), "Appointment")


@pytest.mark.parametrize("note", ["NTE|1||Fasting since midnight", "NTE|1|Fasting since midnight"])
def test_a_comment_is_kept_where_its_source_is_left_out(gateway: Any, note: str) -> None:
    applied = gateway.send(siu("S12", *FULL, note))
    assert gateway.only("Appointment")["comment"] == "Fasting since midnight"
    assert applied.coverage.mapped[f"NTE[1]-{3 if '||' in note else 2}"] == ["Appointment.comment"]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90|min", 90), ("2|H", 120), ("60|s", 1), ("90|", 90), ("soon|min", None), ("1|fortnight", None)],
)
def test_a_duration_is_read_in_its_unit(gateway: Any, text: str, minutes: int | None) -> None:
    applied = gateway.send(siu("S12", RGS).replace("90|min", text))
    assert gateway.only("Appointment").get("minutesDuration") == minutes
    assert applied.codes() == ([] if minutes else ["102"])


def test_a_message_without_what_it_needs_is_refused(gateway: Any) -> None:
    for raw, code in ((siu("S12", number="|"), "101"), ("\n".join(siu("S12").splitlines()[::2]), "100")):
        with pytest.raises(MessageRefused) as refused:
            gateway.send(raw)
        assert refused.value.warning.code == code


def test_a_cancellation_needs_no_patient(gateway: Any) -> None:
    procedure = booked(gateway)
    gateway.send("\n".join(siu("S15").splitlines()[:2]))
    assert of_board(gateway, procedure) == FREE


# --- the corpus ---------------------------------------------------------------------------------------------


def readable(corpus: Path) -> list[tuple[str, bytes]]:
    """The scheduling messages of the corpus, each with its name."""
    found: list[tuple[str, bytes]] = []
    for path in sorted((corpus / "hl7v2").glob("*.hl7")):
        for number, raw in enumerate(messages(path)):
            if b"|SIU^" in raw.partition(b"\r")[0]:
                found.append((f"{path.name}#{number}", raw))
    return found


def test_each_scheduling_message_of_the_corpus_is_applied_and_told_of(corpus: Path, gateway: Any) -> None:
    faults: dict[str, Any] = {}
    for name, raw in readable(corpus):
        applied = gateway.rehearse(raw)
        told = invalid(applied.written) + untold(er7.read(raw), applied.coverage)
        if told or not applied.actions("Appointment"):
            faults[name] = told
        # What a message that comes again does to patients has its own tests.
        again = [item for item in gateway.rehearse(raw, times=2).written if item.path != "PID"]
        if any(item.action != "matched" for item in again):
            faults[name] = "it changes something when it comes again"
    assert not faults, faults
    assert len(readable(corpus)) > 5


def test_the_scheduling_messages_of_the_corpus_follow_each_other(corpus: Path, gateway: Any) -> None:
    for name, raw in readable(corpus):
        if name.startswith("mirth-batch"):
            gateway.send(raw)
    assert gateway.only("Appointment")["status"] == "cancelled"
    assert gateway.only("Appointment")["meta"]["versionId"] == "3"
