"""Character sets over a socket: what MSH-18 says, what the bytes say, and what is kept and answered.

HL7 table 0211: https://hl7.org/fhir/R4/v2/0211/index.html
"""

from __future__ import annotations

import pytest

from tests.wire.conftest import Running
from tests.wire.messages import conditions, journal, msa, order, rows

NAME = "Müller"


def named(name: str, label: str, encoding: str, control_id: str = "m1") -> bytes:
    """An order of a patient of that given name, in an encoding, with MSH-18."""
    sent = order(control_id, "A1").decode().replace("^Ann|", f"^{name}|")
    return sent.replace("|2.5.1\r", f"|2.5.1||||||{label}\r", 1).encode(encoding)


def given(listener: Running) -> str:
    """The given name that is stored."""
    (row,) = rows(listener.store, "SELECT given FROM person_name WHERE family = 'Quillfeather'")
    return row["given"][0]


@pytest.mark.parametrize(
    ("label", "encoding", "name"),
    [
        ("", "ascii", "Ann"),
        ("ASCII", "ascii", "Ann"),
        ("", "utf-8", NAME),
        ("UNICODE UTF-8", "utf-8", NAME),
        ("UNICODE", "utf-8", "王小明"),
        ("8859/1", "iso-8859-1", NAME),
        ("8859/2", "iso-8859-2", "Dvořák"),
        ("8859/5", "iso-8859-5", "Ольга"),
        ("8859/7", "iso-8859-7", "Ελένη"),
        ("8859/9", "iso-8859-9", "Ayşe"),
        ("8859/15", "iso-8859-15", "Cœur"),
        ("GB 18030-2000", "gb18030", "王小明"),
        ("KS X 1001", "euc_kr", "김민수"),
        ("BIG-5", "big5", "王小明"),
        ("ISO IR87", "iso2022_jp_2", "花子"),
        ("~ISO IR87", "iso2022_jp_2", "花子"),
        ("ASCII~ISO IR87", "iso2022_jp_2", "花子"),
        ("ASCII~ISO IR87", "ascii", "Ann"),
    ],
)
def test_text_is_read_in_the_set_that_the_header_names_and_the_answer_is_written_in_it(
    listener: Running, label: str, encoding: str, name: str
) -> None:
    sent = named(name, label, encoding)
    (answer,) = listener.send(sent)
    assert (msa(answer), conditions(answer)) == (("AA", "m1"), [])
    assert given(listener) == name
    (row,) = journal(listener.store)
    assert row["raw"] == sent
    assert answer.split(b"\r")[0].endswith(f"|2.5.1||||||{label}".rstrip("|").encode())


def test_a_byte_order_mark_of_utf_8_decides(listener: Running) -> None:
    (answer,) = listener.send(b"\xef\xbb\xbf" + named(NAME, "8859/1", "utf-8"))
    assert msa(answer) == ("AA", "m1")
    assert given(listener) == NAME


def test_bytes_that_are_utf_8_are_believed_more_than_a_label_of_one_byte_with_a_warning(
    listener: Running,
) -> None:
    (answer,) = listener.send(named(NAME, "8859/1", "utf-8"))
    assert (msa(answer), conditions(answer)) == (("AA", "m1"), [("0", "W")])
    assert given(listener) == NAME
    assert [row["charset"] for row in journal(listener.store)] == ["utf-8"]


def test_what_is_neither_labelled_nor_utf_8_is_windows_1252_with_a_warning(listener: Running) -> None:
    (answer,) = listener.send(named("Zoë €", "", "windows-1252"))
    assert conditions(answer) == [("0", "W")]
    assert given(listener) == "Zoë €"
    assert [row["charset"] for row in journal(listener.store)] == ["windows-1252"]


def test_an_unknown_label_is_warned_about_and_not_copied(listener: Running) -> None:
    (answer,) = listener.send(named(NAME, "KLINGON", "utf-8"))
    assert (msa(answer)[0], conditions(answer)) == ("AA", [("0", "W")])
    assert answer.split(b"\r")[0].endswith(b"|P|2.5.1")
    assert given(listener) == NAME


@pytest.mark.parametrize("label", ["UNICODE UTF-16", "UNICODE UTF-32", "UCS-2", "ASCII~UNICODE UTF-16"])
def test_sets_in_which_the_end_of_a_frame_may_be_a_letter_are_refused_by_the_control_id(
    listener: Running, label: str
) -> None:
    (answer,) = listener.send(named("Ann", label, "ascii"))
    assert (msa(answer), conditions(answer)) == (("AR", "m1"), [("103", "E")])
    assert b"|MSH^1^18|" in answer
    assert answer.split(b"\r")[0].endswith(b"|P|2.5.1")


def test_a_control_id_that_is_not_ascii_comes_back_in_the_senders_bytes(listener: Running) -> None:
    (answer,) = listener.send(named("Ann", "8859/1", "iso-8859-1", control_id="é7"))
    assert answer.split(b"\r")[1] == b"MSA|AA|\xe97"
