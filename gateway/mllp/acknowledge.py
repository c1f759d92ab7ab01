"""Acknowledgements, as the version of the request wants them, and table 0357.

HL7 v2.5.1, section 2.9.2: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
Table 0357: https://hl7.org/fhir/R4/v2/0357/index.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mappings.er7 import Delimiters, Message, escape
from mappings.er7_charsets import is_known, is_wide

if TYPE_CHECKING:
    from mappings.messages.order_reply import Reply

Severity = Literal["E", "F", "I", "W"]


class Code(StrEnum):
    """Table 0008: what came of a message (A), or in enhanced mode whether it was taken (C)."""

    AA = "AA"
    AE = "AE"
    AR = "AR"
    CA = "CA"
    CE = "CE"
    CR = "CR"


class Condition(NamedTuple):
    """A row of table 0357, and the code that answers it."""

    text: str
    code: Code


CONDITIONS: Final = {
    "0": Condition("Message accepted", Code.AA),
    "100": Condition("Segment sequence error", Code.AE),
    "101": Condition("Required field missing", Code.AE),
    "102": Condition("Data type error", Code.AE),
    "103": Condition("Table value not found", Code.AE),
    "104": Condition("Value too long", Code.AE),
    "200": Condition("Unsupported message type", Code.AR),
    "201": Condition("Unsupported event code", Code.AR),
    "202": Condition("Unsupported processing id", Code.AR),
    "203": Condition("Unsupported version id", Code.AR),
    "204": Condition("Unknown key identifier", Code.AR),
    "205": Condition("Duplicate key identifier", Code.AR),
    "206": Condition("Application record locked", Code.AE),
    "207": Condition("Application internal error", Code.AE),
}

VERSIONS: Final = (
    *("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6"),
    *("2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"),
)
DEFAULT_VERSION: Final = "2.5.1"
PROCESSING_IDS: Final = frozenset("PTDN")
CONTROL_ID_LENGTH: Final = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a message: a condition (table 0357), a severity (0516), a place and a text.

    Numbers count from 1; 0 leaves the place open from there on. The text goes over the wire: no patient
    data in it.
    """

    code: str
    severity: Severity = "E"
    segment: str = ""
    sequence: int = 1
    field: int = 0
    repetition: int = 0
    component: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        if self.code not in CONDITIONS:
            raise ValueError(f"table 0357 has no condition {self.code}")

    @property
    def is_error(self) -> bool:
        return self.severity in ("E", "F")


def code_for(faults: Iterable[Fault]) -> Code:
    """AA if no fault is an error; AR if one can never succeed or lies in the header; else AE (2.9.2.2)."""
    errors = [fault for fault in faults if fault.is_error]
    if any(_in_header(fault) or CONDITIONS[fault.code].code is Code.AR for fault in errors):
        return Code.AR
    return Code.AE if errors else Code.AA


def _in_header(fault: Fault) -> bool:
    return fault.segment == "MSH" and fault.field in (0, 9, 11, 12, 18)


def is_acknowledgement(message: Message) -> bool:
    """Whether the message answers another one (MSH-9.1 ACK, or an MSA segment): it must not be answered."""
    return message.message_code == "ACK" or message.first("MSA") is not None


def header_fault(
    message: Message,
    supported: Collection[tuple[str, str]],
    processing_ids: Collection[str] = PROCESSING_IDS,
    versions: Collection[str] = VERSIONS,
) -> Fault | None:
    """The first reason to reject a message by its header (MSH-9, MSH-12, MSH-11, MSH-18), or None (section
    2.9.2.2).

    `supported` holds pairs of message code and trigger event. A missing field gives 101, what is not served
    200, 201, 202 or 203; a character set in which the end of a frame may be a letter 103.
    """
    return (
        _type_fault(message, supported)
        or _coded_fault(message, 12, "203", versions)
        or _coded_fault(message, 11, "202", processing_ids)
        or _charset_fault(message)
    )


def _type_fault(message: Message, supported: Collection[tuple[str, str]]) -> Fault | None:
    code, event = message.message_code, message.trigger_event
    if not code:
        return Fault("101", segment="MSH", field=9, text="MSH-9 is missing")
    if code not in {known for known, _ in supported}:
        return _header_fault("200", 9, 1)
    return None if (code, event) in supported else _header_fault("201", 9, 2)


def _coded_fault(message: Message, field: int, condition: str, known: Collection[str]) -> Fault | None:
    value = message.msh.field(field).first.component(1)
    if not value:
        return Fault("101", segment="MSH", field=field, text=f"MSH-{field} is missing")
    return None if value in known else _header_fault(condition, field, 0)


def _charset_fault(message: Message) -> Fault | None:
    if not any(is_wide(part.text) for part in message.msh.field(18).repetitions):
        return None
    return Fault("103", "E", "MSH", 1, 18, text="UTF-16 and UTF-32 can not be carried over MLLP")


def _header_fault(code: str, field: int, component: int) -> Fault:
    repetition = 1 if component else 0
    return Fault(
        code, "E", "MSH", 1, field, repetition, component, text=f"{CONDITIONS[code].text} in MSH-{field}"
    )


def answer_version(stated: str) -> str:
    """The version to answer in: the stated one, the nearest known one below it, or 2.5.1 if unreadable."""
    if stated in VERSIONS:
        return stated
    numbers = _numbers(stated)
    if not numbers:
        return DEFAULT_VERSION
    older = [version for version in VERSIONS if _numbers(version) <= numbers]
    return older[-1] if older else VERSIONS[0]


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(map(int, parts)) if all(re.fullmatch("[0-9]{1,4}", part) for part in parts) else ()


