"""MDM: what a document becomes, which order and visit it is of, and what follows on it.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-message-mdm-t02-to-bundle.html
"""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.fhir import validate
from mappings import er7
from mappings.messages.coverage import MessageRefused
from tests.integration.messages.test_corpus import invalid, messages, untold

decode = msgspec.json.Decoder(float_hook=Decimal).decode
PATIENT = "PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F"
VISIT = "PV1|1|I|WARD^1^A||||||||||||||||V8"
LINES = (
    "OBX|1|TX|11504-8^Operative note^LN||Findings: none||||||F",
    "OBX|2|TX|11504-8^Operative note^LN||Plan: home||||||F",
)


def head(event: str) -> str:
    return f"MSH|^~\\&|DICT|WEST|SUTURE|OR|20260301120000+0000||MDM^{event}|1|P|2.5.1"


def txa(number: str = "D1", parent: str = "", **more: str) -> str:
    """An operative note, dictated, of a number; ``more`` by field: ``f17="LA"``."""
    fields = {
        1: "1",
        2: "OP",
        3: "TX",
        4: "202603010800+0000",
        6: "202603011130+0000",
        12: number,
        13: parent,
        17: "DI",
    }
    fields |= {int(name[1:]): text for name, text in more.items()}
    return "TXA|" + "|".join(fields.get(place, "") for place in range(1, max(fields) + 1))


def mdm(event: str, *segments: str, pid: str = PATIENT) -> str:
    """A message about a document."""
    return "\n".join((head(event), pid, *segments))


def text_of(document: dict[str, Any], place: int = 0) -> str:
    return base64.b64decode(document["content"][place]["attachment"]["data"]).decode()


def test_a_document_comes_with_its_author_text_and_visit(gateway: Any) -> None:
    people = {
        "f9": "117^Okafor^Ada",
        "f10": "118^Bashir^Julian",
        "f16": "note.txt",
        "f25": "Operation of the hip",
    }
    applied = gateway.send(mdm("T02", VISIT, txa(**people), *LINES))
    found, patient = gateway.only("DocumentReference"), gateway.only("Patient")
    assert (found["status"], found["docStatus"]) == ("current", "preliminary")
    assert found["masterIdentifier"] == {"system": "urn:hl7:hd:WEST", "value": "D1"}
    assert found["type"]["coding"][0]["code"] == "OP"
    assert found["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert found["date"] == "2026-03-01T11:30:00+00:00"
    assert found["description"] == "Operation of the hip"
    assert text_of(found) == "Findings: none\nPlan: home"
    assert found["content"][0]["attachment"]["title"] == "note.txt"
    assert found["context"]["encounter"] == [{"reference": f"Encounter/{gateway.only('Encounter')['id']}"}]
    assert found["context"]["period"] == {"start": "2026-03-01T08:00:00+00:00"}
    names = {f"Practitioner/{item['id']}": item["name"][0]["family"] for item in gateway.all("Practitioner")}
    assert names[found["author"][0]["reference"]] == "Okafor"
    assert names[found["authenticator"]["reference"]] == "Bashir"
    assert gateway.row("document", found["id"])["document_kind"] == "operative_note"
    assert gateway.all("Observation") == []
    assert applied.codes() == []
    validate.check(decode(msgspec.json.encode(found)), "DocumentReference")


def test_the_same_document_again_writes_nothing(gateway: Any) -> None:
    raw = mdm("T02", VISIT, txa(f9="117^Okafor^Ada"), *LINES)
    gateway.send(raw)
    assert {item.action for item in gateway.send(raw).written} == {"matched"}


def test_who_signed_stands_for_the_document(gateway: Any) -> None:
    signed = "119^Sisko^Benjamin" + "^" * 12 + "20260301"
    gateway.send(mdm("T02", txa(f10="118^Bashir^Julian", f17="LA", f22=signed), *LINES))
    found = gateway.only("DocumentReference")
    names = {f"Practitioner/{item['id']}": item["name"][0]["family"] for item in gateway.all("Practitioner")}
    assert (found["docStatus"], names[found["authenticator"]["reference"]]) == ("final", "Sisko")


def test_a_file_within_the_message_is_kept_and_one_elsewhere_named(gateway: Any) -> None:
    data = base64.b64encode(b"%PDF-1.7 x").decode()
    scan = "https://files.example.org/scan.tif"
    gateway.send(
        mdm(
            "T02",
            txa(),
            f"OBX|1|ED|11504-8^Operative note^LN||^AP^PDF^Base64^{data}||||||F",
            f"OBX|2|RP|1^Scan^L||{scan}^^IM^TIFF||||||F",
        )
    )
    first, second = (item["attachment"] for item in gateway.only("DocumentReference")["content"])
    assert (first["contentType"], first["data"], first["title"]) == (
        "application/pdf",
        data,
        "Operative note",
    )
    assert (second["contentType"], second["url"]) == ("image/tiff", scan)


@pytest.mark.parametrize("value", ["ED|1^X^L||^AP^PDF^Base64^%%%", "RP|1^X^L||javascript:alert(1)^^AP^PDF"])
def test_a_file_that_cannot_be_taken_is_warned_about(gateway: Any, value: str) -> None:
    applied = gateway.send(mdm("T02", txa(), f"OBX|1|{value}||||||F"))
    (content,) = gateway.only("DocumentReference")["content"]
    assert not {"data", "url"} & content["attachment"].keys()
    assert applied.codes() == ["102"]


def test_a_value_beside_the_text_becomes_an_observation(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(), *LINES, "OBX|3|NM|8867-4^Heart rate^LN||72|/min^^UCUM|||||F"))
    found, value = gateway.only("DocumentReference"), gateway.only("Observation")
    assert value["valueQuantity"]["value"] == 72
    assert found["context"]["related"] == [{"reference": f"Observation/{value['id']}"}]


