"""How the segments of a message group, in order and out of it.

HL7 v2.5.1, sections 4.4.1 and 7.3.1: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import er7
from mappings.messages.coverage import Coverage, MessageRefused
from mappings.messages.groups import PatientPart, group

NAMES = [
    *("PID", "PD1", "NK1", "NTE", "PV1", "PV2", "AL1", "DG1", "ORC", "OBR"),
    *("OBX", "TQ1", "SPM", "ZDS", "IPC", "FT1", "CTI", "RXO", "ZZZ"),
]


def grouped(*names: str) -> tuple[list[PatientPart], Coverage]:
    """The groups of a message of segments, given by their names."""
    raw = "\r".join(("MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5.1", *(f"{name}|1" for name in names)))
    coverage = Coverage()
    return group(er7.read(raw.encode()), coverage), coverage


def indexes(parts: list[PatientPart]) -> list[int]:
    """The index of every segment in the groups."""
    found = []
    for part in parts:
        found += [
            part.pid,
            part.pd1,
            part.pv1,
            part.pv2,
            *part.notes,
            *part.kin,
            *part.diagnoses,
            *part.others,
        ]
        found += [segment for noted in part.observations for segment in (noted.segment, *noted.notes)]
        for order in part.orders:
            found += [*order.segments, *order.diagnoses]
            found += [segment for noted in order.observations for segment in (noted.segment, *noted.notes)]
            for specimen in order.specimens:
                found += [specimen.segment, *specimen.others]
                found += [
                    segment for noted in specimen.observations for segment in (noted.segment, *noted.notes)
                ]
    return sorted(segment.index for segment in found if segment is not None)


def test_each_orc_begins_an_order_and_so_does_an_obr_after_an_obr() -> None:
    (part,), _ = grouped("PID", "ORC", "OBR", "OBX", "OBR", "OBX", "ORC", "OBR")
    assert [(order.orc is not None, len(order.observations)) for order in part.orders] == [
        (True, 1),
        (False, 1),
        (True, 0),
    ]


def test_notes_belong_to_what_they_follow() -> None:
    (part,), _ = grouped("PID", "NTE", "OBR", "NTE", "OBX", "NTE", "NTE")
    (order,) = part.orders
    assert (len(part.notes), len(order.notes), len(order.observations[0].notes)) == (1, 1, 2)


def test_observations_after_a_specimen_are_about_it() -> None:
    (part,), _ = grouped("PID", "OBR", "OBX", "SPM", "OBX", "OBR", "OBX")
    first, second = part.orders
    assert (len(first.observations), len(first.specimens[0].observations), len(second.observations)) == (
        1,
        1,
        1,
    )


def test_a_second_pid_begins_another_patient() -> None:
    parts, _ = grouped("PID", "OBR", "PID", "PV1", "OBR", "OBR")
    assert [len(part.orders) for part in parts] == [1, 2]


def test_segments_before_the_patient_are_taken_with_a_warning() -> None:
    (part,), coverage = grouped("NK1", "PID", "OBR")
    assert len(part.kin) == 1
    assert [(item.code, item.segment) for item in coverage.warned] == [("100", "NK1")]


@pytest.mark.parametrize(("names", "missing"), [(("ORC", "OBR"), "PID"), (("PID", "PV1"), "OBR")])
def test_a_message_without_patient_or_order_is_refused(names: tuple[str, ...], missing: str) -> None:
    with pytest.raises(MessageRefused) as refused:
        grouped(*names)
    assert (refused.value.warning.code, refused.value.warning.segment) == ("100", missing)


@given(st.lists(st.sampled_from(NAMES), max_size=25))
def test_every_segment_is_in_exactly_one_group(names: list[str]) -> None:
    try:
        parts, _ = grouped(*names)
    except MessageRefused:
        return
    assert indexes(parts) == list(range(2, len(names) + 2))
