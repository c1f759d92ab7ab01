"""What the forms of encounters, visits, diagnoses, procedures and documents have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec
from msgspec import Meta

from gateway import errors
from gateway.native.words import Told
from mappings import times
from mappings.text import CONTROL

ID = Annotated[str, Meta(pattern=r"^[A-Za-z0-9\-.]{1,64}$", description="The id of a resource.")]
Line = Annotated[str, Meta(min_length=1, max_length=255)]
Word = str | None
"""A text of an answer."""
Prose = Annotated[str, Meta(min_length=1, max_length=20_000)]
Moment = Annotated[
    str,
    Meta(
        min_length=4,
        max_length=40,
        description="a date, perhaps a partial one, or with a time: 2026-03-02, 2026-03, 2026-03-02T07:30",
    ),
]
PageNumber = Annotated[int, Meta(ge=1, le=10**9)]
PageSize = Annotated[int, Meta(ge=1, le=500)]


class InPages:
    """A form that asks for a page of a list."""

    __slots__ = ()
    if TYPE_CHECKING:
        page: int
        page_size: int

    @property
    def skip(self) -> int:
        """How many items come before the page."""
        return (self.page - 1) * self.page_size

    def around(self, items: list[Any], total: int) -> dict[str, Any]:
        """Return a page of a list with what is told of it."""
        return {
            "items": items,
            "total": total,
            "page": self.page,
            "page_size": self.page_size,
            "pages": -(-total // self.page_size),
        }


class Paged(InPages, Told, forbid_unknown_fields=True):
    """Which page of a list."""

    page: PageNumber = 1
    page_size: PageSize = 50

    def filters(self) -> dict[str, Any]:
        """Return by what the list is narrowed."""
        return {name: value for name, value in self.told().items() if name not in ("page", "page_size")}


def told_of(sent: Told, zone: tzinfo) -> dict[str, Any]:
    """Return what a form tells, by name, dates as FHIR has them. Raises ValueInvalid, naming the field, for a
    blank text, control characters, and what is no date.
    """
    told = {name: plain(name, value) for name, value in sent.told().items()}
    dated = (name for name, value in told.items() if name.endswith("_date") and value is not None)
    return told | {name: moment(name, told[name], zone) for name in dated}


def plain(name: str, value: Any) -> Any:
    """Return a value, a struct within it as what it tells. Raises ValueInvalid for a blank text."""
    if isinstance(value, Told):
        return {part: plain(f"{name}.{part}", inner) for part, inner in value.told().items()}
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        return [plain(f"{name}[{place}]", item) for place, item in enumerate(listed)]
    if isinstance(value, str) and (not value.strip() or CONTROL.search(value)):
        what = "has control characters" if value.strip() else "is blank"
        raise errors.ValueInvalid(f"{name} {what}", expression=name)
    return value


def moment(name: str, text: str, zone: tzinfo) -> str:
    """Return a date as FHIR has it. Raises ValueInvalid."""
    try:
        return times.from_form(text, zone)
    except ValueError as error:
        told = f"{name} is no date such as 2026-03-02, 2026-03, 2026, or with a time 2026-03-02T07:30"
        raise errors.ValueInvalid(told, expression=name) from error


def between(asked: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """Return filters, ``date_from`` and ``date_to`` as the instants where they begin and end: for moments, of
    which a day is that of the zone, and for dates, which have none (``storage.listing.bound``).

    Raises UnsupportedParameterValue.
    """
    found = dict(asked)
    for place, name in enumerate(("date_from", "date_to")):
        if name in found:
            try:
                edge = times.bounds(times.from_form(found[name], zone))[place]
                found[name] = [edge if "T" in found[name] else edge.replace(tzinfo=zone), edge]
            except ValueError as error:
                raise errors.UnsupportedParameterValue(f"{name} is no date", expression=name) from error
    return found


class Stamped(msgspec.Struct, kw_only=True):
    """What every answer tells of its resource."""

    id: str
    created_at: datetime
    updated_at: datetime


class Page(msgspec.Struct, kw_only=True):
    """What is told of a page of a list."""

    total: int
    page: int
    page_size: int
    pages: int