def test_a_document_belongs_to_the_order_that_it_names(gateway: Any) -> None:
    order_head = "MSH|^~\\&|HIS|WEST|SUTURE|OR|20260301080000+0000||ORM^O01|1|P|2.5.1"
    gateway.send(f"{order_head}\n{PATIENT}\nORC|NW|O7^HIS\nOBR|1|O7^HIS||24725-4^CT Head^LN")
    applied = gateway.send(mdm("T02", txa(f14="O7^HIS"), *LINES))
    order = gateway.only("ServiceRequest")
    assert gateway.only("DocumentReference")["context"]["related"] == [
        {"reference": f"ServiceRequest/{order['id']}"}
    ]
    assert applied.actions("ServiceRequest") == ["matched"]
    told = gateway.send(mdm("T02", txa("D2", f14="O8^HIS"), *LINES)).coverage.warned
    assert "is not known" in next(warned.text for warned in told if warned.field == 14)


def test_the_order_group_makes_an_order_where_none_is_known_and_keeps_one_that_is(gateway: Any) -> None:
    group = ("ORC|SC|O7^HIS|F7^LAB", "OBR|1|O7^HIS|F7^LAB|24725-4^CT Head^LN", "NTE|1||Motion artefacts")
    for number in ("D1", "D2"):
        gateway.send(mdm("T02", *group, txa(number, f14="O7^HIS"), *LINES))
    order = gateway.only("ServiceRequest")
    related = [{"reference": f"ServiceRequest/{order['id']}"}]
    assert [item["context"]["related"] for item in gateway.all("DocumentReference")] == [related, related]
    assert [item["text"] for item in order["note"]] == ["Motion artefacts"]
    assert order["status"] == "active"


def test_a_notice_without_content_makes_a_document_that_the_content_fills(gateway: Any) -> None:
    gateway.send(mdm("T01", txa(f25="Operation of the hip")))
    (stub,) = gateway.only("DocumentReference")["content"]
    assert stub["attachment"]["title"] == "Operation of the hip"
    gateway.send(mdm("T02", txa(), *LINES))
    gateway.send(mdm("T03", txa(f17="LA")))
    found = gateway.only("DocumentReference")
    assert (text_of(found), found["docStatus"]) == ("Findings: none\nPlan: home", "final")


