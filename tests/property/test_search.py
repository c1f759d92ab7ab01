from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.fhir.conditions import modifiers
from mappings.resources import REGISTRY
from mappings.search import parameters
from storage.search.query import Sort
from storage.search.sort import sortable
from storage.session import Store
from tests.fixtures.library import START, Library, found

DAYS = ["1999", "2000", "2000-02", "2000-03", "2000-02-29", "2000-03-01", "2001-12-31", "9999", "0001"]
TIMES = [
    *DAYS,
    "2000-02-29T23:30:00Z",
    "2000-03-01T01:30:00+02:00",
    "2000-02-29T23:30:00.250Z",
    "2001-01-01T00:00:00-05:00",
    "2026-05-04T03:00:00Z",
]
FAMILIES = [
    "O'Brien",
    "Obrien",
    "Öbrien",
    "SMITH",
    "smithson",
    "Smi th",
    "van Dyke",
    "王",
    "Æsop",
    "%_\\",
    "-",
]
CODES = ["a", "b", "B", "a b"]
SYSTEMS = ["urn:x", "urn:y", None]
FAR_LOW, FAR_HIGH = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
PATIENTS, OBSERVATIONS = 60, 60

Thing = dict[str, Any]


def some(chance: random.Random, values: list[Any]) -> Any:
    return chance.choice([*values, None])


def told(**elements: Any) -> Thing:
    return {name: value for name, value in elements.items() if value is not None and value != []}


def patient(chance: random.Random) -> Thing:
    names = [told(family=some(chance, FAMILIES), given=["Al"]) for _ in range(chance.randrange(3))]
    coded = [
        told(system=chance.choice(SYSTEMS), value=chance.choice(CODES)) for _ in range(chance.randrange(3))
    ]
    return told(
        name=names,
        identifier=coded,
        birthDate=some(chance, DAYS),
        gender=some(chance, ["male", "female", "unknown"]),
        active=some(chance, [True, False]),
    )


def observation(chance: random.Random) -> Thing:
    start, end = sorted(chance.sample(TIMES[:9], 2), key=lambda text: bounds(text)[0])
    period = told(start=chance.choice([start, None]), end=chance.choice([end, None]))
    when: Thing = chance.choice(
        [{"effectiveDateTime": chance.choice(TIMES)}, {"effectivePeriod": period} if period else {}, {}]
    )
    coding = [
        told(system=chance.choice(SYSTEMS), code=chance.choice(CODES)) for _ in range(chance.randrange(3))
    ]
    return {"status": "final", "code": told(coding=coding, text="any"), **when}


@pytest.fixture(scope="module")
def hospital(store: Store, _wipe: str) -> tuple[Library, dict[str, Thing], dict[str, Thing]]:
    with store.connection() as connection:
        connection.execute(_wipe.encode())
    library, chance = Library(store), random.Random(7)
    patients = {f"p{place}": patient(chance) for place in range(PATIENTS)}
    observations = {f"o{place}": observation(chance) for place in range(OBSERVATIONS)}
    for fhir_id, value in patients.items():
        library.put("Patient", fhir_id, **value)
    for fhir_id, value in observations.items():
        library.put("Observation", fhir_id, **value)
    return library, patients, observations


Hospital = tuple[Library, dict[str, Thing], dict[str, Thing]]


# --- the plain filter ---


def bounds(text: str) -> tuple[datetime, datetime]:
    """The instants that a date stands for, by the length of its text."""
    if len(text) == 4:
        low, high = f"{text}-01-01", f"{int(text) + 1:04}-01-01"
    elif len(text) == 7:
        following = datetime.fromisoformat(f"{text}-28") + timedelta(days=4)
        low, high = f"{text}-01", following.strftime("%Y-%m-01")
    elif len(text) == 10:
        low, high = text, (datetime.fromisoformat(text) + timedelta(days=1)).strftime("%Y-%m-%d")
    else:
        start = datetime.fromisoformat(text).astimezone(UTC)
        return start, start + (timedelta(milliseconds=1) if "." in text else timedelta(seconds=1))
    if high == "10000-01-01":
        high = "9999-12-31"
    return datetime.fromisoformat(low).replace(tzinfo=UTC), datetime.fromisoformat(high).replace(tzinfo=UTC)


def time_of(value: Thing) -> tuple[datetime, datetime] | None:
    if "effectiveDateTime" in value or "birthDate" in value:
        return bounds(value.get("effectiveDateTime") or value["birthDate"])
    period = value.get("effectivePeriod")
    if period is None:
        return None
    low = bounds(period["start"])[0] if "start" in period else FAR_LOW
    return low, bounds(period["end"])[1] if "end" in period else FAR_HIGH


