"""A row of an import as it came, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from mappings.flat import Wrong

Status = Literal["created", "valid", "skipped", "failed"]


class Given(NamedTuple):
    """A row: its number as the caller counts, the values of a flat record, and what is wrong with it as a
    whole ("" where nothing is).
    """

    number: int
    values: Mapping[str, Any]
    wrong: str = ""

    @property
    def mrn(self) -> str:
        """The medical record number, "" where there is none that is a text."""
        told = self.values.get("mrn")
        return told if isinstance(told, str) else ""


class Outcome(NamedTuple):
    """What became of a row: ``id`` is the patient's, the new one or the one that was there."""

    row: int
    status: Status
    mrn: str
    id: str | None = None
    wrong: tuple[Wrong, ...] = ()