@pytest.mark.parametrize(
    ("event", "code", "status"),
    [("T06", "appends", "current"), ("T08", "replaces", "superseded"), ("T10", "replaces", "superseded")],
)
def test_a_document_that_follows_on_another_relates_to_it(
    gateway: Any, event: str, code: str, status: str
) -> None:
    gateway.send(mdm("T02", txa(), *LINES))
    gateway.send(mdm(event, txa("D2", "D1"), *LINES))
    first, second = gateway.all("DocumentReference")
    assert second["relatesTo"] == [
        {"code": code, "target": {"reference": f"DocumentReference/{first['id']}"}}
    ]
    assert (first["status"], second["status"]) == (status, "current")


def test_a_later_notice_leaves_how_documents_relate(gateway: Any) -> None:
    for event in ("T02", "T10", "T04"):
        number = ("D1",) if event == "T02" else ("D2", "D1")
        gateway.send(mdm(event, txa(*number), *LINES))
    assert [item["code"] for item in gateway.all("DocumentReference")[1]["relatesTo"]] == ["replaces"]


def test_an_unknown_parent_is_named_until_it_is_known(gateway: Any) -> None:
    gateway.send(mdm("T06", txa("D2", "D1"), *LINES))
    target = gateway.only("DocumentReference")["relatesTo"][0]["target"]
    assert target["identifier"]["value"] == "D1"
    gateway.send(mdm("T02", txa(), *LINES))
    gateway.send(mdm("T06", txa("D2", "D1"), *LINES))
    second, first = gateway.all("DocumentReference")
    assert second["relatesTo"] == [
        {"code": "appends", "target": {"reference": f"DocumentReference/{first['id']}"}}
    ]


def test_a_late_preliminary_version_changes_nothing(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(f17="LA"), *LINES))
    applied = gateway.send(mdm("T02", txa(f17="DI"), LINES[0]))
    found = gateway.only("DocumentReference")
    assert (found["docStatus"], text_of(found)) == ("final", "Findings: none\nPlan: home")
    assert applied.coverage.ignored["OBX[1]-5"] == applied.coverage.ignored["TXA[1]-17"]
    assert applied.actions("DocumentReference") == ["matched"]


def test_a_document_that_was_replaced_does_not_become_current_again(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(), *LINES))
    gateway.send(mdm("T10", txa("D2", "D1"), *LINES))
    gateway.send(mdm("T02", txa(f19="AV"), *LINES))
    assert [item["status"] for item in gateway.all("DocumentReference")] == ["superseded", "current"]


def test_a_document_is_taken_back(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(), *LINES))
    gateway.send(mdm("T11", txa()))
    found = gateway.only("DocumentReference")
    assert (found["status"], text_of(found)) == ("entered-in-error", "Findings: none\nPlan: home")


def test_a_confidential_document_is_labelled(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(f18="V", f19="OB"), *LINES))
    found = gateway.only("DocumentReference")
    assert found["status"] == "superseded"
    assert found["securityLabel"][0]["coding"][0] == {
        "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
        "code": "V",
        "display": "very restricted",
    }


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (mdm("T02", txa(""), *LINES), "101"),
        (mdm("T02", *LINES), "100"),
        (mdm("T11", txa("D9")), "204"),
        (mdm("T02", txa(), pid=PATIENT.replace("4711", "4712")), "205"),
        ("\n".join((head("T02"), txa(), *LINES)), "100"),
    ],
)
def test_a_message_that_cannot_be_applied_is_refused(gateway: Any, raw: str, code: str) -> None:
    gateway.send(mdm("T02", txa(), *LINES))
    with pytest.raises(MessageRefused) as refused:
        gateway.send(raw)
    assert refused.value.warning.code == code


# --- the corpus ---------------------------------------------------------------------------------------------


def readable(corpus: Path) -> list[tuple[str, bytes]]:
    """The document messages of the corpus, each with its name."""
    return [
        (f"{path.name}#{number}", raw)
        for path in sorted((corpus / "hl7v2").glob("*.hl7"))
        for number, raw in enumerate(messages(path))
        if b"|MDM^" in raw.partition(b"\r")[0]
    ]


