"""Dates as people fill them in, and on which side of today they lie.

https://hl7.org/fhir/R4/datatypes.html#dateTime
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mappings.times import beside, from_form

NEW_YORK = ZoneInfo("America/New_York")
EVENING = datetime(2025, 1, 20, 21, 0, tzinfo=NEW_YORK)
"""The next day has begun in Greenwich."""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2025", "2025"),
        ("2025-02", "2025-02"),
        ("2025-02-03", "2025-02-03"),
        ("2025-02-03T10:00", "2025-02-03T10:00:00-05:00"),
        ("2025-07-03T10:00:05.250", "2025-07-03T10:00:05.250-04:00"),
        ("2025-02-03T10:00Z", "2025-02-03T10:00:00Z"),
        ("2025-02-03T10:00:00+01:00", "2025-02-03T10:00:00+01:00"),
    ],
)
def test_a_date_keeps_its_precision_and_a_time_gets_the_offset_of_the_site(text: str, told: str) -> None:
    assert from_form(text, NEW_YORK) == told


@pytest.mark.parametrize(
    "text",
    [
        "",
        "25",
        "2025-13",
        "2025-02-30",
        "0000",
        "2025-02T10:00",
        "2025-02-03 10:00",
        "2025-02-03T25:00",
        "٢٠٢٥",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        from_form(text, NEW_YORK)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("2025-01-19", -1),
        ("2025-01-20", 0),
        ("2025-01-21", 1),
        ("2024", -1),
        ("2025", 0),
        ("2025-01", 0),
        ("2025-02", 1),
        ("2025-01-20T08:00:00-05:00", 0),
        ("2025-01-21T01:00:00Z", 0),
        ("2025-01-20T22:00:00-05:00", 1),
        ("2025-01-19T23:59:00-05:00", -1),
    ],
)
def test_a_date_lies_before_today_today_or_later_by_the_clock_of_the_site(text: str, side: int) -> None:
    assert beside(text, EVENING) == side
