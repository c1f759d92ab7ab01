"""What a batch or transaction tells whoever keeps account of it, in the transaction of what it tells of.

So nothing is done twice after an interruption: https://hl7.org/fhir/R4/async.html.
"""

from __future__ import annotations

from typing import Protocol

from storage.session import Raw

LOG = "bundle log"
"""The name under which the state of a request has its log, if it is worked on asynchronously."""


class Log(Protocol):
    """The account of one Bundle. ``connection`` is that of the transaction which does what is told."""

    def before(self) -> dict[int, bytes]:
        """Return what became of the entries of a batch that were done before, by their places."""
        ...

    def entry(self, connection: Raw, place: int, content: bytes) -> None:
        """Take down what becomes of an entry of a batch. Raises Cancelled: then it must not be done."""
        ...

    def whole(self, connection: Raw, content: bytes) -> None:
        """Take down the answer of a transaction. Raises Cancelled: then it must not be done."""
        ...
