"""What the listener bears of strangers: lines of log, bytes in hand, doors that stay open.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import asyncio
import socket
from logging import WARNING
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mllp import doors
from gateway.mllp.held import Held
from gateway.mllp.quiet import LINES, MOST_KNOWN, SECONDS, Quiet


class Holder:
    """A connection with so many bytes of a message that is not whole."""

    def __init__(self) -> None:
        self.unfinished = 0
        self.refused = 0

    def give_way(self) -> None:
        self.unfinished = 0
        self.refused += 1


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60), st.integers(0, 60)), max_size=60),
    st.integers(1, 150),
)
def test_no_more_is_held_than_allowed_but_what_is_whole(notes: list[tuple[int, int, int]], most: int) -> None:
    held, holders = Held(most), [Holder() for _ in range(6)]
    whole = dict.fromkeys(range(6), 0)
    for which, unfinished, finished in notes:
        before = [holder.unfinished for holder in holders]
        holders[which].unfinished, whole[which] = unfinished, finished
        before[which] = unfinished
        refused = [holder.refused for holder in holders]
        held.note(holders[which], unfinished + finished)
        left = sum(holder.unfinished for holder in holders)
        gone = [before[n] for n in range(6) if holders[n].refused > refused[n]]
        assert left == 0 or left + sum(whole.values()) <= most
        # Nobody gives way without need, and none but the largest.
        assert not gone or left + min(gone) + sum(whole.values()) > most
        assert not gone or min(gone) >= max(holder.unfinished for holder in holders)


def test_of_what_comes_too_often_a_line_tells_how_often() -> None:
    now, told = [0.0], list[dict[str, Any]]()
    quiet = Quiet(lambda: now[0], lambda *_, **line: told.append(line))
    for _ in range(LINES + 7):
        quiet.tell(WARNING, "connection refused", "10.0.0.1", reason="no TLS")
    quiet.tell(WARNING, "connection refused", "10.0.0.2", reason="no TLS")
    now[0] = SECONDS
    quiet.tell(WARNING, "connection refused", "10.0.0.1", reason="no TLS")
    assert len(told) == LINES + 2
    assert (told[-1]["untold"], told[-1]["remote"]) == (7, "10.0.0.1")
    assert "untold" not in told[-2]


def test_addresses_are_not_remembered_for_ever() -> None:
    told = list[dict[str, Any]]()
    quiet = Quiet(lambda: 0.0, lambda *_, **line: told.append(line))
    for number in range(MOST_KNOWN + 1):
        for _ in range(LINES + 1):
            quiet.tell(WARNING, "connection lost", f"address {number}")
    quiet.tell(WARNING, "connection lost", "address 0")
    assert len(told) == LINES * (MOST_KNOWN + 1) + 1


@pytest.mark.parametrize("error", [ValueError, OSError])
def test_a_door_stays_open_after_a_connection_that_could_not_be_let_in(error: type[Exception]) -> None:
    entered: list[str] = []

    async def enter(connection: socket.socket, remote: str) -> None:
        entered.append(remote)
        if len(entered) == 1:
            raise error
        connection.close()

    async def knock() -> None:
        (door,) = await doors.bound("127.0.0.1", 0, shared=False)
        port = door.getsockname()[1]
        task = asyncio.create_task(doors.keep(door, enter))
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert door.fileno() == -1

    asyncio.run(knock())
    assert entered == ["127.0.0.1"] * 2
