"""Search by distance on the globe: a box that the index answers, then the great circle."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import asin, cos, pi, radians, sin
from typing import Any

import sqlalchemy as sa

from storage.search.query import Around, Positioned
from storage.search.scope import Columns, Test

RADIUS = 6_371_008.8
"""The mean radius of the earth in metres."""

_DOUBLE = sa.Double[float]()

_SLACK = 1e-9
"""Degrees that a box is wider, so that rounding leaves nothing outside."""


def positioned(target: Positioned, values: Sequence[Around], columns: Columns) -> Test:
    """Return that the position lies within the distance of one of the values."""
    latitude, longitude = columns[target.latitude], columns[target.longitude]
    return sa.or_(
        *(sa.and_(*_box(latitude, longitude, one), _circle(latitude, longitude, one)) for one in values)
    )


def _box(latitude: Any, longitude: Any, asked: Around) -> list[Test]:
    """Return the limits of the degrees that a circle spans; none of the longitude where it holds a pole."""
    angle = asked.metres / RADIUS
    low, high = asked.latitude - _degrees(angle), asked.latitude + _degrees(angle)
    tests: list[Test] = [latitude.between(_bound(low), _bound(high))]
    if low > -90 and high < 90:
        half = _degrees(asin(min(1.0, sin(angle) / cos(radians(asked.latitude)))))
        tests.append(_between_meridians(longitude, asked.longitude - half, asked.longitude + half))
    return tests


def _degrees(angle: float) -> float:
    return angle * 180 / pi + _SLACK


def _between_meridians(longitude: Any, west: float, east: float) -> Test:
    """Return that a longitude lies between two, also where the date line does."""
    ranges = [(west, east)]
    if west < -180:
        ranges.append((west + 360, 180.0))
    if east > 180:
        ranges.append((-180.0, east - 360))
    return sa.or_(*(longitude.between(_bound(low), _bound(high)) for low, high in ranges))


def _circle(latitude: Any, longitude: Any, asked: Around) -> Test:
    """Return that the haversine of the distance is at most that of the circle."""
    height = sa.func.radians(_double(latitude))
    north = sa.func.sin((height - radians(asked.latitude)) / 2)
    east = sa.func.sin(sa.func.radians(_double(longitude) - asked.longitude) / 2)
    haversine = north * north + cos(radians(asked.latitude)) * sa.func.cos(height) * east * east
    half = min(asked.metres / RADIUS, pi) / 2
    return haversine <= sin(half) ** 2 + 1e-18


def _double(column: Any) -> Any:
    return sa.cast(column, _DOUBLE)


def _bound(degrees: float) -> sa.BindParameter[Decimal]:
    # As a number, which is what the index holds: beside a double the column would be changed first.
    return sa.bindparam(None, Decimal(str(degrees)), sa.Numeric())
