"""Sheets read: encodings, delimiters, names of columns, rows as a spreadsheet counts them."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bulk import cells, objects
from gateway.bulk.encodings import PIECE, encoding_of
from gateway.bulk.rows import Given
from gateway.bulk.sheet import Sheet
from gateway.errors import NotParseable, Problem, Unprocessable
from gateway.native.spreadsheet import STARTS, lines
from storage.model.flat import BY_NAME
from tests.fixtures.sheets import LEAST, least, sheet

NAMED = LEAST | {"last_name": "Müller-Łoś"}


def read(content: bytes | str) -> list[Given]:
    return list(Sheet.of(io.BytesIO(content.encode() if isinstance(content, str) else content)).rows())


def refusal(content: bytes | str) -> Problem:
    with pytest.raises(Problem) as raised:
        read(content)
    return raised.value


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
    ],
)
def test_an_encoding_is_found_by_its_mark_or_its_look(encoding: str, found: str) -> None:
    file = io.BytesIO(sheet([NAMED]).encode(encoding))
    opened = Sheet.of(file)
    assert opened.encoding == found
    assert [dict(row.values) for row in opened.rows()] == [NAMED]


def test_old_spreadsheets_are_read_in_their_encoding() -> None:
    values = LEAST | {"last_name": "Müller €"}
    opened = Sheet.of(io.BytesIO(sheet([values]).encode("windows-1252")))
    assert opened.encoding == "windows-1252"
    assert [dict(row.values) for row in opened.rows()] == [values]


@pytest.mark.parametrize(
    "content",
    [
        b"M\xc3\xbcller, M\xfcller",  # UTF-8 at first
        b"M\x81ller",  # nothing in Windows-1252
        b"\xff\xfea\x00b",  # half a letter of UTF-16
        b"\xef\xbb\xbfM\xfcller",  # marked as UTF-8
        b"M\xc3\xbcller" + b" " * PIECE + b"\xfc",
    ],
)
def test_bytes_of_no_encoding_are_refused(content: bytes) -> None:
    with pytest.raises(NotParseable, match="cannot be read"):
        encoding_of(io.BytesIO(content))


def test_a_letter_may_lie_across_pieces_of_the_file() -> None:
    assert encoding_of(io.BytesIO(b"x" * (PIECE - 1) + "ü".encode())) == "utf-8"
    assert encoding_of(io.BytesIO(b"x" * (PIECE - 1) + b"\xfc" + b"x")) == "windows-1252"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_delimiters_and_line_ends_are_recognised(delimiter: str, end: str) -> None:
    values = LEAST | {"notes": 'Says "no";\n,\tand more', "allergies": "Latex; Nuts, all"}
    (row,) = read(sheet([values], delimiter=delimiter, end=end))
    assert row == Given(2, values)


def test_names_of_columns_come_in_any_order_and_spelling() -> None:
    content = " Last Name ,MRN,date-of-birth,SEX,first_name,\nDoe,M1,1980,f,Jane,\n"
    (row,) = read(content)
    assert row.values == {
        "last_name": "Doe",
        "mrn": "M1",
        "date_of_birth": "1980",
        "sex": "f",
        "first_name": "Jane",
    }


def test_rows_are_counted_as_a_spreadsheet_shows_them() -> None:
    content = sheet([least(2, notes="two\nlines"), {}, least(4, notes="x"), least(5, notes="y")])
    rows = read(content.replace("\r\n,,,,,\r\n", "\r\n,,,,,\r\n\r\n"))
    assert [(row.number, row.values["mrn"]) for row in rows] == [(2, "M2"), (5, "M4"), (6, "M5")]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("mrn,first_name,last_name,date_of_birth,sex,colour", {"colour": "value"}),
        ("mrn,first_name,last_name,date_of_birth,sex,mrn", {"mrn": "value"}),
        ("mrn,first_name,,last_name,date_of_birth,sex", {"file": "value"}),
        (
            "mrn,last_name,frist_name,date_of_birth",
            {"frist_name": "value", "first_name": "required", "sex": "required"},
        ),
        ("hello", {"hello": "value"} | dict.fromkeys(LEAST, "required")),
    ],
)
def test_columns_that_cannot_be_used_are_all_named(columns: str, expected: dict[str, str]) -> None:
    problem = refusal(f"{columns}\n")
    assert isinstance(problem, Unprocessable)
    assert {issue.expression: issue.code for issue in problem.issues} == expected


def test_a_column_of_a_near_name_is_suggested() -> None:
    (issue, *_) = refusal("mrn,frist_name\n").issues
    assert "did you mean first_name?" in issue.diagnostics


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"])
def test_an_empty_file_is_refused(content: str) -> None:
    problem = refusal(content)
    assert (problem.status, problem.issues[0].diagnostics) == (400, "The file is empty.")


@pytest.mark.parametrize("broken", ['"Doe', 'D"oe"x"', '"D"oe', '"' + "x" * 200_000 + '"'])
def test_a_file_that_is_no_sheet_is_refused_with_its_row(broken: str) -> None:
    content = sheet([least(1), least(2)])
    bad = content + content.splitlines()[1].replace("Doe", broken) + "\r\n"
    if broken == 'D"oe"x"':
        assert len(read(bad)) == 3, "a quote inside a cell is no quote"
    else:
        assert "Row 4 cannot be read" in refusal(bad).issues[0].diagnostics


def test_a_row_that_is_too_long_is_wrong_and_a_short_one_is_filled() -> None:
    header = "mrn,first_name,last_name,date_of_birth,sex,city"
    content = f"{header}\nM1,J,D,1980,M\nM2,J,D,1980,M,X,,\nM3,J,D,1980,M,X,Y\n"
    short, blank, long = read(content)
    assert (short.wrong, "city" in short.values) == ("", False)
    assert (blank.wrong, blank.values["city"]) == ("", "X")
    assert long.wrong == "the row has 7 cells, the first row 6"


def test_a_decimal_comma_is_read_where_semicolons_part_the_cells() -> None:
    values = LEAST | {"height_cm": "178,5"}
    assert str(read(sheet([values], delimiter=";"))[0].values["height_cm"]) == "178.5"
    assert read(sheet([values]))[0].values["height_cm"] == "178,5"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.builds(
    str.__add__, st.sampled_from([*STARTS, "''", " ", "' ", "'' "]), st.text("'= \t-+a", max_size=6)
)


@given(TEXTS.filter(str.strip))
def test_each_text_comes_back_from_a_sheet_as_it_was(text: str) -> None:
    content = lines([["mrn", "last_name"], ["x", cells.kept(text)]])
    _, (_, cell) = csv.reader(io.StringIO(content.decode(), newline=""))
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    needed = content.replace(b"mrn,last_name", b"mrn,last_name,first_name,date_of_birth,sex")
    assert read(needed)[0].values == {"mrn": "x", "last_name": text}


@pytest.mark.parametrize("text", ["+49 170 1234567", "=1+1", "-5", "@home", "'t Hooft", "''", "O'Neill"])
def test_texts_that_nobody_guarded_are_taken_as_they_are(text: str) -> None:
    assert cells.values({"last_name": text}) == {"last_name": text if text != "''" else "'"}


def test_numbers_are_written_and_read_as_numbers() -> None:
    found = cells.values({"height_cm": "178.50", "weight_kg": "-5", "bmi": "1e2"})
    assert {name: str(value) for name, value in found.items()} == {
        "height_cm": "178.50",
        "weight_kg": "-5",
        "bmi": "1e2",
    }
    assert BY_NAME["height_cm"].kind == "decimal"


def of_json(content: str | bytes) -> list[Any]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return [dict(row.values) for row in objects.objects(file)]


@pytest.mark.parametrize(
    "content",
    [
        '[{"mrn": "1"}, {"mrn": "2"}]',
        '[\n{"mrn": "1"},\n{"mrn": "2"}\n]\n',
        '{"mrn": "1"}\n{"mrn": "2"}\n',
        ' { "patients" : [ {"mrn": "1"}, {"mrn": "2"} ] } ',
        '\ufeff[{"mrn": "1"}, {"mrn": "2"}]',
        '[{"mrn": "1"},' + " " * 200_000 + '{"mrn": "2"}]',
    ],
)
def test_patients_are_read_from_each_form_of_json(content: str) -> None:
    assert of_json(content) == [{"mrn": "1"}, {"mrn": "2"}]


def test_objects_longer_than_a_piece_and_decimals_are_kept() -> None:
    long = "x" * (objects.PIECE * 2)
    found = of_json(f'[{{"notes": "{long}", "height_cm": 178.50}}]')
    assert (found[0]["notes"], str(found[0]["height_cm"])) == (long, "178.50")
    assert of_json("[]") == of_json('{"patients": []}') == of_json("") == []


@pytest.mark.parametrize(
    "content",
    [
        '[{"mrn": "1"}',
        '[{"mrn": 1}] x',
        '{"patients": [{}]',
        "{",
        "nonsense",
        '[{"a": NaN}]',
        "[" * 100_000,
        "]",
    ],
)
def test_what_is_no_json_is_refused(content: str) -> None:
    with pytest.raises(NotParseable):
        of_json(content)


def test_what_is_no_object_is_a_row_that_is_wrong() -> None:
    content = b'[1, {}, {"last_name": "\\ud800"}]'
    assert list(objects.objects(io.BytesIO(content))) == [
        Given(1, {}, "a patient must be an object"),
        Given(2, {}),
        Given(3, {}, "a text has half of a letter (a surrogate alone)"),
    ]