def acknowledge(
    request: Message | None,
    code: Code,
    faults: Sequence[Fault],
    control_id: str,
    at: datetime,
    text: str = "",
    reply: Reply | None = None,
) -> bytes:
    """The acknowledgement of a request, or of a payload without a usable MSH (None), unframed (2.9.2).

    With a `reply` it is the order response that this is, whose segments follow (4.4).

    It is written with the request's delimiters, character set and version. `control_id` is its own MSH-10,
    `at` its MSH-7, `text` its MSA-3, which falls back to that of the first fault and is left out from 2.7.
    Warnings may go with AA from 2.5, when ERR got a severity. Raises ValueError for a control id of more
    than 20 characters.
    """
    if not 0 < len(control_id) <= CONTROL_ID_LENGTH:
        raise ValueError(f"a control id has 1 to {CONTROL_ID_LENGTH} characters")
    answer = _Answer(request, reply)
    segments = [
        answer.msh(control_id, at),
        answer.msa(code, text or next((_public(fault) for fault in faults), "")),
        *answer.errors(faults),
        *(reply.segments if reply else ()),
    ]
    lines = "".join(answer.line(segment) for segment in segments)
    return lines.encode(request.charset if request else "ascii", errors="replace")


class _Answer:
    """Builds the segments of one acknowledgement as lists of fields, which stand as they go over the wire."""

    def __init__(self, request: Message | None, reply: Reply | None = None) -> None:
        self._request = request
        self._reply = reply
        self._d = request.delimiters if request else Delimiters()
        self._version = answer_version(request.version) if request else DEFAULT_VERSION
        self._numbers = _numbers(self._version)

    def line(self, fields: list[str]) -> str:
        return self._d.field.join(fields).rstrip(self._d.field) + "\r"

    def msh(self, control_id: str, at: datetime) -> list[str]:
        fields = ["MSH", self._d.encoding_characters, *(self._asked(n) for n in (5, 6, 3, 4))]
        fields += [at.strftime("%Y%m%d%H%M%S%z"), "", self._type(), escape(control_id, self._d)]
        fields += [self._asked(11) or "P", self._stated_version()]
        return [*fields, *[""] * 5, self._charset()]

    def msa(self, code: Code, text: str) -> list[str]:
        if self._numbers >= (2, 7):
            text = ""
        return ["MSA", code, self._asked(10), escape(text, self._d)]

    def errors(self, faults: Sequence[Fault]) -> list[list[str]]:
        if self._numbers >= (2, 5):
            return [self._error(fault) for fault in faults]
        # Before 2.5 a fault has no severity: whatever stands in ERR is an error.
        places = [self._place_and_code(fault) for fault in faults if fault.is_error]
        return [["ERR", self._d.repetition.join(places)]] if places else []

    def _error(self, fault: Fault) -> list[str]:
        place = self._place(fault, fault.repetition, fault.component)
        condition = self._component(*self._condition(fault))
        return ["ERR", "", place, condition, fault.severity, "", "", "", escape(_public(fault), self._d)]

    def _place_and_code(self, fault: Fault) -> str:
        code, text, table = self._condition(fault)
        if self._numbers == (2, 1):
            text = table = ""
        located = [*self._numbered(fault)[:3], "", "", ""][:3]
        coded = self._d.subcomponent.join([code, escape(text, self._d), table]).rstrip(self._d.subcomponent)
        return self._d.component.join([*located, coded])

    def _place(self, fault: Fault, *inner: int) -> str:
        return self._component(*self._numbered(fault, *inner))

    def _numbered(self, fault: Fault, *inner: int) -> list[str]:
        if not fault.segment:
            return []
        numbers = [fault.sequence, fault.field, *inner]
        return [fault.segment, *(str(number) if number else "" for number in numbers)]

    def _condition(self, fault: Fault) -> tuple[str, str, str]:
        code = "102" if fault.code == "104" and self._numbers < (2, 7) else fault.code
        return code, CONDITIONS[code].text, "HL70357"

    def _component(self, *values: str) -> str:
        return self._d.component.join(escape(value, self._d) for value in values).rstrip(self._d.component)

    def _type(self) -> str:
        code, event, structure = "ACK", self._request.trigger_event if self._request else "", "ACK"
        if self._reply:
            code, event = self._reply.code, self._reply.event
            structure = f"{code}_{event}"
        named = event and self._numbers >= (2, 3, 1)
        return self._component(code, event, structure if named else "")

    def _stated_version(self) -> str:
        known = self._request is not None and self._request.version == self._version
        return self._asked(12) if known and self._numbers >= (2, 3, 1) else self._version

    def _charset(self) -> str:
        """Return MSH-18 as it was sent, if it names what the answer can be written in."""
        asked = self._request.msh.field(18) if self._request else None
        known = asked is not None and all(is_known(part.text) for part in asked.repetitions if part)
        return asked.raw if asked is not None and known else ""

    def _asked(self, n: int) -> str:
        return self._request.msh.field(n).raw if self._request else ""


def _public(fault: Fault) -> str:
    # What went wrong inside (fatal, table 0516) is for the journal; the text of a rule is for the peer.
    hidden = fault.code == "207" and (fault.severity == "F" or not fault.text)
    return CONDITIONS["207"].text if hidden else fault.text
