"""Texts that people have written: neither blank nor with characters that no text has."""

from __future__ import annotations

import re
from typing import Any

from gateway import errors

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def see_texts(told: dict[str, Any], **least: int) -> None:
    """See that the texts of a form say something; ``least`` is how many characters, blanks around them left
    out. Raises ValueInvalid, naming the field.
    """
    for name, value in told.items():
        for text in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(text, str):
                _see(name, text, least.get(name, 1))


def _see(name: str, text: str, least: int) -> None:
    if _CONTROL.search(text):
        raise errors.ValueInvalid("A text without control characters is needed", expression=name)
    if len(text.strip()) < least:
        needed = f"at least {least} characters" if least > 1 else "not blank"
        raise errors.ValueInvalid(f"A text that is {needed} is needed", expression=name)
