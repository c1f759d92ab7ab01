"""Dates and times: FHIR text to half-open UTC bounds, HL7v2 time stamps to FHIR text.

https://hl7.org/fhir/R4/datatypes.html#dateTime and https://hl7.org/fhir/R4/search.html#date
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, tzinfo=UTC)
RECENT = 1000
"""So many texts are read once only: those of one message or resource are mostly the same few."""

_FHIR = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z"
)
_V2 = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)?(\d\d)?(?:\.(\d{1,6}))?)?\s*([+-]\d{4})?\Z")
_FORM = re.compile(
    r"(\d{4}(?:-\d\d(?:-\d\d)?)?)(?:(?<=-\d\d-\d\d)T(\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?\Z",
    re.ASCII,
)


@lru_cache(maxsize=RECENT)
def bounds(text: str) -> tuple[datetime, datetime]:
    """Return the instants [from, to) that a FHIR date, dateTime or instant stands for; a time without zone
    is UTC.

    Raises ValueError where the text is no such date.
    """
    found = _FHIR.match(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if hour is None:
        return _day_bounds(int(year), month, day)
    micros = int((fraction or "")[:6].ljust(6, "0"))
    # A leap second is the last second of its minute here: datetime has no sixtieth.
    seconds = min(int(second or 0), 59)
    low = datetime(int(year), int(month), int(day), int(hour), int(minute), seconds, micros, _zone(zone))
    step = _step(second, fraction)
    return _utc(low), _utc(low, step)


def _day_bounds(year: int, month: str | None, day: str | None) -> tuple[datetime, datetime]:
    if day is not None and month is not None:
        low = datetime(year, int(month), int(day), tzinfo=UTC)
        return low, _utc(low, timedelta(days=1))
    low = datetime(year, int(month or 1), 1, tzinfo=UTC)
    if month is None:
        return low, LAST if year == 9999 else low.replace(year=year + 1)
    months = year * 12 + int(month)
    return low, LAST if months >= 9999 * 12 + 12 else datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def _step(second: str | None, fraction: str | None) -> timedelta:
    if second is None:
        return timedelta(minutes=1)
    return timedelta(microseconds=10 ** (6 - min(len(fraction), 6))) if fraction else timedelta(seconds=1)


def _zone(text: str | None) -> tzinfo:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _utc(value: datetime, step: timedelta = timedelta()) -> datetime:
    try:
        return (value + step).astimezone(UTC)
    except OverflowError:
        return LAST if value.year > 5000 else FIRST


def period_bounds(start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Return [from, to) of a period; an open start is the first instant, an open end the last, neither is
    nothing.
    """
    if start is None and end is None:
        return None, None
    return bounds(start)[0] if start else FIRST, bounds(end)[1] if end else LAST


@lru_cache(maxsize=RECENT)
def from_v2(text: str, zone: tzinfo) -> str:
    """Return the FHIR date or dateTime of an HL7v2 DT, TS or DTM (2.A.21 of HL7 2.5.1), its precision kept.

    A time without an offset is of the given zone; minutes get seconds ``:00``, which FHIR asks for; an hour
    alone gets minutes and seconds. Raises ValueError where the text is no time stamp.
    """
    found = _V2.match(text.strip())
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    bounds(date)
    if hour is None or day is None:
        return date
    clock = f"{hour}:{minute or '00'}:{second or '00'}" + (f".{fraction}" if fraction else "")
    shift = f"{offset[:3]}:{offset[3:]}" if offset else offset_at(f"{date}T{clock}", zone)
    made = f"{date}T{clock}{shift}"
    bounds(made)
    return made


def to_v2(text: str) -> str:
    """Return the HL7v2 DTM of a FHIR date, dateTime or instant, its precision and offset kept."""
    date, _, clock = text.partition("T")
    made = date.replace("-", "")
    if not clock:
        return made
    found = re.match(r"([\d:.]+)(.*)", clock)
    if found is None:
        return made
    return made + found[1].replace(":", "") + found[2].replace(":", "").replace("Z", "+0000")


def from_form(text: str, zone: tzinfo) -> str:
    """Return the FHIR date or dateTime of what people fill in: a date, perhaps a partial one, or with a time
    to the minute or finer; a time without an offset is of the given zone. Its precision is kept.

    Raises ValueError where the text is none of these.
    """
    found = _FORM.match(text)
    if found is None:
        raise ValueError(text)
    date, clock, seconds, zoned = found.groups()
    if clock is None:
        bounds(date)
        return date
    naive = f"{date}T{clock}{seconds or ':00'}"
    made = naive + (zoned or offset_at(naive, zone))
    bounds(made)
    return made


def beside(text: str, at: datetime) -> int:
    """Return whether a date or dateTime lies before the day of a moment (-1), on that day (0), or after the
    moment (1); the day is that of the moment's own zone.
    """
    today = at.date().isoformat()
    if "T" not in text:
        # A partial date that holds the day is of that day.
        day, today = text, today[: len(text)]
    else:
        low = bounds(text)[0]
        if low > at:
            return 1
        day = low.astimezone(at.tzinfo).date().isoformat()
    return (day > today) - (day < today)


def offset_at(naive: str, zone: tzinfo) -> str:
    """Return the offset that a zone has at a local time, as FHIR writes it."""
    shift = datetime.fromisoformat(naive.partition(".")[0]).replace(tzinfo=zone).strftime("%z")
    return f"{shift[:3]}:{shift[3:5]}" if shift else "Z"


def render_instant(value: datetime) -> str:
    """Return the FHIR instant of an aware datetime, in UTC with microseconds."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
