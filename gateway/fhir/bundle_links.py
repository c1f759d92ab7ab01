"""Where the links of a transaction lead: to its entries by fullUrl, and by criteria to what they find.

https://hl7.org/fhir/R4/bundle.html#references and https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from gateway.conditional import Criteria
from gateway.errors import MultipleMatches, PreconditionFailed, ValueInvalid
from gateway.fhir.rewrite import Link
from gateway.fhir.shapes import Field
from gateway.fhir.walk import quoted
from storage.search.query import Condition, Token

Object = dict[str, Any]

PINNING = "http://hl7.org/fhir/StructureDefinition/resolve-as-version-specific"
"""The extension of a Reference that asks for the version which the transaction makes."""

_VERSIONED = re.compile(r"(.+)/_history/([A-Za-z0-9\-.]{1,64})")
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?(.+)", re.DOTALL)
_RELATIVE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")
_ROOT = re.compile(r"(https?://.+/)[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}")


@dataclass
class Place:
    """Where an entry's resource will be, and what tells that a link means it. ``pin`` is called where a link
    names the version that the transaction makes, and returns its number.
    """

    resource_type: str
    fhir_id: str
    pin: Callable[[], int]
    value: Object
    full_url: str | None = None
    criteria: str | None = None

    @property
    def name(self) -> str:
        """The relative reference."""
        return f"{self.resource_type}/{self.fhir_id}"


class Links:
    """The links of one transaction. ``criteria_of`` reads a conditional reference, ``find`` returns the ids
    of what criteria find when all is written, apart from entries that carry an identifier they ask for.
    """

    def __init__(
        self,
        places: Iterable[Place],
        criteria_of: Callable[[str, str], Criteria],
        find: Callable[[Criteria], list[str]],
    ) -> None:
        self._places = list(places)
        self._by_url = {place.name: place for place in self._places}
        self._by_url |= {place.full_url: place for place in self._places if place.full_url}
        self._criteria_of = criteria_of
        self._find = find
        self._found: dict[str, str] = {}
        self._identified: dict[tuple[str, str], list[tuple[str | None, Place]]] | None = None

    def of(self, full_url: str | None, *, resolving: bool = True) -> Link:
        """Return the link function for the resource of an entry; where it is not ``resolving``, conditional
        references stay.
        """
        root = _ROOT.fullmatch(full_url or "")
        base = root[1] if root else ""

        def link(literal: str, field: Field | None, value: Any) -> str:
            if literal.startswith("#"):
                return literal
            made = self._by_place(literal, base, value)
            if made is None and resolving and field is not None and "?" in literal:
                made = self._by_criteria(literal)
            if made is None:
                return literal
            if field is not None:
                _see_target(literal, made, field)
            return made

        return link

    def _by_place(self, literal: str, base: str, value: Any) -> str | None:
        """Return the reference to the entry that a link names, None where it names none."""
        url, mark, fragment = literal.partition("#")
        place = self._seek(url, base)
        if place is not None:
            version = f"/_history/{place.pin()}" if _pinning(value) else ""
            return place.name + version + mark + fragment
        versioned = _VERSIONED.fullmatch(url)
        place = self._seek(versioned[1], base) if versioned else None
        if versioned is None or place is None:
            return None
        told = place.value.get("meta", {}).get("versionId")
        return f"{place.name}/_history/{place.pin()}{mark}{fragment}" if told == versioned[2] else None

    def _seek(self, url: str, base: str) -> Place | None:
        """Find an entry by an address; one that is relative counts from where its own entry is."""
        if base and _RELATIVE.fullmatch(url):
            return self._by_url.get(base + url)
        return self._by_url.get(url)

    # --- conditional references: https://hl7.org/fhir/R4/http.html#condref ---

    def criteria(self, literal: str) -> Criteria | None:
        """Return the criteria of a conditional reference, None where it is none. Raises Problem."""
        found = _CONDITIONAL.fullmatch(literal)
        return self._criteria_of(found[1], found[2]) if found else None

    def _by_criteria(self, literal: str) -> str | None:
        if literal not in self._found:
            criteria = self.criteria(literal)
            if criteria is None:
                return None
            self._found[literal] = self._resolve(criteria, literal)
        return self._found[literal]

    def _resolve(self, criteria: Criteria, literal: str) -> str:
        """Return the one resource that criteria find: here, or as the transaction leaves it.

        Raises PreconditionFailed, MultipleMatches.
        """
        here = {place.fhir_id for place in self._meant(criteria)}
        names = here | set(self._find(criteria))
        if not names:
            raise PreconditionFailed(f"The conditional reference {quoted(literal)} finds nothing.")
        if len(names) > 1:
            raise MultipleMatches(
                f"The conditional reference {quoted(literal)} finds more than one resource."
            )
        return f"{criteria.resource_type}/{names.pop()}"

    def _meant(self, criteria: Criteria) -> Iterator[Place]:
        """Yield the entries that criteria find: those asked for by the same, or that carry the identifier."""
        yield from (place for place in self._places if place.criteria == criteria.text)
        if self._identified is None:
            self._identified = _identified(self._places)
        for token in identifiers(criteria):
            for system, place in self._identified.get((criteria.resource_type, token.code or ""), ()):
                if token.system is None or token.system == (system or ""):
                    yield place


def identifiers(criteria: Criteria) -> Iterator[Token]:
    """Yield the identifiers that criteria ask for, where they ask for nothing else."""
    conditions = criteria.query.conditions
    if len(conditions) == 1 and isinstance(conditions[0], Condition):
        asked = conditions[0]
        if asked.name == "identifier" and not asked.negated and asked.missing is None:
            yield from (value for value in asked.values if isinstance(value, Token))


def _identified(places: Iterable[Place]) -> dict[tuple[str, str], list[tuple[str | None, Place]]]:
    found: dict[tuple[str, str], list[tuple[str | None, Place]]] = {}
    for place in places:
        told = place.value.get("identifier", [])
        for item in cast("list[Object]", told if isinstance(told, list) else [told]):
            key = (place.resource_type, str(item.get("value")))
            found.setdefault(key, []).append((item.get("system"), place))
    return found


def _pinning(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    extensions: list[Object] = cast("Object", value).get("extension", [])
    return any(item.get("url") == PINNING and item.get("valueBoolean") is True for item in extensions)


def _see_target(literal: str, made: str, field: Field) -> None:
    """See that a reference points at a type that its element may point at. Raises ValueInvalid."""
    found = made.partition("/")[0]
    if field.targets and found not in field.targets:
        allowed = ", ".join(sorted(field.targets))
        raise ValueInvalid(f"{field.name}: {quoted(literal)} points at {found}; allowed: {allowed}")
