"""Texts that people have written: neither blank nor with characters that no text has."""

from __future__ import annotations

from typing import Any

from gateway import errors
from gateway.native.clinic_words import plain


def see_texts(told: dict[str, Any], **least: int) -> None:
    """See that the texts of a form say something; ``least`` is how many characters, blanks around them left
    out. Raises ValueInvalid, naming the field.
    """
    for name, value in told.items():
        plain(name, value)
        if name in least and len(str(value).strip()) < least[name]:
            needed = f"A text of at least {least[name]} characters is needed"
            raise errors.ValueInvalid(needed, expression=name)
