"""What callers of the research registry send and get: a form for each kind of case and of member, read off
its columns.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.native.words import one_of
from mappings.research.case import WORDS, json_name
from storage.model.observation import STATUSES
from storage.model.research import KINDS, MEMBERS, CaseKind, Column
from storage.model.research.registry import KindName
from storage.registry import head_names

Fields = list[tuple[str, Any, Any]]

ID = "The id of a resource."
SET_HERE = ("id", "case_id", "created_at", "updated_at")
"""What callers get and do not send."""
_TYPES: dict[KindName, Callable[[Column], Any]] = {
    "enum": lambda column: Annotated[str, one_of(column.values)],
    "set": lambda column: list[Annotated[str, one_of(column.values)]],
    "quantity": lambda column: Annotated[float, Meta(description=f"in {column.unit}", **_limits(column))],
    "integer": lambda column: Annotated[int, Meta(**_limits(column))],
    "boolean": lambda _: bool,
    "text": lambda column: Annotated[str, Meta(max_length=column.high)] if column.high else str,
    "date": lambda _: Annotated[str, Meta(description="a date as FHIR has it: 2026, 2026-03 or 2026-03-02")],
    "listed": lambda column: Annotated[str, Meta(description=f"a code of {column.target}")],
    "attributes": lambda _: list[dict[str, Any]],
}


def _limits(column: Column) -> dict[str, Any]:
    found = {"ge": column.low, "le": column.high}
    return {name: limit for name, limit in found.items() if limit is not None}


def words_of(kind: CaseKind, column: Column) -> tuple[str, ...]:
    """Return the words that callers may use for the codes of a column."""
    return (*column.values, *WORDS.get((kind.name, column.name), ()))


def _columns(kind: CaseKind) -> dict[str, Any]:
    """Return the types of what a case holds, by the name that JSON has for it."""
    heads = (name for name in head_names(kind) if name not in (*SET_HERE, "status"))
    found: dict[str, Any] = {name: Annotated[str, Meta(description=ID)] for name in heads}
    found |= {json_name(kind, column): _TYPES[column.kind](column) for column in kind.columns}
    for column in kind.columns:
        if (kind.name, column.name) in WORDS:
            found[json_name(kind, column)] = Annotated[str, one_of(words_of(kind, column))]
    return found | {"status": Annotated[str, one_of(STATUSES)]}


def _sent(kind: CaseKind, suffix: str, needed: tuple[str, ...]) -> Any:
    listed = sorted(_columns(kind).items(), key=lambda item: item[0] not in needed)
    fields: Fields = [
        (name, type_) if name in needed else (name, type_ | UnsetType | None, UNSET) for name, type_ in listed
    ]  # pyright: ignore[reportAssignmentType]
    return form_named(kind, suffix, fields)


def _given(kind: CaseKind) -> Any:
    own = [(name, type_ | None) for name, type_ in _columns(kind).items() if name != "status"]
    head = [("id", str), ("rc_kind", Annotated[str, one_of([kind.path])]), ("status", str)]
    case = [("case_id", str)] if kind.name in MEMBERS else []
    return form_named(kind, "", [*head, *case, *own, ("created_at", datetime), ("updated_at", datetime)])


def form_named(kind: CaseKind, suffix: str, fields: Any, base: type | None = None) -> Any:
    """Return a form of a kind, named after it."""
    name = "".join(part.capitalize() for part in kind.name.split("_")) + suffix
    bases = (base,) if base else None
    return msgspec.defstruct(
        name, fields, bases=bases, forbid_unknown_fields=True, kw_only=True, module=__name__
    )


def _needed(kind: CaseKind) -> tuple[str, ...]:
    own = (column.name for column in kind.columns if column.required)
    return (*(() if kind.name in MEMBERS else ("encounter_id",)), *own)


NEW = tuple(_sent(kind, "New", _needed(kind)) for kind in KINDS.values())
CHANGE = tuple(_sent(kind, "Change", ()) for kind in KINDS.values())
GIVEN = tuple(_given(kind) for kind in KINDS.values())
PATHS = tuple(kind.path for kind in KINDS.values())
"""What stands for the kind of case in a path."""

MEMBER_NEW = tuple(_sent(kind, "New", _needed(kind)) for kind in MEMBERS.values())
MEMBER_CHANGE = tuple(_sent(kind, "Change", ()) for kind in MEMBERS.values())
MEMBER_GIVEN = tuple(_given(kind) for kind in MEMBERS.values())
MEMBER_LISTS: Any = tuple(list[made] for made in MEMBER_GIVEN)
MEMBER_PATHS = {f"{kind.path}s": kind for kind in MEMBERS.values()}
"""What stands for a kind of member in a path."""

CASES: dict[str, Any] = {
    "hiparthroplasty": {
        "encounter_id": "visit",
        "approach": "anterior",
        "implant_manufacturer": "Stryker",
        "cup_size": 54,
        "stem_size": 12,
        "bearing_surface": "ceramic-on-polyethylene",
    },
}
"""Cases as callers post them."""
CHANGES: dict[str, Any] = {"hiparthroplasty": {"cup_size": 56, "side": "left"}}
ADDED: dict[str, Any] = {
    "followups": {"timepoint": "yr1", "followup_date": "2027-03-05", "flexion_deg": 110, "satisfaction": 9},
    "outcomes": {"instrument": "HHS", "timepoint": "yr1", "score_date": "2027-03-05", "score": 92},
    "implants": {"role": "cup", "udi_carrier": "(01)00844588003288(10)A213B1(21)1234", "quantity": 1},
    "complications": {"kind": "dislocation", "onset": "2026-04", "clavien_dindo": "IIIb", "resolved": True},
}
"""Members as callers add them to a case."""
