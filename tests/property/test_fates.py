"""Whatever stands in a message, each of its fields has a fate, and those of an applied one are told of.

HL7 v2.5.1, section 2.5: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.app import new_id, now
from gateway.mllp.outlook import outlooks
from mappings import times
from mappings.messages.handlers import HANDLERS

NAMES = (
    "PID",
    "PV1",
    "PV2",
    "ORC",
    "OBR",
    "OBX",
    "NTE",
    "DG1",
    "AL1",
    "IN1",
    "NK1",
    "SPM",
    "TQ1",
    "ZZ9",
    "PR1",
)
VALUES = st.sampled_from(
    [
        "",
        "",
        "",
        '""',
        "1",
        "4711^^^CITY^MR",
        "A1^EHR",
        "NW",
        "RE",
        "F",
        "I",
        "ST",
        "NM",
        "20260110",
        "718-7^X^LN",
    ]
) | st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=8)
SEGMENT = st.builds(
    lambda name, fields: "|".join([name, *fields]), st.sampled_from(NAMES), st.lists(VALUES, max_size=24)
)
PID = "PID|1||4711^^^CITY^MR||Doe^Ann||19700101|F"


@st.composite
def message(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(sorted(HANDLERS)))
    head = f"MSH|^~\\&|EHR|CITY|SUTURE|OR|20260110083000||{'^'.join(kind)}|m1|P|2.5.1"
    lines = [head, *draw(st.lists(st.just(PID), max_size=1)), *draw(st.lists(SEGMENT, max_size=8))]
    return "\r".join(lines).encode()


@given(st.lists(message(), min_size=1, max_size=3))
@settings(max_examples=300)
def test_every_field_of_an_applied_message_is_told_of(payloads: list[bytes]) -> None:
    for each in outlooks(payloads, times.UTC, new_id, now):
        assert each.message is not None
        places = [
            f"{segment.name}[{segment.number}]-{number}"
            for segment in each.message.segments
            for number in segment.filled()
        ]
        assert [fate.place for fate in each.fates] == places
        assert all(fate.notes or fate.elements for fate in each.fates)
        assert each.counts["untold"] == 0
        if each.refusal is None:
            assert each.counts["refused"] == 0
        else:
            assert each.refusal.code != "207", each.refusal


@given(st.lists(st.binary(max_size=60) | message(), max_size=3))
def test_whatever_is_sent_has_an_outlook(payloads: list[bytes]) -> None:
    assert len(list(outlooks(payloads, times.UTC, new_id, now))) == len(payloads)