def in_time(prefix: str, text: str) -> Callable[[Thing], bool]:
    low, high = bounds(text)

    def test(value: Thing) -> bool:
        held = time_of(value)
        if held is None:
            return False
        inside = held[0] >= low and held[1] <= high
        above, below = held[1] > high, held[0] < low
        return {
            "": inside,
            "eq": inside,
            "ne": not inside,
            "gt": above,
            "lt": below,
            "ge": above or inside,
            "le": below or inside,
            "sa": held[0] >= high,
            "eb": held[1] <= low,
        }[prefix]

    return test


def folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(
        mark for mark in plain if unicodedata.category(mark)[0] != "P" and not unicodedata.combining(mark)
    )
    return kept or text


def in_text(modifier: str, text: str) -> Callable[[Thing], bool]:
    fits = {
        "": lambda family: folded(family).startswith(folded(text)),
        ":exact": lambda family: family == text,
        ":contains": lambda family: folded(text) in folded(family),
    }[modifier]
    return lambda value: any(fits(name["family"]) for name in value.get("name", ()) if "family" in name)


def in_codes(read: Callable[[Thing], list[tuple[str | None, str]]], asked: str) -> Callable[[Thing], bool]:
    system, bar, code = asked.rpartition("|")

    def test(value: Thing) -> bool:
        return any(
            (not code or held == code) and (not bar or (of or "") == system) for of, held in read(value)
        )

    return test


def identifiers(value: Thing) -> list[tuple[str | None, str]]:
    return [(found.get("system"), found["value"]) for found in value.get("identifier", ())]


def codings(value: Thing) -> list[tuple[str | None, str]]:
    return [(found.get("system"), found["code"]) for found in value["code"].get("coding", ())]


# --- searches and what they must find ---

Asked = tuple[str, Callable[[Thing], bool]]


def escaped(text: str) -> str:
    return "".join("\\" + mark if mark in "\\,$|" else mark for mark in text)


def either(name: str, values: list[tuple[str, Callable[[Thing], bool]]], *, negated: bool = False) -> Asked:
    text = f"{name}={','.join(quote(value) for value, _ in values)}"
    return text, lambda thing: any(test(thing) for _, test in values) != negated


