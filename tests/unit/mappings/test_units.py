"""Units of measure. https://hl7.org/fhir/R4/datatypes.html#Quantity"""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.units import DIMENSIONS, convert

ALIKE = [(one, other) for units in DIMENSIONS.values() for one in units for other in units]


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        ("5.40", "cm", "mm", "54"),
        ("1", "[in_i]", "mm", "25.4"),
        ("1.5", "h", "min", "90"),
        ("36", "h", "d", "1.5"),
        ("100", "s", "min", "1.666666666667"),
        ("0.35", "1", "%", "35"),
        ("0.35", None, "%", "35"),
        ("2", "L", "mL", "2000"),
        ("10", "kPa", "mm[Hg]", "75.006375541921"),
        ("0", "cm", "mm", "0"),
        ("7", "{points}", "{score}", "7"),
    ],
)
def test_a_value_is_converted(value: str, unit: str | None, wanted: str, expected: str) -> None:
    assert str(convert(Decimal(value), unit, wanted)) == expected


@pytest.mark.parametrize(
    ("unit", "wanted"), [("kg", "mm"), ("parsec", "mm"), (None, "mm"), ("mm", "{size}"), ("MM", "mm")]
)
def test_units_that_do_not_fit_have_no_conversion(unit: str | None, wanted: str) -> None:
    assert convert(Decimal(1), unit, wanted) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**6), max_value=10**6))
def test_in_its_own_unit_a_value_keeps_its_digits(value: Decimal) -> None:
    assert str(convert(value, "mm", "mm")) == str(value)


@given(st.sampled_from(ALIKE), st.integers(-1000, 1000))
def test_there_and_back_is_the_same_but_for_rounding(units: tuple[str, str], value: int) -> None:
    there = convert(Decimal(value), units[0], units[1])
    assert there is not None
    back = convert(there, units[1], units[0])
    assert back is not None
    assert abs(back - value) < Decimal("0.0001")
