from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import UnsupportedParameterValue
from tests.fixtures.library import BASE, Library

BONES = "http://x.example/bones"
OTHER = "http://x.example/other"
SETS = "http://x.example/ValueSet"


def concept(code: str, *inner: dict[str, Any], **properties: str) -> dict[str, Any]:
    made: dict[str, Any] = {"code": code, "display": code.title()}
    if inner:
        made["concept"] = list(inner)
    if properties:
        made["property"] = [{"code": name, "valueCode": value} for name, value in properties.items()]
    return made


def value_set(library: Library, name: str, *include: dict[str, Any], **more: Any) -> None:
    elements = {"compose": {"include": list(include), **more}} if include else more
    library.put("ValueSet", name, url=f"{SETS}/{name}", version="1", status="active", **elements)


def write(library: Library) -> None:
    leg = concept("leg", concept("femur", concept("femur-neck")), concept("tibia", side="left"))
    arm = concept("arm", concept("ulna", side="left"))
    stray = concept("patella", parent="leg", side="right")
    library.put(
        "CodeSystem",
        "bones",
        url=BONES,
        status="active",
        content="complete",
        property=[{"code": "side", "type": "code"}, {"code": "parent", "type": "code"}],
        concept=[concept("bone", leg, arm), stray],
    )
    library.put("CodeSystem", "empty", url=OTHER, status="active", content="not-present")
    all_bones = {"system": BONES}
    leg_only = {"property": "concept", "op": "is-a", "value": "leg"}
    legs: dict[str, Any] = {"system": BONES, "filter": [leg_only]}
    left = {"property": "side", "op": "=", "value": "left"}
    value_set(library, "listed", {"system": BONES, "concept": [{"code": "tibia"}, {"code": "ulna"}]})
    value_set(library, "legs", legs)
    value_set(library, "under", {"system": BONES, "filter": [{**leg_only, "op": "descendent-of"}]})
    value_set(library, "left-legs", {"system": BONES, "filter": [leg_only, left]})
    value_set(library, "not-legs", all_bones, exclude=[legs])
    value_set(library, "not-legs-too", {"system": BONES, "filter": [{**leg_only, "op": "is-not-a"}]})
    value_set(library, "both", {"valueSet": [f"{SETS}/listed|1", f"{SETS}/legs"]})
    value_set(
        library, "either", {"valueSet": [f"{SETS}/listed"]}, {"system": BONES, "concept": [{"code": "leg"}]}
    )
    value_set(library, "others", {"system": OTHER})
    value_set(
        library,
        "sideless",
        {"system": BONES, "filter": [{"property": "side", "op": "exists", "value": "false"}]},
    )
    value_set(library, "unclear", {"system": OTHER}, exclude=[{"system": OTHER, "concept": [{"code": "x"}]}])
    value_set(library, "loop", {"valueSet": [f"{SETS}/loop"]})
    value_set(
        library,
        "patterns",
        {"system": BONES, "filter": [{"property": "concept", "op": "regex", "value": ".*"}]},
    )
    contained = [
        {"system": BONES, "code": "bone", "abstract": True, "contains": [{"system": BONES, "code": "arm"}]}
    ]
    value_set(library, "expanded", expansion={"timestamp": "2026-01-01", "contains": contained})
    for code in ("leg", "femur", "femur-neck", "tibia", "arm", "ulna", "patella"):
        coding = {"system": BONES, "code": code}
        library.put("Condition", code, code={"coding": [coding]}, subject={"reference": "Patient/p"})
    library.put(
        "Condition",
        "x",
        code={"coding": [{"system": OTHER, "code": "x"}]},
        subject={"reference": "Patient/p"},
    )
    library.put("Condition", "untold", code={"text": "pain"}, subject={"reference": "Patient/p"})
    library.put("Location", "site", status="active")
    for child, parent in (
        ("ward", "site"),
        ("room", "ward"),
        ("bed", "room"),
        ("loop-a", "loop-b"),
        ("loop-b", "loop-a"),
    ):
        library.put("Location", child, partOf={"reference": f"Location/{parent}"})
    for place in ("site", "ward", "bed", "loop-a"):
        library.put(
            "Encounter",
            f"at-{place}",
            status="finished",
            **{"class": {"code": "IMP"}},
            location=[{"location": {"reference": f"Location/{place}"}}],
        )
    for name, profile in (("v1", "|1"), ("v12", "|1.2"), ("v123", "|1.2.3"), ("v10", "|10"), ("plain", "")):
        library.put("Basic", name, meta={"profile": [f"http://x.example/p{profile}"]}, code={"text": "x"})


