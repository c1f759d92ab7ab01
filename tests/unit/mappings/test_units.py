"""Conversions between UCUM units: https://ucum.org/ucum and https://hl7.org/fhir/R4/search.html#quantity."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.units import UCUM, canonical, convert, known

KINDS = [
    "kg g mg ug ng pg [lb_av] [oz_av] t",
    "m cm mm um nm km [in_i] [ft_i]",
    "L l dL cL mL uL fL m3 cm3 mm3 [foz_us] [gal_us]",
    "s ms min h d wk mo a",
    "g/L g/dL mg/dL mg/L ug/L ug/dL ng/mL ng/dL pg/mL kg/m3",
    "mol/L mmol/L umol/L nmol/L pmol/L mmol/dL",
    "mm[Hg] kPa Pa cm[H2O] bar [psi] atm",
    "K Cel [degF]",
    "% 1 [ppth] {score} 10*-2",
    "10*3/uL 10*9/L 10*6/mL /uL {cells}/uL 10*12/L",
    "/min {beats}/min /h Hz min-1 /s",
    "mL/min L/min mL/h L/h mL/min/{1.73_m2}",
    "U/L kU/L U/mL mU/mL ukat/L",
    "[IU]/L m[IU]/mL [IU]/mL k[IU]/L",
    "kg/m2 g/cm2",
    "meq/L eq/L",
    "cm/s m/s",
]
CODES = [(kind, code) for kind in KINDS for code in kind.split()]


@pytest.mark.parametrize("kind", KINDS)
def test_units_of_one_kind_are_compared_with_each_other_and_with_no_other(kind: str) -> None:
    found = {unit.kind for code in kind.split() if (unit := known(code)) is not None}
    assert len(found) == 1
    others = {unit.kind for other, code in CODES if other != kind and (unit := known(code)) is not None}
    assert found.isdisjoint(others)


@pytest.mark.parametrize(
    ("value", "code", "wanted", "result"),
    [
        ("1.70", "m", "cm", "170"),
        ("98.6", "[degF]", "Cel", "37"),
        ("37.0", "Cel", "[degF]", "98.6"),
        ("0", "Cel", "K", "273.15"),
        ("5.5", "mmol/L", "umol/L", "5500"),
        ("90", "mg/dL", "g/L", "0.9"),
        ("120", "mm[Hg]", "kPa", "15.99864"),
        ("70", "/min", "Hz", "1.166666666667"),
        ("2", "a", "mo", "24"),
        ("150", "[lb_av]", "kg", "68.0388555"),
        ("5", "10*3/uL", "10*9/L", "5"),
        ("40", "%", "1", "0.4"),
        ("1.50", "mg", "mg", "1.50"),
    ],
)
def test_a_value_is_converted_exactly_or_to_twelve_places(
    value: str, code: str, wanted: str, result: str
) -> None:
    assert str(convert(Decimal(value), code, wanted)) == result


@pytest.mark.parametrize("code", ["nonsense", "mg/", "kmin", "k%", "mg//dL", "1e3", "[x]", "m" * 70, "mg mL"])
def test_what_is_no_unit_is_not_converted(code: str) -> None:
    assert canonical(Decimal(1), UCUM, code) is None
    assert convert(Decimal(1), code, "g") is None


def test_only_units_of_ucum_are_compared() -> None:
    assert canonical(Decimal(1), None, "mg") is None
    assert canonical(Decimal(1), "http://snomed.info/sct", "mg") is None
    assert canonical(Decimal(1), UCUM, None) is None
    assert canonical(Decimal("1e500"), UCUM, "mg") is None


numbers = st.decimals(-1_000_000, 1_000_000, places=4)


@given(one=numbers, other=numbers, pair=st.sampled_from(CODES))
def test_order_is_kept_in_the_unit_of_the_kind(one: Decimal, other: Decimal, pair: tuple[str, str]) -> None:
    first, second = canonical(one, UCUM, pair[1]), canonical(other, UCUM, pair[1])
    assert first is not None
    assert second is not None
    assert (one < other, one == other) == (first[0] < second[0], first[0] == second[0])


@given(value=numbers, one=st.sampled_from(CODES), data=st.data())
def test_a_converted_value_is_the_same_quantity(
    value: Decimal, one: tuple[str, str], data: st.DataObject
) -> None:
    other = data.draw(st.sampled_from(one[0].split()))
    made = convert(value, one[1], other)
    if made is not None:
        first, second = canonical(value, UCUM, one[1]), canonical(made, UCUM, other)
        assert first is not None
        assert second is not None
        # To the rounding of twelve places, in the unit that was asked for.
        unit = known(other)
        assert unit is not None
        unit_size = Decimal(unit.factor.numerator) / unit.factor.denominator
        assert abs(first[0] - second[0]) <= unit_size * Decimal("1e-11")
