"""Laws of ER7: what is escaped comes back, what is joined splits again, and no bytes break the reader.

HL7 v2.5.1, chapter 2: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from mappings.er7 import Delimiters, Message, NotHl7, escape, read, split_batch, unescape

DELIMITERS = (
    st.lists(st.sampled_from(string.punctuation.replace('"', "")), min_size=5, max_size=6, unique=True)
    .map(lambda characters: Delimiters(*characters))
    .filter(bool)
)
# Texts full of what escape sequences are made of.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text("\\|^~&#.XFSTREHNPbrsp0A19CM2842\n\r\t", max_size=40),
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
COMPONENTS = st.lists(st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=3)
FIELDS = st.lists(st.lists(COMPONENTS, min_size=1, max_size=3), min_size=1, max_size=5)


@given(TEXTS, DELIMITERS)
def test_escaped_text_comes_back(text: str, delimiters: Delimiters) -> None:
    assert unescape(escape(text, delimiters), delimiters) == text


@given(TEXTS, DELIMITERS)
def test_escaped_text_can_stand_in_any_place(text: str, delimiters: Delimiters) -> None:
    written = escape(text, delimiters).replace(delimiters.escape, "")
    separators = delimiters.encoding_characters.replace(delimiters.escape, "") + delimiters.field
    assert not set(written) & set(separators + "\r\n\x0b\x1c\0")


@given(TEXTS)
def test_unescaping_never_fails(text: str) -> None:
    assert unescape(text.replace("\\", ""), Delimiters()) == text.replace("\\", "")
    assert isinstance(unescape(text, Delimiters()), str)


@given(FIELDS, DELIMITERS, st.sampled_from(["\r", "\n", "\r\n"]))
def test_what_is_joined_splits_again(
    fields: list[list[list[list[str]]]], delimiters: Delimiters, end: str
) -> None:
    d = delimiters
    written = d.field.join(
        d.repetition.join(
            d.component.join(
                d.subcomponent.join(escape(value, d) for value in component) for component in components
            )
            for components in repetitions
        )
        for repetitions in fields
    )
    text = f"MSH{d.field}{d.encoding_characters}{end}ZZZ{d.field}{written}{end}"
    message = read(text.encode())
    segment = message.segments[1]
    assert message.delimiters == d
    for n, repetitions in enumerate(fields, 1):
        split = [repetition.components for repetition in segment.field(n).repetitions]
        assert split == [tuple(tuple(c) for c in components) for components in repetitions]
        assert segment.field(n).first.component(1) == repetitions[0][0][0]
    assert segment.filled() == tuple(range(1, len(fields) + 1))


HEADS = st.sampled_from(
    [b"", b"MSH|^~\\&|A|B|||||ORU^R01|1|P|2.5||||||8859/1\r", b"MSH|", b"\xef\xbb\xbfMSH|^~\\&"]
)


def read_or_refuse(raw: bytes) -> Message | str:
    try:
        return read(raw)
    except NotHl7 as refusal:
        return refusal.reason


@given(HEADS, st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_with_a_reason(head: bytes, tail: bytes) -> None:
    outcome = read_or_refuse(head + tail)
    assert outcome
    if isinstance(outcome, Message):
        assert outcome.raw == head + tail
        assert outcome.msh.filled()[:2] == (1, 2)
        fields = [segment.field(n) for segment in outcome.segments for n in segment.filled()]
        assert all(field and field.text == field.first.text for field in fields)


@given(st.lists(st.binary(max_size=20).map(lambda b: b.translate(None, b"\r\nMFB")), min_size=2, max_size=5))
def test_messages_put_together_come_apart(values: list[bytes]) -> None:
    messages = [b"MSH|^~\\&|A\rNTE|1||" + value + b"\r" for value in values]
    assert split_batch(b"".join(messages)) == messages


@given(st.text(st.characters(codec="iso-8859-15", exclude_categories=["Cc"]), max_size=20))
def test_a_declared_character_set_is_read_back(text: str) -> None:
    value = escape(text, Delimiters()).encode("iso-8859-15")
    message = read(b"MSH|^~\\&|A|B||||||||||||||8859/15\rNTE|1||" + value + b"\r")
    if message.charset == "iso-8859-15":
        assert message.segments[1].field(3).text == text
    else:  # the bytes happen to be UTF-8 as well
        assert value.decode("utf-8")
        assert message.warnings
