"""Sending over MLLP: one message in flight, each reply matched to its message, and files cut into messages.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.mllp.framing import wrap
from gateway.mllp.send import Ack, NotAcknowledged, messages_of_file, send
from tests.wire.peer import HOST, Close, ExpectClose, ExpectFrame, ExpectNothing, Send, Step, listening


def message(control_id: str, rest: str = "") -> bytes:
    return f"MSH|^~\\&|A|B|C|D|20260110||ADT^A01|{control_id}|P|2.5{rest}\rPID|1\r".encode()


def ack(control_id: str, code: str = "AA", text: str = "") -> bytes:
    return f"MSH|^~\\&|C|D|A|B|20260110||ACK|r{control_id}|P|2.5\rMSA|{code}|{control_id}|{text}\r".encode()


def exchange(*replies: bytes) -> list[Step]:
    """For each reply: one message in, nothing more until it is answered."""
    steps: list[Step] = []
    for reply in replies:
        steps += [ExpectFrame(), ExpectNothing(0.05), Send(reply)]
    return [*steps, ExpectClose()]


def test_messages_go_out_one_at_a_time_and_replies_come_back() -> None:
    heard: list[Ack] = []
    with listening(exchange(wrap(ack("1")), wrap(ack("2", "AE", "no\\F\\pe")))) as peer:
        acks = send(HOST, peer.port, [message("1"), message("2")], 5, heard.append)
    assert [(a.position, a.control_id, a.code, a.text, a.accepted) for a in acks] == [
        (1, "1", "AA", "", True),
        (2, "2", "AE", "no|pe", False),
    ]
    assert heard == acks
    assert acks[0].raw == ack("1")
    assert peer.transcripts[0].payloads == [message("1"), message("2")]


def test_a_reply_in_pieces_is_read_whole() -> None:
    steps: list[Step] = [ExpectFrame(), Send(b"\r\n" + wrap(ack("1")), size=7, pause=0.001), ExpectClose()]
    with listening(steps) as peer:
        assert send(HOST, peer.port, [message("1")], 5)[0].raw == ack("1")


def test_a_reply_without_its_last_byte_is_taken_after_a_pause() -> None:
    with listening([ExpectFrame(), Send(wrap(ack("1"))[:-1]), ExpectClose()]) as peer:
        assert send(HOST, peer.port, [message("1")], 5)[0].code == "AA"


def test_a_late_or_foreign_reply_is_never_taken_for_this_one() -> None:
    strange = wrap(ack("0", "AR")) + wrap(b"hello") + wrap(ack("1 "))
    with listening(exchange(strange + wrap(ack("1")), wrap(ack("1", "AR")) + wrap(ack("2")))) as peer:
        acks = send(HOST, peer.port, [message("1"), message("2")], 5)
    assert [a.code for a in acks] == ["AA", "AA"]


def test_what_has_no_header_is_answered_with_an_empty_control_id() -> None:
    with listening(exchange(wrap(ack("", "AR")))) as peer:
        assert send(HOST, peer.port, [b"hello"], 5)[0].code == "AR"


def test_messages_that_want_no_reply_are_not_waited_for() -> None:
    silent = message("1", "|||NE|NE")
    with listening(
        [ExpectFrame(), ExpectFrame(), ExpectFrame(), Send(wrap(ack("3"))), ExpectClose()]
    ) as peer:
        acks = send(HOST, peer.port, [silent, ack("2"), message("3")], 5)
    assert [(a.control_id, a.code) for a in acks] == [("1", ""), ("r2", ""), ("3", "AA")]


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([ExpectFrame(), ExpectClose()], "in time"),
        ([ExpectFrame(), Send(wrap(ack("9"))), ExpectClose()], "in time"),
        ([ExpectFrame(), Close()], "closed"),
        ([ExpectFrame(), Send(b"\x0bMSH|"), Close()], "cut off"),
        ([ExpectFrame(), Send(b"HTTP/1.1 400\r\n" * 1500), ExpectClose()], "speak MLLP"),
        ([ExpectFrame(), Close(reset=True)], "broke|closed"),
    ],
)
def test_no_reply_is_an_error_that_names_the_message(steps: list[Step], reason: str) -> None:
    with listening(steps) as peer, pytest.raises(NotAcknowledged, match=f"message 1: .*({reason})"):
        send(HOST, peer.port, [message("1")], 0.3 if reason == "in time" else 5)


def test_nobody_listening_is_an_os_error() -> None:
    with listening() as peer:
        pass
    with pytest.raises(OSError, match="refused"):
        send(HOST, peer.port, [message("1")], 1)


class TestFiles:
    ONE = b"MSH|^~\\&|A|B\nPID|1\n"
    TWO = b"MSH|^~\\&|A|C\nPID|2 \n"

    def test_one_message_keeps_its_bytes(self) -> None:
        assert messages_of_file(b"\xef\xbb\xbf" + self.ONE) == [b"\xef\xbb\xbf" + self.ONE]
        assert messages_of_file(b"MSH|") == [b"MSH|"]

    def test_blank_lines_and_comments_between_messages_are_left_out(self) -> None:
        data = (
            b"/*\n * MSH|^~ in words\n */\n"
            + self.ONE
            + b"\n\n// next\n// one\n"
            + self.TWO
            + b"\n/* end */\n"
        )
        assert messages_of_file(data) == [self.ONE, self.TWO]

    def test_a_line_that_only_looks_like_a_comment_stays(self) -> None:
        data = b"MSH|^~\\&|A\rOBX|1|ED|||^Base64^QUJD\r//8=\r/*x*/\r"
        assert messages_of_file(data) == [data]

    def test_batches_give_their_messages(self) -> None:
        data = b"FHS|^~\\&\nBHS|^~\\&\n" + self.ONE + self.TWO + b"BTS|2\nFTS|1\n"
        assert messages_of_file(data) == [self.ONE, self.TWO]

    def test_frames_give_their_payloads(self) -> None:
        assert messages_of_file(b"\r\n" + wrap(self.ONE) + b"\n" + wrap(self.TWO + self.ONE)) == [
            self.ONE,
            self.TWO,
            self.ONE,
        ]

    @pytest.mark.parametrize("data", [b"", b"\r\n\0", b"hello", b"BHS|^~\\&\nBTS|0\n"])
    def test_a_file_without_messages_gives_none(self, data: bytes) -> None:
        assert messages_of_file(data) == []

    def test_a_broken_frame_is_refused(self) -> None:
        with pytest.raises(ValueError, match="inside a frame"):
            messages_of_file(wrap(self.ONE) + b"\x0bMSH|")

    def test_the_corpus_gives_the_messages_that_its_index_counts(self) -> None:
        folder = Path(os.environ.get("SUTURE_CORPUS", "/nonexistent"), "hl7v2")
        if not folder.is_dir():
            pytest.skip("SUTURE_CORPUS is not set or has no hl7v2 folder")
        counts = {path.name: len(messages_of_file(path.read_bytes())) for path in folder.glob("*.*")}
        many = {name: count for name, count in counts.items() if count > 1}
        assert many == {
            "hapi-messages-with-comments.txt": 18,
            "hapi-oml-lifecycle-13msgs.hl7": 13,
            "mirth-adt-bulk-124.txt": 124,
            "mirth-batch-3siu.hl7": 3,
        }
        none = {name for name, count in counts.items() if not count}
        assert none == {"INDEX.md", "cdc-bad-empty.hl7", "mirth-literal-som-eom.txt"}
