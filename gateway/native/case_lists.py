"""By what lists and exports of research cases are narrowed and sorted: a form for each kind of case."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from gateway import errors
from gateway.native.case_forms import GIVEN, form_named, words_of
from gateway.native.clinic_words import Page, Paged
from gateway.native.words import Ask, one_of, query
from mappings.element import Refused
from mappings.research import asked
from mappings.research.asked import Parameter
from storage.model.research import KINDS, CaseKind
from storage.registry import Sort, Test

_SAYS = {
    "is": "a date, perhaps a partial one: those within it",
    "low": "a date: those on it or later",
    "high": "a date: those on it or earlier",
}
_DATE = r"^\d{4}(-\d\d(-\d\d(T.+)?)?)?$"


def _type(kind: CaseKind, parameter: Parameter) -> Any:
    column, how = parameter
    if column.kind == "date":
        return Annotated[str, Meta(pattern=_DATE, description=_SAYS[how])]
    if column.kind in ("enum", "set"):
        return Annotated[str, one_of(words_of(kind, column))]
    if column.kind == "attributes":
        return Annotated[str, Meta(description="the code of an attribute")]
    return {"quantity": float, "integer": int, "boolean": bool}.get(column.kind, str)


class CasePaged(Paged, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list, in which order."""

    sort_order: Annotated[str, one_of(("asc", "desc"))] = "asc"


def _filters(kind: CaseKind) -> list[Any]:
    return [
        (name, _type(kind, parameter) | UnsetType, UNSET)
        for name, parameter in asked.parameters(kind).items()
    ]


def _list(kind: CaseKind) -> Any:
    by = Annotated[str, one_of(tuple(asked.sortable(kind)))]
    return form_named(kind, "List", [("sort_by", by, "created_at"), *_filters(kind)], CasePaged)


def _page(kind: CaseKind, given: Any) -> Any:
    return form_named(kind, "Page", [("items", list[given])], Page)


FILTERS = {kind.path: form_named(kind, "Filters", _filters(kind)) for kind in KINDS.values()}
LISTS = {kind.path: _list(kind) for kind in KINDS.values()}
PAGES = tuple(_page(kind, given) for kind, given in zip(KINDS.values(), GIVEN, strict=True))


def tests(request: Ask, kind: CaseKind) -> list[Test]:
    """Return the filters of an export. Raises UnknownParameter, UnsupportedParameterValue."""
    return _tests(request, kind, FILTERS[kind.path])[0]


def listed(request: Ask, kind: CaseKind) -> tuple[list[Test], Sort, Any]:
    """Return filters, order and page of a list. Raises UnknownParameter, UnsupportedParameterValue."""
    found, told = _tests(request, kind, LISTS[kind.path])
    return found, asked.order(kind, told.sort_by, told.sort_order), told


def _tests(request: Ask, kind: CaseKind, form: Any) -> tuple[list[Test], Any]:
    given = request.query_params
    for name in given:
        if len(given.getall(name)) > 1:
            raise errors.UnsupportedParameterValue(f"{name} stands there more than once.", expression=name)
    told = query(request, form)
    try:
        # From the texts, whose decimals are as they were written.
        return asked.filters(kind, {name: text for name, text in given.items() if text != ""}), told
    except Refused as refusal:
        text = f"{refusal.expression}: {refusal.message}"
        raise errors.UnsupportedParameterValue(text, expression=refusal.expression) from refusal
