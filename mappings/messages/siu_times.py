"""When an appointment is: TQ1, else SCH-11, else what is booked for it; how long by SCH-9 or what is booked.

https://hl7.org/fhir/uv/v2mappings/ConceptMap-segment-sch-to-appointment.html
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mappings import times
from mappings.messages.moments import moment_text

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.siu_groups import SiuPart
    from mappings.messages.workspace import Desk

MINUTES = {
    **dict.fromkeys(("", "M", "MIN", "MINS", "MINUTE", "MINUTES"), 60),
    **dict.fromkeys(("S", "SEC", "SECS", "SECOND", "SECONDS"), 1),
    **dict.fromkeys(("H", "HR", "HRS", "HOUR", "HOURS"), 3600),
    **dict.fromkeys(("D", "DAY", "DAYS"), 86400),
}
"""Units of durations, as senders write them -> seconds; without a unit they are minutes."""
STARTS = {"AIS": 4, "AIG": 8, "AIL": 6, "AIP": 6}
"""Segment -> the field of its start; the duration stands three after it, the unit four."""
LONGEST = 60 * 24 * 366
"""No appointment lasts more minutes."""


class When(NamedTuple):
    """When an appointment is (FHIR dateTimes) and how many minutes it takes, as far as it is told."""

    start: str | None = None
    end: str | None = None
    minutes: int | None = None

    @property
    def period(self) -> dict[str, str] | None:
        """The Period, None where nothing is told."""
        found = {"start": self.start, "end": self.end}
        return {name: text for name, text in found.items() if text} or None

    @property
    def is_exact(self) -> bool:
        """Whether it has a start and an end to the minute."""
        return all(text is not None and "T" in text for text in (self.start, self.end))


def when(desk: Desk, part: SiuPart) -> When:
    """Return when the appointment is; an end that is not after its start is warned about (102)."""
    kept = [item.segment for item in part.booked if item.action != "D"]
    minutes = duration(desk, part.sch, 9) or next(
        (found for item in kept if (found := duration(desk, item, STARTS[item.name] + 3))), None
    )
    minutes = minutes or _of_timing(desk, part.sch)
    places = [(item, (7, 1), (8, 1)) for item in part.timings]
    places += [(part.sch, (11, 4), (11, 5)), *((item, (STARTS[item.name], 1), None) for item in kept)]
    for segment, at, until in places:
        start = _moment(desk, segment, *at)
        if start is not None:
            _map_same(desk, kept, start)
            return _until(desk, segment, start, until, minutes)
    return When(minutes=minutes)


def _of_timing(desk: Desk, sch: Segment) -> int | None:
    """Return the minutes of SCH-11.3, the duration of TQ: ``M90``, ``H2``, or minutes alone."""
    text = "" if sch.field(11).is_null else sch.field(11).first.component(3).strip().upper()
    unit, count = (text[:1], text[1:]) if text[:1].isalpha() else ("", text)
    seconds = MINUTES.get(unit, 0) * int(count) if count.isdecimal() and len(count) < 8 else 0
    if 0 < seconds <= LONGEST * 60:
        desk.coverage.map(sch, 11, "Appointment.minutesDuration")
        return -(-seconds // 60)
    if text:
        desk.coverage.warn("102", sch, 11, 3, text="SCH-11 has no duration that can be read")
    return None


def _map_same(desk: Desk, kept: list[Segment], start: str) -> None:
    """Note what is booked for the start of the appointment itself."""
    for item in kept:
        if moment_text(item, STARTS[item.name], desk.context) == start:
            desk.coverage.map(item, STARTS[item.name], "Appointment.start")


def _until(
    desk: Desk, segment: Segment, start: str, until: tuple[int, int] | None, minutes: int | None
) -> When:
    end = _moment(desk, segment, *until) if until else None
    if end is not None and until and times.bounds(end)[1] <= times.bounds(start)[0]:
        desk.coverage.warn("102", segment, until[0], text="The end is before the start, and was not taken")
        end = None
    return When(start, end or later(start, minutes), minutes)


def later(start: str, minutes: int | None) -> str | None:
    """Return so many minutes after a start, None where it has no time of day or nothing is told."""
    if minutes is None or "T" not in start:
        return None
    try:
        return (datetime.fromisoformat(start) + timedelta(minutes=minutes)).isoformat()
    except OverflowError:
        return None


def duration(
    desk: Desk, segment: Segment, number: int, to: str = "Appointment.minutesDuration"
) -> int | None:
    """Return the minutes of a duration and its unit in the next field; None where there is none, and warned
    about (102) where it is none.
    """
    text, unit = (segment.field(place).first.component(1).strip() for place in (number, number + 1))
    if not text or segment.field(number).is_null:
        return None
    seconds = MINUTES.get(unit.upper(), 0) * int(text) if text.isdecimal() and len(text) < 8 else 0
    if not 0 < seconds <= LONGEST * 60:
        desk.coverage.warn("102", segment, number, text=f"{segment.name}-{number} is no duration")
        return None
    for place in (number, number + 1):
        if segment.field(place):
            desk.coverage.map(segment, place, to)
    return -(-seconds // 60)


def _moment(
    desk: Desk, segment: Segment, number: int, component: int, to: str = "Appointment.start"
) -> str | None:
    found = moment_text(segment, number, desk.context, component)
    if found is not None:
        desk.coverage.map(segment, number, to)
    elif segment.field(number).first.component(component).strip():
        desk.coverage.warn("102", segment, number, component, text=f"{segment.name}-{number} is no time")
    return found


def span(desk: Desk, segment: Segment, otherwise: When) -> dict[str, str] | None:
    """Return the Period that something is booked for, None where it is that of the appointment."""
    number = STARTS[segment.name]
    start = _moment(desk, segment, number, 1, "Appointment.participant.period")
    minutes = duration(desk, segment, number + 3, "Appointment.participant.period")
    end = later(start, minutes) if start else None
    if start is None or (start == otherwise.start and end in (None, otherwise.end)):
        return None
    return {"start": start} | ({"end": end} if end else {})
