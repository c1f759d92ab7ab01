"""Fields fitted to a version: what their datatypes forbid is spelt otherwise, moved elsewhere or left out.

A peer that validates refuses the whole message for one value that is not of its type, such as a date of
birth that somebody sent as words.

HL7 v2.5.1, chapter 2A (data types), and v2.7, section 2.8 (what was withdrawn):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from hl7apy import load_library  # pyright: ignore[reportUnknownVariableType]

from mappings.er7 import NULL
from mappings.outbound.sheet import Sheet

Form = str | Mapping[int, "Form"]
"""How a value is judged: by the name of its primitive datatype, or component by component."""

_DATE = r"\d{4}(?:(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])?)?"
_TIME = r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d(?:\.\d{1,4})?)?"
_ZONE = r"(?:[+-]\d{4})?"
_DT = re.compile(_DATE)
_DTM = re.compile(rf"{_DATE}(?:(?<=\d{{8}}){_TIME})?{_ZONE}")
_HOUR = re.compile(rf"(\d{{8}}(?:[01]\d|2[0-3]))({_ZONE})")
_TM = re.compile(rf"{_TIME}{_ZONE}")
_NM = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
_TN = re.compile(r"(?:\d{1,2} )?(?:\(\d{3}\))?\d{3}-\d{4}(?:X\d{1,5})?(?:B\d{1,5})?(?:C.*)?")
_TELEPHONE = re.compile(r"(?:\+?1(?=\D*\d{3}\D*\d{3}\D*\d{4}$))?[\d ().-]+")
_FRACTION = re.compile(r"(\.\d{4})\d+")
_ANY_TEXT, _UNFORMATTED = 9, 12
"""Components of XTN: a remark, and a telephone number in any form."""
_DIGITS: Final = frozenset({5, 6, 7, 8})
"""Components of XTN: the numbers of country, area, line and extension."""
MOVED: Final = {
    ("XTN", 1): ("2.6", _UNFORMATTED),
    ("XPN", 6): ("2.7", 14),
    ("XPN", 10): ("2.7", 0),
    ("XCN", 7): ("2.7", 21),
    ("XCN", 17): ("2.7", 0),
    ("XAD", 12): ("2.7", 0),
    ("XON", 3): ("2.7", 10),
}
"""Components of datatypes that are withdrawn: since which version, and which has its place now."""
WITHDRAWN: Final = {("AL1", 6): "2.7"}
"""Since when fields are withdrawn that hl7apy does not tell so of."""


def fit(sheet: Sheet, version: str) -> None:
    """Leave out what a version forbids: values not of their type, repetitions of a field that has one.

    Fields and components that a version does not have yet stay: whoever does not know them passes them over
    (2.6.2).
    """
    single, forms = _known(version, sheet.name)
    for number, texts in list(sheet.fields.items()):
        told = [_fitted(text, forms[number]) for text in texts] if number in forms else texts
        sheet.fields[number] = told[:1] if number in single else [text for text in told if text]
    for number, raw in list(sheet.kept.items()):
        texts = raw.split("~")
        told = [_fitted(text, forms[number]) for text in texts] if number in forms else texts
        sheet.kept[number] = told[0] if number in single else "~".join(told).rstrip("~")
    if sheet.name == "OBX" and sheet.has(2):
        form = OF_RESULTS.get(sheet.fields[2][0], "")
        sheet.fields[5] = [_fitted(text, form) or text for text in sheet.fields.get(5, [])]


@cache
def _known(version: str, segment: str) -> tuple[frozenset[int], Mapping[int, Form]]:
    """Return the fields of a segment that do not repeat, and how those are judged that are."""
    found = load_library(version).SEGMENTS.get(segment)
    # By the numbers in their names: withdrawn fields are not always listed.
    listed = {_number(item): item for item in found[1]} if found and len(found) > 1 else {}
    forms = {number: form for number, item in listed.items() if (form := _form(item, version))}
    for number in range(1, max(listed, default=0)):
        if number not in listed or listed[number][2][1] == 0:
            forms[number] = "WD"
    for (name, number), since in WITHDRAWN.items():
        if name == segment and version >= since:
            forms[number] = "WD"
    return frozenset(number for number, item in listed.items() if item[2][1] == 1), forms


def _number(item: Any) -> int:
    return int(item[0].rpartition("_")[2])


def _form(item: Any, version: str) -> Form:
    """Return how a field or component is judged, empty where anything goes."""
    name, (kind, parts, datatype, *_), *_ = item
    if kind == "leaf" or not parts:
        return "DTM" if datatype == "TS" or name == "TS_1" else datatype if datatype in FITTED else ""
    forms = {_number(part): _form(part, version) for part in parts}
    for (of, number), (since, place) in MOVED.items():
        if of == datatype and version >= since:
            forms |= {number: "WD", -number: str(place or "")}
    if datatype == "XTN":
        forms |= dict.fromkeys(_DIGITS, "DIGITS")
    return {number: form for number, form in forms.items() if form}


def _fitted(text: str, form: Form, separator: str = "^") -> str:
    """Return a repetition, or a component of one, with what its form forbids left out."""
    if text in ("", NULL):
        return text
    parts = text.split(separator)
    if isinstance(form, str):
        return FITTED[form](parts[0]) if form in FITTED else text
    for number, judged in form.items():
        if 0 < number <= len(parts) and parts[number - 1]:
            told = parts[number - 1]
            parts[number - 1] = _fitted(told, judged, "&")
            if not parts[number - 1]:
                _move(parts, told, str(form.get(-number, "") if judged == "WD" else ""), judged)
    return separator.join(parts).rstrip(separator)


def _move(parts: list[str], told: str, to: str, judged: Form) -> None:
    """Put what has no place where it stood where it has one, if nothing stands there."""
    place = int(to) if to else _ANY_TEXT if judged == "TN" else 0
    parts += [""] * (place - len(parts))
    if place and not parts[place - 1]:
        parts[place - 1] = told


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda text: text if pattern.fullmatch(text) else ""


def _moment(text: str) -> str:
    # Before 2.5 an hour has its minutes always.
    told = _HOUR.sub(r"\g<1>00\2", text) if _HOUR.fullmatch(text) else _FRACTION.sub(r"\1", text)
    return told if _DTM.fullmatch(told) else ""


def _time(text: str) -> str:
    told = _FRACTION.sub(r"\1", text)
    return told if _TM.fullmatch(told) else ""


def _date(text: str) -> str:
    """Return the day of a moment too."""
    told = text[:8] if _moment(text) else text
    return told if _DT.fullmatch(told) else ""


def _telephone(text: str) -> str:
    """Return a number of the North American plan as TN has it (2A.74): [(999)]999-9999; TN has no others."""
    if _TN.fullmatch(text) or not _TELEPHONE.fullmatch(text):
        return text if _TN.fullmatch(text) else ""
    digits = re.sub(r"\D", "", text)
    if len(digits) == len("19995551212") and digits[0] == "1":
        digits = digits[1:]
    area, line = digits[:-7], f"{digits[-7:-4]}-{digits[-4:]}"
    return {0: line, 3: f"({area}){line}"}.get(len(area), "") if len(digits) >= len("5551212") else ""


FITTED: Final[Mapping[str, Callable[[str], str]]] = {
    "DT": _date,
    "DTM": _moment,
    "TM": _time,
    "NM": _matching(_NM),
    "SI": _matching(re.compile(r"\d+")),
    "TN": _telephone,
    "DIGITS": lambda text: re.sub(r"\D", "", text),
    "WD": _matching(re.compile("")),
}
"""Primitive datatypes whose form is checked, and what is told of a value: empty where it has no place."""
OF_RESULTS: Final[Mapping[str, Form]] = {"TM": "TM", "TS": "DTM", "DTM": "DTM", "DR": {1: "DTM", 2: "DTM"}}
"""How OBX-5 is respelt, by OBX-2; a result is never left out."""
