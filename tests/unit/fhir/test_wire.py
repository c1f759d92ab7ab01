"""What the JSON reader refuses and keeps: https://hl7.org/fhir/R4/json.html."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NotParseable
from gateway.fhir.wire import DEEPEST, accepts_json, decode, encode, is_json
from storage.lexical import DECODER, Spelt


def refusal(body: bytes) -> NotParseable:
    with pytest.raises(NotParseable) as caught:
        decode(body)
    return caught.value


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b"[]", "not an array"),
        (b'"x"', "not text"),
        (b"1", "not a number"),
        (b"null", "not null"),
        (b"true", "not a boolean"),
        (b"<Patient/>", "line 1, column 1"),
        (b'{"a":1,\n "b":}', "line 2, column 6"),
        (b'{"a":1', "line 1, column 7"),
        (b'{"a":1}}', "line 1, column 8"),
        (b'{"a":01}', "line 1"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":-Infinity}', "-Infinity"),
        (b'{"a":"\n"}', "line 1"),
        (b'{"a":"\xff"}', "not UTF-8: byte 6"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":"\\u0000"}', "U+0000"),
        (b'{"a":"\\\\\\u0000"}', "U+0000"),
        (b'{"a\\u0000":1}', "U+0000"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"\\ud800\\u0041"}', "surrogate"),
        (b'{"a":1e99999999999999999999}', "beyond reason"),
        (b'{"a":' + b"1" * 5000 + b"}", "4300 digits"),
        (nested(DEEPEST + 1), "deeper than 64"),
        (nested(900), "deeper than 64"),
        (b'{"a":' + b"[" * 100_000, "deeper than 64"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(body: bytes, words: str) -> None:
    problem = refusal(body)
    assert words in problem.issues[0].diagnostics
    assert (problem.status, problem.issues[0].code) == (400, "structure")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"resourceType":"X","a":1,"a":1}', "X.a"),
        (b'{"a":1,"a":1}', "Resource.a"),
        (b'{"resourceType":"X","b":[{"c":1},{"d":{"e":1 , "e" :2}}]}', "X.b[1].d.e"),
        (b'{"resourceType":"X","b":[[1,{"c":1,"c":2}]]}', "X.b[0][1].c"),
        (b'{"resourceType":"X","b":":\\u003a","c":1,"c":2}', "X.c"),
        (b'{"resourceType":"X","b":"\\u003A","c":1,"\\u0063":2}', "X.c"),
        (b'{"resourceType":"X","c":":","c":"::"}', "X.c"),
        (b'{"resourceType":"X","c":{"x:":":"},"c":{}}', "X.c"),
    ],
)
def test_a_property_given_twice_is_located(body: bytes, place: str) -> None:
    assert refusal(body).issues[0].expression == place


_TEXT = st.text(alphabet=st.sampled_from(':"\\ax{[\u00e9\U0001f600'), max_size=4)
_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


def written(value: Any, draw: st.DataObject) -> str:
    """A value as JSON with escapes and white space wherever JSON allows them."""
    space = draw.draw(st.sampled_from(["", " ", "\n\t"]))
    if isinstance(value, dict):
        pairs = (f"{written(k, draw)}{space}:{space}{written(v, draw)}" for k, v in value.items())
        return "{" + f"{space},".join(pairs) + space + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, draw) for item in value) + "]"
    if isinstance(value, str) and draw.draw(st.booleans()):
        return '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 65536 else c for c in value) + '"'
    return encode({"": value})[4:-1].decode()


@given(st.dictionaries(_TEXT, _VALUE, max_size=4), st.data())
def test_what_is_well_formed_is_read_whatever_its_spelling(
    value: dict[str, Any], data: st.DataObject
) -> None:
    assert decode(written(value, data).encode()) == value


@given(st.dictionaries(_TEXT, _VALUE, min_size=1, max_size=4), _VALUE, st.data())
def test_a_property_given_twice_is_always_noticed(
    value: dict[str, Any], again: Any, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    body = f"{written(value, data)[:-1]},{written(key, data)}:{written(again, data)}}}"
    assert "given twice" in refusal(body.encode()).issues[0].diagnostics


@given(
    st.binary(max_size=40)
    | st.text(alphabet='{}[]",:\\u01aeE.-+ntf\ud800', max_size=30).map(lambda t: t.encode(errors="replace"))
)
def test_no_bytes_raise_anything_but_a_problem(body: bytes) -> None:
    try:
        value = decode(body)
    except NotParseable as refused:
        value = {"refused": refused.issues[0].diagnostics}
    assert isinstance(value, dict)


@pytest.mark.parametrize(
    "number",
    [
        "1.50",
        "1e2",
        "1E2",
        "1e+2",
        "1.0e-7",
        "0.0000001",
        "-0.0",
        "0.00",
        "100",
        "-1",
        "1e400",
        "12345678901234567890123",
    ],
)
def test_numbers_keep_their_spelling(number: str) -> None:
    body = f'{{"a":{number}}}'.encode()
    resource = decode(body)
    assert encode(resource) == body
    assert encode(copy.deepcopy(resource)) == body
    assert encode(pickle.loads(pickle.dumps(resource))) == body  # noqa: S301
    assert resource["a"] == Decimal(number)


def test_a_spelt_decimal_calculates_like_any_other() -> None:
    assert Spelt("1e2") + 1 == Decimal(101)
    assert hash(Spelt("1e2")) == hash(Decimal(100))


def test_a_byte_order_mark_is_passed_over() -> None:
    assert decode(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


def test_the_deepest_nesting_allowed_is_read() -> None:
    assert encode(decode(nested(DEEPEST))) == nested(DEEPEST)


def test_an_escaped_backslash_before_u0000_is_plain_text() -> None:
    assert decode(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/fhir+json", True),
        ("application/fhir+json; charset=utf-8", True),
        ('Application/FHIR+JSON;charset="UTF-8"', True),
        ("application/json", True),
        ("text/json", True),
        ("application/fhir+json; fhirVersion=4.0", True),
        ("application/fhir+json; fhirVersion=3.0", False),
        ("application/fhir+json; charset=iso-8859-1", False),
        ("application/fhir+xml", False),
        ("text/plain", False),
        ("", False),
    ],
)
def test_content_types(content_type: str, expected: bool) -> None:
    assert is_json(content_type) is expected


@pytest.mark.parametrize(
    ("header", "format_parameter", "expected"),
    [
        (None, None, True),
        ("", None, True),
        ("*/*", None, True),
        ("application/fhir+json", None, True),
        ("application/fhir+xml, application/json;q=0.5", None, True),
        ("application/fhir+xml, */*;q=0.1", None, True),
        ("application/fhir+json;q=0, */*", None, False),
        ("application/fhir+xml", None, False),
        ("text/html", None, False),
        ("application/fhir+json; fhirVersion=5.0", None, False),
        ("application/fhir+json;q=x", None, True),
        ("application/fhir+xml", "json", True),
        ("application/fhir+xml", "application/fhir+json", True),
        (None, "application/fhir json", True),
        ("application/fhir+json", "xml", False),
        ("application/fhir+json", "text/turtle", False),
    ],
)
def test_what_may_be_answered_in_json(
    header: str | None, format_parameter: str | None, expected: bool
) -> None:
    assert accepts_json(header, format_parameter) is expected


@pytest.mark.parametrize("text", ['{"a":-0}', '{"a":[-0,0,-0.0,1e-0]}', '{"a":{"b":-0},"c":"x -0 y"}'])
def test_the_sign_of_zero_is_kept(text: str) -> None:
    assert encode(decode(text.encode())).decode() == text
    assert encode(DECODER.decode(text)).decode() == text
