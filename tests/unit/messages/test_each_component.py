"""That no component of a mapped field is lost: if one is written otherwise, what a message makes differs.

https://hl7.org/fhir/uv/v2mappings/2024Sep/mapping_guidelines.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

import pytest

from mappings import er7, resource
from mappings.element import V2Context
from mappings.messages.coverage import Coverage
from mappings.messages.fates import fates
from mappings.messages.in_memory import InMemory
from mappings.messages.workspace import mapping_of

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
# A line that begins with two spaces goes on with the segment before it.
ORDER = r"""
MSH|^~\&|HIS|WEST|SUTURE|OR|20260301080000+0000||OML^O21|1|P|2.8.2
PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F
ORC|NW|P1^HIS^1.2.3^ISO|F1^LAB|G1&HIS||||P0&HIS^F0&LAB|20260301080000+0000|||7^Okafor^Ada^B^Jr^Dr^^^HIS
  ||||R1^Why^99L
TQ1|1|3^mg&mg||||||20260308080000+0000|S||slowly
OBR|1|P1^HIS|F1^LAB|24725-4^CT Head^LN^L1^Local^99H||||||||S||||||||||||||||||||||||
  |38268001^Pain^SCT~386661006^Fever^SCT
NTE|1||A note~of two lines||8^Clerk^Jo^^^^^^HIS|20260301083000+0000
OBX|1|CWE|8661-1^Complaint^LN|1^2^3^part|A^Alpha^99L^B^Beta^SCT^1^2^word||||||F
SPM|1|S1&HIS^T1&LAB|S0&HIS^T0&LAB|119297000^Blood^SCT|||V^Venipuncture^99L|LA^Left arm^99L||||5^mL&mL|
  |Handle cold|||20260301070000+0000^20260301070500+0000|20260301073000+0000||Y||||C^Clotted^99L||
  |T^Tube^99L|||A1^^^LAB
"""
RESULT = r"""
MSH|^~\&|LAB|CENTRAL|SUTURE|OR|20260301120000+0000||ORU^R01|2|P|2.5.1
PID|1||4711^^^WEST^MR||Ortega^Ana||19700214|F
ORC|RE|P1^HIS|F1^LAB||||2&mg^Q6H^D3^20260304080000+0000^20260306^T1^^how^^^^9
OBR|1|P1^HIS|F1^LAB|24323-8^Panel^LN|||20260301090000+0000|20260301091000+0000|5|9^Nurse^Nia|||
  |20260301093000+0000|BLD&Blood&99L^Heparin^text^LA&Left arm&99L^x^y||||||||20260301110000+0000||CH|F|
  ||||||11&Read&Rae&R&Sr&Dr^20260301^20260302^W1|||12&Perf&Pat^^^W2
NTE|1||Seen by two~of us
OBX|1|NM|2951-2^Sodium^LN|1|140|mmol/L^millimole^UCUM|135-145|N|||C|||20260301090500+0000|H1^House^99L
  |13^Tech^Tom|M1^Method^99L~M2^Other^99L|D1^DEV~D2^DEV|20260301100000+0000|BS^Site^99L|O1^LAB
OBX|2|ST|20629-4^Drug^LN|2|<=8|ug/mL^microgram^UCUM|||||F
OBX|3|TX|18748-4^Report^LN||One line~another||||||F
OBX|4|SN|5196-1^Titre^LN||>^5^-^7|||||||F
OBX|5|ED|60570-9^File^LN||LAB^AP^PDF^A^text||||||F
"""
SAME = {
    "OBX[1]-1.1.1": "a set id is in a column alone",
    "ORC[1]-2.2.1": "the name of an authority whose OID is told",
    "SPM[1]-12.2.1": "the code of a unit whose text is told, without a system",
    "TQ1[1]-2.2.1": "the code of a unit whose text is told, without a system",
    "OBX[2]-2.1.1": "a text is a text",
    "OBX[5]-5.1.1": "the application that made a file",
    "OBX[5]-5.2.1": "the subtype of a file tells its type",
    "OBX[5]-5.4.1": "what is no known encoding is text as it stands",
}
"""What makes no difference, and why."""
ONCE = (1, 3, 11)
"""Fields of OBX that are read alike whatever its type: looked at in the first one alone."""


def outcome(text: str) -> tuple[str, Coverage]:
    """What a message makes in an empty gateway: the resources as readers get them, and what is kept."""
    numbers = count(1)
    records = InMemory(lambda: UUID(int=next(numbers)), lambda: AT)
    message = er7.read(text.encode())
    coverage, refused = records.apply(message, V2Context(UTC, {}, message.version))
    assert refused is None, refused
    made = [
        (resource.render(mapping_of(record), record), record.resource["v2_remainder"])
        for record in records.records()
    ]
    return str(made), coverage


def others(value: str) -> Iterator[str]:
    """Values near to one: another last digit, another last letter, another code."""
    for pattern, digits in ((r"\d(?=\D*\Z)", True), (r"[A-Za-z](?=[^A-Za-z]*\Z)", False)):
        found = re.search(pattern, value)
        if found:
            new = str((int(found[0]) + 1) % 10) if digits else "Q" if found[0] != "Q" else "Z"
            yield value[: found.start()] + new + value[found.end() :]
    if re.match(r"\d{8}", value):
        yield value[:7] + str(int(value[7]) % 8 + 1) + value[8:]
    yield from (code for code in ("S", "P", "2") if code != value)


def varied(raw: str) -> Iterator[tuple[str, list[str]]]:
    """Each value of a field by its component and sub-component, and the field with others in its place."""
    parts = re.split(r"([~^&])", raw)
    place = [1, 1, 1]
    for number, part in enumerate(parts):
        if part in ("~", "^", "&"):
            level = "~^&".index(part)
            place = [*place[:level], place[level] + 1, *[1] * (2 - level)]
        elif part.strip():
            name = f"{'~' * (place[0] > 1)}{place[1]}.{place[2]}"
            yield name, ["".join((*parts[:number], told, *parts[number + 1 :])) for told in others(part)]


@pytest.mark.parametrize("text", [ORDER, RESULT], ids=["order", "result"])
def test_a_component_of_a_mapped_field_that_is_written_otherwise_makes_a_difference(text: str) -> None:
    lines = text.strip().replace("\n  ", "").splitlines()
    text = "\r".join(lines)
    made, coverage = outcome(text)
    lost: list[str] = []
    for fate in fates(er7.read(text.encode()), coverage.as_json()):
        again = fate.segment == "OBX" and fate.number in ONCE and not fate.place.startswith("OBX[1]")
        if fate.kind != "mapped" or fate.segment == "PID" or again:
            continue
        index = next(number for number, line in enumerate(lines) if line.startswith(_head(fate.place)))
        for name, fields in varied(fate.text):
            if not any(
                outcome("\r".join(_with(lines, index, fate.number, field)))[0] != made for field in fields
            ):
                lost.append(f"{fate.place}.{name}")
    unexplained = sorted(set(lost) - SAME.keys())
    assert not unexplained, unexplained


def _head(place: str) -> str:
    name, number = place.partition("]")[0].split("[")
    return f"{name}|{number}|" if name in ("OBX", "NTE", "SPM", "TQ1") else f"{name}|"


def _with(lines: list[str], index: int, number: int, field: str) -> list[str]:
    parts = lines[index].split("|")
    parts[number] = field
    return [*lines[:index], "|".join(parts), *lines[index + 1 :]]
