"""A sheet of patients in a file of text: comma-separated values, or parted by semicolons or tabs.

https://www.rfc-editor.org/rfc/rfc4180. Rows are counted as a spreadsheet shows them: the first row of the
file, which names the columns, is row 1, a cell that has several lines is still in one row, and a blank row
counts. The file is read twice and never held: what is wrong with it as a whole is told before a row is used.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from gateway import errors
from gateway.bulk.cells import values
from gateway.bulk.encodings import as_text, encoding_of
from gateway.bulk.rows import Given
from gateway.errors import Issue
from mappings import flat
from storage.model.flat import BY_NAME, FIELDS

DELIMITERS = (",", ";", "\t")
LONGEST_LINE = 100_000
_GAPS = re.compile(r"[\s_-]+")


class Row(NamedTuple):
    """A row that is not blank: its number and its cells."""

    number: int
    cells: list[str]


@dataclass
class Sheet:
    """A file whose columns are known fields, and which can be read to its end; ``total`` rows follow the
    first.
    """

    file: BinaryIO
    encoding: str
    delimiter: str
    columns: list[str]
    total: int = 0

    @classmethod
    def of(cls, file: BinaryIO) -> Sheet:
        """Read a file through. Raises NotParseable for one that is no such text, Unprocessable for columns
        that are not known, are there twice or are lacking.
        """
        encoding = encoding_of(file)
        delimiter = _delimiter(_first_line(file, encoding))
        with closing(_rows(file, encoding, delimiter)) as rows:
            first = next(rows, None)
            if first is None:
                raise errors.NotParseable("The file is empty.", expression="file")
            columns = _columns(first.cells)
            return cls(file, encoding, delimiter, columns, sum(1 for _ in rows))

    def rows(self) -> Iterator[Given]:
        """Yield the rows after the first."""
        with closing(_rows(self.file, self.encoding, self.delimiter)) as rows:
            next(rows)
            for number, cells in rows:
                yield self._given(number, cells)

    def _given(self, number: int, cells: list[str]) -> Given:
        width = len(self.columns)
        given = values(dict(zip(self.columns, cells, strict=False)), commas=self.delimiter == ";")
        if any(cell.strip() for cell in cells[width:]):
            return Given(number, given, f"the row has {len(cells)} cells, the first row {width}")
        return Given(number, given)


def _first_line(file: BinaryIO, encoding: str) -> str:
    with as_text(file, encoding) as text:
        while line := text.readline(LONGEST_LINE):
            if line.strip():
                return line
    return ""


def _delimiter(line: str) -> str:
    """Return what parts the names of a line: that by which it has most of our fields."""

    def known(delimiter: str) -> int:
        return sum(_name(part.strip('"')) in BY_NAME for part in line.split(delimiter))

    return max(DELIMITERS, key=known)


def _name(cell: str) -> str:
    """Return a field as its name is written here: ``First Name`` is ``first_name``."""
    return _GAPS.sub("_", cell.strip().lower())


def _rows(file: BinaryIO, encoding: str, delimiter: str) -> Generator[Row]:
    number = 0
    with as_text(file, encoding) as text:
        lines = csv.reader(text, delimiter=delimiter, strict=True)
        while True:
            number += 1
            try:
                cells = next(lines, None)
            except csv.Error as error:
                told = f"Row {number} cannot be read: {error}."
                raise errors.NotParseable(told, expression="file") from error
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield Row(number, cells)


def _columns(cells: list[str]) -> list[str]:
    names = [_name(cell) for cell in cells]
    while not names[-1]:
        names.pop()
    issues = list(_wrong_with(names))
    if issues:
        raise errors.problem_with(issues)
    return names


def _wrong_with(names: list[str]) -> Iterator[Issue]:
    """Yield what is wrong with the names of columns."""
    for place, name in enumerate(names, 1):
        if not name:
            yield Issue("error", "value", f"Column {place} has no name.", "file")
    unknown = flat.check(dict.fromkeys(name for name in names if name), required=False)
    for name, message in unknown:
        if name not in BY_NAME:
            yield Issue("error", "value", f"{name[:80]}: {message}", name[:80])
    for name, count in Counter(name for name in names if name).items():
        if count > 1:
            yield Issue("error", "value", f"There are {count} columns {name[:80]}.", name[:80])
    for field in FIELDS:
        if field.required and field.name not in names:
            yield Issue("error", "required", f"The column {field.name} is needed.", field.name)
