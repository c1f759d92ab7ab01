from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.model.patient import Patient
from storage.model.resource import Resource
from storage.search.page import BadCursor, Cursor, seal, unseal
from storage.search.query import Place, Query, Sort, Span
from storage.search.string import following

KEY = b"k" * 32
BY_TIME = (Sort("_lastUpdated", Span(Place(Resource), "last_updated")),)
QUERY = Query("Patient", Patient, sort=BY_TIME)

values = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=20),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(timezones=st.just(UTC)),
    st.uuids(),
)


@given(st.lists(values, max_size=4), st.uuids(), st.booleans())
def test_a_cursor_comes_back_as_it_was_with_the_types_of_its_values(
    listed: list, last: UUID, backward: bool
) -> None:
    cursor = Cursor(tuple(listed), last, backward)
    again = unseal(KEY, QUERY, seal(KEY, QUERY, cursor))
    assert again == cursor
    assert [type(value) for value in again.values] == [type(value) for value in cursor.values]


SEALED = seal(KEY, QUERY, Cursor((datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.50")), UUID(int=1)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "!!!",
        "ü",
        SEALED[:-2],
        SEALED[2:],
        "A" + SEALED[1:],
        SEALED + "AAAA",
        SEALED[:40] + "AA" + SEALED[42:],
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        unseal(KEY, QUERY, text)


def test_a_cursor_of_another_key_type_or_order_is_refused() -> None:
    with pytest.raises(BadCursor):
        unseal(b"other", QUERY, SEALED)
    for other in (Query("Patient", Patient), Query("Group", Patient, sort=BY_TIME)):
        with pytest.raises(BadCursor):
            unseal(KEY, other, SEALED)


@given(st.text(min_size=1, max_size=5), st.text(max_size=3), st.text(min_size=1, max_size=5))
def test_the_text_after_a_prefix_parts_what_begins_with_it_from_all_else(
    prefix: str, rest: str, other: str
) -> None:
    after = following(prefix)
    end = None if after is None else after.encode()
    for text in (prefix + rest, other):
        inside = text.encode() >= prefix.encode() and (end is None or text.encode() < end)
        assert inside == text.startswith(prefix)
