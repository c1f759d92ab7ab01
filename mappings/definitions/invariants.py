"""The invariants of R4 that are checked by hand, under their own keys.

https://hl7.org/fhir/R4/conformance-rules.html#constraints.
Each is a function of one element that is already known to have the right form. Left out on purpose: those
with the severity "warning" (con-3, dom-6, and so on), those about contained resources and references, which
need more than one element (see gateway/fhir/walk.py), and those of types that are neither data types nor
served in tables.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

Object = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"


class Rule(NamedTuple):
    """One invariant: its key in the standard, whether it holds, and what it demands."""

    key: str
    holds: Callable[[Object], bool]
    demands: str


def _has(element: Object, *names: str) -> bool:
    """Whether any of the elements is there, be it as a value or as a primitive's extensions alone."""
    return any(name in element or f"_{name}" in element for name in names)


def _has_choice(element: Object, name: str) -> bool:
    """As `_has` for `name[x]`."""
    size = len(name)
    keys = (key.removeprefix("_") for key in element)
    return any(key.startswith(name) and key[size : size + 1].isupper() for key in keys)


def _coded(concept: Object | None, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept has one of the codes of an HL7 terminology system."""
    codings: list[Object] = (concept or {}).get("coding", [])
    return any(c.get("system") == _TERMINOLOGY + system and c.get("code") in codes for c in codings)


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if "T" in text else None
    except ValueError:  # a leap second
        return None


def in_order(start: str, end: str) -> bool:
    """Whether one date or dateTime is not after another, as far as their precision tells (FHIRPath `<=`)."""
    first, second = _instant(start), _instant(end)
    if first is not None and second is not None:
        return first <= second
    size = min(len(start), len(end), 10)
    return start[:size] <= end[:size]


def _period(element: Object) -> bool:
    start, end = element.get("start"), element.get("end")
    return start is None or end is None or in_order(start, end)


def _range(element: Object) -> bool:
    low, high = element.get("low", {}), element.get("high", {})
    same_unit = all(low.get(name) == high.get(name) for name in ("system", "code", "unit"))
    return "value" not in low or "value" not in high or not same_unit or low["value"] <= high["value"]


def _ratio(element: Object) -> bool:
    numerator, denominator = _has(element, "numerator"), _has(element, "denominator")
    return numerator == denominator and (numerator or _has(element, "extension"))


def _ucum(element: Object) -> bool:
    return (_has(element, "code") or not _has(element, "value")) and element.get("system", UCUM) == UCUM


def _age(element: Object) -> bool:
    return _ucum(element) and element.get("value", 1) > 0


def _count(element: Object) -> bool:
    return _ucum(element) and element.get("code", "1") == "1" and "." not in str(element.get("value", 1))


def _duration(element: Object) -> bool:
    return not _has(element, "code") or (element.get("system") == UCUM and _has(element, "value"))


def _needs(name: str, other: str) -> Callable[[Object], bool]:
    """The rule "`name` only together with `other`"."""
    return lambda element: not _has(element, name) or _has(element, other)


def _any_of(*names: str) -> Callable[[Object], bool]:
    """The rule "at least one of these"."""
    return lambda element: _has(element, *names)


def _not_negative(name: str) -> Callable[[Object], bool]:
    return lambda element: element.get(name, 0) >= 0


def _offset(element: Object) -> bool:
    meals = {"C", "CM", "CD", "CV"}
    return not _has(element, "offset") or (
        _has(element, "when") and meals.isdisjoint(element.get("when", ()))
    )


def _ext_1(element: Object) -> bool:
    return _has(element, "extension") != _has_choice(element, "value")


def _tim_10(element: Object) -> bool:
    return not (_has(element, "timeOfDay") and _has(element, "when"))


def _no_home(name: str) -> Callable[[Object], bool]:
    return lambda element: all(part.get("use") != "home" for part in element.get(name, ()))


def _one_filter(element: Object) -> bool:
    return _has(element, "path") != _has(element, "searchParam")


def _trd_1(element: Object) -> bool:
    return not (_has(element, "data") and _has_choice(element, "timing"))


def _trd_3(element: Object) -> bool:
    kind = element.get("type", "")
    if kind == "periodic":
        return _has_choice(element, "timing")
    needed = "name" if kind == "named-event" else "data" if kind.startswith("data-") else ""
    return not needed or _has(element, needed)


def _obs_6(element: Object) -> bool:
    return not _has(element, "dataAbsentReason") or not _has_choice(element, "value")


def _obs_7(element: Object) -> bool:
    if not _has_choice(element, "value"):
        return True
    own: list[Object] = element["code"].get("coding", [])
    parts: list[Object] = element.get("component", [])
    return not any(coding in own for part in parts for coding in part["code"].get("coding", ()))


def _con_4(element: Object) -> bool:
    ended = _coded(element.get("clinicalStatus"), "condition-clinical", "resolved", "remission", "inactive")
    return ended or not _has_choice(element, "abatement")


def _void_without_status(system: str) -> Callable[[Object], bool]:
    """An entry in error has no clinical status (con-5, ait-2)."""

    def holds(element: Object) -> bool:
        void = _coded(element.get("verificationStatus"), system, "entered-in-error")
        return not void or not _has(element, "clinicalStatus")

    return holds


def _ait_1(element: Object) -> bool:
    void = _coded(element.get("verificationStatus"), "allergyintolerance-verification", "entered-in-error")
    return void or _has(element, "clinicalStatus")


_QTY_3 = Rule("qty-3", _needs("code", "system"), "a unit's code needs its system")

RULES: dict[str, tuple[Rule, ...]] = {
    "Age": (_QTY_3, Rule("age-1", _age, "a code of UCUM and a value above 0")),
    "AllergyIntolerance": (
        Rule("ait-1", _ait_1, "clinicalStatus, unless verificationStatus is entered-in-error"),
        Rule(
            "ait-2",
            _void_without_status("allergyintolerance-verification"),
            "no clinicalStatus if entered-in-error",
        ),
    ),
    "Attachment": (Rule("att-1", _needs("data", "contentType"), "contentType beside data"),),
    "Condition": (
        Rule("con-4", _con_4, "clinicalStatus inactive, resolved or remission if there is an abatement"),
        Rule("con-5", _void_without_status("condition-ver-status"), "no clinicalStatus if entered-in-error"),
    ),
    "Condition.evidence": (Rule("con-2", _any_of("code", "detail"), "code or detail"),),
    "Condition.stage": (Rule("con-1", _any_of("summary", "assessment"), "summary or assessment"),),
    "ContactPoint": (Rule("cpt-2", _needs("value", "system"), "a system beside the value"),),
    "Count": (_QTY_3, Rule("cnt-3", _count, "a whole number with the code 1 of UCUM")),
    "DataRequirement.codeFilter": (Rule("drq-1", _one_filter, "either path or searchParam"),),
    "DataRequirement.dateFilter": (Rule("drq-2", _one_filter, "either path or searchParam"),),
    "Distance": (_QTY_3, Rule("dis-1", _ucum, "a code of UCUM")),
    "Duration": (_QTY_3, Rule("drt-1", _duration, "a code of UCUM, and a value")),
    "Expression": (Rule("exp-1", _any_of("expression", "reference"), "expression or reference"),),
    "Extension": (
        Rule(
            "ext-1",
            _ext_1,
            "either extensions or a value, not both",
        ),
    ),
    "Observation": (
        Rule("obs-6", _obs_6, "no dataAbsentReason beside a value"),
        Rule("obs-7", _obs_7, "no value of its own where a component has the same code"),
    ),
    "Observation.referenceRange": (Rule("obs-3", _any_of("low", "high", "text"), "low, high or text"),),
    "Organization": (
        Rule("org-1", _any_of("identifier", "name"), "an identifier or a name"),
        Rule("org-2", _no_home("address"), "no address of the use home"),
        Rule("org-3", _no_home("telecom"), "no telecom of the use home"),
    ),
    "Patient.contact": (
        Rule(
            "pat-1",
            _any_of("name", "telecom", "address", "organization"),
            "name, telecom, address or organization",
        ),
    ),
    "Period": (Rule("per-1", _period, "a start that is not after the end"),),
    "Quantity": (_QTY_3,),
    "Range": (Rule("rng-2", _range, "a low that is not above the high"),),
    "Ratio": (Rule("rat-1", _ratio, "numerator and denominator, or neither and an extension"),),
    "ServiceRequest": (Rule("prr-1", _needs("orderDetail", "code"), "a code beside orderDetail"),),
    "Timing.repeat": (
        Rule("tim-1", _needs("duration", "durationUnit"), "durationUnit beside duration"),
        Rule("tim-2", _needs("period", "periodUnit"), "periodUnit beside period"),
        Rule("tim-4", _not_negative("duration"), "a duration that is not negative"),
        Rule("tim-5", _not_negative("period"), "a period that is not negative"),
        Rule("tim-6", _needs("periodMax", "period"), "period beside periodMax"),
        Rule("tim-7", _needs("durationMax", "duration"), "duration beside durationMax"),
        Rule("tim-8", _needs("countMax", "count"), "count beside countMax"),
        Rule("tim-9", _offset, "when beside offset, and not C, CM, CD or CV"),
        Rule("tim-10", _tim_10, "timeOfDay or when, not both"),
    ),
    "TriggerDefinition": (
        Rule("trd-1", _trd_1, "data or timing, not both"),
        Rule("trd-2", _needs("condition", "data"), "data beside condition"),
        Rule("trd-3", _trd_3, "name, timing or data, as its type says"),
    ),
}
"""Invariants by the path of the element that they stand on."""
