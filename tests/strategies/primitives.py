"""Values of the primitive datatypes of R4, the odd ones that the standard allows among them.

https://hl7.org/fhir/R4/datatypes.html#primitive
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
ODD_TEXTS = (
    "Ünïcødé",
    "𝔖𝔲𝔱𝔲𝔯𝔢 🩺",
    "e\u0301",
    ' "quoted" \\ and / ',
    "two\nlines\tand a tab",
    "&lt;b&gt; &amp;",
    "one\u2028two",
    "~1~0",
    "extension:urn:x",
    "long " * 200,
)
ODD_NUMBERS = (
    "1.50",
    "1e2",
    "-0.0",
    "-0",
    "0.00001",
    "1E-7",
    "-12.340",
    "0.0",
    "1.0e0",
    "100.000",
    "9" * 30 + ".5",
)
LATEST_INTEGER = 2**31 - 1

strings = st.sampled_from(ODD_TEXTS) | st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)
codes = st.sampled_from(["two words", "a-b", "0", "%"]) | st.text("ABCxyz0189-", min_size=1, max_size=8)
uris = st.sampled_from(
    [
        "http://loinc.org",
        "http://snomed.info/sct",
        "urn:oid:2.16.840.1.113883.4.1",
        "http://example.org/a b?c=d#e",
        "mailto:x",
    ]
)
ids = st.text("ABCxyz0189-.", min_size=1, max_size=12)
integers = st.integers(-(2**31), LATEST_INTEGER)
decimals = st.sampled_from(ODD_NUMBERS).map(Decimal) | integers | st.decimals(-1000, 1000, places=3)

_zones = st.sampled_from(["Z", "+00:00", "-00:00", "+01:00", "-11:30", "+14:00"])
_fractions = st.sampled_from(["", ".0", ".5", ".500", ".123456", ".123456789"])
_days = st.dates().map(str) | st.sampled_from(["0001-01-01", "2024-02-29", "9999-12-31"])
_clocks = st.times().map(lambda time: time.isoformat("seconds")) | st.sampled_from(["00:00:00", "23:59:60"])
dates = _days | _days.map(lambda day: day[:7]) | _days.map(lambda day: day[:4])
instants = st.builds(
    lambda day, clock, part, zone: f"{day}T{clock}{part}{zone}", _days, _clocks, _fractions, _zones
)
times = st.builds(lambda clock, part: clock + part, _clocks, _fractions)
narratives = strings.map(
    lambda text: (
        f'<div xmlns="http://www.w3.org/1999/xhtml">{text.replace("&", "&amp;").replace("<", "&lt;")}</div>'
    )
)

PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": integers,
    "positiveInt": st.integers(1, LATEST_INTEGER),
    "unsignedInt": st.integers(0, LATEST_INTEGER),
    "decimal": decimals,
    "string": strings,
    "markdown": strings,
    "code": codes,
    "id": ids,
    "uri": uris,
    "url": uris,
    "canonical": uris | uris.map(lambda uri: f"{uri}|1.0"),
    "oid": st.sampled_from(["urn:oid:1.2.3", "urn:oid:2.16.840.1"]),
    "uuid": st.uuids(version=4).map(lambda made: f"urn:uuid:{made}"),
    "base64Binary": st.sampled_from(["aGVsbG8=", "aGVs bG8=", "AAAA"]),
    "date": dates,
    "dateTime": dates | instants,
    "instant": instants,
    "time": times,
    "xhtml": narratives,
}
"""Strategy of each primitive datatype, by its name."""
