"""The lexical rules of the primitive types: https://hl7.org/fhir/R4/datatypes.html#primitive.

One line per type: a test of the JSON value that is quick when the value is good, and words for what is
allowed.
"""

from __future__ import annotations

import binascii
import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

_YEAR = r"(?!0000)\d{4}"
_MONTH = r"(?:0[1-9]|1[0-2])"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"

_DATE = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?", re.ASCII)
_DATE_TIME = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_CLOCK}{_ZONE})?)?)?", re.ASCII)
_INSTANT = re.compile(rf"{_YEAR}-{_MONTH}-{_DAY}T{_CLOCK}{_ZONE}", re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NEVER = r"\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
"""Characters that no text may hold: XML cannot carry them, and FHIR rules most of them out."""

_CODE = re.compile(rf"[^\s{_NEVER}]+(?: [^\s{_NEVER}]+)*")
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CONTROL = re.compile(f"[{_NEVER}]")
_SPACE = re.compile(rf"[\s\x00-\x1f{_NEVER}]")

# What PostgreSQL's numeric can hold; also keeps 1e999999999 from being written out.
_MOST_DIGITS_BEFORE = 131072
_MOST_DIGITS_AFTER = 16383


class Primitive(NamedTuple):
    """One primitive type: whether a JSON value is of it, and what it allows, for people."""

    holds: Callable[[Any], bool]
    allowed: str


def _string(value: Any) -> bool:
    if type(value) is not str or not value or value.isspace():
        return False
    return value.isprintable() or not _CONTROL.search(value)


def _boolean(value: Any) -> bool:
    return value is True or value is False


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def _decimal(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() < _MOST_DIGITS_BEFORE
    if not isinstance(value, Decimal) or not value.is_finite():
        return False
    exponent = value.as_tuple().exponent
    return (
        value.adjusted() < _MOST_DIGITS_BEFORE
        and isinstance(exponent, int)
        and -exponent <= _MOST_DIGITS_AFTER
    )


def _matching(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    match = pattern.fullmatch
    return lambda value: type(value) is str and match(value) is not None


def _dated(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """As `_matching`, and the day exists in its month."""
    match = pattern.fullmatch

    def holds(value: Any) -> bool:
        if type(value) is not str or match(value) is None:
            return False
        day = value[8:10]
        return day <= "28" or int(day) <= monthrange(int(value[:4]), int(value[5:7]))[1]

    return holds


def _uri(value: Any) -> bool:
    return type(value) is str and value != "" and _SPACE.search(value) is None


def _base64(value: Any) -> bool:
    if type(value) is not str or not value or not value.isascii() or _CONTROL.search(value):
        return False
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except ValueError:
        return False
    return not value.isspace()


_TEXT = "text with something other than white space and without control characters, U+FFFE and U+FFFF"
_DATES = "a date that exists, as YYYY, YYYY-MM or YYYY-MM-DD"

PRIMITIVES: dict[str, Primitive] = {
    "base64Binary": Primitive(_base64, "base64"),
    "boolean": Primitive(_boolean, "true or false, without quotes"),
    "canonical": Primitive(_uri, "a canonical URL without spaces"),
    "code": Primitive(_matching(_CODE), "a code without spaces at the ends and without double spaces"),
    "date": Primitive(_dated(_DATE), _DATES),
    "dateTime": Primitive(_dated(_DATE_TIME), f"{_DATES}, or with Thh:mm:ss and a time zone"),
    "decimal": Primitive(_decimal, "a JSON number, without quotes"),
    "id": Primitive(_matching(_ID), "1 to 64 of A-Z, a-z, 0-9, - and ."),
    "instant": Primitive(_dated(_INSTANT), "a moment that exists, as YYYY-MM-DDThh:mm:ss with a time zone"),
    "integer": Primitive(_between(-(2**31), 2**31 - 1), "a whole JSON number from -2147483648 to 2147483647"),
    "markdown": Primitive(_string, _TEXT),
    "oid": Primitive(_matching(_OID), "urn:oid: and an OID"),
    "positiveInt": Primitive(_between(1, 2**31 - 1), "a whole JSON number from 1 to 2147483647"),
    "string": Primitive(_string, _TEXT),
    "time": Primitive(_matching(_TIME), "a time as hh:mm:ss"),
    "unsignedInt": Primitive(_between(0, 2**31 - 1), "a whole JSON number from 0 to 2147483647"),
    "uri": Primitive(_uri, "a URI without spaces"),
    "url": Primitive(_uri, "a URL without spaces"),
    "uuid": Primitive(_matching(_UUID), "urn:uuid: and a UUID in lower case"),
}
"""Every primitive type of R4 but xhtml, which narrative.py looks at."""


def one_of(codes: frozenset[str]) -> Callable[[Any], bool]:
    """The test for an element with a required binding."""
    return lambda value: type(value) is str and value in codes
