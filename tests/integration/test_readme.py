"""The README's tour does what the page says, on a fresh database, command by command."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import tour
from tests.fixtures.server import Gateway

README = Path(__file__).parents[2] / "README.md"
CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"), "TIME"),
    (re.compile(r"(ORD|ACC)-\d{4}-"), r"\1-YEAR-"),
)


def settled(text: str) -> str:
    """Return an output without what differs from one run to the next."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text.strip()


@pytest.fixture
def fresh_gateway(new_database: Callable[[bool], str]) -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory() as folder:
        running = Gateway(new_database(True), Path(folder) / "log")
        try:
            running.wait()
            yield running
        finally:
            running.stop()


def test_the_tour_prints_what_the_page_says(fresh_gateway: Gateway, tmp_path: Path) -> None:
    blocks = tour.blocks(README.read_text())
    typed = [line for block in blocks for line in tour.commands(block)]
    told = [text for block in blocks for text in tour.outputs(block)]
    suture = Path(sys.executable).with_name("suture")
    printed = tour.run(typed, tmp_path, fresh_gateway.http_port, fresh_gateway.mllp_port, suture)
    assert len(typed) >= 20
    assert len(printed) == len(typed)
    for line, expected, found in zip(typed, told, printed, strict=True):
        assert settled(found) == settled(expected), line
