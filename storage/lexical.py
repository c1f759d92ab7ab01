"""JSON that keeps every decimal as it was spelt: `1.50`, `1e2` and `0.0000001` come back letter for letter.

`Decimal` alone keeps digits, but writes `1e2` as `1E+2` and `0.0000001` as `1E-7`. Where that would happen
the decoder gives a `Spelt`, a Decimal that remembers its text. Encode with `ENCODER`: a plain msgspec
encoder refuses subclasses of Decimal.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import msgspec


class Spelt(Decimal):
    """A decimal whose text is not the one that Decimal would write."""

    text: str

    def __new__(cls, text: str) -> Spelt:
        """A number from its JSON text; raises decimal.InvalidOperation where the exponent is beyond
        reason.
        """
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __str__(self) -> str:
        """The text as it came."""
        return self.text

    def __reduce__(self) -> tuple[type[Spelt], tuple[str]]:
        """Copies keep the text too."""
        return Spelt, (self.text,)


def decimal_of(text: str) -> Decimal:
    """A JSON number with a point or an exponent, as a Decimal that will be written as it was read."""
    number = Decimal(text)
    return number if str(number) == text else Spelt(text)


def _raw(value: Any) -> msgspec.Raw:
    if isinstance(value, Spelt):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} has no JSON form")


_QUICK: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=decimal_of)
_MINUS = r"-0(?=[\s,}\]]|\Z)"
_MINUS_TEXT, _MINUS_BYTES = re.compile(_MINUS), re.compile(_MINUS.encode())


def _whole(text: str) -> int | Decimal:
    return Decimal(text) if text == "-0" else int(text)


class Decoder:
    """Decodes JSON: numbers with a point or an exponent, and `-0`, become Decimal, other whole ones int."""

    def decode(self, text: bytes | str) -> Any:
        """Return the value of a text. Raises ValueError, ArithmeticError, RecursionError."""
        value = _QUICK.decode(text)
        found = _MINUS_TEXT.search(text) if isinstance(text, str) else _MINUS_BYTES.search(text)
        if found:
            # No int remembers the sign of zero; the slow decoder can be told of it.
            return json.loads(text, parse_float=decimal_of, parse_int=_whole)
        return value


DECODER = Decoder()
ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_raw)
