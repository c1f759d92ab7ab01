"""The delimiters of a message, as MSH-1 and MSH-2 declare them (HL7 v2, chapter 2, "Message delimiters").

https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import dataclasses


class NotHl7(ValueError):
    """The bytes hold no usable MSH; `reason` says why and never quotes the message."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters that separate the parts of a message; `truncation` is empty unless declared (v2.7)."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""
    blank: str = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # A field made of these characters alone holds no value.
        object.__setattr__(self, "blank", self.component + self.repetition + self.subcomponent)

    @property
    def encoding_characters(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


DEFAULT = Delimiters()

LITERAL = Delimiters("\r", "\r", "\r", "\r", "\r", "\r")
"""For MSH-1 and MSH-2, which are not split: a carriage return never occurs inside a segment."""


def read_delimiters(header: str) -> tuple[Delimiters, list[str]]:
    """Delimiters declared by a header line that begins with `MSH`, with warnings on what was tolerated.

    Raises NotHl7 if MSH-1 or MSH-2 is missing or can not be delimiters (v2.5.1, 2.15.9.1 and 2.15.9.2).
    """
    separator = header[3:4]
    if not _usable(separator):
        raise NotHl7("MSH has no field separator")
    declared = header[4:].split(separator, 1)[0]
    if not declared:
        raise NotHl7("MSH-2 has no encoding characters")
    if not all(map(_usable, declared)):
        raise NotHl7("MSH-2 holds something other than encoding characters")
    characters, warnings = _tolerate(declared)
    if len(set(separator + characters)) <= len(characters):
        raise NotHl7("MSH-1 and MSH-2 name one character twice")
    return Delimiters(separator, *characters), warnings


def _usable(character: str) -> bool:
    return character.isprintable() and not character.isalnum() and character not in ("", " ", '"')


def _tolerate(declared: str) -> tuple[str, list[str]]:
    warnings: list[str] = []
    if len(declared) > 3 and declared[2] == declared[3]:  # a sender that escaped the escape character
        declared = declared[:3] + declared[4:]
        warnings.append("MSH-2 doubles the escape character")
    if len(declared) < 4:
        declared += DEFAULT.encoding_characters[len(declared) :]
        warnings.append("MSH-2 is short; the usual characters stand in for those missing")
    if len(declared) > 5:
        declared = declared[:5]
        warnings.append("MSH-2 has more than five characters; those after the fifth are ignored")
    return declared, warnings
