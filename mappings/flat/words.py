"""Concepts in words, both ways: what a field says, as a CodeableConcept, and a CodeableConcept in words.

https://hl7.org/fhir/R4/datatypes.html#CodeableConcept
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]


def concept(word: str, system: str = "", codes: Mapping[str, str] | None = None) -> Object:
    """Return a concept of a word: its text, and its code where there is one for it."""
    code = (codes or {}).get(word) or (codes or {}).get(word.lower())
    return ({"coding": [{"system": system, "code": code}]} if code else {}) | {"text": word}


def words(
    told: Object | None, system: str = "", codes: Mapping[str, str] | None = None, *, closed: bool = False
) -> str | None:
    """Return a concept in words: its text, the word for its code, how it is shown; a ``closed`` list has its
    own words first.
    """
    if not told:
        return None
    codings: list[Object] = told.get("coding", [])
    known = next((found for coding in codings if (found := _word(coding, system, codes or {}))), None)
    shown = next((coding.get("display") or coding.get("code") for coding in codings), None)
    said: str | None = told.get("text")
    return (known or said or shown) if closed else (said or known or shown)


def _word(coding: Object, system: str, codes: Mapping[str, str]) -> str | None:
    if coding.get("system") != system:
        return None
    return next((word for word, code in codes.items() if code == coding.get("code")), None)


def coded(told: Object, system: str, code: str) -> bool:
    """Tell whether a concept has a coding."""
    return any(
        coding.get("system") == system and coding.get("code") == code for coding in told.get("coding", ())
    )


def first(items: Iterable[Object]) -> Object:
    """Return the first of some objects, an empty one where there is none."""
    empty: Object = {}
    return next(iter(items), empty)


def put(target: Object, key: str, value: Any) -> None:
    """Set a primitive element (None: take it away), and drop what was said beside its old value."""
    if target.get(key) == value:
        return
    target.pop(f"_{key}", None)
    target.pop(key, None)
    if value is not None:
        target[key] = value
