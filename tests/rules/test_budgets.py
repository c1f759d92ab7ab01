from __future__ import annotations

import ast
from statistics import median

from tests.rules.source import Function, Source, sources

LONGEST_FUNCTION, MEDIAN_FUNCTION = 60, 8
LONGEST_FILE, MEDIAN_FILE = 500, 120


def code() -> list[Source]:
    """All code but revisions: they are records of what was done, read once."""
    return [source for source in sources() if not source.name.startswith("migrations/versions/")]


def length(function: Function) -> int:
    """The lines of a function from `def` to its end, without its docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_no_function_is_long() -> None:
    long = [
        f"{source.name}:{function.lineno} {function.name} has {length(function)} lines"
        for source in code()
        for function in source.functions()
        if length(function) > LONGEST_FUNCTION
    ]
    assert long == []


def test_most_functions_are_short() -> None:
    assert median(length(function) for source in code() for function in source.functions()) <= MEDIAN_FUNCTION


def test_no_file_is_long() -> None:
    found = (*code(), *sources("tests"))
    long = [f"{source.name} has {source.lines} lines" for source in found if source.lines > LONGEST_FILE]
    assert long == []


def test_most_files_are_short() -> None:
    assert median(source.lines for source in code() if source.defines_something) <= MEDIAN_FILE
