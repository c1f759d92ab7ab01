"""Arterial findings. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mappings.concepts import SNOMED as SCT
from mappings.resources.observation import OBSERVATION
from tests.fixtures.research_cases import SG, case, coded, component, detail, quantity, refused
from tests.fixtures.resources import draw, read, text


def arterial(code: str, **more: Any) -> dict[str, Any]:
    return case("x") | {"code": {"coding": [{"system": f"{SG}observation", "code": code}]}, **more}


SITE = {"coding": [{"system": f"{SG}artery", "code": "sfa_mid"}, {"system": SCT, "code": "7771000"}]}


def test_a_finding_of_a_segment_fills_its_columns() -> None:
    value = arterial(
        "arterial-finding",
        bodySite=SITE,
        partOf=[{"reference": "Procedure/x1"}],
        component=[
            component("observation", "stenosis_pct", quantity(Decimal("0.8"), "1")),
            component("observation", "length_mm", quantity(3, "cm")),
            component("observation", "source_modality", coded("arterial-finding-source_modality", "cta")),
        ],
        **coded("arterial-finding", "stenosis"),
    )
    record = read(OBSERVATION, value)
    row = detail(record)
    assert (row["kind"], row["segment"], row["side"], row["finding"]) == (
        "segment",
        "sfa_mid",
        "left",
        "stenosis",
    )
    assert (row["stenosis_pct"], row["length_mm"], row["source_modality"]) == (80, 30, "cta")
    assert [link.table for link in record.links if link.row is row] == ["procedure"]
    assert text(draw(OBSERVATION, record)) == text(value)


@pytest.mark.parametrize("code", ["399488007", "260528009"])
def test_either_code_of_the_middle_is_the_midline_and_stays_as_it_was_sent(code: str) -> None:
    site = {"coding": [SITE["coding"][0], {"system": SCT, "code": code}]}
    value = arterial("arterial-finding", bodySite=site, **coded("arterial-finding", "stenosis"))
    record = read(OBSERVATION, value)
    assert detail(record)["side"] == "midline"
    assert text(draw(OBSERVATION, record)) == text(value)


def test_an_index_fills_its_measure() -> None:
    codings = [
        {"system": f"{SG}observation", "code": "arterial-index"},
        {"system": f"{SG}arterial-finding-measure", "code": "toe_pressure"},
    ]
    value = case("x") | {"code": {"coding": codings}} | quantity(8, "kPa")
    row = detail(read(OBSERVATION, value))
    assert (row["kind"], row["measure"]) == ("index", "toe_pressure")
    assert abs(row["measure_value"] - Decimal("60.005")) < Decimal("0.001")


@pytest.mark.parametrize(
    ("value", "kind", "expression"),
    [
        (arterial("arterial-finding"), "required", "Observation.bodySite"),
        (arterial("arterial-index", bodySite=SITE), "required", "Observation.bodySite"),
        (
            arterial("arterial-finding", bodySite=SITE, valueString="open"),
            "code-invalid",
            "Observation.value",
        ),
        (
            arterial("arterial-finding", bodySite=SITE, **coded("arterial-finding", "fine")),
            "code-invalid",
            "Observation.value",
        ),
        (
            arterial("arterial-finding", bodySite={"coding": [{"system": f"{SG}artery", "code": "?"}]}),
            "code-invalid",
            "Observation.bodySite",
        ),
    ],
)
def test_a_wrong_arterial_finding_is_refused(value: dict[str, Any], kind: str, expression: str) -> None:
    error = refused(value)
    assert (error.kind, error.expression) == (kind, expression)
