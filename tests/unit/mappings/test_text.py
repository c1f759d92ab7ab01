"""Text as search compares it: https://hl7.org/fhir/R4/search.html#string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.text import KEPT, contact, fold, soundex


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Smith", "smith"),
        ("O'Brien", "obrien"),
        ("Müller-Lüdenscheidt", "mullerludenscheidt"),
        ("Straße", "strasse"),
        ("  van   der  Berg ", "van der berg"),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("İstanbul", "istanbul"),
        ("ﬁnal", "final"),
        ("王小明", "王小明"),
        ("--", "--"),
        ("", ""),
    ],
)
def test_folding_drops_case_accents_punctuation_and_needless_spaces(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=300))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert len(once) <= KEPT


@given(st.text(alphabet=st.characters(max_codepoint=0x24F), max_size=20))
def test_case_and_composition_make_no_difference(text: str) -> None:
    import unicodedata

    assert fold(text.swapcase().swapcase()) == fold(text.swapcase())
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("robert", "R163"),
        ("rupert", "R163"),
        ("ashcraft", "A261"),
        ("tymczak", "T522"),
        ("pfister", "P236"),
        ("lee", "L000"),
        ("王", None),
    ],
)
def test_soundex(name: str, sound: str | None) -> None:
    assert soundex(name) == sound


@pytest.mark.parametrize(
    ("system", "value", "norm"),
    [
        ("phone", "+1 (555) 010-9999", "15550109999"),
        ("email", " Jo@Example.ORG ", "jo@example.org"),
        (None, "Ask Jo", "ask jo"),
        ("phone", "none", "none"),
    ],
)
def test_contacts_are_compared_by_digits_or_without_case(system: str | None, value: str, norm: str) -> None:
    assert contact(system, value) == norm
