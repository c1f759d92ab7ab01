"""Fields of messages with delimiters of their own, as they are kept and passed on."""

from __future__ import annotations

import pytest

from mappings.er7 import Field
from mappings.er7_delimiters import DEFAULT, Delimiters
from mappings.er7_escapes import respell

OTHER = Delimiters("!", "@", "#", "/", "%")


@pytest.mark.parametrize(
    ("raw", "usual"),
    [("a@b%c#d", "a^b&c~d"), ("a^b", "a\\S\\b"), ("a/S/b", "a@b"), ("", ""), ("|", "\\F\\")],
)
def test_a_field_is_written_with_the_usual_delimiters(raw: str, usual: str) -> None:
    assert respell(raw, OTHER) == usual
    assert [part.components for part in Field(usual, DEFAULT).repetitions] == [
        part.components for part in Field(raw, OTHER).repetitions
    ]


def test_a_field_with_the_usual_ones_stays_as_it_was() -> None:
    assert respell("a\\Z01\\^b\\", DEFAULT) == "a\\Z01\\^b\\"
