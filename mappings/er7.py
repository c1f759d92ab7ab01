"""Messages in ER7, the notation with delimiters: split on demand, numbered as the standard numbers.

HL7 v2.5.1, sections 2.5 to 2.7: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from typing import Final

from mappings.er7_batch import batch_warnings, split_batch
from mappings.er7_charsets import UnsupportedCharset, decode, refuse_wide, switches
from mappings.er7_delimiters import DEFAULT, LITERAL, Delimiters, NotHl7, read_delimiters
from mappings.er7_escapes import escape, unescape

__all__ = [
    "Delimiters",
    "Field",
    "Message",
    "NotHl7",
    "Repetition",
    "Segment",
    "UnsupportedCharset",
    "batch_warnings",
    "escape",
    "read",
    "split_batch",
    "unescape",
]

NULL: Final = '""'
_LEAD = re.compile(rb"[\s\0]*(\xef\xbb\xbf)?[\s\0]*")
_LINE_ENDS = re.compile(r"\r\n?|\n")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}\Z")
_HEADERS = frozenset(("MSH", "FHS", "BHS"))


class Repetition:
    """One repetition of a field. Components and sub-components are counted from 1."""

    __slots__ = ("_delimiters", "_parts", "raw")

    def __init__(self, raw: str, delimiters: Delimiters) -> None:
        self.raw = raw
        self._delimiters = delimiters
        self._parts: list[str] | None = None

    def _split(self) -> list[str]:
        if self._parts is None:
            self._parts = self.raw.split(self._delimiters.component) if self.raw else []
        return self._parts

    def component(self, n: int, sub: int = 1) -> str:
        """Component n, unescaped: its sub-component `sub`, or all of it for 0; empty when absent.

        The null value `""` in a component says nothing: it is empty, as only a whole field can be cleared
        (`Field.is_null`). Raises ValueError for numbers that no component has.
        """
        if n < 1 or sub < 0:
            raise ValueError("components are counted from 1")
        parts = self._split() if self._parts is None else self._parts
        part = parts[n - 1] if n <= len(parts) else ""
        if not part:
            # Most components of most fields.
            return part
        if sub and (sub > 1 or self._delimiters.subcomponent in part):
            parts = part.split(self._delimiters.subcomponent)
            part = parts[sub - 1] if sub <= len(parts) else ""
        return self._value(part)

    def _value(self, part: str) -> str:
        if part == NULL:
            return ""
        return unescape(part, self._delimiters) if self._delimiters.escape in part else part

    @property
    def components(self) -> tuple[tuple[str, ...], ...]:
        """All components, each as the tuple of its unescaped sub-components."""
        return tuple(
            tuple(self._value(value) for value in part.split(self._delimiters.subcomponent))
            for part in self._split()
        )

    @property
    def text(self) -> str:
        """The whole repetition unescaped, with the separators of its components kept; empty for `""`."""
        return self._value(self.raw)

    @property
    def count(self) -> int:
        """How many components are written."""
        return len(self._split())

    def __bool__(self) -> bool:
        if NULL not in self.raw:
            return bool(self.raw.strip(self._delimiters.blank))
        return any(value.strip(self._delimiters.blank) for part in self.components for value in part)

    def __repr__(self) -> str:
        return f"<Repetition of {self.count} components>"


class Field:
    """One field: empty if it holds nothing but delimiters, null if it is exactly two quotation marks."""

    __slots__ = ("_delimiters", "_repetitions", "raw")

    def __init__(self, raw: str, delimiters: Delimiters) -> None:
        self.raw = raw
        self._delimiters = delimiters
        self._repetitions: tuple[Repetition, ...] | None = None

    @property
    def repetitions(self) -> tuple[Repetition, ...]:
        """All repetitions in their places, empty ones too; none for a field that is not there."""
        if self._repetitions is None:
            parts = self.raw.split(self._delimiters.repetition) if self.raw else []
            self._repetitions = tuple(Repetition(part, self._delimiters) for part in parts)
        return self._repetitions

    @property
    def first(self) -> Repetition:
        """The first repetition; an empty one where there is none."""
        return self.repetitions[0] if self.raw else EMPTY_REPETITION

    @property
    def text(self) -> str:
        """The first repetition unescaped, with any separators in it kept: for ST, TX and FT values."""
        return self.first.text

    @property
    def lines(self) -> str:
        """All repetitions unescaped, one to a line: a text (FT, TX) may come in as many as it has lines."""
        return "\n".join(repetition.text for repetition in self.repetitions)

    @property
    def is_empty(self) -> bool:
        return not self.raw.strip(self._delimiters.blank)

    @property
    def is_null(self) -> bool:
        return self.raw == NULL

    def __bool__(self) -> bool:
        return not self.is_empty

    def __repr__(self) -> str:
        return f"<Field of {len(self.repetitions)} repetitions>"


class Segment:
    """One segment. `number` counts the segments of its name, `index` all segments, both from 1.

    `name` is what stands before the first separator; in a broken line that may be any text.
    """

    __slots__ = ("_delimiters", "_fields", "_parts", "index", "name", "number", "text")

    def __init__(self, name: str, text: str, number: int, index: int, delimiters: Delimiters) -> None:
        self.name = name
        self.text = text
        self.number = number
        self.index = index
        self._delimiters = delimiters
        self._parts: list[str] | None = None
        self._fields: dict[int, Field] = {}

    def _split(self) -> list[str]:
        if self._parts is None:
            self._parts = self.text.split(self._delimiters.field)
            if self.name in _HEADERS:  # the separator after MSH is itself MSH-1
                self._parts.insert(1, self._delimiters.field)
        return self._parts

    def field(self, n: int) -> Field:
        """Field n by the standard's numbers; an empty field when absent. Raises ValueError below 1."""
        found = self._fields.get(n)
        if found is None:
            found = self._fields[n] = self._make(n)
        return found

    def _make(self, n: int) -> Field:
        if n < 1:
            raise ValueError("fields are counted from 1")
        parts = self._split()
        if n >= len(parts):
            return EMPTY_FIELD
        return Field(parts[n], LITERAL if n < 3 and self.name in _HEADERS else self._delimiters)

    def filled(self) -> tuple[int, ...]:
        """The numbers of the fields that are not empty."""
        blank = self._delimiters.blank
        literal = 3 if self.name in _HEADERS else 0
        return tuple(n for n, part in enumerate(self._split()) if n and (part.strip(blank) or n < literal))

    def __repr__(self) -> str:
        return f"<Segment {self.index}>"


