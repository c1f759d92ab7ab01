"""Values of search parameters: from text to what storage compares, one reader for each kind of target.

https://hl7.org/fhir/R4/search.html#ptypes
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Literal, cast

from gateway.errors import UnsupportedParameterValue
from gateway.fhir.query_string import split, unescape
from gateway.fhir.text_query import said
from mappings import text, times, units
from mappings.definitions import codes, elements_at
from mappings.search import SearchParameter
from mappings.search_codes import Held, NotKnown, above, below, members, nothing_held
from mappings.search_references import nested_types, part_paths
from storage.model.shared import ContactPoint
from storage.search.query import (
    Around,
    Coded,
    Composed,
    Flag,
    Joint,
    Measured,
    Number,
    OfType,
    Positioned,
    Prefix,
    Ref,
    Refers,
    SearchValue,
    Span,
    Target,
    Together,
    Token,
    Uri,
    When,
    Word,
    Worded,
    Words,
    Written,
)

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)\Z", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d{1,100}(?:\.\d{1,100})?(?:[eE][+-]?\d{1,3})?\Z")
_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?\Z")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")
_URL_STEP, _VERSION_STEP = re.compile(r"(?<![:/])/"), re.compile(r"\.")
_TENTH = Decimal("0.1")
_EXACT = decimal.Context(prec=300)

MOST = 10_000
"""So many codes may a value set, or a part of a code system, have that is asked for."""
HIGHEST = 100
"""So many steps may a URL, or its version, have above it."""
NEAR = "10"
"""So many kilometres away is near where no distance is asked for."""
_POINT = "latitude|longitude, latitude|longitude|distance or latitude|longitude|distance|unit is needed"

How = Literal["starts", "exact", "contains", "sounds", "ends", "same"]


@dataclass(frozen=True)
class Context:
    """What reading values needs beside their text: the time now, for ``ap``, the base URL of this server, and
    what finds the value sets and code systems that it holds.
    """

    now: datetime
    base_url: str
    held: Held = nothing_held


@dataclass(frozen=True)
class Asked:
    """One parameter as asked: which, with which modifier ("" for none), and the base for its values."""

    parameter: SearchParameter
    modifier: str
    context: Context

    def refuse(self, value: str, allowed: str) -> UnsupportedParameterValue:
        """Return the problem of a value that cannot be read, saying what can."""
        name = self.parameter.name
        return UnsupportedParameterValue(
            f"{name}: {value!r} cannot be used; {allowed}", expression=f"http.{name}"
        )


Reader = Callable[[Asked, str], tuple[SearchValue, ...]]


def read(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    """Return the values of a parameter, those parted by commas being alternatives; empty ones are left out.

    Raises UnsupportedParameterValue.
    """
    reader = _reader(asked)
    return tuple(found for part in split(value, ",") if part.strip() for found in reader(asked, part))


def _reader(asked: Asked) -> Reader:
    if asked.modifier == "text":
        return _word
    if asked.modifier == "of-type":
        return _of_type
    if asked.modifier in ("in", "not-in"):
        return _members
    if asked.modifier in ("above", "below") and asked.parameter.type == "token":
        return _subsumed
    if asked.parameter.type == "number":
        return _number
    return _READERS[type(asked.parameter.targets[0])]


# --- tokens: https://hl7.org/fhir/R4/search.html#token ---


def _token(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    parts = [unescape(part).strip() for part in split(value, "|")]
    if len(parts) > 2 or not any(parts):
        raise asked.refuse(value, "code, system|code, |code or system| is needed")
    token = Token(None, parts[0]) if len(parts) == 1 else Token(parts[0], parts[1] or None)
    target = asked.parameter.targets[0]
    if isinstance(target, Coded) and target.place.table is ContactPoint:
        return _contacts(token)
    if isinstance(target, Composed) or (isinstance(target, Coded) and target.system is None):
        return (_without_system(asked.parameter, token),)
    return (token,)


def _contacts(token: Token) -> tuple[Token, ...]:
    """Of a contact whose system is not told the value may be a telephone number or anything else."""
    if token.code is None:
        return (token,)
    systems = ("phone", "email") if not token.system else (token.system,)
    codes = dict.fromkeys(text.contact(system, token.code) for system in systems)
    return tuple(Token(token.system, code) for code in codes)


def _without_system(parameter: SearchParameter, token: Token) -> Token:
    """A code element has no system of its own: that of its binding goes without saying."""
    if token.system and token.system in systems_of(parameter.expressions[0]):
        return Token(None, token.code)
    return token


def systems_of(expression: str) -> frozenset[str]:
    """Return the code systems of the required binding of an element, nothing where it has none."""
    type_name, _, path = expression.partition(".")
    parent, _, name = path.rpartition(".")
    found = next((element for element in elements_at(type_name, parent) if element.name == name), None)
    return frozenset((codes(found.codes) or {}) if found and found.codes else ())


def _of_type(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    parts = [unescape(part).strip() for part in split(value, "|")]
    if len(parts) != 3 or not all(parts):
        raise asked.refuse(value, "system|code|value is needed")
    return (OfType(*parts),)


def _members(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    """Return the codes of a value set."""
    try:
        found = members(unescape(value).strip(), asked.context.held)
    except NotKnown as unknown:
        raise asked.refuse(value, unknown.text) from None
    if sum(len(listed or ()) for listed in found.values()) > MOST:
        raise asked.refuse(value, f"a value set may have {MOST} codes here")
    return _tokens(asked, ((system, listed) for system, listed in sorted(found.items())))


def _subsumed(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    """Return a code and those above or below it in its code system."""
    system, code, *more = [*(unescape(part).strip() for part in split(value, "|")), ""]
    if not (system and code) or any(more):
        raise asked.refuse(value, f"system|code is needed with :{asked.modifier}")
    step = below if asked.modifier == "below" else above
    try:
        found = step(system, code, asked.context.held)
    except NotKnown as unknown:
        raise asked.refuse(value, unknown.text) from None
    if len(found) > MOST:
        raise asked.refuse(value, f"{MOST} codes may be asked for at once")
    return _tokens(asked, [(system, found)])


def _tokens(asked: Asked, listed: Iterable[tuple[str, frozenset[str] | None]]) -> tuple[SearchValue, ...]:
    """Return codes by system as values; where there are none, one that nothing has."""
    codes = [(system, code) for system, known in listed for code in _each(known)]
    target = asked.parameter.targets[0]
    plain = isinstance(target, Composed) or (isinstance(target, Coded) and target.system is None)
    tokens = (Token(system, code) for system, code in codes)
    found = tuple(_without_system(asked.parameter, token) if plain else token for token in tokens)
    return found or (Token("", ""),)


def _each(known: frozenset[str] | None) -> list[str] | list[None]:
    return [None] if known is None else sorted(known)


def _flag(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    code = unescape(split(value, "|")[-1]).strip()
    if code not in ("true", "false"):
        raise asked.refuse(value, "true or false is needed")
    return (Token(None, code),)


# --- text: https://hl7.org/fhir/R4/search.html#string ---


def _word(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    plain = unescape(value)
    how: How = "sounds" if asked.parameter.sounds else "starts"
    if asked.modifier in ("exact", "contains", "ends", "same"):
        how = cast("How", asked.modifier)
    norm = text.fold(plain)
    return (Word(plain, norm, how, text.soundex(norm) if how == "sounds" else None),)


def _said(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    try:
        return (said(unescape(value)),)
    except ValueError:
        allowed = 'words, "phrases", begun* words, AND, OR, NOT and parentheses are needed'
        raise asked.refuse(value, allowed) from None


def _uri(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    plain = unescape(value)
    version = plain.partition("|")[2]
    if asked.modifier == "below":
        return (Uri((plain,)), Uri((f"{plain}.",), below=True)) if version else (Uri((plain,), below=True),)
    if asked.modifier == "above":
        return (Uri(_above(asked, value, plain)),)
    return (Uri((plain,)),)


def _above(asked: Asked, value: str, plain: str) -> tuple[str, ...]:
    """Return a URL and those above it: of one with a version, the same with the first parts of that."""
    url, _, version = plain.partition("|")
    found = (_VERSION_STEP if version else _URL_STEP).finditer(plain, len(url) + 1 if version else 0)
    steps = [step.start() for step in islice(found, HIGHEST + 1)]
    if len(steps) > HIGHEST:
        raise asked.refuse(value[:100], f"a URL of {HIGHEST} steps at most is needed with :above")
    closed = [] if version else [plain[: step + 1] for step in steps]
    return (plain, *(plain[:step] for step in steps), *closed)


# --- dates and numbers: https://hl7.org/fhir/R4/search.html#prefix ---


def _prefixed(value: str) -> tuple[Prefix, str]:
    found = _PREFIX.match(unescape(value).strip())
    prefix, rest = found.groups() if found else (None, value)
    return cast("Prefix", prefix or "eq"), rest


def _when(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    prefix, rest = _prefixed(value)
    try:
        # The sign of an offset that was not escaped in the URL has become a space.
        low, high = times.bounds(rest.replace(" ", "+"))
    except ValueError:
        raise asked.refuse(
            value, "a date such as 2024, 2024-03, 2024-03-01 or 2024-03-01T09:30:00Z is needed"
        ) from None
    if prefix == "ap":
        low, high = _widened(low, high, asked.context.now)
    return (When(prefix, low, high),)


def _widened(low: datetime, high: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return a range widened on both sides by a tenth of its distance to now."""
    gap = max(low - now, now - high, timedelta()) / 10
    return max(low, times.FIRST + gap) - gap, min(high, times.LAST - gap) + gap