FOUND = [
    ("Condition", f"code:in={SETS}/listed", "tibia ulna"),
    ("Condition", f"code:in={SETS}/listed|1", "tibia ulna"),
    ("Condition", "code:in=ValueSet/listed", "tibia ulna"),
    ("Condition", f"code:in={BASE}/ValueSet/listed", "tibia ulna"),
    ("Condition", f"code:in={SETS}/legs", "femur femur-neck leg patella tibia"),
    ("Condition", f"code:in={SETS}/under", "femur femur-neck patella tibia"),
    ("Condition", f"code:in={SETS}/left-legs", "tibia"),
    ("Condition", f"code:in={SETS}/not-legs", "arm ulna"),
    ("Condition", f"code:in={SETS}/not-legs-too", "arm ulna"),
    ("Condition", f"code:in={SETS}/both", "tibia"),
    ("Condition", f"code:in={SETS}/either", "leg tibia ulna"),
    ("Condition", f"code:in={SETS}/others", "x"),
    ("Condition", f"code:in={SETS}/sideless", "arm femur femur-neck leg"),
    ("Condition", f"code:in={SETS}/expanded", "arm"),
    ("Condition", f"code:in={SETS}/listed,{SETS}/others", "tibia ulna x"),
    ("Condition", f"code:not-in={SETS}/legs", "arm ulna untold x"),
    ("Condition", f"code:not-in={SETS}/legs,{SETS}/others", "arm ulna untold"),
    ("Condition", f"code:below={BONES}|leg", "femur femur-neck leg patella tibia"),
    ("Condition", f"code:below={BONES}|femur,{BONES}|ulna", "femur femur-neck ulna"),
    ("Condition", f"code:below={BONES}|unheard-of", ""),
    ("Condition", f"code:above={BONES}|femur-neck", "femur femur-neck leg"),
    ("Condition", f"_filter=code in {SETS}/listed", "tibia ulna"),
    ("Condition", f"_filter=code ni {SETS}/legs", "arm ulna untold x"),
    ("Condition", f"_filter=code ss {BONES}|femur", "femur femur-neck"),
    ("Condition", f"_filter=code sb {BONES}|femur-neck", "femur femur-neck leg"),
    ("Encounter", "location:below=site", "at-bed at-site at-ward"),
    ("Encounter", "location:below=Location/ward", "at-bed at-ward"),
    ("Encounter", f"location:below={BASE}/Location/bed,site", "at-bed at-site at-ward"),
    ("Encounter", "location:above=Location/room", "at-site at-ward"),
    ("Encounter", "location:below=loop-b", "at-loop-a"),
    ("Encounter", "location:below=nowhere", ""),
    ("Location", "partof:below=site", "bed room ward"),
    ("Location", "partof:above=ward", "room ward"),
    ("Basic", "_profile=http://x.example/p", "plain v1 v10 v12 v123"),
    ("Basic", "_profile:below=http://x.example/p|1", "v1 v12 v123"),
    ("Basic", "_profile:below=http://x.example/p|1.2", "v12 v123"),
    ("Basic", "_profile:above=http://x.example/p|1.2", "v1 v12"),
    ("Basic", "_profile:below=http://x.example/", "plain v1 v10 v12 v123"),
]
REFUSED = [
    ("Condition", f"code:in={SETS}/unknown", "unknown"),
    ("Condition", f"code:in={SETS}/unclear", OTHER),
    ("Condition", f"code:in={SETS}/loop", "deep"),
    ("Condition", f"code:in={SETS}/patterns", "regex"),
    ("Condition", f"code:below={OTHER}|x", OTHER),
    ("Condition", "code:below=leg", "system|code"),
    ("Encounter", "location:below=Patient/1", "Location/id"),
    ("Condition", "_list=$current-problems", "$current-problems"),
]


@pytest.mark.parametrize(("type_name", "text", "ids"), FOUND)
def test_what_is_in_a_value_set_or_within_another_is_found(
    library: Library, type_name: str, text: str, ids: str
) -> None:
    assert sorted(library.ids(type_name, text)) == ids.split()


@pytest.mark.parametrize(("type_name", "text", "told"), REFUSED)
def test_what_cannot_be_told_is_refused_with_the_reason(
    library: Library, type_name: str, text: str, told: str
) -> None:
    with pytest.raises(UnsupportedParameterValue) as refused:
        library.bundle(type_name, text)
    assert told in refused.value.issues[0].diagnostics
