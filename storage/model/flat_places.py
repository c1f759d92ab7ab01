"""The places of a flat record's fields, in the terms of the tables: what to pick, and which part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, eq=False)
class Own:
    """A column of the patient; ``codes`` are the words of the flat record for what stands there."""

    column: str
    codes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, eq=False)
class Head:
    """A column of the patient's row of ``resource``."""

    column: str


@dataclass(frozen=True, eq=False)
class Number:
    """An identifier of a system; ``type`` is its code of table 0203. ``column`` is a projection of it."""

    system: str
    type: str
    column: str | None = None


@dataclass(frozen=True, eq=False)
class Name:
    """A part of the first name of one of the uses ("" is none), in their order."""

    part: Literal["first", "middle", "last", "suffix", "whole"]
    uses: tuple[str, ...] = ("official", "usual", "", "temp")


@dataclass(frozen=True, eq=False)
class Contact:
    """A contact point of a system: the first of one of the uses, in their order."""

    system: Literal["phone", "email"]
    uses: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Address:
    """A part of the home address, else of the first without a use."""

    part: Literal["line1", "line2", "city", "state", "postal_code", "country"]
    uses: tuple[str, ...] = ("home", "")


@dataclass(frozen=True, eq=False)
class Party:
    """A part of the first contact party that is there for emergencies."""

    part: Literal["name", "relationship", "phone"]


@dataclass(frozen=True, eq=False)
class Words:
    """A concept of the patient in words: its text, else the word for its code, else how it is shown.

    ``elements`` are looked at in their order; ``codes`` are the codes of ``system``, by word.
    """

    elements: tuple[str, ...]
    system: str = ""
    codes: Mapping[str, str] = field(default_factory=dict[str, str])
    column: str | None = None
    """A column of the patient that holds the words, before any concept."""


@dataclass(frozen=True, eq=False)
class Language:
    """The language that the patient prefers, else the first: its text or its code."""


@dataclass(frozen=True, eq=False)
class Cover:
    """A part of the insurance cover at a position; one without a position counts as the first."""

    position: int
    part: Literal[
        "provider",
        "type",
        "policy_number",
        "group_number",
        "subscriber_name",
        "subscriber_relationship",
        "effective_date",
        "expiration_date",
    ]


@dataclass(frozen=True, eq=False)
class Finding:
    """The newest final observation of a LOINC code.

    ``unit`` is the unit of a measured one; ``document`` tells that a new value is a new version of the same
    observation, not another observation. ``codes`` are the codes of ``system``, by word.
    """

    code: str
    display: str
    category: Literal["vital-signs", "laboratory", "social-history", "exam"]
    unit: str | None = None
    document: bool = False
    system: str = ""
    codes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, eq=False)
class Listing:
    """The texts of all that is current in a table, in the order of their coming."""

    table: Literal["allergy", "medication"]


@dataclass(frozen=True, eq=False)
class Doctor:
    """The first general practitioner."""


@dataclass(frozen=True, eq=False)
class Referral:
    """Who referred the patient to the newest encounter."""


@dataclass(frozen=True, eq=False)
class Stay:
    """A part of the period of the newest stay as an inpatient."""

    part: Literal["start", "end"]


@dataclass(frozen=True, eq=False)
class Standing:
    """Whether the patient is deceased, inactive or active: from two columns."""


@dataclass(frozen=True, eq=False)
class Notes:
    """All notes on the patient, a line each."""


Place = (
    Own
    | Head
    | Number
    | Name
    | Contact
    | Address
    | Party
    | Words
    | Language
    | Cover
    | Finding
    | Listing
    | Doctor
    | Referral
    | Stay
    | Standing
    | Notes
)