def alternatives(one: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(one, min_size=1, max_size=3)


prefixes = st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"])
codes = st.builds(
    lambda system, code: system + code, st.sampled_from(["", "urn:x|", "urn:z|", "|"]), st.sampled_from(CODES)
) | st.just("urn:y|")


def dates(name: str, texts: list[str]) -> st.SearchStrategy[Asked]:
    one = st.tuples(prefixes, st.sampled_from(texts)).map(lambda pair: (pair[0] + pair[1], in_time(*pair)))
    return alternatives(one).map(lambda values: either(name, values))


def strings(modifier: str) -> st.SearchStrategy[Asked]:
    pieces = st.sampled_from(
        FAMILIES + [family[:3] for family in FAMILIES] + ["IT", "é", "b", "%", "_", "BRIEN"]
    )
    one = pieces.map(lambda text: (escaped(text), in_text(modifier, text)))
    return alternatives(one).map(lambda values: either(f"family{modifier}", values))


def tokens(name: str, read: Callable[[Thing], list[tuple[str | None, str]]]) -> st.SearchStrategy[Asked]:
    one = codes.map(lambda asked: (asked, in_codes(read, asked)))
    return st.tuples(alternatives(one), st.booleans()).map(
        lambda pair: either(f"{name}:not" if pair[1] else name, pair[0], negated=pair[1])
    )


genders = st.lists(st.sampled_from(["male", "female", "other"]), min_size=1, max_size=2)
absences = st.tuples(
    st.sampled_from(
        [("birthdate", "birthDate"), ("gender", "gender"), ("active", "active"), ("identifier", "identifier")]
    ),
    st.booleans(),
)
of_patients = st.one_of(
    dates("birthdate", DAYS),
    strings(""),
    strings(":exact"),
    strings(":contains"),
    tokens("identifier", identifiers),
    st.tuples(genders, st.booleans()).map(
        lambda pair: (
            f"gender{':not' if pair[1] else ''}={','.join(pair[0])}",
            lambda thing: (thing.get("gender") in pair[0]) != pair[1],
        )
    ),
    st.booleans().map(
        lambda flag: (f"active={str(flag).lower()}", lambda thing: thing.get("active") is flag)
    ),
    absences.map(
        lambda pair: (
            f"{pair[0][0]}:missing={str(pair[1]).lower()}",
            lambda thing: (pair[0][1] not in thing) == pair[1],
        )
    ),
)
of_observations = st.one_of(dates("date", TIMES), tokens("code", codings))


def agree(library: Library, type_name: str, things: dict[str, Thing], asked: list[Asked]) -> None:
    text = "&".join(text for text, _ in asked)
    expected = {fhir_id for fhir_id, thing in things.items() if all(test(thing) for _, test in asked)}
    bundle = library.bundle(type_name, f"{text}&_count=1000")
    assert set(found(bundle)) == expected, text
    assert bundle["total"] == len(expected)
    assert library.bundle(type_name, f"{text}&_summary=count")["total"] == len(expected)


@settings(max_examples=150)
@given(asked=st.lists(of_patients, min_size=1, max_size=3))
def test_searches_of_patients_agree_with_a_plain_filter(hospital: Hospital, asked: list[Asked]) -> None:
    agree(hospital[0], "Patient", hospital[1], asked)


@settings(max_examples=150)
@given(asked=st.lists(of_observations, min_size=1, max_size=2))
def test_searches_of_observations_agree_with_a_plain_filter(hospital: Hospital, asked: list[Asked]) -> None:
    agree(hospital[0], "Observation", hospital[2], asked)


@settings(max_examples=30)
@given(text=st.sampled_from(TIMES))
def test_approximate_dates_overlap_a_tenth_of_the_distance_to_now(hospital: Hospital, text: str) -> None:
    library, _, observations = hospital
    low, high = bounds(text)
    # The clock of the library goes on a little; nothing in these data lies so near a limit.
    gap = max(low - START, START - high, timedelta()) / 10
    low = low - gap if low - FAR_LOW > gap else FAR_LOW
    high = high + gap if FAR_HIGH - high > gap else FAR_HIGH
    expected = {
        fhir_id
        for fhir_id, thing in observations.items()
        if (held := time_of(thing)) is not None and held[0] < high and held[1] > low
    }
    assert set(library.ids("Observation", f"date=ap{quote(text)}&_count=1000")) == expected


# --- order and pages ---


def orders() -> list[str]:
    known = parameters(REGISTRY["Patient"]).values()
    single = [
        parameter.name
        for parameter in known
        if len(parameter.targets) == 1 and sortable(Sort(parameter.name, parameter.targets[0]))
    ]
    return [
        "",
        *single,
        *(f"-{name}" for name in single),
        "gender,-birthdate",
        "-active,gender,family",
        "-_lastUpdated,_id",
    ]


@pytest.mark.parametrize("order", orders())
@pytest.mark.parametrize("count", [7, 20])
def test_pages_visit_each_match_once_forwards_and_back_in_any_order(
    hospital: Hospital, order: str, count: int
) -> None:
    library = hospital[0]
    sort = f"&_sort={order}" if order else ""
    whole = library.ids("Patient", f"_count=1000{sort}")
    assert len(set(whole)) == len(whole) == PATIENTS
    bundle = library.bundle("Patient", f"_count={count}{sort}")
    pages, links = [found(bundle)], [library.links(bundle)]
    while "next" in links[-1]:
        bundle = library.bundle("Patient", links[-1]["next"])
        pages.append(found(bundle))
        links.append(library.links(bundle))
    assert [fhir_id for page in pages for fhir_id in page] == whole
    assert "previous" not in links[0]
    back = [pages[-1]]
    while "previous" in links[-1]:
        bundle = library.bundle("Patient", links[-1]["previous"])
        back.append(found(bundle))
        links.append(library.links(bundle))
    assert [fhir_id for page in reversed(back) for fhir_id in page] == whole
    assert found(library.bundle("Patient", links[-1].get("first", links[0]["self"]))) == pages[0]


def test_each_order_is_that_of_its_values_with_absent_ones_last(hospital: Hospital) -> None:
    library, patients, _ = hospital
    born = {fhir_id: time_of(value) for fhir_id, value in patients.items()}
    for sign in ("", "-"):
        listed = [born[fhir_id] for fhir_id in library.ids("Patient", f"_sort={sign}birthdate&_count=1000")]
        there = [held[0] for held in listed if held is not None]
        assert there == sorted(there, reverse=bool(sign))
        assert listed[len(there) :] == [None] * (PATIENTS - len(there))


def test_what_is_added_meanwhile_makes_no_page_repeat_or_skip(hospital: Hospital) -> None:
    library, patients, _ = hospital
    bundle = library.bundle("Patient", "_sort=_lastUpdated&_count=30")
    first = found(bundle)
    library.put("Patient", first[0], **patients[first[0]], language="en")
    after = library.ids("Patient", library.links(bundle)["next"])
    assert set(after).isdisjoint(first[1:])
    assert set(first) | set(after) == set(patients)


def test_every_parameter_offers_presence_and_it_parts_all_resources(hospital: Hospital) -> None:
    library = hospital[0]
    for name, parameter in parameters(REGISTRY["Patient"]).items():
        assert "missing" in modifiers(parameter)
        there = library.bundle("Patient", f"{name}:missing=false&_summary=count")["total"]
        absent = library.bundle("Patient", f"{name}:missing=true&_summary=count")["total"]
        assert there + absent == PATIENTS, name
