"""Order responses over a real socket: ORR, ORL, ORG and ORI, for peers that ask for them.

HL7 v2.5.1, sections 4.4.2 to 4.4.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.app import new_id
from gateway.mllp.framing import wrap
from mappings.er7 import Message, read
from mappings.messages.structure import deviations
from storage import peers
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running
from tests.wire.messages import message, msa
from tests.wire.peer import ExpectFrame, HalfClose, Send, Step, call

KINDS = {"ORM^O01": "ORR^O02", "OML^O21": "ORL^O22", "OMG^O19": "ORG^O20", "OMI^O23": "ORI^O24"}
PATIENT = "PID|1||4711^^^CITY^MR||Quillfeather^Ann||19700101|F"
XRAY = "71020^Chest X-ray^C4"


@pytest.fixture
def asking(clean: Store, start: Callable[..., Running]) -> Running:
    """A listener whose sender asks for order responses."""
    with clean.connection() as connection:
        peers.add(connection, Peer(new_id(), "ehr", "EHR", "CITY", order_replies=True))
    return start()


def orders(
    control_id: str, *groups: str, kind: str = "ORM^O01", version: str = "2.5.1", more: str = ""
) -> bytes:
    """A message with orders."""
    header = f"MSH|^~\\&|EHR|CITY|SUTURE|OR|20260110083000||{kind}|{control_id}|P|{version}{more}"
    return message(header, PATIENT, *(line for group in groups for line in group.split("\n")))


def order(control: str, number: str = "A1^EHR", status: str = "", filler: str = "") -> str:
    """ORC and OBR, and the IPC that an imaging order needs."""
    obr = f"OBR|1|{number}|{filler}|{XRAY}\nIPC|A-17|RP1|1.2.840.1|SPS1"
    return f"ORC|{control}|{number}|{filler}|G7^EHR|{status}\n{obr}"


def reply(listener: Running, sent: bytes) -> Message:
    """The response to a message."""
    (answer,) = listener.send(sent)
    return read(answer)


def told(response: Message) -> list[tuple[str, str]]:
    """ORC-1 and ORC-5 of each order."""
    return [(orc.field(1).raw, orc.field(5).raw) for orc in response.all("ORC")]


@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5.1", "2.8"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_order_is_answered_ok_with_our_number(asking: Running, kind: str, version: str) -> None:
    response = reply(asking, orders("m1", order("NW"), kind=kind, version=version))
    code, event = KINDS[kind].split("^")
    assert response.msh.field(9).raw == f"{code}^{event}^{code}_{event}"
    assert [segment.name for segment in response.segments if segment.name != "ERR"][:5] == [
        *("MSH", "MSA", "PID", "ORC", "OBR")
    ]
    (orc,), (obr,) = response.all("ORC"), response.all("OBR")
    assert (orc.field(1).raw, orc.field(2).raw, orc.field(4).raw) == ("OK", "A1^EHR", "G7^EHR")
    assert orc.field(3).first.component(1).startswith("ORD-")
    assert [obr.field(number).raw for number in (2, 3, 4)] == ["A1^EHR", orc.field(3).raw, XRAY]


@pytest.mark.parametrize("kind", KINDS)
def test_a_response_follows_its_structure(asking: Running, kind: str) -> None:
    response = reply(asking, orders("m1", order("NW"), kind=kind))
    assert [(item.code, item.segment, item.field) for item in deviations(response)] == []
    assert (response.first("IPC") is not None) == (kind == "OMI^O23")


def test_the_filler_number_of_an_order_is_the_one_that_came(asking: Running) -> None:
    response = reply(asking, orders("m1", order("NW", filler="F1^RIS")))
    assert response.all("ORC")[0].field(3).raw == "F1^RIS"


def test_a_filler_that_asks_for_a_number_gets_it(asking: Running) -> None:
    (orc,) = reply(asking, orders("m1", order("SN", "", filler="F1^RIS"))).all("ORC")
    assert (orc.field(1).raw, orc.field(3).raw) == ("NA", "F1^RIS")
    assert orc.field(2).first.component(1).startswith("ORD-")


@pytest.mark.parametrize(
    ("control", "code", "status"),
    [
        ("CA", "CR", "CA"),
        ("DC", "DR", "CA"),
        ("HD", "HR", "HD"),
        ("RL", "OR", ""),
        ("XO", "XR", ""),
        ("RP", "RQ", "CA"),
        ("SS", "SR", ""),
    ],
)
def test_what_was_asked_is_answered_as_done(asking: Running, control: str, code: str, status: str) -> None:
    reply(asking, orders("m1", order("NW")))
    assert told(reply(asking, orders("m2", order(control)))) == [(code, status)]


@pytest.mark.parametrize(
    ("control", "code"),
    [("CA", "UC"), ("DC", "UD"), ("HD", "UH"), ("RL", "UR"), ("RP", "UM")],
)
def test_what_cannot_be_done_is_answered_so(asking: Running, control: str, code: str) -> None:
    reply(asking, orders("m1", order("SC", status="CM")))
    response = reply(asking, orders("m2", order(control)))
    assert (response.all("MSA")[0].field(1).raw, told(response)) == ("AE", [(code, "")])
    assert response.all("ERR")[0].field(3).first.component(1) == "207"


def test_a_change_of_a_cancelled_order_is_answered_as_not_done(asking: Running) -> None:
    reply(asking, orders("m1", order("NW"), order("CA")))
    assert told(reply(asking, orders("m2", order("XO")))) == [("UX", "CA")]


def test_a_message_that_is_refused_does_none_of_its_orders(asking: Running) -> None:
    reply(asking, orders("m1", order("SC", status="CM")))
    response = reply(asking, orders("m2", order("NW", "A2^EHR"), order("CA")))
    assert told(response) == [("UA", ""), ("UC", "")]


def test_an_order_that_is_not_known_is_answered_unable_to_accept(asking: Running) -> None:
    response = reply(asking, orders("m1", order("CA")))
    assert (msa_code(response), told(response)) == ("AA", [("UA", "CA")])


def test_a_question_for_an_order_that_is_not_known_is_answered_unable_to_accept(asking: Running) -> None:
    response = reply(asking, orders("m1", order("SS")))
    assert (msa_code(response), told(response)) == ("AR", [("UA", "")])


def msa_code(response: Message) -> str:
    return response.all("MSA")[0].field(1).raw


def test_each_order_of_a_message_is_answered(asking: Running) -> None:
    reply(asking, orders("m1", order("NW")))
    groups = (order("RP"), order("RO", "A2^EHR"), order("NW", "A3^EHR"))
    response = reply(asking, orders("m2", *groups, kind="OML^O21"))
    assert [code for code, _ in told(response)] == ["RQ", "OK", "OK"]
    assert len(response.all("PID")) == 1


def test_a_report_of_facts_is_answered_by_a_plain_acknowledgement(asking: Running) -> None:
    assert msa(asking.send(orders("m1", order("SC", status="IP")))[0]) == ("AA", "m1")


def test_a_message_that_comes_again_gets_the_same_response(asking: Running) -> None:
    sent = orders("m1", order("NW"))
    assert asking.send(sent) == asking.send(sent)


def test_in_enhanced_mode_the_response_is_the_second_answer(asking: Running) -> None:
    steps: list[Step] = [Send(wrap(orders("m1", order("NW"), more="|||AL|AL"))), ExpectFrame(), ExpectFrame()]
    taken, response = call(asking.port, [*steps, HalfClose()]).payloads
    assert msa(taken) == ("CA", "m1")
    assert told(read(response)) == [("OK", "")]


def test_a_peer_that_does_not_ask_for_responses_gets_acknowledgements(listener: Running) -> None:
    assert msa(listener.send(orders("m1", order("NW")))[0]) == ("AA", "m1")
