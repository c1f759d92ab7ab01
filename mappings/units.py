"""Exact conversions between the UCUM units that typed columns know.

https://hl7.org/fhir/R4/datatypes.html#Quantity and https://ucum.org/ucum
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction

UCUM = "http://unitsofmeasure.org"
PLACES = 12
"""Digits kept after the point of a quotient that does not end."""

_MM = Fraction(1)
_KPA = Fraction(1000000, 133322)

DIMENSIONS: dict[str, dict[str, Fraction]] = {
    "length": {
        "mm": _MM,
        "um": _MM / 1000,
        "cm": _MM * 10,
        "dm": _MM * 100,
        "m": _MM * 1000,
        "[in_i]": Fraction(254, 10),
        "[ft_i]": Fraction(3048, 10),
    },
    "area": {"mm2": _MM, "cm2": _MM * 100, "m2": _MM * 1000000, "[in_i]2": Fraction(64516, 100)},
    "volume": {
        "mL": Fraction(1),
        "ml": Fraction(1),
        "cm3": Fraction(1),
        "uL": Fraction(1, 1000),
        "cL": Fraction(10),
        "dL": Fraction(100),
        "L": Fraction(1000),
        "l": Fraction(1000),
    },
    "mass": {
        "kg": Fraction(1000),
        "g": Fraction(1),
        "mg": Fraction(1, 1000),
        "[lb_av]": Fraction(45359237, 100000),
    },
    "time": {
        "s": Fraction(1, 60),
        "min": Fraction(1),
        "h": Fraction(60),
        "d": Fraction(1440),
        "wk": Fraction(10080),
    },
    "mass per area": {"kg/m2": Fraction(1), "g/cm2": Fraction(10)},
    "speed": {"cm/s": Fraction(1), "m/s": Fraction(100), "mm/s": Fraction(1, 10)},
    "pressure": {"mm[Hg]": Fraction(1), "kPa": _KPA, "cm[Hg]": Fraction(10)},
    "angle": {"deg": Fraction(1), "'": Fraction(1, 60), "circ": Fraction(360)},
    "number": {"1": Fraction(1), "%": Fraction(1, 100), "[ppth]": Fraction(1, 1000)},
}
"""Units that can be converted into each other, each as a multiple of the same one."""

_FACTORS = {code: (kind, factor) for kind, units in DIMENSIONS.items() for code, factor in units.items()}
_ANNOTATION = re.compile(r"\{[^{}]*\}\Z")


def known(code: str | None) -> tuple[str, Fraction] | None:
    """Return the dimension and factor of a unit, None where it is not known.

    A bare annotation (``{score}``) and no unit at all are the number 1.
    """
    if not code or _ANNOTATION.match(code):
        return _FACTORS["1"]
    return _FACTORS.get(code)


def convert(value: Decimal, code: str | None, wanted: str) -> Decimal | None:
    """Return a value in another unit; None where the units are not of one dimension or not known.

    In the same unit the value comes back as it is, with all its digits. Between units the result is exact, or
    rounded to 12 places where the quotient does not end.
    """
    source, target = known(code), known(wanted)
    if source is None or target is None or source[0] != target[0]:
        return None
    factor = source[1] / target[1]
    if factor == 1:
        return value
    return _decimal(Fraction(value) * factor)


def _decimal(exact: Fraction) -> Decimal:
    scaled = exact * 10**PLACES
    rounded = Decimal(round(scaled)).scaleb(-PLACES)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()