def test_each_document_message_of_the_corpus_is_applied_and_told_of(corpus: Path, gateway: Any) -> None:
    faults: dict[str, Any] = {}
    for name, raw in readable(corpus):
        applied = gateway.rehearse(raw)
        told = invalid(applied.written) + untold(er7.read(raw), applied.coverage)
        if told or applied.actions("DocumentReference") != ["created"]:
            faults[name] = told
        if any(item.action != "matched" for item in gateway.rehearse(raw, times=2).written):
            faults[name] = "it changes something when it comes again"
    assert not faults, faults
    assert len(readable(corpus)) > 4


def test_the_document_messages_of_the_corpus_are_about_one_document(corpus: Path, gateway: Any) -> None:
    for _, raw in readable(corpus):
        gateway.send(raw)
    assert len(gateway.all("DocumentReference")) == 1
    assert len(gateway.all("ServiceRequest")) == 2


def test_an_addendum_under_the_number_of_its_document_does_not_take_the_text_away(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(f17="LA"), *LINES))
    addendum = mdm("T06", txa(parent="D1", f17="LA"), "OBX|1|TX|||Addendum: more||||||F")
    gateway.send(addendum)
    found = gateway.only("DocumentReference")
    assert [text_of(found, place) for place in (0, 1)] == ["Findings: none\nPlan: home", "Addendum: more"]
    assert {item.action for item in gateway.send(addendum).written} == {"matched"}
    gateway.send(mdm("T08", txa(f17="LA"), "OBX|1|TX|||All anew||||||F"))
    assert [text_of(gateway.only("DocumentReference"))] == ["All anew"]
    assert len(gateway.only("DocumentReference")["content"]) == 1


def test_an_addendum_of_its_own_number_that_comes_again_replaces_its_text(gateway: Any) -> None:
    gateway.send(mdm("T02", txa(), *LINES))
    for text in ("First", "Second"):
        gateway.send(mdm("T06", txa("D2", parent="D1"), f"OBX|1|TX|||{text}||||||F"))
    original, addendum = gateway.all("DocumentReference")
    assert text_of(original) == "Findings: none\nPlan: home"
    assert [text_of(addendum), len(addendum["content"])] == ["Second", 1]


def test_repetitions_of_a_text_are_its_lines(gateway: Any) -> None:
    gateway.send(
        mdm("T02", txa(), "OBX|1|TX|||One~Two||||||F", "OBX|2|FT|||Three \\T\\ four\\.br\\Five||||||F")
    )
    assert text_of(gateway.only("DocumentReference")) == "One\nTwo\nThree & four\nFive"


def test_documents_without_a_visit_number_are_of_the_visit_that_goes_on(gateway: Any) -> None:
    for number in ("D1", "D2"):
        gateway.send(mdm("T02", "PV1|1|I|WARD^1^A", txa(number), *LINES))
    (visit,) = gateway.all("Encounter")
    encounters = [item["context"]["encounter"] for item in gateway.all("DocumentReference")]
    assert encounters == [[{"reference": f"Encounter/{visit['id']}"}]] * 2
    gateway.send(mdm("T02", "PV1|1|O|CLINIC", txa("D3"), *LINES))
    gateway.send(mdm("T02", VISIT, txa("D4"), *LINES))
    assert len(gateway.all("Encounter")) == 3


@pytest.mark.parametrize("number", [17, 19])
@pytest.mark.parametrize("known", [True, False])
def test_a_status_of_no_table_is_warned_about(gateway: Any, number: int, *, known: bool) -> None:
    if known:
        gateway.send(mdm("T02", txa(f17="AU"), *LINES))
    applied = gateway.send(
        mdm("T02", txa(**{f"f{number}": "QQ"}, **({"f17": "AU"} if number == 19 else {})), *LINES)
    )
    assert [
        (item.code, item.segment, item.field) for item in applied.coverage.warned if item.code != "0"
    ] == [("103", "TXA", number)]
    found = gateway.only("DocumentReference")
    assert (found["status"], found.get("docStatus")) == (
        "current",
        "final" if known or number == 19 else None,
    )
