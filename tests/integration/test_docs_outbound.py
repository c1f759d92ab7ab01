"""The example of the page about messages that leave does what the page says, on a fresh database."""

from __future__ import annotations

import sys
from pathlib import Path

from tests import tour
from tests.fixtures.server import Gateway
from tests.integration.test_readme import fresh_gateway, settled

__all__ = ["fresh_gateway"]

PAGE = Path(__file__).parents[2] / "docs" / "hl7v2-outbound.md"


def test_the_example_prints_what_the_page_says(fresh_gateway: Gateway, tmp_path: Path) -> None:
    blocks = tour.blocks(PAGE.read_text())
    typed = [line for block in blocks for line in tour.commands(block)]
    told = [text for block in blocks for text in tour.outputs(block)]
    suture = Path(sys.executable).with_name("suture")
    printed = tour.run(typed, tmp_path, fresh_gateway.http_port, fresh_gateway.mllp_port, suture)
    assert len(typed) == len(printed) == 12
    for line, expected, found in zip(typed, told, printed, strict=True):
        assert settled(found) == settled(expected), line
