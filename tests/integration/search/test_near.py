from __future__ import annotations

from decimal import Decimal
from math import asin, cos, radians, sin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnsupportedParameterValue
from storage.search.near import RADIUS
from tests.fixtures.library import Library

PLACES = {
    "basel": ("47.5596", "7.5886"),
    "zurich": ("47.3769", "8.5417"),
    "fiji-west": ("-17.5", "179.9"),
    "fiji-east": ("-17.5", "-179.9"),
    "pole": ("89.9", "10"),
    "beyond-pole": ("89.9", "-170"),
    "south": ("-89.99", "0"),
    "null-island": ("0", "0"),
    "north-of-it": ("0.25", "0"),
}


def write(made: Library) -> None:
    for name, (north, east) in PLACES.items():
        made.put(
            "Location", name, name=name, position={"latitude": Decimal(north), "longitude": Decimal(east)}
        )
    made.put("Location", "nowhere", name="nowhere")


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ("47.5596|7.5886", "basel"),
        ("47.5596|7.5886|74", "basel"),
        ("47.5596|7.5886|75", "basel zurich"),
        ("47.5596|7.5886|75|km", "basel zurich"),
        ("47.5596|7.5886|74000|m", "basel"),
        ("47.5596|7.5886|46.3|[mi_us]", "basel zurich"),
        ("47.5596|7.5886|46.3|[mi_i]", "basel zurich"),
        ("47.5596|7.5886|45|[mi_us]", "basel"),
        ("47.5596|7.5886|0", "basel"),
        ("-17.5|180|11|km", "fiji-east fiji-west"),
        ("-17.5|-180|11|km", "fiji-east fiji-west"),
        ("-17.5|179.9|22|km", "fiji-east fiji-west"),
        ("-17.5|-179.9|21|km", "fiji-east"),
        ("89.95|10|20|km", "beyond-pole pole"),
        ("90|0|12", "beyond-pole pole"),
        ("-90|123|2", "south"),
        ("0|0|27", "null-island"),
        ("0|0|28", "north-of-it null-island"),
        ("0|0|28,47.5596|7.5886", "basel north-of-it null-island"),
        ("0|0|30000", " ".join(sorted(PLACES))),
    ],
)
def test_places_within_a_distance_are_found(library: Library, asked: str, ids: str) -> None:
    assert sorted(library.ids("Location", f"near={asked}")) == ids.split()


def test_places_are_found_along_references_and_with_other_parameters(library: Library) -> None:
    library.put("Location", "room", partOf={"reference": "Location/basel"})
    assert library.ids("Location", "partof.near=47.5|7.5|20") == ["room"]
    assert library.ids("Location", "near=47.5|7.5|20&name=zur") == []
    assert library.ids("Location", "_filter=near eq 47.5|7.5|20 and name sw bas") == ["basel"]
    assert sorted(library.ids("Location", "near:missing=true")) == ["nowhere", "room"]


@pytest.mark.parametrize(
    "asked",
    ["47", "a|b", "91|0", "0|181", "0|0|-1", "0|0|x", "0|0|1|kg", "0|0|1|parsnip", "0|0||km", "1|2|3|m|4"],
)
def test_a_point_that_cannot_be_read_is_refused(library: Library, asked: str) -> None:
    with pytest.raises(UnsupportedParameterValue) as refused:
        library.bundle("Location", f"near={asked}")
    assert refused.value.issues[0].expression == "http.near"


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    (north, east), (far_north, far_east) = ((radians(a), radians(b)) for a, b in (one, other))
    rise, run = sin((far_north - north) / 2), sin((far_east - east) / 2)
    return 2 * RADIUS * asin(min(1, sqrt(rise * rise + cos(north) * cos(far_north) * run * run)))


@given(north=st.integers(-900, 900), east=st.integers(-1800, 1800), far=st.integers(0, 21_000_000))
def test_the_box_leaves_out_nothing_that_the_circle_holds(
    library: Library, north: int, east: int, far: int
) -> None:
    here = (north / 10, east / 10)
    away = {name: metres(here, (float(lat), float(lon))) for name, (lat, lon) in PLACES.items()}
    ids = set(library.ids("Location", f"near={here[0]}|{here[1]}|{far}|m"))
    assert {name for name, distance in away.items() if distance < far - 1} <= ids
    assert ids <= {name for name, distance in away.items() if distance < far + 1}
