"""Exact conversions between UCUM units: of typed columns, and of quantities that a search compares.

https://hl7.org/fhir/R4/datatypes.html#Quantity, https://hl7.org/fhir/R4/search.html#quantity and
https://ucum.org/ucum
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import NamedTuple

UCUM = "http://unitsofmeasure.org"
PLACES = 12
"""Digits kept after the point of a quotient that does not end, in a typed column."""
DIGITS = 30
"""Digits kept of such a quotient, where it is compared only."""
LONGEST = 60
"""No unit is written longer."""
_FAR = 200
"""Quantities beyond this power of ten are not converted."""


class Unit(NamedTuple):
    """A unit as a multiple of that of its kind (``kg.m-3``); ``zero`` is where its scale begins there."""

    kind: str
    factor: Fraction
    zero: Fraction = Fraction(0)


# Atom: factor and base units. Metric ones take prefixes.
_METRIC = """
m 1 m / g 1 g / s 1/60 min / mol 1 mol / K 1 K / A 1 A / cd 1 cd / L 1/1000 m3 / l 1/1000 m3
Pa 60000*60 g.m-1.min-2 / m[Hg] 133322*3600000 g.m-1.min-2 / m[H2O] 9806650*3600 g.m-1.min-2
bar 100000000*3600 g.m-1.min-2 / N 1000*3600 g.m.min-2 / J 1000*3600 g.m2.min-2
W 1000*216000 g.m2.min-3 / cal 4184*3600 g.m2.min-2 / Hz 60 min-1 / kat 60 mol.min-1
U 1/1000000 mol.min-1 / [IU] 1 [IU] / [iU] 1 [IU] / eq 1 eq / osm 1 osm / V 1 V / Bq 60 min-1
Gy 3600 m2.min-2 / Sv 1 Sv / t 1000000 g / dyn 1/100*3600 g.m.min-2 / [arb'U] 1 [arb'U]
"""
_PLAIN = """
min 1 min / h 60 min / d 1440 min / wk 10080 min / mo 43830 min / a 525960 min
mo_j 43830 min / a_j 525960 min / % 1/100 / [ppth] 1/1000 / [ppm] 1/1000000 / [ppb] 1/1000000000
[in_i] 254/10000 m / [in_us] 100/3937 m / [ft_i] 3048/10000 m / [yd_i] 9144/10000 m / [mi_i] 1609344/1000 m
[ft_us] 1200/3937 m / [yd_us] 3600/3937 m / [mi_us] 6336000/3937 m / [nmi_i] 1852 m
[lb_av] 45359237/100000 g / [oz_av] 45359237/1600000 g / [gr] 6479891/100000000 g
[stone_av] 635029318/100000 g
[foz_us] 29573529562500/1000000000000000000 m3 / [gal_us] 3785411784/1000000000000 m3
[psi] 6894757293168*3600/1000000000 g.m-1.min-2 / [car_m] 2/10 g / atm 101325000*3600 g.m-1.min-2
deg 1 deg / ' 1/60 deg / '' 1/3600 deg / circ 360 deg / [pH] 1 [pH] / [APL'U] 1 [APL'U] / [GPL'U] 1 [GPL'U]
[MPL'U] 1 [MPL'U] / [CFU] 1 [CFU] / [HPF] 1 [HPF] / [LPF] 1 [LPF] / [drp] 1/20000000 m3
[Ch] 1/3000 m / [diop] 1 m-1
"""
_PREFIXES = dict(
    zip("YZEPTGMkhdcmunpfazy", (24, 21, 18, 15, 12, 9, 6, 3, 2, -1, -2, -3, -6, -9, -12, -15, -18, -21, -24),
        strict=True)
) | {"da": 1}  # fmt: skip
# Scales that do not begin at nothing; they stand alone.
_SCALES = {
    "Cel": Unit("K", Fraction(1), Fraction(27315, 100)),
    "[degF]": Unit("K", Fraction(5, 9), Fraction(45967, 180)),
}
_ANNOTATION = re.compile(r"\{[^{}]*\}")
_NOTED = re.compile(r"(?<=[^./])\{[^{}]*\}")
_FACTOR = re.compile(r"(10[*^][+-]?\d{1,2}|\d{1,9})\Z")
_TERM = re.compile(r"((?:\[[^\]]*\]|[^\d./()\[\]+-])+)([+-]?\d)?\Z")


def _number(text: str) -> Fraction:
    return prod((Fraction(part) for part in text.split("*")), start=Fraction(1))


_POWER = re.compile(r"(.*?)(-?\d)?", re.DOTALL)


def _powers(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for part in filter(None, text.split(".")):
        if (factor := _POWER.fullmatch(part)) is not None:
            found[factor[1]] += int(factor[2] or 1)
    return found


_Atom = tuple[Fraction, Counter[str]]


def _atoms(text: str) -> dict[str, _Atom]:
    listed = (entry.split() for line in text.strip().splitlines() for entry in line.split(" / "))
    return {name: (_number(factor), _powers("".join(base))) for name, factor, *base in listed}


_METRIC_ATOMS, _PLAIN_ATOMS = _atoms(_METRIC), _atoms(_PLAIN)


def _atom(text: str) -> _Atom | None:
    """Return an atom, perhaps with a prefix; None where there is no such."""
    found = _PLAIN_ATOMS.get(text) or _METRIC_ATOMS.get(text)
    if found is not None:
        return found
    for length in (2, 1):
        power, rest = _PREFIXES.get(text[:length]), _METRIC_ATOMS.get(text[length:])
        if power is not None and rest is not None:
            return Fraction(10) ** power * rest[0], rest[1]
    return None


def _term(text: str) -> _Atom | None:
    if not text:
        return Fraction(1), Counter()
    if _FACTOR.match(text):
        base, _, power = text.replace("^", "*").partition("*")
        return Fraction(int(base)) ** int(power or 1), Counter()
    parts = _TERM.match(text)
    found = _atom(parts[1]) if parts else None
    if parts is None or found is None:
        return None
    power = int(parts[2] or 1)
    return found[0] ** power, Counter({name: each * power for name, each in found[1].items()})


def known(code: str | None) -> Unit | None:
    """Return what a unit is, None where it is not known.

    Annotations (``{score}``) count for nothing, and no unit at all is the number 1.
    """
    if code is not None and len(code) > LONGEST:
        return None
    return _SCALES.get(code or "") or _KNOWN.get(code or "") or _parse(code or "")


_KNOWN: dict[str, Unit] = {}
_MOST_KEPT = 2000


def _parse(code: str) -> Unit | None:
    # After a unit an annotation says nothing, alone it stands for the number 1.
    plain = _ANNOTATION.sub("1", _NOTED.sub("", code)).strip()
    factor, powers, divide = Fraction(1), Counter[str](), False
    for place, part in enumerate(re.split(r"([./])", plain)):
        if part in (".", "/"):
            divide = part == "/"
            continue
        # Nothing may stand before the first sign, as in /min.
        found = _term(part) if part or not place else None
        if found is None:
            return None
        sign = -1 if divide else 1
        factor *= found[0] ** sign
        for name, power in found[1].items():
            powers[name] += sign * power
    made = Unit(_kind(powers), factor)
    if len(_KNOWN) < _MOST_KEPT:
        _KNOWN[code] = made
    return made


def _kind(powers: Counter[str]) -> str:
    told = (f"{name}{power if power != 1 else ''}" for name, power in sorted(powers.items()) if power)
    return ".".join(told) or "1"


def convert(value: Decimal, code: str | None, wanted: str) -> Decimal | None:
    """Return a value in another unit; None where the units are not of one kind or not known.

    In the same unit the value comes back as it is, with all its digits. Between units the result is exact, or
    rounded to 12 places where the quotient does not end.
    """
    source, target = known(code), known(wanted)
    if source is None or target is None or source.kind != target.kind:
        return None
    if source == target:
        return value
    return _decimal((Fraction(value) * source.factor + source.zero - target.zero) / target.factor)


def canonical(value: Decimal, system: str | None, code: str | None) -> tuple[Decimal, str] | None:
    """Return a quantity in the unit of its kind, and that unit; None where the unit is none of UCUM's that
    are known here.

    Exact, or rounded to 30 digits where the quotient does not end: equal quantities give equal values.
    """
    unit = known(code) if system == UCUM and code else None
    if unit is None or abs(value.adjusted()) > _FAR:
        return None
    return _digits(Fraction(value) * unit.factor + unit.zero), unit.kind


def _decimal(exact: Fraction) -> Decimal:
    scaled = exact * 10**PLACES
    rounded = Decimal(round(scaled)).scaleb(-PLACES)
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()


def _digits(exact: Fraction) -> Decimal:
    below, twos, fives = exact.denominator, 0, 0
    while below % 2 == 0:
        below, twos = below // 2, twos + 1
    while below % 5 == 0:
        below, fives = below // 5, fives + 1
    places = max(twos, fives)
    if below != 1:
        # Of the quotient so many digits, wherever its point stands.
        size = len(str(abs(exact.numerator))) - len(str(exact.denominator))
        places = max(0, DIGITS - size)
        exact = Fraction(round(exact * 10**places), 10**places)
    whole = exact * 10**places
    return Decimal((int(whole < 0), tuple(map(int, str(abs(whole.numerator)))), -places))
