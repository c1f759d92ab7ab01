"""How the segments of a message group, in order and out of it.

HL7 v2.5.1, sections 4.4.1 and 7.3.1: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import er7
from mappings.er7 import Segment
from mappings.messages.coverage import Coverage, MessageRefused
from mappings.messages.groups import PatientPart, group

NAMES = [
    *("PID", "PD1", "NK1", "NTE", "PV1", "PV2", "AL1", "DG1", "ORC", "OBR"),
    *("OBX", "TQ1", "SPM", "ZDS", "IPC", "FT1", "CTI", "RXO", "ZZZ", "ORC.NW", "ORC.PR", "IN1", "IN2"),
]


def grouped(*names: str, with_priors: bool = False) -> tuple[list[PatientPart], Coverage]:
    """The groups of a message of segments, given by their names, an order control after a point (ORC.NW)."""
    lines = [f"{name}|{control or 1}" for name, _, control in (name.partition(".") for name in names)]
    raw = "\r".join(("MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5.1", *lines))
    coverage = Coverage()
    return group(er7.read(raw.encode()), coverage, with_priors=with_priors), coverage


def indexes(parts: list[PatientPart]) -> list[int]:
    """The index of every segment in the groups."""
    return sorted(segment.index for segment in segments(parts, None))


def segments(parts: list[PatientPart], above: Segment | None) -> list[Segment]:
    """The segments in the groups; ``above`` is the PID under which they stand as prior results."""
    found: list[Segment | None] = []
    for part in parts:
        found += [part.pid] if part.pid is not above else []
        found += [part.pd1, part.pv1, part.pv2, *part.notes, *part.kin, *part.diagnoses, *part.others]
        found += part.allergies
        found += [segment for cover in part.covers for segment in (cover.segment, *cover.others)]
        found += [segment for noted in part.observations for segment in (noted.segment, *noted.notes)]
        for order in part.orders:
            found += [*order.everything, *segments(order.priors, part.pid)]
    return [segment for segment in found if segment is not None]


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


def test_prior_results_begin_at_a_second_patient_or_visit_and_are_no_new_orders() -> None:
    (part,), _ = grouped(
        *("PID", "PV1", "ORC.NW", "OBR", "SPM", "PID", "PV1", "AL1", "ORC.SC", "OBR", "OBX", "OBR", "OBX"),
        *("FT1", "ORC.NW", "OBR"),
        with_priors=True,
    )
    first, second = part.orders
    (prior,) = first.priors
    assert [len(order.observations) for order in prior.orders] == [1, 1]
    assert (prior.pid is part.pid, prior.pv1 is not None, len(prior.allergies)) == (False, True, 1)
    assert [segment.name for segment in first.others] == ["FT1"]
    assert second.priors == []


@pytest.mark.parametrize("begins", ["PV1", "ORC.PR"])
def test_prior_results_without_a_pid_are_of_the_same_patient(begins: str) -> None:
    names = ("PID", "ORC.NW", "OBR", begins, "OBR", "OBX", "ORC.NW", "OBR")
    (part,), _ = grouped(*names, with_priors=True)
    (prior,) = part.orders[0].priors
    assert (prior.pid is part.pid, len(prior.orders), len(part.orders)) == (True, 1, 2)


def test_results_of_two_visits_are_two_groups_of_prior_results() -> None:
    (part,), _ = grouped("PID", "OBR", "PV1", "OBR", "OBX", "PID", "OBR", "OBX", with_priors=True)
    assert [len(prior.orders) for prior in part.orders[0].priors] == [1, 1]


def test_a_patient_whom_a_new_order_follows_is_another_patient_and_no_prior_result() -> None:
    parts, coverage = grouped("PID", "ORC.NW", "OBR", "PID", "PV1", "ORC.NW", "OBR", with_priors=True)
    assert [(len(part.orders), len(part.orders[0].priors)) for part in parts] == [(1, 0), (1, 0)]
    assert [item.code for item in coverage.warned] == ["100"]


def test_a_visit_after_the_last_order_is_the_patients() -> None:
    (part,), coverage = grouped("PID", "ORC.NW", "OBR", "PV1", with_priors=True)
    assert (part.pv1 is not None, part.orders[0].priors) == (True, [])
    assert [item.code for item in coverage.warned] == ["100"]


@pytest.mark.parametrize(
    ("line", "place"), [("GT1|1||A^B||Street^LORC|NW|P1", ("GT1", 5)), ("OBR|1|P1||A OBX|1|NM", ("OBR", 4))]
)
def test_a_segment_in_the_middle_of_a_line_is_told(line: str, place: tuple[str, int]) -> None:
    raw = f"MSH|^~\\&|A|B|C|D|2026||OML^O21|1|P|2.5.1\rPID|1\r{line}\rOBR|1"
    coverage = Coverage()
    group(er7.read(raw.encode()), coverage)
    assert [(item.code, item.segment, item.field) for item in coverage.warned] == [("100", *place)]


@given(st.lists(st.sampled_from(NAMES), max_size=25), st.booleans())
def test_every_segment_is_in_exactly_one_group(names: list[str], with_priors: bool) -> None:
    try:
        parts, _ = grouped(*names, with_priors=with_priors)
    except MessageRefused:
        return
    assert indexes(parts) == list(range(2, len(names) + 2))