def _number(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    prefix, rest = _prefixed(value)
    return (_amount(asked, prefix, rest, value),)


def _quantity(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    number, *unit = split(value, "|")
    if len(unit) not in (0, 2):
        raise asked.refuse(value, "number or number|system|code is needed")
    system, code = (unescape(part).strip() or None for part in unit or ("", ""))
    if system and not code:
        raise asked.refuse(value, "a system needs a code")
    prefix, rest = _prefixed(number)
    return (_comparable(_amount(asked, prefix, rest, value, system, code)),)


def _comparable(number: Number) -> Number:
    """Return a quantity with the same in the unit of its kind, where that is known."""
    limits = (number.exact, number.low, number.high)
    found = [units.canonical(limit, number.system, number.code) for limit in limits]
    made = [limit for limit in found if limit is not None]
    if len(made) < len(limits):
        return number
    (exact, kind), (low, _), (high, _) = made
    return replace(number, canonical=Number(number.prefix, exact, low, high, None, kind))


def _amount(
    asked: Asked, prefix: Prefix, number: str, value: str, system: str | None = None, code: str | None = None
) -> Number:
    """A number stands for a range: half a unit of its last digit to each side, or a tenth of it for
    ``ap``.
    """
    if not _NUMBER.match(number):
        raise asked.refuse(value, "a number such as 5.4 or 5.40e-3 is needed")
    exact = Decimal(number)
    last = exact.as_tuple().exponent
    half = Decimal((0, (5,), (last if isinstance(last, int) else 0) - 1))
    if prefix == "ap":
        half = max(half, _EXACT.multiply(abs(exact), _TENTH))
    return Number(prefix, exact, _EXACT.subtract(exact, half), _EXACT.add(exact, half), system, code)


# --- references: https://hl7.org/fhir/R4/search.html#reference ---


def _reference(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    if asked.modifier in ("above", "below"):
        return (_nested(asked, value),)
    if asked.modifier == "identifier":
        return tuple(Ref(identifier=token) for token in _token(asked, value) if isinstance(token, Token))
    plain = unescape(value).strip()
    local = _LOCAL.match(plain.removeprefix(f"{asked.context.base_url}/"))
    wanted = asked.modifier or None
    if local is not None:
        if wanted not in (None, local[1]):
            raise asked.refuse(value, f"a reference to {wanted} is needed")
        # A version finds only references that name that version.
        return (Ref(local[1], local[2], literal=local[0] if local[3] else None),)
    if _ID.match(plain):
        return (Ref(wanted, plain),)
    if ":" not in plain and "/" not in plain:
        raise asked.refuse(value, "an id, Type/id or a URL is needed")
    return (Ref(literal=plain),)


def _nested(asked: Asked, value: str) -> Ref:
    """Read a resource together with those that it is a part of, or that are parts of it."""
    kinds = nested_types(asked.parameter)
    local = _LOCAL.match(unescape(value).strip().removeprefix(f"{asked.context.base_url}/"))
    kind, fhir_id = (local[1], local[2]) if local else (kinds[0], unescape(value).strip())
    if kind not in kinds or not _ID.match(fhir_id) or (local is None and len(kinds) > 1):
        raise asked.refuse(value, f"{' or '.join(f'{each}/id' for each in kinds)} is needed")
    return Ref(kind, fhir_id, along=part_paths(kind), upward=asked.modifier == "above")


# --- distances: https://hl7.org/fhir/R4/location.html#search ---


def _around(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    """Read ``latitude|longitude|distance|unit``: kilometres go without saying, and NEAR of them."""
    texts = [unescape(part).strip() for part in split(value, "|")]
    if not 2 <= len(texts) <= 4:
        raise asked.refuse(value, _POINT)
    north, east, distance, unit = (*texts, "", "")[:4]
    latitude, longitude = _within(asked, value, north, 90), _within(asked, value, east, 180)
    if unit and not distance:
        raise asked.refuse(value, "a unit needs a distance")
    far = _within(asked, value, distance or NEAR, 100_000_000, least=0)
    found = units.canonical(far, units.UCUM, unit or "km")
    if found is None or found[1] != "m":
        raise asked.refuse(value, "the unit of a distance must be one of UCUM, such as km, m or [mi_us]")
    return (Around(float(latitude), float(longitude), float(found[0])),)


def _within(asked: Asked, value: str, number: str, most: int, least: int | None = None) -> Decimal:
    if not _NUMBER.match(number):
        raise asked.refuse(value, _POINT)
    found = Decimal(number)
    if not (-most if least is None else least) <= found <= most:
        raise asked.refuse(value, f"{number} is not between {-most if least is None else least} and {most}")
    return found


# --- several at once: https://hl7.org/fhir/R4/search.html#composite ---


def _joint(asked: Asked, value: str) -> tuple[SearchValue, ...]:
    parameter, texts = asked.parameter, split(value, "$")
    if len(texts) != len(parameter.parts) or not all(text.strip() for text in texts):
        wanted = "$".join(part.name for part in parameter.parts)
        raise asked.refuse(value, f"{wanted} is needed")
    # What is wrong with a part is told of the parameter that was asked for.
    named = (replace(part, name=parameter.name) for part in parameter.parts)
    readings = (replace(asked, parameter=part) for part in named)
    return (Joint(tuple(_reader(one)(one, text) for one, text in zip(readings, texts, strict=True))),)


_READERS: dict[type[Target], Reader] = {
    Coded: _token,
    Composed: _token,
    Flag: _flag,
    Words: _word,
    Worded: _said,
    Span: _when,
    Measured: _quantity,
    Refers: _reference,
    Written: _uri,
    Positioned: _around,
    Together: _joint,
}
