"""Arterial findings: what of them stands in code, bodySite and value of the observation.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.concepts import SIDES, SNOMED
from mappings.element import Refused, cs
from mappings.research.arterial_columns import ARTERIAL, CLASSES, MEASURED
from mappings.research.codes import OBSERVATION, codings, side_of, value_system
from mappings.research.elements import Shown, branch, get, put
from mappings.research.values import Ordinary, listed_code, quantity, quantity_in

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Row
    from storage.record import Record

ARTERY = cs("artery")
FINDING = cs("arterial-finding")
MEASURE = value_system(ARTERIAL, ARTERIAL.by_name["measure"])
KIND_CODES = {"segment": "arterial-finding", "index": "arterial-index"}
SEGMENTS = ARTERIAL.by_name["segment"].values


def class_system(measure: str) -> str:
    """Return the code system of the classes of a measure: ``arterial-wifi-wound``."""
    return cs(f"arterial-{measure.replace('_', '-')}")


def _code(record: Record) -> tuple[Any, ...]:
    found = get(record, "code")
    own = {coding.get("code") for coding in codings(found) if coding.get("system") == OBSERVATION}
    kind = next((kind for kind, code in KIND_CODES.items() if code in own), None)
    return (kind, one_of(found, MEASURE, ARTERIAL.by_name["measure"].values, "Observation.code"))


def one_of(concept: Value, system: str, allowed: tuple[str, ...], where: str) -> str | None:
    """Return the code of a concept in a system, None for none; raises Refused for an unlisted one."""
    code = next((c.get("code") for c in codings(concept) if c.get("system") == system), None)
    if code is not None and code not in allowed:
        raise Refused("code-invalid", where, code, ", ".join(allowed))
    return code


def _write_code(record: Record, detail: Row) -> None:
    made = [{"system": OBSERVATION, "code": KIND_CODES[detail["kind"]]}]
    if detail["measure"]:
        made.append({"system": MEASURE, "code": detail["measure"]})
    put(record, "code", {"coding": made})


def _site(record: Record) -> tuple[Any, ...]:
    found = get(record, "bodySite")
    return (
        one_of(found, ARTERY, SEGMENTS, "Observation.bodySite"),
        side_of(found, ARTERIAL.by_name["side"].values),
    )


def _write_site(record: Record, detail: Row) -> None:
    made: list[dict[str, Any]] = []
    if detail["segment"]:
        made.append({"system": ARTERY, "code": detail["segment"]})
    if detail["side"]:
        made.append({"system": SNOMED, "code": SIDES[detail["side"]][0]})
    put(record, "bodySite", {"coding": made} if made else None)


def _value(record: Record) -> tuple[Any, ...]:
    """Finding, measure_value and measure_class: the one that kind and measure ask for."""
    (kind, measure), found = _code(record), branch(record, "valueQuantity")
    if not found:
        return (None, None, None)
    where = "Observation.value"
    try:
        if kind == "segment":
            column = ARTERIAL.by_name["finding"]
            return (
                listed_code(_branch(found, "valueCodeableConcept"), (FINDING,), column, where),
                None,
                None,
            )
        if measure in MEASURED:
            return (None, quantity_in(_branch(found, "valueQuantity"), MEASURED[measure], where), None)
        if measure in CLASSES:
            concept = _branch(found, "valueCodeableConcept")
            return (None, None, one_of(concept, class_system(measure), CLASSES[measure], where))
    except Ordinary:
        pass
    return (None, None, None)


def _branch(found: dict[str, Value], wanted: str) -> Value:
    if wanted not in found:
        raise Refused("code-invalid", "Observation.value", next(iter(found)), wanted)
    return found[wanted]


def _write_value(record: Record, detail: Row) -> None:
    measure = detail["measure"]
    if detail["finding"]:
        put(record, "valueCodeableConcept", {"coding": [{"system": FINDING, "code": detail["finding"]}]})
    elif detail["measure_value"] is not None:
        put(record, "valueQuantity", quantity(detail["measure_value"], MEASURED[measure]))
    elif detail["measure_class"]:
        coding = {"system": class_system(measure), "code": detail["measure_class"]}
        put(record, "valueCodeableConcept", {"coding": [coding]})
    else:
        put(record, "valueQuantity", None)


def check_measure(detail: Row, where: dict[str, str]) -> None:
    """Check that a segment has what segments have and an index what indexes have.

    ``where`` tells how a column is named to whoever is refused. Raises Refused.
    """
    if (detail["kind"] == "segment") != (detail["segment"] is not None):
        allowed = ", ".join(SEGMENTS) if detail["kind"] == "segment" else "no segment"
        raise Refused("required", where["segment"], detail["segment"], allowed)
    measure = detail["measure"]
    if detail["measure_value"] is not None and measure not in MEASURED:
        raise Refused("value", where["measure_value"], measure, ", ".join(MEASURED))
    if detail["measure_class"] is not None and detail["measure_class"] not in CLASSES.get(measure, ()):
        allowed = ", ".join(CLASSES.get(measure, ()))
        raise Refused("code-invalid", where["measure_class"], detail["measure_class"], allowed)


SHOWN = (
    Shown(("kind", "measure"), _code, _write_code),
    Shown(("segment", "side"), _site, _write_site),
    Shown(("finding", "measure_value", "measure_class"), _value, _write_value),
)
"""How the header columns of an arterial finding are shown."""
