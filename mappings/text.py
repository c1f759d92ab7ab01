"""Text as search compares it: folded, by its sound, telephone numbers by their digits.

https://hl7.org/fhir/R4/search.html#string
"""

from __future__ import annotations

import re
import unicodedata

CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that no text of people has; lines and tabs are not among them."""
KEPT = 255
"""So many characters of a folded text are kept and compared."""

_PUNCTUATION = "!\"#%&'()*,-./:;?@[\\]_{}"
_ASCII = {**{ord(mark): None for mark in _PUNCTUATION}, **{code: code + 32 for code in range(65, 91)}}
_DROPPED = frozenset({"Mn", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps"})
_SOUNDS = {
    letter: digit
    for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), start=1)
    for letter in letters
}


def fold(text: str) -> str:
    """Return a text without case, accents, punctuation and needless spaces, its first 255 characters.

    A text of nothing but punctuation stays as it is, so that it can be found.
    """
    made = text.translate(_ASCII) if text.isascii() else _fold_other(text)
    return (" ".join(made.split()) or text.casefold().strip())[:KEPT]


def _fold_other(text: str) -> str:
    # Folding case may give letters that decompose again.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(mark for mark in plain if unicodedata.category(mark) not in _DROPPED)


def soundex(folded: str) -> str | None:
    """Return the American Soundex of a folded text, None where it has no Latin letter."""
    letters = [mark for mark in folded if "a" <= mark <= "z"]
    if not letters:
        return None
    made, last = letters[0].upper(), _SOUNDS.get(letters[0], 0)
    for letter in letters[1:]:
        digit = _SOUNDS.get(letter, 0)
        if digit and digit != last:
            made += str(digit)
            if len(made) == 4:
                return made
        # h and w do not part two letters of the same sound, vowels do.
        if letter not in "hw":
            last = digit
    return made.ljust(4, "0")


def digits(text: str) -> str:
    """Return the digits of a telephone number."""
    return "".join(mark for mark in text if "0" <= mark <= "9")


TELEPHONES = frozenset({"phone", "fax", "pager", "sms"})


def contact(system: str | None, value: str) -> str:
    """Return the value of a ContactPoint as search compares it: digits of a telephone, else without case."""
    number = digits(value) if system in TELEPHONES else ""
    return (number or value.strip().casefold())[:KEPT]