class Message:
    """A message. `charset` is what its text was read in; `warnings` say what was tolerated."""

    __slots__ = ("_by_name", "charset", "delimiters", "raw", "segments", "warnings")

    def __init__(
        self,
        raw: bytes,
        segments: tuple[Segment, ...],
        delimiters: Delimiters,
        charset: str,
        warnings: list[str],
    ) -> None:
        self.raw = raw
        self.segments = segments
        self.delimiters = delimiters
        self.charset = charset
        self.warnings = warnings
        self._by_name: dict[str, list[Segment]] = {}
        for segment in segments:
            self._by_name.setdefault(segment.name, []).append(segment)

    def all(self, name: str) -> tuple[Segment, ...]:
        """The segments of that name, in order."""
        return tuple(self._by_name.get(name, ()))

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        found = self._by_name.get(name)
        return found[0] if found else None

    @property
    def msh(self) -> Segment:
        return self.segments[0]

    @property
    def message_code(self) -> str:
        """MSH-9.1."""
        return self.msh.field(9).first.component(1)

    @property
    def trigger_event(self) -> str:
        """MSH-9.2."""
        return self.msh.field(9).first.component(2)

    @property
    def message_structure(self) -> str:
        """MSH-9.3."""
        return self.msh.field(9).first.component(3)

    @property
    def control_id(self) -> str:
        """MSH-10 exactly as written: not trimmed, not unescaped."""
        return self.msh.field(10).raw

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.msh.field(12).first.component(1)

    def __repr__(self) -> str:
        return f"<Message of {len(self.segments)} segments>"


EMPTY_REPETITION: Final = Repetition("", DEFAULT)
EMPTY_FIELD: Final = Field("", DEFAULT)


def read(raw: bytes, default_charset: str | None = None, *, labelled: bool = True) -> Message:
    """Read one message; its segments may end with CR, LF or CRLF, and blank lines do not count.

    `default_charset` is meant for messages whose MSH-18 is empty; unless `labelled`, MSH-18 is not looked
    at. Warnings quote nothing of it. Raises NotHl7 if there is no usable MSH, its kind UnsupportedCharset for
    UTF-16 and UTF-32, and ValueError if the default charset is not known.
    """
    refuse_wide(raw)
    lead = _LEAD.match(raw)
    body = raw[lead.end() :] if lead else raw
    if not body:
        raise NotHl7("the message is empty")
    if not body.startswith(b"MSH"):
        raise NotHl7("the message does not begin with MSH")
    marked = bool(lead and lead[1])
    label = _charset_label(body) if labelled else ""
    decoded = decode(body, marked=marked, label=label, default=default_charset)
    lines = [line for line in _LINE_ENDS.split(decoded.text) if line.strip(" \t\0")]
    delimiters, warnings = read_delimiters(lines[0])
    segments = _segments(lines, delimiters)
    warnings = decoded.warnings + warnings + _oddities(decoded.text, segments)
    return Message(raw, segments, delimiters, decoded.charset, warnings)


def _charset_label(body: bytes) -> str:
    """The first name in MSH-18; later ones are sets that escape sequences switch to (section 2.15.9.18).

    Where these are those of ISO 2022, with the byte 1B, the later set reads what stands before them too.
    """
    header = re.split(rb"[\r\n]", body, maxsplit=1)[0].decode("iso-8859-1")
    fields = header.split(header[3:4]) if len(header) > 3 else []
    if len(fields) < 18:
        return ""
    repetition = header[5:6]
    names = fields[17].split(repetition) if repetition else [fields[17]]
    named = [name.strip() for name in names if name.strip()]
    switched = (name for name in named[1:] if b"\x1b" in body and switches(name))
    return next(switched, named[0] if named else "")


def _segments(lines: list[str], delimiters: Delimiters) -> tuple[Segment, ...]:
    counts: dict[str, int] = {}
    segments: list[Segment] = []
    for index, line in enumerate(lines, 1):
        name = line.split(delimiters.field, 1)[0]
        counts[name] = counts.get(name, 0) + 1
        segments.append(Segment(name, line, counts[name], index, delimiters))
    return tuple(segments)


def _oddities(text: str, segments: tuple[Segment, ...]) -> list[str]:
    warnings: list[str] = []
    if "\n" in text:
        warnings.append("segments end with a line feed, not with a carriage return alone")
    wrong = [segment.index for segment in segments if not _NAME.match(segment.name)]
    if wrong:
        warnings.append(f"{len(wrong)} lines do not begin with a segment name, line {wrong[0]} the first")
    if sum(segment.name == "MSH" for segment in segments) > 1:
        warnings.append("the message has more than one MSH")
    return warnings
